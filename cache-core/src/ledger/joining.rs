//! Which payers draw on one allowance.
//!
//! A user's several tokens, and the tokens that an App is given one after another, are several credentials and one payer to the
//! origin. No credential says so; what the origin shows does: the same limit, the same end of the window, and one count, in which
//! each call has a number of its own. Payers are joined by that alone, and parted when it no longer holds. Joining changes no
//! account: it says which are to be read together.

use super::{Account, Payer, evidence};
use crate::{Allowance, Timestamp, Window};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// What is known of payers that may be one.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// For how long what shows that payers are one has to stand before they are joined.
    settles_for: Duration,
    /// Those that are or were found to be one or not, in order; at most [`PAIRS_MAX`].
    pairs: BTreeMap<(Payer, Payer), Pair>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    state: State,
    /// When the last window ends that both were seen in.
    reset: Timestamp,
}

/// Nothing else is known of payers that are not among the pairs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// They are counted apart. That holds until their window ends.
    Apart,
    /// The origin counts them together, and so are they here.
    Joined,
    /// It was shown that they are one, at this moment.
    Shown(Timestamp),
}

impl Joining {
    /// Among several members, another may know of calls that show the contrary; it tells of them.
    pub(super) fn new(has_members: bool) -> Self {
        let settles_for = if has_members { SETTLES_FOR } else { Duration::ZERO };
        Self { settles_for, pairs: BTreeMap::new() }
    }

    /// Takes note of what is `shown` of a payer, among how all `accounts` stood before.
    pub(super) fn observe(&mut self, shown: &Allowance, accounts: &[Account], now: Timestamp) {
        if shown.payer == Payer::HOST || shown.window.reset <= now {
            return;
        }
        let alike =
            |it: &&Account| it.allowance.resource == shown.resource && it.allowance.window.reset > now;
        for other in accounts.iter().filter(alike).map(|other| &other.allowance) {
            let key = key_of(shown.payer, other.payer);
            let Some(pair) = self.pairs.get_mut(&key).filter(|pair| pair.state != State::Apart) else {
                continue;
            };
            let reset = pair.reset.max(shown.window.reset);
            let parts = if shown.window.is_one_with(&other.window) {
                // Answers overtake one another, and members tell of them later still.
                let behind = other.window.used.saturating_sub(shown.window.used);
                behind > slack(shown.window.limit)
            } else {
                other.window.reset > now.saturating_add(CLOCKS_APART)
            };
            *pair = Pair { state: if parts { State::Apart } else { pair.state }, reset };
        }
    }

    /// Compares the calls of `payer`, of which there is news, with those of others. The `accounts` of all are of one window.
    ///
    /// Two others are compared when there is news of one of them: with hundreds of payers, there are too many pairs to look at
    /// all of them after each answer.
    pub(super) fn compare(&mut self, payer: Payer, accounts: &[&Account], now: Timestamp) {
        let Some(one) = accounts.iter().find(|account| account.allowance.payer == payer) else { return };
        for other in accounts.iter().filter(|other| other.allowance.payer != payer) {
            let payers = (payer, other.allowance.payer);
            let reset = one.allowance.window.reset;
            let known = self.pairs.get(&key_of(payers.0, payers.1)).map(|pair| (pair.state, pair.reset));
            let known = known.filter(|(state, reset)| *state != State::Apart || *reset > now);
            match known.map(|(state, _)| state) {
                Some(State::Apart) => {}
                None | Some(State::Joined | State::Shown(_)) if one.numbers.meet(&other.numbers) => {
                    self.contradict(payers, reset, now);
                }
                Some(State::Joined | State::Shown(_)) => {}
                None if evidence::are_one(one, other, accounts) && !self.contradicts_itself(payers) => {
                    self.enter(payers, Pair { state: State::Shown(now), reset }, now);
                }
                None => {}
            }
        }
        self.settle(now);
    }

    /// The two payers have shown that they are counted apart, in the window that ends at `reset`.
    pub(super) fn contradict(&mut self, payers: (Payer, Payer), reset: Timestamp, now: Timestamp) {
        self.enter(payers, Pair { state: State::Apart, reset }, now);
        // One of two that are joined with both is not the same payer as both, and it is not known which.
        let third = self.one_with(payers.0).find(|third| self.is_one(payers.1, *third));
        if let Some(third) = third {
            self.pairs.remove(&key_of(payers.0, third));
            self.pairs.remove(&key_of(payers.1, third));
        }
    }

