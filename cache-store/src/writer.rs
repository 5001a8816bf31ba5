//! What the store's thread does, one step at a time.
//!
//! Owns when changes are applied and made durable, and what happens while the store refuses them. [`crate::queue`]
//! owns what waits.

use crate::{
    batch::{Batch, Waiting},
    figures::MeasuredStore,
    memory_store::copy,
    queue::{Done, Load, Queue, State, closed},
    write_behind::WriteBehindSettings,
};
use cache_core::{
    Entry, Key, Timestamp,
    port::{Change, Durability, Sealer, StoreError},
};
use std::{
    mem,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Carries out the orders of a [`WriteBehind`](crate::WriteBehind), one step at a time.
///
/// Its thread calls [`Writer::run`]. A test that stands in for the thread calls [`Writer::step`]. Dropping it has the
/// effect of a crash: what waits is lost, and every caller that waits is told.
pub struct Writer {
    /// `None` once closed.
    store: Option<Box<dyn MeasuredStore>>,
    settings: WriteBehindSettings,
    queue: Arc<Queue>,
    /// When waiting puts are applied; `None` while there is none.
    apply_at: Option<Instant>,
    /// When what was applied is made durable; `None` while it is.
    sync_at: Option<Instant>,
    /// What was applied since then.
    unsynced: Vec<Key>,
    /// Times in a row that the store refused what it was asked.
    refusals: u32,
    /// Whether entries were lost that no flush has reported yet.
    lost_some: bool,
    /// Whether everything that was left when the queue closed was tried.
    has_tried_last: bool,
    /// Look-ups that came first since another task did.
    loads_in_a_row: u32,
}

/// The outcome of [`Writer::step`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Everything is durable and the store closed; there is no further step.
    Ended,
    /// There is nothing to do before this moment, or before the next order.
    Idle(Option<Instant>),
    /// Something was done, and there may be more.
    Worked,
}

/// One thing to do.
enum Task {
    Apply(Application),
    Close,
    Load(Load),
    Reseal(Arc<dyn Sealer>, Done<()>),
    Sweep(Timestamp, Done<u64>),
    Wait(Option<Instant>),
}

/// One transaction, and the callers to tell of it.
struct Application {
    durability: Durability,
    removed: Vec<Done<()>>,
    flushed: Vec<Done<()>>,
}

impl Application {
    fn of(durability: Durability) -> Self {
        Self { durability, removed: Vec::new(), flushed: Vec::new() }
    }
}

impl Writer {
    pub(crate) fn new(
        store: Box<dyn MeasuredStore>,
        settings: WriteBehindSettings,
        queue: Arc<Queue>,
    ) -> Self {
        Self {
            store: Some(store),
            settings,
            queue,
            apply_at: None,
            sync_at: None,
            unsynced: Vec::new(),
            refusals: 0,
            lost_some: false,
            has_tried_last: false,
            loads_in_a_row: 0,
        }
    }

    /// Works until the store is closed.
    pub fn run(mut self) {
        loop {
            match self.step(Instant::now()) {
                Step::Ended => return,
                Step::Idle(until) => self.queue.wait(until),
                Step::Worked => {}
            }
        }
    }

    /// Does one thing: answers one look-up, or makes one transaction.
    pub fn step(&mut self, now: Instant) -> Step {
        let queue = Arc::clone(&self.queue);
        // The guard is gone before the task is done, which calls back.
        let task = self.next_task(&mut queue.state(), now);
        match task {
            Task::Apply(application) => self.apply(application, now),
            Task::Close => {
                self.close();
                return Step::Ended;
            }
            Task::Load(load) => self.load(load, now),
            Task::Reseal(sealer, done) => {
                let resealed = self.reseal(sealer, now);
                done(resealed);
            }
            Task::Sweep(moment, done) => {
                let swept = self.sweep(moment, now);
                done(swept);
            }
            Task::Wait(until) => return Step::Idle(until),
        }
        Step::Worked
    }

    /// Look-ups come first, except that one other task follows every [`LOADS_IN_A_ROW_MAX`].
    fn next_task(&mut self, state: &mut State, now: Instant) -> Task {
        if self.store.is_none() {
            return Task::Close;
        }
        let is_their_turn = self.loads_in_a_row < LOADS_IN_A_ROW_MAX;
        if is_their_turn && let Some(load) = state.loads.pop_front() {
            self.loads_in_a_row += 1;
            return Task::Load(load);
        }
        self.loads_in_a_row = 0;
        match self.next_beside_loads(state, now) {
            Task::Wait(until) => state.loads.pop_front().map_or(Task::Wait(until), Task::Load),
            task => task,
        }
    }

