//! Which contents of a key are the latest of each issuer.
//!
//! A long body takes another lane than a short one, and may be overtaken by what the same member said after it. Time
//! on the way is not age, so by age the older of the two seems to be the younger. Hence each content that a member
//! puts or fetches has a number, and of two contents of one issuer the higher number counts, in whatever order they
//! come and whichever member brings them.

use crate::{Name, Timestamp, message::Edition};
use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

/// The latest editions that were heard of in the last [`NOTED_FOR`], at most [`NOTED_MAX`]; the oldest note goes first.
#[derive(Debug)]
pub(crate) struct Editions {
    issuer: u64,
    count: u64,
    latest: BTreeMap<(Name, u64), (u64, Timestamp)>,
    dates: BTreeSet<(Timestamp, Name, u64)>,
}

impl Editions {
    /// `issuer` sets the editions of this run apart from all others.
    pub(crate) fn new(issuer: u64) -> Self {
        Self { issuer, count: 0, latest: BTreeMap::new(), dates: BTreeSet::new() }
    }

    /// Gives a number to a content of ours.
    pub(crate) fn issue(&mut self) -> Edition {
        self.count += 1;
        Edition { issuer: self.issuer, count: self.count }
    }

    /// Takes note of `edition` of what `name` stands for. `false` if a later one of its issuer is known.
    pub(crate) fn note(&mut self, now: Timestamp, name: Name, edition: Edition) -> bool {
        let (place, count) = ((name, edition.issuer), edition.count);
        if let Some((known, date)) = self.latest.get(&place).copied() {
            let is_remembered = now.saturating_since(date) < NOTED_FOR;
            if is_remembered && known > count {
                return false;
            }
            self.dates.remove(&(date, name, edition.issuer));
        }
        self.latest.insert(place, (count, now));
        self.dates.insert((now, name, edition.issuer));
        while let Some((date, name, issuer)) = self.dates.first().copied()
            && (self.latest.len() > NOTED_MAX || now.saturating_since(date) >= NOTED_FOR)
        {
            self.dates.pop_first();
            self.latest.remove(&(name, issuer));
        }
        true
    }
}

/// How long an edition is remembered apart from the entry that has it: longer than any frame is on its way, since a
/// peer that takes nothing for that long is disconnected. Short, so that a member that claims another's numbers
/// cannot keep out for long what that one says.
const NOTED_FOR: Duration = Duration::from_secs(60);

/// Most editions remembered, in some 700 kB: beyond, two that cross are told apart by the entry that is held.
const NOTED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Name = Name::from_bytes([1; 32]);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + seconds * 1_000)
    }

    fn edition(issuer: u64, count: u64) -> Edition {
        Edition { issuer, count }
    }

    #[test]
    fn what_was_overtaken_is_not_news_and_the_same_again_is() {
        let mut editions = Editions::new(1);
        assert!(editions.note(at(0), NAME, edition(7, 5)));
        assert!(!editions.note(at(1), NAME, edition(7, 4)));
        assert!(editions.note(at(1), NAME, edition(7, 5)));
        assert!(editions.note(at(1), NAME, edition(7, 6)));
        assert!(!editions.note(at(2), NAME, edition(7, 5)));
    }

    #[test]
    fn other_issuers_and_other_names_count_for_themselves() {
        let mut editions = Editions::new(1);
        assert!(editions.note(at(0), NAME, edition(7, 5)));
        assert!(editions.note(at(0), NAME, edition(8, 1)));
        assert!(editions.note(at(0), Name::from_bytes([2; 32]), edition(7, 1)));
        assert!(!editions.note(at(0), NAME, edition(7, 1)));
    }

    #[test]
    fn no_claim_holds_for_longer_than_a_frame_is_on_its_way() {
        let mut editions = Editions::new(1);
        assert!(editions.note(at(0), NAME, edition(7, u64::MAX)));
        assert!(!editions.note(at(59), NAME, edition(7, 1)));
        assert!(editions.note(at(60), NAME, edition(7, 1)));
        assert!(editions.note(at(61), NAME, edition(7, 2)));
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut editions = Editions::new(1);
        for issuer in 0..NOTED_MAX as u64 + 1 {
            assert!(editions.note(at(issuer / 1_000), NAME, edition(issuer, 9)));
        }
        assert_eq!((editions.latest.len(), editions.dates.len()), (NOTED_MAX, NOTED_MAX));
        assert!(editions.note(at(5), NAME, edition(0, 1)), "the first is forgotten");
        assert!(!editions.note(at(5), NAME, edition(NOTED_MAX as u64, 1)), "the last is not");
    }

    #[test]
    fn own_contents_are_numbered_upwards() {
        let mut editions = Editions::new(3);
        assert_eq!([editions.issue(), editions.issue()], [edition(3, 1), edition(3, 2)]);
    }
}
