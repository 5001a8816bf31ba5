//! Which payers draw on one allowance.
//!
//! A user's several tokens, and the tokens that an App is given one after another, are several credentials and one payer to the
//! origin. No credential says so; what the origin shows does: the same limit, the same end of the window, and a use that moves
//! on whichever of them calls. Payers are joined by that alone, and parted when it no longer holds. Joining changes no
//! account: it says which are to be read together.

use super::{Account, Payer};
use crate::{Allowance, Timestamp, Window};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// What is known of payers that may be one.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// Those that were seen in one window, in order; at most [`PAIRS_MAX`].
    pairs: BTreeMap<(Payer, Payer), Pair>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    /// How often in turn the next use was shown after the other's.
    run: u32,
    /// How many of those turns were of a payer that showed the next use more than once in it.
    long_turns: u32,
    /// How often more the last one has shown the next use in its turn.
    growths: u32,
    /// The one that was seen last.
    last: Payer,
    /// When the last window ends that both were seen in.
    reset: Timestamp,
    is_joined: bool,
}

impl Joining {
    /// Takes note of what was `shown` of a payer, to this node itself or to another, among how all `accounts` stood before.
    pub(super) fn observe(&mut self, shown: &Allowance, to: ShownTo, accounts: &[Account], now: Timestamp) {
        if shown.payer == Payer::HOST || shown.window.reset <= now {
            return;
        }
        let alike =
            |it: &&Account| it.allowance.resource == shown.resource && it.allowance.window.reset > now;
        let before = accounts.iter().filter(alike).find(|it| it.allowance.payer == shown.payer);
        let before = before.map(|before| before.allowance.window.used);
        let others = accounts.iter().filter(alike).filter(|it| it.allowance.payer != shown.payer);
        for other in others.filter(|it| it.allowance.payer != Payer::HOST) {
            let is_watched =
                other.samples.front().is_some_and(|(at, _)| now.saturating_since(*at) >= WATCHED_FOR);
            let is_recent = now.saturating_since(other.noted) <= HANDS_OVER_WITHIN;
            let step = match before {
                None if is_watched && is_recent => Step::TakesOver,
                None => Step::Other,
                Some(before) if shown.window.used <= before => Step::Free,
                Some(before) => {
                    let follows = shown.window.used == before.max(other.allowance.window.used) + 1;
                    if follows && to == ShownTo::Here { Step::Follows } else { Step::Other }
                }
            };
            self.compare(shown, &other.allowance, step, now);
        }
    }

    /// The payers that draw on the same allowances as `payer`, itself too, in order.
    pub(super) fn group(&self, payer: Payer) -> Vec<Payer> {
        let mut group = BTreeSet::from([payer]);
        let mut found = Vec::from([payer]);
        while let Some(one) = found.pop() {
            let joined = self.pairs.iter().filter(|(_, pair)| pair.is_joined);
            for (first, second) in joined.map(|(payers, _)| *payers) {
                let other = if first == one { second } else { first };
                if (first == one || second == one) && group.insert(other) {
                    found.push(other);
                }
            }
        }
        group.into_iter().collect()
    }

    /// Compares what is `shown` with what is known of an `other` payer.
    fn compare(&mut self, shown: &Allowance, other: &Allowance, step: Step, now: Timestamp) {
        let key = (shown.payer.min(other.payer), shown.payer.max(other.payer));
        if !is_one_window(&shown.window, &other.window) {
            let goes_on = other.window.reset > now.saturating_add(CLOCKS_APART);
            if let Some(pair) = self.pairs.get_mut(&key).filter(|_| goes_on) {
                *pair = Pair { is_joined: false, ..pair.anew() };
            }
            return;
        }
        let Some(pair) = self.pair(key, other.payer, now) else { return };
        pair.reset = pair.reset.max(shown.window.reset);
        if pair.is_joined {
            // Answers overtake one another, and members tell of them later still.
            let behind = other.window.used.saturating_sub(shown.window.used);
            pair.is_joined = behind <= slack(shown.window.limit);
            return;
        }
        match step {
            Step::Free => {}
            Step::Follows => *pair = pair.followed_by(shown.payer),
            Step::TakesOver => {
                let ahead = shown.window.used.checked_sub(other.window.used);
                pair.is_joined = ahead.is_some_and(|ahead| ahead <= TAKEN_OVER_MAX)
                    && shown.window.used >= TAKEN_OVER_LEAST;
                pair.last = shown.payer;
            }
            Step::Other => *pair = Pair { last: shown.payer, ..pair.anew() },
        }
    }