    /// Removals and doubts come first, since callers wait for them.
    fn next_beside_loads(&mut self, state: &mut State, now: Instant) -> Task {
        if state.waiting.is_urgent() {
            let urgent = state.waiting.take(0, 0);
            self.count_merge(state.applying.absorb(urgent));
            let removed = mem::take(&mut state.removed);
            return Task::Apply(Application { removed, ..Application::of(Durability::Immediate) });
        }
        if state.is_closed() {
            return self.next_of_closing(state);
        }
        if let Some((below, _)) = state.flushed.front() {
            let below = *below;
            return Task::Apply(self.flush_below(state, below));
        }
        if let Some((sealer, done)) = state.reseal.take() {
            return Task::Reseal(sealer, done);
        }
        if let Some((moment, done)) = state.sweep.take() {
            return Task::Sweep(moment, done);
        }
        self.next_when_due(state, now)
    }

    fn next_when_due(&mut self, state: &mut State, now: Instant) -> Task {
        let has_more = state.waiting.puts_count() > 0;
        if has_more && self.apply_at.is_none() {
            self.apply_at = Some(now + self.settings.flush_interval);
        }
        // After a refusal the store is given time.
        let is_full = state.waiting.puts_count() >= self.settings.batch_max && self.refusals == 0;
        if is_full || self.apply_at.is_some_and(|at| at <= now) {
            if state.applying.puts_count() < self.settings.batch_max {
                let room = self.settings.batch_max - state.applying.puts_count();
                let puts = state.waiting.take(room, u64::MAX);
                self.count_merge(state.applying.absorb(puts));
            }
            return Task::Apply(Application::of(self.settings.durability));
        }
        if self.sync_at.is_some_and(|at| at <= now) {
            return Task::Apply(Application::of(Durability::Immediate));
        }
        Task::Wait([self.apply_at, self.sync_at].into_iter().flatten().min())
    }

    /// The next transaction on the way to having everything durable that is numbered below `below`.
    fn flush_below(&self, state: &mut State, below: u64) -> Application {
        let puts = state.waiting.take(self.settings.batch_max, below);
        self.count_merge(state.applying.absorb(puts));
        let is_last = state.waiting.first_put().is_none_or(|first| first >= below);
        if !is_last {
            return Application::of(Durability::Eventual);
        }
        let mut flushed = Vec::new();
        while state.flushed.front().is_some_and(|(wanted, _)| *wanted <= below) {
            flushed.extend(state.flushed.pop_front().map(|(_, done)| done));
        }
        Application { flushed, ..Application::of(Durability::Immediate) }
    }

    fn next_of_closing(&mut self, state: &mut State) -> Task {
        let is_left = !state.waiting.is_empty() || !state.flushed.is_empty();
        // What the store refuses now is not tried again.
        let is_due = self.refusals == 0 && (self.sync_at.is_some() || !state.applying.is_empty());
        let is_first = !mem::replace(&mut self.has_tried_last, true);
        if is_left || is_due || is_first {
            Task::Apply(self.flush_below(state, u64::MAX))
        } else {
            Task::Close
        }
    }

    fn close(&mut self) {
        // The store closes before any caller hears of it, so that it can be opened again at once.
        drop(self.store.take());
        let mut state = self.queue.state();
        let closing = state.closing.take();
        let lost = mem::take(&mut self.lost_some) || !state.applying.is_empty();
        drop(state);
        self.queue.end();
        if let Some(done) = closing {
            done(if lost { Err(lost_entries()) } else { Ok(()) });
        }
    }

    fn load(&mut self, load: Load, now: Instant) {
        let Load { key, until, found } = load;
        if until <= now {
            self.queue.counters.loads_late.fetch_add(1, Ordering::Relaxed);
            return found(None);
        }
        let state = self.queue.state();
        let waiting = state.waiting.find(&key).or_else(|| state.applying.find(&key));
        drop(state);
        found(match waiting {
            Some(Waiting::Put(entry)) => Some(copy(&entry)),
            Some(Waiting::Removal) => None,
            None => self.read(&key),
        });
    }

    fn read(&mut self, key: &Key) -> Option<Entry> {
        let store = self.store.as_mut()?;
        match store.load(key) {
            Ok(entry) => entry,
            Err(error) => {
                self.count_failure(&error);
                None
            }
        }
    }

    /// What was applied is made durable first: the store may open its file anew.
    fn reseal(&mut self, sealer: Arc<dyn Sealer>, now: Instant) -> Result<(), StoreError> {
        self.apply_batch(Durability::Immediate, now)?;
        let Some(store) = &mut self.store else { return Err(closed()) };
        store.reseal(sealer).inspect_err(|error| self.count_failure(error))
    }

    fn sweep(&mut self, moment: Timestamp, now: Instant) -> Result<u64, StoreError> {
        let Some(store) = &mut self.store else { return Err(closed()) };
        let swept = store.sweep(moment);
        self.sync_later(now);
        swept.inspect_err(|error| self.count_failure(error))
    }

