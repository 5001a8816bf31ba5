//! The queue, the writer and the store on disk under seeds, with a thread that the test plays: any order of orders and
//! steps, a disk that is slow or full, kills and restarts.
//!
//! Every order has a number, which is the generation of what it puts. The rules:
//!
//! * A look-up finds nothing older than the latest order about its key.
//! * What a removal that was acknowledged has removed is not back after a kill.
//! * Nothing that was flushed is lost, unless it was removed, replaced, or counted as dropped.
//! * A step is one transaction at most, and opens what it touches, not what there is.
//! * Every caller that waits is told, once there is a disk again.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fixture;

use cache_core::{
    Doubts, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, Store, StoreError},
};
use cache_store::{
    Catalog, ENTRIES_FILE, MeasuredStore, RedbStore, Step, StoreFigures, WriteBehind, WriteBehindSettings,
    Writer,
};
use fixture::{NOW, WIDE, entry_of, key};
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

#[test]
fn the_rules_hold_whatever_comes_first_and_nobody_waits_for_anybody() {
    // On a thread of its own: an order that waits for the writer, which the same thread runs, never returns.
    let (done, ended) = mpsc::channel();
    let worlds = thread::spawn(move || {
        for seed in 0..SEEDS {
            World::new(seed).run();
        }
        done.send(()).unwrap();
    });
    match ended.recv_timeout(PATIENCE) {
        Ok(()) => {}
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(worlds.join().unwrap_err()),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("somebody waits for the thread that is to help"),
    }
}

const SEEDS: u64 = 25;
const STEPS: u32 = 150;
const PATIENCE: Duration = Duration::from_secs(300);
const GROUPS: u64 = 6;
const KEYS_IN_GROUP: u64 = 20;
/// More than what one step of these worlds touches, and far less than what lies on disk.
const OPENED_MAX: u64 = 40;
/// Records that no order means: a step that looked at everything there would open them.
const BYSTANDERS: u64 = 200;

/// The store on disk, which is full while that is said.
struct Moody {
    store: RedbStore,
    is_full: Arc<AtomicBool>,
}

impl Store for Moody {
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
        if self.is_full.load(Ordering::SeqCst) {
            return Err(StoreError::of("disk full"));
        }
        self.store.apply(changes, durability)
    }

    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.sweep(now)
    }
}

impl MeasuredStore for Moody {
    fn figures(&self) -> Arc<StoreFigures> {
        self.store.figures()
    }

    fn catalog(&self) -> Option<Arc<Catalog>> {
        self.store.catalog()
    }
}

/// What the callbacks have told.
#[derive(Default)]
struct Told {
    /// Removals and flushes that were acknowledged, by their numbers.
    acknowledged: Vec<u64>,
    /// Look-ups: of what, ordered when, and the generation that was found.
    found: Vec<(Key, u64, Option<u64>)>,
    /// Orders that were answered in any way.
    answers: u64,
}

/// What one order was about.
enum Order {
    Flush,
    Remove(Vec<Key>),
}

