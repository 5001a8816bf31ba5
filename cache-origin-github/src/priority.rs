//! How much a request matters, as its client or the operator says.

use crate::{ClientLabel, ConfigError, GitHub, route::Route, url::local_path};
use cache_core::{Priority, UnknownPriority};
use http::{HeaderMap, HeaderName};
use std::str::FromStr;

/// The field by which a client says how much its request matters: `batch`, `normal` or `critical`. It is not sent on.
pub const PRIORITY_FIELD: HeaderName = HeaderName::from_static("x-fleet-priority");

/// How much requests for one class of routes, or of some clients, matter, where they do not say so themselves.
///
/// Read from text such as `/repos/*/*/actions/** = critical`, with the patterns of [`RouteRule`](crate::RouteRule), or
/// `client:renovate* = batch`, where `*` stands for any characters in the [`ClientLabel`], whose capitals do not matter. A label
/// is what the client says of itself.
///
/// ```
/// # use {cache_core::Priority, cache_origin_github::PriorityRule};
/// let rule: PriorityRule = "/repos/*/*/actions/** = critical".parse()?;
/// assert_eq!(rule.priority_of("/repos/acme/site/actions/runs"), Some(Priority::Critical));
/// assert_eq!(rule.priority_of("/repos/acme/site"), None);
/// let rule: PriorityRule = "client:renovate* = batch".parse()?;
/// assert_eq!(rule.priority_of_client("Renovate-CE"), Some(Priority::Batch));
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PriorityRule {
    concerned: Concerned,
    priority: Priority,
}

/// The requests that a rule is for.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Concerned {
    /// Those of clients with such labels; the parts between stars, in lower case.
    Client(Box<[Box<str>]>),
    /// Those for such paths.
    Route(Route),
}

impl PriorityRule {
    /// The priority that the rule gives to requests for `path`; `None` if it is not for that.
    pub fn priority_of(&self, path: &str) -> Option<Priority> {
        match &self.concerned {
            Concerned::Route(route) => route.fits(path).then_some(self.priority),
            Concerned::Client(_) => None,
        }
    }

    /// The priority that the rule gives to requests of the client with this label; `None` if it is not for that.
    pub fn priority_of_client(&self, label: &str) -> Option<Priority> {
        match &self.concerned {
            Concerned::Client(parts) => fits(parts, &label.to_ascii_lowercase()).then_some(self.priority),
            Concerned::Route(_) => None,
        }
    }

    /// Whether it is for clients, and not for routes.
    pub(crate) fn is_of_clients(&self) -> bool {
        matches!(self.concerned, Concerned::Client(_))
    }
}

impl FromStr for PriorityRule {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let bad = |problem: &str| ConfigError::Priority { rule: text.into(), problem: problem.into() };
        let (route, class) = text.split_once('=').ok_or_else(|| bad("it has no `=`"))?;
        let (pattern, class) = (route.trim(), class.trim());
        let priority = class.parse().map_err(|error: UnknownPriority| bad(&error.to_string()))?;
        if let Some(label) = pattern.strip_prefix(CLIENT_PREFIX) {
            let label = label.trim();
            // What no label can be would never fit.
            if label.is_empty() || ClientLabel::new(&label.replace('*', "x")).is_none() {
                return Err(bad("its pattern behind `client:` is no client's name"));
            }
            let parts = label.to_ascii_lowercase().split('*').map(Box::from).collect();
            return Ok(Self { concerned: Concerned::Client(parts), priority });
        }
        if !pattern.starts_with('/') || pattern.contains(char::is_whitespace) {
            return Err(bad("its pattern begins neither with `/` nor with `client:`"));
        }
        Ok(Self { concerned: Concerned::Route(Route::new(pattern)), priority })
    }
}

