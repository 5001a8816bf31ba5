//! From text to types: durations, sizes, addresses, and what is said when the text does not fit.

use cache_core::{BODY_BYTES_MAX, Priority, Reserves, SETTLE_MAX, UnknownPriority, port::Durability};
use cache_origin_github::{
    ConfigError, GitHub, GraphqlRule, LIFETIME_MAX, OriginUrl, PriorityRule, Proxy, ProxyScope, RouteRule,
    TIMEOUT_MAX, TIMEOUT_MIN, parse_duration,
};
use fleet_cache::environment;
use nix::unistd::Group;
use std::{fmt, num::NonZeroU32, ops::RangeInclusive, str::FromStr, time::Duration};

/// What is wrong with a text, and what to write instead. Never repeats the text, which may be a secret.
pub(crate) type Problem = String;

/// A secret text: a token or a passphrase. Shown nowhere, wiped when dropped.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Secret(zeroize::Zeroizing<String>);

impl Secret {
    /// The secret text itself, to be shown to no one.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same, in a time that depends on the lengths alone.
    pub(crate) fn matches(&self, other: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let mut difference = usize::from(own.len() != other.len());
        for (at, byte) in other.iter().enumerate() {
            difference |= usize::from(byte ^ own.get(at).copied().unwrap_or(0));
        }
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Takes a secret, without the line break that editors put at the end of a file.
pub(crate) fn secret(text: &str) -> Result<Secret, Problem> {
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err("is empty; give at least one character".to_owned()),
        text => Ok(Secret(text.to_owned().into())),
    }
}

/// Takes `65536`, `64KiB`, `64MiB`, `1GiB`, or the decimal `64kB`, `64MB`, `1GB`; a bare number is bytes.
pub(crate) fn size(text: &str) -> Result<usize, Problem> {
    let (number, unit) = split_unit(text);
    let remedy = || "is not a size; write bytes such as `65536`, or `64KiB`, `64MiB`, `1GiB`".to_owned();
    let number: usize = number.parse().map_err(|_error| remedy())?;
    let bytes_each = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "k" | "kib" => 1 << 10,
        "mb" => 1_000_000,
        "m" | "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "g" | "gib" => 1 << 30,
        _other => return Err(remedy()),
    };
    number.checked_mul(bytes_each).ok_or_else(|| "is more than this machine can address".to_owned())
}

/// Takes a count of at least one.
pub(crate) fn count(text: &str) -> Result<usize, Problem> {
    environment::count(text).map_err(|misspelt| misspelt.to_string())
}

/// Takes how many nodes one may be connected with.
pub(crate) fn peers_count(text: &str) -> Result<usize, Problem> {
    let count = text.trim().parse().ok().filter(|count| (PEERS_MIN..=PEERS_MAX).contains(count));
    count.ok_or_else(|| {
        format!("is not a number of nodes to connect with; write one from {PEERS_MIN} to {PEERS_MAX}")
    })
}

/// Fewer connections do not hold a fleet together while nodes come and go.
const PEERS_MIN: usize = 4;

/// More take hundreds of megabytes and more descriptors than most systems give, for nothing: members find one another
/// through others.
const PEERS_MAX: usize = 4096;

/// Takes a size of at least one byte: a cache without room is switched off by not starting it.
pub(crate) fn positive_size(text: &str) -> Result<usize, Problem> {
    match size(text)? {
        0 => Err("leaves no room at all; write a size from 1, such as `64MiB`".to_owned()),
        bytes => Ok(bytes),
    }
}

/// Takes how long the origin may take, within what the adapter can keep to.
pub(crate) fn origin_timeout(text: &str) -> Result<Duration, Problem> {
    duration(text, TIMEOUT_MIN..=TIMEOUT_MAX)
}

/// Takes for how long an answer may be used.
pub(crate) fn lifetime(text: &str) -> Result<Duration, Problem> {
    duration(text, Duration::ZERO..=LIFETIME_MAX)
}

/// Takes for how long what was written is asked about on every use.
pub(crate) fn settle(text: &str) -> Result<Duration, Problem> {
    duration(text, Duration::ZERO..=SETTLE_MAX)
}

/// Takes how many writes may be made in a time; `None` for any number.
pub(crate) fn writes(text: &str) -> Result<Option<NonZeroU32>, Problem> {
    if text == "off" {
        return Ok(None);
    }
    let count: Option<NonZeroU32> = text.parse().ok().filter(|count: &NonZeroU32| count.get() <= WRITES_MAX);
    let problem =
        || format!("is not a number of writes; write one from 1 to {WRITES_MAX}, or `off` for any number");
    count.map(Some).ok_or_else(problem)
}

