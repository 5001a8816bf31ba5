//! What a node knows of its fleet, and how members come and go.

use super::{
    Engine,
    gathering::Gathering,
    inquiring::Inquiries,
    warming::{WARM_UP_TIMEOUT, WarmingUp},
};
use crate::{
    AskId, Deadline, Features, Figures, Key, Message, Name, Offence, Output, Payer, PeerId, Sharing,
    Timestamp,
    membership::{Decision, End, Member, Membership, MembershipSettings},
    message::{Announced, Edition, Verdict},
    peers::{PeerDecision, Peers, Traffic, Welcome, peer_of_address},
    port::{DialError, Side},
    sharing::{
        Acquaintances, Editions, Holders, Invalidations, Leases, Patience, Recollection, Ring, Searches,
        Shelf,
    },
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;

/// Everything about other members.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) sharing: Sharing,
    pub(super) peers: Peers,
    pub(super) membership: Membership,
    pub(super) recollection: Recollection,
    pub(super) ring: Ring,
    pub(super) leases: Leases,
    pub(super) inquiries: Inquiries,
    pub(super) invalidations: Invalidations,
    pub(super) editions: Editions,
    pub(super) holders: Holders,
    pub(super) acquaintances: Acquaintances,
    /// What members call the entries in memory.
    pub(super) names: BTreeMap<Name, Key>,
    /// How prompt each connected peer is.
    pub(super) patience: BTreeMap<PeerId, Patience>,
    /// Which parts of the protocol each connected peer speaks.
    pub(super) features: BTreeMap<PeerId, Features>,
    /// What each peer counted.
    pub(super) figures: BTreeMap<PeerId, Figures>,
    pub(super) errands: BTreeMap<AskId, super::errand::Errand>,
    pub(super) errand_dates: BTreeSet<(Timestamp, AskId)>,
    pub(super) searches: Searches,
    /// What members call the entries that are on disk alone.
    pub(super) shelf: Shelf,
    pub(super) gathering: Gathering,
    pub(super) warming: WarmingUp,
    /// Until when others may have what this node coordinates, since they did so before; `None` if they cannot.
    pub(super) new_until: Option<Timestamp>,
    /// How many batches each peer was sent since it connected.
    pub(super) warm_ups: BTreeMap<PeerId, usize>,
}

impl Fleet {
    pub(super) fn new(sharing: Sharing) -> Self {
        let Sharing { local, boot, own_addresses, contacts, remembered, peers, seed, .. } = &sharing;
        let member = Member::new(*local, *boot, own_addresses);
        let membership = MembershipSettings {
            members_max: peers.known_max(),
            connections_wanted: peers.connections_wanted(),
            ..MembershipSettings::default()
        };
        Self {
            membership: Membership::new(member, *seed, &membership),
            peers: Peers::new(*local, own_addresses, contacts, remembered, (peers.clone(), *seed)),
            recollection: Recollection::new(remembered),
            ring: Ring::new(sharing.local),
            leases: Leases::default(),
            inquiries: Inquiries::default(),
            invalidations: Invalidations::new(sharing.seed),
            editions: Editions::new(sharing.seed),
            holders: Holders::default(),
            acquaintances: Acquaintances::default(),
            names: BTreeMap::new(),
            features: BTreeMap::new(),
            patience: BTreeMap::new(),
            figures: BTreeMap::new(),
            errands: BTreeMap::new(),
            errand_dates: BTreeSet::new(),
            searches: Searches::default(),
            shelf: Shelf::default(),
            gathering: Gathering::NotBegun,
            warming: WarmingUp::default(),
            new_until: None,
            warm_ups: BTreeMap::new(),
            sharing,
        }
    }

