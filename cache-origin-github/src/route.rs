//! Classes of routes: for how long their answers are fresh, and which are never kept.
//!
//! One table from GitHub's documentation and the fleet's experience, in front of which an operator's own
//! rules are put. The first rule whose pattern fits a path counts.

mod index;
#[cfg(test)]
mod manual;
mod pattern;
mod table;

use crate::{ConfigError, parse_duration};
use cache_core::Bucket;
use index::Index;
pub(crate) use pattern::Route;
use std::{str::FromStr, time::Duration};
use table::{CREDENTIALS, LIFETIMES, NEVER_KEPT};

/// What becomes of answers to one class of routes.
///
/// Read from text such as `GET /repos/*/*/actions/runs* = 60s`. In a pattern `*` stands for any characters
/// but `/`, `**` for any at all, and a `*` that ends the pattern behind other characters of its segment
/// for any at all as well. A rule for `/repos/*/*` is one for `/repositories/17` too, which is how GitHub links
/// the pages behind the first; so are `/orgs/*` and `/organizations/17`, `/users/*` and `/user/17`.
///
/// The lifetime may be followed by `if-error=24h`, `while-revalidating=10s`, and `unsettled=10s` for answers that say
/// "ask again", such as a run that is queued (default [`UNSETTLED_LIFETIME`]). `never` in its place means not to
/// cache. Durations are written as [`parse_duration`] reads them.
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
    route: Route,
    keeping: Keeping,
    maker: Maker,
}

impl RouteRule {
    /// Whether the rule is for `path`, given from the API's root and without a query.
    pub fn fits(&self, path: &str) -> bool {
        self.route.fits(path)
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

    /// Whether the rule is an operator's, which overrules the origin's `no-cache`.
    pub(crate) fn is_by_operator(&self) -> bool {
        self.maker == Maker::Operator
    }

    /// Whether this rule is for what `earlier` was for, and no answer that says "ask again" is kept longer under the
    /// earlier one than under this.
    pub(crate) fn continues(&self, earlier: &Self) -> bool {
        let is_as_brief = match (earlier.keeping, self.keeping) {
            (Keeping::For { unsettled: earlier, .. }, Keeping::For { unsettled, .. }) => earlier <= unsettled,
            (Keeping::Never(_), _) | (_, Keeping::Never(_)) => true,
        };
        self.route == earlier.route && is_as_brief
    }

    fn new(pattern: &str, keeping: Keeping, maker: Maker) -> Self {
        Self { route: Route::new(pattern), keeping, maker }
    }
}

impl FromStr for RouteRule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |problem: &str| ConfigError::Route { rule: text.into(), problem: problem.into() };
        let duration = |what: &str, text: &str| {
            let parsed = parse_duration(text, Duration::ZERO..=LIFETIME_MAX);
            parsed.map_err(|error| bad(&format!("{what} `{text}` {error}")))
        };
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
        let mut terms = split_terms(terms).into_iter();
        let term = terms.next().ok_or_else(|| bad("it has no lifetime"))?;
        let keeping = if term == "never" {
            Keeping::Never(NEVER_BY_OPERATOR)
        } else {
            let lifetime = duration("its lifetime", &term)?;
            let (mut if_error, mut while_revalidating) = (IF_ERROR_DEFAULT, Duration::ZERO);
            let mut unsettled = UNSETTLED_LIFETIME;
            for term in terms.by_ref() {
                let (name, value) = term.split_once('=').ok_or_else(|| bad("a term has no `=`"))?;
                let value = duration(name, value)?;
                match name {
                    "if-error" => if_error = value,
                    "unsettled" => unsettled = value,
                    "while-revalidating" => while_revalidating = value,
                    _other => {
                        return Err(bad(
                            "a term is not one of `if-error`, `unsettled`, `while-revalidating`",
                        ));
                    }
                }
            }
            Keeping::For { lifetime, if_error, unsettled, while_revalidating }
        };
        if terms.next().is_some() {
            return Err(bad("`never` stands alone"));
        }
        Ok(Self::new(route, keeping, Maker::Operator))
    }
}

/// The lifetime, and the terms behind it: each begins with a name and `=`, and a duration may have spaces in it.
fn split_terms(text: &str) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match terms.last_mut() {
            Some(last) if !word.contains('=') => {
                last.push(' ');
                last.push_str(word);
            }
            _first_or_named => terms.push(word.to_owned()),
        }
    }
    terms
}

/// Whether, and for how long, answers of a route class are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keeping {
    For {
        lifetime: Duration,
        if_error: Duration,
        /// The lifetime of an answer that says "ask again".
        unsettled: Duration,
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
        Self::For {
            lifetime,
            if_error: IF_ERROR_DEFAULT,
            unsettled: UNSETTLED_LIFETIME,
            while_revalidating: Duration::ZERO,
        }
    }
}

