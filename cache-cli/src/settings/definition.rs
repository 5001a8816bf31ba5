//! The one table of settings: every name that a user meets, with its default.
//!
//! Flags, environment variables, keys of the file and the output of `config` are all made from it, so
//! that none of them can know a setting which another does not.

/// One setting under all its names.
pub(crate) struct Definition {
    /// The key in the file; the flag is the same behind two dashes unless [`Shape`] says otherwise.
    pub(crate) name: &'static str,
    /// How many values it takes and what they look like.
    pub(crate) shape: Shape,
    /// The environment variables that set it, the strongest first.
    pub(crate) variables: &'static [&'static str],
    /// The value if no source sets one, written as a user would write it.
    pub(crate) default: Option<&'static str>,
    /// Whether its value may be shown.
    pub(crate) shown: Shown,
    /// When a change of it takes effect.
    pub(crate) change: Change,
    /// What it does, for `--help`.
    pub(crate) help: &'static str,
}

/// How many values a setting takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shape {
    /// True or false; the flag `--NAME` makes it true.
    Enabled,
    /// True or false; this flag makes it false.
    Disabled(&'static str),
    /// Any number of values of this form; the flag may be repeated.
    Many(&'static str),
    /// One value of this form.
    One(&'static str),
}

/// Whether a value may appear in what is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shown {
    /// Only that it is set.
    Redacted,
    /// The value may be shown as it is.
    Whole,
}

/// When a daemon that runs takes a change over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    /// A change takes effect at SIGHUP.
    AtHangup,
    /// When it is started again.
    AtStart,
}

impl Definition {
    /// The flag of `serve` that sets it, without the dashes.
    pub(crate) const fn flag(&self) -> &'static str {
        match self.shape {
            Shape::Disabled(flag) => flag,
            Shape::Enabled | Shape::Many(_) | Shape::One(_) => self.name,
        }
    }

    const fn one(name: &'static str, form: &'static str, help: &'static str) -> Self {
        Self {
            name,
            shape: Shape::One(form),
            variables: &[],
            default: None,
            shown: Shown::Whole,
            change: Change::AtStart,
            help,
        }
    }

    const fn many(name: &'static str, form: &'static str, help: &'static str) -> Self {
        Self { shape: Shape::Many(form), ..Self::one(name, form, help) }
    }

    const fn of_shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    const fn default(self, text: &'static str) -> Self {
        Self { default: Some(text), ..self }
    }

    const fn variables(self, variables: &'static [&'static str]) -> Self {
        Self { variables, ..self }
    }

    const fn at_hangup(self) -> Self {
        Self { change: Change::AtHangup, ..self }
    }

    const fn redacted(self) -> Self {
        Self { shown: Shown::Redacted, ..self }
    }
}

/// The setting with this name.
///
/// # Panics
///
/// If there is none: only names that are written in this crate are looked up.
pub(crate) fn definition(name: &str) -> &'static Definition {
    DEFINITIONS
        .iter()
        .find(|definition| definition.name == name)
        .expect("only names from the table are asked for")
}

