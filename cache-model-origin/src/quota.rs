//! What each account may still call, and the headers that say so.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The allowance of one account for one kind of call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// Most calls per window.
    pub limit: u64,
    /// Calls made in this window.
    pub used: u64,
    /// When the window ends, in seconds since 1970.
    pub reset_unix_seconds: u64,
}

impl Quota {
    /// Calls left in this window.
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// Which allowance a call is counted against.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Resource {
    /// Most of the API.
    Core,
    /// `POST /graphql`.
    Graphql,
    /// `/search/...`.
    Search,
}

impl Resource {
    /// The name in `X-RateLimit-Resource`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
            Self::Search => "search",
        }
    }

    fn window(self) -> Duration {
        match self {
            Self::Core | Self::Graphql => Duration::from_secs(3600),
            Self::Search => Duration::from_secs(60),
        }
    }

    fn limit(self, payer: &str) -> u64 {
        match (self, payer) {
            (Self::Core | Self::Graphql, "anonymous") => 60,
            (Self::Search, "anonymous") => 10,
            (Self::Core | Self::Graphql, _) => 5000,
            (Self::Search, _) => 30,
        }
    }
}

/// Every allowance in use.
#[derive(Debug, Default)]
pub(super) struct Quotas(BTreeMap<(String, Resource), Quota>);

impl Quotas {
    /// The current allowance; a window that has ended starts anew.
    pub(super) fn of(&mut self, payer: &str, resource: Resource) -> &mut Quota {
        let now = unix_seconds();
        let fresh = Quota {
            limit: resource.limit(payer),
            used: 0,
            reset_unix_seconds: now + resource.window().as_secs(),
        };
        let quota = self.0.entry((payer.to_owned(), resource)).or_insert(fresh);
        if quota.reset_unix_seconds <= now {
            *quota = Quota { limit: quota.limit, ..fresh };
        }
        quota
    }
}

/// Adds the five headers that tell a client about `quota`.
pub(super) fn describe(quota: &Quota, resource: Resource, headers: &mut HeaderMap) {
    let numbers = [
        ("x-ratelimit-limit", quota.limit),
        ("x-ratelimit-remaining", quota.remaining()),
        ("x-ratelimit-reset", quota.reset_unix_seconds),
        ("x-ratelimit-used", quota.used),
    ];
    for (name, number) in numbers {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
    }
    let resource = HeaderValue::from_static(resource.as_str());
    headers.insert(HeaderName::from_static("x-ratelimit-resource"), resource);
}

/// Seconds since 1970 now.
pub(super) fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock of a test machine is past 1970").as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_has_ended_starts_anew_with_the_same_limit() {
        let mut quotas = Quotas::default();
        *quotas.of("alice", Resource::Core) = Quota { limit: 7, used: 7, reset_unix_seconds: 1 };
        let quota = quotas.of("alice", Resource::Core);
        assert_eq!((quota.limit, quota.used), (7, 0));
    }

    #[test]
    fn the_kinds_of_calls_do_not_share_an_allowance() {
        let mut quotas = Quotas::default();
        quotas.of("alice", Resource::Search).used = 30;
        assert_eq!(quotas.of("alice", Resource::Core).remaining(), 5000);
    }
}
