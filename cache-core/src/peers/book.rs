//! The peers that a node could dial: its contacts, and those that it has learned of.
//!
//! Owns every [`Candidate`] and the bounds on them. Everything that membership tells is bounded here: how many peers,
//! and how many addresses each. What discovery finds is bounded in `finding.rs`.

mod finding;

#[cfg(test)]
pub(super) use finding::FOUND_FOR;
pub use finding::FOUND_MAX;

use super::{
    candidate::{Candidate, KnownBy, Stage, TRIES_MAX},
    contact::{Contact, chosen},
    jitter::Jitter,
};
use crate::{
    Member, PeerId, REMEMBERED_MAX, Timestamp,
    address::{is_acceptable, peer_of_address, place_of_address, with_peer},
    port::DialError,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    string::String,
    vec::Vec,
};

/// All that could be dialed.
#[derive(Debug)]
pub(super) struct Book {
    local: PeerId,
    /// Where this node listens, without its id, as configured and as found out by dialing itself.
    own_places: Vec<Box<str>>,
    contacts: Vec<Contact>,
    /// Peers whose id is known, contacts among them.
    named: BTreeMap<PeerId, Candidate>,
    /// Contacts that name no peer: any peer may answer.
    unnamed: BTreeMap<u64, Unnamed>,
    /// The number of the next of those.
    unnamed_next: u64,
    /// Addresses where another peer answers than expected; the oldest goes first.
    spoiled: VecDeque<Box<str>>,
    /// Most peers known at a time, so that losses can be made good.
    known_max: usize,
}

/// A contact that names no peer.
#[derive(Debug)]
struct Unnamed {
    candidate: Candidate,
    /// The peer that answered last.
    met: Option<PeerId>,
}

/// A reference to one candidate.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Target {
    /// The one with this id.
    Named(PeerId),
    /// A contact without an id, by its number; no number is used twice.
    Unnamed(u64),
}

impl Book {
    pub(super) fn new(
        local: PeerId,
        own_addresses: &[Box<str>],
        contacts: &[Contact],
        remembered: &[Member],
        known_max: usize,
    ) -> Self {
        let contacts = chosen(contacts, local, own_addresses);
        let own_places = own_addresses.iter().map(|address| place_of_address(address).into()).collect();
        let mut book = Self {
            local,
            own_places,
            contacts: Vec::new(),
            named: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            unnamed_next: 0,
            spoiled: VecDeque::new(),
            known_max,
        };
        for (place, contact) in contacts.iter().enumerate() {
            let addresses = Vec::from([contact.address.clone()]);
            let candidate = Candidate::new(addresses, KnownBy::Contact { place }, Timestamp::default());
            match contact.peer {
                Some(peer) => drop(book.named.insert(peer, candidate)),
                None => book.insert_unnamed(candidate),
            }
        }
        book.contacts = contacts;
        for member in remembered.iter().take(REMEMBERED_MAX) {
            let addresses: Vec<Box<str>> = member.addresses().map(String::into_boxed_str).collect();
            book.learn_as(KnownBy::Remembered, member.peer(), &addresses, Timestamp::default());
        }
        book
    }

    /// Membership says that `peer` can be reached at `addresses`. If that is news, the peer is due at `until`.
    pub(super) fn learn(&mut self, peer: PeerId, addresses: &[Box<str>], until: Timestamp) {
        self.learn_as(KnownBy::Membership, peer, addresses, until);
    }

    /// There is something to say to `peer`, of another district, which can be reached at `addresses`.
    pub(super) fn learn_outsider(&mut self, now: Timestamp, peer: PeerId, addresses: &[Box<str>]) {
        if !self.named.contains_key(&peer) {
            self.learn_as(KnownBy::Outsider, peer, addresses, now);
        }
    }

    /// `peer` is of another district, so it is not dialed unless there is something to say to it.
    pub(super) fn put_outside(&mut self, peer: PeerId) {
        if let Some(candidate) = self.named.get_mut(&peer)
            && matches!(candidate.known_by, KnownBy::Membership | KnownBy::Remembered)
        {
            candidate.known_by = KnownBy::Outsider;
        }
    }

