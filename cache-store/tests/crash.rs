//! What is durable survives `kill -9` at any moment, and the store opens again.

mod fixture;

use cache_core::{
    Key,
    port::{Change, Store as _},
};
use cache_store::{WriteBehind, WriteBehindSettings};
use fixture::{WIDE, body, entry_of, key};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

const KILLS: u32 = 200;
const KEYS: u64 = 40;
/// Names the directory to the process that is going to be killed.
const WRITER_DIR: &str = "FLEET_CACHE_TEST_WRITER_DIR";
const WRITER_BEGIN: &str = "FLEET_CACHE_TEST_WRITER_BEGIN";

#[test]
fn nothing_acknowledged_as_durable_is_lost_by_kill_9_and_no_start_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(0x6b69_6c6c);
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        let mut child = spawn_writer(dir.path(), acknowledged);
        acknowledged = kill_after(&mut child, random.random_range(0..12), random.random_range(0..400_000))
            .unwrap_or(acknowledged);
        check(dir.path(), acknowledged, kill);
    }
    assert!(acknowledged > u64::from(KILLS), "the writer did too little: {acknowledged}");
}

/// The process that gets killed. Does nothing in an ordinary run of the tests.
#[test]
fn writer_until_killed() {
    let Ok(dir) = std::env::var(WRITER_DIR) else { return };
    let begin: u64 = std::env::var(WRITER_BEGIN).unwrap().parse().unwrap();
    let mut store = fixture::open(Path::new(&dir));
    store.restore(fixture::NOW, WIDE).unwrap();
    let settings = WriteBehindSettings { batch_max: 3, ..WriteBehindSettings::default() };
    let writer = WriteBehind::start(Box::new(store), settings).unwrap();
    let (done, dones) = mpsc::channel();
    let mut step = begin;
    loop {
        step += 1;
        match change(step) {
            Change::Put(entry) => writer.put(entry),
            removal => writer.remove(vec![removal], |removed| assert!(removed.is_ok(), "{removed:?}")),
        }
        if step.is_multiple_of(3) {
            let done = done.clone();
            writer.flush(move |flushed| done.send(flushed).unwrap());
            dones.recv().unwrap().unwrap();
            writeln!(std::io::stdout(), "\ndurable {step}").unwrap();
        }
    }
}

/// What the writer does in its `step`th step, which every process of the test can compute.
fn change(step: u64) -> Change {
    if is_removal(step) {
        return Change::Remove(key_of(step));
    }
    let length = 200 + step as usize * 37 % 9000;
    let body = body(step, length).into();
    Change::Put(entry_of(key_of(step), body, Duration::from_secs(300), step))
}

fn key_of(step: u64) -> Key {
    key(&format!("r/{}", step * 7 % KEYS))
}

fn is_removal(step: u64) -> bool {
    step.is_multiple_of(11)
}

fn spawn_writer(dir: &Path, begin: u64) -> Child {
    Command::new(std::env::current_exe().expect("a test knows where it lies"))
        .args(["writer_until_killed", "--exact", "--nocapture", "--test-threads=1"])
        .env(WRITER_DIR, dir)
        .env(WRITER_BEGIN, begin.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the writer starts")
}

/// Kills `child` some turns after it acknowledged `count` times. Returns the last step that it acknowledged.
fn kill_after(child: &mut Child, count: u32, turns: u32) -> Option<u64> {
    let mut lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
    let durable = |line: std::io::Result<String>| {
        line.expect("what it writes is text").strip_prefix("durable ")?.parse().ok()
    };
    let mut last = None;
    for _ in 0..count {
        last = Some(lines.by_ref().find_map(durable).expect("the writer opens its store and goes on"));
    }
    for turn in 0..turns {
        std::hint::black_box(turn);
    }
    child.kill().expect("it runs until killed");
    child.wait().expect("it was killed");
    // What it had said before it died counts as well.
    lines.filter_map(durable).last().or(last)
}

/// Every key is as its last acknowledged step left it, or as a later step did.
fn check(dir: &Path, acknowledged: u64, kill: u32) {
    let mut store = fixture::open(dir);
    let figures = cache_store::MeasuredStore::figures(&store);
    let mut left: BTreeMap<_, Option<u64>> = BTreeMap::new();
    for step in 1..=acknowledged {
        left.insert(key_of(step), (!is_removal(step)).then_some(step));
    }
    for (key, step) in left {
        let found = store.load(&key).expect("the file can be read").map(|entry| entry.generation());
        let is_later = found.is_some_and(|found| found > acknowledged);
        // A step after the last acknowledged one may have removed it.
        let mut later_steps = acknowledged + 1..acknowledged + 64;
        let was_removed = found.is_none() && later_steps.any(|step| is_removal(step) && key_of(step) == key);
        assert!(
            found == step || is_later || was_removed,
            "kill {kill}: {key:?} is {found:?} and not {step:?} of {acknowledged}"
        );
    }
    assert_eq!(figures.set_aside(), 0, "kill {kill}");
    let restored = store.restore(fixture::NOW, WIDE).expect("the file can be read");
    assert_eq!(restored.len() as u64, figures.records());
    assert_eq!(figures.unreadable(), 0, "kill {kill}");
}
