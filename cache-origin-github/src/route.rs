//! Classes of routes: for how long their answers are fresh, and which are never kept.
//!
//! One table from GitHub's documentation and the fleet's experience, in front of which an operator's own
//! rules are put. The first rule whose pattern fits a path counts.

mod pattern;
mod table;

use crate::ConfigError;
use cache_core::Bucket;
use pattern::{Landmarks, Pattern};
use std::{str::FromStr, time::Duration};
use table::{LIFETIMES, NEVER_KEPT};

/// What becomes of answers to one class of routes.
///
/// Read from text such as `GET /repos/*/*/actions/runs* = 60s`. In a pattern `*` stands for any characters
/// but `/`, `**` for any at all, and a `*` that ends the pattern behind other characters of its segment
/// for any at all as well. Behind the lifetime may stand `if-error=24h` and `while-revalidating=10s`; in
/// its place `never`, for what is not to be cached. A bare number is in seconds.
///
/// ```
/// # use {cache_origin_github::RouteRule, std::time::Duration};
/// let rule: RouteRule = "GET /repos/*/*/actions/runs* = 60s".parse()?;
/// assert!(rule.fits("/repos/acme/site/actions/runs/17/jobs"));
/// assert!(!rule.fits("/repos/acme/site/actions/workflows"));
/// assert_eq!(rule.lifetime(), Some(Duration::from_secs(60)));
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RouteRule {
    pattern: Pattern,
    keeping: Keeping,
    by_operator: bool,
}

impl RouteRule {
    /// Whether the rule is for `path`, given from the API's root and without a query.
    pub fn fits(&self, path: &str) -> bool {
        self.pattern.fits(path)
    }

    /// For how long answers are fresh; `None` when they are never kept.
    pub fn lifetime(&self) -> Option<Duration> {
        match self.keeping {
            Keeping::For { lifetime, .. } => Some(lifetime),
            Keeping::Never(_) => None,
        }
    }

    pub(crate) fn keeping(&self) -> Keeping {
        self.keeping
    }

    /// Whether it is an operator's, who may overrule the origin's `no-cache`.
    pub(crate) fn is_by_operator(&self) -> bool {
        self.by_operator
    }

    fn built_in(pattern: &'static str, keeping: Keeping) -> Self {
        Self { pattern: Pattern::new(pattern), keeping, by_operator: false }
    }
}

impl FromStr for RouteRule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |problem| ConfigError::Route { rule: text.into(), problem };
        let (route, terms) = text.split_once('=').ok_or_else(|| bad("it has no `=`"))?;
        let route = route.trim();
        let route = match route.split_once(char::is_whitespace) {
            Some((method, rest)) if method.eq_ignore_ascii_case("GET") => rest.trim(),
            Some(_) => return Err(bad("only GET can have a rule")),
            None => route,
        };
        if !route.starts_with('/') || route.contains(char::is_whitespace) {
            return Err(bad("its pattern does not begin with `/`"));
        }
        let mut terms = terms.split_whitespace();
        let term = terms.next().ok_or_else(|| bad("it has no lifetime"))?;
        let keeping = if term == "never" {
            Keeping::Never(NEVER_BY_OPERATOR)
        } else {
            let lifetime = parse_duration(term).ok_or_else(|| bad("its lifetime is no duration"))?;
            let (mut if_error, mut while_revalidating) = (IF_ERROR_DEFAULT, Duration::ZERO);
            for term in terms.by_ref() {
                let (name, value) = term.split_once('=').ok_or_else(|| bad("a term has no `=`"))?;
                let value = parse_duration(value).ok_or_else(|| bad("a term's value is no duration"))?;
                match name {
                    "if-error" => if_error = value,
                    "while-revalidating" => while_revalidating = value,
                    _other => return Err(bad("a term is neither `if-error` nor `while-revalidating`")),
                }
            }
            Keeping::For { lifetime, if_error, while_revalidating }
        };
        if terms.next().is_some() {
            return Err(bad("`never` stands alone"));
        }
        Ok(Self { pattern: Pattern::new(route), keeping, by_operator: true })
    }
}

