//! A store on a thread of its own.
//!
//! Owns when changes are applied and made durable, and what happens while the store refuses them. The queue in
//! front is [`crate::queue`]'s, what waits for the next transaction [`crate::batch`]'s.

use crate::{
    batch::{Batch, Waiting},
    figures::{MeasuredStore, StoreFigures},
    memory_store::copy,
    queue::{Done, Order, Queue, Taken},
};
use cache_core::{
    Entry, Key, Timestamp,
    port::{Change, Durability, StoreError},
};
use parking_lot::Mutex;
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Hands a store its changes from a thread of its own, in batches.
///
/// Nothing here blocks its caller, but for a removal that finds the queue full of removals. Orders are carried
/// out in the order given, and a look-up sees every put before it. Callbacks run on the store's thread: they must
/// not block it, and give it no orders but puts.
///
/// Clones share the thread. It ends with [`WriteBehind::shutdown`], or when the last clone is dropped, which
/// waits for it; either way what was queued is durable and the store closed.
///
/// ```
/// use {cache_core::{port::*, *}, cache_store::*, std::{sync::{Arc, mpsc}, time::Duration}};
///
/// let store = MemoryStore::new(DISK_BUDGET);
/// let writer = WriteBehind::start(Box::new(store), WriteBehindSettings::default())?;
/// let draft = Draft {
///     content: Content::of_value("body"),
///     freshness: Default::default(),
///     validators: Validators::default(),
///     age: Duration::ZERO,
/// };
/// let key = Key::new("r", Domain::ANONYMOUS);
/// writer.put(Arc::new(Entry::new(key.clone(), draft, Timestamp::default(), 0)));
/// let (found, finds) = mpsc::channel();
/// writer.load(key, move |entry| found.send(entry).expect("somebody waits"));
/// assert_eq!(finds.recv()?.expect("it was put before").content().body, "body");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WriteBehind(Arc<Handle>);

impl WriteBehind {
    /// Starts the thread. What `store` is to restore must have been restored before.
    ///
    /// # Errors
    ///
    /// When the system gives no thread; `store` is closed then.
    pub fn start(store: Box<dyn MeasuredStore>, settings: WriteBehindSettings) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let counters = Arc::new(Counters::default());
        let figures = store.figures();
        let writer = Writer {
            store,
            settings,
            queue: Arc::clone(&queue),
            counters: Arc::clone(&counters),
            batch: Batch::default(),
            apply_at: None,
            sync_at: None,
            unsynced: 0,
            refusals: 0,
            lost_some: false,
        };
        let thread = thread::Builder::new().name("fleet-cache-store".into()).spawn(move || writer.run())?;
        Ok(Self(Arc::new(Handle { queue, counters, figures, thread: Mutex::new(Some(thread)) })))
    }

    /// Stores `entry` with the next batch. Dropped and counted if the queue is full.
    pub fn put(&self, entry: Arc<Entry>) {
        if self.0.queue.offer(entry).is_err() {
            self.0.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes `changes`, which are removals, at once, together and durably; `done` is called once they are, and learns
    /// how many records they removed.
    ///
    /// Never dropped. What the store refuses is reported as such and tried again with every batch: the
    /// store keeps owing it, and look-ups find nothing meanwhile.
    pub fn remove(&self, changes: Vec<Change>, done: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        self.push(Order::Remove(changes, Box::new(done)));
    }

    /// Looks `key` up, at once; `found` gets nothing if the store cannot be read.
    pub fn load(&self, key: Key, found: impl FnOnce(Option<Entry>) + Send + 'static) {
        self.push(Order::Load(key, Box::new(found)));
    }

    /// Calls `done` when everything ordered before is durable.
    pub fn flush(&self, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.push(Order::Flush(Box::new(done)));
    }

    /// Removes what is of no use at `now`; `done` learns how many records that were.
    pub fn sweep(&self, now: Timestamp, done: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        self.push(Order::Sweep(now, Box::new(done)));
    }

    /// Makes everything ordered before durable, closes the store, and calls `done`. Orders that come later are
    /// refused.
    pub fn shutdown(&self, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.push(Order::Shutdown(Box::new(done)));
    }

    /// How things stand.
    pub fn stats(&self) -> StoreStats {
        let Handle { counters, figures, .. } = &*self.0;
        StoreStats {
            records: figures.records(),
            bytes: figures.bytes(),
            unreadable: figures.unreadable(),
            set_aside: figures.set_aside(),
            writes: counters.writes.load(Ordering::Relaxed),
            dropped: counters.dropped.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
        }
    }

    fn push(&self, order: Order) {
        match self.0.queue.push(order) {
            Ok(dropped) => {
                self.0.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
            }
            Err(order) => refuse(order, &self.0.counters),
        }
    }
}

impl fmt::Debug for WriteBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteBehind").field(&self.stats()).finish()
    }
}

