//! Whatever has become of the file, the store starts, and says nothing it was not told.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fixture;

use cache_core::{
    Entry,
    port::{Change, Durability, Store as _},
};
use cache_crypto::{FleetSecret, StorageSealer};
use cache_store::{ENTRIES_FILE, MeasuredStore as _, RedbStore};
use fixture::{NOW, WIDE, body, entry, key};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use redb::ReadableTable as _;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const ENTRIES: u64 = 30;

/// A directory with a store of [`ENTRIES`] entries in it.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let puts: Vec<Change> = (0..ENTRIES).map(|at| Change::Put(stored(at))).collect();
    fixture::open(dir.path()).apply(&puts, Durability::Immediate).unwrap();
    let file = dir.path().join(ENTRIES_FILE);
    (dir, file)
}

fn stored(at: u64) -> Arc<Entry> {
    entry(&format!("r/{at}"), body(at, 100 + at as usize * 150))
}

/// Opens the store, restores it, stores into it and reads back. Returns how many entries were left.
///
/// What is left is as it was stored.
fn use_store(dir: &Path) -> usize {
    let mut store = fixture::open(dir);
    let restored = store.restore(NOW, WIDE).unwrap();
    for entry in &restored {
        let at = entry.key().resource().trim_start_matches("r/").parse().unwrap();
        assert!(*entry == *stored(at), "r/{at} is not as it was stored");
    }
    for at in 0..ENTRIES {
        if let Some(entry) = store.load(&key(&format!("r/{at}"))).unwrap() {
            assert!(entry == *stored(at), "r/{at} is not as it was stored");
        }
    }
    let fresh = entry("fresh", "fresh");
    store.apply(&[Change::Put(Arc::clone(&fresh))], Durability::Immediate).unwrap();
    assert!(store.load(fresh.key()).unwrap().is_some_and(|loaded| loaded == *fresh));
    store.sweep(NOW).unwrap();
    restored.len()
}

fn set_aside(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let prefix = format!("{ENTRIES_FILE}.");
    let mut names: Vec<_> = names.filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)).collect();
    names.sort();
    names
}

#[test]
fn a_whole_file_is_restored_whole() {
    let (dir, _) = filled();
    assert_eq!(use_store(dir.path()) as u64, ENTRIES);
    assert_eq!(set_aside(dir.path()), [""; 0]);
}

#[test]
fn a_file_cut_off_anywhere_is_no_obstacle() {
    let (dir, file) = filled();
    let whole = fs::read(&file).unwrap();
    let mut random = StdRng::seed_from_u64(1);
    let edges = [0, 1, 9, 63, 64, 127, 128, 319, 320, 4095, 4096, 4097, 8192, whole.len() - 1];
    let anywhere: Vec<usize> = (0..60).map(|_| random.random_range(0..whole.len())).collect();
    for length in edges.into_iter().chain(anywhere) {
        fs::write(&file, &whole[..length]).unwrap();
        use_store(dir.path());
        assert_eq!(use_store_again(dir.path()), 1, "after a cut at {length}");
    }
}

/// After a cut nothing is left but what was stored since.
fn use_store_again(dir: &Path) -> usize {
    let mut store = fixture::open(dir);
    store.restore(NOW, WIDE).unwrap().len()
}

#[test]
fn flipped_bytes_anywhere_cost_no_more_than_what_they_touch() {
    let (dir, file) = filled();
    let whole = fs::read(&file).unwrap();
    let mut random = StdRng::seed_from_u64(2);
    let header = 0..320;
    let anywhere: Vec<usize> = (0..250).map(|_| random.random_range(0..whole.len())).collect();
    for at in header.chain(anywhere) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << random.random_range(0..8);
        fs::write(&file, &damaged).unwrap();
        use_store(dir.path());
    }
    assert!(set_aside(dir.path()).len() <= 3);
}

#[test]
fn whole_pages_of_noise_are_no_obstacle() {
    let (dir, file) = filled();
    let whole = fs::read(&file).unwrap();
    let mut random = StdRng::seed_from_u64(3);
    for page in 0..whole.len() / 4096 {
        let mut damaged = whole.clone();
        random.fill(&mut damaged[page * 4096..(page + 1) * 4096]);
        fs::write(&file, &damaged).unwrap();
        use_store(dir.path());
    }
}

#[test]
fn what_was_never_a_store_is_set_aside() {
    let mut random = StdRng::seed_from_u64(4);
    for length in [1, 100, 4096, 100_000] {
        let dir = tempfile::tempdir().unwrap();
        let mut noise = vec![0; length];
        random.fill(&mut noise[..]);
        fs::write(dir.path().join(ENTRIES_FILE), &noise).unwrap();
        assert_eq!(use_store(dir.path()), 0);
        assert_eq!(set_aside(dir.path()), ["damaged-1"], "{length} bytes");
        assert_eq!(fs::read(dir.path().join("entries.redb.damaged-1")).unwrap(), noise);
    }
}

#[test]
fn an_empty_file_is_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(ENTRIES_FILE), b"").unwrap();
    assert_eq!(use_store(dir.path()), 0);
    assert_eq!(set_aside(dir.path()), [""; 0]);
}

