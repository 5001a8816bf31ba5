//! How well members know what was invalidated: since when we hear of all that each says, and whether it has heard all
//! that we know.
//!
//! Two members that meet tell each other what they remember: first in few bytes, as digests, and then what lies where those
//! differ. What they no longer remember, either may have missed; how far back that can reach is kept here.

use crate::{PeerId, Timestamp};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// Those that we are, or were, connected with.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    present: BTreeMap<PeerId, Acquaintance>,
    /// Those that are connected and were told a digest.
    exchanges: BTreeMap<PeerId, Exchange>,
    /// The last moment at which we heard all that each peer said that is gone.
    gone: BTreeMap<PeerId, Timestamp>,
    /// The last moment at which we heard any peer, if none is there now.
    together_until: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Acquaintance {
    /// Until when we had heard all that it said, before we met.
    heard_until: Timestamp,
    greeting: Greeting,
    /// When it said that it knows all that we knew then.
    settled: Option<Timestamp>,
}

/// What a peer was told when we met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Greeting {
    /// There was nothing to tell.
    Nothing,
    /// A digest, under this number. What the peer may lack is not known before it says its own.
    Digest(u64),
    /// All that it may lack, the last of it under this number.
    Told(u64),
}

/// Digests that are said over one connection: one each way.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    /// The number of ours, and the mark that it told.
    receipt: u64,
    mark: Option<Timestamp>,
    /// Whether the peer has said its own.
    is_answered: bool,
    /// Whether the peer has told what we lacked by ours.
    is_over: bool,
}

impl Acquaintances {
    /// We meet `peer`, and tell it what we know.
    ///
    /// A peer that is new to us while others are here says nothing that those did not say.
    pub(crate) fn on_met(&mut self, now: Timestamp, peer: PeerId, greeting: Greeting) {
        let was_alone = self.present.is_empty();
        let usual = if was_alone { self.together_until } else { now };
        let heard_until = self.gone.remove(&peer).unwrap_or(usual);
        let settled = (greeting == Greeting::Nothing).then_some(now);
        self.present.insert(peer, Acquaintance { heard_until, greeting, settled });
    }

    /// Whether a digest was said to `peer` on this connection. One is: a peer that is met again on the same connection is
    /// told all.
    pub(crate) fn has_exchanged(&self, peer: PeerId) -> bool {
        self.exchanges.contains_key(&peer)
    }

    /// A digest is said to `peer` under the number `receipt`, with `mark`.
    pub(crate) fn begin_exchange(&mut self, peer: PeerId, receipt: u64, mark: Option<Timestamp>) {
        self.exchanges.insert(peer, Exchange { receipt, mark, is_answered: false, is_over: false });
    }

    /// `peer` has said its digest. Returns the mark that ours told; `None` if it is not to be answered: one is on each
    /// connection, since the answer may be many times as long.
    pub(crate) fn on_digest(&mut self, peer: PeerId) -> Option<Option<Timestamp>> {
        let exchange = self.exchanges.get_mut(&peer).filter(|exchange| !exchange.is_answered)?;
        exchange.is_answered = true;
        Some(exchange.mark)
    }

    /// `peer` was told what it may lack by its digest, the last of it under `last`; `None` if it lacks nothing.
    pub(crate) fn on_compared(&mut self, peer: PeerId, last: Option<u64>) {
        if let Some(acquaintance) = self.present.get_mut(&peer)
            && let Greeting::Digest(receipt) = acquaintance.greeting
        {
            acquaintance.greeting = Greeting::Told(last.unwrap_or(receipt));
        }
    }

    /// The connection with `peer` has ended.
    pub(crate) fn on_disconnected(&mut self, peer: PeerId) {
        self.exchanges.remove(&peer);
    }

    /// `peer` is gone. If it had no time to tell what we lacked, we have not heard of more than before.
    pub(crate) fn on_gone(&mut self, now: Timestamp, peer: PeerId) {
        let Some(Acquaintance { heard_until, .. }) = self.present.remove(&peer) else { return };
        let has_told = self.exchanges.get(&peer).is_none_or(|exchange| exchange.is_over);
        if has_told {
            self.together_until = now;
        }
        self.gone.insert(peer, if has_told { now } else { heard_until });
        if self.gone.len() > GONE_MAX {
            let earliest = self.gone.iter().min_by_key(|(_, date)| **date).map(|(peer, _)| *peer);
            earliest.and_then(|peer| self.gone.remove(&peer));
        }
    }

