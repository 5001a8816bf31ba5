//! Where the fleet is divided into districts: which peers are neighbours, what the others are told, and how a node finds
//! its own district.

use super::{
    state::Fleet,
    surroundings::{OUTSIDERS_TOLD, addresses},
};
use crate::{
    Features, Message, Name, PeerId,
    districts::{Outsider, Place, Said},
    engine::Engine,
    membership::End,
    message::{Invalidation, Known, Notice, Role, Surroundings},
    sharing::Query,
};
use alloc::vec::Vec;
use core::time::Duration;

impl Engine {
    /// Says to `peer`, which has just connected, where this node stands, and where its own neighbours may be.
    pub(super) fn greet(&mut self, peer: PeerId) {
        let is_neighbour = self.fleet.as_ref().is_some_and(|fleet| fleet.ring.contains(peer));
        self.say_where(peer, !is_neighbour);
    }

    fn say_where(&mut self, peer: PeerId, guides: bool) {
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| !fleet.districts.is_undivided()) else { return };
        if !fleet.understands(peer, Features::DISTRICTS) {
            return;
        }
        let surroundings = if guides {
            fleet.surroundings(self.now, Some(Place::of_peer(peer)))
        } else {
            fleet.whereabouts()
        };
        self.say(peer, Message::District(surroundings));
    }

    /// `peer`, of another district, is connected. It is told what is no longer true, as neighbours are.
    pub(super) fn meet_outsider(&mut self, peer: PeerId) {
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.set_outside(peer, true);
        }
        self.exchange_notices(peer);
    }

    pub(super) fn on_surroundings(&mut self, from: PeerId, surroundings: &Surroundings) {
        let now = self.now;
        if self.fleet.as_ref().is_some_and(|fleet| fleet.is_guest()) {
            return self.on_surroundings_as_guest(from, surroundings);
        }
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| !fleet.guests.is_no_member(from)) else {
            return;
        };
        let said = Said { depth: surroundings.depth, members_count: surroundings.members_count };
        let is_neighbour = fleet.ring.contains(from);
        let others = fleet.ring.others_count() - usize::from(is_neighbour);
        let count = fleet.district_count().min(others + 1);
        let has_moved = fleet.districts.on_said(now, from, said, count);
        if has_moved {
            self.settle_borders();
        }
        self.contradict(from, said.depth);
        for known in &surroundings.known {
            self.learn_of(known);
        }
        let Some(fleet) = &mut self.fleet else { return };
        let has_others = fleet.districts.outsiders.len() > 0;
        if surroundings.wants_others
            && has_others
            && fleet.ring.contains(from)
            && fleet.districts.answers_once(from)
        {
            let pages = fleet.districts.outsiders.len().div_ceil(OUTSIDERS_TOLD).min(PAGES_FOR_NEWCOMERS);
            for _page in 0..pages {
                let Some(fleet) = &mut self.fleet else { return };
                let page = Surroundings { wants_others: false, ..fleet.surroundings(now, None) };
                self.say(from, Message::District(page));
            }
        }
        self.seek_neighbours();
    }

    /// Tells `from`, which takes this node for a neighbour at its `depth`, that it is none, for as long as it says so.
    fn contradict(&mut self, from: PeerId, depth: u8) {
        let Some(fleet) = &self.fleet else { return };
        let takes_us_in = fleet.districts.place().shared(Place::of_peer(from)) >= depth;
        if takes_us_in && fleet.is_outsider(from) {
            self.say_where(from, false);
        }
    }

    /// A member told of another.
    fn learn_of(&mut self, known: &Known) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let peer = known.member.peer();
        if peer == fleet.local() {
            return;
        }
        if fleet.districts.is_neighbour(peer) {
            let is_news = !fleet.ring.contains(peer) && !fleet.membership.is_alive(peer);
            if is_news && !fleet.districts.is_undivided() && known.age < MET_LATELY {
                fleet.peers.on_known(now, peer, &addresses(&known.member));
            }
            return;
        }
        let depth = fleet.districts.depth();
        let outsider = Outsider {
            member: known.member.clone(),
            place: Place::of_peer(peer),
            depth: known.depth,
            members_count: known.members_count,
            heard_at: now.saturating_sub(known.age),
        };
        fleet.districts.outsiders.learn(now, outsider, depth);
    }

    /// A node that knows no neighbour has those dialed that are nearest to it, which know its neighbours.
    fn seek_neighbours(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if !fleet.ring.is_alone() || fleet.districts.is_undivided() {
            return;
        }
        let nearest = fleet.districts.outsiders.nearest(fleet.districts.place());
        let connected = fleet.peers.connected();
        let unknown = nearest.into_iter().filter(|known| !connected.contains_key(&known.member.peer()));
        let next: Vec<_> = unknown
            .take(SOUGHT_AT_ONCE)
            .map(|known| (known.member.peer(), addresses(&known.member)))
            .collect();
        for (peer, addresses) in next {
            fleet.peers.want_outsider(now, peer, &addresses);
        }
    }

    /// The number of members has grown: perhaps beyond one district.
    pub(super) fn watch_growth(&mut self) {
        let mut has_split = false;
        while let Some(fleet) = &mut self.fleet {
            let knows_districts = |peer| fleet.understands(peer, Features::DISTRICTS);
            if !fleet.districts.is_too_large(fleet.district_count())
                || !fleet.ring.others().all(knows_districts)
            {
                break;
            }
            fleet.districts.split();
            has_split = true;
            self.settle_borders();
        }
        if has_split {
            self.tell_surroundings();
        }
    }

    /// Tells all that are connected where this node stands by now.
    fn tell_surroundings(&mut self) {
        let Some(fleet) = &self.fleet else { return };
        let connected: Vec<PeerId> = fleet.peers.connected().keys().copied().collect();
        connected.into_iter().for_each(|peer| self.say_where(peer, false));
    }

    /// The depth has changed: some neighbours are outsiders from now on, or some outsiders neighbours.
    fn settle_borders(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let depth = fleet.districts.depth();
        let (count, left_out) = (fleet.district_count(), fleet.membership.set_depth(depth));
        let members_count = u32::try_from(count.saturating_sub(left_out.len())).unwrap_or(u32::MAX);
        for member in left_out {
            let place = Place::of_peer(member.peer());
            let outsider = Outsider { member, place, depth, members_count, heard_at: now };
            let peer = outsider.member.peer();
            fleet.districts.outsiders.learn(now, outsider, depth);
            fleet.ring.remove(peer);
        }
        let Fleet { districts, peers, .. } = &mut **fleet;
        peers.dial_only(|peer| districts.is_neighbour(peer));
        let connected = fleet.peers.connected().keys().copied();
        let members: Vec<PeerId> = connected.filter(|peer| !fleet.guests.is_no_member(*peer)).collect();
        for peer in members {
            let Some(fleet) = &mut self.fleet else { return };
            match (fleet.districts.is_neighbour(peer), fleet.ring.contains(peer)) {
                (false, _) => {
                    fleet.ring.remove(peer);
                    fleet.peers.set_outside(peer, true);
                    fleet.membership.on_disconnected(now, peer, End::GaveWay);
                    fleet.figures.remove(&peer);
                    self.warm_up_elsewhere(peer);
                }
                (true, false) => {
                    fleet.peers.set_outside(peer, false);
                    fleet.membership.on_connected(now, peer);
                    self.join_ring(peer);
                }
                (true, true) => {}
            }
        }
        let Some(fleet) = &mut self.fleet else { return };
        let place = fleet.districts.place();
        fleet.districts.outsiders.tidy(now, |peer| place.shared(Place::of_peer(peer)) >= depth);
        (fleet.look_at, fleet.quick_looks) = (Some(now.saturating_add(LOOK_FIRST)), QUICK_LOOKS);
    }

    /// Looks at the districts from time to time, while there are several.
    pub(in crate::engine) fn on_district_due(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let count = fleet.district_count();
        if fleet.districts.on_due(now, count) {
            self.settle_borders();
            self.tell_surroundings();
        }
        let Some(fleet) = &mut self.fleet else { return };
        if fleet.districts.is_undivided() {
            fleet.look_at = None;
            return;
        }
        fleet.looks += 1;
        let (looks, is_alone) = (fleet.looks, fleet.ring.is_alone());
        let is_quick = is_alone || fleet.quick_looks > 0;
        fleet.quick_looks = fleet.quick_looks.saturating_sub(1);
        let pause = fleet.peers.scattered(if is_quick { LOOK_FIRST } else { LOOK_EVERY });
        fleet.look_at = Some(now.saturating_add(pause));
        fleet.districts.outsiders.tidy(now, |_| false);
        if is_alone {
            return self.seek_neighbours();
        }
        fleet.peers.end_idle(now);
        let behind = fleet.looked_to.unwrap_or(fleet.local());
        fleet.looked_to = fleet.ring.next_after(behind, |peer| fleet.understands(peer, Features::DISTRICTS));
        if let Some(neighbour) = fleet.looked_to {
            let surroundings = fleet.surroundings(now, None);
            self.say(neighbour, Message::District(surroundings));
        }
        let Some(fleet) = &mut self.fleet else { return };
        if (is_quick || looks.is_multiple_of(LOOKS_OUTSIDE))
            && let Some(outsider) = fleet.districts.outsiders.oldest()
        {
            let surroundings = fleet.surroundings(now, Some(Place::of_peer(outsider)));
            self.say_linked(outsider, Message::District(surroundings));
        }
    }

    /// If a member of another district asks for what this node itself asks a guide for, which stands no nearer to it, the
    /// guide may be asking on its behalf, and each would wait for the other. Then this node fetches.
    pub(super) fn end_waiting_round(&mut self, query: &Query, name: &Name) {
        let now = self.now;
        let is_from_outside =
            |fleet: &Fleet| query.role == Role::Coordinator && fleet.is_outsider(query.asker.peer);
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| is_from_outside(fleet)) else { return };
        let round = self.flights.claiming().into_iter().find_map(|id| {
            let (id, ask, peer) = self.consulting(id)?;
            let is_it = fleet.is_outsider(peer)
                && !fleet.districts.is_nearer(peer, name)
                && fleet.name(self.flights.flight(id).key()) == *name;
            is_it.then_some((id, ask, peer))
        });
        let Some((id, ask, peer)) = round else { return };
        let local = fleet.local();
        self.flights.end_ask(ask, peer);
        if let Some(fleet) = &mut self.fleet {
            fleet.leases.claim(now, *name, local, &fleet.sharing.limits);
        }
        self.flights.flight_mut(id).hold_lease_of(local);
        self.depart(id);
    }

    /// Tells other districts what all must hear, told by `from`: each part of the fleet is told by the members that
    /// stand nearest to it among those that know, so that everybody is told by a few and tells a few.
    pub(in crate::engine) fn tell_other_districts(&mut self, from: Option<PeerId>, message: &Message) {
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| !fleet.districts.is_undivided()) else { return };
        let place = fleet.districts.place();
        let first = from.map_or(0, |from| place.shared(Place::of_peer(from)).saturating_add(1));
        let connected = fleet.peers.connected();
        let is_liked = |peer| connected.contains_key(&peer);
        let mut told = Vec::new();
        for shared in first..fleet.districts.depth() {
            told.extend(fleet.districts.outsiders.at_distance(shared, TOLD_OF_EACH, is_liked));
        }
        for peer in told {
            let is_connected =
                self.fleet.as_ref().is_some_and(|fleet| fleet.peers.connected().contains_key(&peer));
            // Two that meet tell each other all that was invalidated, so that need not wait for it besides.
            if matches!(message, Message::Invalidate(_)) && !is_connected {
                self.link(peer);
            } else {
                self.say_linked(peer, message.clone());
            }
        }
    }

    /// What `from`, of another district, told of was news: our own district hears of it, and those beyond.
    pub(in crate::engine) fn pass_on_from(&mut self, from: PeerId, news: &[Invalidation]) {
        let Some(fleet) = &self.fleet else { return };
        if news.is_empty() || !fleet.is_outsider(from) {
            return;
        }
        let notice = Notice { receipt: 0, mark: None, invalidations: news.to_vec() };
        let message = Message::Invalidate(notice);
        self.tell_other_districts(Some(from), &message);
        self.say_all(message);
    }
}

/// How often a node tells a neighbour, in turn, what it knows of other districts: all hear of all within minutes.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The first time, and how often a node without neighbours looks for some.
const LOOK_FIRST: Duration = Duration::from_secs(1);

/// How many looks follow on one another quickly when the districts have changed.
const QUICK_LOOKS: u8 = 6;

/// Of how many looks one is at another district, so that somebody hears from each within some minutes.
const LOOKS_OUTSIDE: u64 = 6;

/// Messages full of members of other districts that a newcomer to a district is sent.
const PAGES_FOR_NEWCOMERS: usize = 16;

/// Members of each part of the fleet that are told what all must hear: a second one for when the first is gone.
const TOLD_OF_EACH: usize = 2;

/// Members that a node dials at a time while it looks for its district.
const SOUGHT_AT_ONCE: usize = 3;

/// Time for which a member of our district that another has heard from, and we have not, is worth a dial.
const MET_LATELY: Duration = Duration::from_secs(60);
