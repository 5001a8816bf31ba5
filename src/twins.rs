//! Notices that two nodes use one identity, as they do when a machine image holds `identity.key`.
//!
//! Others connect with each of the two in place of the other, again and again: a connection begins in the moment in
//! which another one with the same peer ended. A peer that lost its connection cannot cause this by dialing.

use cache_core::PeerId;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The peers that displaced themselves lately.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    seen: BTreeMap<PeerId, Seen>,
}

#[derive(Debug)]
struct Seen {
    ended_at: Instant,
    displaced: u32,
    first_at: Instant,
    is_told: bool,
}

impl Twins {
    pub(crate) fn on_disconnected(&mut self, peer: PeerId, now: Instant) {
        if self.seen.len() >= SEEN_MAX {
            self.seen.retain(|_peer, seen| now.duration_since(seen.ended_at) < WINDOW);
        }
        if self.seen.len() < SEEN_MAX || self.seen.contains_key(&peer) {
            let fresh = Seen { ended_at: now, displaced: 0, first_at: now, is_told: false };
            let seen = self.seen.entry(peer).or_insert(fresh);
            seen.ended_at = now;
            if now.duration_since(seen.first_at) > WINDOW && !seen.is_told {
                (seen.first_at, seen.displaced) = (now, 0);
            }
        }
    }

    /// A connection with `peer` stands. Returns whether it is the one that shows that there are two, for the first
    /// time.
    pub(crate) fn on_connected(&mut self, peer: PeerId, now: Instant) -> bool {
        let Some(seen) = self.seen.get_mut(&peer) else { return false };
        seen.displaced += u32::from(now.duration_since(seen.ended_at) < AT_ONCE);
        let is_news = seen.displaced >= DISPLACED_MIN && !seen.is_told;
        seen.is_told |= is_news;
        is_news
    }

    /// Membership shows that two nodes are `peer`. Returns whether that is news.
    pub(crate) fn tell(&mut self, peer: PeerId, now: Instant) -> bool {
        self.on_disconnected(peer, now);
        self.seen.get_mut(&peer).is_some_and(|seen| !std::mem::replace(&mut seen.is_told, true))
    }

    /// Whether two nodes seem to be `peer`.
    pub(crate) fn are(&self, peer: PeerId, now: Instant) -> bool {
        self.seen.get(&peer).is_some_and(|seen| seen.is_told && now.duration_since(seen.ended_at) < WINDOW)
    }
}

/// Displacements that show it: a node that starts anew, or dials while it is dialed, causes one or two.
const DISPLACED_MIN: u32 = 3;

/// Time in which they must come, and for which they are reported after the last.
const WINDOW: Duration = Duration::from_secs(60);

/// Less than any dial and its handshakes take.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Peers that are watched at a time.
const SEEN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId::from_public_key([1; 32]);

    fn displace(twins: &mut Twins, at: Instant) -> bool {
        twins.on_disconnected(PEER, at);
        twins.on_connected(PEER, at)
    }

    #[test]
    fn three_displacements_within_a_minute_show_two_nodes_and_are_told_once() {
        let (mut twins, start) = (Twins::default(), Instant::now());
        let told = (0..6).map(|number| displace(&mut twins, start + Duration::from_secs(number)));
        assert_eq!(told.collect::<Vec<_>>(), [false, false, true, false, false, false]);
        assert!(twins.are(PEER, start + Duration::from_secs(6)));
        assert!(!twins.are(PEER, start + Duration::from_secs(66)), "one of them is gone");
    }

    #[test]
    fn what_membership_shows_is_told_once() {
        let (mut twins, start) = (Twins::default(), Instant::now());
        assert!(twins.tell(PEER, start) && !twins.tell(PEER, start));
        assert!(twins.are(PEER, start) && !twins.are(PEER, start + WINDOW));
    }

    #[test]
    fn a_peer_that_dials_again_and_again_is_one() {
        let (mut twins, start) = (Twins::default(), Instant::now());
        for number in 0..100 {
            let at = start + Duration::from_secs(number);
            twins.on_disconnected(PEER, at);
            assert!(!twins.on_connected(PEER, at + AT_ONCE));
        }
        assert!(!twins.are(PEER, start));
    }
}
