//! How much a request matters, as its client or the operator says.

use crate::{ConfigError, GitHub, route::Route, url::local_path};
use cache_core::{Priority, UnknownPriority};
use http::{HeaderMap, HeaderName};
use std::str::FromStr;

/// The field by which a client says how much its request matters: `batch`, `normal` or `critical`. It is not sent on.
pub const PRIORITY_FIELD: HeaderName = HeaderName::from_static("x-fleet-priority");

/// How much requests for one class of routes matter, where they do not say so themselves.
///
/// Read from text such as `/repos/*/*/actions/** = critical`, with the patterns of [`RouteRule`](crate::RouteRule).
///
/// ```
/// # use {cache_core::Priority, cache_origin_github::PriorityRule};
/// let rule: PriorityRule = "/repos/*/*/actions/** = critical".parse()?;
/// assert_eq!(rule.priority_of("/repos/acme/site/actions/runs"), Some(Priority::Critical));
/// assert_eq!(rule.priority_of("/repos/acme/site"), None);
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PriorityRule {
    route: Route,
    priority: Priority,
}

impl PriorityRule {
    /// The priority that the rule gives to requests for `path`; `None` if it is not for that.
    pub fn priority_of(&self, path: &str) -> Option<Priority> {
        self.route.fits(path).then_some(self.priority)
    }
}

impl FromStr for PriorityRule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |problem: &str| ConfigError::Priority { rule: text.into(), problem: problem.into() };
        let (route, class) = text.split_once('=').ok_or_else(|| bad("it has no `=`"))?;
        let (route, class) = (route.trim(), class.trim());
        if !route.starts_with('/') || route.contains(char::is_whitespace) {
            return Err(bad("its pattern does not begin with `/`"));
        }
        let priority = class.parse().map_err(|error: UnknownPriority| bad(&error.to_string()))?;
        Ok(Self { route: Route::new(route), priority })
    }
}

/// A priority that a client gave and that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{PRIORITY_FIELD}: {0}` is none of batch, normal and critical")]
pub struct BadPriority(Box<str>);

impl GitHub {
    /// How much a request for `path` with `headers` matters: what it says itself, else what the first rule says that is
    /// for its route, else as much as others.
    ///
    /// # Errors
    ///
    /// [`BadPriority`] if it says what is no priority, or says it twice.
    pub fn priority(&self, path: &str, headers: &HeaderMap) -> Result<Priority, BadPriority> {
        let mut said = headers.get_all(PRIORITY_FIELD).iter();
        match (said.next(), said.next()) {
            (Some(value), None) => {
                let word = value.to_str().unwrap_or("?").trim();
                let shown = || BadPriority(word.chars().take(SHOWN_MAX).collect::<String>().into());
                word.to_ascii_lowercase().parse().map_err(|_unknown| shown())
            }
            (Some(_), Some(_)) => Err(BadPriority("(twice)".into())),
            (None, _) => {
                let (rules, path) = (self.rules(), local_path(path));
                let found = rules.priorities.iter().find_map(|rule| rule.priority_of(path));
                Ok(found.unwrap_or_default())
            }
        }
    }
}

/// Of what a client gave, so many characters are shown to it.
const SHOWN_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_matters_as_much_as_it_says_else_as_the_first_rule_for_its_route_says() {
        let github = GitHub::builder()
            .priority_rule("/repos/*/*/actions/** = critical".parse().unwrap())
            .priority_rule("/repos/** = batch".parse().unwrap())
            .build()
            .unwrap();
        let of = |path: &str, said: &[&str]| {
            let mut headers = HeaderMap::new();
            for word in said {
                headers.append(PRIORITY_FIELD, word.parse().unwrap());
            }
            github.priority(path, &headers).map_err(|error| error.to_string())
        };
        assert_eq!(of("/repos/o/r/actions/runs", &[]), Ok(Priority::Critical));
        assert_eq!(of("/api/v3/repos/o/r/actions/runs", &[]), Ok(Priority::Critical));
        assert_eq!(of("/repos/o/r", &[]), Ok(Priority::Batch));
        assert_eq!(of("/user", &[]), Ok(Priority::Normal));
        assert_eq!(of("/repos/o/r", &[" Critical "]), Ok(Priority::Critical));
        let bad = of("/user", &["urgent"]).unwrap_err();
        assert_eq!(bad, "`x-fleet-priority: urgent` is none of batch, normal and critical");
        assert!(of("/user", &["batch", "batch"]).is_err());
        assert!(of("/user", &[&"x".repeat(5_000)]).unwrap_err().len() < 100);
    }

    #[test]
    fn a_rule_that_cannot_be_read_says_what_is_wrong_with_it() {
        for (text, problem) in [
            ("/repos/**", "it has no `=`"),
            ("repos=batch", "its pattern does not begin with `/`"),
            ("/repos/**=urgent", "a priority is one of batch, normal and critical"),
        ] {
            let error = text.parse::<PriorityRule>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(text), "{error}");
        }
    }
}