struct World {
    seed: u64,
    random: StdRng,
    dir: TempDir,
    disk: Option<(WriteBehind, Writer)>,
    figures: Arc<StoreFigures>,
    is_full: Arc<AtomicBool>,
    now: Instant,
    number: u64,
    told: Arc<Mutex<Told>>,
    asked: u64,
    orders: BTreeMap<u64, Order>,
    /// The latest order about each key, and whether it put something.
    latest: BTreeMap<Key, (u64, bool)>,
    /// Per key, the highest number of a removal of it that was acknowledged.
    removed: BTreeMap<Key, u64>,
    /// Per key, the highest number of a put that was flushed.
    flushed: BTreeMap<Key, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let dir = a_dir();
        let is_full = Arc::new(AtomicBool::new(false));
        fill(&dir);
        let (disk, figures) = open(&dir, &is_full);
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            dir,
            disk: Some(disk),
            figures,
            is_full,
            now: Instant::now(),
            number: 0,
            told: Arc::default(),
            asked: 0,
            orders: BTreeMap::new(),
            latest: BTreeMap::new(),
            removed: BTreeMap::new(),
            flushed: BTreeMap::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            self.act();
            self.check_told();
        }
        self.is_full.store(false, Ordering::SeqCst);
        self.work(u32::MAX);
        self.check_told();
        assert_eq!(self.told.lock().answers, self.asked, "seed {}: somebody is not told", self.seed);
        let (writer, mut thread) = self.disk.take().unwrap();
        writer.shutdown(|_| {});
        while thread.step(self.now) != Step::Ended {}
    }

    fn act(&mut self) {
        match self.random.random_range(0..100) {
            0..35 => self.put(),
            35..45 => self.remove(),
            45..55 => self.load(),
            55..58 => self.flush(),
            58..60 => self.burst(),
            60..85 => {
                let steps = self.random.random_range(1..8);
                self.work(steps);
            }
            85..90 => self.now += Duration::from_millis(self.random.random_range(1..1500)),
            90..93 => self.is_full.store(self.random.random_bool(0.5), Ordering::SeqCst),
            93..96 => {
                self.writer().sweep(NOW, |_| {});
                self.work(30);
            }
            _ => self.kill(),
        }
    }

    fn put(&mut self) {
        let (key, number) = (self.any_key(), self.next_number());
        self.writer().put(entry_of(key.clone(), "v".into(), Duration::from_secs(300), number));
        self.latest.insert(key, (number, true));
    }

    /// Removes a group, or one key, and much that is not there.
    fn remove(&mut self) {
        let (group, number) = (self.random.random_range(0..GROUPS), self.next_number());
        let one = self.any_key();
        let is_group = self.random.random_bool(0.5);
        let mut changes = vec![if is_group {
            Change::RemovePrefix { prefix: format!("g{group}/").into(), domain: None }
        } else {
            Change::Remove(one.clone())
        }];
        changes.extend(
            (0..19)
                .map(|other| Change::RemovePrefix { prefix: format!("absent/{other}").into(), domain: None }),
        );
        let keys =
            if is_group { (0..KEYS_IN_GROUP).map(|at| key_of(group, at)).collect() } else { vec![one] };
        for key in &keys {
            self.latest.insert(key.clone(), (number, false));
        }
        self.orders.insert(number, Order::Remove(keys));
        self.asked += 1;
        let told = Arc::clone(&self.told);
        self.writer().remove(changes, move |removed| acknowledge(&told, number, &removed));
    }

    fn flush(&mut self) {
        let number = self.next_number();
        self.orders.insert(number, Order::Flush);
        self.asked += 1;
        let told = Arc::clone(&self.told);
        self.writer().flush(move |flushed| acknowledge(&told, number, &flushed));
    }

    fn load(&mut self) {
        let (key, number) = (self.any_key(), self.number);
        self.asked += 1;
        let (told, asked) = (Arc::clone(&self.told), key.clone());
        self.writer().load(key, self.now + Duration::from_secs(2), move |entry| {
            let mut told = told.lock();
            told.answers += 1;
            told.found.push((asked, number, entry.map(|entry| entry.generation())));
        });
    }

    /// More of everything than any queue holds, while the disk does nothing.
    fn burst(&mut self) {
        for _ in 0..5000 {
            self.load();
        }
        for _ in 0..300 {
            self.remove();
        }
    }

    /// Lets the thread make `steps` steps, or all that there are.
    fn work(&mut self, steps: u32) {
        for _ in 0..steps {
            let before = (self.figures.transactions(), self.figures.opened());
            let (_, thread) = self.disk.as_mut().unwrap();
            let step = thread.step(self.now);
            let transactions = self.figures.transactions() - before.0;
            let opened = self.figures.opened() - before.1;
            assert!(transactions <= 1, "seed {}: {transactions} transactions in a step", self.seed);
            assert!(opened <= OPENED_MAX, "seed {}: {opened} seals opened in a step", self.seed);
            match step {
                Step::Worked => {}
                Step::Idle(Some(until)) if steps == u32::MAX => self.now = self.now.max(until),
                Step::Idle(_) => return,
                Step::Ended => unreachable!("nobody closed it"),
            }
        }
    }

    /// What was written to the file is what a killed process leaves.
    fn kill(&mut self) {
        let dir = a_dir();
        for file in [ENTRIES_FILE, "node.key"] {
            let from = self.dir.path().join(file);
            if from.exists() {
                fs::copy(from, dir.path().join(file)).unwrap();
            }
        }
        self.check_told();
        self.asked = 0;
        drop(self.disk.take());
        self.told = Arc::default();
        self.dir = dir;
        let (disk, figures) = open(&self.dir, &self.is_full);
        (self.disk, self.figures) = (Some(disk), figures);
        self.orders.clear();
        self.check_disk();
    }

    /// What a restart finds, which is what there is from here on.
    fn check_disk(&mut self) {
        let mut found = BTreeMap::new();
        for group in 0..GROUPS {
            for at in 0..KEYS_IN_GROUP {
                let key = key_of(group, at);
                let told = Arc::new(Mutex::new(None));
                let tell = Arc::clone(&told);
                self.writer().load(key.clone(), self.now + Duration::from_secs(2), move |entry| {
                    *tell.lock() = entry.map(|entry| entry.generation());
                });
                self.work(1);
                let generation = *told.lock();
                found.insert(key, generation);
            }
        }
        for (key, generation) in &found {
            let removed = self.removed.get(key).copied().unwrap_or_default();
            let is_old = generation.is_some_and(|generation| generation < removed);
            assert!(!is_old, "seed {}: {key:?} is back: {generation:?} after {removed}", self.seed);
            let flushed = self.flushed.get(key).copied().unwrap_or_default();
            let is_lost = generation.unwrap_or_default() < flushed && flushed > removed;
            let was_removed =
                self.latest.get(key).is_some_and(|(number, is_put)| !is_put && *number > flushed);
            assert!(!is_lost || was_removed, "seed {}: {key:?} of {flushed} is lost", self.seed);
        }
        self.latest = found.into_iter().filter_map(|(key, found)| Some((key, (found?, true)))).collect();
        self.flushed.clear();
    }

    fn check_told(&mut self) {
        let told = std::mem::take(&mut *self.told.lock());
        for (key, number, generation) in told.found {
            let Some((latest, _)) = self.latest.get(&key).filter(|(latest, _)| *latest <= number) else {
                continue;
            };
            let is_old = generation.is_some_and(|generation| generation < *latest);
            assert!(!is_old, "seed {}: {key:?} found of {generation:?} after {latest}", self.seed);
        }
        for number in told.acknowledged {
            match self.orders.remove(&number) {
                Some(Order::Remove(keys)) => {
                    for key in keys {
                        let removed = self.removed.entry(key).or_default();
                        *removed = number.max(*removed);
                    }
                }
                Some(Order::Flush) if self.is_calm() => {
                    for (key, (latest, is_put)) in &self.latest {
                        if *is_put && *latest < number {
                            self.flushed.insert(key.clone(), *latest);
                        }
                    }
                }
                Some(Order::Flush) | None => {}
            }
        }
        self.told.lock().answers += told.answers;
    }

    /// Whether nothing was dropped that may count as lost.
    fn is_calm(&self) -> bool {
        self.disk.as_ref().is_some_and(|(writer, _)| writer.stats().dropped + writer.stats().merges == 0)
    }

    fn writer(&self) -> &WriteBehind {
        &self.disk.as_ref().expect("it is opened again after each kill").0
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn any_key(&mut self) -> Key {
        key_of(self.random.random_range(0..GROUPS), self.random.random_range(0..KEYS_IN_GROUP))
    }
}

