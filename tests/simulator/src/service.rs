//! How well clients were served, whatever serves them.

use std::time::Duration;

/// What clients got in a run.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// For each answer, how long ago the resource had changed to something else, in milliseconds; zero if what it
    /// says is still so.
    pub outdated: Vec<u64>,
    /// Requests that got no answer, or a refusal.
    pub refused: u64,
    /// When a request was last refused, or answered with what was stale.
    pub spoilt_last: Option<Duration>,
}

impl Service {
    /// A request was answered with what stopped being so `outdated` ago.
    pub(crate) fn on_answered(&mut self, outdated: Duration) {
        self.outdated.push(u64::try_from(outdated.as_millis()).unwrap_or(u64::MAX));
    }

    /// A request got a stale answer, because there was no better one.
    pub(crate) fn on_stale(&mut self, now: Duration) {
        self.spoilt_last = self.spoilt_last.max(Some(now));
    }

    /// A request got no answer, or a refusal.
    pub(crate) fn on_refused(&mut self, now: Duration) {
        self.refused += 1;
        self.spoilt_last = self.spoilt_last.max(Some(now));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.outdated.extend(&other.outdated);
        self.refused += other.refused;
        self.spoilt_last = self.spoilt_last.max(other.spoilt_last);
    }
}
