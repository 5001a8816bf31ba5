//! How members come, and which connections are made.

use super::{state::Fleet, surroundings::addresses, warming::WARM_UP_TIMEOUT};
use crate::{
    Contact, Features, Message, Offence, Output, PeerId, Way,
    address::peer_of_address,
    engine::Engine,
    membership::{Decision, End},
    message::{Digest, Notice},
    peers::{PeerDecision, Stake, Welcome},
    port::{DialError, Side},
    sharing::Greeting,
};
use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};

impl Engine {
    /// Whether there is a member to share with.
    pub(in crate::engine) fn shares(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| !fleet.ring.is_alone())
    }

    /// Orders what is decided about members and connections.
    pub(in crate::engine) fn order_connections(&mut self) {
        while let Some(decision) = self.fleet.as_mut().and_then(|fleet| fleet.membership.poll_decision()) {
            self.on_membership(decision);
        }
        let Some(fleet) = &mut self.fleet else { return };
        while let Some(decision) = fleet.peers.poll_decision() {
            self.outputs.push_back(match decision {
                PeerDecision::Dial { address } => Output::Dial { address },
                PeerDecision::Disconnect { peer } => Output::Disconnect { peer },
                PeerDecision::Seek => Output::Seek,
            });
        }
    }

    fn on_membership(&mut self, decision: Decision) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        match decision {
            Decision::Down { peer } => {
                fleet.peers.on_gone(now, peer);
                self.leave_ring(peer);
            }
            Decision::Doubted(member) => fleet.peers.on_known(now, member.peer(), &addresses(&member)),
            Decision::Forgotten { peer } => fleet.peers.on_forgotten(peer),
            Decision::Renewed(member) | Decision::Up(member) => {
                fleet.peers.on_back(now, member.peer(), &addresses(&member));
                if fleet.peers.connected().contains_key(&member.peer()) {
                    self.join_ring(member.peer());
                } else {
                    fleet.ring.insert_beyond(member.peer());
                }
                self.recollect(member.peer());
                self.watch_growth();
            }
            Decision::Twins { peer } => self.outputs.push_back(Output::Twins { peer }),
            Decision::Send { to, bytes } => {
                if fleet.peers.connected().contains_key(&to) {
                    self.say(to, Message::Membership(bytes));
                }
            }
        }
    }

    pub(in crate::engine) fn on_membership_due(&mut self) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.membership.on_due(now);
        }
    }

    pub(in crate::engine) fn on_peers_due(&mut self) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_due(now);
        }
        self.drop_unsent();
    }

    pub(in crate::engine) fn on_dial_failed(&mut self, address: &str, failure: DialError) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_dial_failed(now, address, failure);
            if let (Some(peer), true) = (peer_of_address(address), says_that_nobody_is_there(failure)) {
                fleet.membership.on_unreachable(now, peer);
                if fleet.districts.outsiders.get(peer).is_some() {
                    fleet.districts.outsiders.on_vain(now, peer);
                }
            }
        }
        self.drop_unsent();
    }

    pub(in crate::engine) fn on_found(&mut self, way: Way, contacts: &[Contact]) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_found(now, way, contacts);
        }
    }

    pub(in crate::engine) fn on_offence(&mut self, peer: PeerId, offence: Offence) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet
            && fleet.peers.on_offence(now, peer, offence).is_some()
        {
            self.counters.bans += 1;
        }
    }

    pub(in crate::engine) fn on_connected(
        &mut self,
        peer: PeerId,
        address: &str,
        side: Side,
        features: Features,
    ) {
        let now = self.now;
        let stake = self.stake();
        let Some(fleet) = &mut self.fleet else { return };
        match fleet.peers.on_connected(now, peer, (address, side), &stake) {
            Welcome::Keep { instead_of } => {
                if let Some(other) = instead_of {
                    self.lose(other, End::GaveWay);
                }
                let Some(fleet) = &mut self.fleet else { return };
                fleet.features.insert(peer, features);
                self.meet(peer);
            }
            // The order to disconnect is among the decisions already.
            Welcome::Refuse(_) => {}
        }
    }

    /// What is at stake with each member, where that decides which connection gives way.
    fn stake(&self) -> BTreeMap<PeerId, Stake> {
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| fleet.peers.is_full()) else {
            return BTreeMap::new();
        };
        let asked = self.flights.all_asked();
        let answers =
            asked.chain(fleet.leases.peers()).chain(fleet.inquiries.peers()).chain(fleet.searches.peers());
        let granted_by = self.flights.leased().into_iter();
        let granted_by = granted_by.filter_map(|id| self.flights.flight(id).consulted().lease);
        // The later word counts.
        let answers = answers.map(|peer| (peer, Stake::Answer));
        answers.chain(granted_by.chain(fleet.leases.holders()).map(|peer| (peer, Stake::Call))).collect()
    }

    /// Shares names out with `peer` as well, which is connected and lives.
    pub(super) fn join_ring(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| !fleet.ring.contains(peer)) else { return };
        if fleet.ring.is_alone() {
            fleet.new_until = Some(now.saturating_add(WARM_UP_TIMEOUT));
        }
        fleet.ring.insert(peer);
        // First what is no longer true, then what is.
        self.exchange_notices(peer);
        self.claim_leases(|coordinator| coordinator == peer);
        if self.fleet.as_ref().is_some_and(|fleet| !fleet.is_guest()) {
            self.warm_up_from(peer);
        }
        self.tell_outage(peer);
    }

    /// Tells `peer`, which has just connected, what was invalidated lately: by a digest, if it knows what that is.
    pub(super) fn exchange_notices(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if fleet.understands(peer, Features::DIGESTS) && !fleet.acquaintances.has_exchanged(peer) {
            let receipt = self.receipts.number();
            let digest = fleet.invalidations.digest(now, receipt, fleet.sharing.salts.salt(receipt));
            let is_of_nothing = digest.is_of_nothing();
            let greeting = if is_of_nothing { Greeting::Nothing } else { Greeting::Digest(receipt) };
            fleet.acquaintances.on_met(now, peer, greeting);
            fleet.acquaintances.begin_exchange(peer, receipt, fleet.invalidations.mark());
            self.say(peer, Message::Digest(digest));
            return;
        }
        let notices = fleet.invalidations.notices(now, || self.receipts.number());
        let greeting = notices.last().map_or(Greeting::Nothing, |notice| Greeting::Told(notice.receipt));
        fleet.acquaintances.on_met(now, peer, greeting);
        self.tell_of(peer, notices);
    }

    /// `peer`, which has just connected, says what it remembers: it is told what it may lack.
    pub(super) fn on_digest(&mut self, peer: PeerId, digest: &Digest) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let Some(mark) = fleet.acquaintances.on_digest(peer) else { return };
        let notices = fleet.invalidations.notices_beyond(now, digest, mark, || self.receipts.number());
        fleet.acquaintances.on_compared(peer, notices.last().map(|notice| notice.receipt));
        self.tell_of(peer, notices);
        let Digest { receipt, mark, .. } = *digest;
        self.on_invalidated(peer, &Notice { receipt, mark, invalidations: Vec::new() });
    }

    fn tell_of(&mut self, peer: PeerId, notices: Vec<Notice>) {
        for notice in notices {
            self.say(peer, Message::Invalidate(notice));
        }
    }

    /// `peer` is to be looked for after a restart, if it is connected and known where it can be reached.
    pub(super) fn recollect(&mut self, peer: PeerId) {
        let now = self.now;
        if let Some(Fleet { membership, peers, recollection, .. }) = self.fleet.as_deref_mut()
            && let Some(member) = membership.member(peer)
            && peers.connected().contains_key(&peer)
        {
            recollection.on_met(now, member, |known| membership.is_alive(known));
        }
    }

    /// Keeps the list of members to look for after a restart.
    pub(in crate::engine) fn remember(&mut self) {
        let now = self.now;
        if let Some(members) = self.fleet.as_mut().and_then(|fleet| fleet.recollection.take(now)) {
            self.outputs.push_back(Output::Remember { members });
        }
    }

    /// Learns anew by what names members may ask for what is here, in memory and on disk.
    pub(in crate::engine) fn on_renamed(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        fleet.names.clear();
        for key in self.cache.keys() {
            fleet.learn_names(key);
        }
        let naming = Arc::clone(&fleet.sharing.naming);
        fleet.shelf.rename(|key| naming.names(key));
    }
}

/// Whether a member may be dead if a dial of it failed like this.
fn says_that_nobody_is_there(failure: DialError) -> bool {
    matches!(failure, DialError::TimedOut | DialError::Unreachable)
}