#[test]
fn a_file_sealed_with_another_key_is_set_aside_unread() {
    let (dir, _) = filled();
    fs::remove_file(dir.path().join("node.key")).unwrap();
    assert_eq!(use_store(dir.path()), 0);
    assert_eq!(set_aside(dir.path()), ["foreign-key-1"]);
}

#[test]
fn a_key_that_is_replaced_takes_its_entries_along() {
    let dir = tempfile::tempdir().unwrap();
    let sealer = |secret: &FleetSecret| StorageSealer::from_secret(secret);
    let open = |sealer: StorageSealer| RedbStore::open(dir.path(), Arc::new(sealer), WIDE).unwrap();
    let (old, new) = (FleetSecret::generate().unwrap(), FleetSecret::generate().unwrap());
    let puts: Vec<Change> = (0..ENTRIES).map(|at| Change::Put(stored(at))).collect();
    open(sealer(&old)).apply(&puts, Durability::Immediate).unwrap();
    let both = open(sealer(&new).opening_also(sealer(&old)));
    assert_eq!(both.figures().records(), ENTRIES);
    drop(both);
    let mut store = open(sealer(&new));
    assert_eq!(store.figures().set_aside(), 0);
    let restored = store.restore(NOW, WIDE).unwrap();
    let expected: Vec<Arc<Entry>> = (0..ENTRIES).rev().map(stored).collect();
    assert!(restored.iter().zip(&expected).all(|(restored, expected)| *restored == **expected));
    assert_eq!(restored.len(), expected.len());
    assert!(store.load(&key("r/7")).unwrap().is_some());
}

#[test]
fn a_file_of_a_newer_version_is_set_aside() {
    let (dir, file) = filled();
    let database = redb::Database::open(&file).unwrap();
    let write = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
    write.open_table(meta).unwrap().insert("format", [2].as_slice()).unwrap();
    write.commit().unwrap();
    drop(database);
    assert_eq!(use_store(dir.path()), 0);
    assert_eq!(set_aside(dir.path()), ["newer-1"]);
}

#[test]
fn no_more_than_three_files_are_kept_set_aside_the_latest_ones() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=5 {
        fs::write(dir.path().join(ENTRIES_FILE), format!("noise {round}")).unwrap();
        assert_eq!(use_store(dir.path()), 0);
    }
    assert_eq!(set_aside(dir.path()), ["damaged-3", "damaged-4", "damaged-5"]);
}

/// Opens the records table, as an attacker that can write to the file would.
fn tamper(file: &Path, edit: impl Fn(&mut redb::Table<'_, &'static [u8; 32], &'static [u8]>)) {
    let database = redb::Database::open(file).unwrap();
    let write = database.begin_write().unwrap();
    let records: redb::TableDefinition<'_, &[u8; 32], &[u8]> = redb::TableDefinition::new("records");
    edit(&mut write.open_table(records).unwrap());
    write.commit().unwrap();
}

#[test]
fn a_record_moved_to_another_name_is_not_read_there() {
    let (dir, file) = filled();
    let sealer = fixture::sealer(dir.path());
    let name = |at: u64| sealer.name(key(&format!("r/{at}")).as_str());
    tamper(&file, |records| {
        let one = records.get(&name(1)).unwrap().unwrap().value().to_vec();
        let two = records.insert(&name(2), one.as_slice()).unwrap().unwrap().value().to_vec();
        records.insert(&name(1), two.as_slice()).unwrap();
    });
    let mut store = fixture::open(dir.path());
    assert_eq!(store.load(&key("r/1")).unwrap(), None);
    assert_eq!(store.load(&key("r/2")).unwrap(), None);
    assert_eq!(store.restore(NOW, WIDE).unwrap().len() as u64, ENTRIES - 2);
}

#[test]
fn one_unreadable_record_is_dropped_and_counted_alone() {
    let (dir, file) = filled();
    let name = fixture::sealer(dir.path()).name(key("r/5").as_str());
    tamper(&file, |records| {
        let mut record = records.get(&name).unwrap().unwrap().value().to_vec();
        *record.last_mut().unwrap() ^= 1;
        records.insert(&name, record.as_slice()).unwrap();
    });
    let mut store = fixture::open(dir.path());
    let figures = store.figures();
    assert_eq!(store.restore(NOW, WIDE).unwrap().len() as u64, ENTRIES - 1);
    assert_eq!((figures.unreadable(), figures.set_aside(), figures.records()), (1, 0, ENTRIES - 1));
    assert_eq!(store.restore(NOW, WIDE).unwrap().len() as u64, ENTRIES - 1);
    assert_eq!(figures.unreadable(), 1);
}

#[test]
fn neither_resource_nor_body_lies_open_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let secret = entry("api.github.com/repos/acme/hush-hush", "the private body of the answer");
    fixture::open(dir.path()).apply(&[Change::Put(secret)], Durability::Immediate).unwrap();
    for file in fs::read_dir(dir.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for needle in [&b"hush"[..], b"acme", b"api.github", b"private", b"application/json"] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
    }
}
