//! Which member coordinates which name: rendezvous hashing over the live members.
//!
//! All names of one resource have one coordinator, so that it sees all readers of the resource.

use crate::{Name, PeerId};
use alloc::collections::BTreeSet;
use core::{hash::Hasher as _, ops::Bound};
use siphasher::sip::SipHasher13;

/// The members that coordinate names, ourselves among them.
///
/// Each member weighs each name by a hash of both, and the heaviest coordinates it (Thaler and Ravishankar, "Using
/// name-based mappings to increase hit rates", 1998). Two nodes that know the same members know the same coordinator,
/// and a member that leaves moves only the names that it coordinated.
#[derive(Debug)]
pub(crate) struct Ring {
    local: PeerId,
    /// Whether this node coordinates names as well. A guest does so only while it knows no other.
    takes_part: bool,
    members: BTreeSet<PeerId>,
    /// Members that live and are not connected.
    beyond: BTreeSet<PeerId>,
}

impl Ring {
    pub(crate) fn new(local: PeerId) -> Self {
        Self { local, takes_part: true, members: BTreeSet::from([local]), beyond: BTreeSet::new() }
    }

    /// The members that a guest knows, of which it is none.
    pub(crate) fn of_guest(local: PeerId) -> Self {
        Self { takes_part: false, ..Self::new(local) }
    }

    /// This node coordinates names from now on, as the others do.
    pub(crate) fn take_part(&mut self) {
        self.takes_part = true;
    }

    pub(crate) fn insert(&mut self, peer: PeerId) {
        self.members.insert(peer);
        self.beyond.remove(&peer);
    }

    /// `peer` lives and is not connected.
    pub(crate) fn insert_beyond(&mut self, peer: PeerId) {
        if !self.members.contains(&peer) {
            self.beyond.insert(peer);
        }
    }

    pub(crate) fn remove(&mut self, peer: PeerId) {
        if peer != self.local {
            self.members.remove(&peer);
            self.beyond.remove(&peer);
        }
    }

    /// The coordinator of `name` among the members that are not in `except`. There always is one: this node remains.
    pub(crate) fn coordinator(&self, name: &Name, except: &[PeerId]) -> PeerId {
        let takes_part = |member: &PeerId| self.takes_part || *member != self.local;
        let candidates = self.members.iter().filter(|member| takes_part(member) && !except.contains(member));
        candidates.copied().max_by_key(|member| (weight(*member, name), *member)).unwrap_or(self.local)
    }

    /// The heaviest of those without a connection for which `may_be` holds, if it weighs more than this node.
    pub(crate) fn superior_beyond(&self, name: &Name, may_be: impl Fn(PeerId) -> bool) -> Option<PeerId> {
        let rank = |member: PeerId| (weight(member, name), member);
        let heavier = self.beyond.iter().copied().filter(|member| rank(*member) > rank(self.local));
        heavier.filter(|member| may_be(*member)).max_by_key(|member| rank(*member))
    }

    /// Whether there are members without a connection.
    pub(crate) fn exceeds_connections(&self) -> bool {
        !self.beyond.is_empty()
    }

    /// The member after `behind`, in the order of ids, of those for which `may_be` holds; after the last comes the first.
    ///
    /// Where each begins with itself, each is told by one other at a time. If all began with the same one, all would tell it at
    /// once, and nobody would hear anything until its turn has come.
    pub(crate) fn next_after(&self, behind: PeerId, may_be: impl Fn(PeerId) -> bool) -> Option<PeerId> {
        let first = |from| self.others().find(|peer| *peer > from && may_be(*peer));
        first(behind).or_else(|| self.others().find(|peer| may_be(*peer)))
    }

    /// Every member except this node.
    pub(crate) fn others(&self) -> impl Iterator<Item = PeerId> {
        self.members.iter().copied().filter(|member| *member != self.local)
    }

    /// Every member except this node, in the order of ids, beginning with the one after this node.
    pub(crate) fn next_others(&self) -> impl Iterator<Item = PeerId> {
        let after = self.members.range((Bound::Excluded(self.local), Bound::Unbounded));
        after.chain(self.members.range(..self.local)).copied()
    }