/// Most writes that a setting may allow in a time: more than any origin bears.
const WRITES_MAX: u32 = 100_000;

/// Takes how long a write may wait for its turn.
pub(crate) fn write_wait(text: &str) -> Result<Duration, Problem> {
    duration(text, Duration::ZERO..=WRITE_WAIT_MAX)
}

/// Longest time for which a write may wait: a whole hour's bound.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Takes how long requests in progress may take to end.
pub(crate) fn drain(text: &str) -> Result<Duration, Problem> {
    duration(text, Duration::ZERO..=LIFETIME_MAX)
}

fn duration(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, Problem> {
    parse_duration(text, range).map_err(|error| error.to_string())
}

/// Takes a host name as clients put it into `Host`, without a port, and gives it back in lower case.
pub(crate) fn host(text: &str) -> Result<String, Problem> {
    let name = text.trim().to_ascii_lowercase();
    let is_label = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-')
    };
    if name.len() <= HOST_BYTES_MAX && name.trim_end_matches('.').split('.').all(is_label) {
        return Ok(name);
    }
    Err("is not a host name; write it without a port, such as `cache.internal`".to_owned())
}

/// Takes permission bits in octal: `660`, `0660` or `0o660`.
pub(crate) fn mode(text: &str) -> Result<u32, Problem> {
    match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
        Ok(mode @ 0o600..=0o777) if mode & 0o700 == 0o600 || mode & 0o700 == 0o700 => Ok(mode),
        Ok(_) | Err(_) => {
            Err("is not a mode in which the daemon's own user may read and write; write for example `0660`"
                .to_owned())
        }
    }
}

/// Takes the name or the number of a group of this machine, and gives its number.
pub(crate) fn group(text: &str) -> Result<u32, Problem> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err("is not a group of this machine; `getent group` lists them".to_owned()),
        Err(error) => Err(format!("cannot be looked up: {error}")),
    }
}

/// Takes the words that people use for yes and no.
pub(crate) fn truth(text: &str) -> Result<bool, Problem> {
    environment::truth(text).map_err(|misspelt| misspelt.to_string())
}

/// Parses the number of a port.
pub(crate) fn port(text: &str) -> Result<u16, Problem> {
    environment::port(text).map_err(|misspelt| misspelt.to_string())
}

/// Takes `eventual` or `immediate`.
pub(crate) fn durability(text: &str) -> Result<Durability, Problem> {
    match text {
        "eventual" => Ok(Durability::Eventual),
        "immediate" => Ok(Durability::Immediate),
        _other => Err("is not a durability; write `eventual` or `immediate`".to_owned()),
    }
}

/// Takes the base address of an API.
pub(crate) fn origin(text: &str) -> Result<OriginUrl, Problem> {
    text.parse().map_err(|error| match error {
        ConfigError::Origin { problem, .. } => {
            format!("cannot be used: {problem}; write it like https://api.github.com or https://HOST/api/v3")
        }
        other => other.to_string(),
    })
}

/// Takes the address of a proxy that is used for `scope`, but not for what `except` lists; or `none`.
pub(crate) fn proxy(text: &str, scope: ProxyScope, except: &str) -> Result<Option<Proxy>, Problem> {
    if text == "none" {
        return Ok(None);
    }
    Proxy::new(text, scope, except).map(Some).map_err(|error| match error {
        ConfigError::Proxy(problem) => {
            format!("cannot be used: {problem}; write it like http://proxy.example:3128, or `none`")
        }
        other => other.to_string(),
    })
}

/// Takes a rule as [`RouteRule`] reads it, and gives it back as text once it is known to be one.
pub(crate) fn route(text: &str) -> Result<String, Problem> {
    match text.parse::<RouteRule>() {
        Ok(_rule) => Ok(text.to_owned()),
        Err(ConfigError::Route { problem, .. }) => {
            Err(format!("cannot be read: {problem}; write it like `/repos/*/*/issues** = 60s`"))
        }
        Err(other) => Err(other.to_string()),
    }
}

/// Takes a rule as [`GraphqlRule`] reads it.
pub(crate) fn graphql_rule(text: &str) -> Result<GraphqlRule, Problem> {
    text.parse().map_err(|error| match error {
        ConfigError::GraphqlRule { problem, .. } => {
            format!("cannot be read: {problem}; write it like `checks=5s` or `search=never`")
        }
        other => other.to_string(),
    })
}

