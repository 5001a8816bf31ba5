//! Changes that wait to be applied together.

use crate::{matching::matches_prefix, removals::Removals};
use cache_core::{Doubted, Entry, Key, Scope, port::Change};
use std::{collections::BTreeMap, mem, ops::Bound, sync::Arc};

/// The removals, the puts that come after them (the latest of each key), and the latest doubts.
///
/// A removal that comes later drops the puts that it means, so that what is left may be applied in this order
/// whatever came first. Doubts have dates, and mean the same before a put and after it.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    removals: Removals,
    /// By number, in the order in which they came.
    puts: BTreeMap<u64, Arc<Entry>>,
    numbers: BTreeMap<Key, u64>,
    bytes: usize,
    doubted: Option<Doubted>,
}

impl Batch {
    /// Adds `entry`, in place of one of the same key. `number` is higher than all before.
    pub(crate) fn put(&mut self, number: u64, entry: Arc<Entry>) {
        self.drop_put(entry.key());
        self.numbers.insert(entry.key().clone(), number);
        self.bytes += entry.weight_bytes();
        self.puts.insert(number, entry);
    }

    /// Adds a removal. Returns whether it was one too many, so that everything is removed.
    pub(crate) fn remove(&mut self, removal: &Change) -> bool {
        self.drop_meant(removal);
        let merged = self.removals.add(removal);
        if merged {
            self.drop_puts();
        }
        merged
    }

    /// Notes `doubted` in place of what was in doubt before.
    pub(crate) fn doubt(&mut self, doubted: Doubted) {
        self.doubted = Some(doubted);
    }

    /// Drops the puts that `removal` means.
    pub(crate) fn drop_meant(&mut self, removal: &Change) {
        for key in self.meant(removal) {
            self.drop_put(&key);
        }
    }

    /// Adds what came later than everything here. Returns whether there were too many removals.
    pub(crate) fn absorb(&mut self, later: Self) -> bool {
        let mut merged = false;
        for removal in later.removals.changes() {
            merged |= self.remove(&removal);
        }
        for (number, entry) in later.puts {
            self.put(number, entry);
        }
        self.doubted = later.doubted.or(self.doubted.take());
        merged
    }

    /// Takes removals and doubts out, and as many of the first puts as `puts_max` and [`BATCH_BYTES_MAX`] say among those
    /// numbered below `below`.
    pub(crate) fn take(&mut self, puts_max: usize, below: u64) -> Self {
        let mut taken =
            Self { removals: mem::take(&mut self.removals), doubted: self.doubted.take(), ..Self::default() };
        let first: Vec<u64> = self.puts.range(..below).map(|(number, _)| *number).take(puts_max).collect();
        for number in first {
            if taken.bytes >= BATCH_BYTES_MAX {
                break;
            }
            if let Some(entry) = self.puts.remove(&number) {
                self.numbers.remove(entry.key());
                self.bytes -= entry.weight_bytes();
                taken.put(number, entry);
            }
        }
        taken
    }

    /// What waits for `key`: `None` if nothing here says anything about it.
    pub(crate) fn find(&self, key: &Key) -> Option<Waiting> {
        match self.numbers.get(key).and_then(|number| self.puts.get(number)) {
            Some(entry) => Some(Waiting::Put(Arc::clone(entry))),
            None => self.removals.cover(key).then_some(Waiting::Removal),
        }
    }

    /// Whether a put here is one that `removal` means.
    pub(crate) fn has_meant(&self, removal: &Change) -> bool {
        !self.meant(removal).is_empty()
    }

    /// Whether a put here is one that `scope` means.
    pub(crate) fn has_in(&self, scope: &Scope) -> bool {
        Change::forgetting(scope.clone()).is_some_and(|removal| self.has_meant(&removal))
    }

    /// Everything, in the order in which it must be applied.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut changes = self.removals.changes();
        changes.extend(self.puts.values().map(|entry| Change::Put(Arc::clone(entry))));
        changes.extend(self.doubted.clone().map(Change::Doubt));
        changes
    }

    /// Drops the puts and returns their keys; removals stay.
    pub(crate) fn drop_puts(&mut self) -> Vec<Key> {
        self.puts.clear();
        self.bytes = 0;
        mem::take(&mut self.numbers).into_keys().collect()
    }

    /// The keys of all puts.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.numbers.keys()
    }

    /// How many puts wait.
    pub(crate) fn puts_count(&self) -> usize {
        self.puts.len()
    }

    /// Bytes of the puts.
    pub(crate) fn puts_bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the first put.
    pub(crate) fn first_put(&self) -> Option<u64> {
        self.puts.first_key_value().map(|(number, _)| *number)
    }

    /// Whether it holds something that a caller waits for, or will wait for.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.removals.is_empty() || self.doubted.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.puts.is_empty() && !self.is_urgent()
    }

    fn drop_put(&mut self, key: &Key) {
        if let Some(entry) = self.numbers.remove(key).and_then(|number| self.puts.remove(&number)) {
            self.bytes -= entry.weight_bytes();
        }
    }

    fn meant(&self, removal: &Change) -> Vec<Key> {
        match removal {
            Change::RemovePrefix { prefix, domain } => self
                .numbers
                .range::<str, _>((Bound::Included(&**prefix), Bound::Unbounded))
                .map(|(key, _)| key)
                .take_while(|key| key.as_str().starts_with(&**prefix))
                .filter(|key| matches_prefix(key, prefix, *domain))
                .cloned()
                .collect(),
            Change::Remove(key) => {
                self.numbers.get_key_value(key).map(|(key, _)| key.clone()).into_iter().collect()
            }
            Change::RemoveAll => self.numbers.keys().cloned().collect(),
            Change::Doubt(_) | Change::Put(_) => Vec::new(),
        }
    }
}

/// What waits to be done about a key.
#[derive(Debug)]
pub(crate) enum Waiting {
    Put(Arc<Entry>),
    Removal,
}

/// Bytes of puts after which a transaction takes no more of them: the file has room for what one adds before what it
/// replaces is free.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
