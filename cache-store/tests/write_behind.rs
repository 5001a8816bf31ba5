//! The thread in front of the store: order, batches, bounds, outages.
//!
//! Intervals are an hour wherever a test must not depend on them; what happens is awaited on channels.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fixture;

use cache_core::{
    Doubts, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, Store, StoreError},
};
use cache_store::{
    DISK_BUDGET, MeasuredStore, MemoryStore, Step, StoreFigures, WriteBehind, WriteBehindSettings, Writer,
};
use fixture::{NOW, entry, entry_of, key};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A store in memory that tells what it is asked, waits at its gate, and refuses while told to.
struct Probe {
    store: MemoryStore,
    told: Sender<(usize, Durability)>,
    gate: Option<Receiver<()>>,
    refuses: Arc<AtomicBool>,
}

impl Store for Probe {
    fn restore(&mut self, now: Timestamp, budget: Budget) -> Result<Vec<Entry>, StoreError> {
        self.store.restore(now, budget)
    }

    fn doubts(&mut self, now: Timestamp) -> Result<Doubts, StoreError> {
        self.store.doubts(now)
    }

    fn load(&mut self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.store.load(key)
    }

    fn apply(&mut self, changes: &[Change], durability: Durability) -> Result<u64, StoreError> {
        self.told.send((changes.len(), durability)).unwrap();
        if let Some(gate) = &self.gate {
            gate.recv().unwrap();
        }
        if self.refuses.load(Ordering::SeqCst) {
            return Err(StoreError::of("disk full"));
        }
        self.store.apply(changes, durability)
    }

    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.sweep(now)
    }
}

impl MeasuredStore for Probe {
    fn figures(&self) -> Arc<StoreFigures> {
        self.store.figures()
    }
}

struct Scene {
    writer: WriteBehind,
    told: Receiver<(usize, Durability)>,
    refuses: Arc<AtomicBool>,
}

fn scene(settings: WriteBehindSettings, gate: Option<Receiver<()>>) -> Scene {
    let (tell, told) = channel();
    let refuses = Arc::new(AtomicBool::new(false));
    let probe =
        Probe { store: MemoryStore::new(DISK_BUDGET), told: tell, gate, refuses: Arc::clone(&refuses) };
    Scene { writer: WriteBehind::start(Box::new(probe), settings).unwrap(), told, refuses }
}

fn patient() -> WriteBehindSettings {
    WriteBehindSettings { flush_interval: HOUR, ..WriteBehindSettings::default() }
}

/// Waits for what a callback is called with.
fn wait<T: Send + 'static>(order: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> T {
    let (send, receive) = channel();
    order(Box::new(move |answer| send.send(answer).unwrap()));
    receive.recv_timeout(PATIENCE).unwrap()
}

fn flush(writer: &WriteBehind) -> Result<(), StoreError> {
    wait(|done| writer.flush(done))
}

fn load(writer: &WriteBehind, resource: &str) -> Option<Entry> {
    wait(|found| writer.load(key(resource), Instant::now() + HOUR, found))
}

fn remove(writer: &WriteBehind, change: Change) -> Result<(), StoreError> {
    wait(|done| writer.remove(vec![change], done))
}

#[test]
fn a_look_up_sees_what_is_queued_and_waits_for_no_batch() {
    let scene = scene(patient(), None);
    scene.writer.put(entry("r", "first"));
    scene.writer.put(entry("r", "second"));
    assert_eq!(load(&scene.writer, "r").unwrap().content().body, "second");
    assert!(load(&scene.writer, "other").is_none());
    assert!(scene.told.try_recv().is_err(), "nothing was applied yet");
}

#[test]
fn the_latest_put_of_a_key_is_the_one_that_is_written() {
    let scene = scene(patient(), None);
    for body in ["1", "2", "3"] {
        scene.writer.put(entry("r", body));
    }
    flush(&scene.writer).unwrap();
    assert_eq!(scene.told.recv().unwrap(), (1, Durability::Immediate));
    assert_eq!(load(&scene.writer, "r").unwrap().content().body, "3");
    assert_eq!((scene.writer.stats().writes, scene.writer.stats().records), (1, 1));
}

#[test]
fn a_full_batch_is_applied_without_waiting() {
    let settings = WriteBehindSettings { batch_max: 10, ..patient() };
    let scene = scene(settings, None);
    (0..10).for_each(|at| scene.writer.put(entry(&format!("r/{at}"), "v")));
    let (count, durability) = scene.told.recv_timeout(PATIENCE).unwrap();
    assert_eq!((count, durability), (10, Durability::Eventual));
}

