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

    /// How long the peer is given the next time: by what `others` took if it has not answered yet, and `most` if they
    /// have not either.
    pub(crate) fn time(&self, others: &Self, most: Duration) -> Duration {
        let Some(usual) = self.within_deviations(4).or_else(|| others.within_deviations(4)) else {
            return most;
        };
        let granted = (usual * MARGIN).max(TIME_MIN).saturating_mul(1 << self.silences.min(8));
        granted.min(most)
    }

    /// Whether an answer has ever come.
    pub(crate) fn is_known(&self) -> bool {
        self.smoothed.is_some()
    }

    /// After what time without a word another member is asked as well: that which 19 of 20 answers kept to, of the peer
    /// or, if it has not answered yet, of `others`.
    pub(crate) fn hedge_after(&self, others: &Self) -> Duration {
        let usual = self.within_deviations(3).or_else(|| others.within_deviations(3));
        usual.map_or(HEDGE_AFTER_UNKNOWN, |usual| usual.max(HEDGE_AFTER_MIN))
    }

    /// The smoothed time and so many deviations; `None` before the first answer.
    fn within_deviations(&self, count: u64) -> Option<Duration> {
        Some(Duration::from_millis(self.smoothed? / 8 + self.deviation * count / 4))
    }
}

/// How many times as long as nearly all its answers took a peer is given: for a lost frame that is sent again, and
/// for a look at the disk.
const MARGIN: u32 = 4;

/// The shortest time that is given: a process may wait so long for the processor on a busy machine, and a lost frame is
/// sent again after 200 ms by TCP.
const TIME_MIN: Duration = Duration::from_millis(250);

/// The shortest time after which another member is asked as well. A process that shares its processors with many waits
/// some tens of milliseconds for its turn now and then, which says nothing about whether it lives.
const HEDGE_AFTER_MIN: Duration = Duration::from_millis(50);

/// The same while no member has answered anything yet: a round trip within a continent, and a turn on a busy machine.
const HEDGE_AFTER_UNKNOWN: Duration = Duration::from_millis(100);

const _: () = assert!(HEDGE_AFTER_MIN.as_millis() < TIME_MIN.as_millis());

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
        assert_eq!(Patience::default().time(&Patience::default(), MOST), MOST);
        assert_eq!(after([1; 20]).time(&Patience::default(), MOST), TIME_MIN);
        assert_eq!(
            after([1; 20]).time(&Patience::default(), Duration::from_millis(10)),
            Duration::from_millis(10)
        );
    }

    #[test]
    fn who_is_far_away_is_given_four_times_what_it_takes() {
        let time = after([100; 40]).time(&Patience::default(), MOST);
        assert!((400..=440).contains(&time.as_millis()), "{time:?}");
        assert_eq!(after([400; 40]).time(&Patience::default(), MOST), MOST);
    }

    #[test]
    fn one_answer_in_hundreds_at_most_comes_later_than_expected() {
        // Between 20 and 60 ms, now one way and now the other.
        let answers: Vec<u64> = (0..1000).map(|number| 20 + number * 7919 % 41).collect();
        let late = (100..1000).filter(|at| {
            let time = after(answers[..*at].iter().copied()).time(&Patience::default(), MOST);
            time < Duration::from_millis(answers[*at])
        });
        assert_eq!(late.count(), 0);
    }

    #[test]
    fn who_keeps_silent_is_given_twice_as_long_until_it_says_something() {
        let mut patience = after([1; 20]);
        patience.on_silence();
        assert_eq!(patience.time(&Patience::default(), MOST), 2 * TIME_MIN);
        patience.on_silence();
        patience.on_silence();
        assert_eq!(patience.time(&Patience::default(), MOST), MOST);
        patience.on_answer(Timestamp::from_unix_millis(1), Timestamp::from_unix_millis(2));
        assert_eq!(patience.time(&Patience::default(), MOST), TIME_MIN);
    }

    #[test]
    fn a_peer_that_is_not_known_yet_is_given_what_others_are() {
        let others = after([100; 40]);
        let mut unknown = Patience::default();
        assert_eq!(unknown.time(&others, MOST), others.time(&unknown, MOST));
        assert_eq!(unknown.hedge_after(&others), others.hedge_after(&unknown));
        unknown.on_silence();
        assert_eq!(unknown.time(&others, MOST), 2 * others.time(&unknown, MOST));
    }

    #[test]
    fn another_is_asked_after_the_time_that_nineteen_of_twenty_answers_keep_to() {
        // As exponential as whole milliseconds allow, around 100 ms: most are prompt, some take several times as long.
        let mut state = 7_u64;
        let answers = core::iter::repeat_with(|| {
            let mut took = 0;
            loop {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                took += 5;
                if (state >> 33).is_multiple_of(20) {
                    return took;
                }
            }
        });
        let answers: Vec<u64> = answers.take(1_000).collect();
        let late = (100..1000).filter(|at| {
            let after = after(answers[..*at].iter().copied()).hedge_after(&Patience::default());
            after < Duration::from_millis(answers[*at])
        });
        let late = late.count();
        assert!((9..=63).contains(&late), "{late} of 900");
    }

    #[test]
    fn no_other_is_asked_before_a_busy_process_has_had_its_turn() {
        assert_eq!(after([1; 20]).hedge_after(&Patience::default()), HEDGE_AFTER_MIN);
        assert_eq!(Patience::default().hedge_after(&Patience::default()), HEDGE_AFTER_UNKNOWN);
    }
}
