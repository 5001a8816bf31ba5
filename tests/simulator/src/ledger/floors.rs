//! Since when facts must be, after what was forgotten and put in doubt.

use super::REMEMBERED_FOR;
use cache_core::message::Manner;
use std::time::Duration;

/// Since when a fact about one key must be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Floor {
    /// To be served at all.
    pub(crate) forgotten: Duration,
    /// To be served as if it were certain. An earlier one may stand in for an origin that fails.
    pub(crate) doubted: Duration,
}

impl Floor {
    /// What was before `at` was forgotten, or put in doubt.
    pub(crate) fn raise(&mut self, manner: Manner, at: Duration) {
        let floor = match manner {
            Manner::Doubt => &mut self.doubted,
            Manner::Forget => &mut self.forgotten,
        };
        *floor = at.max(*floor);
    }

    pub(crate) fn of(&self, manner: Manner) -> Duration {
        match manner {
            Manner::Doubt => self.doubted,
            Manner::Forget => self.forgotten,
        }
    }

    /// The same without what the fleet may remember no longer at `now`.
    pub(super) fn remembered(self, now: Duration) -> Self {
        let remembered = |floor: Duration| if now - floor < REMEMBERED_FOR { floor } else { Duration::ZERO };
        Self { forgotten: remembered(self.forgotten), doubted: remembered(self.doubted) }
    }
}
