//! Versions of the API, and the one that the origin gives to those that name none.
//!
//! Requests that name none and requests that name that one are given the same, and so they share a key: the one without a
//! version. What is kept there was asked for without a version, and says itself of which version it is. So a wrong guess
//! of what the origin gives costs a call, and never gives a request another version than it names: if the answer is of
//! another, the request is planned again, under a key of its own.

use crate::{GitHub, Planned};
use http::{HeaderValue, StatusCode, request::Parts, response};
use parking_lot::RwLock;

/// How a request names a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Naming {
    /// It takes what the origin gives to all such requests.
    Absent,
    /// It names the one that the origin is thought to give to those that name none, and shares their key.
    Usual,
    /// It has a key of its own, whatever it names.
    Apart,
}

/// The version that the origin gave last to a request that named none; `None` if it did not say.
#[derive(Debug)]
pub(crate) struct UsualVersion(RwLock<Option<HeaderValue>>);

impl Default for UsualVersion {
    fn default() -> Self {
        Self(RwLock::new(Some(HeaderValue::from_static(FIRST_GUESS))))
    }
}

impl UsualVersion {
    /// Whether `named` is that version.
    pub(crate) fn is(&self, named: &HeaderValue) -> bool {
        self.0.read().as_ref().is_some_and(|usual| usual.as_bytes() == named.as_bytes().trim_ascii())
    }

    /// Learns from the head of an answer to a request that named none.
    ///
    /// Errors and 304s that do not say of which version they are tell nothing of other answers.
    pub(crate) fn learn(&self, head: &response::Parts) {
        let selected = head.headers.get(SELECTED);
        let tells = selected.is_some() || head.status == StatusCode::OK;
        if tells && self.0.read().as_ref() != selected {
            tracing::info!(version = ?selected, "the origin has another usual version of its API");
            *self.0.write() = selected.cloned();
        }
    }
}

impl GitHub {
    /// Whether a request that names a version in `named` may share the key of those that name none.
    pub(crate) fn naming(&self, named: Option<&HeaderValue>) -> Naming {
        match named.filter(|named| !named.as_bytes().trim_ascii().is_empty()) {
            None => Naming::Absent,
            Some(named) if self.usual_version().is(named) => Naming::Usual,
            Some(_) => Naming::Apart,
        }
    }
}

impl Planned {
    /// Whether an answer with `status` that says to be of version `selected` is one that `request`, planned as this, may be
    /// given. If not, [`GitHub::plan_apart`] plans it under a key of its own.
    ///
    /// ```
    /// # use cache_origin_github::{GitHub, Plan};
    /// let github = GitHub::builder().build()?;
    /// let request = http::Request::get("/zen").header("x-github-api-version", "2022-11-28").body(()).unwrap();
    /// let (parts, ()) = request.into_parts();
    /// let Plan::Cached(planned) = github.plan(&parts, &mut String::new()) else { unreachable!() };
    /// assert!(planned.takes_version(&parts, 200, Some(b"2022-11-28")));
    /// assert!(!planned.takes_version(&parts, 200, Some(b"2026-03-10")));
    /// # Ok::<(), cache_origin_github::ConfigError>(())
    /// ```
    pub fn takes_version(&self, request: &Parts, status: u16, selected: Option<&[u8]>) -> bool {
        let named = || request.headers.get(NAMED).map(|named| named.as_bytes().trim_ascii());
        self.naming != Naming::Usual
            || is_of_no_version(status)
            || selected.is_some_and(|it| Some(it) == named())
    }
}

/// Whether an answer with `status` is the same in all versions: it is about the credential, or its allowance, or a fault.
fn is_of_no_version(status: u16) -> bool {
    let refusals = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
    status >= 500 || refusals.iter().any(|refusal| refusal.as_u16() == status)
}

/// In a request: the version that is wanted.
pub(crate) const NAMED: &str = "x-github-api-version";
/// In an answer: the version that it is of.
pub const SELECTED: &str = "x-github-api-version-selected";
/// What GitHub gives to those that name none, until an answer says otherwise.
const FIRST_GUESS: &str = "2022-11-28";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plan, Surrogacy};

    fn parts(version: &str) -> Parts {
        let request = http::Request::get("/user").header(NAMED, version);
        request.body(()).expect("the tests write well-formed requests").into_parts().0
    }

    fn planned(github: &GitHub, version: &str) -> (String, Planned) {
        let mut key = String::new();
        let Plan::Cached(planned) = github.plan(&parts(version), &mut key) else { panic!("{version}") };
        (key, planned)
    }

    fn answer(status: u16, version: Option<&str>) -> response::Parts {
        let answer = http::Response::builder().status(status);
        let answer = version.into_iter().fold(answer, |answer, version| answer.header(SELECTED, version));
        answer.body(()).expect("the tests write well-formed answers").into_parts().0
    }

    #[test]
    fn what_the_origin_gives_to_those_that_name_none_is_learned_and_shares_their_key() {
        let github = GitHub::builder().build().unwrap();
        let usual = planned(&github, "").0;
        assert_eq!(planned(&github, "2022-11-28").0, usual);
        assert_ne!(planned(&github, "2026-03-10").0, usual);
        github.usual_version().learn(&answer(200, Some("2026-03-10")));
        assert_eq!(planned(&github, "2026-03-10").0, usual);
        assert_ne!(planned(&github, "2022-11-28").0, usual);
        for status in [304, 401, 502] {
            github.usual_version().learn(&answer(status, None));
            assert_eq!(planned(&github, " 2026-03-10 ").0, usual, "{status}");
        }
        github.usual_version().learn(&answer(200, None));
        assert_ne!(planned(&github, "2026-03-10").0, usual);
    }

    #[test]
    fn a_request_that_names_a_version_takes_that_one_alone_but_any_refusal_or_fault() {
        let github = GitHub::builder().build().unwrap();
        let (named, absent) = (planned(&github, "2022-11-28").1, planned(&github, "").1);
        let takes = |status, selected| named.takes_version(&parts("2022-11-28"), status, selected);
        for status in [200, 301, 304, 404, 410, 422] {
            assert!(takes(status, Some(b"2022-11-28")), "{status}");
            assert!(!takes(status, Some(b"2026-03-10")), "{status}");
            assert!(!takes(status, None), "{status}");
            assert!(absent.takes_version(&parts(""), status, Some(b"2026-03-10")), "{status}");
        }
        for status in [401, 403, 429, 500, 503] {
            assert!(takes(status, None), "{status}");
        }
    }

    #[test]
    fn a_key_apart_names_the_version_and_is_answered_by_whatever_is_there() {
        let github = GitHub::builder().build().unwrap();
        let request = parts("2022-11-28");
        let mut key = String::new();
        let Plan::Cached(apart) = github.plan_apart(&request, &mut key, Surrogacy::Allowed) else {
            panic!("it is cached")
        };
        assert!(key.starts_with("api.github.com/user json 2022-11-28\n"), "{key:?}");
        assert!(apart.takes_version(&request, 200, None));
        assert!(github.question(&request, &apart).names_version());
        assert!(!github.question(&request, &planned(&github, "2022-11-28").1).names_version());
    }
}
