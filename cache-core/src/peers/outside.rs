//! Peers of other districts: connected with while there is something to say, and not looked for otherwise.

use super::{Connection, Kind, Peers, book::Target};
use crate::{PeerId, Timestamp};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

impl Peers {
    /// There is something to say to `peer`, of another district, which is not connected and can be reached at `addresses`.
    pub(crate) fn want_outsider(&mut self, now: Timestamp, peer: PeerId, addresses: &[Box<str>]) {
        self.book.learn_outsider(now, peer, addresses);
        if !self.want(now, peer) {
            self.book.leave_outsider(Target::Named(peer));
        }
    }

    /// Whether one more dial for a lookup may begin.
    pub(crate) fn can_dial(&self) -> bool {
        self.attempts.has_room(Kind::Wanted)
    }

    /// Whether `peer`, which is connected, belongs to another district.
    pub(crate) fn set_outside(&mut self, peer: PeerId, is_outside: bool) {
        if let Some(connection) = self.connected.get_mut(&peer) {
            connection.is_outside = is_outside;
        }
        if is_outside {
            self.book.put_outside(peer);
        }
    }

    /// Only peers for which `is_neighbour` holds are dialed for the sake of being connected, and contacts.
    pub(crate) fn dial_only(&mut self, is_neighbour: impl Fn(PeerId) -> bool) {
        let connected = &self.connected;
        self.book.retain(|peer| is_neighbour(peer) || connected.contains_key(&peer));
    }

    /// Ends the connections with peers of other districts over which nothing was said for a lookup for `IDLE_AFTER`.
    pub(crate) fn end_idle(&mut self, now: Timestamp) {
        let is_idle = |connection: &Connection| {
            let used_at = connection.used_at.unwrap_or(connection.since).max(connection.since);
            connection.is_outside && now.saturating_since(used_at) >= IDLE_AFTER
        };
        let idle: Vec<PeerId> =
            self.connected.iter().filter(|(_, it)| is_idle(it)).map(|(peer, _)| *peer).collect();
        idle.into_iter().for_each(|peer| self.disconnect(peer));
    }

    /// Between half of `pause` and all of it, so that nodes do not act in step.
    pub(crate) fn scattered(&mut self, pause: Duration) -> Duration {
        self.jitter.scatter(pause)
    }
}

/// Time without a lookup after which a connection with a member of another district ends: a name in use is asked for
/// again within its lifetime, and GitHub's shortest is a minute.
const IDLE_AFTER: Duration = Duration::from_secs(60);