#[test]
fn a_batch_that_is_not_full_is_applied_after_the_interval_and_durable_soon() {
    let settings =
        WriteBehindSettings { flush_interval: Duration::from_millis(1), ..WriteBehindSettings::default() };
    let scene = scene(settings, None);
    scene.writer.put(entry("r", "v"));
    assert_eq!(scene.told.recv_timeout(PATIENCE).unwrap(), (1, Durability::Eventual));
    assert_eq!(scene.told.recv_timeout(PATIENCE).unwrap(), (0, Durability::Immediate));
}

#[test]
fn a_batch_is_durable_at_once_where_that_is_asked() {
    let settings = WriteBehindSettings {
        flush_interval: Duration::from_millis(1),
        durability: Durability::Immediate,
        ..WriteBehindSettings::default()
    };
    let scene = scene(settings, None);
    scene.writer.put(entry("r", "v"));
    assert_eq!(scene.told.recv_timeout(PATIENCE).unwrap(), (1, Durability::Immediate));
    flush(&scene.writer).unwrap();
    assert!(scene.told.try_recv().is_err(), "nothing was left to make durable");
}

#[test]
fn removals_that_wait_are_one_transaction_that_is_durable_before_anybody_is_told() {
    let (open, gate) = channel();
    let scene = scene(patient(), Some(gate));
    for at in 0..5 {
        scene.writer.put(entry(&format!("a/{at}"), "v"));
    }
    scene.writer.flush(drop);
    // The thread is at the gate now, and what comes meanwhile waits together.
    assert_eq!(scene.told.recv_timeout(PATIENCE).unwrap(), (5, Durability::Immediate));
    let (done, removed) = channel();
    for at in 0..4 {
        let (prefix, done) = (format!("a/{at}").into(), done.clone());
        let change = Change::RemovePrefix { prefix, domain: None };
        scene.writer.remove(vec![change], move |removed| done.send(removed.is_ok()).unwrap());
    }
    open.send(()).unwrap();
    assert_eq!(scene.told.recv_timeout(PATIENCE).unwrap(), (4, Durability::Immediate));
    assert!(removed.try_recv().is_err(), "nothing is durable yet");
    open.send(()).unwrap();
    assert!((0..4).all(|_| removed.recv_timeout(PATIENCE).unwrap()));
    assert_eq!(scene.writer.stats().records, 1);
}

#[test]
fn a_look_up_of_what_a_waiting_removal_means_finds_nothing_at_once() {
    let (open, gate) = channel();
    let scene = scene(patient(), Some(gate));
    scene.writer.put(entry("a/1", "v"));
    scene.writer.flush(drop);
    scene.told.recv_timeout(PATIENCE).unwrap();
    scene.writer.remove(vec![Change::RemovePrefix { prefix: "a/".into(), domain: None }], |_| {});
    assert!(load(&scene.writer, "a/1").is_none(), "though the store is at its gate");
    scene.writer.put(entry("a/1", "later"));
    assert_eq!(load(&scene.writer, "a/1").unwrap().content().body, "later");
    drop(open);
}

#[test]
fn a_look_up_overtakes_the_changes_that_wait() {
    let (open, gate) = channel();
    let scene = scene(patient(), Some(gate));
    scene.writer.put(entry("a", "v"));
    scene.writer.flush(drop);
    scene.told.recv_timeout(PATIENCE).unwrap();
    (0..100).for_each(|at| scene.writer.remove(vec![Change::Remove(key(&format!("b/{at}")))], |_| {}));
    let (found, finds) = channel();
    scene.writer.load(key("c"), Instant::now() + HOUR, move |entry| found.send(entry.is_some()).unwrap());
    open.send(()).unwrap();
    assert!(!finds.recv_timeout(PATIENCE).unwrap(), "the gate is still closed for the removals");
    drop(open);
}

#[test]
fn readers_that_never_pause_hold_up_no_change() {
    let (writer, mut thread, _told, _refuses) = by_hand();
    let now = Instant::now();
    let (done, removed) = channel();
    let ask = || writer.load(key("c"), now + HOUR, drop);
    ask();
    writer.remove(vec![Change::Remove(key("a"))], move |outcome| done.send(outcome).unwrap());
    let steps = (1..1000).find(|_| {
        ask();
        thread.step(now);
        removed.try_recv().is_ok()
    });
    // All the look-ups that may come first, and itself.
    assert_eq!(steps, Some(65));
    // Nothing else waits, and so they go on.
    (0..100).for_each(|_| {
        ask();
        assert_eq!(thread.step(now), Step::Worked);
    });
}

