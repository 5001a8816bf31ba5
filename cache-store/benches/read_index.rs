//! Measures a fresh hit of a 4 KiB entry: the read index compared with moka and quick_cache, on one thread and on
//! two.
//!
//! All three hold the same entries under the same keys and are asked in the same order; every hit includes the
//! check against the clock that serving takes.

use cache_core::{
    Content, Domain, Draft, Entry, Key, Validators,
    freshness::{Directives, Freshness, Usable, usable},
};
use cache_store::{CoarseClock, ReadIndex};
use criterion::{Criterion, criterion_group, criterion_main};
use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

const ENTRIES: usize = 1000;
const BODY_BYTES: usize = 4096;

trait Lookup: Sync {
    fn lookup(&self, key_text: &str) -> Option<Arc<Entry>>;
}

impl Lookup for ReadIndex {
    fn lookup(&self, key_text: &str) -> Option<Arc<Entry>> {
        let entry = self.get(key_text);
        self.count_hit();
        entry
    }
}

impl Lookup for quick_cache::sync::Cache<Key, Arc<Entry>> {
    fn lookup(&self, key_text: &str) -> Option<Arc<Entry>> {
        self.get(key_text)
    }
}

impl Lookup for moka::sync::Cache<Key, Arc<Entry>, ahash::RandomState> {
    fn lookup(&self, key_text: &str) -> Option<Arc<Entry>> {
        self.get(key_text)
    }
}

fn hits(criterion: &mut Criterion) {
    let clock = CoarseClock::start();
    let keys: Vec<Key> = (0..ENTRIES).map(key).collect();
    let (index, quick, moka) = filled(&keys, &clock);
    let caches: [(&str, &dyn Lookup); 3] = [("read_index", &index), ("quick_cache", &quick), ("moka", &moka)];
    for threads in [1, 2] {
        let mut group = criterion.benchmark_group(format!("hit_4k/{threads}_threads"));
        group.measurement_time(Duration::from_secs(3));
        for (name, cache) in caches {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|rounds| measure(cache, &keys, &clock, threads, rounds));
            });
        }
        group.finish();
    }
}

/// Time for `rounds` hits on each of `threads` threads.
fn measure(cache: &dyn Lookup, keys: &[Key], clock: &CoarseClock, threads: usize, rounds: u64) -> Duration {
    if threads == 1 {
        return read(cache, keys, clock, 7, rounds);
    }
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|reader| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    read(cache, keys, clock, 7 + reader * 1009, rounds)
                })
            })
            .collect();
        let times = readers.into_iter().map(|reader| reader.join().expect("a reader does not panic"));
        times.max().expect("there is a reader")
    })
}

fn read(cache: &dyn Lookup, keys: &[Key], clock: &CoarseClock, seed: usize, rounds: u64) -> Duration {
    let begun = Instant::now();
    let mut at = seed as u64;
    for _ in 0..rounds {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let key = &keys[(at >> 33) as usize % ENTRIES];
        let entry = cache.lookup(black_box(key.as_str())).expect("every key is held");
        assert_eq!(usable(&entry, &Directives::default(), clock.now()), Usable::Fresh);
        black_box(&entry);
    }
    begun.elapsed()
}

type QuickCache = quick_cache::sync::Cache<Key, Arc<Entry>>;
type Moka = moka::sync::Cache<Key, Arc<Entry>, ahash::RandomState>;

fn filled(keys: &[Key], clock: &CoarseClock) -> (ReadIndex, QuickCache, Moka) {
    let index = ReadIndex::new();
    let quick = QuickCache::new(ENTRIES * 4);
    let moka = moka::sync::Cache::builder()
        .max_capacity(ENTRIES as u64 * 4)
        .build_with_hasher(ahash::RandomState::new());
    for key in keys {
        let entry = Arc::new(entry(key.clone(), clock));
        index.publish(Arc::clone(&entry));
        quick.insert(key.clone(), Arc::clone(&entry));
        moka.insert(key.clone(), entry);
    }
    moka.run_pending_tasks();
    (index, quick, moka)
}

/// About 90 bytes, as of a listing of an organisation's repository.
fn key(at: usize) -> Key {
    Key::new(
        &format!("GET api.github.com/repos/acme/service-{at:04}/pulls?page=1"),
        Domain::from_bytes([7; 16]),
    )
}

fn entry(key: Key, clock: &CoarseClock) -> Entry {
    let draft = Draft {
        content: Content::of_value(vec![b'{'; BODY_BYTES]),
        freshness: Freshness { lifetime: Duration::from_secs(86_400), ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    };
    Entry::new(key, draft, clock.now(), 0)
}

criterion_group!(benches, hits);
criterion_main!(benches);
