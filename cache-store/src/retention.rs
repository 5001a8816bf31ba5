//! For how long a record is worth its place.

use cache_core::{Entry, Timestamp};
use std::time::Duration;

/// The first moment at which `entry` can be of no use: neither fresh, nor served stale, nor worth revalidating.
pub(crate) fn useless_from(entry: &Entry) -> Timestamp {
    let freshness = entry.freshness();
    let past_lifetime = freshness.if_error.max(freshness.while_revalidating).max(RETENTION);
    entry.fresh_until().saturating_add(past_lifetime)
}

/// Time for which a stale record is kept to be revalidated, which costs no quota when it still holds.
///
/// Eight days, so that a job that runs once a week finds what its last run left.
pub const RETENTION: Duration = Duration::from_secs(8 * 24 * 60 * 60);
