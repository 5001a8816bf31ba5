//! An answer that is kept, and what must be known to serve it again.

use crate::{Headers, Key, Timestamp, freshness::Freshness, message::Edition};
use alloc::boxed::Box;
use bytes::Bytes;
use core::{
    fmt,
    num::NonZeroU64,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// What the origin answered: status, headers, and the decoded body.
///
/// The body is identity-coded, whatever coding it travelled in. Cloning shares the bytes.
#[derive(Clone, Eq, PartialEq)]
pub struct Content {
    /// The HTTP status code.
    pub status: u16,
    /// The headers that may be repeated to every reader of the key's domain.
    pub headers: Headers,
    /// The whole body, at most [`BODY_BYTES_MAX`] when it belongs to an entry.
    pub body: Bytes,
}

impl Content {
    /// A value without headers, such as an application puts.
    pub fn of_value(body: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: Headers::default(), body: body.into() }
    }
}

impl fmt::Debug for Content {
    /// Shape only: a body may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({}, {} headers, {} bytes)", self.status, self.headers.len(), self.body.len())
    }
}

/// What the origin needs to see to answer "unchanged" (RFC 9110, section 8.8).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Validators {
    /// The entity tag as the origin sent it, quotes and weakness mark included.
    pub etag: Option<Box<str>>,
    /// The credential for which the tag holds, where an origin gives each credential another tag: a fingerprint that
    /// only the origin adapter interprets. `None` means every credential.
    pub etag_scope: Option<[u8; 8]>,
    /// The `Last-Modified` date as the origin sent it.
    pub last_modified: Option<Box<str>>,
}

/// An entry as its maker hands it in: everything but the key and the moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    /// The content to keep.
    pub content: Content,
    /// For how long it may be served, and how.
    pub freshness: Freshness,
    /// How to ask whether it still holds.
    pub validators: Validators,
    /// How old the content was when it reached us (RFC 9111, section 4.2.3).
    pub age: core::time::Duration,
}

impl Draft {
    /// What answers those that wait for it, and is never kept: it is not fresh, does not stand in for anything, and cannot
    /// be asked about.
    pub(crate) fn for_waiters_alone(content: Content) -> Self {
        let (freshness, validators) = (Freshness::default(), Validators::default());
        Self { content, freshness, validators, age: core::time::Duration::ZERO }
    }

    /// Whether it is such a one.
    pub(crate) fn is_for_waiters_alone(&self) -> bool {
        is_for_waiters_alone(self.freshness, &self.validators)
    }
}

fn is_for_waiters_alone(freshness: Freshness, validators: &Validators) -> bool {
    freshness == Freshness::default() && validators.etag.is_none() && validators.last_modified.is_none()
}

/// A response kept, with its age and validators.
///
/// Immutable except for two marks and a number that is worked out on demand, and shared as `Arc<Entry>` by the
/// engine, the read index and every reader. With one mark, readers tell the eviction that the entry is in use; with
/// the other, the engine tells readers that it is in doubt.
pub struct Entry {
    key: Key,
    content: Content,
    freshness: Freshness,
    validators: Validators,
    born: Timestamp,
    fresh_until: Timestamp,
    generation: u64,
    source: Source,
    edition: Option<Edition>,
    visited: AtomicBool,
    doubted: AtomicBool,
    /// Zero until it is first needed.
    fingerprint: AtomicU64,
}

/// The source of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// This node: from the origin, from its program, or from its disk.
    Own,
    /// A peer sent the entry.
    Peer,
}

impl Entry {
    /// The entry of `draft`, received at `now` under the invalidation count `generation`.
    pub fn new(key: Key, draft: Draft, now: Timestamp, generation: u64) -> Self {
        let born = now.saturating_sub(draft.age);
        Self {
            key,
            content: draft.content,
            freshness: draft.freshness,
            validators: draft.validators,
            born,
            fresh_until: born.saturating_add(draft.freshness.lifetime),
            generation,
            source: Source::Own,
            edition: None,
            visited: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            fingerprint: AtomicU64::new(0),
        }
    }

