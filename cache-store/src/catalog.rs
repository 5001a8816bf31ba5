//! Which keys are on disk, in memory.

use crate::matching::{matches_prefix, removes};
use cache_core::{
    Key, Scope,
    port::{Change, Durability},
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

/// The keys that a store holds, in order, readable from any thread while the store works.
///
/// It spares the disk two questions: whether it holds a key at all, and which of its records a removal means.
/// A record costs some 180 bytes of memory here, most of it the text of its key.
///
/// It also knows which keys left the store without being gone durably yet: a crash would bring those back, so a
/// removal that means one of them is still something to do.
#[derive(Debug, Default)]
pub struct Catalog(Mutex<Listing>);

#[derive(Debug, Default)]
struct Listing {
    /// Each key with the number of its row.
    records: BTreeMap<Key, u64>,
    limbo: Limbo,
}

/// The keys whose removal is applied but not durable.
#[derive(Debug, Default)]
struct Limbo {
    keys: BTreeSet<Key>,
    /// There were too many to list: any key may be among them.
    is_overfull: bool,
}

impl Catalog {
    /// Whether there is a record under `key`.
    pub fn holds(&self, key: &Key) -> bool {
        self.0.lock().records.contains_key(key)
    }

    /// The keys of so many records at most, those stored last first.
    pub(crate) fn latest(&self, most: usize) -> Vec<Key> {
        let listing = self.0.lock();
        let mut latest: Vec<(u64, &Key)> =
            listing.records.iter().map(|(key, sequence)| (*sequence, key)).collect();
        latest.sort_unstable_by(|one, other| other.cmp(one));
        latest.into_iter().take(most).map(|(_, key)| key.clone()).collect()
    }

    /// Whether there is, or would be after a crash, a record that `change` is about.
    pub fn concerns(&self, change: &Change) -> bool {
        let listing = self.0.lock();
        match change {
            // Whether doubts mean anything is asked before they wait: what they mean may still wait when they are noted.
            Change::Doubt(_) | Change::Put(_) => true,
            Change::Remove(key) => listing.records.contains_key(key) || listing.limbo.has(change),
            Change::RemoveAll => !listing.records.is_empty() || listing.limbo.has(change),
            Change::RemovePrefix { .. } => {
                meant(&listing.records, change).next().is_some() || listing.limbo.has(change)
            }
        }
    }

    /// Whether there is, or would be after a crash, a record that `scope` means.
    pub(crate) fn has_in(&self, scope: &Scope) -> bool {
        Change::forgetting(scope.clone()).is_some_and(|removal| self.concerns(&removal))
    }

    /// The keys of the records that `removal` means.
    pub(crate) fn meant_by(&self, removal: &Change) -> Vec<Key> {
        meant(&self.0.lock().records, removal).cloned().collect()
    }

    /// Notes what was committed.
    pub(crate) fn commit(&self, shifts: Vec<Shift>, durability: Durability) {
        let mut listing = self.0.lock();
        let Listing { records, limbo } = &mut *listing;
        for shift in shifts {
            match shift {
                Shift::All => {
                    let gone = std::mem::take(records);
                    gone.into_keys().for_each(|key| limbo.add(key));
                }
                Shift::In(key, sequence) => {
                    records.insert(key, sequence);
                }
                Shift::Out(key, sequence) => {
                    // Another row may have taken its place.
                    if sequence.is_none() || records.get(&key).copied() == sequence {
                        records.remove(&key);
                        limbo.add(key);
                    }
                }
            }
        }
        if durability == Durability::Immediate {
            *limbo = Limbo::default();
        }
    }

    /// Begins anew with what a file that was just opened holds.
    pub(crate) fn replace(&self, records: BTreeMap<Key, u64>) {
        let mut listing = self.0.lock();
        let earlier = std::mem::replace(&mut *listing, Listing { records, limbo: Limbo::default() });
        drop(listing);
        drop(earlier);
    }
}

impl Limbo {
    fn add(&mut self, key: Key) {
        if self.keys.len() < LIMBO_KEYS_MAX {
            self.keys.insert(key);
        } else {
            self.is_overfull = true;
        }
    }

    /// Whether `removal` means a key in here, as far as can be told.
    fn has(&self, removal: &Change) -> bool {
        self.is_overfull || self.keys.iter().any(|key| removes(removal, key))
    }
}

/// One record more or less.
pub(crate) enum Shift {
    /// Every key was removed.
    All,
    /// This one is there, in the row of this number.
    In(Key, u64),
    /// This one is gone, if it is the row of this number that was meant.
    Out(Key, Option<u64>),
}

fn meant<'l>(records: &'l BTreeMap<Key, u64>, removal: &Change) -> Box<dyn Iterator<Item = &'l Key> + 'l> {
    match removal {
        Change::Doubt(_) | Change::Put(_) => Box::new(std::iter::empty()),
        Change::Remove(key) => Box::new(records.get_key_value(key).map(|(key, _)| key).into_iter()),
        Change::RemoveAll => Box::new(records.keys()),
        Change::RemovePrefix { prefix, domain } => {
            let (prefix, domain) = (prefix.clone(), *domain);
            let from = records.range::<str, _>((Bound::Included(&*prefix), Bound::Unbounded));
            let begin_so = prefix.clone();
            let candidates =
                from.map(|(key, _)| key).take_while(move |key| key.as_str().starts_with(&*begin_so));
            Box::new(candidates.filter(move |key| matches_prefix(key, &prefix, domain)))
        }
    }
}

/// Most keys that are listed while their removal is not durable, which it is within [`crate::SYNC_INTERVAL`].
const LIMBO_KEYS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::Domain;

    #[test]
    fn what_was_stored_last_is_listed_first_and_no_more_than_wanted() {
        let key = |resource| Key::new(resource, Domain::ANONYMOUS);
        let catalog = Catalog::default();
        let stored = [("a", 5), ("b", 9), ("c", 7), ("b", 6)];
        let shifts = stored.map(|(resource, sequence)| Shift::In(key(resource), sequence));
        catalog.commit(shifts.into(), Durability::Immediate);
        assert_eq!(catalog.latest(9), ["c", "b", "a"].map(key));
        assert_eq!(catalog.latest(1), ["c"].map(key));
    }
}
