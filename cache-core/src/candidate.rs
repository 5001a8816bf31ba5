//! What a call to the origin can be based on, so that an answer that is known already need not come again.

use crate::Entry;
use alloc::sync::Arc;

/// What the origin is asked about, under the credential that asks.
///
/// The kinds of entry differ in what one is worth before the origin has answered, and so they are types and not a mark. Which of
/// them holds is said by [`Fetched::NotModified`](crate::Fetched::NotModified) or [`Fetched::Proven`](crate::Fetched::Proven).
#[derive(Clone, Debug, PartialEq)]
pub enum Candidate {
    /// The key's own entry, which is not fresh. It stands in if the origin fails.
    Own(Arc<Entry>),
    /// The entry of another domain for the same resource. The reader may not have it, and learns nothing of it, unless
    /// the origin says that what *this* reader would be given is the same.
    Borrowed(Arc<Entry>),
    /// The key's own entry, and a younger one of another domain that differs from it: what is here has probably changed,
    /// and into that. The origin is asked about both at once.
    Either {
        /// As of [`Candidate::Own`].
        own: Arc<Entry>,
        /// As of [`Candidate::Borrowed`].
        borrowed: Arc<Entry>,
    },
}

impl Candidate {
    /// The candidate made of what there is.
    pub(crate) fn of(own: Option<&Arc<Entry>>, borrowed: Option<&Arc<Entry>>) -> Option<Self> {
        let own = own.map(Arc::clone);
        match (own, borrowed.map(Arc::clone)) {
            (None, None) => None,
            (None, Some(borrowed)) => Some(Self::Borrowed(borrowed)),
            (Some(own), Some(borrowed)) if is_news(&borrowed, &own) => Some(Self::Either { own, borrowed }),
            (Some(own), _) => Some(Self::Own(own)),
        }
    }

    /// The entry that the reader had before, if there is one.
    pub fn own(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Own(own) | Self::Either { own, .. } => Some(own),
            Self::Borrowed(_) => None,
        }
    }

    /// The entry of another domain, if there is one.
    pub fn borrowed(&self) -> Option<&Arc<Entry>> {
        match self {
            Self::Borrowed(borrowed) | Self::Either { borrowed, .. } => Some(borrowed),
            Self::Own(_) => None,
        }
    }
}

/// Whether `other` may be what has become of `own`.
fn is_news(other: &Entry, own: &Entry) -> bool {
    other.born() > own.born() && other.content().body != own.content().body
}
