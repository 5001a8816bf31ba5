//! What a request's `Cache-Control` and `Pragma` demand of a stored answer.

use cache_core::freshness::Directives;
use http::HeaderValue;
use std::time::Duration;

/// Gathers the directives of all `Cache-Control` and `Pragma` fields of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demands {
    directives: Directives,
    no_store: bool,
    others: bool,
    pragma_no_cache: bool,
    has_cache_control: bool,
}

impl Demands {
    /// Adds a `Cache-Control` field; what it says in unknown words is ignored (RFC 9111, section 5.2.3).
    pub(crate) fn add_cache_control(&mut self, value: &HeaderValue) {
        self.has_cache_control = true;
        for (name, argument) in directives(value) {
            let seconds = || seconds(argument);
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            self.others |= !is("no-cache");
            if is("no-cache") {
                self.directives.no_cache = true;
            } else if is("no-store") {
                self.no_store = true;
            } else if is("only-if-cached") {
                self.directives.only_if_cached = true;
            } else if is("max-age") {
                // A lifetime that cannot be read is over.
                let max_age = seconds().unwrap_or(Duration::ZERO);
                self.directives.max_age = Some(self.directives.max_age.unwrap_or(max_age).min(max_age));
            } else if is("min-fresh") {
                let min_fresh = seconds().unwrap_or(Duration::MAX);
                self.directives.min_fresh = self.directives.min_fresh.max(min_fresh);
            } else if is("max-stale") {
                let anything = argument.is_none().then_some(Duration::MAX);
                self.directives.max_stale = anything.or_else(seconds).unwrap_or(Duration::ZERO);
            }
        }
    }

    /// Adds a `Pragma` field, which counts when there is no `Cache-Control` (RFC 9111, section 5.4).
    pub(crate) fn add_pragma(&mut self, value: &HeaderValue) {
        self.pragma_no_cache |= directives(value).any(|(name, _)| name.eq_ignore_ascii_case("no-cache"));
    }

    /// Whether neither the request nor its answer may be kept.
    pub(crate) fn forbid_storing(&self) -> bool {
        self.no_store
    }

    /// The directives, for a request that is `conditional` or not.
    ///
    /// Node's `fetch` adds a bare `no-cache` to every request that carries a validator, whatever the
    /// program wanted. Such a request asks "is mine current?", which the cache can answer; a program that
    /// wants the origin asked says `max-age=0`.
    pub(crate) fn directives(self, conditional: bool) -> Directives {
        let mut directives = self.directives;
        directives.no_cache |= self.pragma_no_cache && !self.has_cache_control;
        if conditional && !self.others {
            directives.no_cache = false;
        }
        directives
    }
}

/// The directives of one field, each a name and its argument if it has one, without its quotes.
///
/// A comma inside quotes parts nothing.
pub(crate) fn directives(value: &HeaderValue) -> impl Iterator<Item = (&str, Option<&str>)> {
    let text = value.to_str().unwrap_or("");
    parts(text).filter_map(|part| {
        let (name, argument) = match part.split_once('=') {
            Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
            None => (part, None),
        };
        (!name.is_empty()).then_some((name, argument))
    })
}

/// The parts of a list (RFC 9110, section 5.6.1), trimmed. Commas inside quotes belong to their part.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    let separates = move |letter: char| {
        let was_escaped = escaped;
        escaped = quoted && !was_escaped && letter == '\\';
        quoted ^= letter == '"' && !was_escaped;
        letter == ',' && !quoted
    };
    text.split(separates).map(str::trim)
}

/// A number of seconds as directives write it.
pub(crate) fn seconds(argument: Option<&str>) -> Option<Duration> {
    let digits = argument.filter(|digits| !digits.is_empty())?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        // RFC 9111, section 1.2.2: greater than can be represented is as great as can be.
        .then(|| Duration::from_secs(digits.parse().unwrap_or(SECONDS_MAX).min(SECONDS_MAX)))
}

