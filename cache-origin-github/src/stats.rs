//! What was asked of the origin, and what it said about its allowances.

use crate::{GitHub, Quota, RecipeStats, SurrogateState, Usage};
use cache_core::{AccountReport, Shortage, Timestamp, WritesReport};
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

/// How one allowance of one payer stands, as far as any member has told.
#[derive(Clone, Debug, Serialize)]
pub struct DomainQuota {
    /// Whose it is: `anonymous`, or the first digits of a digest of the credential, behind the operator's name for its
    /// domain if there is one.
    pub domain: String,
    /// Other credentials that draw on the same window, by their names, as GitHub's answers show: a user's several tokens, or the
    /// tokens that an App is given one after another.
    pub also: Vec<String>,
    /// The allowance as it was observed last.
    #[serde(flatten)]
    pub quota: Quota,
    /// When it was, in seconds since the Unix epoch.
    pub seen: u64,
    /// How many calls an hour are being spent, by all that share the allowance; `None` if that cannot be told yet.
    pub per_hour: Option<u64>,
    /// When all will be spent at that rate, in seconds since the Unix epoch; `None` if the window ends before.
    pub spent_at: Option<u64>,
    /// Until when no call is made that would draw on it, in seconds since the Unix epoch.
    pub paused_until: Option<u64>,
    /// Why: `window` if it is spent, `pace` if the payer called too often, whatever was left.
    pub paused_by: Option<&'static str>,
    /// What the payer's writes come to over the fleet, whichever allowance they draw on.
    pub writes: WritesSeen,
}

/// What the writes of a payer come to, as far as this node knows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WritesSeen {
    /// Those that all members have begun within a minute.
    pub in_minute: u64,
    /// Those within an hour.
    pub in_hour: u64,
    /// Those that wait for their turn at this node.
    pub waiting: u64,
}

impl From<WritesReport> for WritesSeen {
    fn from(WritesReport { in_minute, in_hour, waiting }: WritesReport) -> Self {
        Self { in_minute, in_hour, waiting }
    }
}

impl GitHub {
    /// Counts since the adapter was built, beside `accounts`, how every allowance stands as the engine knows.
    pub fn stats(&self, accounts: &[AccountReport]) -> OriginStats {
        let counters = self.counters();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rules = self.rules();
        let seconds = |moment: Timestamp| moment.as_unix_millis() / 1000;
        let quota = |account: &AccountReport| DomainQuota {
            domain: rules.label(account.allowance.domain, account.allowance.payer),
            also: account.also.iter().map(|(domain, payer)| rules.label(*domain, *payer)).collect(),
            quota: Quota::seen(account.allowance.resource.clone(), account.allowance.window),
            seen: seconds(account.noted),
            per_hour: account.per_hour,
            spent_at: account.spent_at.map(seconds),
            paused_until: account.paused.map(|(until, _)| until.as_unix_millis().div_ceil(1000)),
            paused_by: account.paused.map(|(_, shortage)| match shortage {
                Shortage::Pace => "pace",
                Shortage::Window { .. } => "window",
            }),
            writes: account.writes.into(),
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
            quotas: accounts.iter().map(quota).collect(),
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