    /// Whether another is the same payer as one of these and not as the other, so that these are not one either.
    fn contradicts_itself(&self, (one, other): (Payer, Payer)) -> bool {
        let is_apart = |payer: Payer, third: Payer| {
            self.pairs.get(&key_of(payer, third)).is_some_and(|pair| pair.state == State::Apart)
        };
        self.one_with(one).any(|third| is_apart(other, third))
            || self.one_with(other).any(|third| is_apart(one, third))
    }

    /// Those that are the same payer as `payer`, or were shown to be.
    fn one_with(&self, payer: Payer) -> impl Iterator<Item = Payer> {
        let are_one = self.pairs.iter().filter(|(_, pair)| pair.state != State::Apart);
        are_one.filter_map(move |((first, second), _)| match () {
            () if *first == payer => Some(*second),
            () if *second == payer => Some(*first),
            () => None,
        })
    }

    fn is_one(&self, payer: Payer, other: Payer) -> bool {
        let pair = self.pairs.get(&key_of(payer, other));
        pair.is_some_and(|pair| matches!(pair.state, State::Joined | State::Shown(_)))
    }

    /// When the next are to be joined, unless the contrary is heard before.
    pub(super) fn next_joined(&self) -> Option<Timestamp> {
        let shown = self.pairs.values().filter_map(|pair| match pair.state {
            State::Shown(since) => Some(since),
            State::Apart | State::Joined => None,
        });
        shown.min().map(|since| since.saturating_add(self.settles_for))
    }

    /// Joins those whose time has come.
    pub(super) fn settle(&mut self, now: Timestamp) {
        for pair in self.pairs.values_mut() {
            if matches!(pair.state, State::Shown(since) if now.saturating_since(since) >= self.settles_for) {
                pair.state = State::Joined;
            }
        }
    }

    /// The payers that draw on the same allowances as `payer`, itself too, in order.
    pub(super) fn group(&self, payer: Payer) -> Vec<Payer> {
        let mut group = BTreeSet::from([payer]);
        let mut found = Vec::from([payer]);
        while let Some(one) = found.pop() {
            let joined = self.pairs.iter().filter(|(_, pair)| pair.state == State::Joined);
            for (first, second) in joined.map(|(payers, _)| *payers) {
                let other = if first == one { second } else { first };
                if (first == one || second == one) && group.insert(other) {
                    found.push(other);
                }
            }
        }
        group.into_iter().collect()
    }

    /// Beyond [`PAIRS_MAX`], those whose windows are over are forgotten; if none is, a pair that is one takes the place of one that is
    /// not, and a new one that is not one is not watched: it is found out again.
    fn enter(&mut self, (one, other): (Payer, Payer), pair: Pair, now: Timestamp) {
        let key = key_of(one, other);
        if self.pairs.len() >= PAIRS_MAX && !self.pairs.contains_key(&key) {
            self.pairs.retain(|_, pair| pair.reset > now);
        }
        if self.pairs.len() >= PAIRS_MAX && pair.state != State::Apart && !self.pairs.contains_key(&key) {
            let least = self.pairs.iter().find(|(_, pair)| pair.state == State::Apart).map(|(key, _)| *key);
            least.and_then(|key| self.pairs.remove(&key));
        }
        if self.pairs.len() < PAIRS_MAX || self.pairs.contains_key(&key) {
            self.pairs.insert(key, pair);
        }
    }
}

fn key_of(one: Payer, other: Payer) -> (Payer, Payer) {
    (one.min(other), one.max(other))
}

/// The later word of two on what payers that are one have used: in one window, the higher use, whichever end is told of it.
pub(super) fn later(one: Window, other: Window) -> Window {
    let is_other = if one.is_one_with(&other) && one.used != other.used {
        other.used > one.used
    } else {
        let mut later = one;
        later.join(other)
    };
    if is_other { other } else { one }
}

/// How far a payer that is joined may lag behind the other: a twentieth of the limit.
fn slack(limit: u64) -> u64 {
    (limit / 20).max(SLACK_LEAST)
}

/// Less than so many calls say nothing: they may have been under way together, or not told of yet.
const SLACK_LEAST: u64 = 32;

/// In this time each member hears what any other has seen: they tell of calls after a second.
const SETTLES_FOR: Duration = Duration::from_secs(3);

/// A window that ends within this time may be over by the origin's clock.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// Most pairs that are known: those of thirty payers in one window.
const PAIRS_MAX: usize = 512;

#[cfg(test)]
mod tests;
