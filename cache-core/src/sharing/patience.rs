//! How long a peer is given to answer, by how long it took before.
//!
//! The arithmetic of TCP's retransmission timer (RFC 6298), in whole milliseconds: a smoothed time and how far single
//! ones stray from it. The two make a time that all but one answer in some hundreds keep to.

use crate::Timestamp;
use core::time::Duration;

/// What is known of one peer's promptness.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Patience {
    /// In eighths of a millisecond; `None` before the first answer.
    smoothed: Option<u64>,
    /// In quarters of a millisecond.
    deviation: u64,
    /// How often in a row it said nothing in the time that it was given.
    silences: u32,
}

impl Patience {
    /// The peer answered what it was asked at `asked_at`.
    pub(crate) fn on_answer(&mut self, asked_at: Timestamp, now: Timestamp) {
        let took = u64::try_from(now.saturating_since(asked_at).as_millis()).unwrap_or(u64::MAX / 16);
        let took = took.min(TIME_MILLIS_MAX);
        (self.smoothed, self.deviation) = match self.smoothed {
            None => (Some(took * 8), took * 2),
            Some(smoothed) => {
                let strays = took.abs_diff(smoothed / 8);
                (Some(smoothed - smoothed / 8 + took), self.deviation - self.deviation / 4 + strays)
            }
        };
        self.silences = 0;
    }

    /// The peer said nothing in time: perhaps it needs more time.
    pub(crate) fn on_silence(&mut self) {
        self.silences = self.silences.saturating_add(1);
    }

    /// How long the peer is given the next time: `most` if nothing is known of it.
    pub(crate) fn time(&self, most: Duration) -> Duration {
        let Some(smoothed) = self.smoothed else { return most };
        let usual = Duration::from_millis(smoothed / 8 + self.deviation);
        let granted = (usual * MARGIN).max(TIME_MIN).saturating_mul(1 << self.silences.min(8));
        granted.min(most)
    }
}

/// How many times as long as nearly all its answers took a peer is given: for a lost frame that is sent again, and
/// for a look at the disk.
const MARGIN: u32 = 4;

/// The shortest time that is given: a process may wait so long for the processor on a busy machine, and a lost frame is
/// sent again after 200 ms by TCP.
const TIME_MIN: Duration = Duration::from_millis(250);

/// The longest time that counts, in milliseconds.
const TIME_MILLIS_MAX: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const MOST: Duration = Duration::from_secs(1);

    fn after(answers: impl IntoIterator<Item = u64>) -> Patience {
        let mut patience = Patience::default();
        let asked_at = Timestamp::from_unix_millis(1_000);
        for took in answers {
            patience.on_answer(asked_at, asked_at.saturating_add(Duration::from_millis(took)));
        }
        patience
    }

    #[test]
    fn who_is_not_known_yet_is_given_the_most_and_who_is_prompt_the_least() {
        assert_eq!(Patience::default().time(MOST), MOST);
        assert_eq!(after([1; 20]).time(MOST), TIME_MIN);
        assert_eq!(after([1; 20]).time(Duration::from_millis(10)), Duration::from_millis(10));
    }

    #[test]
    fn who_is_far_away_is_given_four_times_what_it_takes() {
        let time = after([100; 40]).time(MOST);
        assert!((400..=440).contains(&time.as_millis()), "{time:?}");
        assert_eq!(after([400; 40]).time(MOST), MOST);
    }

    #[test]
    fn one_answer_in_hundreds_at_most_comes_later_than_expected() {
        // Between 20 and 60 ms, now one way and now the other.
        let answers: Vec<u64> = (0..1000).map(|number| 20 + number * 7919 % 41).collect();
        let late = (100..1000).filter(|at| {
            let time = after(answers[..*at].iter().copied()).time(MOST);
            time < Duration::from_millis(answers[*at])
        });
        assert_eq!(late.count(), 0);
    }

    #[test]
    fn who_keeps_silent_is_given_twice_as_long_until_it_says_something() {
        let mut patience = after([1; 20]);
        patience.on_silence();
        assert_eq!(patience.time(MOST), 2 * TIME_MIN);
        patience.on_silence();
        patience.on_silence();
        assert_eq!(patience.time(MOST), MOST);
        patience.on_answer(Timestamp::from_unix_millis(1), Timestamp::from_unix_millis(2));
        assert_eq!(patience.time(MOST), TIME_MIN);
    }
}