/// When changes are applied, and when they are durable.
#[derive(Clone, Copy, Debug)]
pub struct WriteBehindSettings {
    /// Time for which a put waits for others to share its transaction.
    pub flush_interval: Duration,
    /// Puts that are applied without waiting any longer.
    pub batch_max: usize,
    /// [`Durability::Immediate`] makes each batch durable. With [`Durability::Eventual`] that happens once in
    /// [`SYNC_INTERVAL`], for all at once.
    pub durability: Durability,
}

impl Default for WriteBehindSettings {
    fn default() -> Self {
        Self { flush_interval: Duration::from_millis(200), batch_max: 256, durability: Durability::Eventual }
    }
}

/// Time after which changes that were applied eventually are made durable. A crash costs at most this much of
/// what the origin still has.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How a store behind a [`WriteBehind`] stands. Counts are since the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreStats {
    /// Records held.
    pub records: u64,
    /// Bytes that the records count against the store's budget.
    pub bytes: u64,
    /// Records found unreadable and dropped.
    pub unreadable: u64,
    /// Files found unusable and set aside.
    pub set_aside: u64,
    /// Entries written.
    pub writes: u64,
    /// Entries not written because the queue was full or the store refused them.
    pub dropped: u64,
    /// Times that the store refused what it was asked.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    dropped: AtomicU64,
    failures: AtomicU64,
}

/// What all clones share; the thread has no part in it, so that it ends with the last clone.
struct Handle {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    figures: Arc<StoreFigures>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close();
        let thread = self.thread.get_mut().take();
        // A callback may hold the last clone: the thread cannot wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            // A panic was reported when it happened.
            let _panicked = thread.join();
        }
    }
}

/// What runs on the thread.
struct Writer {
    store: Box<dyn MeasuredStore>,
    settings: WriteBehindSettings,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    batch: Batch,
    /// When the batch is applied; `None` while it is empty.
    apply_at: Option<Instant>,
    /// When what was applied is made durable; `None` while it is.
    sync_at: Option<Instant>,
    /// Entries applied since.
    unsynced: u64,
    /// Times in a row that the store refused what it was asked.
    refusals: u32,
    /// Whether entries were lost that no flush has reported yet.
    lost_some: bool,
}

impl Writer {
    fn run(mut self) {
        let closer = CloseOnDrop { queue: Arc::clone(&self.queue), counters: Arc::clone(&self.counters) };
        let finished = loop {
            let until = [self.apply_at, self.sync_at].into_iter().flatten().min();
            let orders = match self.queue.take(until, self.wanted()) {
                Taken::Closed => break None,
                Taken::Orders(orders) => orders,
            };
            if let Some(done) = self.carry_out_all(orders) {
                break Some(done);
            }
            self.keep_time();
        };
        // Orders that came after the shutdown are refused, as those will be that come now.
        drop(closer);
        let flushed = self.flush();
        // The store closes before anybody hears of it, so that it can be opened again at once.
        drop(self.store);
        if let Some(done) = finished {
            done(flushed);
        }
    }

    /// Carries `orders` out. Answers the callback of a shutdown, which ends everything.
    fn carry_out_all(&mut self, orders: impl IntoIterator<Item = Order>) -> Option<Done<()>> {
        let mut orders = orders.into_iter();
        while let Some(order) = orders.next() {
            match order {
                Order::Flush(done) => done(self.flush()),
                Order::Load(key, found) => found(self.load(&key)),
                Order::Put(entry) => self.put(entry),
                Order::Remove(changes, done) => self.remove(changes, done),
                Order::Shutdown(done) => {
                    orders.for_each(|order| refuse(order, &self.counters));
                    return Some(done);
                }
                Order::Sweep(now, done) => {
                    let swept = self.sweep(now);
                    done(swept);
                }
            }
        }
        None
    }

    /// Puts that complete the batch.
    fn wanted(&self) -> usize {
        match self.settings.batch_max.saturating_sub(self.batch.len()) {
            // A full batch waits for the store to take it: the rest can wait as well.
            0 => usize::MAX,
            wanted => wanted,
        }
    }