    /// Applies what waits to be applied, and tells the callers of it.
    fn apply(&mut self, application: Application, now: Instant) {
        let Application { durability, removed, flushed } = application;
        match self.apply_batch(durability, now) {
            Ok(()) => {
                removed.into_iter().for_each(|done| done(Ok(())));
                for done in flushed {
                    let lost = mem::take(&mut self.lost_some);
                    done(if lost { Err(lost_entries()) } else { Ok(()) });
                }
            }
            Err(error) => {
                let text = error.to_string();
                let refused = || Err(StoreError::of(text.clone()));
                let waiting = mem::take(&mut self.queue.state().flushed);
                let flushed = flushed.into_iter().chain(waiting.into_iter().map(|(_, done)| done));
                removed.into_iter().chain(flushed).for_each(|done| done(refused()));
            }
        }
    }

    /// One transaction. After too many refusals the puts in it are dropped, so that the queue keeps moving.
    fn apply_batch(&mut self, durability: Durability, now: Instant) -> Result<(), StoreError> {
        let (changes, is_urgent) = {
            let state = self.queue.state();
            (state.applying.changes(), state.applying.is_urgent())
        };
        let is_sync = durability == Durability::Immediate && self.sync_at.is_some();
        if changes.is_empty() && !is_sync {
            self.apply_at = None;
            return Ok(());
        }
        // A removal or a doubt must not be undone by a crash. And a full disk can take what is not durable yet, so after a refusal
        // only what is durable counts as taken. So does what would be too much to list.
        let is_strict = is_urgent || self.refusals > 0 || self.unsynced.len() >= UNSYNCED_MAX;
        let durability = if is_strict { Durability::Immediate } else { durability };
        let Some(store) = &mut self.store else { return Err(closed()) };
        if let Err(error) = store.apply(&changes, durability) {
            self.count_failure(&error);
            self.retry_or_drop(now);
            return Err(error);
        }
        if self.refusals > 0 {
            info!(refusals = self.refusals, "the store takes changes again");
        }
        self.refusals = 0;
        let applied = mem::take(&mut self.queue.state().applying);
        self.queue.counters.writes.fetch_add(applied.puts_count() as u64, Ordering::Relaxed);
        if applied.puts_count() > 0 {
            self.apply_at = None;
        }
        match durability {
            Durability::Eventual => {
                self.unsynced.extend(applied.keys().cloned());
                self.sync_later(now);
            }
            Durability::Immediate => {
                self.sync_at = None;
                self.unsynced.clear();
            }
        }
        Ok(())
    }

    fn retry_or_drop(&mut self, now: Instant) {
        // What the store had taken but not made durable is gone with the transaction that failed, and what it had
        // replaced is back: neither counts as kept.
        let mut lost = mem::take(&mut self.unsynced);
        let mut state = self.queue.state();
        if self.refusals >= REFUSALS_MAX {
            lost.extend(state.applying.drop_puts());
        }
        let mut owed = Batch::default();
        let mut merged = false;
        for key in &lost {
            merged |= owed.remove(&Change::Remove(key.clone()));
        }
        // Puts that wait in this very batch come after what is owed.
        let later = mem::replace(&mut state.applying, owed);
        merged |= state.applying.absorb(later);
        let is_left = !state.applying.is_empty() || state.waiting.puts_count() > 0;
        drop(state);
        self.count_merge(merged);
        self.lost_some |= !lost.is_empty();
        self.queue.counters.dropped.fetch_add(lost.len() as u64, Ordering::Relaxed);
        let wait = RETRY_WAIT.max(self.settings.flush_interval);
        // What is left to do: owed removals, puts, or making durable what was applied before.
        self.apply_at = is_left.then(|| now + wait);
        self.sync_at = self.sync_at.map(|_| now + wait);
    }

    fn sync_later(&mut self, now: Instant) {
        self.sync_at.get_or_insert(now + SYNC_INTERVAL);
    }

    fn count_merge(&self, merged: bool) {
        self.queue.counters.merges.fetch_add(u64::from(merged), Ordering::Relaxed);
    }

    fn count_failure(&mut self, error: &StoreError) {
        self.queue.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals == 1 {
            warn!(%error, source = ?std::error::Error::source(error), "the store refuses changes");
        }
    }
}

impl Drop for Writer {
    /// However the thread ends, no caller is left waiting for it.
    fn drop(&mut self) {
        drop(self.store.take());
        self.queue.end();
    }
}

fn lost_entries() -> StoreError {
    StoreError::of("entries were lost while the store refused changes")
}

/// Time after which changes that were applied eventually are made durable. A crash costs at most this much of
/// what the origin still has.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Most look-ups that come before a change that waits. A look-up takes some tens of microseconds, so readers that
/// never pause delay a write, which is answered once its removals are durable, by a few milliseconds.
const LOADS_IN_A_ROW_MAX: u32 = 64;
/// Times in a row that a batch is tried before its puts are dropped.
const REFUSALS_MAX: u32 = 5;
/// Least time between two tries of a batch that was refused. No other process waits for the same disk to be less
/// full, so the waits need no jitter.
const RETRY_WAIT: Duration = Duration::from_millis(500);
/// Most entries that are applied without being durable: what is lost with them is listed by key.
const UNSYNCED_MAX: usize = 4096;