    /// Beyond [`PAIRS_MAX`], those whose windows are over are forgotten; if none is, a new pair is not watched.
    fn pair(&mut self, key: (Payer, Payer), last: Payer, now: Timestamp) -> Option<&mut Pair> {
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&key) {
            self.pairs.retain(|_, pair| pair.reset > now);
            if self.pairs.len() >= PAIRS_MAX {
                return None;
            }
        }
        let new = Pair { run: 0, long_turns: 0, growths: 0, last, reset: now, is_joined: false };
        Some(self.pairs.entry(key).or_insert(new))
    }
}

/// How a use stands to what was known of two payers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// It is the next after all that was known of both: one count has moved on by one call.
    Follows,
    /// It has not grown: a call cost nothing, or its answer was overtaken. That says nothing.
    Free,
    /// The payer is seen for the first time, and the other was seen until now.
    TakesOver,
    /// Anything else, such as a use that has grown by calls of which nothing is known.
    Other,
}

/// To which node an answer showed a use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ShownTo {
    /// This node made the call.
    Here,
    /// Another, which told of it some time later.
    Elsewhere,
}

impl Pair {
    /// `payer` shows the next use.
    fn followed_by(self, payer: Payer) -> Self {
        if self.last == payer {
            return Self { growths: self.growths + 1, ..self };
        }
        let long_turns = self.long_turns + u32::from(self.growths >= 1);
        let run = self.run + 1;
        let is_joined = run >= RUN_LEAST && long_turns >= LONG_TURNS_LEAST;
        Self { run, long_turns, growths: 0, last: payer, is_joined, ..self }
    }

    fn anew(self) -> Self {
        Self { run: 0, long_turns: 0, growths: 0, ..self }
    }
}

/// Whether both may be words on one window. GitHub's ends of one are a second apart at times.
fn is_one_window(one: &Window, other: &Window) -> bool {
    let apart = one.reset.saturating_since(other.reset).max(other.reset.saturating_since(one.reset));
    one.limit == other.limit && apart <= Duration::from_secs(1)
}

/// The later word of two on what payers that are one have used: in one window, the higher use, whichever end is told of it.
pub(super) fn later(one: Window, other: Window) -> Window {
    let is_other = if is_one_window(&one, &other) && one.used != other.used {
        other.used > one.used
    } else {
        let mut later = one;
        later.join(other)
    };
    if is_other { other } else { one }
}

/// How far a payer that is joined may lag behind the other: a hundredth of the limit.
fn slack(limit: u64) -> u64 {
    (limit / 100).max(SLACK_LEAST)
}

/// Less than so many calls say nothing: they may have been under way together.
const SLACK_LEAST: u64 = 8;

/// So often in turn each payer has to show the next use after the other's.
const RUN_LEAST: u32 = 8;

/// So many of those turns have to be of a payer that showed the next use more than once in it. Of two that are counted apart, each
/// counts its own calls alone: it shows the next use after the other's by chance, if calls that this node does not see make up for
/// the other's. In a longer turn they would have to stop.
const LONG_TURNS_LEAST: u32 = 2;

/// A payer hands over that was seen for this time in the window: after a start everybody is new.
const WATCHED_FOR: Duration = Duration::from_secs(60);

/// A payer that was never seen takes over from another that was seen in this time before, if their use is one: an App gets
/// a new token before the old one ends.
const HANDS_OVER_WITHIN: Duration = Duration::from_secs(300);

/// A window that ends within this time may be over by the origin's clock.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// By so many calls at most it goes on: those that this node may not have heard of yet.
const TAKEN_OVER_MAX: u64 = 8;