    /// Does what has become due.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if self.apply_at.is_some_and(|at| at <= now) || self.batch.len() >= self.settings.batch_max {
            // The refusal was counted; the batch waits or was dropped.
            let _refused = self.apply_batch(self.settings.durability);
        }
        if self.sync_at.is_some_and(|at| at <= now) {
            let _refused = self.apply_batch(Durability::Immediate);
        }
    }

    fn put(&mut self, entry: Arc<Entry>) {
        if self.batch.len() >= self.settings.batch_max && self.refusals > 0 {
            self.lost_some = true;
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.batch.put(entry);
        self.apply_at.get_or_insert_with(|| Instant::now() + self.settings.flush_interval);
        if self.batch.len() >= self.settings.batch_max {
            let _refused = self.apply_batch(self.settings.durability);
        }
    }

    fn remove(&mut self, changes: Vec<Change>, done: Done<u64>) {
        let removed = self.apply_batch(Durability::Eventual).and_then(|()| {
            let removed = self.store.apply(&changes, Durability::Immediate);
            removed.inspect_err(|error| self.count_failure(error))
        });
        if removed.is_ok() {
            self.all_durable();
        } else {
            changes.into_iter().for_each(|change| self.batch.owe(change));
            self.apply_at.get_or_insert_with(|| Instant::now() + self.settings.flush_interval);
        }
        done(removed);
    }

    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.apply_batch(Durability::Eventual)?;
        let swept = self.store.sweep(now);
        self.sync_later();
        swept.inspect_err(|error| self.count_failure(error))
    }

    fn load(&mut self, key: &Key) -> Option<Entry> {
        match self.batch.find(key) {
            Some(Waiting::Put(entry)) => Some(copy(&entry)),
            Some(Waiting::Removal) => None,
            None => self.store.load(key).unwrap_or_else(|error| {
                self.count_failure(&error);
                None
            }),
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if !self.batch.is_empty() || self.sync_at.is_some() {
            self.apply_batch(Durability::Immediate)?;
        }
        if std::mem::take(&mut self.lost_some) {
            return Err(StoreError::of("entries were lost while the store refused changes"));
        }
        Ok(())
    }

    /// Applies what waits. After too many refusals the puts are dropped, so that the queue keeps moving.
    fn apply_batch(&mut self, durability: Durability) -> Result<(), StoreError> {
        let is_sync = durability == Durability::Immediate && self.sync_at.is_some();
        if self.batch.is_empty() && !is_sync {
            return Ok(());
        }
        // A removal that is owed must not be undone by a crash. And a full disk can take what is not durable yet, so
        // after a refusal only what is durable counts as taken.
        let is_owed = self.batch.owes_removals() || self.refusals > 0;
        let durability = if is_owed { Durability::Immediate } else { durability };
        if let Err(error) = self.store.apply(&self.batch.changes(), durability) {
            self.count_failure(&error);
            self.retry_or_drop();
            return Err(error);
        }
        if self.refusals > 0 {
            info!(refusals = self.refusals, "the store takes changes again");
        }
        let written = self.batch.len() as u64;
        self.counters.writes.fetch_add(written, Ordering::Relaxed);
        self.batch.clear();
        self.apply_at = None;
        self.refusals = 0;
        self.unsynced += written;
        match durability {
            Durability::Eventual => self.sync_later(),
            Durability::Immediate => self.all_durable(),
        }
        Ok(())
    }

    fn retry_or_drop(&mut self) {
        // What the store had taken but not made durable is gone with the transaction that failed.
        let mut dropped = std::mem::take(&mut self.unsynced);
        if self.refusals >= REFUSALS_MAX {
            dropped += self.batch.drop_puts() as u64;
        }
        self.lost_some |= dropped > 0;
        self.counters.dropped.fetch_add(dropped, Ordering::Relaxed);
        let wait = RETRY_WAIT.max(self.settings.flush_interval);
        // What is left to do: owed removals, puts, or making durable what was applied before.
        self.apply_at = (!self.batch.is_empty()).then(|| Instant::now() + wait);
        self.sync_at = self.sync_at.map(|_| Instant::now() + wait);
    }

    fn all_durable(&mut self) {
        self.sync_at = None;
        self.unsynced = 0;
    }

    fn sync_later(&mut self) {
        self.sync_at.get_or_insert_with(|| Instant::now() + SYNC_INTERVAL);
    }

    fn count_failure(&mut self, error: &StoreError) {
        self.counters.failures.fetch_add(1, Ordering::Relaxed);
        self.refusals = self.refusals.saturating_add(1);
        if self.refusals == 1 {
            warn!(%error, source = ?std::error::Error::source(error), "the store refuses changes");
        }
    }
}

/// Closes the queue however the thread ends, so that nobody waits for it in vain.
struct CloseOnDrop {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.queue.close();
        if let Taken::Orders(orders) = self.queue.take(Some(Instant::now()), usize::MAX) {
            orders.into_iter().for_each(|order| refuse(order, &self.counters));
        }
    }
}

/// Times in a row that a batch is tried before its puts are dropped.
const REFUSALS_MAX: u32 = 5;
/// Least time between two tries of a batch that was refused. Nobody else waits for the same disk to be less
/// full, so the waits need no jitter.
const RETRY_WAIT: Duration = Duration::from_millis(500);

fn refuse(order: Order, counters: &Counters) {
    let closed = || StoreError::of("the store is closed");
    match order {
        Order::Flush(done) | Order::Shutdown(done) => done(Err(closed())),
        Order::Load(_, found) => found(None),
        Order::Put(_) => {
            counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Order::Remove(_, done) | Order::Sweep(_, done) => done(Err(closed())),
    }
}