/// Every setting, in the order in which `--help` and `config` list them.
pub(crate) const DEFINITIONS: &[Definition] = &[
    Definition::one("listen", "ADDR:PORT", "Where to listen for HTTP over TCP; `none` for nowhere")
        .variables(&["CACHE_LISTEN"])
        .default("127.0.0.1:8484"),
    Definition::one("unix", "PATH", "Where to listen for HTTP on a unix socket, as `gh` uses it")
        .variables(&["CACHE_UNIX"]),
    Definition::one(
        "unix-mode",
        "MODE",
        "Permissions of that socket, in octal; by default 0600, or 0660 if a group is given",
    )
    .variables(&["CACHE_UNIX_MODE"]),
    Definition::one("unix-group", "GROUP", "The group that the socket belongs to, by name or number")
        .variables(&["CACHE_UNIX_GROUP"]),
    Definition::one(
        "profile",
        "RULES",
        "By which rules answers are kept: `github`, for its API, or `rfc9111`, for any HTTP origin",
    )
    .variables(&["CACHE_PROFILE"])
    .default("github"),
    Definition::one("origin", "URL", "The API to cache; for Enterprise Server its /api/v3 address")
        .variables(&["GITHUB_API_URL"])
        .default("https://api.github.com"),
    Definition::one(
        "origin-timeout",
        "SECONDS",
        "How long the origin may take to begin an answer, or to go on with it",
    )
    .variables(&["CACHE_ORIGIN_TIMEOUT"])
    .default("15"),
    Definition::one("ca-file", "FILE", "Certificates to trust in addition to the public ones, in a PEM file")
        .variables(&["CACHE_CA_FILE"]),
    Definition::one(
        "proxy",
        "URL",
        "A proxy through which to reach the origin, by CONNECT; `none` for no proxy. It may hold a password",
    )
    .variables(&["CACHE_PROXY", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
    .redacted(),
    Definition::one(
        "no-proxy",
        "HOSTS",
        "Hosts to reach without the proxy: names, addresses and networks, with commas",
    )
    .variables(&["CACHE_NO_PROXY", "NO_PROXY", "no_proxy"]),
    Definition::many(
        "upstream",
        "HOST=URL",
        "Where to send requests on the unix socket for a host other than the API; GitHub's own hosts are known",
    )
    .variables(&["CACHE_UPSTREAM"]),
    Definition::one(
        "intercept",
        "",
        "Be a proxy for HTTPS_PROXY on --listen: end the TLS of the API's hosts with certificates of this installation's own, \
         and tunnel to all others; `fleet-cache run` starts commands that trust them",
    )
    .of_shape(Shape::Enabled)
    .variables(&["CACHE_INTERCEPT"])
    .default("false"),
    Definition::many(
        "intercept-host",
        "HOST",
        "One of GitHub's other hosts, or of --upstream, to intercept besides the API; its requests pass the cache by",
    )
    .variables(&["CACHE_INTERCEPT_HOST"]),
    Definition::many("tunnel-port", "PORT", "A port besides 443 to which tunnels may lead")
        .variables(&["CACHE_TUNNEL_PORT"]),
    Definition::one(
        "tunnel-private",
        "",
        "Permit tunnels to loopback, private and metadata addresses: all clients then reach what this machine reaches",
    )
    .of_shape(Shape::Enabled)
    .variables(&["CACHE_TUNNEL_PRIVATE"])
    .default("false"),
    Definition::one("cache-dir", "DIR", "Where entries, the lock and the admin socket are kept")
        .variables(&["CACHE_DIR", "IPFS_ACCELERATE_CACHE_DIR"]),
    Definition::one("default-ttl", "SECONDS", "How long an answer is fresh unless its route says otherwise")
        .variables(&["CACHE_DEFAULT_TTL", "CACHE_TTL"])
        .default("300")
    .at_hangup(),
    Definition::one(
        "stale-if-error",
        "TIME",
        "How long after its lifetime an answer stands in while the origin fails",
    )
    .variables(&["CACHE_STALE_IF_ERROR"])
    .default("24h")
    .at_hangup(),
    Definition::one(
        "stale-while-revalidate",
        "TIME",
        "How long after its lifetime an answer is served while it is renewed",
    )
    .variables(&["CACHE_STALE_WHILE_REVALIDATE"])
    .default("0")
    .at_hangup(),
    Definition::one(
        "max-stale",
        "TIME",
        "How long after its lifetime, within stale-if-error, a request with `max-stale` gets an answer",
    )
    .variables(&["CACHE_MAX_STALE"])
    .default("300s")
    .at_hangup(),
    Definition::one(
        "settle",
        "TIME",
        "How long after a write GitHub is asked about what it touched before each use; 0 for not at all",
    )
    .variables(&["CACHE_SETTLE"])
    .default("5s")
    .at_hangup(),
    Definition::many(
        "route",
        "PATTERN=TIME",
        "Freshness by path, such as `/repos/*/*/issues**=30s`; `never` for not at all",
    )
    .variables(&["CACHE_ROUTES"])
    .at_hangup(),
    Definition::many(
        "priority",
        "PATTERN=CLASS",
        "How much requests matter, `batch`, `normal` or `critical`: by client, such as `client:renovate*=batch`, else by path, such \
         as `/repos/*/*/actions/**=critical`; a request's own `X-Fleet-Priority` comes first",
    )
    .variables(&["CACHE_PRIORITY"])
    .at_hangup(),
    Definition::many(
        "reserve",
        "CLASS=SHARE",
        "What is kept of each allowance from requests of a class, such as `batch=20%`; give all nodes the same",
    )
    .variables(&["CACHE_RESERVE"]),
    Definition::one(
        "writes-per-minute",
        "NUMBER",
        "Most writes in a minute for one credential, over the fleet, as GitHub bears them; `off` for any number; give all nodes \
         the same",
    )
    .variables(&["CACHE_WRITES_PER_MINUTE"])
    .default("80")
    .at_hangup(),
    Definition::one("writes-per-hour", "NUMBER", "The same for an hour")
        .variables(&["CACHE_WRITES_PER_HOUR"])
        .default("500")
        .at_hangup(),
    Definition::one("write-wait", "TIME", "How long a write beyond those waits for its turn before it is refused")
        .variables(&["CACHE_WRITE_WAIT"])
        .default("30s")
        .at_hangup(),
    Definition::many(
        "graphql",
        "RULE=TIME",
        "Freshness of answers to GraphQL queries by what they show, such as `checks=5s`; `never` for not at all; see docs/graphql.md",
    )
    .variables(&["CACHE_GRAPHQL"])
    .at_hangup(),
    Definition::one("no-graphql", "", "Keep no answers to GraphQL queries: all of GraphQL passes the cache by")
        .of_shape(Shape::Enabled)
        .variables(&["CACHE_NO_GRAPHQL"])
        .default("false")
    .at_hangup(),
    Definition::many(
        "forward-header",
        "NAME",
        "A client header that is sent to the origin on cached reads too, as part of the key",
    )
    .variables(&["CACHE_FORWARD_HEADERS"])
    .at_hangup(),
    Definition::one("respect-max-age", "", "Let the origin's max-age shorten freshness")
        .of_shape(Shape::Enabled)
        .variables(&["CACHE_RESPECT_MAX_AGE"])
        .default("false")
    .at_hangup(),
    Definition::many(
        "domain",
        "NAME=PREFIX*",
        "Credentials that share entries, by how they begin, each once GitHub has confirmed it; `NAME=all` for all; `NAME=PREFIX*,trusted` without asking GitHub",
    )
    .variables(&["CACHE_DOMAINS"])
    .at_hangup(),
    Definition::one(
        "anonymous-as",
        "FILE",
        "A file with a token that reads nothing private and asks for clients that send none; checked at the start",
    )
    .variables(&["CACHE_ANONYMOUS_AS"])
    .at_hangup(),
    Definition::one("max-entries", "NUMBER", "Most entries in memory")
        .variables(&["CACHE_MAX_ENTRIES"])
        .default("1000"),
    Definition::one("max-bytes", "SIZE", "Most bytes of entries in memory")
        .variables(&["CACHE_MAX_BYTES"])
        .default("64MiB"),
    Definition::one("disk-entries", "NUMBER", "Most entries on disk")
        .variables(&["CACHE_DISK_ENTRIES"])
        .default("20000"),
    Definition::one(
        "disk-bytes",
        "SIZE",
        "Size of the file on disk, which may become half as large again; at least 8MiB",
    )
    .variables(&["CACHE_DISK_BYTES"])
    .default("512MiB"),
    Definition::one("durability", "WHEN", "When an entry must survive a crash: `eventual` or `immediate`")
        .variables(&["CACHE_DURABILITY"])
        .default("eventual"),
    Definition::one("body-max", "SIZE", "Largest body that is kept; longer ones stream past the cache")
        .variables(&["CACHE_BODY_MAX"])
        .default("8MiB")
    .at_hangup(),
    Definition::one("pretty-print", "", "Lay JSON out for curl and browsers, as GitHub does")
        .of_shape(Shape::Enabled)
        .variables(&["CACHE_PRETTY_PRINT"])
        .default("false")
    .at_hangup(),
    Definition::one("max-connections", "NUMBER", "Most client connections at once; the one that has been idle longest gives way to one more")
        .variables(&["CACHE_MAX_CONNECTIONS"])
        .default("1024"),
    Definition::one("drain", "SECONDS", "How long requests in progress may take to end after SIGTERM")
        .variables(&["CACHE_DRAIN"])
        .default("10"),
    Definition::many(
        "host",
        "NAME",
        "A host name by which clients reach the TCP door, in addition to IP addresses and localhost",
    )
    .variables(&["CACHE_HOSTS"]),
    Definition::many(
        "allow-web-origin",
        "ORIGIN",
        "A web page that may use the TCP door, by its origin, such as `https://ci.example`; others are refused",
    )
    .variables(&["CACHE_ALLOW_WEB_ORIGIN"]),
    Definition::one(
        "metrics-listen",
        "ADDR:PORT",
        "Where to answer /healthz, /readyz and Prometheus's /metrics; `none` for nowhere",
    )
    .variables(&["CACHE_METRICS_LISTEN"])
    .default("none"),
    Definition::one(
        "webhook-listen",
        "ADDR:PORT",
        "Where GitHub delivers webhooks, by POST /webhook; needs webhook-secret-file; `none` for nowhere",
    )
    .variables(&["CACHE_WEBHOOK_LISTEN"]),
    Definition::one(
        "webhook-secret-file",
        "FILE",
        "A file that holds the secret of the webhook at GitHub, of 16 characters at least",
    )
    .variables(&["CACHE_WEBHOOK_SECRET_FILE"]),
    Definition::many(
        "pushed",
        "PATTERN=TIME",
        "Freshness by path, as with route, of what webhooks tell the changes of; needs webhook-listen",
    )
    .variables(&["CACHE_PUSHED"])
    .at_hangup(),
    Definition::one(
        "dashboard",
        "ADDR:PORT",
        "Where people see quotas, clients and members on a page, such as 127.0.0.1:8486; `none` for nowhere",
    )
    .variables(&["CACHE_DASHBOARD"])
    .default("none"),
    Definition::one(
        "allow-remote",
        "",
        "Permit addresses that other machines reach; --listen on one needs a client token as well",
    )
    .of_shape(Shape::Enabled)
    .variables(&["CACHE_ALLOW_REMOTE"])
    .default("false"),
    Definition::one(
        "client-token",
        "TOKEN",
        "What TCP clients must present; other users can read flags, so prefer the file",
    )
    .variables(&["CACHE_CLIENT_TOKEN"])
    .at_hangup()
    .redacted(),
    Definition::one("client-token-file", "FILE", "A file that holds the client token")
        .variables(&["CACHE_CLIENT_TOKEN_FILE"])
        .at_hangup(),
    Definition::one("p2p", "", "Do not talk to other nodes")
        .of_shape(Shape::Disabled("no-p2p"))
        .variables(&["CACHE_ENABLE_P2P"])
        .default("true"),
    Definition::one("p2p-port", "PORT", "The port on which to listen for other nodes, on every address")
        .variables(&["CACHE_LISTEN_PORT", "P2P_LISTEN_PORT"])
        .default("9100"),
    Definition::many(
        "p2p-listen",
        "MULTIADDR",
        "Where to listen for other nodes, instead of the addresses that the port gives",
    )
    .variables(&["CACHE_P2P_LISTEN"]),
    Definition::many(
        "p2p-advertise",
        "MULTIADDR",
        "Where other nodes reach this one, when that is not where it listens: a published port, for example",
    )
    .variables(&["CACHE_P2P_ADVERTISE"]),
    Definition::one(
        "max-peers",
        "NUMBER",
        "Most other nodes to connect with, from 4 to 4096; they lead to the others of a larger fleet",
    )
    .variables(&["CACHE_MAX_PEERS"])
    .default("256"),
    Definition::one(
        "guest",
        "WHEN",
        "Whether this node takes part as a guest, through one or two members: `never`, `always`, or `auto`, for its first two minutes in a fleet of 32 members or more",
    )
    .variables(&["CACHE_GUEST"])
    .default("never"),
    Definition::many(
        "bootstrap",
        "MULTIADDR",
        "Nodes to contact first, as `fleet-cache id` prints them, or without /p2p/ and the id; at most 10",
    )
    .variables(&["CACHE_BOOTSTRAP_PEERS", "BOOTSTRAP_PEERS", "P2P_BOOTSTRAP_PEERS"]),
    Definition::many(
        "discover",
        "WAY",
        "How to find other nodes while this one runs: `dns:NAME[:PORT]` (addresses, or SRV if the name begins with `_`), \
         `file:PATH` (an address on each line), `mdns` (the local network); at most 16",
    )
    .variables(&["CACHE_DISCOVER"]),
    Definition::one("transport", "NAME", "How nodes talk to one another: `libp2p` or `quic`")
        .variables(&["CACHE_TRANSPORT"])
        .default("libp2p"),
    Definition::one(
        "shared-secret",
        "SECRET",
        "The secret that the nodes of a fleet share; other users can read flags, so prefer the file",
    )
    .variables(&["CACHE_P2P_SHARED_SECRET"])
    .at_hangup()
    .redacted(),
    Definition::one("shared-secret-file", "FILE", "A file that holds the shared secret")
        .variables(&["CACHE_P2P_SHARED_SECRET_FILE"])
        .at_hangup(),
    Definition::many(
        "accept-secret",
        "SECRET",
        "An older or newer secret with which nodes are let in too, while the fleet changes its secret",
    )
    .variables(&["CACHE_P2P_ACCEPTED_SECRETS"])
    .at_hangup()
    .redacted(),
    Definition::many("accept-secret-file", "FILE", "A file that holds a secret to accept")
        .variables(&["CACHE_P2P_ACCEPTED_SECRET_FILES"])
        .at_hangup(),
    Definition::one(
        "unix-client",
        "NAMING",
        "What tells clients of the unix socket apart in `top`: `user`, where requests name nothing, or `cgroup` (service, \
         container, job), whatever their User-Agent names",
    )
    .variables(&["CACHE_UNIX_CLIENT"])
    .default("user"),
    Definition::one(
        "access-log",
        "FILE",
        "Where to write a line of JSON for each request, without queries and credentials; `-` for standard output",
    )
    .variables(&["CACHE_ACCESS_LOG"]),
    Definition::one("log", "LEVEL", "What to log: error, warn, info, debug, trace, or a tracing filter")
        .variables(&["CACHE_LOG"])
        .default("info")
    .at_hangup(),
    Definition::one("log-format", "FORMAT", "How to log: `text` or `json`")
        .variables(&["CACHE_LOG_FORMAT"])
        .default("text"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_and_no_variable_is_used_twice() {
        let mut seen = BTreeSet::new();
        for definition in DEFINITIONS {
            assert!(seen.insert(definition.flag()), "{}", definition.name);
            for variable in definition.variables {
                assert!(seen.insert(variable), "{variable}");
            }
        }
    }

    #[test]
    fn what_grants_access_is_never_shown() {
        for definition in DEFINITIONS {
            let grants = definition.name == "proxy"
                || definition.name.ends_with("secret")
                || definition.name.ends_with("token");
            assert_eq!(grants, definition.shown == Shown::Redacted, "{}", definition.name);
        }
    }
}
