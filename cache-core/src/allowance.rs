//! What one answer of the origin shows of an allowance.

use crate::{Bucket, Domain, Payer, Timestamp};
use alloc::boxed::Box;
use core::time::Duration;

/// What one answer of the origin showed of an allowance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allowance {
    /// The payer whose allowance it is.
    pub payer: Payer,
    /// The domain for which the payer called. Several payers may call for one domain.
    pub domain: Domain,
    /// The allowance in the origin's words, such as `core` or `search`: at most [`RESOURCE_BYTES_MAX`] bytes.
    pub resource: Box<str>,
    /// The number under which calls that draw on it are planned; `None` where none are.
    pub bucket: Option<Bucket>,
    /// The numbers that the answer showed.
    pub window: Window,
}

/// How an allowance stands within its window. The numbers are calls, or what else the origin counts them in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// Calls that the window allows.
    pub limit: u64,
    /// Calls that are left of them.
    pub remaining: u64,
    /// Calls that were made in the window.
    pub used: u64,
    /// When the next window begins, by the origin's clock.
    pub reset: Timestamp,
}

impl Window {
    /// Takes `other` if it is the later word on the allowance: of a later window, or of the same with more used. Returns
    /// whether it was.
    ///
    /// Answers overtake one another, and members tell of them in any order, more than once. Since of any two windows one is
    /// the later word, members that have heard the same answers have the same window.
    pub(crate) fn join(&mut self, other: Self) -> bool {
        let is_later = other.order() > self.order();
        if is_later {
            *self = other;
        }
        is_later
    }

    /// Whether both may be words on one window. GitHub's ends of one are a second apart at times.
    pub(crate) fn is_one_with(&self, other: &Self) -> bool {
        let later = self.reset.max(other.reset);
        let apart = later.saturating_since(self.reset.min(other.reset));
        self.limit == other.limit && apart <= Duration::from_secs(1)
    }

    fn order(&self) -> (Timestamp, u64, u64, u64) {
        (self.reset, self.used, self.limit, self.remaining)
    }
}

/// Longest name of an allowance, in bytes. GitHub's longest has 27.
pub const RESOURCE_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window() -> impl Strategy<Value = Window> {
        (0..4u64, 0..4u64, 0..4u64, 0..3u64).prop_map(|(limit, remaining, used, reset)| Window {
            limit,
            remaining,
            used,
            reset: Timestamp::from_unix_millis(reset),
        })
    }

    proptest! {
        #[test]
        fn whatever_the_order_in_which_answers_are_heard_and_however_often_one_window_is_left(
            windows in prop::collection::vec(window(), 1..8),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..16),
        ) {
            let mut straight = windows[0];
            windows.iter().for_each(|window| _ = straight.join(*window));
            let mut mixed = *order.first().map_or(&windows[0], |first| first.get(&windows));
            order.iter().for_each(|at| _ = mixed.join(*at.get(&windows)));
            windows.iter().rev().for_each(|window| _ = mixed.join(*window));
            prop_assert_eq!(straight, mixed);
            prop_assert!(windows.iter().all(|window| window.order() <= straight.order()));
        }
    }
}