/// The greatest number of seconds that RFC 9111 asks caches to tell apart.
const SECONDS_MAX: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{
        Content, Domain, Draft, Entry, Key, Timestamp, Validators,
        freshness::{Freshness, Usable, usable},
    };
    use http_cache_semantics::{CacheOptions, CachePolicy};
    use proptest::prelude::*;
    use std::time::SystemTime;

    fn demands(cache_control: &'static str) -> Demands {
        let mut demands = Demands::default();
        demands.add_cache_control(&HeaderValue::from_static(cache_control));
        demands
    }

    #[test]
    fn directives_are_read_as_rfc_9111_has_them() {
        let second = Duration::from_secs(1);
        let found =
            demands("Max-Age=60, min-fresh=\"5\", max-stale=7, only-if-cached, x=1").directives(false);
        let expected = Directives {
            max_age: Some(60 * second),
            min_fresh: 5 * second,
            max_stale: 7 * second,
            only_if_cached: true,
            ..Directives::default()
        };
        assert_eq!(found, expected);
        assert_eq!(demands("max-stale").directives(false).max_stale, Duration::MAX);
        assert_eq!(demands("max-age=x").directives(false).max_age, Some(Duration::ZERO));
        assert!(demands("no-store").forbid_storing());
        let huge = demands("max-age=99999999999999999999").directives(false).max_age;
        assert_eq!(huge, Some(Duration::from_secs(SECONDS_MAX)));
    }

    #[test]
    fn a_comma_inside_quotes_parts_nothing() {
        let list = |text: &'static str| parts(text).collect::<Vec<_>>();
        assert_eq!(list("a, \"b,c\" ,d"), ["a", "\"b,c\"", "d"]);
        assert_eq!(list("\"b\\\",c\",d"), ["\"b\\\",c\"", "d"]);
        assert_eq!(list("a\\,b"), ["a\\", "b"]);
        assert_eq!(list("\"open, a"), ["\"open, a"]);
        let found = demands("x=\"no-cache, no-store\", max-age=\"5\"");
        assert!(!found.forbid_storing());
        assert!(!found.directives(false).no_cache);
        assert_eq!(found.directives(false).max_age, Some(Duration::from_secs(5)));
    }

    #[test]
    fn nodes_own_no_cache_beside_a_validator_forces_nothing() {
        let mut node = demands("no-cache");
        node.add_pragma(&HeaderValue::from_static("no-cache"));
        assert!(!node.directives(true).no_cache);
        assert!(node.directives(false).no_cache);
        assert!(demands("no-cache, max-age=0").directives(true).no_cache);
    }

    #[test]
    fn pragma_counts_without_cache_control_alone() {
        let mut alone = Demands::default();
        alone.add_pragma(&HeaderValue::from_static("no-cache"));
        assert!(alone.directives(false).no_cache);
        let mut beside = demands("max-age=5");
        beside.add_pragma(&HeaderValue::from_static("no-cache"));
        assert!(!beside.directives(false).no_cache);
    }

    proptest! {
        /// The judge is another reading of RFC 9111. It knows no `only-if-cached` and takes `max-stale` as
        /// we do; `max-age` below the age is "revalidate" for both.
        #[test]
        fn demands_mean_what_http_cache_semantics_takes_them_for(
            max_age in proptest::option::of(0_u64..120),
            min_fresh in proptest::option::of(0_u64..120),
            no_cache in any::<bool>(),
            age in 0_u64..120,
        ) {
            let mut words = Vec::new();
            words.extend(max_age.map(|seconds| format!("max-age={seconds}")));
            words.extend(min_fresh.map(|seconds| format!("min-fresh={seconds}")));
            words.extend(no_cache.then(|| "no-cache".to_owned()));
            let request = |cache_control: &str| {
                http::Request::get("/x").header("cache-control", cache_control).body(()).unwrap()
            };
            let response = http::Response::builder().header("cache-control", "max-age=60").body(()).unwrap();
            let stored = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
            let options = CacheOptions { shared: false, ..CacheOptions::default() };
            let policy = CachePolicy::new_options(&request("x"), &response, stored, options);
            let asked = request(&words.join(", "));
            let expected = policy.before_request(&asked, stored + Duration::from_secs(age));

            let mut demands = Demands::default();
            demands.add_cache_control(&asked.headers()["cache-control"]);
            let now = Timestamp::from_unix_millis(1_000_000_000);
            let draft = Draft {
                content: Content::of_value(""),
                freshness: Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() },
                validators: Validators::default(),
                age: Duration::from_secs(age),
            };
            let entry = Entry::new(Key::new("x", Domain::ANONYMOUS), draft, now, 0);
            let found = usable(&entry, &demands.directives(false), now) == Usable::Fresh;
            prop_assert_eq!(found, expected.satisfies_without_revalidation(), "{:?}", words);
        }
    }
}
