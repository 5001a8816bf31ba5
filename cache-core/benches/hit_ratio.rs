//! Hit ratio of the engine's eviction compared with that of other caches, on seeded synthetic traces.
//!
//! `cargo bench -p cache-core --bench hit_ratio` prints one row for each trace and fails if the engine is more
//! than [`BAR_POINTS`] percentage points behind the best.

use cache_core::{
    Bucket, Content, Domain, Draft, Engine, Input, Key, OrderId, Outcome, Output, Priority, Reader,
    RequestId, Settings, Timestamp, Validators,
    freshness::{Directives, Freshness},
    port::Budget,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

fn main() {
    // `cargo test --all-targets` runs this as well, for a look at whether it works.
    let requests_count = if std::env::args().any(|arg| arg == "--bench") { 2_000_000 } else { 20_000 };
    println!("{:<32}{:>10}{:>10}{:>13}{:>10}", "hit ratio, %", "engine", "moka", "quick_cache", "LRU");
    for exponent in [0.9, 1.0] {
        for with_scans in [false, true] {
            let trace = trace(exponent, with_scans, requests_count);
            for capacity in [UNIVERSE_KEYS / 100, UNIVERSE_KEYS / 10] {
                let ratios = measure(&trace, capacity);
                let scans = if with_scans { ", scans" } else { "" };
                let name = format!("Zipf {exponent:.1}, {capacity} entries{scans}");
                let [engine, moka, quick, lru] = ratios;
                println!("{name:<32}{engine:>10.2}{moka:>10.2}{quick:>13.2}{lru:>10.2}");
                let best = ratios.into_iter().fold(0.0, f64::max);
                assert!(engine >= best - BAR_POINTS, "{name}: more than {BAR_POINTS} points behind");
            }
        }
    }
}

/// A cache that answers whether a key is held, and takes it in if not.
trait Cache {
    fn get(&mut self, key: u64) -> bool;
    fn put(&mut self, key: u64);
}

fn measure(trace: &[u64], capacity: usize) -> [f64; 4] {
    let moka = moka::sync::Cache::builder().max_capacity(capacity as u64).build();
    let quick = quick_cache::sync::Cache::<u64, ()>::new(capacity);
    [
        ratio(trace, EngineCache::new(capacity)),
        ratio(trace, moka),
        ratio(trace, quick),
        ratio(trace, Lru { capacity, used: HashMap::new(), order: BTreeMap::new(), clock: 0 }),
    ]
}

/// Share of the requests that were hits, in percent, once the cache is warm. One-time keys do not count.
fn ratio(trace: &[u64], mut cache: impl Cache) -> f64 {
    let (mut hits, mut total) = (0_u32, 0_u32);
    for (at, key) in trace.iter().enumerate() {
        let is_hit = cache.get(*key);
        if !is_hit {
            cache.put(*key);
        }
        if at >= trace.len() / 10 && *key < SCAN_KEYS_FROM {
            total += 1;
            hits += u32::from(is_hit);
        }
    }
    100.0 * f64::from(hits) / f64::from(total)
}

/// Requests whose popularity falls with the power of their rank; with scans, every so often a long row of
/// keys that never come again.
fn trace(exponent: f64, with_scans: bool, requests_count: usize) -> Vec<u64> {
    let mut sum = 0.0;
    let weights = (1..=UNIVERSE_KEYS).map(|rank| (rank as f64).powf(-exponent));
    let mut shares: Vec<f64> = weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    shares.iter_mut().for_each(|share| *share /= sum);

    let mut random = SmallRng::seed_from_u64(SEED);
    let mut trace = Vec::with_capacity(requests_count + SCAN_KEYS as usize);
    let mut scan_next = SCAN_KEYS_FROM;
    while trace.len() < requests_count {
        let drawn: f64 = random.random();
        trace.push(shares.partition_point(|share| *share < drawn) as u64);
        if with_scans && trace.len().is_multiple_of(SCAN_EVERY_REQUESTS) {
            trace.extend(scan_next..scan_next + SCAN_KEYS);
            scan_next += SCAN_KEYS;
        }
    }
    trace
}

/// The engine as its driver sees it.
struct EngineCache {
    engine: Engine,
    request_last: u64,
}

impl EngineCache {
    fn new(capacity: usize) -> Self {
        let budget = Budget { entries_max: capacity, bytes_max: usize::MAX };
        Self { engine: Engine::new(Settings { budget, ..Settings::default() }), request_last: 0 }
    }

    fn handle(&mut self, input: impl FnOnce(u64) -> Input) -> bool {
        self.request_last += 1;
        self.engine.handle(NOW, input(self.request_last));
        let mut is_answered = false;
        while let Some(output) = self.engine.poll_output() {
            is_answered |= matches!(output, Output::Complete { outcome: Outcome::Answered { .. }, .. });
        }
        is_answered
    }
}

impl Cache for EngineCache {
    fn get(&mut self, key: u64) -> bool {
        let (key, directives) = (engine_key(key), Directives::ANYTHING_CACHED);
        let (bucket, reader) = (Bucket(0), Reader::Admitted);
        self.handle(|number| Input::Get {
            request: RequestId(number),
            key,
            directives,
            bucket,
            priority: Priority::Normal,
            reader,
            kin_wait: None,
        })
    }

    fn put(&mut self, key: u64) {
        let freshness = Freshness { lifetime: Duration::from_secs(300), ..Freshness::default() };
        let (content, validators) = (Content::of_value(""), Validators::default());
        let draft = Draft { content, freshness, validators, age: Duration::ZERO };
        self.handle(|number| Input::Put { order: OrderId(number), key: engine_key(key), draft });
    }
}

fn engine_key(key: u64) -> Key {
    Key::new(&key.to_string(), Domain::APPLICATION)
}

impl Cache for moka::sync::Cache<u64, ()> {
    fn get(&mut self, key: u64) -> bool {
        Self::get(self, &key).is_some()
    }

    fn put(&mut self, key: u64) {
        self.insert(key, ());
    }
}

impl Cache for quick_cache::sync::Cache<u64, ()> {
    fn get(&mut self, key: u64) -> bool {
        Self::get(self, &key).is_some()
    }

    fn put(&mut self, key: u64) {
        self.insert(key, ());
    }
}

/// The least recently used leaves.
struct Lru {
    capacity: usize,
    used: HashMap<u64, u64>,
    order: BTreeMap<u64, u64>,
    clock: u64,
}

impl Cache for Lru {
    fn get(&mut self, key: u64) -> bool {
        let is_held = self.used.contains_key(&key);
        if is_held {
            self.put(key);
        }
        is_held
    }

    fn put(&mut self, key: u64) {
        self.clock += 1;
        if let Some(before) = self.used.insert(key, self.clock) {
            self.order.remove(&before);
        }
        self.order.insert(self.clock, key);
        if self.used.len() > self.capacity {
            let (_, oldest) = self.order.pop_first().expect("it holds as many keys as `used`");
            self.used.remove(&oldest);
        }
    }
}

/// Most that the engine may lie behind the best of the others, in percentage points.
const BAR_POINTS: f64 = 2.0;
const UNIVERSE_KEYS: usize = 100_000;
const SCAN_EVERY_REQUESTS: usize = 50_000;
const SCAN_KEYS: u64 = 10_000;
const SCAN_KEYS_FROM: u64 = 1 << 50;
const SEED: u64 = 42;
const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
