//! How much of the file records may take, so that the file stays as small as it was asked to be.
//!
//! redb doubles the file when a page finds no room in it. The free pages in it are the room that churn needs: what is
//! replaced is free only once that is durable.

use cache_core::port::Budget;
use std::fs::File;

/// Watches the length of the file.
pub(crate) struct Room(Option<File>);

impl Room {
    /// Watches `file`, as far as the system lets it.
    pub(crate) fn of(file: &File) -> Self {
        Self(file.try_clone().ok())
    }

    /// What records may count of `budget`.
    pub(crate) fn for_records(&self, budget: Budget) -> Budget {
        let live = self.length_max(budget) / LIVE_SHARE.1 * LIVE_SHARE.0;
        Budget { bytes_max: usize::try_from(live).unwrap_or(usize::MAX).min(budget.bytes_max), ..budget }
    }

    /// What changes may use up before they are made durable; also the most that a single record may count.
    pub(crate) fn for_churn(&self, budget: Budget) -> u64 {
        self.length_max(budget) / CHURN_SHARE
    }

    /// Whether the file is longer than it may be at rest.
    pub(crate) fn is_exceeded(&self, budget: Budget) -> bool {
        let length = self.length();
        length > at_rest(budget) && length > LENGTH_MIN_BYTES
    }

    /// The longest that the file becomes by doubling and is allowed to be at rest.
    fn length_max(&self, budget: Budget) -> u64 {
        let mut length = self.length().max(LENGTH_MIN_BYTES);
        while length > at_rest(budget) {
            length /= 2;
        }
        while length.saturating_mul(2) <= at_rest(budget) {
            length *= 2;
        }
        length.max(LENGTH_MIN_BYTES)
    }

    fn length(&self) -> u64 {
        self.0.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len())
    }
}

fn at_rest(budget: Budget) -> u64 {
    budget.bytes_max as u64 / 2 * 3
}

/// About the length of a file that was just laid out, in bytes: no file is shorter.
const LENGTH_MIN_BYTES: u64 = 1030 * 1024;

/// Share of the file that records may take. The rest is what churn, uneven pages and the trees above them need: the
/// file of `tests/churn.rs` never doubles once more, with records of any size.
const LIVE_SHARE: (u64, u64) = (1, 2);

/// Share of the file that changes use up before they are made durable, as one over this.
const CHURN_SHARE: u64 = 8;
