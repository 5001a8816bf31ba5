//! A store that goes over to other keys while it is used.

mod fixture;

use cache_core::port::{Budget, Sealer};
use cache_crypto::{FleetSecret, StorageSealer};
use cache_store::{RedbStore, WriteBehind, WriteBehindSettings};
use fixture::{entry, key};
use std::{
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

const BUDGET: Budget = Budget { entries_max: 10_000, bytes_max: 64 * 1024 * 1024 };
/// More than are sealed anew in one transaction.
const ENTRIES: usize = 600;

fn sealer(secret: &FleetSecret) -> StorageSealer {
    StorageSealer::from_secret(secret)
}

fn open(directory: &Path, sealer: StorageSealer) -> WriteBehind {
    let store = RedbStore::open(directory, Arc::new(sealer), BUDGET).expect("the directory is ours");
    WriteBehind::start(Box::new(store), WriteBehindSettings::default()).expect("there are threads")
}

fn told<T: Send + 'static>(order: impl FnOnce(mpsc::Sender<T>)) -> T {
    let (done, told) = mpsc::channel();
    order(done);
    told.recv_timeout(Duration::from_secs(30)).expect("the thread answers")
}

fn reseal(store: &WriteBehind, sealer: StorageSealer) {
    let sealer: Arc<dyn Sealer> = Arc::new(sealer);
    told(|done| store.reseal(sealer, move |result| done.send(result).expect("somebody waits")))
        .expect("the disk takes it");
}

fn holds(store: &WriteBehind, resource: &str) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    told(|done| store.load(key(resource), until, move |found| done.send(found).expect("somebody waits")))
        .is_some()
}

fn close(store: &WriteBehind) {
    told(|done| store.shutdown(move |result| done.send(result).expect("somebody waits")))
        .expect("it is durable");
}

#[test]
fn what_is_sealed_anew_is_found_at_once_and_opens_by_the_new_key_alone() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (old, new) = (FleetSecret::generate().expect("entropy"), FleetSecret::generate().expect("entropy"));
    let store = open(directory.path(), sealer(&old));
    let names: Vec<String> = (0..ENTRIES).map(|number| format!("r{number}")).collect();
    for name in &names[1..] {
        store.put(entry(name, name.clone()));
    }
    // None of these is durable yet.
    reseal(&store, sealer(&new).opening_also(sealer(&old)));
    store.put(entry(&names[0], "later"));
    assert!(names.iter().all(|name| holds(&store, name)));
    let removed = cache_core::port::Change::Remove(key(&names[5]));
    told(|done| store.remove(vec![removed], move |result| done.send(result).expect("somebody waits")))
        .expect("the disk takes it");
    close(&store);

    let store = open(directory.path(), sealer(&new));
    let found = names.iter().filter(|name| holds(&store, name)).count();
    assert_eq!(found, ENTRIES - 1);
    assert!(!holds(&store, &names[5]));
    assert_eq!((store.stats().unreadable, store.stats().set_aside), (0, 0));
    close(&store);
    assert_eq!(open(directory.path(), sealer(&old)).stats().set_aside, 1, "the former key opens nothing");
}

#[test]
fn keys_that_are_the_same_cost_no_work_and_open_what_older_ones_sealed() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let secret = FleetSecret::generate().expect("entropy");
    let store = open(directory.path(), sealer(&secret));
    store.put(entry("r", "body"));
    for _ in 0..3 {
        reseal(&store, sealer(&secret));
        assert!(holds(&store, "r"));
    }
}

#[test]
fn a_closed_store_is_not_sealed_anew() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let secret = FleetSecret::generate().expect("entropy");
    let store = open(directory.path(), sealer(&secret));
    close(&store);
    let sealer: Arc<dyn Sealer> = Arc::new(sealer(&secret));
    let refused = told(|done| store.reseal(sealer, move |result| done.send(result).expect("somebody waits")));
    assert!(refused.is_err());
}
