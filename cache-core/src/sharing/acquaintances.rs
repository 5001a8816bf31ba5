//! How well members know what was invalidated: since when we hear of all that each says, and whether it has heard all
//! that we know.
//!
//! Two members that meet tell each other what they remember. What they no longer remember, either may have missed;
//! how far back that can reach is kept here.

use crate::{PeerId, Timestamp};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// Those that we are, or were, connected with.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    present: BTreeMap<PeerId, Acquaintance>,
    /// The last moment at which we heard each peer that is gone.
    gone: BTreeMap<PeerId, Timestamp>,
    /// The last moment at which we heard any peer, if none is there now.
    together_until: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Acquaintance {
    /// Until when we had heard all that it said, before we met.
    heard_until: Timestamp,
    /// The number of the last thing that it was told when we met; `None` if there was nothing to tell.
    greeting: Option<u64>,
    /// When it said that it knows all that we knew then.
    settled: Option<Timestamp>,
}

impl Acquaintances {
    /// We meet `peer`, and tell it all that we know, the last of it under `greeting`.
    ///
    /// A peer that is new to us while others are here says nothing that those did not say.
    pub(crate) fn on_met(&mut self, now: Timestamp, peer: PeerId, greeting: Option<u64>) {
        let was_alone = self.present.is_empty();
        let usual = if was_alone { self.together_until } else { now };
        let heard_until = self.gone.remove(&peer).unwrap_or(usual);
        self.present
            .insert(peer, Acquaintance { heard_until, greeting, settled: greeting.is_none().then_some(now) });
    }

    /// `peer` is gone.
    pub(crate) fn on_gone(&mut self, now: Timestamp, peer: PeerId) {
        if self.present.remove(&peer).is_none() {
            return;
        }
        self.together_until = now;
        self.gone.insert(peer, now);
        if self.gone.len() > GONE_MAX {
            let earliest = self.gone.iter().min_by_key(|(_, date)| **date).map(|(peer, _)| *peer);
            earliest.and_then(|peer| self.gone.remove(&peer));
        }
    }

    /// `peer` has dealt with what it was told under `receipt`.
    pub(crate) fn on_forgotten(&mut self, now: Timestamp, peer: PeerId, receipt: u64) {
        if let Some(acquaintance) = self.present.get_mut(&peer).filter(|it| it.greeting == Some(receipt)) {
            acquaintance.settled.get_or_insert(now);
        }
    }

    /// The moment up to which we have heard all that `peer` said, except for what it has told since we met.
    pub(crate) fn heard_until(&self, peer: PeerId) -> Timestamp {
        self.present.get(&peer).map_or(self.together_until, |acquaintance| acquaintance.heard_until)
    }

    /// Whether what `peer` sends was sent after it knew all that we know.
    pub(crate) fn is_settled(&self, now: Timestamp, peer: PeerId) -> bool {
        let settled = self.present.get(&peer).and_then(|acquaintance| acquaintance.settled);
        settled.is_some_and(|settled| now.saturating_since(settled) >= TRANSIT_MAX)
    }
}

/// Longest time that something long may be on its way while short messages overtake it: a member that says nothing for
/// as long is gone.
const TRANSIT_MAX: Duration = Duration::from_secs(4);

/// Most members that are gone of which it is known since when. Of more, those that went first count as new.
const GONE_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
    }

    #[test]
    fn who_begins_has_heard_nothing_and_who_was_cut_off_nothing_since() {
        let mut here = Acquaintances::default();
        here.on_met(at(0), peer(1), Some(1));
        assert_eq!(here.heard_until(peer(1)), Timestamp::default());
        here.on_met(at(5), peer(2), Some(2));
        assert_eq!(here.heard_until(peer(2)), at(5), "the other one said all that there was");
        here.on_gone(at(10), peer(1));
        here.on_met(at(900), peer(1), Some(3));
        assert_eq!(here.heard_until(peer(1)), at(10), "we were cut off from this one alone");
        here.on_gone(at(910), peer(1));
        here.on_gone(at(920), peer(2));
        here.on_met(at(990), peer(3), Some(4));
        assert_eq!(here.heard_until(peer(3)), at(920), "we were alone");
    }

    #[test]
    fn a_member_is_settled_once_what_it_sent_before_it_knew_must_have_come() {
        let mut here = Acquaintances::default();
        here.on_met(at(0), peer(1), Some(7));
        here.on_forgotten(at(1), peer(1), 6);
        assert!(!here.is_settled(at(100), peer(1)), "that was another number");
        here.on_forgotten(at(1), peer(1), 7);
        assert!(!here.is_settled(at(4), peer(1)) && here.is_settled(at(5), peer(1)));
        here.on_gone(at(6), peer(1));
        assert!(!here.is_settled(at(100), peer(1)));
    }

    #[test]
    fn of_too_many_that_are_gone_the_first_is_forgotten() {
        let mut here = Acquaintances::default();
        for number in 0..=GONE_MAX as u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            here.on_met(at(number), PeerId::from_public_key(key), Some(1));
            here.on_gone(at(number), PeerId::from_public_key(key));
        }
        assert_eq!(here.gone.len(), GONE_MAX);
    }
}
