//! Which requests may spend the last of an allowance: classes of calls, and what is kept from each.

use crate::{Failure, Timestamp, Window};
use core::{fmt, str::FromStr};

/// How much a request matters to those that share its payer's allowance, the least first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// It can wait for the next window: sweeps, mirrors, reports.
    Batch,
    /// As requests are that say nothing.
    #[default]
    Normal,
    /// It may spend the allowance to its end.
    Critical,
}

impl Priority {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Normal, Self::Critical];

    /// The word for it that users write.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Normal => "normal",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no [`Priority`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a priority is one of batch, normal and critical")]
pub struct UnknownPriority;

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(word: &str) -> Result<Self, UnknownPriority> {
        Self::ALL.into_iter().find(|priority| priority.name() == word).ok_or(UnknownPriority)
    }
}

/// The share of each window that calls of a class leave to those above it. What is kept from a class is kept from those below
/// it as well.
///
/// All members of a fleet should have the same: each keeps its own, and tells the others what it has seen in time for
/// theirs.
///
/// ```
/// # use cache_core::{Priority, Reserves};
/// let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap();
/// assert_eq!(reserves.kept_from(Priority::Batch, 5000), 1000);
/// assert_eq!(reserves.kept_from(Priority::Normal, 5000), 0);
/// let reserves = Reserves::NONE.with(Priority::Normal, 5).unwrap();
/// assert_eq!(reserves.kept_from(Priority::Batch, 5000), 250);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reserves {
    batch_percent: u8,
    normal_percent: u8,
}

impl Reserves {
    /// Calls of every class may spend all.
    pub const NONE: Self = Self { batch_percent: 0, normal_percent: 0 };

    /// The same, with `percent` of each window kept from calls of `class`; `None` if that is more than a hundred, or if
    /// something would be kept from critical calls.
    pub const fn with(self, class: Priority, percent: u8) -> Option<Self> {
        match class {
            _ if percent > 100 => None,
            Priority::Batch => Some(Self { batch_percent: percent, ..self }),
            Priority::Normal => Some(Self { normal_percent: percent, ..self }),
            Priority::Critical => None,
        }
    }

    /// The percentage of each window that is kept from calls of `class`.
    pub const fn percent(&self, class: Priority) -> u8 {
        match class {
            Priority::Batch if self.batch_percent < self.normal_percent => self.normal_percent,
            Priority::Batch => self.batch_percent,
            Priority::Normal => self.normal_percent,
            Priority::Critical => 0,
        }
    }

    /// How many calls of a window of `limit` are kept from calls of `class`, rounded up.
    pub fn kept_from(&self, class: Priority, limit: u64) -> u64 {
        let hundredths = u128::from(limit) * u128::from(self.percent(class));
        u64::try_from(hundredths.div_ceil(100)).unwrap_or(u64::MAX)
    }

    /// How many calls are left before the next class has to stop; `None` if none has to any more.
    pub(crate) fn next_stop(&self, window: &Window) -> Option<u64> {
        let kept = Priority::ALL.into_iter().map(|class| self.kept_from(class, window.limit));
        kept.filter(|kept| *kept > 0).filter_map(|kept| window.remaining.checked_sub(kept)).min()
    }
}

/// What the ledger says of a call that is about to be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// It may be made.
    Go,
    /// It is to be asked again then: too many are under way for what is left.
    Wait(Timestamp),
    /// The same, as calls return slowly after a pause; what may stand in for the origin during a pause may now.
    Return(Timestamp),
    /// It is not made.
    Refused(Failure),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_nothing_is_kept_from_critical_calls() {
        let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap().with(Priority::Normal, 5).unwrap();
        for (limit, batch, normal) in [(5000, 1000, 250), (100, 20, 5), (30, 6, 2), (1, 1, 1), (0, 0, 0)] {
            let kept = Priority::ALL.map(|class| reserves.kept_from(class, limit));
            assert_eq!(kept, [batch, normal, 0], "{limit}");
        }
        assert_eq!(reserves.kept_from(Priority::Batch, u64::MAX), u64::MAX / 5);
        assert_eq!(Reserves::NONE.with(Priority::Batch, 101), None);
        assert_eq!(Reserves::NONE.with(Priority::Critical, 1), None);
    }

    #[test]
    fn what_is_kept_from_a_class_is_kept_from_those_below_it() {
        for batch in [0, 5, 19] {
            let reserves =
                Reserves::NONE.with(Priority::Batch, batch).unwrap().with(Priority::Normal, 20).unwrap();
            let kept = Priority::ALL.map(|class| reserves.kept_from(class, 100));
            assert_eq!(kept, [20, 20, 0], "{batch}");
        }
    }

    #[test]
    fn the_next_stop_is_that_of_the_class_which_has_to_stop_first() {
        let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap().with(Priority::Normal, 5).unwrap();
        let window = |remaining| Window { limit: 100, remaining, ..Window::default() };
        let stops = [100, 21, 20, 19, 5, 4].map(|remaining| reserves.next_stop(&window(remaining)));
        assert_eq!(stops, [Some(80), Some(1), Some(0), Some(14), Some(0), None]);
        assert_eq!(Reserves::NONE.next_stop(&window(50)), None);
    }

    #[test]
    fn a_priority_is_read_as_it_is_written() {
        for priority in Priority::ALL {
            assert_eq!(priority.name().parse(), Ok(priority));
        }
        assert_eq!("urgent".parse::<Priority>(), Err(UnknownPriority));
    }
}