    pub(super) fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        let inquiry = self.inquiries.next_deadline();
        let lease = self.leases.next_deadline().map(|date| (date, Deadline::Lease));
        let errand = self.errand_dates.first().map(|(date, ask)| (*date, Deadline::Errand(*ask)));
        let peers = self.peers.next_deadline().map(|date| (date, Deadline::Peers));
        let membership = self.membership.next_deadline().map(|date| (date, Deadline::Membership));
        let recollection = self.recollection.next_deadline().map(|date| (date, Deadline::Recollection));
        let search = self.searches.next_deadline().map(|date| (date, Deadline::Search));
        let gathering = match self.gathering {
            Gathering::Until(date) | Gathering::Hearing { until: date, .. } => {
                Some((date, Deadline::Gathering))
            }
            Gathering::NotBegun | Gathering::Over => None,
        };
        lease
            .into_iter()
            .chain(errand)
            .chain(inquiry)
            .chain(peers)
            .chain(membership)
            .chain(recollection)
            .chain(search)
            .chain(gathering)
            .min()
    }

    pub(super) fn local(&self) -> PeerId {
        self.sharing.local
    }

    /// What we call `key`.
    pub(super) fn name(&self, key: &Key) -> Name {
        self.sharing.naming.names(key)[0]
    }

    /// Whether `peer` speaks the parts of the protocol that are `needed`.
    pub(super) fn understands(&self, peer: PeerId, needed: Features) -> bool {
        self.features.get(&peer).copied().unwrap_or_default().has(needed)
    }

    /// Takes note that members speak of `edition` of `key`. `false` if a later one of its issuer is known.
    pub(super) fn note_edition(&mut self, now: Timestamp, key: &Key, edition: Option<Edition>) -> bool {
        let Some(edition) = edition else { return true };
        let names = self.sharing.naming.names(key);
        names.into_iter().all(|name| self.editions.note(now, name, edition))
    }

    pub(super) fn learn_names(&mut self, key: &Key) {
        for name in self.sharing.naming.names(key) {
            self.names.insert(name, key.clone());
        }
    }

    pub(super) fn forget_names(&mut self, key: &Key) {
        for name in self.sharing.naming.names(key) {
            self.names.remove(&name);
        }
    }

    /// Who coordinates `name`, as far as we can tell: passing over those who are silent.
    pub(super) fn coordinator(&self, name: &Name, now: Timestamp, except: &[PeerId]) -> PeerId {
        let passed_over: Vec<PeerId> = self.peers.silent(now).chain(except.iter().copied()).collect();
        self.ring.coordinator(name, &passed_over)
    }

    /// How long `peer` is given to say something.
    pub(super) fn time_for(&self, peer: PeerId) -> Duration {
        let most = self.sharing.limits.ask_timeout;
        self.patience.get(&peer).map_or(most, |patience| patience.time(most))
    }

    /// Who coordinated `name` before this node, which is new to it; `None` if it is not, or nobody but `except` did.
    pub(super) fn deputy(&self, name: &Name, now: Timestamp, except: &[PeerId]) -> Option<PeerId> {
        self.new_until.filter(|until| now < *until)?;
        let except: Vec<PeerId> = except.iter().copied().chain([self.local()]).collect();
        Some(self.coordinator(name, now, &except)).filter(|deputy| *deputy != self.local())
    }
}

