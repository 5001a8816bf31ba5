//! What discovery finds: how much of it is known at a time, and for how long.
//!
//! Anybody may write a name into the DNS or answer on the local network, so what is found is worth a few dials, paced like
//! those of any other address, and nothing more. It is forgotten some time after it was found last.

use super::{
    Book, Candidate, Contact, KnownBy, Stage, Target, confirm, is_acceptable, peer_of_address,
    place_of_address, with_peer,
};
use crate::{PeerId, Timestamp, peers::Way};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

impl Book {
    /// Discovery found `contact`, which is due at once if that is news.
    pub(in crate::peers) fn find(
        &mut self,
        now: Timestamp,
        contact: &Contact,
        way: Way,
        is_connected: impl Fn(PeerId) -> bool,
    ) {
        let peer = contact.peer.or_else(|| peer_of_address(&contact.address));
        let address = peer.map_or_else(|| contact.address.clone(), |peer| with_peer(&contact.address, peer));
        if peer == Some(self.local) || !is_acceptable(&address) || self.is_own(&address) {
            return;
        }
        let known_by = KnownBy::Found { way, at: now };
        match peer {
            Some(peer) => self.find_named(now, peer, address, known_by),
            None => self.find_unnamed(now, address, known_by, is_connected),
        }
    }

    /// Forgets what was not found for [`FOUND_FOR`]. What is connected stays for as long as it is, and a peer that
    /// membership takes for alive as one of its members.
    pub(in crate::peers) fn forget_found(&mut self, now: Timestamp) {
        let is_over = |candidate: &Candidate| match (candidate.known_by, candidate.stage) {
            (KnownBy::Found { at, .. }, Stage::Waiting { .. }) => now.saturating_since(at) >= FOUND_FOR,
            (_other, _stage) => false,
        };
        for candidate in self.named.values_mut().filter(|candidate| candidate.lives && is_over(candidate)) {
            candidate.known_by = KnownBy::Membership;
        }
        self.named.retain(|_peer, candidate| !is_over(candidate));
        self.unnamed.retain(|_number, unnamed| !is_over(&unnamed.candidate));
    }

    fn find_named(&mut self, now: Timestamp, peer: PeerId, address: Box<str>, known_by: KnownBy) {
        if self.is_spoiled(&address) {
            return;
        }
        if let Some(candidate) = self.named.get_mut(&peer) {
            renew(candidate, now);
            if candidate.known_by == KnownBy::Remembered {
                candidate.known_by = known_by;
            }
            if !candidate.addresses.contains(&address) {
                let addresses = [address].into_iter().chain(candidate.addresses.iter().cloned()).collect();
                confirm(candidate, addresses, now);
            }
        } else if self.has_room_for_found() && self.has_room() {
            let candidate = Candidate::new(Vec::from([address]), known_by, Timestamp::default());
            self.named.insert(peer, candidate);
        }
    }

    fn find_unnamed(
        &mut self,
        now: Timestamp,
        address: Box<str>,
        known_by: KnownBy,
        is_connected: impl Fn(PeerId) -> bool,
    ) {
        let is_there = |candidate: &Candidate| {
            candidate.addresses.iter().any(|known| place_of_address(known) == place_of_address(&address))
        };
        let mut known = self.unnamed.values_mut().map(|unnamed| &mut unnamed.candidate);
        if let Some(candidate) = known.find(|candidate| is_there(candidate)) {
            renew(candidate, now);
            return;
        }
        // Another peer may be there by now, unless the one that was there is well.
        let is_well = |peer: PeerId, candidate: &Candidate| {
            is_connected(peer) || (candidate.failures == 0 && candidate.last_failure.is_none())
        };
        let mut named = self.named.iter();
        let is_met = named.any(|(peer, candidate)| is_there(candidate) && is_well(*peer, candidate));
        if !is_met && self.has_room_for_found() {
            let candidate = Candidate::new(Vec::from([address]), known_by, Timestamp::default());
            self.insert_unnamed(candidate);
        }
    }

    /// Whether one more that was found may be known; forgets the one that failed most if that makes room.
    fn has_room_for_found(&mut self) -> bool {
        let is_found = |candidate: &Candidate| matches!(candidate.known_by, KnownBy::Found { .. });
        let found = || self.candidates().filter(|(_target, candidate)| is_found(candidate));
        if found().count() < FOUND_MAX {
            return true;
        }
        let is_hopeless = |candidate: &Candidate| {
            candidate.failures > 0 && !candidate.lives && matches!(candidate.stage, Stage::Waiting { .. })
        };
        let hopeless = found().filter(|(_target, candidate)| is_hopeless(candidate));
        let worst: Option<(u32, Target)> =
            hopeless.map(|(target, candidate)| (candidate.failures, target)).max();
        worst.map(|(_failures, target)| self.strike_out(target)).is_some()
    }
}

/// What was found once is found again.
fn renew(candidate: &mut Candidate, now: Timestamp) {
    if let KnownBy::Found { at, .. } = &mut candidate.known_by {
        *at = now;
    }
}

/// Most that discovery has found and that is known at a time. A few nodes that are up lead to all others, and some may be
/// gone; a service of a thousand pods names all of them.
pub const FOUND_MAX: usize = 64;

/// Time after which what discovery does not find any more is forgotten: three rounds of a node that has peers enough.
pub(in crate::peers) const FOUND_FOR: Duration = Duration::from_secs(900);