/// Takes a rule as [`PriorityRule`] reads it.
pub(crate) fn priority_rule(text: &str) -> Result<PriorityRule, Problem> {
    text.parse().map_err(|error| match error {
        ConfigError::Priority { problem, .. } => {
            format!("cannot be read: {problem}; write it like `/repos/*/*/actions/**=critical` or `client:renovate*=batch`")
        }
        other => other.to_string(),
    })
}

/// Takes a class of requests and the percentage of each allowance that is kept from it.
pub(crate) fn reserve(text: &str) -> Result<(Priority, u8), Problem> {
    let bad = |problem: &str| format!("{problem}; write it like `batch=20%` or `normal=5%`");
    let (class, share) = text.split_once('=').ok_or_else(|| bad("has no `=`"))?;
    let class: Priority =
        class.trim().parse().map_err(|error: UnknownPriority| bad(&format!("names no class: {error}")))?;
    let percent = share.trim().strip_suffix('%').and_then(|percent| percent.trim().parse::<u8>().ok());
    let percent = percent.ok_or_else(|| bad("has no share in whole percent"))?;
    match Reserves::NONE.with(class, percent) {
        Some(_reserves) => Ok((class, percent)),
        None if class == Priority::Critical => Err(bad("would keep something from critical requests")),
        None => Err(bad("keeps more than 100%")),
    }
}

/// Takes the name of a header that is sent to the origin on cached reads as well.
pub(crate) fn forwarded_header(text: &str) -> Result<String, Problem> {
    match GitHub::builder().forward_header(text).rules() {
        Ok(_rules) => Ok(text.to_owned()),
        Err(ConfigError::ForwardHeader { problem, .. }) => Err(format!(
            "cannot be forwarded: {problem}; name a header that a gateway before the API asks for"
        )),
        Err(other) => Err(other.to_string()),
    }
}

/// Takes the size of the largest body to keep.
pub(crate) fn body_size(text: &str) -> Result<usize, Problem> {
    match size(text)? {
        bytes if bytes > BODY_BYTES_MAX => {
            Err(format!("is more than an entry can hold, which is {} MiB", BODY_BYTES_MAX >> 20))
        }
        bytes => Ok(bytes),
    }
}

/// A set of credentials that share a domain named by the operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedDomain {
    /// What the domain is called; the same name is the same domain on every node.
    pub(crate) name: String,
    /// How its credentials begin, with a `*` at the end, or `*` alone for all; never a whole credential.
    pub(crate) members: Vec<String>,
    /// Whether what one of them was given answers all, without proof.
    pub(crate) is_trusted: bool,
}

/// Takes `NAME=all` or `NAME=PREFIX*[,PREFIX*]`, and `,trusted` behind it.
pub(crate) fn domain(text: &str) -> Result<NamedDomain, Problem> {
    let (name, rest) = text.split_once('=').ok_or_else(|| format!("is not a domain; {DOMAIN_REMEDY}"))?;
    let mut domain = NamedDomain { name: name.trim().to_owned(), members: Vec::new(), is_trusted: false };
    for part in rest.split(',').map(str::trim) {
        match part {
            "all" => domain.members.push("*".to_owned()),
            "trusted" => domain.is_trusted = true,
            prefix if prefix.ends_with('*') => domain.members.push(prefix.to_owned()),
            // A word is no credential, which must not be repeated.
            word if (1..=WORD_BYTES_MAX).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
            {
                return Err(format!(
                    "has `{word}`, which is neither a prefix nor `trusted`; {DOMAIN_REMEDY}"
                ));
            }
            _other => return Err(format!("has a part that does not end in `*`; {DOMAIN_REMEDY}")),
        }
    }
    if domain.name.is_empty() || domain.members.is_empty() {
        return Err(format!("does not say whose the domain is; {DOMAIN_REMEDY}"));
    }
    Ok(domain)
}

/// How a domain is written.
const DOMAIN_REMEDY: &str = "write `NAME=ghs_*,gho_*` for credentials that begin so, or `NAME=all`, and `,trusted` behind \
                             it if none of them is to prove what it may read";

/// Longest word that a fault repeats, in bytes: shorter than any credential.
const WORD_BYTES_MAX: usize = 16;

/// Takes one of the words by which `T` is written.
pub(crate) fn word<T: FromStr<Err = Problem>>(text: &str) -> Result<T, Problem> {
    text.parse()
}

