//! Notices that two nodes use one identity, as they do when a machine image holds the key of a node.
//!
//! One node speaks under one boot number after the other, each later than the one before. Two nodes take turns.

use super::member::is_later;
use crate::PeerId;
use alloc::collections::{BTreeMap, BTreeSet};

/// Under which boot numbers nodes spoke, and were spoken to.
#[derive(Debug, Default)]
pub(super) struct Twins {
    heard: BTreeMap<PeerId, Heard>,
    /// The boot number of ours under which a member spoke to us.
    addressed_as: Option<u64>,
}

#[derive(Debug)]
struct Heard {
    latest: u64,
    /// The number under which it spoke before, if it did.
    before: Option<u64>,
    /// Whether it has connected since it spoke under the latest for the first time. What comes on an older
    /// connection may have been under way.
    is_back: bool,
}

impl Twins {
    pub(super) fn on_connected(&mut self, peer: PeerId) {
        if let Some(heard) = self.heard.get_mut(&peer) {
            heard.is_back = true;
        }
    }

    /// `peer` itself spoke under `boot`. Returns whether that shows that two nodes use its identity: it connected and
    /// goes on under a number that was given up. A node that starts again, its clock set back or not, takes a number
    /// that it never had.
    ///
    /// At `heard_max` peers, those that are not `connected` are forgotten, and then no other peer is watched.
    pub(super) fn on_heard(
        &mut self,
        peer: PeerId,
        boot: u64,
        connected: &BTreeSet<PeerId>,
        heard_max: usize,
    ) -> bool {
        if let Some(heard) = self.heard.get_mut(&peer) {
            if is_later(boot, heard.latest) {
                *heard = Heard { latest: boot, before: Some(heard.latest), is_back: false };
            }
            return boot != heard.latest && heard.is_back && heard.before == Some(boot);
        }
        if self.heard.len() >= heard_max {
            self.heard.retain(|peer, _heard| connected.contains(peer));
        }
        if self.heard.len() < heard_max {
            self.heard.insert(peer, Heard { latest: boot, before: None, is_back: false });
        }
        false
    }

    /// A member spoke to us, under the number `boot`; our number is `ours`.
    pub(super) fn on_addressed(&mut self, ours: u64, boot: u64) {
        if boot == ours {
            self.addressed_as = Some(ours);
        }
    }

    /// Whether a later boot number than `ours` is another node's: members knew us under ours, so that it is not that of
    /// an earlier start at which the clock was ahead.
    pub(super) fn is_outbid(&self, ours: u64) -> bool {
        self.addressed_as == Some(ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId::from_public_key([1; 32]);

    fn hear(twins: &mut Twins, boot: u64) -> bool {
        twins.on_heard(PEER, boot, &BTreeSet::new(), 2)
    }

    #[test]
    fn a_peer_that_comes_back_under_a_number_that_it_gave_up_is_two() {
        let mut twins = Twins::default();
        for (boot, shows) in [(10, false), (20, false), (10, true), (20, false), (21, false), (20, true)] {
            twins.on_connected(PEER);
            assert_eq!(hear(&mut twins, boot), shows, "{boot}");
        }
    }

    #[test]
    fn a_peer_that_starts_again_with_its_clock_set_back_is_one() {
        let mut twins = Twins::default();
        for boot in [20, 10, 21, 22, 12, 23] {
            twins.on_connected(PEER);
            assert!(!hear(&mut twins, boot), "{boot}");
        }
    }

    #[test]
    fn what_was_under_way_when_a_peer_took_a_new_number_shows_nothing() {
        let mut twins = Twins::default();
        twins.on_connected(PEER);
        assert!(!hear(&mut twins, 10) && !hear(&mut twins, 11) && !hear(&mut twins, 10));
    }

    #[test]
    fn no_more_peers_are_watched_than_may_be() {
        let mut twins = Twins::default();
        for number in 0..9 {
            assert!(!twins.on_heard(PeerId::from_public_key([number; 32]), 1, &BTreeSet::new(), 2));
            assert!(twins.heard.len() <= 2);
        }
    }

    #[test]
    fn a_later_number_is_another_s_once_members_knew_us_under_ours() {
        let mut twins = Twins::default();
        twins.on_addressed(10, 0);
        assert!(!twins.is_outbid(10), "it may be that of an earlier start");
        twins.on_addressed(10, 10);
        assert!(twins.is_outbid(10) && !twins.is_outbid(21));
    }
}
