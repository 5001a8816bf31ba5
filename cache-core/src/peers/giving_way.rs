//! Which connection gives way when there are as many as there may be.
//!
//! Owns the pace at which that happens. A connection is as useful as the last lookup that it served is recent.

use super::Connection;
use crate::{PeerId, Timestamp};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// What a new connection is for, as far as we know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// A lookup of ours waits for it.
    Lookup,
    /// It may serve lookups to come.
    Meeting,
}

/// Makes room for newcomers, at a bounded pace.
#[derive(Debug, Default)]
pub(super) struct GivingWay {
    /// When the allowance is whole again; each connection that gives way moves it on by [`PERIOD`].
    whole_at: Timestamp,
}

impl GivingWay {
    /// The connection that gives way now; `None` if all are too young, or too many gave way lately.
    pub(super) fn choose(
        &mut self,
        now: Timestamp,
        connected: &BTreeMap<PeerId, Connection>,
        reason: Reason,
    ) -> Option<PeerId> {
        let whole_at = self.whole_at.max(now);
        if whole_at.saturating_since(now) > PERIOD * (BURST - 1) {
            return None;
        }
        let may_go = |connection: &Connection| match reason {
            Reason::Lookup => now.saturating_since(connection.used_at) >= IDLE_MIN,
            Reason::Meeting => now.saturating_since(connection.since) >= STAND_MIN,
        };
        let idle = connected.iter().filter(|(_peer, connection)| may_go(connection));
        let (least, _) = idle.min_by_key(|(_peer, connection)| connection.used_at)?;
        self.whole_at = whole_at.saturating_add(PERIOD);
        Some(*least)
    }
}

/// Time for which a connection cannot be made to give way: whoever is new learns of others meanwhile, and what it
/// came to ask is answered.
pub(super) const STAND_MIN: Duration = Duration::from_secs(2);

/// Time without a lookup after which a connection, however new, gives way to one that a lookup waits for: what was
/// asked on it is answered by then.
const IDLE_MIN: Duration = Duration::from_millis(250);

/// How many connections may give way at once, and the time in which one more may: a herd of newcomers gets in within
/// seconds, and a fleet at rest stays at rest.
pub(super) const BURST: u32 = 32;
const PERIOD: Duration = Duration::from_millis(50);