#[test]
fn a_put_that_finds_too_many_waiting_is_dropped_and_takes_what_it_was_to_replace_with_it() {
    let (open, gate) = channel();
    let settings = WriteBehindSettings { batch_max: 1, ..patient() };
    let scene = scene(settings, Some(gate));
    scene.writer.put(entry("r/4999", "old"));
    open.send(()).unwrap();
    // The second one is at the gate now.
    scene.told.recv_timeout(PATIENCE).unwrap();
    scene.writer.put(entry("first", "v"));
    scene.told.recv_timeout(PATIENCE).unwrap();
    for at in 0..5000 {
        scene.writer.put(entry(&format!("r/{at}"), "new"));
    }
    assert_eq!(scene.writer.stats().dropped, 5000 - 4096);
    assert!(load(&scene.writer, "r/4999").is_none());
    (0..6000).for_each(|_| open.send(()).unwrap());
    flush(&scene.writer).unwrap();
    assert!(load(&scene.writer, "r/4999").is_none());
    assert_eq!(load(&scene.writer, "r/0").unwrap().content().body, "new");
    assert_eq!(scene.writer.stats().writes, 4096 + 2);
}

#[test]
fn a_look_up_that_comes_too_late_is_not_made() {
    let scene = scene(patient(), None);
    scene.writer.put(entry("r", "v"));
    flush(&scene.writer).unwrap();
    let found = wait(|found| writer_load(&scene.writer, Instant::now(), found));
    assert!(found.is_none());
    assert_eq!(scene.writer.stats().loads_late, 1);
}

fn writer_load(writer: &WriteBehind, until: Instant, found: Box<dyn FnOnce(Option<Entry>) + Send>) {
    writer.load(key("r"), until, found);
}

#[test]
fn more_look_ups_than_may_wait_find_nothing_and_are_counted() {
    let (open, gate) = channel();
    let scene = scene(patient(), Some(gate));
    scene.writer.put(entry("r", "v"));
    scene.writer.flush(drop);
    scene.told.recv_timeout(PATIENCE).unwrap();
    let (found, finds) = channel();
    for at in 0..5000 {
        let found = found.clone();
        scene.writer.load(key(&format!("{at}")), Instant::now() + HOUR, move |entry| {
            found.send(entry.is_some()).unwrap();
        });
    }
    assert_eq!(scene.writer.stats().loads_refused, 5000 - 4096);
    assert_eq!(finds.try_iter().count(), 5000 - 4096);
    open.send(()).unwrap();
    (0..4096).for_each(|_| assert!(!finds.recv_timeout(PATIENCE).unwrap()));
}

#[test]
fn too_many_removals_become_the_removal_of_everything() {
    let (open, gate) = channel();
    let scene = scene(patient(), Some(gate));
    scene.writer.put(entry("kept", "v"));
    scene.writer.flush(drop);
    scene.told.recv_timeout(PATIENCE).unwrap();
    for at in 0..20_000 {
        scene.writer.remove(vec![Change::Remove(key(&format!("{at}")))], |_| {});
    }
    assert!(scene.writer.stats().merges > 0);
    open.send(()).unwrap();
    open.send(()).unwrap();
    assert_eq!(scene.told.recv_timeout(PATIENCE).unwrap(), (1, Durability::Immediate));
    assert!(load(&scene.writer, "kept").is_none());
}

#[test]
fn an_outage_costs_puts_but_no_removal_and_ends_by_itself() {
    let settings = WriteBehindSettings { batch_max: 2, ..patient() };
    let scene = scene(settings, None);
    scene.writer.put(entry("kept", "v"));
    flush(&scene.writer).unwrap();
    scene.refuses.store(true, Ordering::SeqCst);
    assert!(remove(&scene.writer, Change::Remove(key("kept"))).is_err());
    assert!(load(&scene.writer, "kept").is_none(), "a removal that is owed counts for look-ups");
    for at in 0..50 {
        scene.writer.put(entry(&format!("r/{at}"), "v"));
    }
    (0..6).for_each(|_| assert!(flush(&scene.writer).is_err()));
    let during = scene.writer.stats();
    assert!(during.failures > 0 && during.dropped > 0, "{during:?}");
    scene.refuses.store(false, Ordering::SeqCst);
    // The first flush tells that entries were lost, the next one that none was since.
    assert!(flush(&scene.writer).is_err());
    scene.writer.put(entry("after", "v"));
    flush(&scene.writer).unwrap();
    assert!(load(&scene.writer, "kept").is_none());
    assert_eq!(load(&scene.writer, "after").unwrap().content().body, "v");
}