    /// Strikes out the members for which `stays` does not hold.
    pub(super) fn retain(&mut self, stays: impl Fn(PeerId) -> bool) {
        self.named.retain(|peer, candidate| candidate.known_by != KnownBy::Membership || stays(*peer));
    }

    /// Strikes `target` out if it is known for its district's sake alone: what wants it says where it is.
    pub(super) fn leave_outsider(&mut self, target: Target) {
        if let Target::Named(peer) = target
            && self.named.get(&peer).is_some_and(|candidate| candidate.known_by == KnownBy::Outsider)
        {
            self.named.remove(&peer);
        }
    }

    fn learn_as(&mut self, known_by: KnownBy, peer: PeerId, addresses: &[Box<str>], until: Timestamp) {
        if peer == self.local {
            return;
        }
        let addresses = self.acceptable(peer, addresses);
        if let Some(candidate) = self.named.get_mut(&peer) {
            match candidate.known_by {
                KnownBy::Contact { place } => {
                    let pinned = self.contacts[place].address.clone();
                    let others = addresses.into_iter().filter(|address| *address != pinned);
                    confirm(candidate, core::iter::once(pinned.clone()).chain(others).collect(), until);
                }
                KnownBy::Found { .. } => confirm(candidate, addresses, until),
                KnownBy::Membership | KnownBy::Outsider | KnownBy::Remembered => {
                    candidate.known_by = known_by;
                    confirm(candidate, addresses, until);
                }
            }
        } else if !addresses.is_empty() && self.has_room() {
            self.named.insert(peer, Candidate::new(addresses, known_by, until));
        }
    }

    /// `peer` lives. Forgets that it could not be reached: it is due at `until` at the latest.
    pub(super) fn back(&mut self, peer: PeerId, until: Timestamp) {
        for target in self.targets_of(peer) {
            let Some(candidate) = self.candidate_mut(target) else { continue };
            candidate.lives = true;
            if let Stage::Waiting { until: old } = candidate.stage {
                candidate.stage = Stage::Waiting { until: old.min(until) };
                (candidate.failures, candidate.next) = (0, 0);
            }
        }
    }

    /// Membership says that `peer` is gone. Only a contact is remembered, and a member that was never dialed, because
    /// its turn was still to come, until it was. Others may have found it gone because none of them could dial it
    /// yet.
    pub(super) fn gone(&mut self, now: Timestamp, peer: PeerId, is_connected: bool, jitter: &mut Jitter) {
        for target in self.targets_of(peer) {
            let Some(candidate) = self.candidate_mut(target) else { continue };
            candidate.lives = false;
            match (candidate.known_by, candidate.stage) {
                (KnownBy::Membership, _any) if candidate.is_put_off(now) => candidate.try_once(now),
                // Discovery may have found it after it went; it is forgotten when it is not found any more.
                (KnownBy::Found { .. }, Stage::Dialing { .. }) => {}
                (KnownBy::Found { .. }, _other) if is_connected => candidate.stage = Stage::Leaving,
                (KnownBy::Found { .. }, _other) => candidate.gone(now, jitter),
                (KnownBy::Membership | KnownBy::Outsider | KnownBy::Remembered, _any) => {
                    drop(self.named.remove(&peer));
                }
                (KnownBy::Contact { .. }, Stage::Dialing { .. }) => {}
                (KnownBy::Contact { .. }, _other) if is_connected => candidate.stage = Stage::Leaving,
                (KnownBy::Contact { .. }, _other) => candidate.gone(now, jitter),
            }
        }
    }

    /// Strikes `peer` out unless it is a contact, or was found.
    pub(super) fn forget(&mut self, peer: PeerId) {
        let is_contact = |candidate: &Candidate| {
            matches!(candidate.known_by, KnownBy::Contact { .. } | KnownBy::Found { .. })
        };
        if self.named.get(&peer).is_some_and(|candidate| !is_contact(candidate)) {
            self.named.remove(&peer);
        }
    }

