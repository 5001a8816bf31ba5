//! Which members a guest connects with: two, and another as soon as one goes.
//!
//! As with any node, contacts lead to the fleet. Two are dialed at once, so that one that is gone costs nothing, and each guest
//! has an order of its own, so that no member is everybody's first.

use super::{Connection, DIAL_GRACE, DIAL_TIMEOUT, Kind, Peers, book::Target};
use crate::{Guest, HOSTS_MAX, PeerId, Timestamp};
use alloc::{boxed::Box, vec::Vec};
use core::{hash::Hasher as _, time::Duration};
use siphasher::sip::SipHasher13;

impl Peers {
    /// A member, of which a host has told, can be reached at `addresses`.
    pub(crate) fn on_host_known(&mut self, now: Timestamp, peer: PeerId, addresses: &[Box<str>]) {
        self.book.learn(peer, addresses, now);
        self.plan(now);
    }

    /// Whether `peer`, which is connected, is a guest as this node is, and so hosts it not.
    pub(crate) fn set_fellow(&mut self, peer: PeerId, is_fellow: bool) {
        if let Some(connection) = self.connected.get_mut(&peer) {
            connection.is_outside = is_fellow;
        }
    }

    /// Ends the connection with `peer`, which is of no use, and leaves it alone for a while.
    pub(crate) fn let_go(&mut self, now: Timestamp, peer: PeerId) {
        self.give_way(now, peer);
        self.plan(now);
    }

    /// This node, which was a guest, connects with all members from now on.
    pub(crate) fn be_member(&mut self, now: Timestamp) {
        self.settings.guest = Guest::Never;
        self.plan(now);
    }

    /// Whether any dial is under way.
    pub(crate) fn is_dialing_any(&self) -> bool {
        self.attempts.len() > 0
    }

    pub(super) fn is_of_guest(&self) -> bool {
        self.settings.guest != Guest::Never
    }

    /// Starts the dials that a guest needs. Returns when to look again for their sake.
    pub(super) fn plan_hosts(&mut self, now: Timestamp, due: Vec<(Kind, Target)>) -> Option<Timestamp> {
        let is_host = |connection: &&Connection| !connection.is_outside;
        let hosts = self.connected.values().filter(is_host).count();
        let given_up_after = DIAL_TIMEOUT.saturating_add(DIAL_GRACE);
        let mut order: Vec<_> = due
            .into_iter()
            .map(|(kind, target)| {
                // A guest that has a host finds the others by it, and does not burden the contacts.
                let leads = matches!(kind, Kind::Contact | Kind::Found);
                let rank = if hosts > 0 && leads { Kind::Member } else { kind };
                (rank, self.preference(target), kind, target)
            })
            .collect();
        order.sort_unstable();
        for (_rank, _preference, kind, target) in order {
            let (young, _) = self.attempts.younger(now, PATIENCE, given_up_after);
            if hosts + young < HOSTS_MAX && self.attempts.has_room(kind) {
                self.dial(now, kind, target);
            }
        }
        if hosts < HOSTS_MAX { self.attempts.younger(now, PATIENCE, given_up_after).1 } else { None }
    }

    /// A number by which this node prefers some peers to others.
    fn preference(&self, target: Target) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.local.public_key());
        match target {
            Target::Named(peer) => hasher.write(peer.public_key()),
            Target::Unnamed(number) => hasher.write_u64(number),
        }
        hasher.finish()
    }
}

/// Time after which a dial that has led nowhere is not counted on: another peer is dialed as well.
const PATIENCE: Duration = Duration::from_millis(500);
