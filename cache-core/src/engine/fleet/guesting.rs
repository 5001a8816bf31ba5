//! Guests: how a node becomes one, how it becomes a member, and what a member does for those that it hosts.
//!
//! A guest's ring holds its hosts alone, so it asks one of them as if that were the coordinator. The host asks the coordinator in
//! turn (`inquiring.rs`), and owes it the entry. What all must hear goes to guests from their hosts, and from guests through
//! them. No other member knows of a guest: the membership protocol does not tell of it, and no ring holds it.

use super::{state::Fleet, surroundings::addresses};
use crate::{
    Features, Guest, GuestReport, Joining, Message, Output, PeerId,
    districts::Place,
    engine::Engine,
    membership::End,
    message::{GuestWord, Known, Role, Surroundings},
    sharing::HOSTS_MAX,
};
use alloc::vec::Vec;
use core::time::Duration;

impl Fleet {
    /// Whether this node is a guest.
    pub(in crate::engine) fn is_guest(&self) -> bool {
        self.guests.is_guest()
    }

    /// The guests that this node hosts.
    pub(in crate::engine) fn guests_hosted(&self) -> Vec<PeerId> {
        if self.is_guest() { Vec::new() } else { self.guests.hosted().collect() }
    }

    /// Whether anybody hears what this node has.
    pub(super) fn has_listeners(&self) -> bool {
        !self.is_alone() || self.guests.is_concerned() && self.guests.hosted().next().is_some()
    }

    /// How many say to this node whether they reach the origin, with itself.
    pub(in crate::engine) fn witnesses_count(&self) -> usize {
        self.ring.others_count() + self.guests_hosted().len() + 1
    }

    /// What this guest tells another of: its hosts.
    fn hosts_told(&self) -> Surroundings {
        let hosts = self.ring.others().filter_map(|host| self.guests.member(host).cloned());
        let known = hosts.map(|member| Known { member, depth: 0, members_count: 0, age: Duration::ZERO });
        Surroundings { known: known.collect(), ..Surroundings::default() }
    }

    /// Everybody that hears at once what this node says to all: the members, and its guests.
    pub(in crate::engine) fn listeners(&self) -> Vec<PeerId> {
        self.ring.others().chain(self.guests_hosted()).collect()
    }
}

impl Engine {
    /// What this node has to do with guests; `None` if it keeps to itself.
    pub fn guests(&self) -> Option<GuestReport> {
        let fleet = self.fleet.as_ref()?;
        Some(fleet.guests.report(fleet.ring.others().collect()))
    }

    /// `peer`, which speaks what is noted of it, is connected: a member at once, or else it says what it is.
    pub(super) fn meet(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        let knows_guests = fleet.understands(peer, Features::GUESTS);
        if !knows_guests && fleet.is_guest() {
            self.become_member(Joining::OlderPeer);
        }
        let Some(fleet) = &mut self.fleet else { return };
        let comes_as_guest = fleet.understands(peer, Features::GUEST) && knows_guests;
        if comes_as_guest {
            fleet.guests.on_connected(peer);
        }
        if fleet.guests.is_marked() {
            let word = if fleet.is_guest() { GuestWord::Stays } else { GuestWord::Joins };
            self.say(peer, Message::Guest(word));
        }
        if !comes_as_guest {
            self.take_member(peer);
        }
    }

    /// `peer` is a member, and connected.
    fn take_member(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if fleet.is_guest() {
            self.take_host(peer);
        } else if fleet.districts.is_neighbour(peer) {
            fleet.membership.on_connected(now, peer);
            self.recollect(peer);
            self.join_ring(peer);
        } else {
            self.meet_outsider(peer);
        }
        self.greet(peer);
        self.tell_own_writes(peer);
        self.say_unsent(peer);
    }

    pub(super) fn on_guest_word(&mut self, from: PeerId, word: GuestWord) {
        let Some(fleet) = &mut self.fleet else { return };
        match word {
            GuestWord::Full if fleet.is_guest() && fleet.ring.contains(from) => self.on_turned_away(from),
            GuestWord::Full => {}
            GuestWord::Joins => {
                if fleet.guests.on_joins(from) {
                    fleet.peers.set_fellow(from, false);
                    self.take_member(from);
                }
            }
            GuestWord::Stays => {
                if !fleet.guests.on_stays(from) {
                    return;
                }
                if fleet.is_guest() { self.meet_fellow(from) } else { self.host(from) }
            }
        }
    }

    /// Hosts `guest`, if there is room.
    fn host(&mut self, guest: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let surroundings = fleet.surroundings(now, Some(Place::of_peer(guest)));
        let is_over = fleet.guests.is_over();
        if is_over {
            fleet.guests.refuse(guest);
        } else {
            fleet.guests.tell_later(now);
        }
        self.say(guest, Message::District(surroundings));
        if is_over {
            self.counters.guests_refused += 1;
            return self.say(guest, Message::Guest(GuestWord::Full));
        }
        self.counters.guests_hosted += 1;
        self.exchange_notices(guest);
        self.tell_ledger(guest);
        self.tell_own_writes(guest);
        self.tell_outage(guest);
        self.claim_for_guests();
    }