    /// How many [`Self::others`] there are.
    pub(crate) fn others_count(&self) -> usize {
        self.members.len() - 1
    }

    pub(crate) fn contains(&self, peer: PeerId) -> bool {
        self.members.contains(&peer)
    }

    /// Whether this node is the only member.
    pub(crate) fn is_alone(&self) -> bool {
        self.members.len() == 1
    }
}

/// SipHash-1-3 with a key of zeros: a hash that is the same everywhere and mixes well. Names are keyed digests
/// already, so no outsider can choose one; a member that chose its identity to coordinate a certain name would gain
/// no more than any member can do.
fn weight(member: PeerId, name: &Name) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(member.public_key());
    hasher.write(&name.kinship());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeMap, vec::Vec};

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    fn names() -> impl Iterator<Item = Name> {
        (0..1000_u32).map(|number| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_le_bytes());
            Name::from_bytes(bytes)
        })
    }

    fn ring(local: u8, others: impl IntoIterator<Item = u8>) -> Ring {
        let mut ring = Ring::new(peer(local));
        others.into_iter().for_each(|number| ring.insert(peer(number)));
        ring
    }

    #[test]
    fn all_who_know_the_same_members_know_the_same_coordinator() {
        let (one, other) = (ring(1, [2, 3, 4, 5]), ring(5, [4, 3, 2, 1]));
        assert!(names().all(|name| one.coordinator(&name, &[]) == other.coordinator(&name, &[])));
    }

    #[test]
    fn a_guest_coordinates_what_no_other_does() {
        let mut guest = Ring::of_guest(peer(1));
        assert!(names().all(|name| guest.coordinator(&name, &[]) == peer(1)));
        [2, 3].into_iter().for_each(|number| guest.insert(peer(number)));
        assert!(names().all(|name| guest.coordinator(&name, &[]) != peer(1)));
        assert!(names().all(|name| guest.coordinator(&name, &[peer(2), peer(3)]) == peer(1)));
        guest.take_part();
        assert!(names().all(|name| guest.coordinator(&name, &[]) == ring(1, [2, 3]).coordinator(&name, &[])));
    }

    #[test]
    fn if_all_tell_the_next_one_in_turn_each_is_told_by_one_at_a_time() {
        let mut told: Vec<PeerId> = (0..9).map(peer).collect();
        for round in 0..20 {
            for (local, told) in (0..9).zip(&mut told) {
                *told = ring(local, 0..9).next_after(*told, |_| true).expect("there are others");
                assert_ne!(*told, peer(local));
            }
            let mut hearing: Vec<PeerId> = told.clone();
            hearing.sort_unstable();
            hearing.dedup();
            assert!(hearing.len() >= 8, "round {round}: {hearing:?}");
        }
        assert_eq!(ring(1, [2, 3]).next_after(peer(1), |other| other == peer(3)), Some(peer(3)));
        assert_eq!(ring(1, [2, 3]).next_after(peer(1), |_| false), None);
    }

    #[test]
    fn a_member_that_leaves_moves_only_its_own_names() {
        let (mut ring, before) = (ring(1, [2, 3, 4, 5]), ring(1, [2, 3, 4, 5]));
        ring.remove(peer(3));
        for name in names() {
            let old = before.coordinator(&name, &[]);
            assert!(old == peer(3) || old == ring.coordinator(&name, &[]));
            assert_eq!(before.coordinator(&name, &[peer(3)]), ring.coordinator(&name, &[]));
        }
    }

    #[test]
    fn the_work_is_spread_evenly() {
        let ring = ring(1, 2..=10);
        let mut counts = BTreeMap::new();
        names().for_each(|name| *counts.entry(ring.coordinator(&name, &[])).or_insert(0) += 1);
        let counts: Vec<i32> = counts.into_values().collect();
        assert!(counts.len() == 10 && counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
    }
}