    /// Strikes `target` out if it is remembered from before, no member has said since that it lives, and it was tried
    /// often enough.
    pub(super) fn give_up(&mut self, target: Target) {
        let is_vain =
            |candidate: &Candidate| candidate.known_by == KnownBy::Remembered && is_hopeless(candidate);
        if let Target::Named(peer) = target
            && self.named.get(&peer).is_some_and(is_vain)
        {
            self.named.remove(&peer);
        }
    }

    /// The dial of `address` showed that it does not lead to `target`, and never will.
    pub(super) fn spoil(
        &mut self,
        now: Timestamp,
        target: Target,
        address: &str,
        failure: DialError,
        jitter: &mut Jitter,
    ) {
        if failure == DialError::Itself {
            if self.own_places.len() < OWN_PLACES_MAX && !self.is_own(address) {
                self.own_places.push(place_of_address(address).into());
            }
        } else if matches!(target, Target::Named(_)) && !self.is_spoiled(address) {
            self.spoiled.push_back(address.into());
            self.spoiled.drain(..self.spoiled.len().saturating_sub(SPOILED_MAX));
        }
        let is_pinned = self.contacts.iter().any(|contact| *contact.address == *address);
        let Some(candidate) = self.candidate_mut(target) else { return };
        if is_pinned {
            candidate.failed(now, failure, jitter);
            return;
        }
        candidate.failed_for_good(now, address, jitter);
        if candidate.addresses.is_empty() {
            self.strike_out(target);
        }
    }

    /// Remembers the peer that answered a contact that names none.
    pub(super) fn met(&mut self, target: Target, peer: PeerId) {
        if let Target::Unnamed(number) = target
            && let Some(unnamed) = self.unnamed.get_mut(&number)
        {
            unnamed.met = Some(peer);
        }
    }

    pub(super) fn candidate_mut(&mut self, target: Target) -> Option<&mut Candidate> {
        match target {
            Target::Named(peer) => self.named.get_mut(&peer),
            Target::Unnamed(number) => self.unnamed.get_mut(&number).map(|unnamed| &mut unnamed.candidate),
        }
    }

    pub(super) fn candidate(&self, target: Target) -> Option<&Candidate> {
        match target {
            Target::Named(peer) => self.named.get(&peer),
            Target::Unnamed(number) => self.unnamed.get(&number).map(|unnamed| &unnamed.candidate),
        }
    }

    /// The peer that a dial of `target` should reach, as far as that is known.
    pub(super) fn peer_of(&self, target: Target) -> Option<PeerId> {
        match target {
            Target::Named(peer) => Some(peer),
            Target::Unnamed(number) => self.unnamed.get(&number)?.met,
        }
    }

    /// All candidates that lead to `peer`.
    pub(super) fn targets_of(&self, peer: PeerId) -> Vec<Target> {
        let named = self.named.contains_key(&peer).then_some(Target::Named(peer));
        let met = self.unnamed.iter().filter(|(_number, unnamed)| unnamed.met == Some(peer));
        named.into_iter().chain(met.map(|(number, _unnamed)| Target::Unnamed(*number))).collect()
    }

    /// All candidates, contacts without an id last.
    pub(super) fn candidates(&self) -> impl Iterator<Item = (Target, &Candidate)> {
        let named = self.named.iter().map(|(peer, candidate)| (Target::Named(*peer), candidate));
        let unnamed = self.unnamed.iter();
        named.chain(unnamed.map(|(number, unnamed)| (Target::Unnamed(*number), &unnamed.candidate)))
    }

    /// How many peers are known by their id.
    pub(super) fn members_count(&self) -> usize {
        self.named.len()
    }

