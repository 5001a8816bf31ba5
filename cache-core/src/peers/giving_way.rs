//! Which connection gives way when there are as many as there may be.
//!
//! Owns the pace at which that happens. A connection is as useful as the last lookup that it served is recent,
//! and more so while it serves one.

use super::Connection;
use crate::{PeerId, Timestamp, port::Side};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// What a new connection is for, as far as we know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// A lookup of this node waits for it.
    Lookup,
    /// It may serve lookups to come.
    Meeting,
}

/// What is lost for a while with the connection of a peer, beginning with the least.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Stake {
    /// The peer owes this node an answer, or is owed one; another member can give it.
    Answer,
    /// One of the two calls the origin, and the other waits for what that brings, perhaps with many behind it. If they lose
    /// one another, a second call is made.
    Call,
}

/// Makes room for newcomers, at a bounded pace.
#[derive(Debug, Default)]
pub(super) struct GivingWay {
    /// When the allowance is whole again; each connection that gives way moves it on by [`PERIOD`].
    whole_at: Timestamp,
}

impl GivingWay {
    /// The connection that gives way now; `None` if all are too young, or too many gave way lately.
    ///
    /// The connections of peers at `stake` go last. First, and at any pace, go those of other districts' members that are
    /// not in use: such a member has been told of others by then, and finds its way.
    pub(super) fn choose(
        &mut self,
        now: Timestamp,
        connected: &BTreeMap<PeerId, Connection>,
        reason: Reason,
        stake: &BTreeMap<PeerId, Stake>,
    ) -> Option<PeerId> {
        let useful_at = |connection: &Connection| connection.used_at.unwrap_or(connection.since);
        let is_over = |peer: &PeerId, connection: &Connection| {
            let unused_for = now.saturating_since(useful_at(connection).max(connection.since));
            connection.is_outside && !stake.contains_key(peer) && unused_for >= IDLE_MIN
        };
        let over = connected.iter().filter(|(peer, connection)| is_over(peer, connection));
        if let Some((over, _)) = over.min_by_key(|(_, connection)| useful_at(connection)) {
            return Some(*over);
        }
        let whole_at = self.whole_at.max(now);
        if whole_at.saturating_since(now) > PERIOD * (BURST - 1) {
            return None;
        }
        let may_go = |peer: &PeerId, connection: &Connection| {
            let unused_for = now.saturating_since(useful_at(connection));
            match (reason, connection.used_at, connection.side) {
                (Reason::Meeting, ..) => now.saturating_since(connection.since) >= STAND_MIN,
                // A peer that we dialed did not come to ask.
                (Reason::Lookup, None, Side::Dialer) => true,
                (Reason::Lookup, None, Side::Listener) => unused_for >= IDLE_MIN,
                (Reason::Lookup, Some(_), _) if stake.contains_key(peer) => unused_for >= IDLE_MIN,
                (Reason::Lookup, Some(_), _) => unused_for >= ARRIVE_MIN,
            }
        };
        let may_go = connected.iter().filter(|(peer, connection)| may_go(peer, connection));
        let (least, _) = may_go.min_by_key(|(peer, connection)| (stake.get(peer), useful_at(connection)))?;
        self.whole_at = whole_at.saturating_add(PERIOD);
        Some(*least)
    }
}

/// Time for which a connection cannot be made to give way: a new peer learns of others meanwhile, and its asks are
/// answered.
pub(super) const STAND_MIN: Duration = Duration::from_secs(2);

/// Time after which a connection, however new, gives way to one that a lookup waits for, even if nothing was asked on
/// it yet, or something was asked that has not been answered.
const IDLE_MIN: Duration = Duration::from_millis(250);

/// Time for what was last said on a connection to arrive, after which it gives way to one that a lookup waits for.
const ARRIVE_MIN: Duration = Duration::from_millis(20);

/// How many connections may give way at once, and the time in which one more may: a herd of newcomers gets in within
/// seconds, and a fleet at rest stays at rest.
pub(super) const BURST: u32 = 32;
const PERIOD: Duration = Duration::from_millis(50);