/// Whether, and for how long, answers of a route class are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keeping {
    For {
        lifetime: Duration,
        if_error: Duration,
        while_revalidating: Duration,
    },
    /// Never, for the reason named.
    Never(&'static str),
}

impl Keeping {
    fn seconds(lifetime: u64) -> Self {
        Self::lasting(Duration::from_secs(lifetime))
    }

    fn lasting(lifetime: Duration) -> Self {
        Self::For { lifetime, if_error: IF_ERROR_DEFAULT, while_revalidating: Duration::ZERO }
    }
}

/// The rules in the order in which they are tried; the last fits everything.
///
/// ```
/// # use {cache_origin_github::RouteTable, std::time::Duration};
/// let table = RouteTable::default().with_rules(["/repos/*/*/issues** = 5s".parse()?]);
/// assert_eq!(table.rule("/repos/o/r/issues/7").lifetime(), Some(Duration::from_secs(5)));
/// assert_eq!(table.rule("/repos/o/r").lifetime(), Some(Duration::from_secs(300)));
/// assert_eq!(table.rule("/rate_limit").lifetime(), None);
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RouteTable {
    rules: Vec<RouteRule>,
}

impl RouteTable {
    /// Puts `rules` in front of those that are there, in their order.
    #[must_use]
    pub fn with_rules(mut self, rules: impl IntoIterator<Item = RouteRule>) -> Self {
        self.rules.splice(0..0, rules);
        self
    }

    /// Sets the lifetime of everything that no other rule is for.
    ///
    /// The built-in lifetimes that are there to be shorter than the default are cut to it, so that a short
    /// default is short for all that changes; what cannot change and an operator's rules keep theirs.
    #[must_use]
    pub fn with_default_lifetime(mut self, default: Duration) -> Self {
        let built_in = self.rules.iter_mut().filter(|rule| !rule.by_operator);
        for rule in built_in {
            if let Keeping::For { lifetime, .. } = &mut rule.keeping
                && *lifetime < LIFETIME_DEFAULT
            {
                *lifetime = default.min(*lifetime);
            }
        }
        let last = self.rules.last_mut().expect("the table ends in a rule for everything");
        last.keeping = Keeping::lasting(default);
        self
    }

    /// Sets for how long past their lifetime answers stand in for an origin that does not answer, and for how
    /// long they are served while they are renewed. An operator's rules keep theirs.
    #[must_use]
    pub fn with_default_staleness(mut self, if_error: Duration, while_revalidating: Duration) -> Self {
        for rule in self.rules.iter_mut().filter(|rule| !rule.by_operator) {
            if let Keeping::For { lifetime, .. } = rule.keeping {
                rule.keeping = Keeping::For { lifetime, if_error, while_revalidating };
            }
        }
        self
    }

    /// The rule for `path`, given from the API's root and without a query.
    pub fn rule(&self, path: &str) -> &RouteRule {
        self.by_index(self.find(path))
    }

    pub(crate) fn find(&self, path: &str) -> RouteIndex {
        let landmarks = Landmarks::of(path);
        let fits = |rule: &RouteRule| rule.pattern.fits_beside(path, landmarks);
        let index = self.rules.iter().position(fits);
        RouteIndex(index.expect("the last rule fits everything"))
    }

    pub(crate) fn by_index(&self, index: RouteIndex) -> &RouteRule {
        &self.rules[index.0]
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }
}

impl Default for RouteTable {
    fn default() -> Self {
        let never =
            NEVER_KEPT.iter().map(|(pattern, reason)| RouteRule::built_in(pattern, Keeping::Never(reason)));
        let kept = LIFETIMES
            .iter()
            .map(|(pattern, lifetime)| RouteRule::built_in(pattern, Keeping::seconds(*lifetime)));
        Self { rules: never.chain(kept).collect() }
    }
}

/// The place of a rule in its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RouteIndex(pub(crate) usize);

/// Reads `60s`, `5m`, `24h`, `7d`, or a bare number of seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _other => return None,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(unit)?;
    (seconds <= LIFETIME_MAX.as_secs()).then(|| Duration::from_secs(seconds))
}

