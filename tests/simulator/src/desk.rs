//! What a node knows of credentials, beside its engine: what an adapter for an origin remembers.
//!
//! Written after what the adapter for GitHub promises, not after its code: which credential was given which answer, what
//! was refused to which, and whether the origin can be asked about what others were given.

use crate::origin::{Call, UNKNOWN_TAG};
use cache_core::{Candidate, Content, Entry, Fetched, Payer, Reader, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What one process remembers of credentials.
#[derive(Default)]
pub(crate) struct Desk {
    /// Which answer each credential of a domain with several was given under a key, and until when that counts.
    grants: BTreeMap<(usize, usize), (Content, Timestamp)>,
    /// What was refused to credentials: a resource, or all. The origin is asked before they are served it again.
    suspected: BTreeSet<(usize, Option<usize>)>,
    /// Whether an answer had another tag than the recipe says.
    distrusts_tags: bool,
    /// Attempts in a row by which nothing was proven, for each resource, and when the last of them ended.
    misses: BTreeMap<usize, (u32, Duration)>,
}

/// A credential that asks for what is under a key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Asker {
    pub(crate) credential: usize,
    pub(crate) key: usize,
    pub(crate) resource: usize,
    /// Whether its domain is its own.
    pub(crate) is_alone: bool,
}

/// What the origin refused to a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    Credential,
    Resource,
}

impl Desk {
    /// As what the engine is to see `asker`. `payer` is its own, whatever else is in its domain.
    pub(crate) fn reader(&self, asker: Asker, payer: Payer) -> Reader {
        let is_suspected = [None, Some(asker.resource)]
            .iter()
            .any(|refused| self.suspected.contains(&(asker.credential, *refused)));
        if asker.is_alone && !is_suspected { Reader::Admitted } else { Reader::Unproven(payer) }
    }

    /// Whether `asker` may be shown `entry`, which readers see and which is fresh.
    pub(crate) fn permits(&self, asker: Asker, entry: &Entry, now: Timestamp) -> bool {
        let is_granted = |(content, until): &(Content, Timestamp)| {
            content.body == entry.content().body && content.status == entry.content().status && now < *until
        };
        asker.is_alone || self.grants.get(&(asker.credential, asker.key)).is_some_and(is_granted)
    }

    /// Whether the origin can be asked about what others were given of `resource`, and that pays.
    pub(crate) fn borrows(&self, resource: usize, now: Duration) -> bool {
        let pays = |(misses, at): &(u32, Duration)| *misses < MISSES_MAX || now - *at >= RETRY_AFTER;
        !self.distrusts_tags && self.misses.get(&resource).is_none_or(pays)
    }

    /// Notes how a call of `asker` ended. Returns what was refused to it.
    pub(crate) fn note(
        &mut self,
        asker: Asker,
        (call, fetched): (&Call, &Fetched),
        (now, clock): (Duration, Timestamp),
    ) -> Option<Refused> {
        let refused = match fetched {
            Fetched::Unstorable { content, .. } if content.status == 401 => Some(Refused::Credential),
            Fetched::Unstorable { content, .. } if content.status == 403 => Some(Refused::Resource),
            Fetched::Fresh(draft) | Fetched::NotModified(draft) | Fetched::Proven(draft) => {
                let left = draft.freshness.lifetime.min(ADMISSION_MAX).saturating_sub(draft.age);
                let until = clock.saturating_add(left);
                self.grants.insert((asker.credential, asker.key), (draft.content.clone(), until));
                self.suspected.remove(&(asker.credential, None));
                self.suspected.remove(&(asker.credential, Some(asker.resource)));
                let tag = draft.validators.etag.as_deref().unwrap_or_default();
                self.distrusts_tags |= tag.starts_with(UNKNOWN_TAG);
                None
            }
            Fetched::Failed(_)
            | Fetched::Fault { .. }
            | Fetched::Oversize
            | Fetched::Spent(..)
            | Fetched::Throttled { .. }
            | Fetched::Unstorable { .. } => None,
        };
        if let Some(refused) = refused {
            let about = (refused == Refused::Resource).then_some(asker.resource);
            self.suspected.insert((asker.credential, about));
            self.grants.retain(|(credential, key), _| {
                *credential != asker.credential || (about.is_some() && *key != asker.key)
            });
        }
        if call.candidate.as_ref().and_then(Candidate::borrowed).is_some() {
            match fetched {
                Fetched::Proven(_) => drop(self.misses.remove(&asker.resource)),
                Fetched::Fresh(_) | Fetched::Oversize => {
                    let (misses, at) = self.misses.entry(asker.resource).or_default();
                    (*misses, *at) = ((*misses + 1).min(MISSES_MAX), now);
                }
                Fetched::Failed(_)
                | Fetched::Fault { .. }
                | Fetched::NotModified(_)
                | Fetched::Spent(..)
                | Fetched::Throttled { .. }
                | Fetched::Unstorable { .. } => {}
            }
        }
        refused
    }
}

/// Longest time for which a credential that shares its domain is shown an answer that it was given.
const ADMISSION_MAX: Duration = Duration::from_secs(300);

/// Attempts in a row that may prove nothing, and how long none is made then.
const MISSES_MAX: u32 = 3;
const RETRY_AFTER: Duration = Duration::from_secs(600);
