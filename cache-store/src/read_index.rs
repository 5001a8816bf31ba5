//! The map that local hits read.
//!
//! Owns where the entries are found and how often that was asked. What is in it and for how long is the
//! engine's decision, which reaches it as [`ReadIndex::publish`] and [`ReadIndex::retract`].

#![expect(clippy::disallowed_types, reason = "this is the type whose methods let no guard of the map out")]

use crate::counters::HitCounters;
use cache_core::{Entry, Key};
use dashmap::DashMap;
use std::{fmt, sync::Arc};

/// Entries by key text, for any number of readers at once.
///
/// A look-up takes a shared lock on one of 64 parts of the map, for as long as it takes to compare the
/// key and to share the entry. No lock outlives a method, so nothing here can be held across an `await`.
///
/// ```
/// use {cache_core::*, cache_store::ReadIndex, std::{sync::Arc, time::Duration}};
///
/// let index = ReadIndex::new();
/// let draft = Draft {
///     content: Content::of_value("body"),
///     freshness: Default::default(),
///     validators: Validators::default(),
///     age: Duration::ZERO,
/// };
/// let key = Key::new("api.github.com/user", Domain::ANONYMOUS);
/// index.publish(Arc::new(Entry::new(key.clone(), draft, Timestamp::default(), 0)));
/// assert_eq!(index.get(key.as_str()).unwrap().content().body, "body");
/// index.retract(&key);
/// assert!(index.get(key.as_str()).is_none());
/// ```
#[derive(Default)]
pub struct ReadIndex {
    entries: Entries,
    counters: HitCounters,
}

impl ReadIndex {
    /// An index that holds nothing.
    pub fn new() -> Self {
        Self {
            entries: Entries::with_hasher_and_shard_amount(ahash::RandomState::new(), SHARDS),
            counters: HitCounters::default(),
        }
    }

    /// Makes `entry` the one that look-ups of its key find.
    pub fn publish(&self, entry: Arc<Entry>) {
        // The entry that was there is dropped here, after the lock is.
        let _replaced = self.entries.insert(entry.key().clone(), entry);
    }

    /// Makes look-ups of `key` find nothing. An entry handed out before stays whole with its reader.
    pub fn retract(&self, key: &Key) {
        let _retracted = self.entries.remove(key.as_str());
    }

    /// Makes all look-ups find nothing.
    pub fn clear(&self) {
        self.entries.clear();
    }

    /// The entry whose [`Key::as_str`] is `key_text`. Marks the entry as visited.
    ///
    /// [`cache_core::freshness`] says whether it may be served; the caller counts whether it was a hit.
    pub fn get(&self, key_text: &str) -> Option<Arc<Entry>> {
        let entry = Arc::clone(self.entries.get(key_text)?.value());
        entry.mark_visited();
        Some(entry)
    }

    /// How many entries are published.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Counts a look-up that was answered from here.
    pub fn count_hit(&self) {
        self.counters.count_hit();
    }

    /// Counts a look-up that was answered from here by what a peer had brought.
    pub fn count_peer_hit(&self) {
        self.counters.count_peer_hit();
    }

    /// Look-ups that [`ReadIndex::count_hit`] counted.
    pub fn hits(&self) -> u64 {
        self.counters.hits()
    }

    /// Look-ups that [`ReadIndex::count_peer_hit`] counted.
    pub fn peer_hits(&self) -> u64 {
        self.counters.peer_hits()
    }
}

impl fmt::Debug for ReadIndex {
    /// Figures only: a key may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadIndex")
            .field("entries", &self.len())
            .field("hits", &self.hits())
            .field("peer_hits", &self.peer_hits())
            .finish()
    }
}

type Entries = DashMap<Key, Arc<Entry>, ahash::RandomState>;

/// Parts that are locked separately: enough for 16 threads to meet seldom, in 8 KiB of memory.
const SHARDS: usize = 64;