/// Whether `label` is `parts` with any characters between each two.
fn fits(parts: &[Box<str>], label: &str) -> bool {
    let [first, middle @ .., last] = parts else { return parts.first().is_some_and(|only| **only == *label) };
    let Some(mut rest) = label.strip_prefix(&**first) else { return false };
    for part in middle {
        let Some(at) = rest.find(&**part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(&**last)
}

/// How the pattern of a rule for clients begins.
const CLIENT_PREFIX: &str = "client:";

/// A priority that a client gave and that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{PRIORITY_FIELD}: {0}` is none of batch, normal and critical")]
pub struct BadPriority(Box<str>);

impl GitHub {
    /// How much a request for `path` with `headers` matters: what it says itself, else what the first rule says that is for the
    /// client that they name, else what the first rule says that is for its route, else as much as others.
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
                let (of_clients, of_routes) = (&rules.client_priorities, &rules.priorities);
                let label = (!of_clients.is_empty()).then(|| ClientLabel::told_by(headers)).flatten();
                let by_client = label.and_then(|label| {
                    of_clients.iter().find_map(|rule| rule.priority_of_client(label.as_str()))
                });
                let by_route = || of_routes.iter().find_map(|rule| rule.priority_of(path));
                Ok(by_client.or_else(by_route).unwrap_or_default())
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
    fn a_rule_for_a_client_comes_before_those_for_routes_and_behind_what_the_request_says() {
        let github = GitHub::builder()
            .priority_rule("/repos/** = critical".parse().unwrap())
            .priority_rule("client:renovate*=batch".parse().unwrap())
            .priority_rule("client:*bot = normal".parse().unwrap())
            .build()
            .unwrap();
        let of = |fields: &[(&'static str, &str)]| {
            let fields =
                fields.iter().map(|(name, text)| (HeaderName::from_static(name), text.parse().unwrap()));
            github.priority("/repos/o/r", &fields.collect()).unwrap()
        };
        assert_eq!(of(&[("user-agent", "curl/8")]), Priority::Critical);
        assert_eq!(of(&[("user-agent", "Renovate/38.1 (+https://x)")]), Priority::Batch);
        assert_eq!(
            of(&[("user-agent", "GitHub CLI 2.83.0 Agent/renovate-bot")]),
            Priority::Batch,
            "the first counts"
        );
        assert_eq!(of(&[("x-fleet-client", "my bot"), ("user-agent", "renovate")]), Priority::Normal);
        assert_eq!(
            of(&[("x-fleet-client", "renovate"), ("x-fleet-priority", "critical")]),
            Priority::Critical
        );
        assert_eq!(of(&[]), Priority::Critical);
    }

    #[test]
    fn a_star_stands_for_any_characters_of_a_label() {
        let fits = |pattern: &str, label: &str| {
            let rule: PriorityRule = format!("client:{pattern}=batch").parse().unwrap();
            rule.priority_of_client(label).is_some()
        };
        for (pattern, label) in
            [("ci", "CI"), ("*", "x"), ("a*c*e", "abcde"), ("a**", "a"), ("*b", "bb"), ("a b*", "A bc")]
        {
            assert!(fits(pattern, label), "{pattern} {label}");
        }
        for (pattern, label) in [("ci", "ci2"), ("a*a", "a"), ("*b*b", "b"), ("b*", "ab"), ("a*c*e", "aec")] {
            assert!(!fits(pattern, label), "{pattern} {label}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_says_what_is_wrong_with_it() {
        for (text, problem) in [
            ("/repos/**", "it has no `=`"),
            ("repos=batch", "its pattern begins neither with `/` nor with `client:`"),
            ("client:=batch", "its pattern behind `client:` is no client's name"),
            ("client:(other)=batch", "its pattern behind `client:` is no client's name"),
            ("client:renovate*=urgent", "a priority is one of batch, normal and critical"),
            ("/repos/**=urgent", "a priority is one of batch, normal and critical"),
        ] {
            let error = text.parse::<PriorityRule>().unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains(text), "{error}");
        }
    }
}
