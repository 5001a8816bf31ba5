//! The driver, its engine and the disk behind it under seeds, in one thread: the test wakes the loop, plays the store's
//! thread, moves the clocks, and kills.
//!
//! The store is the one that runs, in a file; the origin numbers what it answers. The rules:
//!
//! * The answer to a request is no older than the last write that was answered before the request came.
//! * What is served as fresh is no older than its lifetime, however long the machine slept.
//! * What a write had changed is not back after a kill, if the write was answered once the disk had confirmed it, or
//!   once a flush was.
//! * Every request is answered, once there is a disk again; and the loop ends in time even if there is none.
//! * A write is one transaction at most, whatever it means.

use super::{Driver, Wake};
use crate::command::{Command, Completion, FetchFn, FetchReply};
use cache_core::{
    Bucket, Content, Disk, Domain, Draft, Engine, Entry, Fetched, Figures, Key, Outcome, Reach, RequestId,
    Scope, Served, Settings, Validators,
    freshness::{self, Directives, Freshness, Usable},
    port::{Budget, SealError, Sealer, Store as _, StoreError},
};
use cache_store::{
    CLOSE_TIMEOUT, CoarseClock, DISK_BUDGET, ENTRIES_FILE, HandClock, MeasuredStore as _, ReadIndex,
    RedbStore, Step, StoreFigures, WriteBehind, WriteBehindSettings, Writer,
};
use parking_lot::Mutex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::oneshot, time::Instant};

#[test]
fn the_rules_hold_whatever_comes_first_and_the_loop_waits_for_nobody() {
    // On a thread of its own: a loop that waits for the store's thread, which the same thread plays, never returns.
    let (done, ended) = mpsc::channel();
    let worlds = thread::spawn(move || {
        for seed in 0..SEEDS {
            World::new(seed).run();
        }
        done.send(()).expect("the test waits");
    });
    match ended.recv_timeout(PATIENCE) {
        Ok(()) => {}
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(worlds.join().expect_err("it sends before it ends"))
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the loop waits for the thread that waits for it"),
    }
}

const SEEDS: u64 = 8;
const ACTIONS: u32 = 120;
const PATIENCE: Duration = Duration::from_secs(300);
const GROUPS: u64 = 20;
const KEYS_IN_GROUP: u64 = 20;
const LIFETIME: Duration = Duration::from_secs(60);
/// More than any write needs if the disk does nothing else.
const STEPS_OF_A_WRITE_MAX: u32 = 100;
/// A look-up on disk that finds nothing leads to a call, and that to an entry.
const ROUNDS_TO_SETTLE: u32 = 3;
/// The memory of a small node: most look-ups need the disk.
const MEMORY: Budget = Budget { entries_max: 10, bytes_max: 1 << 20 };

/// What the origin answers: how often each group was written. And how much time has truly passed.
#[derive(Default)]
struct Origin {
    versions: BTreeMap<u64, u64>,
    passed: Duration,
}

/// A caller that waits for an answer.
struct Asker {
    group: u64,
    /// The oldest version that may be answered.
    floor: u64,
    answer: oneshot::Receiver<Completion>,
}

struct World {
    seed: u64,
    random: StdRng,
    runtime: Runtime,
    hand: Arc<HandClock>,
    origin: Arc<Mutex<Origin>>,
    dir: TempDir,
    node: Option<Node>,
    requests: u64,
    askers: Vec<Asker>,
    writes: Vec<Write>,
    /// What was answered when a flush was asked for that has not ended.
    flushes: Vec<(BTreeMap<u64, u64>, Flushed)>,
    /// Versions by group of writes that were answered, and of those that must be durable.
    answered: BTreeMap<u64, u64>,
    durable: BTreeMap<u64, u64>,
}

/// A write whose answer has not come.
struct Write {
    group: u64,
    version: u64,
    /// How many writes had been answered without waiting longer when it came.
    unconfirmed: u64,
    answer: oneshot::Receiver<usize>,
}

/// Tells how a flush ended.
type Flushed = oneshot::Receiver<Result<(), StoreError>>;

