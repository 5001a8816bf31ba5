//! What goes with an entry so that any member can tell whether it holds: what the gate was shown.

use cache_core::{Entry, Timestamp};
use std::{fmt, str::FromStr};

/// What the gate was shown when an answer was fetched. It goes where validators do: with the entry, to whatever member asks
/// about it next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark {
    /// Whether the query was put twice since the last change that was shown, and its answer was the same.
    pub(super) is_settled: bool,
    pub(super) shown: [u8; 16],
    /// When the query was last put.
    pub(super) asked: Timestamp,
}

impl Mark {
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        entry.validators().etag.as_deref()?.parse().ok()
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = if self.is_settled { SETTLED } else { UNSETTLED };
        let shown = u128::from_be_bytes(self.shown);
        write!(f, "{phase}:{shown:032x}:{}", self.asked.as_unix_millis())
    }
}

impl FromStr for Mark {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(':');
        let mut part = || parts.next().ok_or(());
        let phase = part()?;
        let shown = u128::from_str_radix(part()?, 16).map_err(|_bad| ())?.to_be_bytes();
        let asked = Timestamp::from_unix_millis(part()?.parse().map_err(|_bad| ())?);
        if ![SETTLED, UNSETTLED].contains(&phase) || parts.next().is_some() {
            return Err(());
        }
        Ok(Self { is_settled: phase == SETTLED, shown, asked })
    }
}

const SETTLED: &str = "settled";
const UNSETTLED: &str = "unsettled";
