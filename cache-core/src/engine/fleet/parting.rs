//! How members go, and what that means for others that wait for them.

use crate::{PeerId, engine::Engine, membership::End, message::Verdict};

impl Engine {
    pub(in crate::engine) fn on_disconnected(&mut self, peer: PeerId) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_disconnected(now, peer);
        }
        self.lose(peer, End::Lost);
    }

    /// The connection with `peer` has ended.
    pub(in crate::engine) fn lose(&mut self, peer: PeerId, end: End) {
        let now = self.now;
        self.outage.on_gone(peer, now);
        let Some(fleet) = &mut self.fleet else { return };
        fleet.districts.on_disconnected(peer);
        fleet.membership.on_disconnected(now, peer, end);
        fleet.warm_ups.remove(&peer);
        self.leave_ring(peer);
        let Some(fleet) = &mut self.fleet else { return };
        fleet.features.remove(&peer);
        fleet.acquaintances.on_disconnected(peer);
        fleet.guests.on_gone(peer);
        fleet.patience.remove(&peer);
        if fleet.membership.is_alive(peer) && fleet.districts.is_neighbour(peer) {
            fleet.ring.insert_beyond(peer);
        }
    }

    /// Shares names out without `peer` from now on: it is gone, or cannot be heard.
    ///
    /// One that membership took for dead may have asked for leases since, as long as it is connected.
    pub(in crate::engine) fn leave_ring(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        fleet.ring.remove(peer);
        fleet.acquaintances.on_gone(now, peer);
        fleet.figures.remove(&peer);
        let passed = fleet.leases.on_gone(now, peer, &fleet.sharing.limits);
        self.warm_up_elsewhere(peer);
        self.await_no_more(peer);
        for (name, asker) in passed {
            self.counters.leases_passed += 1;
            self.grant(name, asker);
        }
        for id in self.flights.leased() {
            let flight = self.flights.flight_mut(id);
            if flight.consulted().lease == Some(peer) {
                flight.take_lease();
                self.claim_lease(id);
            }
        }
        self.lose_overtaken(peer);
        for ask in self.flights.asking(peer) {
            if let Some(id) = self.flights.end_ask(ask, peer) {
                self.go_on(id);
            }
        }
        self.on_search_lost(peer);
        self.lose_asker(peer);
        self.lose_superior(peer);
        self.give_back_owed(Verdict::Unused);
        self.fail_errands(peer);
    }

    /// Before the node stops: every member that waits for us is told, as far as that is possible.
    pub(in crate::engine) fn on_leave(&mut self) {
        for id in self.flights.leased() {
            self.give_back_lease(id, Verdict::Unused);
        }
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.membership.leave(now);
        }
        self.remember();
    }
}
