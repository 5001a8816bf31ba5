//! Changes that wait to be applied together.

use crate::matching::removes;
use cache_core::{Entry, Key, port::Change};
use std::{collections::BTreeMap, sync::Arc};

/// Puts that wait, the latest per key.
///
/// Removals do not wait: they are applied with whatever waits before them, so that each learns how much it
/// removed. Those that the store refused are kept here, ahead of the puts, until it takes them.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Removals that the store still owes.
    owed: Vec<Change>,
    puts: Vec<Option<Arc<Entry>>>,
    places: BTreeMap<Key, usize>,
}

impl Batch {
    /// Adds `entry`, in place of one of the same key.
    pub(crate) fn put(&mut self, entry: Arc<Entry>) {
        if let Some(earlier) = self.places.insert(entry.key().clone(), self.puts.len()) {
            self.puts[earlier] = None;
        }
        self.puts.push(Some(entry));
    }

    /// Keeps a removal that the store refused; what waits under the keys it means is dropped.
    pub(crate) fn owe(&mut self, removal: Change) {
        self.places.retain(|key, place| {
            let removed = removes(&removal, key);
            if removed {
                self.puts[*place] = None;
            }
            !removed
        });
        if matches!(removal, Change::RemoveAll) || self.owed.len() >= OWED_MAX {
            // Forgetting more than was asked costs a call to the origin; forgetting less would be wrong.
            self.owed = vec![Change::RemoveAll];
        } else if !matches!(self.owed[..], [Change::RemoveAll]) {
            self.owed.push(removal);
        }
    }

    /// What waits for `key`: `None` if nothing here says anything about it.
    pub(crate) fn find(&self, key: &Key) -> Option<Waiting> {
        if let Some(entry) = self.places.get(key).and_then(|place| self.puts[*place].as_ref()) {
            return Some(Waiting::Put(Arc::clone(entry)));
        }
        let removed = self.owed.iter().any(|removal| removes(removal, key));
        removed.then_some(Waiting::Removal)
    }

    /// Everything, in the order in which it must be applied.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let puts = self.puts.iter().flatten().map(|entry| Change::Put(Arc::clone(entry)));
        self.owed.iter().cloned().chain(puts).collect()
    }

    /// Drops the puts and answers how many there were; owed removals stay.
    pub(crate) fn drop_puts(&mut self) -> usize {
        let dropped = self.len();
        self.puts.clear();
        self.places.clear();
        dropped
    }

    /// Forgets everything, because it was applied.
    pub(crate) fn clear(&mut self) {
        self.drop_puts();
        self.owed.clear();
    }

    /// Number of puts.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn owes_removals(&self) -> bool {
        !self.owed.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.owed.is_empty()
    }
}

/// What waits to be done about a key.
#[derive(Debug)]
pub(crate) enum Waiting {
    Put(Arc<Entry>),
    Removal,
}

/// Most removals kept for a store that refuses them. More become the removal of everything.
const OWED_MAX: usize = 1024;