/// Longest name of a host in DNS, in characters (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_binary_and_decimal_units() {
        for (text, bytes) in [("10", 10), ("64MiB", 64 << 20), ("1 GiB", 1 << 30), ("3kB", 3000)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5GiB", "1 parsec", "99999999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_and_sizes_that_cannot_work_are_refused_with_their_range() {
        assert_eq!(origin_timeout("0").unwrap_err(), "is out of range; write 10ms to 3600s");
        assert!(origin_timeout("2h").is_err());
        assert!(lifetime("99999d").is_err());
        assert_eq!(lifetime("0"), Ok(Duration::ZERO));
        assert_eq!(drain("1d"), Ok(Duration::from_secs(86_400)));
        assert!(drain("9999d").is_err());
        assert!(positive_size("0").is_err());
        assert_eq!(positive_size("1"), Ok(1));
    }

    #[test]
    fn a_mode_is_octal_and_leaves_the_daemon_its_socket() {
        for (text, bits) in [("0660", 0o660), ("600", 0o600), ("0o777", 0o777)] {
            assert_eq!(mode(text), Ok(bits), "{text}");
        }
        for text in ["", "0", "066", "0060", "0400", "9999", "1660", "rw-rw----"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_group_is_known_by_its_name_or_its_number() {
        assert_eq!(group("root"), Ok(0));
        assert_eq!(group("4711"), Ok(4711));
        assert!(group("no-such-group-here").unwrap_err().contains("getent group"));
    }

    #[test]
    fn a_host_is_a_name_and_nothing_beside_it() {
        assert_eq!(host("Cache.Internal").as_deref(), Ok("cache.internal"));
        assert_eq!(host("cache.internal.").as_deref(), Ok("cache.internal."));
        for text in ["", ".", "bad host", "cache:8484", "http://cache", "a..b", "-a", "a/b", &"a".repeat(64)]
        {
            assert!(host(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_origin_is_absolute_and_holds_no_credentials() {
        let enterprise = origin("https://ghe.corp/api/v3/").unwrap();
        assert_eq!(enterprise.to_string(), "https://ghe.corp/api/v3");
        for text in ["api.github.com", "ftp://x", "https://u:p@x", "https://x/?q", "/path", ""] {
            assert!(origin(text).is_err(), "{text}");
        }
        assert!(!origin("https://u:hunter2@x").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn a_domain_names_its_members_by_how_they_begin() {
        assert_eq!(domain("ci=all").unwrap().members, ["*"]);
        assert_eq!(domain("ci=ghs_*, gho_*").unwrap().members, ["ghs_*", "gho_*"]);
        for text in ["ci", "=all", "ci=", "ci=ghs_", "ci=ghs_*,", "ci=trusted"] {
            assert!(domain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_is_trusted_where_that_word_stands_behind_its_members() {
        for (text, members) in
            [("ci=all,trusted", &["*"][..]), ("ci=ghs_a*, gho_b* , trusted", &["ghs_a*", "gho_b*"])]
        {
            let domain = domain(text).unwrap();
            assert!(domain.is_trusted && domain.members == members, "{domain:?}");
        }
        assert!(!domain("ci=ghs_*").unwrap().is_trusted);
        for unknown in ["ci=ghs_*,trust", "ci=all,Trusted", "ci=all,proven"] {
            let word = unknown.rsplit(',').next().unwrap();
            let refused = domain(unknown).unwrap_err();
            assert!(refused.contains(&format!("`{word}`")) && refused.contains("`,trusted`"), "{refused}");
        }
        assert!(!domain("ci=ghs_*,0123456789abcdef").unwrap_err().contains("0123"));
    }

    #[test]
    fn a_route_that_cannot_be_read_is_refused_with_an_example() {
        assert!(route("/repos/*/*/issues** = 30s").is_ok());
        assert!(route("/user=never").is_ok());
        assert!(route("user=30").unwrap_err().contains("write it like"));
    }

    #[test]
    fn a_body_that_no_entry_can_hold_is_refused() {
        assert_eq!(body_size("1MiB"), Ok(1 << 20));
        assert!(body_size("1GiB").is_err());
    }

    #[test]
    fn a_secret_matches_itself_alone() {
        let token = secret("open sesame\n").unwrap();
        assert!(token.matches(b"open sesame"));
        for other in [&b"open sesam"[..], b"open sesame\0", b"", b"open sesamE"] {
            assert!(!token.matches(other));
        }
        assert_eq!(format!("{token:?}"), "Secret(..)");
    }
}
