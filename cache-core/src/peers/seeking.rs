//! When to look for contacts, and what to make of those that are found.
//!
//! A node looks when it begins, soon again while it has fewer peers than it seeks, and now and then when it has them: parts
//! of a fleet that never met do not know of one another, however many members each has.

use super::{
    Peers,
    candidate::BOOTSTRAP_INTERVAL,
    contact::{Contact, Way},
    decision::PeerDecision,
};
use crate::Timestamp;
use alloc::collections::BTreeSet;
use core::time::Duration;

/// When contacts are sought.
#[derive(Debug)]
pub(super) struct Seeking {
    ways: u8,
    /// Those that have reported at least once.
    answered: BTreeSet<Way>,
    /// When to look next; `None` if there is no way.
    next: Option<Timestamp>,
    /// How often this node has looked since it last had the peers that it seeks, or lost one of them.
    rounds: u32,
}

impl Seeking {
    pub(super) fn new(ways: u8) -> Self {
        let next = (ways > 0).then(Timestamp::default);
        Self { ways, answered: BTreeSet::new(), next, rounds: 0 }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Whether some way has yet to say what it finds.
    pub(super) fn is_awaited(&self) -> bool {
        self.answered.len() < usize::from(self.ways)
    }
}

impl Peers {
    /// Discovery has looked by `way`, or come upon something.
    pub(crate) fn on_found(&mut self, now: Timestamp, way: Way, contacts: &[Contact]) {
        if way.0 < self.seeking.ways {
            self.seeking.answered.insert(way);
        }
        for contact in contacts.iter().take(FOUND_READ_MAX) {
            self.book.find(now, contact, way, |peer| self.connected.contains_key(&peer));
        }
        self.plan(now);
    }

    /// Looks for contacts if it is time. Returns when to do so next.
    pub(super) fn seek(&mut self, now: Timestamp) -> Option<Timestamp> {
        let next = self.seeking.next?;
        if next > now {
            return Some(next);
        }
        self.book.forget_found(now);
        self.decisions.push_back(PeerDecision::Seek);
        let pause = if self.is_short_of_peers() {
            let doublings = self.seeking.rounds.min(16);
            self.seeking.rounds += 1;
            SEEK_PAUSE_MIN.saturating_mul(1 << doublings).min(SEEK_PAUSE_MAX)
        } else {
            self.seeking.rounds = 0;
            BOOTSTRAP_INTERVAL
        };
        self.seeking.next = Some(now.saturating_add(self.jitter.scatter(pause)));
        self.seeking.next
    }

    /// A connection has ended. If there are too few now, contacts are sought soon.
    pub(super) fn seek_soon(&mut self, now: Timestamp) {
        if self.seeking.ways == 0 || !self.is_short_of_peers() {
            return;
        }
        let soon = now.saturating_add(self.jitter.scatter(SEEK_PAUSE_MIN));
        self.seeking.rounds = 0;
        self.seeking.next = self.seeking.next.map(|next| next.min(soon));
    }

    /// Whether what discovery found may be dialed now: by a node that has the peers that it seeks, only while it dials no
    /// other.
    pub(super) fn may_try_found(&self) -> bool {
        self.is_short_of_peers() || self.attempts.len() == 0
    }

    fn is_short_of_peers(&self) -> bool {
        self.connected.len() < self.settings.connections_sought()
    }
}

/// Pause after the first look: a node that starts in the same moment is there by then.
const SEEK_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Longest pause while there are too few peers. A node that comes finds those that are there, so nobody waits for this but
/// nodes that could not be found yet when they came.
const SEEK_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Most contacts of one report that are looked at; what is known already does not count against
/// [`FOUND_MAX`](super::FOUND_MAX).
const FOUND_READ_MAX: usize = 256;
