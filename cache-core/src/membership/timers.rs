//! What is due when, of the membership protocol.
//!
//! There is one timer for each purpose: setting it again replaces the one before, so there are never more than a few
//! for each member. Timers due at one moment come in the order in which they were set.

use super::member::Identity;
use crate::{PeerId, Timestamp};
use alloc::collections::BTreeMap;

/// Timers in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeMap<Turn, Timer>,
    turns: BTreeMap<Purpose, Turn>,
    set_count: u64,
}

/// Something to do later.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Timer {
    /// The protocol's own.
    Foca(foca::Timer<Identity>),
    /// Introduce ourselves to a connected peer again, this often at most.
    Introduce { peer: PeerId, tries_left: u8 },
}

impl Timers {
    /// Makes `timer` due at `due`, in place of another for the same purpose.
    pub(super) fn set(&mut self, due: Timestamp, timer: Timer) {
        let purpose = Purpose::of(&timer);
        if let Some(turn) = self.turns.get(&purpose) {
            // A member that is suspected already does not gain time by failing another probe.
            if matches!(purpose, Purpose::Suspicion(_)) && self.queue.get(turn) == Some(&timer) {
                return;
            }
            self.queue.remove(turn);
        }
        let turn = Turn { due, order: self.set_count };
        self.set_count += 1;
        self.turns.insert(purpose, turn);
        self.queue.insert(turn, timer);
    }

    /// The next timer that is due by `now`.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Timer> {
        let first = self.queue.first_entry()?;
        if first.key().due > now {
            return None;
        }
        let timer = first.remove();
        self.turns.remove(&Purpose::of(&timer));
        Some(timer)
    }

    /// Drops the timer that makes us introduce ourselves to `peer`.
    pub(super) fn stop_introducing(&mut self, peer: PeerId) {
        if let Some(turn) = self.turns.remove(&Purpose::Introduction(peer)) {
            self.queue.remove(&turn);
        }
    }

    /// Takes out the member that went down first, of those that wait to be forgotten.
    pub(super) fn pop_oldest_down(&mut self) -> Option<Identity> {
        let (turn, identity) = self.queue.iter().find_map(|(turn, timer)| match timer {
            Timer::Foca(foca::Timer::RemoveDown(identity)) => Some((*turn, identity.clone())),
            Timer::Foca(_) | Timer::Introduce { .. } => None,
        })?;
        self.queue.remove(&turn);
        self.turns.remove(&Purpose::Oblivion(identity.0.peer()));
        Some(identity)
    }

    /// When `peer`, if it is down, is to be forgotten, and which run of it.
    pub(super) fn oblivion(&self, peer: PeerId) -> Option<(Timestamp, &Identity)> {
        let turn = self.turns.get(&Purpose::Oblivion(peer))?;
        match self.queue.get(turn)? {
            Timer::Foca(foca::Timer::RemoveDown(identity)) => Some((turn.due, identity)),
            Timer::Foca(_) | Timer::Introduce { .. } => None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.turns.clear();
    }

    /// When the next timer is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.queue.keys().next().map(|turn| turn.due)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.queue.len(), self.turns.len());
        self.queue.len()
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Turn {
    due: Timestamp,
    order: u64,
}

/// What a timer is for. The next of the same purpose makes the one before pointless: what foca set before it
/// renewed itself carries a token that it ignores, or, once the tokens wrap, should have ignored.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Purpose {
    Feed,
    FeedFromDown,
    IndirectProbe,
    Introduction(PeerId),
    Oblivion(PeerId),
    Probe,
    Rumours,
    Suspicion(PeerId),
}

impl Purpose {
    fn of(timer: &Timer) -> Self {
        use foca::Timer as Foca;
        match timer {
            Timer::Foca(Foca::ChangeSuspectToDown { member_id, .. }) => Self::Suspicion(member_id.0.peer()),
            Timer::Foca(Foca::PeriodicAnnounce(_)) => Self::Feed,
            Timer::Foca(Foca::PeriodicAnnounceDown(_)) => Self::FeedFromDown,
            Timer::Foca(Foca::PeriodicGossip(_)) => Self::Rumours,
            Timer::Foca(Foca::ProbeRandomMember(_)) => Self::Probe,
            Timer::Foca(Foca::RemoveDown(identity)) => Self::Oblivion(identity.0.peer()),
            Timer::Foca(Foca::SendIndirectProbe { .. }) => Self::IndirectProbe,
            Timer::Introduce { peer, .. } => Self::Introduction(*peer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_public_key([n; 32])
    }

    #[test]
    fn timers_of_one_moment_come_in_the_order_in_which_they_were_set() {
        let mut timers = Timers::default();
        let now = Timestamp::from_unix_millis(1);
        let set = [2, 1, 3].map(|n| Timer::Introduce { peer: peer(n), tries_left: 0 });
        for timer in &set {
            timers.set(now, timer.clone());
        }
        assert_eq!(timers.next_due(), Some(now));
        assert_eq!(timers.pop_due(Timestamp::default()), None);
        assert_eq!([(); 3].map(|()| timers.pop_due(now).unwrap()), set);
        assert_eq!((timers.pop_due(now), timers.len()), (None, 0));
    }

    #[test]
    fn a_member_that_goes_down_again_and_again_takes_one_timer() {
        let mut timers = Timers::default();
        for boot in 0..1000 {
            let down = Identity::bare(peer(1), boot);
            timers.set(Timestamp::from_unix_millis(boot), Timer::Foca(foca::Timer::RemoveDown(down)));
        }
        assert_eq!(timers.len(), 1);
        assert_eq!(timers.pop_oldest_down(), Some(Identity::bare(peer(1), 999)));
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn a_suspect_gains_no_time_by_failing_again_but_a_refuted_suspicion_gives_way() {
        let suspicion = |incarnation| {
            let member_id = Identity::bare(peer(1), 1);
            Timer::Foca(foca::Timer::ChangeSuspectToDown { member_id, incarnation, token: 0 })
        };
        let mut timers = Timers::default();
        let [early, late] = [1, 2].map(Timestamp::from_unix_millis);
        timers.set(early, suspicion(0));
        timers.set(late, suspicion(0));
        assert_eq!(timers.next_due(), Some(early));
        timers.set(late, suspicion(1));
        assert_eq!((timers.next_due(), timers.len()), (Some(late), 1));
    }
}
