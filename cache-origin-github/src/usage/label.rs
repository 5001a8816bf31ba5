//! What a client is called: by itself, by its agent, or by its program.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::fmt;

/// The field in which a client says by which name its requests are counted. The origin never sees it.
pub const CLIENT_FIELD: HeaderName = HeaderName::from_static("x-fleet-client");

/// What a client is called where its requests are counted: 1 to [`CLIENT_BYTES_MAX`] printable ASCII characters.
///
/// A label looks like no credential: what contains one of GitHub's prefixes for tokens, or a run of letters and digits
/// that is as long as a token, is none.
///
/// ```
/// # use cache_origin_github::ClientLabel;
/// assert_eq!(ClientLabel::new("nightly build").unwrap().as_str(), "nightly build");
/// assert_eq!(ClientLabel::new("my ghp_0123"), None);
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClientLabel(HeaderValue);

impl ClientLabel {
    /// `text` as a label, if it can be one.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let is_printable = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        // What is in parentheses is said by the cache itself, such as the row for all others.
        let fits = (1..=CLIENT_BYTES_MAX).contains(&text.len()) && !text.starts_with('(');
        let is_label = fits && is_printable && !looks_secret(text);
        HeaderValue::from_str(text).ok().filter(|_| is_label).map(Self)
    }

    /// The label that the fields of a request give: its `X-Fleet-Client`, else the agent or the program that its
    /// `User-Agent` names.
    ///
    /// ```
    /// # use {cache_origin_github::ClientLabel, http::HeaderMap};
    /// let mut headers = HeaderMap::new();
    /// headers.insert("user-agent", "octokit-core.js/7.0.2 Node.js/22".parse().unwrap());
    /// assert_eq!(ClientLabel::told_by(&headers).unwrap().as_str(), "octokit-core.js");
    /// headers.insert("user-agent", "GitHub CLI 2.83.0 Agent/claude-code".parse().unwrap());
    /// assert_eq!(ClientLabel::told_by(&headers).unwrap().as_str(), "claude-code");
    /// headers.insert("x-fleet-client", "triage".parse().unwrap());
    /// assert_eq!(ClientLabel::told_by(&headers).unwrap().as_str(), "triage");
    /// ```
    pub fn told_by(headers: &HeaderMap) -> Option<Self> {
        let agent = || headers.get(header::USER_AGENT)?.to_str().ok();
        Self::named_by(headers).or_else(|| Self::of_agent(agent()?))
    }

    /// The label that the client gives itself: its `X-Fleet-Client`, if that can be one.
    pub fn named_by(headers: &HeaderMap) -> Option<Self> {
        Self::new(headers.get(&CLIENT_FIELD)?.to_str().ok()?)
    }

    /// What a `User-Agent` names: the agent for which `gh` runs, as `Agent/NAME`, else the program.
    fn of_agent(user_agent: &str) -> Option<Self> {
        let agent = user_agent.split_ascii_whitespace().find_map(|word| word.strip_prefix("Agent/"));
        agent.and_then(Self::new).or_else(|| Self::new(&program(user_agent)))
    }

    /// The label of requests of which nothing is known.
    pub fn unknown() -> Self {
        Self(HeaderValue::from_static("unknown"))
    }

    /// The label of what a node asks by itself.
    pub(crate) fn of_node() -> Self {
        Self(HeaderValue::from_static("fleet-cache"))
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("a label is printable ASCII")
    }

    /// The label as the value of [`CLIENT_FIELD`].
    pub fn as_value(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Display for ClientLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of the first product in a `User-Agent`, without its version: `GitHub CLI` of `GitHub CLI 2.23.0`.
fn program(user_agent: &str) -> String {
    let mut name = String::new();
    for word in user_agent.split_ascii_whitespace() {
        if word.starts_with(|first: char| first == '(' || first.is_ascii_digit()) {
            break;
        }
        let (product, version) =
            word.split_once('/').map_or((word, None), |(name, version)| (name, Some(version)));
        if !name.is_empty() {
            name.push(' ');
        }
        name.push_str(product);
        if version.is_some() || name.len() > CLIENT_BYTES_MAX {
            break;
        }
    }
    name.truncate(name.floor_char_boundary(CLIENT_BYTES_MAX));
    name
}

pub(super) fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_long = |run: &str| run.len() >= SECRET_RUN_BYTES_MIN;
    TOKEN_PREFIXES.iter().any(|prefix| lower.contains(prefix))
        || lower.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_long)
}

/// Longest label, in bytes.
pub const CLIENT_BYTES_MAX: usize = 64;
/// How GitHub's tokens begin.
const TOKEN_PREFIXES: [&str; 6] = ["ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_"];
/// A run of letters and digits as long as this may be a token: those of GitHub without a prefix have 40.
const SECRET_RUN_BYTES_MIN: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fields: &[(&'static str, &'static str)]) -> Option<String> {
        let fields = fields.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        });
        ClientLabel::told_by(&fields.collect()).map(|label| label.as_str().to_owned())
    }

    #[test]
    fn a_client_is_called_as_it_says_else_by_its_agent_else_by_its_program() {
        let rows = [
            ("GitHub CLI 2.23.0", Some("GitHub CLI")),
            ("GitHub CLI 2.83.0 Agent/codex", Some("codex")),
            ("curl/7.88.1", Some("curl")),
            ("Mozilla/5.0 (X11; Linux x86_64)", Some("Mozilla")),
            ("PyGithub/Python", Some("PyGithub")),
            ("my bot (+https://bot.example)", Some("my bot")),
            ("Agent/ curl/8", Some("Agent")),
            ("Agent/ghp_abc curl/8", Some("Agent")),
            ("ghs_abc/1", None),
            ("", None),
            ("b\u{f6}t/1", None),
        ];
        for (agent, expected) in rows {
            assert_eq!(told(&[("user-agent", agent)]).as_deref(), expected, "{agent}");
        }
        let both = [("x-fleet-client", "ci"), ("user-agent", "curl/8")];
        assert_eq!(told(&both).as_deref(), Some("ci"));
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn what_looks_like_a_token_is_no_label_and_the_next_name_counts() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        for secret in ["ghp_a", "x GHO_a", "ghs_a", "ghu_a", "ghr_a", "a-github_pat_b", hex] {
            assert_eq!(ClientLabel::new(secret), None, "{secret}");
            assert_eq!(
                told(&[("x-fleet-client", secret), ("user-agent", "curl/8")]).as_deref(),
                Some("curl")
            );
        }
    }

    #[test]
    fn a_label_is_short_and_safe_to_print() {
        let longest = ["ab-"; 21].concat() + "x";
        assert_eq!((longest.len(), ClientLabel::new(&longest).is_some()), (CLIENT_BYTES_MAX, true));
        for bad in [&(longest + "y"), "", "  ", "a\u{1b}[2J", "a\nb", "t\u{e9}st", "(other)"] {
            assert_eq!(ClientLabel::new(bad), None, "{bad:?}");
        }
        let long = "word ".repeat(40);
        assert!(ClientLabel::of_agent(&long).unwrap().as_str().len() <= CLIENT_BYTES_MAX);
    }
}