/// In memory where the system has room for files there: that a kill leaves what was written needs no disk.
fn a_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_absent| tempfile::tempdir()).unwrap()
}

fn acknowledge(told: &Mutex<Told>, number: u64, outcome: &Result<(), StoreError>) {
    let mut told = told.lock();
    told.answers += 1;
    told.acknowledged.extend(outcome.is_ok().then_some(number));
}

fn key_of(group: u64, at: u64) -> Key {
    key(&format!("g{group}/{at}"))
}

/// Puts the bystanders on disk.
fn fill(dir: &TempDir) {
    let mut store = RedbStore::open(dir.path(), fixture::sealer(dir.path()), WIDE).unwrap();
    let bystanders: Vec<_> =
        (0..BYSTANDERS).map(|at| Change::Put(fixture::entry(&format!("bystander/{at}"), "v"))).collect();
    store.apply(&bystanders, Durability::Immediate).unwrap();
}

fn open(dir: &TempDir, is_full: &Arc<AtomicBool>) -> ((WriteBehind, Writer), Arc<StoreFigures>) {
    let mut store = RedbStore::open(dir.path(), fixture::sealer(dir.path()), WIDE).unwrap();
    store.restore(NOW, Budget { entries_max: 0, bytes_max: 0 }).unwrap();
    let figures = store.figures();
    let moody = Moody { store, is_full: Arc::clone(is_full) };
    let settings = WriteBehindSettings { batch_max: 16, ..WriteBehindSettings::default() };
    (WriteBehind::by_hand(Box::new(moody), settings), figures)
}
