//! Which connection gives way when there are as many as there may be.
//!
//! Owns the pace at which that happens. A connection is as useful as the last lookup that it served is recent.

use super::Connection;
use crate::{PeerId, Timestamp};
use alloc::collections::BTreeMap;
use core::time::Duration;

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
    ) -> Option<PeerId> {
        let whole_at = self.whole_at.max(now);
        if whole_at.saturating_since(now) > PERIOD * (BURST - 1) {
            return None;
        }
        let stands = |connection: &Connection| now.saturating_since(connection.since) >= STAND_MIN;
        let old = connected.iter().filter(|(_peer, connection)| stands(connection));
        let (least, _) = old.min_by_key(|(_peer, connection)| connection.used_at)?;
        self.whole_at = whole_at.saturating_add(PERIOD);
        Some(*least)
    }
}

/// Time for which a connection cannot be made to give way: whoever is new learns of others meanwhile, and what it
/// came to ask is answered.
pub(super) const STAND_MIN: Duration = Duration::from_secs(2);

/// How many connections may give way at once, and the time in which one more may: a herd of newcomers gets in within
/// seconds, and a fleet at rest stays at rest.
pub(super) const BURST: u32 = 32;
const PERIOD: Duration = Duration::from_millis(50);
