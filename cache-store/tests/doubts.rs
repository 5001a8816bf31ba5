//! What is in doubt, on disk: durable before any caller is told, in one transaction, and kept whatever becomes of the
//! key.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fixture;

use cache_core::{
    Doubted, Doubts, Entry, Scope,
    port::{Change, Durability, Store as _},
};
use cache_crypto::{FleetSecret, StorageSealer};
use cache_store::{
    ENTRIES_FILE, MeasuredStore as _, RedbStore, Step, StoreFigures, WriteBehind, WriteBehindSettings, Writer,
};
use fixture::{NOW, WIDE, entry, key};
use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc::channel},
    time::{Duration, Instant},
};

fn prefix(prefix: &str) -> Scope {
    Scope::Prefix { prefix: prefix.into(), domain: None }
}

fn doubts(prefixes: &[&str]) -> Doubts {
    Doubts::new(None, prefixes.iter().map(|text| (prefix(text), NOW)))
}

/// A doubt of what begins with the last of `prefixes`, which come to be in doubt one after another.
fn doubting(prefixes: &[&str]) -> Change {
    let scopes = prefixes.last().map(|text| prefix(text)).into_iter().collect();
    Change::Doubt(Doubted { scopes, all: Arc::new(doubts(prefixes)) })
}

/// A store with its thread, played by the test.
struct Scene {
    disk: WriteBehind,
    writer: Writer,
    figures: Arc<StoreFigures>,
    clock: Instant,
}

impl Scene {
    fn open(dir: &Path) -> Self {
        let store = fixture::open(dir);
        let figures = store.figures();
        let (disk, writer) = WriteBehind::by_hand(Box::new(store), WriteBehindSettings::default());
        Self { disk, writer, figures, clock: Instant::now() }
    }

    /// Lets so much time pass that everything is durable.
    fn settle(&mut self) {
        for _ in 0..3 {
            self.work();
            self.clock += Duration::from_secs(5);
        }
    }

    /// Lets the thread do all that there is to do now. Returns how many transactions that was.
    fn work(&mut self) -> u64 {
        let before = self.figures.transactions();
        while self.writer.step(self.clock) == Step::Worked {}
        self.figures.transactions() - before
    }
}

/// What a process that is killed now leaves in `dir`.
fn after_a_crash(dir: &Path) -> (Vec<Entry>, Doubts) {
    let copy = tempfile::tempdir().unwrap();
    for name in [ENTRIES_FILE, "node.key"] {
        fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    let mut store = fixture::open(copy.path());
    (store.restore(NOW, WIDE).unwrap(), store.doubts(NOW).unwrap())
}

#[test]
fn a_doubt_is_durable_before_whoever_ordered_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::open(dir.path());
    scene.disk.put(entry("a/1", "v"));
    scene.settle();
    let (done, told) = channel();
    scene.disk.remove(vec![doubting(&["a/"])], move |noted| done.send(noted.is_ok()).unwrap());
    assert!(told.try_recv().is_err(), "nothing is durable yet");
    assert_eq!(scene.work(), 1);
    assert!(told.try_recv().unwrap());
    let (entries, left) = after_a_crash(dir.path());
    assert_eq!(left, doubts(&["a/"]));
    assert!(left.mean(&entries[0]) && entries[0].content().body == "v", "it can be revalidated");
}

#[test]
fn a_doubt_of_nothing_that_is_on_disk_is_no_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::open(dir.path());
    scene.disk.put(entry("a/1", "v"));
    scene.settle();
    let (done, told) = channel();
    scene.disk.remove(vec![doubting(&["b/"])], move |noted| done.send(noted.is_ok()).unwrap());
    assert!(told.try_recv().unwrap(), "there is nothing to wait for");
    assert_eq!(scene.work(), 0);
}

#[test]
fn what_waits_to_be_written_is_in_doubt_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::open(dir.path());
    scene.disk.put(entry("a/1", "v"));
    scene.disk.remove(vec![doubting(&["a/"])], |noted| noted.unwrap());
    scene.settle();
    let (entries, left) = after_a_crash(dir.path());
    assert!(left.mean(&entries[0]));
}

#[test]
fn removals_and_doubts_that_wait_are_one_transaction_with_the_latest_doubts() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::open(dir.path());
    ["a/1", "b/1", "c/1"].into_iter().for_each(|resource| scene.disk.put(entry(resource, "v")));
    scene.settle();
    let (done, told) = channel();
    let orders = [
        vec![Change::Remove(key("c/1")), doubting(&["a/"])],
        vec![doubting(&["a/", "b/"])],
        vec![doubting(&["a/", "b/", "absent/"])],
    ];
    for changes in orders {
        let done = done.clone();
        scene.disk.remove(changes, move |noted| done.send(noted.is_ok()).unwrap());
    }
    assert_eq!(scene.work(), 1);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true, true, true]);
    let (entries, left) = after_a_crash(dir.path());
    assert_eq!(left, doubts(&["a/", "b/"]));
    assert_eq!(entries.len(), 2);
}

#[test]
fn a_key_that_is_replaced_takes_the_doubts_along() {
    let dir = tempfile::tempdir().unwrap();
    let sealer = |secret: &FleetSecret| StorageSealer::from_secret(secret);
    let open = |sealer: StorageSealer| RedbStore::open(dir.path(), Arc::new(sealer), WIDE).unwrap();
    let (old, new) = (FleetSecret::generate().unwrap(), FleetSecret::generate().unwrap());
    let changes = [Change::Put(entry("a/1", "v")), doubting(&["a/"])];
    open(sealer(&old)).apply(&changes, Durability::Immediate).unwrap();
    drop(open(sealer(&new).opening_also(sealer(&old))));
    assert_eq!(open(sealer(&new)).doubts(NOW).unwrap(), doubts(&["a/"]));
}

#[test]
fn where_the_doubts_cannot_be_read_everything_is_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let changes = [Change::Put(entry("a/1", "v")), Change::Put(entry("b/1", "v")), doubting(&["a/"])];
    fixture::open(dir.path()).apply(&changes, Durability::Immediate).unwrap();
    let database = redb::Database::open(dir.path().join(ENTRIES_FILE)).unwrap();
    let write = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
    assert!(write.open_table(meta).unwrap().insert("doubts", b"noise".as_slice()).unwrap().is_some());
    write.commit().unwrap();
    drop(database);
    let mut store = fixture::open(dir.path());
    let (entries, left) = (store.restore(NOW, WIDE).unwrap(), store.doubts(NOW).unwrap());
    assert!(entries.len() == 2 && entries.iter().all(|entry| left.mean(entry)));
}

#[test]
fn the_doubts_say_nothing_to_whoever_reads_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let changes = [Change::Put(entry("a/secret-name", "v")), doubting(&["a/secret-name"])];
    fixture::open(dir.path()).apply(&changes, Durability::Immediate).unwrap();
    let file = fs::read(dir.path().join(ENTRIES_FILE)).unwrap();
    assert!(!file.windows(11).any(|text| text == b"secret-name"));
}
