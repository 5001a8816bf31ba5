//! A store that keeps every rule, unless it is told to break one in a certain way.

use super::{Place, StoreFactory};
use cache_core::{
    Content, Doubts, Draft, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, Store, StoreError},
};
use cache_store::MemoryStore;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

/// Makes places whose stores all break the same rule, if any.
pub(super) struct FaultyFactory(pub(super) Option<Fault>);

impl StoreFactory for FaultyFactory {
    fn place(&self) -> anyhow::Result<Box<dyn Place>> {
        Ok(Box::new(FaultyPlace { fault: self.0, log: Arc::default(), unreadable: Arc::default() }))
    }
}

/// A way of breaking one rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    BreaksBatches,
    CountsNothing,
    CountsPuts,
    CutsBodies,
    ForgetsTheAge,
    ForgetsWhenClosed,
    GrowsWithoutBound,
    IgnoresBytes,
    IgnoresEntries,
    IgnoresTheDomain,
    IgnoresTheKeysDomain,
    KeepsNoDoubts,
    KeepsTheEarlier,
    KeepsTheUseless,
    LosesTheEventual,
    MistakesPrefixes,
    PutsFirst,
    RestoresTheOldestFirst,
    RestoresTheUseless,
    ServesTheUnreadable,
    StopsAtTheUnreadable,
    SweepsTheStale,
}

/// A place that outlives its stores: it remembers their changes, and which of them are durable.
struct FaultyPlace {
    fault: Option<Fault>,
    log: Arc<Mutex<Log>>,
    unreadable: Arc<Mutex<Vec<Key>>>,
}

#[derive(Clone, Default)]
struct Log {
    durable: Vec<Change>,
    eventual: Vec<Change>,
}

impl Place for FaultyPlace {
    fn open(&mut self, budget: Budget) -> anyhow::Result<Box<dyn Store>> {
        let bound = if self.fault == Some(Fault::GrowsWithoutBound) { super::WIDE } else { budget };
        let mut log = self.log.lock();
        if self.fault == Some(Fault::ForgetsWhenClosed) {
            *log = Log::default();
        }
        let changes = [&log.durable[..], &log.eventual].concat();
        drop(log);
        let mut store = Faulty {
            fault: self.fault,
            store: MemoryStore::new(bound),
            log: Arc::clone(&self.log),
            unreadable: Arc::clone(&self.unreadable),
        };
        store.store.apply(&changes, Durability::Immediate)?;
        Ok(Box::new(store))
    }

    fn outlives_the_process(&self) -> bool {
        true
    }

    fn after_a_crash(&self) -> anyhow::Result<Box<dyn Place>> {
        let log = self.log.lock().clone();
        let left = match self.fault {
            Some(Fault::BreaksBatches) => {
                let durable = [&log.durable[..], &log.eventual].concat();
                let half = durable.len() / 2;
                Log { durable: durable[..half].to_vec(), eventual: Vec::new() }
            }
            _whole => Log { durable: log.durable, eventual: Vec::new() },
        };
        let place = Self { fault: self.fault, log: Arc::new(Mutex::new(left)), unreadable: Arc::default() };
        Ok(Box::new(place))
    }

    fn damage(&self, key: &Key) -> bool {
        self.unreadable.lock().push(key.clone());
        true
    }
}

struct Faulty {
    fault: Option<Fault>,
    store: MemoryStore,
    log: Arc<Mutex<Log>>,
    unreadable: Arc<Mutex<Vec<Key>>>,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn is_unreadable(&self, key: &Key) -> bool {
        !self.has(Fault::ServesTheUnreadable) && self.unreadable.lock().contains(key)
    }

    /// What the fault makes of a change.
    fn changed(&self, change: &Change) -> Change {
        match (self.fault, change) {
            (Some(Fault::CutsBodies), Change::Put(entry)) if entry.content().body.len() > 65_536 => {
                let body = entry.content().body.slice(..65_536);
                let content = Content { body, ..entry.content().clone() };
                altered(entry, Draft { content, ..entry.draft(entry.born()) })
            }
            (Some(Fault::ForgetsTheAge), Change::Put(entry)) => {
                altered(entry, Draft { age: Duration::ZERO, ..entry.draft(super::NOW) })
            }
            (Some(Fault::IgnoresTheDomain), Change::RemovePrefix { prefix, .. }) => {
                Change::RemovePrefix { prefix: prefix.clone(), domain: None }
            }
            (Some(Fault::MistakesPrefixes), Change::RemovePrefix { prefix, domain }) => {
                let cut = prefix.len().saturating_sub(1);
                Change::RemovePrefix { prefix: prefix[..cut].into(), domain: *domain }
            }
            (_other, change) => change.clone(),
        }
    }
}