    /// What this node asks others for is waited for by its guests from now on.
    fn claim_for_guests(&mut self) {
        let now = self.now;
        let Some(fleet) = &self.fleet else { return };
        let (local, others): (_, Vec<PeerId>) = (fleet.local(), fleet.ring.others().collect());
        let asked = others.iter().flat_map(|peer| self.flights.asking(*peer));
        let asked = asked.filter_map(|ask| self.flights.by_ask(ask));
        let asked = asked.filter(|id| self.flights.flight(*id).consulted().role == Some(Role::Coordinator));
        let asked: Vec<_> = asked.collect();
        let leased = self.flights.leased().into_iter();
        let leased = leased.filter(|id| self.flights.flight(*id).consulted().lease != Some(local));
        for id in leased.chain(asked).collect::<Vec<_>>() {
            let Some(fleet) = &mut self.fleet else { return };
            let name = fleet.name(self.flights.flight(id).key());
            fleet.leases.claim(now, name, local, &fleet.sharing.limits);
            if fleet.leases.holder(&name) == Some(local) {
                self.flights.flight_mut(id).claim();
            }
        }
    }

    /// `peer`, a member, hosts this guest.
    fn take_host(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        if fleet.ring.others_count() >= HOSTS_MAX && !fleet.ring.contains(peer) {
            return self.let_go(peer);
        }
        fleet.guests.on_hosted();
        self.join_ring(peer);
    }

    /// Another guest: it may know members.
    fn meet_fellow(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        fleet.peers.set_fellow(peer, true);
        if !fleet.ring.is_alone() {
            let told = fleet.hosts_told();
            return self.say(peer, Message::District(told));
        }
        if fleet.guests.setting() == Guest::Auto {
            return self.become_member(Joining::OnlyGuests);
        }
        fleet.guests.on_lonely(now);
    }

    /// `from` has no room for this guest.
    fn on_turned_away(&mut self, from: PeerId) {
        let now = self.now;
        self.leave_ring(from);
        let Some(fleet) = &mut self.fleet else { return };
        let is_often = fleet.guests.on_turned_away();
        // It does not count from now on, so another is dialed if one is known.
        fleet.peers.set_fellow(from, true);
        fleet.peers.on_due(now);
        if !fleet.ring.is_alone() || (!is_often && fleet.peers.is_dialing_any()) {
            return self.let_go(from);
        }
        fleet.peers.set_fellow(from, false);
        fleet.ring.insert(from);
        self.become_member(Joining::NoRoom);
    }

    fn let_go(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        fleet.peers.let_go(now, peer);
        self.lose(peer, End::GaveWay);
    }

    /// A peer tells this guest of members.
    pub(super) fn on_surroundings_as_guest(&mut self, from: PeerId, surroundings: &Surroundings) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        for known in &surroundings.known {
            fleet.peers.on_host_known(now, known.member.peer(), &addresses(&known.member));
            if known.member.peer() == from {
                fleet.guests.on_member_told(&known.member);
            }
        }
        if fleet.guests.is_no_member(from) {
            // A fellow. One that has a member has no use for it.
            if !fleet.ring.is_alone() {
                self.let_go(from);
            }
            return;
        }
        let fellows: Vec<PeerId> = fleet.guests.hosted().collect();
        let told = fleet.hosts_told();
        for fellow in fellows {
            self.say(fellow, Message::District(told.clone()));
        }
        let Some(fleet) = &mut self.fleet else { return };
        let districts = 1_u64 << surroundings.depth.min(crate::districts::DEPTH_MAX);
        fleet.guests.on_fleet_told(u64::from(surroundings.members_count).saturating_mul(districts));
        if fleet.guests.is_fleet_small() {
            self.become_member(Joining::SmallFleet);
        }
    }

    /// This node, which was a guest, is a member from now on. It keeps all that it has.
    fn become_member(&mut self, why: Joining) {
        let now = self.now;
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| fleet.is_guest()) else { return };
        let hosts: Vec<PeerId> = fleet.ring.others().collect();
        let fellows: Vec<PeerId> = fleet.guests.hosted().collect();
        fleet.guests.join(why);
        fleet.ring.take_part();
        fleet.peers.be_member(now);
        fleet.new_until = Some(now.saturating_add(super::warming::WARM_UP_TIMEOUT));
        self.outputs.push_back(Output::Joined { why });
        for peer in hosts.iter().chain(&fellows) {
            self.say(*peer, Message::Guest(GuestWord::Joins));
        }
        for host in hosts {
            let Some(fleet) = &mut self.fleet else { return };
            fleet.membership.on_connected(now, host);
            self.recollect(host);
            self.warm_up_from(host);
            self.greet(host);
        }
        for fellow in fellows {
            if let Some(fleet) = &mut self.fleet {
                fleet.peers.set_fellow(fellow, false);
            }
            self.host(fellow);
        }
    }

    pub(in crate::engine) fn on_guests_due(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if let Some(why) = fleet.guests.reason_to_join(now) {
            return self.become_member(why);
        }
        if !fleet.guests.is_telling_due(now) {
            return;
        }
        fleet.guests.tell_later(now);
        for guest in fleet.guests_hosted() {
            let Some(fleet) = &mut self.fleet else { return };
            let surroundings = fleet.surroundings(now, Some(Place::of_peer(guest)));
            self.say(guest, Message::District(surroundings));
        }
    }

    /// `from` has told what was news here. What a guest or another district tells, all hear; what a member tells, the guests that
    /// this node hosts.
    pub(super) fn tell_on(&mut self, from: PeerId, message: Message) {
        let Some(fleet) = &self.fleet else { return };
        let is_of_guest = fleet.guests.hosts(from);
        if !is_of_guest && !fleet.is_outsider(from) {
            return self.say_to(fleet.guests_hosted(), message);
        }
        let mut to = fleet.listeners();
        to.retain(|peer| *peer != from);
        self.tell_other_districts((!is_of_guest).then_some(from), &message);
        self.say_to(to, message);
    }
}