/// The source of a rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Maker {
    /// This crate, and no other rule overrules it.
    Law,
    /// We, as a default.
    Default,
    /// The operator, by a setting.
    Operator,
}

/// The rules in the order in which they are tried; the last fits everything.
///
/// What holds credentials comes before an operator's rules and is never kept, whatever they say.
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
    index: Index,
}

impl RouteTable {
    fn new(rules: Vec<RouteRule>) -> Self {
        let patterns = rules.iter().map(|rule| rule.route.patterns());
        Self { index: Index::of(patterns), rules }
    }

    /// Puts `rules` in front of those that are there, in their order.
    #[must_use]
    pub fn with_rules(mut self, rules: impl IntoIterator<Item = RouteRule>) -> Self {
        let laws = self.rules.iter().take_while(|rule| rule.maker == Maker::Law).count();
        self.rules.splice(laws..laws, rules);
        Self::new(self.rules)
    }

    /// Sets the lifetime of everything that no other rule is for.
    ///
    /// The built-in lifetimes that are there to be shorter than the default are cut to it, so that a short
    /// default is short for all that changes; what cannot change and an operator's rules keep theirs.
    #[must_use]
    pub fn with_default_lifetime(mut self, default: Duration) -> Self {
        let built_in = self.rules.iter_mut().filter(|rule| rule.maker != Maker::Operator);
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

    /// Sets for how long past their lifetime answers stand in for an origin that does not answer, and for how long
    /// they are served while they are renewed, where that is given. An operator's rules keep theirs.
    #[must_use]
    pub fn with_default_staleness(
        mut self,
        for_error: impl Into<Option<Duration>>,
        for_renewal: impl Into<Option<Duration>>,
    ) -> Self {
        let (for_error, for_renewal) = (for_error.into(), for_renewal.into());
        for rule in self.rules.iter_mut().filter(|rule| rule.maker != Maker::Operator) {
            if let Keeping::For { if_error, while_revalidating, .. } = &mut rule.keeping {
                *if_error = for_error.unwrap_or(*if_error);
                *while_revalidating = for_renewal.unwrap_or(*while_revalidating);
            }
        }
        self
    }

    /// The rule for `path`, given from the API's root and without a query.
    pub fn rule(&self, path: &str) -> &RouteRule {
        self.by_index(self.find(path))
    }

    pub(crate) fn find(&self, path: &str) -> RouteIndex {
        let fits = |rule: usize, pattern: usize| self.rules[rule].route.patterns()[pattern].fits(path);
        RouteIndex(self.index.find(path, fits).expect("the last rule fits everything"))
    }

    pub(crate) fn by_index(&self, index: RouteIndex) -> &RouteRule {
        &self.rules[index.0]
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The operator's rules, in the order in which they are tried.
    pub(crate) fn by_operator(&self) -> &[RouteRule] {
        let of_others = |rule: &RouteRule| rule.maker != Maker::Operator;
        let begin = self.rules.iter().take_while(|rule| of_others(rule)).count();
        let rest = &self.rules[begin..];
        &rest[..rest.iter().position(of_others).unwrap_or(rest.len())]
    }

    /// Whether both tables hold the same rules in the same order.
    pub(crate) fn has_the_rules_of(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Default for RouteTable {
    fn default() -> Self {
        let never = |(pattern, reason): &(&'static str, &'static str), maker| {
            RouteRule::new(pattern, Keeping::Never(reason), maker)
        };
        let laws = CREDENTIALS.iter().map(|row| never(row, Maker::Law));
        let never = NEVER_KEPT.iter().map(|row| never(row, Maker::Default));
        let kept = LIFETIMES
            .iter()
            .map(|(pattern, lifetime)| RouteRule::new(pattern, Keeping::seconds(*lifetime), Maker::Default));
        Self::new(laws.chain(never).chain(kept).collect())
    }
}

/// The place of a rule in its table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RouteIndex(pub(crate) usize);

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

/// What GitHub calls the allowance.
///
/// ```
/// # use cache_origin_github::{resource_name, SEARCH};
/// assert_eq!(resource_name(SEARCH), "search");
/// ```
pub fn resource_name(bucket: Bucket) -> &'static str {
    match bucket {
        SEARCH => "search",
        CODE_SEARCH => "code_search",
        GRAPHQL => "graphql",
        _core_and_what_others_may_add => "core",
    }
}

/// The allowance that GitHub calls `resource`; `None` for one that no call is planned for.
pub(crate) fn bucket_named(resource: &str) -> Option<Bucket> {
    [CORE, SEARCH, CODE_SEARCH, GRAPHQL].into_iter().find(|bucket| resource_name(*bucket) == resource)
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

/// Lifetime of an answer that says "ask again": less than the time between two looks of a client that waits for its
/// end (`gh run watch` 3 s, most others 5 s and more), and enough for a fleet that asks at once to share it.
pub const UNSETTLED_LIFETIME: Duration = Duration::from_secs(2);

const NEVER_BY_OPERATOR: &str = "a rule of the operator";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn a_ref_with_slashes_has_its_routes_lifetime_by_name_and_by_number() {
        let table = RouteTable::default();
        for root in ["/repos/o/r", "/repositories/17"] {
            for name in ["main", "renovate/all-minor", "heads/feature/a/b", "renovate%2Fall-minor"] {
                for tail in ["check-runs", "check-suites", "status", "statuses"] {
                    let path = format!("{root}/commits/{name}/{tail}");
                    assert_eq!(table.rule(&path).lifetime(), Some(Duration::from_secs(30)), "{path}");
                }
                let path = format!("{root}/statuses/{name}");
                assert_eq!(table.rule(&path).lifetime(), Some(Duration::from_secs(30)), "{path}");
                // A file may be called like a route.
                for tail in ["status", "events", "registration-token", "logs"] {
                    let path = format!("{root}/contents/{name}/{tail}");
                    assert_eq!(table.rule(&path).lifetime(), Some(Duration::from_secs(300)), "{path}");
                }
            }
        }
    }

    #[test]
    fn what_holds_a_credential_is_never_kept_by_any_name_or_rule() {
        let rules = ["/** = 60s", "/repos/*/*/secret-scanning/alerts = 60s", "/feeds = 60s"];
        let table = RouteTable::default().with_rules(rules.map(|rule| rule.parse().unwrap()));
        for path in [
            "/feeds",
            "/orgs/acme/actions/runners/downloads",
            "/organizations/17/actions/runners/downloads",
            "/repos/o/r/actions/runners/downloads",
            "/repositories/17/actions/runners/downloads",
            "/repositories/17/secret-scanning/alerts",
            "/repos/o/r/secret-scanning/alerts/1/locations",
            "/enterprises/e/secret-scanning/alerts",
            "/repos/o/r/hooks/1/deliveries/2",
            "/repos/o/r/attestations/sha256:abc",
        ] {
            assert_eq!(table.rule(path).lifetime(), None, "{path}");
        }
        assert_eq!(table.rule("/rate_limit").lifetime(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn a_rule_by_name_holds_by_number_and_whatever_the_capitals() {
        let rules = ["/repos/*/*/issues** = 5s", "/orgs/*/teams = 6s", "/repos/Acme/Site/pulls = 7s"];
        let table = RouteTable::default().with_rules(rules.map(|rule| rule.parse().unwrap()));
        let seconds = |path| table.rule(path).lifetime().unwrap().as_secs();
        assert_eq!(seconds("/repositories/17/issues/1"), 5);
        assert_eq!(seconds("/organizations/17/teams"), 6);
        assert_eq!(seconds("/repos/acme/site/pulls"), 7);
        assert_eq!(seconds("/repositories/17/pulls"), 300);
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
            unsettled: UNSETTLED_LIFETIME,
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
            ("/x = 1s b", "`1s b` is not a duration"),
            ("/x = 1s b=1", "not one of"),
            ("/x = never if-error=1h", "alone"),
            ("/x = 1s if-error=soon", "if-error `soon` is not a duration"),
            ("/x = 999999999d", "its lifetime `999999999d` is out of range"),
        ];
        for (rule, fault) in rows {
            let error = rule.parse::<RouteRule>().unwrap_err().to_string();
            assert!(error.contains(fault) && error.contains(rule), "{rule}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_what_trying_every_rule_finds(
            root in "repos|repositories|orgs|organizations|user|users|notifications|feeds|x|",
            rest in prop::collection::vec("actions|runs|[0-9]{1,3}|commits|status|git|blobs|[a-f0-9]{40}|o|", 0..7),
        ) {
            let rules = ["/re** = 1s", "/orgs/**/runs = 2s", "/**/status = 3s", "/users/*/actions* = 4s"];
            let table = RouteTable::default().with_rules(rules.map(|rule| rule.parse().unwrap()));
            let path = std::iter::once(root).chain(rest).fold(String::new(), |path, segment| format!("{path}/{segment}"));
            let by_trying = table.rules.iter().position(|rule| rule.fits(&path));
            prop_assert_eq!(Some(table.find(&path).0), by_trying, "{}", path);
        }
    }
}