/// The least use by which that is believed: anybody begins with little.
const TAKEN_OVER_LEAST: u64 = 20;

/// Most pairs that are watched: those of thirty payers in one window.
const PAIRS_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bucket, Domain};

    fn payer(number: u16) -> Payer {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        Payer::from_bytes(bytes)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000_000 + seconds * 1_000)
    }

    /// What was seen so far, as the ledger keeps it.
    #[derive(Default)]
    struct Seen {
        joining: Joining,
        accounts: Vec<Account>,
        now: u64,
    }

    impl Seen {
        /// An answer to payer `number` shows `used` of a window that ends in second `reset`.
        fn shows(&mut self, number: u16, used: u64, reset: u64) {
            self.is_told(ShownTo::Here, number, used, reset);
        }

        fn is_told(&mut self, to: ShownTo, number: u16, used: u64, reset: u64) {
            self.now += 1;
            let window = Window { limit: 5_000, remaining: 5_000 - used, used, reset: at(reset) };
            let shown = Allowance {
                payer: payer(number),
                domain: Domain::ANONYMOUS,
                resource: "core".into(),
                bucket: Some(Bucket(0)),
                window,
            };
            self.joining.observe(&shown, to, &self.accounts, at(self.now));
            match self.accounts.iter_mut().find(|it| it.allowance.payer == payer(number)) {
                Some(account) => _ = account.join(window, at(self.now)),
                None => self.accounts.push(Account::new(shown, at(self.now))),
            }
        }

        fn are_one(&self, one: u16, other: u16) -> bool {
            self.joining.group(payer(one)).contains(&payer(other))
        }
    }

    #[test]
    fn payers_that_take_turns_at_one_count_are_one() {
        let (mut seen, mut used) = (Seen::default(), 2);
        seen.shows(1, 1, 3_600);
        seen.shows(2, 2, 3_600);
        for turn in 0..8 {
            for _ in 0..if turn == 3 || turn == 5 { 2 } else { 1 } {
                used += 1;
                seen.shows(1 + turn % 2, used, 3_600);
            }
            assert_eq!(seen.are_one(1, 2), turn == 7, "{turn}");
        }
        assert!(seen.are_one(1, 2) && seen.are_one(2, 1));
        assert_eq!(seen.joining.group(payer(3)), [payer(3)]);
    }

    #[test]
    fn even_turns_alone_join_nobody() {
        // A query of five points each, or a call outside of the fleet between any two.
        for steps in [[5, 5], [2, 2], [1, 1]] {
            let (mut seen, mut used) = (Seen::default(), [0, steps[0] / 2]);
            for _ in 0..200 {
                for which in [0, 1] {
                    used[which] += steps[which];
                    seen.shows(which as u16 + 1, used[which], 3_600);
                }
            }
            assert!(!seen.are_one(1, 2), "{steps:?}");
        }
    }

    #[test]
    fn payers_that_are_counted_apart_are_not_one_though_they_begin_together_and_take_turns() {
        for (one, other) in [(1, 1), (1, 2), (2, 3), (3, 1)] {
            let (mut seen, mut used) = (Seen::default(), [0, 0]);
            for _ in 0..400 {
                for (which, calls) in [(0, one), (1, other)] {
                    used[which] += calls;
                    seen.shows(which as u16 + 1, used[which], 3_600);
                    assert!(!seen.are_one(1, 2), "{one} and {other}: {used:?}");
                }
            }
        }
    }

    #[test]
    fn bots_of_several_nodes_that_call_in_step_are_not_one() {
        // Two payers, counted apart, whose calls go round three nodes: what one node is shown, with and without what others tell.
        for (nodes, tells) in [(2, false), (3, false), (3, true), (5, false), (5, true), (7, true)] {
            for turn in [1, 2, 3] {
                let (mut seen, mut used) = (Seen::default(), [0, 0]);
                for call in 0..2_000 {
                    let which = call / turn % 2;
                    used[which] += 1;
                    let number = which as u16 + 1;
                    if call % nodes == 0 {
                        seen.shows(number, used[which], 36_000);
                    } else if tells && call % 4 == 1 {
                        seen.is_told(ShownTo::Elsewhere, number, used[which], 36_000);
                    }
                    assert!(!seen.are_one(1, 2), "{nodes} nodes, {tells}, turns of {turn}: {used:?}");
                }
            }
        }
    }

    #[test]
    fn calls_that_cost_nothing_neither_join_nor_part() {
        let mut seen = Seen::default();
        (0..50).for_each(|call| seen.shows(1 + call % 2, 7, 3_600));
        assert!(!seen.are_one(1, 2));
        (0..20).for_each(|call| seen.shows(1 + (call / 2) % 2, 8 + u64::from(call), 3_600));
        assert!(seen.are_one(1, 2));
        (0..50).for_each(|call| seen.shows(1 + call % 2, 27, 3_600));
        assert!(seen.are_one(1, 2));
    }

    #[test]
    fn a_new_token_goes_on_where_the_one_before_it_has_left_off() {
        let mut seen = Seen::default();
        seen.shows(1, 900, 3_600);
        seen.now += 60;
        seen.shows(2, 901, 3_601);
        assert!(seen.are_one(1, 2), "the ends of one window may be a second apart");
        // And so on, each hour.
        seen.now += 60;
        seen.shows(3, 902, 3_600);
        assert_eq!(seen.joining.group(payer(2)), [1, 2, 3].map(payer));
    }

    #[test]
    fn a_new_payer_with_a_window_or_a_use_of_its_own_takes_over_from_nobody() {
        for (used, reset) in [(1, 3_600), (899, 3_600), (909, 3_600), (901, 3_602)] {
            let mut seen = Seen::default();
            seen.shows(1, 900, 3_600);
            seen.now += 60;
            seen.shows(2, used, reset);
            assert!(!seen.are_one(1, 2), "{used} until {reset}");
        }
        let mut seen = Seen::default();
        seen.shows(1, 900, 3_600);
        seen.now += 58;
        seen.shows(2, 901, 3_600);
        assert!(!seen.are_one(1, 2), "after a start everybody is new");
        let mut seen = Seen::default();
        seen.shows(1, 3, 3_600);
        seen.now += 60;
        seen.shows(2, 4, 3_600);
        assert!(!seen.are_one(1, 2), "anybody begins with little");
        let mut seen = Seen::default();
        seen.shows(1, 900, 3_600);
        seen.now += 301;
        seen.shows(2, 901, 3_600);
        assert!(!seen.are_one(1, 2), "the former was silent for long");
    }

    #[test]
    fn payers_whose_use_or_windows_part_are_parted() {
        for (used, reset) in [(849, 3_600), (1, 7_200)] {
            let mut seen = Seen::default();
            seen.shows(1, 900, 3_600);
            seen.now += 60;
            seen.shows(2, 901, 3_600);
            seen.shows(1, 903, 3_600);
            seen.shows(2, 902, 3_600);
            assert!(seen.are_one(1, 2), "an answer was overtaken");
            seen.shows(2, used, reset);
            assert!(!seen.are_one(1, 2), "{used} until {reset}");
        }
    }

    #[test]
    fn what_belongs_together_does_so_in_the_next_window() {
        let mut seen = Seen::default();
        seen.shows(1, 900, 200);
        seen.now += 60;
        seen.shows(2, 901, 200);
        seen.now = 201;
        seen.shows(2, 1, 3_700);
        seen.shows(1, 2, 3_700);
        assert!(seen.are_one(1, 2));
    }

    #[test]
    fn beyond_the_bound_no_pair_is_watched_until_windows_end() {
        let mut seen = Seen::default();
        (0..40).for_each(|number| seen.shows(number + 1, 100 * u64::from(number), 200));
        assert_eq!(seen.joining.pairs.len(), PAIRS_MAX);
        seen.now = 200;
        seen.shows(100, 1, 3_700);
        seen.shows(101, 1, 3_700);
        assert_eq!(seen.joining.pairs.len(), 1);
    }
}