#[test]
fn the_first_batch_after_a_refusal_is_made_durable_at_once_and_not_before_a_while() {
    // A full disk takes what is not durable, and loses it when it is to be.
    let (writer, mut thread, told, refuses) = by_hand();
    let begun = Instant::now();
    refuses.store(true, Ordering::SeqCst);
    writer.put(entry("first", "v"));
    writer.flush(|flushed| assert!(flushed.is_err()));
    let Step::Idle(Some(again_at)) = work(&mut thread, begun) else { panic!("it is tried again") };
    refuses.store(false, Ordering::SeqCst);
    assert_eq!(told.try_iter().count(), 1);
    writer.put(entry("second", "v"));
    let just_before = again_at - Duration::from_millis(1);
    assert_eq!(work(&mut thread, just_before), Step::Idle(Some(again_at)));
    work(&mut thread, again_at);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(2, Durability::Immediate)]);
    assert_eq!(writer.stats().dropped, 0);
}

/// A writer that the test runs in place of its thread.
fn by_hand() -> (WriteBehind, Writer, Receiver<(usize, Durability)>, Arc<AtomicBool>) {
    let (tell, told) = channel();
    let refuses = Arc::new(AtomicBool::new(false));
    let store = MemoryStore::new(DISK_BUDGET);
    let probe = Probe { store, told: tell, gate: None, refuses: Arc::clone(&refuses) };
    let (writer, thread) = WriteBehind::by_hand(Box::new(probe), WriteBehindSettings::default());
    (writer, thread, told, refuses)
}

/// Steps until there is nothing to do at `now`.
fn work(thread: &mut Writer, now: Instant) -> Step {
    loop {
        match thread.step(now) {
            Step::Worked => {}
            step @ (Step::Ended | Step::Idle(_)) => return step,
        }
    }
}

#[test]
fn shutting_down_makes_all_durable_closes_the_store_and_refuses_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let writer = WriteBehind::start(Box::new(fixture::open(dir.path())), patient()).unwrap();
    let stored = entry("r", "v");
    writer.put(Arc::clone(&stored));
    wait(|done| writer.shutdown(done)).unwrap();
    let mut store = fixture::open(dir.path());
    assert!(store.load(stored.key()).unwrap().is_some_and(|loaded| loaded == *stored));
    writer.put(entry("late", "v"));
    assert_eq!(writer.stats().dropped, 1);
    assert!(load(&writer, "r").is_none());
    assert!(flush(&writer).is_err());
    assert!(remove(&writer, Change::RemoveAll).is_err());
    assert!(wait(|done| writer.shutdown(done)).is_err());
}

#[test]
fn dropping_the_last_clone_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let writer = WriteBehind::start(Box::new(fixture::open(dir.path())), patient()).unwrap();
    let clone = writer.clone();
    drop(writer);
    clone.put(entry("r", "v"));
    drop(clone);
    assert!(fixture::open(dir.path()).load(&key("r")).unwrap().is_some());
}

#[test]
fn a_callback_may_hold_the_last_clone() {
    let scene = scene(patient(), None);
    let (done, dropped) = channel();
    let last = scene.writer.clone();
    drop(scene.writer.clone());
    scene.writer.flush(move |_| {
        drop(last);
        done.send(()).unwrap();
    });
    drop(scene.writer);
    dropped.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn sweeping_removes_what_is_of_no_use() {
    let scene = scene(patient(), None);
    scene.writer.put(entry_of(key("r"), "v".into(), Duration::from_secs(1), 0));
    let swept: Result<u64, StoreError> = wait(|done| scene.writer.sweep(NOW, done));
    assert_eq!(swept.unwrap(), 0, "it may be revalidated");
    flush(&scene.writer).unwrap();
    let late = NOW.saturating_add(cache_store::RETENTION).saturating_add(HOUR);
    assert_eq!(wait(|done| scene.writer.sweep(late, done)).unwrap(), 1);
}
