//! How many writes are made in which time.

use core::{num::NonZeroU32, time::Duration};

/// How many writes of one payer all members together make, and how long one waits for its turn.
///
/// GitHub refuses more than 80 requests that make content in a minute, and more than 500 in an hour.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WritePace {
    /// Most in any minute; `None` for no such bound.
    pub per_minute: Option<NonZeroU32>,
    /// Most in any hour; `None` for no such bound.
    pub per_hour: Option<NonZeroU32>,
    /// How long a write waits for its turn. Then it is refused, or at once if it is known that it will not have its turn by then.
    pub wait: Duration,
}

impl WritePace {
    /// Writes are made as they come, and nothing is told of them.
    pub const FREE: Self = Self { per_minute: None, per_hour: None, wait: Duration::ZERO };

    /// Whether there is no bound.
    pub(crate) fn is_free(&self) -> bool {
        self.per_minute.is_none() && self.per_hour.is_none()
    }

    /// Each bound with the time that it holds for.
    pub(super) fn bounds(&self) -> impl Iterator<Item = (u64, Duration)> {
        let bounds = [(self.per_minute, MINUTE), (self.per_hour, HOUR)];
        bounds.into_iter().filter_map(|(most, time)| Some((u64::from(most?.get()), time)))
    }
}

impl Default for WritePace {
    fn default() -> Self {
        Self {
            per_minute: NonZeroU32::new(80),
            per_hour: NonZeroU32::new(500),
            wait: Duration::from_secs(30),
        }
    }
}

/// What the writes of a payer come to, for reports.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WritesReport {
    /// Writes that all members have begun within a minute, as far as this one knows.
    pub in_minute: u64,
    /// Those within an hour.
    pub in_hour: u64,
    /// Writes that wait for their turn at this member.
    pub waiting: u64,
}

/// Most writes that wait at one node for their turn, for all payers. One beyond is refused at once.
pub const WRITES_WAITING_MAX: usize = 2048;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) const HOUR: Duration = Duration::from_secs(3600);