/// Which allowance of GitHub's a call for `path` draws on.
///
/// ```
/// # use cache_origin_github::{allowance, CORE, SEARCH};
/// assert_eq!(allowance("/repos/o/r"), CORE);
/// assert_eq!(allowance("/search/issues"), SEARCH);
/// ```
pub fn allowance(path: &str) -> Bucket {
    if path.starts_with("/search/code") {
        CODE_SEARCH
    } else if path.starts_with("/search/") {
        SEARCH
    } else if path == "/graphql" {
        GRAPHQL
    } else {
        CORE
    }
}

/// The allowance for everything that has none of its own.
pub const CORE: Bucket = Bucket(0);
/// The allowance for searches: 30 a minute.
pub const SEARCH: Bucket = Bucket(1);
/// The allowance for code searches: 10 a minute.
pub const CODE_SEARCH: Bucket = Bucket(2);
/// The allowance for GraphQL, counted in points.
pub const GRAPHQL: Bucket = Bucket(3);

/// Lifetime of what no rule is for: `CACHE_DEFAULT_TTL` of the specification.
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(300);
/// Longest lifetime that a rule can give. Anything kept for a year is as good as kept for ever.
pub const LIFETIME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Time past its lifetime in which an answer stands in for an origin that does not answer: a working day and
/// the night behind it, so that an outage found in the morning has not emptied the cache.
pub const IF_ERROR_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

const NEVER_BY_OPERATOR: &str = "a rule of the operator";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_follow_the_table() {
        let table = RouteTable::default();
        let blob = format!("/repos/o/r/git/blobs/{}", "a".repeat(40));
        let rows = [
            ("/repos/o/r", Some(300)),
            ("/repos/o/r/actions/runs", Some(60)),
            ("/repos/o/r/actions/runs/1/jobs", Some(60)),
            ("/repos/o/r/actions/runners", Some(30)),
            ("/repos/o/r/commits/main/check-runs", Some(30)),
            ("/repos/o/r/actions/runs/1/logs", None),
            ("/repos/o/r/actions/artifacts/1/zip", None),
            ("/repos/o/r/actions/artifacts/1", Some(300)),
            ("/repos/o/r/actions/runners/registration-token", None),
            ("/rate_limit", None),
            ("/repos/o/r/tarball/main", None),
            (&blob, Some(3600)),
            ("/repos/o/r/git/blobs/short", Some(300)),
            ("/", Some(300)),
            ("", Some(300)),
        ];
        for (path, seconds) in rows {
            assert_eq!(table.rule(path).lifetime(), seconds.map(Duration::from_secs), "{path}");
        }
    }

    #[test]
    fn an_operators_rule_comes_first_and_the_default_last() {
        let rules = ["/rate_limit = 5", "GET /search/** = 30s if-error=1h while-revalidating=10s"];
        let rules = rules.map(|rule| rule.parse::<RouteRule>().unwrap());
        let table = RouteTable::default().with_rules(rules).with_default_lifetime(Duration::from_secs(7));
        assert_eq!(table.rule("/rate_limit").lifetime(), Some(Duration::from_secs(5)));
        assert_eq!(table.rule("/zen").lifetime(), Some(Duration::from_secs(7)));
        assert_eq!(table.rule("/repos/o/r/actions/runs").lifetime(), Some(Duration::from_secs(7)));
        let search = Keeping::For {
            lifetime: Duration::from_secs(30),
            if_error: Duration::from_secs(3600),
            while_revalidating: Duration::from_secs(10),
        };
        assert_eq!(table.rule("/search/code").keeping(), search);
        assert!(table.rule("/search/code").is_by_operator());
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_named_with_its_fault() {
        let rows = [
            ("/x", "no `=`"),
            ("POST /x = 1s", "only GET"),
            ("x = 1s", "begin"),
            ("/x =", "lifetime"),
            ("/x = soon", "duration"),
            ("/x = 1s b", "term"),
            ("/x = 1s b=1", "neither"),
            ("/x = never if-error=1h", "alone"),
            ("/x = 999999999d", "duration"),
        ];
        for (rule, fault) in rows {
            let error = rule.parse::<RouteRule>().unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains(rule), "{rule}: {error}");
        }
    }
}