/// One run of the node.
struct Node {
    driver: Driver,
    writer: Writer,
    clock: Arc<CoarseClock>,
    index: Arc<ReadIndex>,
    figures: Arc<StoreFigures>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime without threads");
        let (hand, dir) = (Arc::new(HandClock::default()), a_dir());
        let node = Some(Node::start(&dir, &hand));
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            runtime,
            hand,
            origin: Arc::default(),
            dir,
            node,
            requests: 0,
            askers: Vec::new(),
            writes: Vec::new(),
            flushes: Vec::new(),
            answered: BTreeMap::new(),
            durable: BTreeMap::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..ACTIONS {
            self.act();
            self.take_answers();
        }
        for _ in 0..1000 {
            self.step(u32::MAX);
            self.report(usize::MAX);
            self.fetch();
            self.pass(Duration::from_millis(50));
            self.take_answers();
        }
        assert!(
            self.askers.is_empty() && self.writes.is_empty(),
            "seed {}: somebody waits in vain",
            self.seed
        );
        self.burst();
        self.end();
    }

    fn act(&mut self) {
        match self.random.random_range(0..100) {
            0..30 => {
                let (group, at) =
                    (self.random.random_range(0..GROUPS), self.random.random_range(0..KEYS_IN_GROUP));
                self.get(group, at);
            }
            30..40 => {
                let group = self.random.random_range(0..GROUPS);
                self.write(group);
            }
            40..42 => self.burst(),
            42..57 => self.fetch(),
            57..70 => {
                let steps = self.random.random_range(1..20);
                self.step(steps);
            }
            70..82 => {
                let count = self.random.random_range(1..200);
                self.report(count);
            }
            82..89 => {
                let time = Duration::from_millis(self.random.random_range(1..5000));
                self.pass(time);
            }
            89..92 => {
                let time = Duration::from_secs(self.random.random_range(1..8 * 3600));
                self.hand.sleep(time);
                self.origin.lock().passed += time;
            }
            92..96 => self.flush(),
            96..98 => self.kill_after_a_write(),
            _ => self.kill(),
        }
    }

    /// Asks as a client of the node does: memory first, then the driver.
    fn get(&mut self, group: u64, at: u64) {
        let (key, floor) = (key_of(group, at), self.answered.get(&group).copied().unwrap_or_default());
        let node = self.node.as_ref().expect("it is started again after each kill");
        let fresh = node.index.get(key.as_str()).filter(|entry| {
            freshness::usable(entry, &Directives::default(), node.clock.now()) == Usable::Fresh
        });
        if let Some(entry) = fresh {
            return self.check(group, floor, &entry, Served::Hit);
        }
        let origin = Arc::clone(&self.origin);
        let fetch: FetchFn =
            Box::new(move |_revalidate| Box::pin(async move { FetchReply::of(origin.lock().answer(group)) }));
        let (done, answer) = oneshot::channel();
        self.requests += 1;
        let (request, directives) = (RequestId(self.requests), Directives::default());
        self.wake(Wake::Command(Some(Command::Get {
            priority: cache_core::Priority::Normal,
            reader: cache_core::Reader::Admitted,
            kin_wait: None,
            request,
            key,
            directives,
            bucket: Bucket(0),
            fetch,
            done,
        })));
        self.askers.push(Asker { group, floor, answer });
    }

    /// Writes what a whole group is about, and means much else as well.
    fn write(&mut self, group: u64) {
        let version = {
            let mut origin = self.origin.lock();
            let version = origin.versions.entry(group).or_default();
            *version += 1;
            *version
        };
        let others =
            (0..19).map(|at| Scope::Prefix { prefix: format!("api/absent/{at}/").into(), domain: None });
        let own = Scope::Prefix { prefix: format!("api/g{group}/").into(), domain: None };
        let (done, answer) = oneshot::channel();
        let reach = Reach::forget(others.chain([own]));
        let unconfirmed = self.unconfirmed();
        self.wake(Wake::Command(Some(Command::Invalidate { reach, done })));
        self.writes.push(Write { group, version, unconfirmed, answer });
    }

    /// Every caller wants everything, and many write, while the disk does nothing.
    fn burst(&mut self) {
        for group in 0..GROUPS {
            for at in 0..KEYS_IN_GROUP {
                self.get(group, at);
            }
        }
        for write in 0..300 {
            self.write(write % GROUPS);
        }
    }

    fn flush(&mut self) {
        let (done, flushed) = oneshot::channel();
        self.wake(Wake::Command(Some(Command::Flush { done })));
        self.flushes.push((self.answered.clone(), flushed));
    }

    /// Lets the calls to the origin end that are under way.
    fn fetch(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        });
        while let Some(ended) = self.node_mut().driver.fetches.try_join_next() {
            self.wake(Wake::Fetch(ended));
        }
    }

    /// Lets the store's thread make this many steps.
    fn step(&mut self, steps: u32) {
        let seed = self.seed;
        let now = self.now();
        let node = self.node_mut();
        for _ in 0..steps {
            let before = node.figures.transactions();
            let step = node.writer.step(now.into_std());
            let transactions = node.figures.transactions() - before;
            assert!(transactions <= 1, "seed {seed}: {transactions} transactions in a step");
            if step != Step::Worked {
                return;
            }
        }
    }

    /// Lets the loop hear of this many reports.
    fn report(&mut self, count: usize) {
        for _ in 0..count {
            let Ok(report) = self.node_mut().driver.reports.1.try_recv() else { return };
            self.wake(Wake::Report(report));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.hand.advance(time);
        self.origin.lock().passed += time;
        self.runtime.block_on(tokio::time::advance(time));
        self.wake(Wake::Time);
    }

    /// What was written to the file is what a killed process leaves.
    fn kill(&mut self) {
        let dir = a_dir();
        fs::copy(self.dir.path().join(ENTRIES_FILE), dir.path().join(ENTRIES_FILE))
            .expect("the file is there");
        self.take_answers();
        let _context = self.runtime.enter();
        drop(self.node.take());
        self.askers.clear();
        self.writes.clear();
        self.flushes.clear();
        self.answered.clone_from(&self.durable);
        self.dir = dir;
        self.node = Some(Node::start(&self.dir, &self.hand));
        self.look_at_all();
    }

    /// Kills in the moment in which a write is answered whose group was all on disk.
    fn kill_after_a_write(&mut self) {
        let group = self.random.random_range(0..GROUPS);
        (0..KEYS_IN_GROUP).for_each(|at| self.get(group, at));
        self.settle();
        self.flush();
        self.settle();
        self.write(group);
        for _ in 0..STEPS_OF_A_WRITE_MAX {
            self.report(usize::MAX);
            self.take_answers();
            if self.writes.is_empty() {
                break;
            }
            self.step(1);
        }
        self.kill();
    }

    /// Lets every part do what is left to do at this moment.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_TO_SETTLE {
            self.step(u32::MAX);
            self.report(usize::MAX);
            self.fetch();
        }
        self.take_answers();
    }

    /// Looks at everything that is there after a start.
    fn look_at_all(&mut self) {
        for group in 0..GROUPS {
            (0..KEYS_IN_GROUP).for_each(|at| self.get(group, at));
        }
        self.settle();
    }

    /// How many writes were answered without waiting longer, for the disk or for everything.
    fn unconfirmed(&self) -> u64 {
        self.node.as_ref().map_or(0, |node| node.driver.engine.counters().forgettings_unconfirmed)
    }

    /// Ends the node while all callers wait and the store's thread does nothing.
    fn end(&mut self) {
        let begun = self.now();
        let node = self.node.as_mut().expect("it runs");
        self.runtime.block_on(node.driver.stop());
        assert!(self.now() - begun <= CLOSE_TIMEOUT, "seed {}: the end takes too long", self.seed);
    }

    fn take_answers(&mut self) {
        let now_unconfirmed = self.unconfirmed();
        for Write { group, version, unconfirmed, mut answer } in std::mem::take(&mut self.writes) {
            match answer.try_recv() {
                Ok(_removed) => {
                    raise(&mut self.answered, group, version);
                    if unconfirmed == now_unconfirmed {
                        raise(&mut self.durable, group, version);
                    }
                }
                Err(_not_yet) => self.writes.push(Write { group, version, unconfirmed, answer }),
            }
        }
        for (answered, mut flushed) in std::mem::take(&mut self.flushes) {
            match flushed.try_recv() {
                Ok(Ok(())) => {
                    for (group, version) in answered {
                        raise(&mut self.durable, group, version);
                    }
                }
                Ok(Err(_refused)) => {}
                Err(_not_yet) => self.flushes.push((answered, flushed)),
            }
        }
        for Asker { group, floor, mut answer } in std::mem::take(&mut self.askers) {
            match answer.try_recv().map(|completion| completion.outcome) {
                Ok(Outcome::Answered { entry, served }) => self.check(group, floor, &entry, served),
                // After a long sleep a request may have waited for too long.
                Ok(_failed) => {}
                Err(_not_yet) => self.askers.push(Asker { group, floor, answer }),
            }
        }
    }

    fn check(&self, group: u64, floor: u64, entry: &Entry, served: Served) {
        let text = std::str::from_utf8(&entry.content().body).expect("the origin answers text");
        let (version, fetched_millis) = text.split_once(' ').expect("the origin answers two numbers");
        let version: u64 = version.parse().expect("a number");
        assert!(version >= floor, "seed {}: {version} of group {group} after {floor}, {served:?}", self.seed);
        let fetched = Duration::from_millis(fetched_millis.parse().expect("a number"));
        let age = self.origin.lock().passed.saturating_sub(fetched);
        let is_old = served == Served::Hit && age > LIFETIME;
        assert!(!is_old, "seed {}: served as fresh at the age of {age:?}", self.seed);
    }

    fn wake(&mut self, wake: Wake) {
        let _context = self.runtime.enter();
        let node = self.node.as_mut().expect("it is started again after each kill");
        assert!(node.driver.turn(wake).is_continue(), "nobody asked for the end");
    }

    fn now(&self) -> Instant {
        let _context = self.runtime.enter();
        Instant::now()
    }

    fn node_mut(&mut self) -> &mut Node {
        self.node.as_mut().expect("it is started again after each kill")
    }
}