    /// How many peers are known, and how many addresses lead elsewhere.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.named.len(), self.spoiled.len())
    }

    /// The addresses that may be dialed for `peer`, each with its id at the end.
    fn acceptable(&self, peer: PeerId, addresses: &[Box<str>]) -> Vec<Box<str>> {
        let mut accepted: Vec<Box<str>> = Vec::new();
        for address in addresses.iter().take(ADDRESSES_READ_MAX) {
            let names_another = address.contains("/p2p/") && peer_of_address(address) != Some(peer);
            if names_another || !is_acceptable(address) || self.is_own(address) {
                continue;
            }
            let address = with_peer(address, peer);
            if is_acceptable(&address) && !self.is_spoiled(&address) && !accepted.contains(&address) {
                accepted.push(address);
            }
        }
        accepted.truncate(ADDRESSES_MAX);
        accepted
    }

    /// Whether one more peer may be known; forgets the most hopeless one if that makes room.
    fn has_room(&mut self) -> bool {
        if self.named.len() < self.known_max {
            return true;
        }
        let hopeless = self.named.iter().filter(|(_peer, candidate)| is_hopeless(candidate));
        let hopeless = hopeless.map(|(peer, candidate)| (candidate.failures, *peer)).max();
        hopeless.and_then(|(_failures, peer)| self.named.remove(&peer)).is_some()
    }

    fn insert_unnamed(&mut self, candidate: Candidate) {
        self.unnamed.insert(self.unnamed_next, Unnamed { candidate, met: None });
        self.unnamed_next += 1;
    }

    fn strike_out(&mut self, target: Target) {
        match target {
            Target::Named(peer) => drop(self.named.remove(&peer)),
            Target::Unnamed(number) => drop(self.unnamed.remove(&number)),
        }
    }

    fn is_own(&self, address: &str) -> bool {
        self.own_places.iter().any(|own| **own == *place_of_address(address))
    }

    fn is_spoiled(&self, address: &str) -> bool {
        self.spoiled.iter().any(|spoiled| **spoiled == *address)
    }
}

/// Membership confirms a candidate. Addresses that are new to us are tried soon, without regard to failures.
fn confirm(candidate: &mut Candidate, addresses: Vec<Box<str>>, until: Timestamp) {
    let mut addresses = addresses;
    addresses.truncate(ADDRESSES_MAX);
    let is_news = addresses.iter().any(|address| !candidate.addresses.contains(address));
    if let Some(last_good) = candidate.addresses.first()
        && let Some(place) = addresses.iter().position(|address| address == last_good)
    {
        addresses[..=place].rotate_right(1);
    }
    if !addresses.is_empty() {
        candidate.addresses = addresses;
    }
    match candidate.stage {
        Stage::Leaving => candidate.stage = Stage::Settled,
        Stage::Waiting { until: old } if is_news => {
            candidate.stage = Stage::Waiting { until: old.min(until) }
        }
        Stage::Dialing { .. } | Stage::Settled | Stage::Waiting { .. } => {}
    }
    if is_news {
        (candidate.failures, candidate.next) = (0, 0);
    }
}

/// Whether a candidate may make room for another member: it failed too often, and no dial of it is under way.
fn is_hopeless(candidate: &Candidate) -> bool {
    let is_idle = matches!(candidate.stage, Stage::Waiting { .. });
    match candidate.known_by {
        KnownBy::Found { .. } | KnownBy::Membership | KnownBy::Outsider | KnownBy::Remembered => {
            is_idle && candidate.failures >= TRIES_MAX
        }
        KnownBy::Contact { .. } => false,
    }
}

/// Most addresses of one peer: two families, inside and outside.
pub(super) const ADDRESSES_MAX: usize = 4;

/// Most addresses of one peer that are looked at.
const ADDRESSES_READ_MAX: usize = 16;

/// Most own addresses known: a host has a few interfaces.
const OWN_PLACES_MAX: usize = 32;

/// Most addresses remembered as leading elsewhere; a forgotten one costs a dial.
pub(super) const SPOILED_MAX: usize = 256;
