//! What a node keeps of one path, to find out where an answer came from.
//!
//! Tells counts and ages of all that is there: neither bodies, headers nor statuses, nor for which credential.

use crate::{Closed, Node, RequestError, command::Command};
use cache_core::{Entry, Scope, Timestamp, freshness};
use cache_origin_github::{Plan, resource_name};
use http::{Method, Request, Uri};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};

/// What a node keeps of one path, in all representations and for all credentials.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Kept {
    /// Why answers to such a request are never kept; `None` if they may be.
    pub passes: Option<String>,
    /// The allowance that a call for it draws on, in GitHub's words; `None` if it is never kept.
    pub resource: Option<&'static str>,
    /// How many copies are in memory: one for each representation and each domain of credentials.
    pub copies_count: usize,
    /// Whether there are more, which are not looked at.
    pub has_more: bool,
    /// For how many domains of credentials there are copies.
    pub domains_count: usize,
    /// Whether a copy is on disk, or waits to be written there; `None` if nothing is kept on disk.
    pub on_disk: Option<bool>,
    /// The youngest of the copies, at most [`COPIES_TOLD_MAX`].
    pub copies: Vec<KeptCopy>,
}

/// One answer that is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeptCopy {
    /// How long ago the origin gave or confirmed it, in seconds.
    pub age_seconds: u64,
    /// For how many seconds it is still fresh; 0 if it is stale.
    pub fresh_seconds: u64,
    /// Since how many seconds it has been stale; 0 if it is fresh.
    pub stale_seconds: u64,
    /// Whether a write or a cut-off put it in doubt, so that the origin is asked before it is served again.
    pub is_doubted: bool,
    /// Where it came from.
    pub source: KeptFrom,
}

/// Where a kept answer came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeptFrom {
    /// From the origin by this node, or from its disk.
    Own,
    /// From a peer that fetched it, or had it.
    Peer,
}

impl Node {
    /// Tells what is kept in this node's memory under `path`, its query included, for whichever credential.
    ///
    /// Counts as no look-up, asks neither a peer, the disk nor the origin, and marks nothing as used.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// node.get("/repos/acme/site").await?;
    /// let kept = node.kept("/repos/acme/site").await?;
    /// println!("{} copies, the youngest {} s old", kept.copies_count, kept.copies[0].age_seconds);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError::BadTarget`] if `path` is no path, [`RequestError::Closed`] after a shutdown.
    pub async fn kept(&self, path: &str) -> Result<Kept, RequestError> {
        let uri: Uri = path.parse().map_err(|error| RequestError::bad_target(path, error))?;
        let mut request = Request::new(()).into_parts().0;
        (request.method, request.uri) = (Method::GET, uri);
        let github = &self.shared().github;
        let (passes, resource) = match github.plan(&request, &mut String::new()) {
            Plan::Body => (Some("its answer depends on its body".to_owned()), None),
            Plan::Cached(planned) => (None, Some(resource_name(planned.bucket))),
            Plan::Pass(reason) => (Some(reason.to_string()), None),
        };
        // In a resource's text, a space ends the path and its query.
        let prefix = (github.resource_prefix(path) + " ").into_boxed_str();
        let scope = Scope::Prefix { prefix: prefix.clone(), domain: None };
        let on_disk = self.shared().disk.as_ref().map(|disk| disk.has_in(&scope));
        let looked = |done| Command::Kept { prefix, most: COPIES_LOOKED_AT_MAX + 1, done };
        let entries = self.shared().order(looked).await.map_err(|Closed| RequestError::Closed(Closed))?;
        let now = self.shared().clock.now();
        Ok(Kept { passes, resource, on_disk, ..Kept::of(entries, now) })
    }
}

impl Kept {
    fn of(mut entries: Vec<Arc<Entry>>, now: Timestamp) -> Self {
        let has_more = entries.len() > COPIES_LOOKED_AT_MAX;
        entries.truncate(COPIES_LOOKED_AT_MAX);
        let domains: BTreeSet<_> = entries.iter().map(|entry| entry.key().domain()).collect();
        let mut copies: Vec<_> = entries.iter().map(|entry| KeptCopy::of(entry, now)).collect();
        copies.sort_by_key(|copy| copy.age_seconds);
        copies.truncate(COPIES_TOLD_MAX);
        Self {
            passes: None,
            resource: None,
            copies_count: entries.len(),
            has_more,
            domains_count: domains.len(),
            on_disk: None,
            copies,
        }
    }
}

impl KeptCopy {
    fn of(entry: &Entry, now: Timestamp) -> Self {
        Self {
            age_seconds: now.saturating_since(entry.born()).as_secs(),
            // Rounded up, as in `Cache-Status`, so that what is not over does not show as zero.
            fresh_seconds: freshness::remaining(entry, now).as_millis().div_ceil(1000) as u64,
            stale_seconds: now.saturating_since(entry.fresh_until()).as_secs(),
            is_doubted: entry.is_doubted(),
            source: match entry.source() {
                cache_core::Source::Own => KeptFrom::Own,
                cache_core::Source::Peer => KeptFrom::Peer,
            },
        }
    }
}

/// Most copies that are told of one by one.
pub const COPIES_TOLD_MAX: usize = 16;
/// Most copies that are looked at, in a turn of the driver: as many credentials as read one path in a busy fleet.
const COPIES_LOOKED_AT_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Content, Domain, Draft, Key, Validators, freshness::Freshness};
    use std::time::Duration;

    /// A copy for the domain `number` that is `age` seconds old at 1,000 s and fresh for 60 s.
    fn copy(number: u16, age: u64) -> Arc<Entry> {
        let mut domain = [0; 16];
        domain[..2].copy_from_slice(&number.to_be_bytes());
        let freshness = Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() };
        let draft = Draft {
            content: Content::of_value("body"),
            freshness,
            validators: Validators::default(),
            age: Duration::from_secs(age),
        };
        Arc::new(Entry::new(Key::new("r", Domain::from_bytes(domain)), draft, NOW, 0))
    }

    const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

    #[test]
    fn each_copy_is_told_with_its_age_the_youngest_first() {
        let entries = vec![copy(1, 90), copy(2, 20), copy(2, 30)];
        entries[2].doubt();
        let kept = Kept::of(entries, NOW);
        assert_eq!((kept.copies_count, kept.domains_count, kept.has_more), (3, 2, false));
        let told =
            |copy: &KeptCopy| (copy.age_seconds, copy.fresh_seconds, copy.stale_seconds, copy.is_doubted);
        let told: Vec<_> = kept.copies.iter().map(told).collect();
        assert_eq!(told, [(20, 40, 0, false), (30, 0, 0, true), (90, 0, 30, false)]);
    }

    #[test]
    fn no_more_copies_are_looked_at_or_told_than_the_bounds_allow() {
        let most = COPIES_LOOKED_AT_MAX as u16;
        let kept = |copies: u16| Kept::of((0..copies).map(|number| copy(number, 1)).collect(), NOW);
        assert_eq!((kept(most).copies_count, kept(most).has_more), (COPIES_LOOKED_AT_MAX, false));
        let more = kept(most + 1);
        assert_eq!((more.copies_count, more.has_more), (COPIES_LOOKED_AT_MAX, true));
        assert_eq!((more.domains_count, more.copies.len()), (COPIES_LOOKED_AT_MAX, COPIES_TOLD_MAX));
    }
}
