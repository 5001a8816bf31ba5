//! The one notion of time: milliseconds of the Unix epoch, handed in from outside.

use core::{fmt, time::Duration};

/// A moment, in whole milliseconds since the Unix epoch.
///
/// The core never asks what time it is; every [`handle`](crate::Engine::handle) is told. Arithmetic
/// saturates at both ends, so a clock that was set back or a lifetime from a hostile record cannot wrap.
///
/// ```
/// # use {cache_core::Timestamp, core::time::Duration};
/// let stored = Timestamp::from_unix_millis(1_000);
/// let later = stored.saturating_add(Duration::from_secs(2));
/// assert_eq!(later.saturating_since(stored), Duration::from_secs(2));
/// assert_eq!(stored.saturating_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_unix_millis(self) -> u64 {
        self.0
    }

    /// This moment plus `duration`, or the last representable moment.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This moment less `duration`, or the epoch.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// Time from `earlier` to this moment; zero when `earlier` is not earlier.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
