//! What a node knows of the districts around it, and tells of them.

use super::state::Fleet;
use crate::{
    Deadline, Name, PeerId, Timestamp,
    districts::{Outsider, Place},
    message::{KNOWN_TOLD_MAX, Known, Surroundings},
};
use alloc::{boxed::Box, string::String, vec::Vec};
use core::time::Duration;

impl Fleet {
    /// How many members our district has, with this node.
    pub(super) fn district_count(&self) -> usize {
        self.membership.count()
    }

    /// Whether `peer`, which is connected, is a member of another district. None is where the fleet is one: a member that
    /// is taken for dead is no outsider, and a guest has no district.
    pub(in crate::engine) fn is_outsider(&self, peer: PeerId) -> bool {
        !self.districts.is_neighbour(peer) && !self.guests.is_no_member(peer)
    }

    /// Whether there is any member to ask.
    pub(in crate::engine) fn is_alone(&self) -> bool {
        self.ring.is_alone() && self.districts.is_undivided()
    }

    /// The member of another district to ask for `name`, which is at home there or nearer to it.
    pub(super) fn gate(&self, now: Timestamp, name: &Name, except: &[PeerId]) -> Option<PeerId> {
        if self.districts.is_home_of(name) {
            return None;
        }
        let connected = self.peers.connected();
        let can_dial = self.peers.can_dial();
        let may_be = |peer| !except.contains(&peer) && (can_dial || connected.contains_key(&peer));
        let outsiders = &self.districts.outsiders;
        outsiders.gate(now, name, self.districts.depth(), |peer| connected.contains_key(&peer), may_be)
    }

    /// The connected member of another district that looks for `name` for a node which knows no better.
    pub(super) fn guide(&self, except: &[PeerId]) -> Option<PeerId> {
        let is_guide = |peer: &PeerId| {
            !except.contains(peer) && self.is_outsider(*peer) && self.districts.is_settled(*peer)
        };
        self.peers.connected().keys().copied().find(is_guide)
    }

    /// What this node says of itself alone.
    pub(super) fn whereabouts(&self) -> Surroundings {
        let depth = self.districts.depth();
        let members_count = u32::try_from(self.district_count()).unwrap_or(u32::MAX);
        let local = self.membership.local().clone();
        let known = Vec::from([Known { member: local, depth, members_count, age: Duration::ZERO }]);
        let wants_others = self.districts.outsiders.len() < self.districts.others_count();
        Surroundings { depth, members_count, wants_others, known }
    }

    /// The same with members that a node at the place `near` may want to know, nearest first, or else with the next ones of
    /// those of other districts.
    pub(super) fn surroundings(&mut self, now: Timestamp, near: Option<Place>) -> Surroundings {
        let Surroundings { depth, members_count, wants_others, known: mut told } = self.whereabouts();
        let known = |member, age| Known { member, depth, members_count, age };
        let of = |outsider: &Outsider| Known {
            member: outsider.member.clone(),
            depth: outsider.depth,
            members_count: outsider.members_count,
            age: now.saturating_since(outsider.heard_at),
        };
        match near {
            Some(place) => {
                let mut near: Vec<(u8, Known)> = self
                    .membership
                    .members()
                    .map(|member| {
                        (place.shared(Place::of_peer(member.peer())), known(member.clone(), Duration::ZERO))
                    })
                    .collect();
                near.sort_by_key(|(shared, _)| core::cmp::Reverse(*shared));
                near.truncate(KNOWN_TOLD_MAX / 2);
                let outside = self.districts.outsiders.nearest(place);
                near.extend(
                    outside.iter().take(KNOWN_TOLD_MAX).map(|known| (place.shared(known.place), of(known))),
                );
                near.sort_by_key(|(shared, known)| (core::cmp::Reverse(*shared), known.age));
                told.extend(near.into_iter().map(|(_, known)| known));
            }
            None => told.extend(self.districts.outsiders.next_told(OUTSIDERS_TOLD).iter().map(of)),
        }
        told.truncate(KNOWN_TOLD_MAX);
        Surroundings { depth, members_count, wants_others, known: told }
    }
}

impl Fleet {
    pub(super) fn district_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.look_at.map(|date| (date, Deadline::District))
    }
}

pub(super) fn addresses(member: &crate::Member) -> Vec<Box<str>> {
    member.addresses().map(String::into_boxed_str).collect()
}

/// Members of other districts told of to a neighbour at a time.
pub(super) const OUTSIDERS_TOLD: usize = 16;