    /// `peer` has dealt with what it was told under `receipt`.
    pub(crate) fn on_forgotten(&mut self, now: Timestamp, peer: PeerId, receipt: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&peer).filter(|exchange| exchange.receipt == receipt) {
            exchange.is_over = true;
        }
        if let Some(acquaintance) =
            self.present.get_mut(&peer).filter(|it| it.greeting == Greeting::Told(receipt))
        {
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
        here.on_met(at(0), peer(1), Greeting::Told(1));
        assert_eq!(here.heard_until(peer(1)), Timestamp::default());
        here.on_met(at(5), peer(2), Greeting::Told(2));
        assert_eq!(here.heard_until(peer(2)), at(5), "the other one said all that there was");
        here.on_gone(at(10), peer(1));
        here.on_met(at(900), peer(1), Greeting::Told(3));
        assert_eq!(here.heard_until(peer(1)), at(10), "we were cut off from this one alone");
        here.on_gone(at(910), peer(1));
        here.on_gone(at(920), peer(2));
        here.on_met(at(990), peer(3), Greeting::Told(4));
        assert_eq!(here.heard_until(peer(3)), at(920), "we were alone");
    }

    #[test]
    fn a_member_is_settled_once_what_it_sent_before_it_knew_must_have_come() {
        let mut here = Acquaintances::default();
        here.on_met(at(0), peer(1), Greeting::Told(7));
        here.on_forgotten(at(1), peer(1), 6);
        assert!(!here.is_settled(at(100), peer(1)), "that was another number");
        here.on_forgotten(at(1), peer(1), 7);
        assert!(!here.is_settled(at(4), peer(1)) && here.is_settled(at(5), peer(1)));
        here.on_gone(at(6), peer(1));
        assert!(!here.is_settled(at(100), peer(1)));
    }

    #[test]
    fn a_member_is_not_settled_before_it_has_said_its_own_digest_and_heard_what_it_lacked() {
        let mut here = Acquaintances::default();
        here.begin_exchange(peer(1), 7, None);
        here.begin_exchange(peer(2), 7, Some(at(0)));
        for number in [1, 2] {
            here.on_met(at(0), peer(number), Greeting::Digest(7));
            here.on_forgotten(at(0), peer(number), 7);
        }
        assert_eq!((here.on_digest(peer(1)), here.on_digest(peer(2))), (Some(None), Some(Some(at(0)))));
        here.on_compared(peer(1), None);
        here.on_compared(peer(2), Some(9));
        assert!(!here.is_settled(at(100), peer(1)) && !here.is_settled(at(100), peer(2)));
        for number in [1, 2] {
            here.on_forgotten(at(100), peer(number), 7);
        }
        assert!(here.is_settled(at(104), peer(1)) && !here.is_settled(at(104), peer(2)));
        here.on_forgotten(at(104), peer(2), 9);
        assert!(here.is_settled(at(108), peer(2)));
    }

    #[test]
    fn one_digest_is_said_and_one_is_answered_on_each_connection() {
        let mut here = Acquaintances::default();
        assert_eq!(here.on_digest(peer(1)), None, "it was not met");
        here.begin_exchange(peer(1), 7, None);
        here.on_gone(at(0), peer(1));
        assert!(here.has_exchanged(peer(1)), "the connection stands");
        assert_eq!([here.on_digest(peer(1)), here.on_digest(peer(1))], [Some(None), None]);
        here.on_disconnected(peer(1));
        assert!(!here.has_exchanged(peer(1)));
    }

    #[test]
    fn a_member_that_goes_before_it_has_told_what_was_lacking_has_said_nothing() {
        let mut here = Acquaintances::default();
        for (told, seconds) in [(true, 10), (false, 10), (true, 900)] {
            here.on_met(at(seconds - 5), peer(1), Greeting::Nothing);
            here.begin_exchange(peer(1), seconds, None);
            if told {
                here.on_forgotten(at(seconds), peer(1), seconds);
            }
            here.on_gone(at(seconds), peer(1));
            here.on_disconnected(peer(1));
            assert_eq!(here.heard_until(peer(1)), at(if told { seconds } else { 10 }));
        }
    }

    #[test]
    fn of_too_many_that_are_gone_the_first_is_forgotten() {
        let mut here = Acquaintances::default();
        for number in 0..=GONE_MAX as u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            here.on_met(at(number), PeerId::from_public_key(key), Greeting::Told(1));
            here.on_gone(at(number), PeerId::from_public_key(key));
        }
        assert_eq!(here.gone.len(), GONE_MAX);
    }
}
