//! The members of other districts that a node knows: a few of each.

use super::Place;
use crate::{Member, Name, PeerId, Timestamp};
use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// A member of another district.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Outsider {
    pub(crate) member: Member,
    pub(crate) place: Place,
    /// The depth of its district, and how many members that had, when some member last heard from it.
    pub(crate) depth: u8,
    pub(crate) members_count: u32,
    pub(crate) heard_at: Timestamp,
}

impl Outsider {
    /// How much a node at `local` has of it, the less the better: of those that were heard from lately the nearest, and then those
    /// heard from last.
    fn worth(&self, now: Timestamp, local: Place) -> (bool, u64) {
        let age = now.saturating_since(self.heard_at);
        if age < HEARD_LATELY {
            return (false, self.place.distance(local));
        }
        (true, u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Those that are known, at most [`OUTSIDERS_OF_ONE_MAX`] of one district and [`OUTSIDERS_MAX`] in all.
#[derive(Debug)]
pub(crate) struct Outsiders {
    local: Place,
    known: BTreeMap<PeerId, Outsider>,
    /// When a dial of one came to nothing: at most [`VAIN_MAX`]. What others heard from it before that is no news.
    vain: BTreeMap<PeerId, Timestamp>,
    /// The one that was told of last.
    told: Option<PeerId>,
}

impl Outsiders {
    pub(super) fn new(local: Place) -> Self {
        Self { local, known: BTreeMap::new(), vain: BTreeMap::new(), told: None }
    }

    /// Takes note of `outsider` for a node at `depth`. Of too many of one district, those stay that were heard from lately, and of
    /// these the ones that are nearest to this node: each node of a district so has its own, and no member is asked by all. Returns
    /// whether it is known from now on.
    pub(crate) fn learn(&mut self, now: Timestamp, outsider: Outsider, depth: u8) -> bool {
        let peer = outsider.member.peer();
        let is_vain = self.vain.get(&peer).is_some_and(|vain_at| outsider.heard_at <= *vain_at);
        if is_vain || now.saturating_since(outsider.heard_at) >= KNOWN_FOR {
            return false;
        }
        if let Some(known) = self.known.get_mut(&peer) {
            if outsider.heard_at > known.heard_at {
                *known = outsider;
            }
            return true;
        }
        // Those of a wide district stand for many: the other half of the fleet at depth 1.
        let prefix = outsider.place.prefix(depth);
        let of_one = || self.known.values().filter(|known| known.place.prefix(depth) == prefix);
        let is_full = self.known.len() >= OUTSIDERS_MAX;
        if is_full || of_one().count() >= OUTSIDERS_OF_ONE_MAX {
            let worth = |known: &Outsider| known.worth(now, self.local);
            let worst = of_one().max_by_key(|known| worth(known));
            let Some(worst) = worst.filter(|worst| worth(&outsider) < worth(worst)) else {
                return false;
            };
            let worst = worst.member.peer();
            self.known.remove(&worst);
        }
        self.known.insert(peer, outsider);
        true
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<&Outsider> {
        self.known.get(&peer)
    }

    /// A dial of `peer` came to nothing: it is forgotten until somebody has heard from it since.
    pub(crate) fn on_vain(&mut self, now: Timestamp, peer: PeerId) {
        self.known.remove(&peer);
        self.vain.insert(peer, now);
        if self.vain.len() > VAIN_MAX {
            let oldest = self.vain.iter().min_by_key(|(_, at)| **at).map(|(peer, _)| *peer);
            oldest.and_then(|peer| self.vain.remove(&peer));
        }
    }

    /// Drops those for which `is_neighbour` holds by now, and those of which nothing was heard for long.
    pub(crate) fn tidy(&mut self, now: Timestamp, is_neighbour: impl Fn(PeerId) -> bool) {
        let is_over = |outsider: &Outsider| {
            is_neighbour(outsider.member.peer()) || now.saturating_since(outsider.heard_at) >= KNOWN_FOR
        };
        self.known.retain(|_peer, outsider| !is_over(outsider));
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The one to ask for `name`, of those for which `may_be` holds: it stands nearer to the name than this node, and in the
    /// district that is nearest to it at `depth`. Of several, one that `is_liked`, and then the one that is worth most to this node.
    ///
    /// Two districts have no place in common, so all members of one are nearer to a name than all of the other, and the
    /// one that is nearest of all is the same for everybody, whether or not any begins as the name does.
    pub(crate) fn gate(
        &self,
        now: Timestamp,
        name: &Name,
        depth: u8,
        is_liked: impl Fn(PeerId) -> bool,
        may_be: impl Fn(PeerId) -> bool,
    ) -> Option<PeerId> {
        let place = Place::of_name(name);
        let ours = self.local.distance(place);
        let nearer = self.known.values().filter(|known| known.place.distance(place) < ours);
        let nearer = nearer.filter(|known| may_be(known.member.peer()));
        let rank = |known: &Outsider| {
            let peer = known.member.peer();
            let far = known.place.prefix(depth) ^ place.prefix(depth);
            (far, !is_liked(peer), known.worth(now, self.local), peer)
        };
        nearer.min_by_key(|known| rank(known)).map(|known| known.member.peer())
    }

    /// Whether one is known that stands nearer to `name` than this node.
    pub(super) fn is_one_nearer(&self, name: &Name) -> bool {
        let place = Place::of_name(name);
        let ours = self.local.distance(place);
        self.known.values().any(|known| known.place.distance(place) < ours)
    }

    /// Some that share exactly `shared` bits with this node: those for which `is_liked` holds first, then those heard
    /// from last.
    pub(crate) fn at_distance(
        &self,
        shared: u8,
        most: usize,
        is_liked: impl Fn(PeerId) -> bool,
    ) -> Vec<PeerId> {
        let there = self.known.values().filter(|known| known.place.shared(self.local) == shared);
        let mut there: Vec<_> =
            there.map(|known| (is_liked(known.member.peer()), known.heard_at, known.member.peer())).collect();
        there.sort_unstable_by(|one, other| other.cmp(one));
        there.into_iter().take(most).map(|(_, _, peer)| peer).collect()
    }

    /// The ones nearest to `place`, the nearest first.
    pub(crate) fn nearest(&self, place: Place) -> Vec<&Outsider> {
        let mut all: Vec<&Outsider> = self.known.values().collect();
        all.sort_by_key(|known| core::cmp::Reverse((known.place.shared(place), known.heard_at)));
        all
    }

    /// The next ones in turn to tell others of.
    pub(crate) fn next_told(&mut self, most: usize) -> Vec<Outsider> {
        let after = self.told.map_or(core::ops::Bound::Unbounded, core::ops::Bound::Excluded);
        let behind = self.known.range((after, core::ops::Bound::Unbounded));
        let next: Vec<Outsider> = behind
            .chain(&self.known)
            .take(most.min(self.known.len()))
            .map(|(_, known)| known.clone())
            .collect();
        self.told = next.last().map(|last| last.member.peer());
        next
    }

    /// The one of which nothing was heard for longest.
    pub(crate) fn oldest(&self) -> Option<PeerId> {
        self.known
            .values()
            .min_by_key(|known| (known.heard_at, known.member.peer()))
            .map(|it| it.member.peer())
    }

    /// How many members the other half of our district has, one that shares `shared` bits with us; `None` if it is
    /// divided itself.
    pub(super) fn half_count(&self, now: Timestamp, shared: u8, depth: u8) -> Option<usize> {
        let there = self.known.values().filter(|known| known.place.shared(self.local) == shared);
        let lately = there.filter(|known| now.saturating_since(known.heard_at) < COUNT_TRUSTED_FOR);
        lately.map(|known| (known.depth, known.members_count)).try_fold(0, |most: usize, (other, count)| {
            (other <= depth).then(|| most.max(usize::try_from(count).unwrap_or(usize::MAX / 2)))
        })
    }
}

/// Most members known of one district: one to ask, and two for when it is gone.
pub(crate) const OUTSIDERS_OF_ONE_MAX: usize = 3;

/// Most members of other districts that are known: three each of 256.
pub(crate) const OUTSIDERS_MAX: usize = 768;

/// Most members remembered as not to be reached. One that is forgotten costs a dial.
pub(super) const VAIN_MAX: usize = 256;

/// Time after which one of which nobody has heard is forgotten. A member of each district hears from each other within a
/// few minutes.
const KNOWN_FOR: Duration = Duration::from_secs(900);

/// Time for which a member that was heard from is as good as any: few go within it, and each district hears from several members of
/// each other.
const HEARD_LATELY: Duration = Duration::from_secs(120);

/// Time for which what was heard of a district's size counts.
const COUNT_TRUSTED_FOR: Duration = Duration::from_secs(180);