impl Node {
    fn start(dir: &TempDir, hand: &Arc<HandClock>) -> Self {
        let mut store =
            RedbStore::open(dir.path(), Arc::new(Open), DISK_BUDGET).expect("the file can be opened");
        let clock = Arc::new(CoarseClock::by_hand(Arc::clone(hand)));
        let restored = store.restore(clock.now(), MEMORY).expect("the file can be read");
        let doubts = store.doubts(clock.now()).expect("the file can be read");
        let figures = store.figures();
        let (disk, writer) = WriteBehind::by_hand(Box::new(store), WriteBehindSettings::default());
        let settings = Settings { budget: MEMORY, disk: Disk::Present, ..Settings::default() };
        let load_timeout = settings.load_timeout;
        let index = Arc::new(ReadIndex::new());
        let parts = (Arc::clone(&clock), Arc::clone(&index), Some(disk));
        let (_orders, inbox) = tokio::sync::mpsc::channel(1);
        let figures_of = Box::new(|_: &Engine| Figures::default());
        let mut driver = Driver::new(Engine::new(settings), parts, None, figures_of, (inbox, load_timeout));
        driver.restore((restored, doubts));
        Self { driver, writer, clock, index, figures }
    }
}

impl Origin {
    fn answer(&self, group: u64) -> Fetched {
        let version = self.versions.get(&group).copied().unwrap_or_default();
        let body = format!("{version} {}", self.passed.as_millis());
        Fetched::Fresh(Draft {
            content: Content::of_value(body),
            freshness: Freshness { lifetime: LIFETIME, ..Freshness::default() },
            validators: Validators::default(),
            age: Duration::ZERO,
        })
    }
}

fn raise(versions: &mut BTreeMap<u64, u64>, group: u64, version: u64) {
    let known = versions.entry(group).or_default();
    *known = version.max(*known);
}

fn key_of(group: u64, at: u64) -> Key {
    Key::new(&format!("api/g{group}/{at}"), Domain::ANONYMOUS)
}

/// In memory where the system has room for files there: that a kill leaves what was written needs no disk.
fn a_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_absent| tempfile::tempdir()).expect("a directory")
}

/// Seals nothing: what matters here is what is found.
struct Open;

impl Sealer for Open {
    fn seal(&self, _context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(plain.to_vec())
    }

    fn open(&self, _context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(sealed.to_vec())
    }

    fn name(&self, text: &str) -> [u8; 32] {
        let mut name = [0_u8; 32];
        for (at, byte) in text.bytes().enumerate() {
            name[at % 32] = name[at % 32].wrapping_mul(31) ^ byte;
        }
        name
    }
}
