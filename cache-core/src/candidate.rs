//! What a call to the origin can be based on, so that an answer that is known already need not come again.

use crate::Entry;
use alloc::sync::Arc;

/// An entry that the origin is asked about, under the credential that asks.
///
/// The kinds differ in what the entry is worth before the origin has answered, and so they are types and not a mark.
#[derive(Clone, Debug, PartialEq)]
pub enum Candidate {
    /// The key's own entry, which is not fresh. It stands in if the origin fails.
    Own(Arc<Entry>),
    /// The entry of another domain for the same resource. The reader may not have it, and learns nothing of it, unless
    /// the origin says that what *this* reader would be given is the same.
    Borrowed(Arc<Entry>),
}

impl Candidate {
    /// The entry, of either kind.
    pub fn entry(&self) -> &Arc<Entry> {
        match self {
            Self::Own(entry) | Self::Borrowed(entry) => entry,
        }
    }

    /// The entry, if the reader had it before.
    pub fn own(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Own(entry) => Some(entry),
            Self::Borrowed(_) => None,
        }
    }
}
