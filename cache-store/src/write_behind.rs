//! A store on a thread of its own.
//!
//! Owns the handle and the thread. [`crate::queue`] owns what waits, [`crate::writer`] what the thread does.

use crate::{
    figures::{MeasuredStore, StoreFigures},
    queue::{Load, Queue},
    writer::Writer,
};
use cache_core::{
    Entry, Key, Scope, Timestamp,
    port::{Change, Durability, Sealer, StoreError},
};
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};
use tracing::warn;

/// Hands a store its changes from a thread of its own, in batches.
///
/// Nothing here blocks its caller, whatever the store does. Look-ups overtake changes and see all of them: what waits
/// to be written is found, what waits to be removed is not. Callbacks run on the store's thread or, where the answer is
/// known at once, on the caller's: they must not block, and give no orders.
///
/// Clones share the thread. It ends with [`WriteBehind::shutdown`], or when the last clone is dropped, which
/// waits for it up to [`CLOSE_TIMEOUT`](crate::CLOSE_TIMEOUT); either way what was ordered is durable then and the
/// store closed.
///
/// ```
/// use {cache_core::{port::*, *}, cache_store::*, std::{sync::{Arc, mpsc}, time::{Duration, Instant}}};
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
/// writer.load(key, Instant::now() + Duration::from_secs(5), move |entry| found.send(entry).expect("somebody waits"));
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
        let (mut handle, writer) = Handle::with_writer(store, settings);
        let thread = thread::Builder::new().name("fleet-cache-store".into()).spawn(move || writer.run())?;
        // Detached: its end is waited for through the queue, and not for ever.
        handle.thread = Some(thread.thread().id());
        Ok(Self(Arc::new(handle)))
    }

    /// The same without a thread: nothing happens until a caller calls the writer's [`step`](Writer::step).
    pub fn by_hand(store: Box<dyn MeasuredStore>, settings: WriteBehindSettings) -> (Self, Writer) {
        let (handle, writer) = Handle::with_writer(store, settings);
        (Self(Arc::new(handle)), writer)
    }

    /// The keys of so many records on disk at most, those stored last first; none of a store that keeps no list of them.
    pub fn latest(&self, most: usize) -> Vec<Key> {
        self.0.queue.latest(most)
    }

    /// Whether anything that `scope` means is on disk, or waits to be written there; always of a store that keeps no list.
    pub fn has_in(&self, scope: &Scope) -> bool {
        self.0.queue.has_in(scope)
    }

    /// Stores `entry` with the next batch. If too much waits it is dropped and counted, and what it was to replace is
    /// removed.
    pub fn put(&self, entry: Arc<Entry>) {
        self.0.queue.put(entry, self.0.batch_max);
    }

    /// Makes `changes`, which are removals and doubts, in one transaction with all others that wait; `done` is called
    /// once they are durable.
    ///
    /// Changes are never dropped. One that means nothing in the store, now or after a crash, needs no transaction:
    /// `done` is called at once. Of doubts that wait, the latest are noted. Too many to wait become the removal of
    /// everything, which is counted. What the store refuses is reported as such and tried again: the store keeps
    /// owing it, and look-ups find nothing meanwhile.
    pub fn remove(&self, changes: Vec<Change>, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.0.queue.remove(changes, Box::new(done));
    }

    /// Looks `key` up, before any change is made; `found` gets nothing if the store cannot be read, if too many look-ups
    /// wait, or if `until` has come first.
    pub fn load(&self, key: Key, until: Instant, found: impl FnOnce(Option<Entry>) + Send + 'static) {
        self.0.queue.load(Load { key, until, found: Box::new(found) });
    }

    /// Calls `done` when everything ordered before is durable.
    pub fn flush(&self, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.0.queue.flush(Box::new(done));
    }

    /// Removes what is of no use at `now`; `done` learns how many records that were. One sweep waits at a time: with
    /// another, `done` learns of none.
    pub fn sweep(&self, now: Timestamp, done: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        self.0.queue.sweep(now, Box::new(done));
    }

    /// Keeps everything under the keys of `sealer` from now on, and calls `done` once it does. What is there is
    /// sealed anew, which takes the disk some seconds for tens of thousands of records; look-ups wait meanwhile.
    pub fn reseal(
        &self,
        sealer: Arc<dyn Sealer>,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        self.0.queue.reseal(sealer, Box::new(done));
    }

    /// Makes everything ordered before durable, closes the store, and calls `done`. Look-ups that wait find nothing,
    /// orders that come later are refused, and so is a second shutdown.
    ///
    /// A caller should not wait for `done` for longer than [`CLOSE_TIMEOUT`](crate::CLOSE_TIMEOUT).
    pub fn shutdown(&self, done: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.0.queue.close(Some(Box::new(done)));
    }

    /// Closes the store and waits until it is closed, but no longer than [`CLOSE_TIMEOUT`](crate::CLOSE_TIMEOUT)
    /// after that was first asked for. Returns whether it is closed.
    pub fn close(&self) -> bool {
        self.0.queue.close(None);
        self.0.queue.wait_ended()
    }

    /// The figures of the store and of its queue, as they are now.
    pub fn stats(&self) -> StoreStats {
        let Handle { queue, figures, .. } = &*self.0;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StoreStats {
            records: figures.records(),
            bytes: figures.bytes(),
            unreadable: figures.unreadable(),
            set_aside: figures.set_aside(),
            writes: count(&queue.counters.writes),
            dropped: count(&queue.counters.dropped),
            failures: count(&queue.counters.failures),
            loads_refused: count(&queue.counters.loads_refused),
            loads_late: count(&queue.counters.loads_late),
            merges: count(&queue.counters.merges),
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
    /// [`SYNC_INTERVAL`](crate::SYNC_INTERVAL), for all at once.
    pub durability: Durability,
}

impl Default for WriteBehindSettings {
    fn default() -> Self {
        Self { flush_interval: Duration::from_millis(200), batch_max: 256, durability: Durability::Eventual }
    }
}

/// How a store behind a [`WriteBehind`] stands. Counts are since the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StoreStats {
    /// How many records are held.
    pub records: u64,
    /// Bytes that the records count against the store's budget.
    pub bytes: u64,
    /// Records found unreadable and dropped.
    pub unreadable: u64,
    /// Files found unusable and set aside.
    pub set_aside: u64,
    /// How many entries were written.
    pub writes: u64,
    /// Entries not written because the queue was full or the store refused them.
    pub dropped: u64,
    /// Times that the store refused what it was asked.
    pub failures: u64,
    /// Look-ups that found nothing because too many waited.
    pub loads_refused: u64,
    /// Look-ups that were not made because their callers no longer waited.
    pub loads_late: u64,
    /// Times that too many removals waited and became the removal of everything.
    pub merges: u64,
}

/// What is counted on both sides of the queue.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) writes: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) loads_refused: AtomicU64,
    pub(crate) loads_late: AtomicU64,
    pub(crate) merges: AtomicU64,
}

/// What all clones share; the thread has no part in it, so that it ends with the last clone.
struct Handle {
    queue: Arc<Queue>,
    figures: Arc<StoreFigures>,
    batch_max: usize,
    /// The store's thread; `None` if a test runs the writer.
    thread: Option<ThreadId>,
}

impl Handle {
    fn with_writer(store: Box<dyn MeasuredStore>, settings: WriteBehindSettings) -> (Self, Writer) {
        let queue = Arc::new(Queue::new(store.catalog()));
        let figures = store.figures();
        let writer = Writer::new(store, settings, Arc::clone(&queue));
        (Self { queue, figures, batch_max: settings.batch_max, thread: None }, writer)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close(None);
        // A callback may hold the last clone: the thread cannot wait for itself.
        let is_another = self.thread.is_some_and(|thread| thread != thread::current().id());
        if is_another && !self.queue.wait_ended() {
            warn!("the disk did not take the last entries in time; they are given up");
        }
    }
}