    /// The same, as brought by `source`.
    #[must_use]
    pub fn from_source(self, source: Source) -> Self {
        Self { source, ..self }
    }

    /// The same, as the content that `edition` names.
    #[must_use]
    pub(crate) fn of_edition(self, edition: Option<Edition>) -> Self {
        Self { edition, ..self }
    }

    /// Which content it is among those that members told each other of. Not kept on disk.
    pub(crate) fn edition(&self) -> Option<Edition> {
        self.edition
    }

    /// The source of the entry. Not kept on disk.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The key under which the entry is filed.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What the origin answered.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// For how long the entry may be served, and how.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// How to ask whether the entry still holds.
    pub fn validators(&self) -> &Validators {
        &self.validators
    }

    /// The moment by our clock at which the content had age zero.
    pub fn born(&self) -> Timestamp {
        self.born
    }

    /// The first moment at which the entry is stale.
    pub fn fresh_until(&self) -> Timestamp {
        self.fresh_until
    }

    /// The engine's count of invalidations when the content was asked for.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Bytes that the entry counts against the byte budget.
    pub fn weight_bytes(&self) -> usize {
        let content = self.content.headers.weight_bytes() + self.content.body.len();
        let validators = [&self.validators.etag, &self.validators.last_modified];
        let validators: usize = validators.into_iter().flatten().map(|text| text.len()).sum();
        self.key.as_str().len() + content + validators + ENTRY_OVERHEAD_BYTES
    }

    /// A number by which `of` tells the content from others, worked out once. Every caller must bring the same `of`.
    pub fn fingerprint(&self, of: impl FnOnce(&Content) -> NonZeroU64) -> NonZeroU64 {
        NonZeroU64::new(self.fingerprint.load(Ordering::Relaxed)).unwrap_or_else(|| {
            let fingerprint = of(&self.content);
            self.fingerprint.store(fingerprint.get(), Ordering::Relaxed);
            fingerprint
        })
    }

    /// Marks the entry as read since the eviction last looked.
    ///
    /// Reads before it writes: a mark that is set already stays in every core's cache.
    pub fn mark_visited(&self) {
        if !self.visited.load(Ordering::Relaxed) {
            self.visited.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the entry was read since the last call; clears the mark.
    pub fn take_visited(&self) -> bool {
        self.visited.swap(false, Ordering::Relaxed)
    }

    /// Whether the entry was read since the eviction last looked.
    pub fn is_visited(&self) -> bool {
        self.visited.load(Ordering::Relaxed)
    }

    /// Puts the entry in doubt, for all that share it: the origin is asked about it before it is served again.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    /// Whether it only answers those that wait for it now.
    pub(crate) fn is_for_waiters_alone(&self) -> bool {
        is_for_waiters_alone(self.freshness, &self.validators)
    }

    /// Whether the entry is in doubt. Not kept on disk.
    pub fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Acquire)
    }

    /// Everything but key and moment, to make a renewed entry from.
    pub fn draft(&self, now: Timestamp) -> Draft {
        Draft {
            content: self.content.clone(),
            freshness: self.freshness,
            validators: self.validators.clone(),
            age: now.saturating_since(self.born),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("content", &self.content)
            .field("born", &self.born)
            .field("fresh_until", &self.fresh_until)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Entry {
    /// Compares all but the marks, the source and the edition.
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
            && self.content == other.content
            && self.freshness == other.freshness
            && self.validators == other.validators
            && self.born == other.born
            && self.generation == other.generation
    }
}

/// Largest body that is kept or shared, in bytes. Longer ones stream past the cache.
///
/// Eight MiB holds every list page and nearly every file that GitHub's contents API will inline
/// (up to 1 MB as JSON), and is the largest entry that the fleet must carry whole.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes that an entry weighs besides its key, headers, validators and body: the entry itself, its places in the
/// engine's tables, the read index and the eviction order, and the allocator's share of each.
pub const ENTRY_OVERHEAD_BYTES: usize = 768;
