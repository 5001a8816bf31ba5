//! The dials under way.
//!
//! Owns their bound, and finds the dial that a connection came from.

use super::{DIALS_MAX, Kind, book::Target};
use crate::{
    PeerId, Timestamp,
    address::{peer_of_address, place_of_address},
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};
use core::time::Duration;

/// At most [`DIALS_MAX`] dials, by address.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    attempts: BTreeMap<Box<str>, Attempt>,
}

#[derive(Debug)]
struct Attempt {
    target: Target,
    kind: Kind,
    /// When it is given up, should the transport never report on it.
    until: Timestamp,
}

/// A dial that reached a peer.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) dialed: Box<str>,
    pub(super) target: Target,
    pub(super) kind: Kind,
}

impl Attempts {
    pub(super) fn begin(&mut self, address: Box<str>, target: Target, kind: Kind, until: Timestamp) {
        self.attempts.insert(address, Attempt { target, kind, until });
    }

    /// Ends the dial that led to `peer` at `address`, and returns it; `None` if there was none.
    ///
    /// A transport may name the address that it found instead of the one that it was given. Then it is the dial of
    /// this place, of this peer, or, if a host name stands for the place, the first such dial that could have reached
    /// any peer.
    pub(super) fn reached(&mut self, peer: PeerId, address: &str) -> Option<Reached> {
        let expected = |dialed: &str| peer_of_address(dialed);
        let fits = |dialed: &str| expected(dialed).is_none_or(|expected| expected == peer);
        let place = place_of_address(address);
        let ranks: [&dyn Fn(&str) -> bool; 4] = [
            &|dialed| dialed == address && fits(dialed),
            &|dialed| place_of_address(dialed) == place && fits(dialed),
            &|dialed| expected(dialed) == Some(peer),
            &|dialed| expected(dialed).is_none() && dialed.starts_with("/dns"),
        ];
        let found = ranks.iter().find_map(|fits| self.attempts.keys().find(|dialed| fits(dialed)))?.clone();
        let (dialed, Attempt { target, kind, .. }) = self.attempts.remove_entry(&found)?;
        Some(Reached { dialed, target, kind })
    }

    /// Ends the dial of `address`.
    pub(super) fn failed(&mut self, address: &str) -> Option<Target> {
        self.attempts.remove(address).map(|attempt| attempt.target)
    }

    /// Ends the dials whose time is over.
    pub(super) fn overdue(&mut self, now: Timestamp) -> Vec<(Box<str>, Target)> {
        let overdue = self.attempts.extract_if(.., |_address, attempt| attempt.until <= now);
        overdue.map(|(address, attempt)| (address, attempt.target)).collect()
    }

    /// A lookup needs the peer that the dial of `target`, if there is one, leads to.
    pub(super) fn want(&mut self, target: Target) {
        for attempt in self.attempts.values_mut().filter(|attempt| attempt.target == target) {
            attempt.kind = Kind::Wanted;
        }
    }

    pub(super) fn target(&self, address: &str) -> Option<Target> {
        self.attempts.get(address).map(|attempt| attempt.target)
    }

    pub(super) fn is_dialing(&self, target: Target) -> bool {
        self.attempts.values().any(|attempt| attempt.target == target)
    }

    /// Whether one more dial of `kind` may begin.
    pub(super) fn has_room(&self, kind: Kind) -> bool {
        let same = self.attempts.values().filter(|attempt| attempt.kind == kind);
        self.attempts.len() < DIALS_MAX && same.count() < kind.dials_max()
    }

    /// How many dials are younger than `age`, where each is given up `given_up_after` its beginning; and when the first of these
    /// will not be any more.
    pub(super) fn younger(
        &self,
        now: Timestamp,
        age: Duration,
        given_up_after: Duration,
    ) -> (usize, Option<Timestamp>) {
        let begun = self.attempts.values().map(|attempt| attempt.until.saturating_sub(given_up_after));
        let old_at = begun.map(|begun| begun.saturating_add(age)).filter(|old_at| *old_at > now);
        (old_at.clone().count(), old_at.min())
    }

    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.attempts.values().map(|attempt| attempt.until).min()
    }
}