impl Engine {
    /// Whether there is anybody to share with.
    pub(super) fn shares(&self) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| !fleet.ring.is_alone())
    }

    /// Orders what is decided about members and connections.
    pub(super) fn order_connections(&mut self) {
        while let Some(decision) = self.fleet.as_mut().and_then(|fleet| fleet.membership.poll_decision()) {
            self.on_membership(decision);
        }
        let Some(fleet) = &mut self.fleet else { return };
        while let Some(decision) = fleet.peers.poll_decision() {
            self.outputs.push_back(match decision {
                PeerDecision::Dial { address } => Output::Dial { address },
                PeerDecision::Disconnect { peer } => Output::Disconnect { peer },
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
            }
            Decision::Twins { peer } => self.outputs.push_back(Output::Twins { peer }),
            Decision::Send { to, bytes } => {
                if fleet.peers.connected().contains_key(&to) {
                    self.say(to, Message::Membership(bytes));
                }
            }
        }
    }

    pub(super) fn on_membership_due(&mut self) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.membership.on_due(now);
        }
    }

    pub(super) fn on_peers_due(&mut self) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_due(now);
        }
        self.drop_unsent();
    }

    pub(super) fn on_dial_failed(&mut self, address: &str, failure: DialError) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_dial_failed(now, address, failure);
            if let (Some(peer), true) = (peer_of_address(address), says_that_nobody_is_there(failure)) {
                fleet.membership.on_unreachable(now, peer);
            }
        }
        self.drop_unsent();
    }

    pub(super) fn on_offence(&mut self, peer: PeerId, offence: Offence) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet
            && fleet.peers.on_offence(now, peer, offence).is_some()
        {
            self.counters.bans += 1;
        }
    }

    pub(super) fn on_connected(&mut self, peer: PeerId, address: &str, side: Side, features: Features) {
        let now = self.now;
        let exchanging = self.exchanging();
        let Some(fleet) = &mut self.fleet else { return };
        match fleet.peers.on_connected(now, peer, (address, side), &exchanging) {
            Welcome::Keep { instead_of } => {
                if let Some(other) = instead_of {
                    self.lose(other, End::GaveWay);
                }
                if let Some(fleet) = &mut self.fleet {
                    fleet.features.insert(peer, features);
                    fleet.membership.on_connected(now, peer);
                }
                self.recollect(peer);
                self.join_ring(peer);
                self.say_unsent(peer);
            }
            // The order to disconnect is among the decisions already.
            Welcome::Refuse(_) => {}
        }
    }

    /// Members that owe this node an answer or are owed one, where that decides which connection gives way.
    fn exchanging(&self) -> BTreeSet<PeerId> {
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| fleet.peers.is_full()) else {
            return BTreeSet::new();
        };
        let asked = self.flights.all_asked();
        asked
            .chain(fleet.leases.peers())
            .chain(fleet.inquiries.peers())
            .chain(fleet.searches.peers())
            .collect()
    }

    /// Learns anew by what names members may ask for what is here, in memory and on disk.
    pub(super) fn on_renamed(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        fleet.names.clear();
        for key in self.cache.keys() {
            fleet.learn_names(key);
        }
        let naming = Arc::clone(&fleet.sharing.naming);
        fleet.shelf.rename(|key| naming.names(key));
    }

    /// Shares names out with `peer` as well, who is connected and lives.
    fn join_ring(&mut self, peer: PeerId) {
        let now = self.now;
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| !fleet.ring.contains(peer)) else { return };
        if fleet.ring.is_alone() {
            fleet.new_until = Some(now.saturating_add(WARM_UP_TIMEOUT));
        }
        fleet.ring.insert(peer);
        // First what is no longer true, then what is.
        let notices = fleet.invalidations.notices(now, || self.receipts.number());
        fleet.acquaintances.on_met(now, peer, notices.last().map(|notice| notice.receipt));
        for notice in notices {
            self.say(peer, Message::Invalidate(notice));
        }
        self.claim_leases(|coordinator| coordinator == peer);
        self.warm_up_from(peer);
    }

    pub(super) fn on_disconnected(&mut self, peer: PeerId) {
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_disconnected(now, peer);
        }
        self.lose(peer, End::Lost);
    }

    /// There is no connection with `peer` any more.
    fn lose(&mut self, peer: PeerId, end: End) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        fleet.membership.on_disconnected(now, peer, end);
        fleet.warm_ups.remove(&peer);
        self.leave_ring(peer);
        let Some(fleet) = &mut self.fleet else { return };
        fleet.features.remove(&peer);
        fleet.patience.remove(&peer);
        if fleet.membership.is_alive(peer) {
            fleet.ring.insert_beyond(peer);
        }
    }

    /// Shares names out without `peer` from now on: it is gone, or cannot be heard.
    ///
    /// One that membership took for dead may have asked for leases since, as long as it is connected.
    fn leave_ring(&mut self, peer: PeerId) {
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
            let lease = &mut self.flights.flight_mut(id).consulted.lease;
            if *lease == Some(peer) {
                *lease = None;
                self.claim_lease(id);
            }
        }
        for ask in self.flights.asking(peer) {
            if let Some(id) = self.flights.end_ask(ask, peer) {
                self.take_off(id);
            }
        }
        self.on_search_lost(peer);
        self.lose_asker(peer);
        self.lose_superior(peer);
        self.give_back_owed(Verdict::Unused);
        self.fail_errands(peer);
    }

    /// Before the node stops: whoever waits for us is told, as far as that is possible.
    pub(super) fn on_leave(&mut self) {
        for id in self.flights.leased() {
            self.give_back_lease(id, Verdict::Unused);
        }
        let now = self.now;
        if let Some(fleet) = &mut self.fleet {
            fleet.membership.leave(now);
        }
        self.remember();
    }

    /// `peer` is to be looked for after a restart, if it is connected and known where it can be reached.
    fn recollect(&mut self, peer: PeerId) {
        let now = self.now;
        if let Some(Fleet { membership, peers, recollection, .. }) = self.fleet.as_deref_mut()
            && let Some(member) = membership.member(peer)
            && peers.connected().contains_key(&peer)
        {
            recollection.on_met(now, member, |known| membership.is_alive(known));
        }
    }

    /// Has kept whom to look for after a restart.
    pub(super) fn remember(&mut self) {
        let now = self.now;
        if let Some(members) = self.fleet.as_mut().and_then(|fleet| fleet.recollection.take(now)) {
            self.outputs.push_back(Output::Remember { members });
        }
    }

    /// Whether what `from` said in so many `bytes` is taken: it is connected, and says no more than it may.
    pub(super) fn admits(&mut self, from: PeerId, bytes: usize) -> bool {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return false };
        if !fleet.peers.connected().contains_key(&from) {
            return false;
        }
        match fleet.peers.on_traffic(now, from, bytes) {
            Traffic::Within => true,
            Traffic::Over { ban } => {
                self.counters.bans += u64::from(ban.is_some());
                false
            }
        }
    }

    pub(super) fn on_received(&mut self, from: PeerId, message: Message, bytes: usize) {
        let now = self.now;
        if !self.admits(from, bytes) {
            self.counters.messages_dropped += 1;
            return;
        }
        let Some(fleet) = &mut self.fleet else { return };
        if is_of_lookup(&message) {
            fleet.peers.on_used(now, from);
        }
        match message {
            Message::Announce(Announced::Named { name, remaining, age, edition }) => {
                self.on_announced_elsewhere(from, name, remaining, age, edition);
            }
            Message::Announce(Announced::Whole(parcel)) => self.on_announced(from, *parcel),
            Message::Answer { ask, answer } => self.on_answer(from, ask, answer),
            Message::Ask { ask, name, role } => self.on_ask(from, ask, name, role),
            Message::Claim { name } => {
                fleet.leases.claim(self.now, name, from, &fleet.sharing.limits);
            }
            Message::Figures(figures) => {
                fleet.figures.insert(from, figures);
            }
            Message::Forgotten { receipt } => self.on_forgotten(from, receipt),
            Message::Invalidate(notice) => self.on_invalidated(from, &notice),
            Message::Membership(bytes) => {
                if fleet.membership.on_message(now, from, &bytes).is_err() {
                    self.on_offence(from, Offence::Malformed);
                }
            }
            Message::Ping { token } => self.say(from, Message::Pong { token, clock: self.now }),
            Message::Pong { token, clock } => self.on_pong(from, AskId(token), clock),
            Message::Quota { payer, bucket, pause, shortage } if payer != Payer::HOST => {
                self.quotas.hold(payer, bucket, self.now, pause, shortage);
            }
            Message::Quota { .. } => {}
            Message::Release { name, verdict } => self.on_release(from, name, verdict),
            Message::WarmUp { skip } => self.on_warm_up(from, skip),
            Message::WarmedUp { next } => self.on_warmed_up(from, next),
        }
    }

    pub(super) fn on_counted(&mut self, figures: Figures) {
        self.say_all(Message::Figures(figures));
    }

    pub(super) fn say(&mut self, to: PeerId, message: Message) {
        if let Some(fleet) = self.fleet.as_mut().filter(|_fleet| is_of_lookup(&message)) {
            fleet.peers.on_used(self.now, to);
        }
        self.say_to(Vec::from([to]), message);
    }

    pub(super) fn say_all(&mut self, message: Message) {
        let Some(fleet) = &self.fleet else { return };
        self.say_to(fleet.ring.others().collect(), message);
    }

    /// Says `message` to those among `to` that understand it. The only place where anything is said.
    pub(super) fn say_to(&mut self, mut to: Vec<PeerId>, message: Message) {
        let Some(fleet) = &self.fleet else { return };
        to.retain(|peer| fleet.understands(*peer, message.needs()));
        if !to.is_empty() {
            self.outputs.push_back(Output::Send { to, message });
        }
    }

    /// Completes with a failure what was asked of `peer` for diagnosis.
    fn fail_errands(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        let asks: Vec<AskId> =
            fleet.errands.iter().filter(|(_, errand)| errand.peer == peer).map(|(ask, _)| *ask).collect();
        for ask in asks {
            self.on_errand_timed_out(ask);
        }
    }
}

/// Whether `message` is part of looking something up, which makes a connection worth keeping.
fn is_of_lookup(message: &Message) -> bool {
    matches!(
        message,
        Message::Answer { .. } | Message::Ask { .. } | Message::Claim { .. } | Message::Release { .. }
    )
}

/// Whether a member whose dial came to nothing so may be dead.
fn says_that_nobody_is_there(failure: DialError) -> bool {
    matches!(failure, DialError::TimedOut | DialError::Unreachable)
}

fn addresses(member: &Member) -> Vec<Box<str>> {
    member.addresses().map(String::into_boxed_str).collect()
}
