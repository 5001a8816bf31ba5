//! The queue between the callers of the store and the thread that works on it.
//!
//! No caller waits to put something in. Look-ups are kept apart from changes and are answered first; what waits, or
//! what the catalog knows, answers most of them at once. Changes that wait merge: a removal with earlier puts,
//! removals with one another. Every part has its bound, and what happens at the bound is counted.

use crate::{
    batch::{Batch, Waiting},
    catalog::Catalog,
    memory_store::copy,
    write_behind::Counters,
};
use cache_core::{
    Doubted, Entry, Key, Scope, Timestamp,
    port::{Change, Sealer, StoreError},
};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// Called once with the outcome of an order.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;
/// Called once with what a look-up found.
pub(crate) type Found = Box<dyn FnOnce(Option<Entry>) + Send>;

/// Orders that wait for the store's thread.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// Signals that there may be something to do.
    filled: Condvar,
    /// Signals that the thread has ended.
    ended: Condvar,
    catalog: Option<Arc<Catalog>>,
    pub(crate) counters: Counters,
}

/// A look-up that the store must answer.
pub(crate) struct Load {
    pub(crate) key: Key,
    /// When the caller stops waiting for the result.
    pub(crate) until: Instant,
    pub(crate) found: Found,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) loads: VecDeque<Load>,
    /// What came since the thread took changes last.
    pub(crate) waiting: Batch,
    /// What the thread applies, or failed to.
    pub(crate) applying: Batch,
    /// The callers to tell when the removals and doubts in `waiting` are durable.
    pub(crate) removed: Vec<Done<()>>,
    /// The callers to tell when the puts numbered below are durable.
    pub(crate) flushed: VecDeque<(u64, Done<()>)>,
    pub(crate) sweep: Option<(Timestamp, Done<u64>)>,
    /// The keys under which to keep everything from then on.
    pub(crate) reseal: Option<(Arc<dyn Sealer>, Done<()>)>,
    pub(crate) closing: Option<Done<()>>,
    pub(crate) next_number: u64,
    /// There is something that the thread has not seen.
    has_news: bool,
    is_closed: bool,
    /// When it was closed.
    closed_at: Option<Instant>,
    has_ended: bool,
}

