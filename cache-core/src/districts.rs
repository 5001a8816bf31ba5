//! Which members a node knows in full, and which few of the others.
//!
//! Every node and every resource has a [`Place`]: a hash. A *district* is all members whose places begin with the same
//! bits, as many as the *depth* says. A node is a full member among those of its own district, its *neighbours*, and
//! knows some members of each other district, *outsiders*, to which it makes a connection when there is something to
//! say. So what a node holds and says does not grow with the fleet. At depth 0, up to `district_max` members, the whole
//! fleet is one district.
//!
//! A district with more members splits: its members take one bit more into account. Two halves that have become small
//! unite. All members decide alike by what they know, and hear from one another at which depth each stands; two that
//! differ for a moment cost calls, not answers.

mod outsiders;
mod place;
#[cfg(test)]
mod tests;

pub(crate) use {
    outsiders::{Outsider, Outsiders},
    place::Place,
};

use crate::{Name, PeerId, Timestamp};
use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

/// Where a node stands among the districts of its fleet.
#[derive(Debug)]
pub(crate) struct Districts {
    place: Place,
    depth: u8,
    /// Most members of a district.
    max: usize,
    pub(crate) outsiders: Outsiders,
    /// What each connected peer said last of its own district.
    said: BTreeMap<PeerId, Said>,
    /// The connected peers that were told of other districts because they had asked for it.
    answered: BTreeSet<PeerId>,
    /// Since when our district and its other half together would be small.
    small_since: Option<Timestamp>,
    united_at: Option<Timestamp>,
    /// Until when the district does not unite with its other half again, which would not have it.
    apart_until: Timestamp,
}

/// What a peer said of its own district.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Said {
    pub(crate) depth: u8,
    pub(crate) members_count: u32,
}

impl Districts {
    pub(crate) fn new(local: PeerId, max: usize) -> Self {
        let place = Place::of_peer(local);
        Self {
            place,
            depth: 0,
            max: max.max(DISTRICT_MAX_MIN),
            outsiders: Outsiders::new(place),
            said: BTreeMap::new(),
            answered: BTreeSet::new(),
            small_since: None,
            united_at: None,
            apart_until: Timestamp::default(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// How many bits the places of the district have in common.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }

    /// Whether the whole fleet is one district.
    pub(crate) fn is_undivided(&self) -> bool {
        self.depth == 0
    }

    /// How many other districts there are, if all are as deep as this node's.
    pub(crate) fn others_count(&self) -> usize {
        (1 << self.depth.min(DEPTH_MAX)) - 1
    }

    pub(crate) fn is_neighbour(&self, peer: PeerId) -> bool {
        self.depth == 0 || self.place.shared(Place::of_peer(peer)) >= self.depth
    }

    /// Whether this node's district is the one of `name`: no other is known that is nearer.
    pub(crate) fn is_home_of(&self, name: &Name) -> bool {
        self.depth == 0 || !self.outsiders.is_one_nearer(name)
    }

    /// Whether `peer` has members in its district besides itself, as far as it said.
    pub(crate) fn is_settled(&self, peer: PeerId) -> bool {
        self.said.get(&peer).is_some_and(|said| said.members_count > 1)
    }

    /// The connection with `peer` has ended.
    pub(crate) fn on_disconnected(&mut self, peer: PeerId) {
        self.said.remove(&peer);
        self.answered.remove(&peer);
    }

    /// `peer` says where it stands. `count` members are in our district, with this node. Returns whether our depth
    /// has changed by that.
    pub(crate) fn on_said(&mut self, now: Timestamp, peer: PeerId, said: Said, count: usize) -> bool {
        self.said.insert(peer, said);
        if said.depth > DEPTH_MAX {
            return false;
        }
        let shared = self.place.shared(Place::of_peer(peer));
        let before = self.depth;
        if said.depth > self.depth {
            let is_small = count <= self.max / 4;
            if shared < said.depth && (shared >= self.depth || is_small) && !self.has_united_lately(now) {
                // It is none of our neighbours, by its own word: so it cannot share as many bits as we have.
                // A node that is alone takes it that other districts are as deep.
                let to = if count <= 2 { said.depth } else { said.depth.min(shared + 1) };
                if to > self.depth {
                    self.depth = to;
                    self.apart_until = now.saturating_add(APART_FOR);
                }
            } else if shared >= said.depth && (count > self.max / 2 || is_small) {
                self.depth = said.depth;
            }
        } else if said.depth + 1 == self.depth && shared >= said.depth && self.may_unite(now, count) {
            self.unite(now);
        }
        self.depth != before
    }

    /// Whether a district of `count` members has to split.
    pub(crate) fn is_too_large(&self, count: usize) -> bool {
        count > self.max && self.depth < DEPTH_MAX
    }

    /// Goes on with the half of the district in which this node is.
    pub(crate) fn split(&mut self) {
        self.depth += 1;
        self.small_since = None;
    }

    /// Whether `peer` stands nearer to `name` than this node.
    pub(crate) fn is_nearer(&self, peer: PeerId, name: &Name) -> bool {
        let place = Place::of_name(name);
        Place::of_peer(peer).distance(place) < self.place.distance(place)
    }

    /// Whether `peer`, which would like to hear of other districts, is to be told: once while it is connected.
    pub(crate) fn answers_once(&mut self, peer: PeerId) -> bool {
        self.answered.insert(peer)
    }

    /// Looks at the district of `count` members from time to time. Returns whether it unites with its other half.
    pub(crate) fn on_due(&mut self, now: Timestamp, count: usize) -> bool {
        if !self.may_unite(now, count) {
            self.small_since = None;
            return false;
        }
        let since = *self.small_since.get_or_insert(now);
        if now.saturating_since(since) < UNITE_AFTER {
            return false;
        }
        self.unite(now);
        true
    }

    fn unite(&mut self, now: Timestamp) {
        self.depth -= 1;
        (self.united_at, self.small_since) = (Some(now), None);
    }

    /// Whether the district and its other half together are small enough to be one for a while.
    fn may_unite(&self, now: Timestamp, count: usize) -> bool {
        let Some(depth) = self.depth.checked_sub(1) else { return false };
        let others = self.outsiders.half_count(now, depth, self.depth);
        now >= self.apart_until && others.is_some_and(|others| count + others <= self.max * 5 / 8)
    }

    fn has_united_lately(&self, now: Timestamp) -> bool {
        self.united_at.is_some_and(|at| now.saturating_since(at) < UNITE_AFTER)
    }
}

/// Deepest that districts can be: 1,024 of them. A fleet of ten thousand has 64 or 128.
pub(crate) const DEPTH_MAX: u8 = 10;

/// Smallest limit for the members of a district.
const DISTRICT_MAX_MIN: usize = 2;

/// Time for which two halves must be small before they unite: longer than a fleet takes to restart. For as long, what
/// members say that have not heard of it yet does not divide them again.
const UNITE_AFTER: Duration = Duration::from_secs(30);

/// Time for which a district that could not unite with its other half does not try again.
const APART_FOR: Duration = Duration::from_secs(120);
