//! For how long the origin wants to be left alone.
//!
//! Owns the moments until which calls are held back, for each payer, as a whole or for one of its allowances.

use crate::{Bucket, Domain, Timestamp};
use alloc::collections::BTreeMap;
use core::{fmt, time::Duration};

/// The owner of the allowances that a call draws on: a digest of its credential, or this host for calls without one.
///
/// An origin counts the calls of each credential, whichever others may read the same answers. So pauses are the
/// payer's, and members tell one another of them by the digest.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Payer([u8; 16]);

impl Payer {
    /// Calls without a credential, which an origin counts by the address that they come from. Every host is another
    /// payer then, so no other member is told of its pauses, or believed about them.
    pub const HOST: Self = Self([0; 16]);

    /// The payer with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl From<Domain> for Payer {
    /// The payer of a domain that has one credential, or none, for all its readers.
    fn from(domain: Domain) -> Self {
        Self(*domain.as_bytes())
    }
}

impl fmt::Display for Payer {
    /// The first eight digits: enough to tell payers apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HOST => f.write_str("this host"),
            Self(bytes) => bytes[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for Payer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payer({self})")
    }
}

/// Why an origin wants to be left alone by a payer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shortage {
    /// Too many calls at once, or in a short time, whatever is left of the window's allowance.
    Pace,
    /// The window's allowance is spent.
    Window {
        /// Calls that the window allows.
        limit: u64,
        /// Calls made in it.
        used: u64,
    },
}

/// A moment until which calls are held back, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pause {
    pub(crate) until: Timestamp,
    pub(crate) shortage: Shortage,
}

/// The allowances that are spent, and when they return.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// By payer and allowance; without one, all that the payer has.
    spent: BTreeMap<Concerned, Held>,
}

/// What a pause holds back: the calls of a payer that draw on one allowance, or all.
pub(super) type Concerned = (Payer, Option<Bucket>);

/// A pause, with the allowance that a call drew on when it was asked for.
#[derive(Clone, Copy, Debug)]
struct Held {
    pause: Pause,
    asked_of: Bucket,
}

impl Pauses {
    /// Holds calls back for `time`, at most [`PAUSE_MAX`], or for longer if that was asked for before: those that draw on
    /// the allowance that is spent, or all of the payer's if it called too often.
    ///
    /// Among more than [`SPENT_MAX`], the allowance that returns first is forgotten.
    ///
    /// Returns what is held back, and until when.
    pub(super) fn hold(
        &mut self,
        payer: Payer,
        bucket: Bucket,
        now: Timestamp,
        time: Duration,
        shortage: Shortage,
    ) -> (Concerned, Timestamp) {
        let pause = Pause { until: now.saturating_add(time.min(PAUSE_MAX)), shortage };
        let concerned = match shortage {
            Shortage::Pace => (payer, None),
            Shortage::Window { .. } => (payer, Some(bucket)),
        };
        let new = Held { pause, asked_of: bucket };
        let held = self.spent.entry(concerned).or_insert(new);
        if held.pause.until < pause.until {
            *held = new;
        }
        let until = held.pause.until;
        if self.spent.len() > SPENT_MAX {
            let first = self.spent.iter().min_by_key(|(_, held)| held.pause.until).map(|(spent, _)| *spent);
            self.spent.remove(&first.expect("the map has more than SPENT_MAX elements"));
        }
        (concerned, until)
    }

    /// The pause that holds calls back which would draw on `bucket`; `None` if they are free to go.
    pub(super) fn held(&mut self, payer: Payer, bucket: Bucket, now: Timestamp) -> Option<Pause> {
        for concerned in [Some(bucket), None] {
            if self.spent.get(&(payer, concerned)).is_some_and(|held| held.pause.until <= now) {
                self.spent.remove(&(payer, concerned));
            }
        }
        self.last(payer, bucket, now)
    }

    /// The same, and what is over stays where it is.
    pub(super) fn last(&self, payer: Payer, bucket: Bucket, now: Timestamp) -> Option<Pause> {
        let held = [Some(bucket), None].map(|concerned| self.spent.get(&(payer, concerned)));
        let pauses = held.into_iter().flatten().map(|held| held.pause).filter(|pause| pause.until > now);
        pauses.max_by_key(|pause| pause.until)
    }

    /// The pauses that go on, with the payer and the allowance that each was asked for.
    pub(super) fn all(&self, now: Timestamp) -> impl Iterator<Item = ((Payer, Bucket), Pause)> {
        let going_on = self.spent.iter().filter(move |(_, held)| held.pause.until > now);
        going_on.map(|((payer, _), held)| ((*payer, held.asked_of), held.pause))
    }
}

/// Most spent allowances that are remembered: forgetting one costs a refused call.
const SPENT_MAX: usize = 1024;

/// Longest pause that an origin is granted. GitHub's windows are an hour; a minute is for clocks apart.
const PAUSE_MAX: Duration = Duration::from_secs(3660);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_quick_a_pace_holds_back_all_that_a_payer_has_and_a_spent_allowance_itself_alone() {
        let (now, second) = (Timestamp::from_unix_millis(1_000), Duration::from_secs(1));
        let [one, other] = [1, 2].map(|number| Payer::from_bytes([number; 16]));
        let mut pauses = Pauses::default();
        pauses.hold(one, Bucket(1), now, second, Shortage::Window { limit: 30, used: 30 });
        assert_eq!([0, 1].map(|bucket| pauses.held(one, Bucket(bucket), now).is_some()), [false, true]);
        pauses.hold(one, Bucket(1), now, 2 * second, Shortage::Pace);
        for bucket in [0, 1, 200] {
            let until = pauses.held(one, Bucket(bucket), now).map(|pause| pause.until);
            assert_eq!(until, Some(now.saturating_add(2 * second)), "{bucket}");
        }
        assert_eq!(pauses.held(other, Bucket(1), now), None);
        let after = now.saturating_add(2 * second);
        assert_eq!([0, 1].map(|bucket| pauses.held(one, Bucket(bucket), after)), [None, None]);
        assert!(pauses.all(after).next().is_none());
    }

    #[test]
    fn among_too_many_pauses_the_one_that_ends_first_is_forgotten() {
        let now = Timestamp::from_unix_millis(1_000);
        let payer = |number: usize| Payer::from_bytes((number as u128).to_be_bytes());
        let mut pauses = Pauses::default();
        for number in 1..=SPENT_MAX + 1 {
            let time = Duration::from_secs(1 + number as u64 % 50);
            pauses.hold(payer(number), Bucket(0), now, time, Shortage::Pace);
        }
        assert_eq!(pauses.all(now).count(), SPENT_MAX);
        assert_eq!(pauses.held(payer(50), Bucket(0), now), None, "it would have ended first");
    }
}
