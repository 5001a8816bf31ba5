//! What was asked of the origin, and what it said about its allowances.

use crate::{GitHub, Quota, RecipeStats, SurrogateState, Usage};
use cache_core::Allowance;
use serde::Serialize;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Counts since the adapter was built, and the last word on every allowance.
#[derive(Clone, Debug, Serialize)]
pub struct OriginStats {
    /// Calls made for cached requests, whatever came of them.
    pub calls: u64,
    /// Of these, calls answered by 304, which cost no quota when they carry a credential.
    pub not_modified: u64,
    /// Of these, second calls because a 304 could not be believed.
    pub doubted: u64,
    /// Of these, answers that were too long to keep.
    pub oversize: u64,
    /// Answers to GraphQL queries that were renewed without putting the query, since all that covers them was unchanged.
    pub held: u64,
    /// Shapes of GraphQL queries that are put each time, since an answer changed that its cover did not show.
    pub dropped_shapes: u64,
    /// Requests that were passed through.
    pub forwarded: u64,
    /// Calls of either kind that gave no whole answer.
    pub failed: u64,
    /// How the entity-tag recipe is doing.
    pub recipe: RecipeStats,
    /// Whether a credential asks for clients that send none, if the operator gave one for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_as: Option<SurrogateState>,
    /// The allowances by payer, those with the latest news last.
    pub quotas: Vec<DomainQuota>,
}

/// The last observation of one allowance of one payer.
#[derive(Clone, Debug, Serialize)]
pub struct DomainQuota {
    /// Whose it is: `anonymous`, or the first digits of a digest of the credential, behind the operator's name for its
    /// domain if there is one.
    pub domain: String,
    /// The allowance as it was observed.
    #[serde(flatten)]
    pub quota: Quota,
}

impl GitHub {
    /// Counts since the adapter was built, beside `allowances`, the last word on every allowance as the engine has it.
    pub fn stats(&self, allowances: &[Allowance]) -> OriginStats {
        let counters = self.counters();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rules = self.rules();
        let quota = |seen: &Allowance| DomainQuota {
            domain: rules.label(seen.domain, seen.payer),
            quota: Quota::seen(seen.resource.clone(), seen.window),
        };
        OriginStats {
            calls: read(&counters.calls),
            not_modified: read(&counters.not_modified),
            doubted: read(&counters.doubted),
            oversize: read(&counters.oversize),
            held: read(&counters.held),
            dropped_shapes: read(&counters.dropped_shapes),
            forwarded: read(&counters.forwarded),
            failed: read(&counters.failed),
            recipe: rules.recipes.stats(Instant::now()),
            anonymous_as: self.surrogate_state(),
            quotas: allowances.iter().map(quota).collect(),
        }
    }
}

/// The counters behind [`OriginStats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    doubted: AtomicU64,
    failed: AtomicU64,
    forwarded: AtomicU64,
    not_modified: AtomicU64,
    oversize: AtomicU64,
    held: AtomicU64,
    dropped_shapes: AtomicU64,
    /// The same and more, by client, route and payer.
    pub(crate) usage: Usage,
}

impl Counters {
    pub(crate) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_doubt(&self) {
        self.doubted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failure(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_forwarded(&self) {
        self.forwarded.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped_shape(&self) {
        self.dropped_shapes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_not_modified(&self) {
        self.not_modified.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_oversize(&self) {
        self.oversize.fetch_add(1, Ordering::Relaxed);
    }
}
