//! For how long the origin wants to be left alone.
//!
//! Owns the moments until which calls are held back, for each domain and allowance. Knows nothing of
//! headers: the origin adapter reads those.

use crate::{Bucket, Domain, Timestamp};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// The allowances that are spent, and when they return.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    spent: BTreeMap<(Domain, Bucket), Timestamp>,
}

impl Quotas {
    /// Holds calls back for `pause`, at most [`PAUSE_MAX`], or for longer if that was asked for before.
    ///
    /// Among more than [`SPENT_MAX`], the allowance that returns first is forgotten.
    pub(crate) fn hold(&mut self, domain: Domain, bucket: Bucket, now: Timestamp, pause: Duration) {
        let until = now.saturating_add(pause.min(PAUSE_MAX));
        let held_until = self.spent.entry((domain, bucket)).or_insert(until);
        *held_until = until.max(*held_until);
        if self.spent.len() > SPENT_MAX {
            let first = self.spent.iter().min_by_key(|(_, until)| **until).map(|(spent, _)| *spent);
            self.spent.remove(&first.expect("the map has more than SPENT_MAX elements"));
        }
    }

    /// When the allowance returns; `None` if calls are free to go.
    pub(crate) fn held_until(&mut self, domain: Domain, bucket: Bucket, now: Timestamp) -> Option<Timestamp> {
        let until = *self.spent.get(&(domain, bucket))?;
        if until <= now {
            self.spent.remove(&(domain, bucket));
            return None;
        }
        Some(until)
    }
}

/// Most spent allowances that are remembered: forgetting one costs a refused call.
const SPENT_MAX: usize = 1024;

/// Longest pause that an origin is granted. GitHub's windows are an hour; a minute is for clocks apart.
const PAUSE_MAX: Duration = Duration::from_secs(3660);