impl Queue {
    pub(crate) fn new(catalog: Option<Arc<Catalog>>) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            ended: Condvar::new(),
            catalog,
            counters: Counters::default(),
        }
    }

    /// The keys of so many records on disk at most, those stored last first; none if the store has no catalog.
    pub(crate) fn latest(&self, most: usize) -> Vec<Key> {
        self.catalog.as_ref().map_or_else(Vec::new, |catalog| catalog.latest(most))
    }

    /// Adds a put, which replaces one that waits for the same key. Without room for it, what it was to replace is
    /// removed.
    pub(crate) fn put(&self, entry: Arc<Entry>, batch_max: usize) {
        let mut state = self.state.lock();
        let bytes = state.waiting.puts_bytes().saturating_add(entry.weight_bytes());
        let is_full = state.waiting.puts_count() >= PUTS_MAX || bytes > PUTS_BYTES_MAX;
        if state.is_closed {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        } else if is_full && state.waiting.puts_count() > 0 {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            // What is on disk under this key is no longer what the engine holds.
            let removal = Change::Remove(entry.key().clone());
            self.add_removal(&mut state, &removal);
            self.tell(state);
        } else {
            let number = state.next_number;
            state.next_number += 1;
            state.waiting.put(number, entry);
            let count = state.waiting.puts_count();
            // A thread that waits for its next batch need not hear of every put.
            if count == 1 || count == batch_max {
                self.tell(state);
            }
        }
    }

    /// Adds removals and doubts. Where none of them means anything that is there or could come back, `done` is called at
    /// once.
    pub(crate) fn remove(&self, changes: Vec<Change>, done: Done<()>) {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return done(Err(closed()));
        }
        let mut is_needed = false;
        for change in changes {
            is_needed |= match change {
                Change::Doubt(doubted) => self.add_doubts(&mut state, doubted),
                Change::Put(_) | Change::Remove(_) | Change::RemoveAll | Change::RemovePrefix { .. } => {
                    self.add_removal(&mut state, &change)
                }
            };
        }
        if !is_needed {
            drop(state);
            return done(Ok(()));
        }
        if state.removed.len() >= CALLBACKS_MAX {
            self.tell(state);
            return done(Err(StoreError::of("too many wait for the disk")));
        }
        state.removed.push(done);
        self.tell(state);
    }

    /// Whether anything that `scope` means is on disk or waits to be written there; always, if the store has no catalog.
    pub(crate) fn has_in(&self, scope: &Scope) -> bool {
        self.is_there(&self.state.lock(), scope)
    }

    fn is_there(&self, state: &State, scope: &Scope) -> bool {
        state.waiting.has_in(scope)
            || state.applying.has_in(scope)
            || self.catalog.as_ref().is_none_or(|catalog| catalog.has_in(scope))
    }

    /// Answers a look-up from what waits or from the catalog, or passes it on to the store.
    pub(crate) fn load(&self, load: Load) {
        let mut state = self.state.lock();
        if !state.is_closed {
            let waiting = state.waiting.find(&load.key).or_else(|| state.applying.find(&load.key));
            match waiting {
                Some(Waiting::Put(entry)) => {
                    drop(state);
                    return (load.found)(Some(copy(&entry)));
                }
                Some(Waiting::Removal) => {}
                None if self.catalog.as_ref().is_some_and(|catalog| !catalog.holds(&load.key)) => {}
                None if state.loads.len() >= LOADS_MAX => {
                    self.counters.loads_refused.fetch_add(1, Ordering::Relaxed);
                }
                None => {
                    state.loads.push_back(load);
                    return self.tell(state);
                }
            }
        }
        drop(state);
        (load.found)(None);
    }

    /// Calls `done` when everything that waits is durable.
    pub(crate) fn flush(&self, done: Done<()>) {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return done(Err(closed()));
        }
        if state.flushed.len() >= CALLBACKS_MAX {
            drop(state);
            return done(Err(StoreError::of("too many wait for the disk")));
        }
        let below = state.next_number;
        state.flushed.push_back((below, done));
        self.tell(state);
    }

    /// Orders a sweep of the store, unless one is ordered already: then `done` learns of no records.
    pub(crate) fn sweep(&self, now: Timestamp, done: Done<u64>) {
        let mut state = self.state.lock();
        if state.is_closed || state.sweep.is_some() {
            let answer = if state.is_closed { Err(closed()) } else { Ok(0) };
            drop(state);
            return done(answer);
        }
        state.sweep = Some((now, done));
        self.tell(state);
    }

    /// Orders that everything be kept under the keys of `sealer`, in place of such an order that still waits.
    pub(crate) fn reseal(&self, sealer: Arc<dyn Sealer>, done: Done<()>) {
        let mut state = self.state.lock();
        if state.is_closed {
            drop(state);
            return done(Err(closed()));
        }
        let earlier = state.reseal.replace((sealer, done));
        self.tell(state);
        if let Some((_, done)) = earlier {
            done(Err(StoreError::of("other keys took their place")));
        }
    }

    /// Accepts nothing more. Look-ups that wait find nothing. `done` is called when the rest is durable and the store
    /// closed, with an error if it is closed, or being closed, already.
    pub(crate) fn close(&self, done: Option<Done<()>>) {
        let mut state = self.state.lock();
        let was_closed = mem::replace(&mut state.is_closed, true);
        state.closed_at.get_or_insert_with(Instant::now);
        let loads = mem::take(&mut state.loads);
        let (sweep, reseal) = (state.sweep.take(), state.reseal.take());
        let refused = if was_closed {
            done
        } else {
            state.closing = done;
            None
        };
        self.tell(state);
        loads.into_iter().for_each(|load| (load.found)(None));
        if let Some((_, done)) = sweep {
            done(Err(closed()));
        }
        if let Some((_, done)) = reseal {
            done(Err(closed()));
        }
        if let Some(done) = refused {
            done(Err(closed()));
        }
    }

    /// Waits for the thread of a closed queue to end, but no longer than [`CLOSE_TIMEOUT`] after it was closed.
    /// Returns whether it has ended.
    pub(crate) fn wait_ended(&self) -> bool {
        let mut state = self.state.lock();
        let until = state.closed_at.unwrap_or_else(Instant::now) + CLOSE_TIMEOUT;
        while !state.has_ended {
            if self.ended.wait_until(&mut state, until).timed_out() {
                return state.has_ended;
            }
        }
        true
    }

    /// Waits until there is something that the thread has not seen, but not beyond `until`.
    pub(crate) fn wait(&self, until: Option<Instant>) {
        let mut state = self.state.lock();
        while !state.has_news {
            match until {
                None => self.filled.wait(&mut state),
                Some(until) => {
                    if self.filled.wait_until(&mut state, until).timed_out() {
                        break;
                    }
                }
            }
        }
        state.has_news = false;
    }

    /// What waits, for the thread to take from.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Notes that the thread will do nothing more, and tells everything that waits for it.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        let closed_at = state.closed_at;
        let left = State { is_closed: true, closed_at, has_ended: true, ..State::default() };
        let State { loads, waiting, removed, flushed, sweep, reseal, closing, .. } =
            mem::replace(&mut *state, left);
        self.ended.notify_all();
        drop(state);
        self.counters.dropped.fetch_add(waiting.puts_count() as u64, Ordering::Relaxed);
        loads.into_iter().for_each(|load| (load.found)(None));
        let told = removed.into_iter().chain(flushed.into_iter().map(|(_, done)| done)).chain(closing);
        told.chain(reseal.map(|(_, done)| done)).for_each(|done| done(Err(closed())));
        if let Some((_, done)) = sweep {
            done(Err(closed()));
        }
    }

    /// Adds `removal` unless it means nothing that is there. Returns whether it means anything.
    fn add_removal(&self, state: &mut State, removal: &Change) -> bool {
        state.waiting.drop_meant(removal);
        let is_needed = state.applying.has_meant(removal)
            || self.catalog.as_ref().is_none_or(|catalog| catalog.concerns(removal));
        if is_needed && state.waiting.remove(removal) {
            self.counters.merges.fetch_add(1, Ordering::Relaxed);
        }
        is_needed
    }

    /// Adds `doubted` unless nothing that is there is in doubt from now on. Returns whether anything is. Puts that
    /// wait are older than the doubt.
    fn add_doubts(&self, state: &mut State, doubted: Doubted) -> bool {
        let is_needed = doubted.scopes.iter().any(|scope| self.is_there(state, scope));
        if is_needed {
            state.waiting.doubt(doubted);
        }
        is_needed
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        state.has_news = true;
        self.filled.notify_one();
    }
}

impl State {
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

pub(crate) fn closed() -> StoreError {
    StoreError::of("the store is closed")
}

/// Time that making the last changes durable may take. A disk that takes longer is given up: what is lost is what the
/// origin still has, and removals were durable before their callers were told.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Most puts that wait: some seconds of what a disk takes. One that finds as many is dropped.
pub(crate) const PUTS_MAX: usize = 4096;
/// Most bytes of entries that wait, which memory has given up already where they were evicted.
pub(crate) const PUTS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most look-ups that wait for the store: a second of what a slow disk finds. One more finds nothing.
pub(crate) const LOADS_MAX: usize = 4096;
/// Most callers that wait to hear of a removal or a flush: more than there are requests at once. One more is told
/// that it cannot wait for it; what it ordered is done all the same.
pub(crate) const CALLBACKS_MAX: usize = 16 * 1024;