/// A put of the same key with another draft.
fn altered(entry: &Entry, draft: Draft) -> Change {
    Change::Put(Arc::new(Entry::new(entry.key().clone(), draft, super::NOW, entry.generation())))
}

impl Store for Faulty {
    fn restore(&mut self, now: Timestamp, budget: Budget) -> Result<Vec<Entry>, StoreError> {
        let now = if self.has(Fault::RestoresTheUseless) { Timestamp::default() } else { now };
        let budget = match self.fault {
            Some(Fault::IgnoresBytes) => Budget { bytes_max: usize::MAX, ..budget },
            Some(Fault::IgnoresEntries) => Budget { entries_max: usize::MAX, ..budget },
            _other => budget,
        };
        let mut entries = self.store.restore(now, budget)?;
        if self.has(Fault::StopsAtTheUnreadable)
            && entries.iter().any(|entry| self.is_unreadable(entry.key()))
        {
            return Ok(Vec::new());
        }
        entries.retain(|entry| !self.is_unreadable(entry.key()));
        if self.has(Fault::RestoresTheOldestFirst) {
            entries.reverse();
        }
        Ok(entries)
    }

    fn doubts(&mut self, now: Timestamp) -> Result<Doubts, StoreError> {
        if self.has(Fault::KeepsNoDoubts) { Ok(Doubts::default()) } else { self.store.doubts(now) }
    }

    fn load(&mut self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if self.is_unreadable(key) {
            return Ok(None);
        }
        if self.has(Fault::IgnoresTheKeysDomain) {
            let entries = self.store.restore(Timestamp::default(), super::WIDE)?;
            return Ok(entries.into_iter().find(|entry| entry.key().resource() == key.resource()));
        }
        self.store.load(key)
    }

    fn apply(&mut self, changes: &[Change], durability: Durability) -> Result<u64, StoreError> {
        let mut changes: Vec<Change> = changes.iter().map(|change| self.changed(change)).collect();
        let is_put = |change: &Change| matches!(change, Change::Put(_));
        let puts = changes.iter().filter(|change| is_put(change)).count() as u64;
        if self.has(Fault::PutsFirst) {
            changes.sort_by_key(|change| !is_put(change));
        }
        if self.has(Fault::KeepsTheEarlier) {
            let mut kept = Vec::new();
            for change in changes {
                let is_known = match &change {
                    Change::Put(entry) => self.store.load(entry.key())?.is_some(),
                    Change::Doubt(_)
                    | Change::Remove(_)
                    | Change::RemoveAll
                    | Change::RemovePrefix { .. } => false,
                };
                if !is_known {
                    kept.push(change);
                }
            }
            changes = kept;
        }
        let mut log = self.log.lock();
        match durability {
            Durability::Eventual => log.eventual.extend(changes.iter().cloned()),
            Durability::Immediate => {
                let earlier = std::mem::take(&mut log.eventual);
                if self.fault != Some(Fault::LosesTheEventual) {
                    log.durable.extend(earlier);
                }
                log.durable.extend(changes.iter().cloned());
            }
        }
        drop(log);
        let removed = self.store.apply(&changes, durability)?;
        Ok(match self.fault {
            Some(Fault::CountsNothing) => 0,
            Some(Fault::CountsPuts) => removed + puts,
            _other => removed,
        })
    }

    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        match self.fault {
            Some(Fault::KeepsTheUseless) => self.store.sweep(Timestamp::default()),
            // As if everything were useless once its lifetime is over.
            Some(Fault::SweepsTheStale) => self.store.sweep(now.saturating_add(9 * super::DAY)),
            _other => self.store.sweep(now),
        }
    }
}
