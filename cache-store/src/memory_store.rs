//! A store that forgets everything with the process.

use crate::{
    figures::{MeasuredStore, StoreFigures},
    matching::matches_prefix,
    retention::useless_from,
};
use cache_core::{
    Doubts, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, Store, StoreError},
};
use std::{collections::BTreeMap, sync::Arc};

/// Keeps entries in memory: for tests, and for nodes that may not write.
///
/// ```
/// use {cache_core::{port::*, *}, cache_store::MemoryStore, std::{sync::Arc, time::Duration}};
///
/// let mut store = MemoryStore::new(Budget { entries_max: 10, bytes_max: 1 << 20 });
/// let draft = Draft {
///     content: Content::of_value("body"),
///     freshness: Default::default(),
///     validators: Validators::default(),
///     age: Duration::ZERO,
/// };
/// let key = Key::new("r", Domain::ANONYMOUS);
/// let entry = Arc::new(Entry::new(key.clone(), draft, Timestamp::default(), 0));
/// store.apply(&[Change::Put(Arc::clone(&entry))], Durability::Eventual)?;
/// assert_eq!(store.load(&key)?.as_ref(), Some(&*entry));
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    budget: Budget,
    /// By sequence number: the oldest stored first.
    order: BTreeMap<u64, Arc<Entry>>,
    sequences: BTreeMap<Key, u64>,
    bytes: usize,
    next_sequence: u64,
    doubts: Doubts,
    figures: Arc<StoreFigures>,
}

impl MemoryStore {
    /// A store that keeps the most recently stored entries within `budget`.
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            order: BTreeMap::new(),
            sequences: BTreeMap::new(),
            bytes: 0,
            next_sequence: 0,
            doubts: Doubts::default(),
            figures: Arc::default(),
        }
    }

    fn put(&mut self, entry: &Arc<Entry>) {
        self.remove(entry.key());
        self.sequences.insert(entry.key().clone(), self.next_sequence);
        self.order.insert(self.next_sequence, Arc::clone(entry));
        self.bytes += entry.weight_bytes();
        self.next_sequence += 1;
    }

    fn remove(&mut self, key: &Key) -> u64 {
        let entry = self.sequences.remove(key).and_then(|sequence| self.order.remove(&sequence));
        self.bytes -= entry.as_ref().map_or(0, |entry| entry.weight_bytes());
        u64::from(entry.is_some())
    }

    fn remove_if(&mut self, doomed: impl Fn(&Entry) -> bool) -> u64 {
        let keys: Vec<Key> =
            self.order.values().filter(|entry| doomed(entry)).map(|entry| entry.key().clone()).collect();
        keys.iter().map(|key| self.remove(key)).sum()
    }

    fn evict(&mut self) -> u64 {
        let mut evicted = 0;
        while self.order.len() > self.budget.entries_max || self.bytes > self.budget.bytes_max {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            let key = oldest.key().clone();
            evicted += self.remove(&key);
        }
        evicted
    }

    fn publish_figures(&self) {
        self.figures.hold(self.order.len() as u64, self.bytes as u64);
    }
}

impl Store for MemoryStore {
    fn restore(&mut self, now: Timestamp, budget: Budget) -> Result<Vec<Entry>, StoreError> {
        let mut bytes = 0;
        let useful = self.order.values().rev().filter(|entry| useless_from(entry) > now);
        let within = useful.take(budget.entries_max).take_while(|entry| {
            bytes += entry.weight_bytes();
            bytes <= budget.bytes_max
        });
        Ok(within.map(|entry| copy(entry)).collect())
    }

    fn doubts(&mut self, _now: Timestamp) -> Result<Doubts, StoreError> {
        let mut doubts = self.doubts.clone();
        doubts.retain(|scope| self.sequences.keys().any(|key| scope.covers_key(key)));
        Ok(doubts)
    }

    fn load(&mut self, key: &Key) -> Result<Option<Entry>, StoreError> {
        let entry = self.sequences.get(key).and_then(|sequence| self.order.get(sequence));
        Ok(entry.map(|entry| copy(entry)))
    }

    fn apply(&mut self, changes: &[Change], _durability: Durability) -> Result<u64, StoreError> {
        let mut removed = 0;
        for change in changes {
            removed += match change {
                Change::Doubt(doubted) => {
                    self.doubts.clone_from(&doubted.all);
                    0
                }
                Change::Put(entry) => {
                    self.put(entry);
                    0
                }
                Change::Remove(key) => self.remove(key),
                Change::RemoveAll => self.remove_if(|_entry| true),
                Change::RemovePrefix { prefix, domain } => {
                    self.remove_if(|entry| matches_prefix(entry.key(), prefix, *domain))
                }
            };
        }
        self.evict();
        self.publish_figures();
        Ok(removed)
    }

    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let removed = self.remove_if(|entry| useless_from(entry) <= now) + self.evict();
        self.publish_figures();
        Ok(removed)
    }
}

impl MeasuredStore for MemoryStore {
    fn figures(&self) -> Arc<StoreFigures> {
        Arc::clone(&self.figures)
    }
}

/// An entry of its own, not visited, that shares the content.
pub(crate) fn copy(entry: &Entry) -> Entry {
    let draft = entry.draft(entry.born());
    Entry::new(entry.key().clone(), draft, entry.born(), entry.generation())
}
