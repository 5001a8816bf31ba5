//! Storing and restoring: 4 KiB entries, half of which cannot be compressed, sealed.

use cache_core::{
    Content, Domain, Draft, Entry, Key, Timestamp, Validators,
    freshness::Freshness,
    port::{Budget, Change, Durability, Store as _},
};
use cache_crypto::{NodeKey, StorageSealer};
use cache_store::{DISK_BUDGET, RedbStore, WriteBehind, WriteBehindSettings};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::{
    path::Path,
    sync::{Arc, mpsc::channel},
    time::{Duration, Instant},
};

const BODY_BYTES: usize = 4096;
const RESTORED: u64 = 1000;
const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// One durable put, as one of a batch of 256 that is made durable at once.
fn durable_puts(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let settings =
        WriteBehindSettings { durability: Durability::Immediate, ..WriteBehindSettings::default() };
    let writer = WriteBehind::start(Box::new(open(dir.path())), settings).expect("a thread");
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20).throughput(Throughput::Elements(1));
    group.bench_function("durable_put_amortised", |bencher| {
        bencher.iter_custom(|rounds| {
            // Whole batches, so that the last one is not what is measured.
            let puts = rounds.next_multiple_of(256);
            let entries: Vec<_> = (0..puts).map(entry).collect();
            let begun = Instant::now();
            // As fast as it goes without filling the queue.
            for batch in entries.chunks(1024) {
                batch.iter().for_each(|entry| writer.put(Arc::clone(entry)));
                let (done, dones) = channel();
                writer.flush(move |flushed| done.send(flushed).expect("somebody waits"));
                dones.recv().expect("the thread answers").expect("the disk takes it");
            }
            begun.elapsed().mul_f64(rounds as f64 / puts as f64)
        });
    });
    group.finish();
    assert_eq!(writer.stats().dropped, 0);
}

fn restore(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let puts: Vec<Change> = (0..RESTORED).map(|at| Change::Put(entry(at))).collect();
    open(dir.path()).apply(&puts, Durability::Immediate).expect("the disk takes it");
    let budget = Budget { entries_max: RESTORED as usize, ..DISK_BUDGET };
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20);
    group.bench_function("open_and_restore_1000", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                let mut store = open(dir.path());
                let restored = store.restore(NOW, budget).expect("the file is whole");
                assert_eq!(restored.len() as u64, RESTORED);
                (store, restored)
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("open_and_restore_1000_after_kill", |bencher| {
        let killed = tempfile::tempdir().expect("a directory");
        let mut store = open(killed.path());
        store.apply(&puts, Durability::Immediate).expect("the disk takes it");
        let as_killed = std::fs::read(killed.path().join("entries.redb")).expect("the file is there");
        drop(store);
        bencher.iter_batched(
            || std::fs::write(killed.path().join("entries.redb"), &as_killed).expect("the disk takes it"),
            |()| {
                let mut store = open(killed.path());
                let restored = store.restore(NOW, budget).expect("the file is whole");
                assert_eq!(restored.len() as u64, RESTORED);
                (store, restored)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn open(dir: &Path) -> RedbStore {
    let key = NodeKey::load_or_create(dir).expect("a key");
    RedbStore::open(dir, Arc::new(StorageSealer::from_node_key(&key)), DISK_BUDGET).expect("the store opens")
}

fn entry(at: u64) -> Arc<Entry> {
    let mut body = vec![b'{'; BODY_BYTES];
    let mut state = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in &mut body[..BODY_BYTES / 2] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[3];
    }
    let draft = Draft {
        content: Content::of_value(body),
        freshness: Freshness { lifetime: Duration::from_secs(300), ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    };
    let resource = format!("GET api.github.com/repos/acme/service-{:06}/pulls?page=1", at % 20_000);
    Arc::new(Entry::new(Key::new(&resource, Domain::from_bytes([7; 16])), draft, NOW, 0))
}

criterion_group!(benches, durable_puts, restore);
criterion_main!(benches);
