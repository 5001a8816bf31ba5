//! What may happen to an engine, as proptest makes it up.

use cache_core::{
    Disk, Domain, Key, Reserves, Settings, WritePace,
    freshness::{Directives, Freshness, Grant},
    port::Budget,
};
use proptest::{collection::vec, option, prelude::*};
use std::time::Duration;

/// The settings and all that happens.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    /// What an earlier process left on disk.
    pub(crate) left_behind: Vec<(usize, Shape)>,
    pub(crate) ops: Vec<Op>,
}

/// One event after a pause. Indices are taken modulo the number of what they pick from.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) pause: Pause,
    pub(crate) event: Event,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    /// The driver comes whenever something is due.
    Awake(Duration),
    /// The driver comes late.
    Asleep(Duration),
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Answer {
        pick: usize,
        answer: Answer,
    },
    Cancel {
        pick: usize,
    },
    Clear,
    Get {
        key: usize,
        directives: Directives,
        bucket: u8,
    },
    Invalidate {
        key: usize,
    },
    InvalidatePrefix {
        prefix: usize,
        domain: Option<usize>,
    },
    Load {
        pick: usize,
        readable: bool,
    },
    Put {
        key: usize,
        shape: Shape,
    },
    /// A reader hits the read index.
    Read {
        key: usize,
    },
    Tick,
}

/// How the origin answers calls.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Failed,
    Fault,
    Fresh(Shape),
    NotModified(Shape),
    Oversize,
    Throttled(Duration),
    UnstorableDomain,
    UnstorableLeader,
}

/// An answer to keep, without its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) freshness: Freshness,
    pub(crate) age: Duration,
    pub(crate) padding_bytes: usize,
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let left_behind = vec((0..KEYS_COUNT, shape()), 0..6);
    (settings(), left_behind, vec(op(), 0..80)).prop_map(|(settings, left_behind, ops)| Plan {
        left_behind: if settings.disk == Disk::Present { left_behind } else { Vec::new() },
        settings,
        ops,
    })
}

/// Few resources, of which one is the beginning of another, in two domains.
pub(crate) fn key(number: usize) -> Key {
    Key::new(RESOURCES[number % RESOURCES.len()], domain(number / RESOURCES.len()))
}

pub(crate) fn domain(number: usize) -> Domain {
    Domain::from_bytes([number as u8; 16])
}

pub(crate) const RESOURCES: [&str; 3] = ["a", "a/b", "c"];
pub(crate) const KEYS_COUNT: usize = 2 * RESOURCES.len();

fn settings() -> impl Strategy<Value = Settings> {
    let disk = prop_oneof![Just(Disk::Absent), Just(Disk::Present)];
    let budget = (0..5_usize, prop_oneof![Just(2_000_usize), Just(6_000), Just(100_000)]);
    let timeouts = (timeout(25), timeout(4), timeout(40), seconds(15));
    let counts = (1..6_usize, 0..5_usize, 0..4_usize, 0..5_u64);
    (disk, budget, timeouts, counts, seconds(200)).prop_map(|(disk, budget, timeouts, counts, retention)| {
        let (entries_max, bytes_max) = budget;
        let (fetch_timeout, load_timeout, request_timeout, hold_off) = timeouts;
        let (flights_max, waiters_max, leaders_max, calls_at_once) = counts;
        Settings {
            budget: Budget { entries_max, bytes_max },
            calls_at_once,
            disk,
            fetch_timeout,
            flights_max,
            hold_off,
            leaders_max,
            load_timeout,
            origin: Box::default(),
            reserves: Reserves::NONE,
            request_timeout,
            retention,
            waiters_max,
            writes: WritePace::default(),
        }
    })
}

fn op() -> impl Strategy<Value = Op> {
    let pause = prop_oneof![
        6 => Just(Pause::Awake(Duration::ZERO)),
        3 => seconds(30).prop_map(Pause::Awake),
        1 => seconds(60).prop_map(Pause::Asleep),
    ];
    (pause, event()).prop_map(|(pause, event)| Op { pause, event })
}

fn event() -> impl Strategy<Value = Event> {
    let pick = any::<usize>;
    let key = 0..KEYS_COUNT;
    prop_oneof![
        10 => (key.clone(), directives(), 0..2_u8)
            .prop_map(|(key, directives, bucket)| Event::Get { key, directives, bucket }),
        6 => (pick(), answer()).prop_map(|(pick, answer)| Event::Answer { pick, answer }),
        3 => (pick(), prop::bool::weighted(0.8)).prop_map(|(pick, readable)| Event::Load { pick, readable }),
        2 => (key.clone(), shape()).prop_map(|(key, shape)| Event::Put { key, shape }),
        2 => key.clone().prop_map(|key| Event::Read { key }),
        2 => pick().prop_map(|pick| Event::Cancel { pick }),
        1 => key.prop_map(|key| Event::Invalidate { key }),
        1 => (0..RESOURCES.len(), option::of(0..2_usize))
            .prop_map(|(prefix, domain)| Event::InvalidatePrefix { prefix, domain }),
        1 => Just(Event::Tick),
        1 => prop::bool::weighted(0.3).prop_map(|clear| if clear { Event::Clear } else { Event::Tick }),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => shape().prop_map(Answer::Fresh),
        3 => shape().prop_map(Answer::NotModified),
        1 => Just(Answer::Failed),
        1 => Just(Answer::Fault),
        1 => Just(Answer::Oversize),
        1 => seconds(60).prop_map(Answer::Throttled),
        1 => Just(Answer::UnstorableDomain),
        1 => Just(Answer::UnstorableLeader),
    ]
}

fn directives() -> impl Strategy<Value = Directives> {
    let demanding = (option::of(seconds(40)), seconds(10), seconds(40), any::<bool>(), any::<bool>())
        .prop_map(|(max_age, min_fresh, max_stale, no_cache, only_if_cached)| Directives {
            max_age,
            min_fresh,
            max_stale,
            no_cache,
            only_if_cached,
            ..Directives::default()
        });
    let plain = Directives::default();
    let ruled = (seconds(40), seconds(40), seconds(40), any::<bool>()).prop_map(
        move |(lifetime, while_revalidating, if_error, no_cache)| {
            let most = Freshness { lifetime, while_revalidating, if_error };
            Directives { grant: Grant { most, ..Grant::EVERYTHING }, no_cache, ..plain }
        },
    );
    prop_oneof![
        4 => Just(plain),
        1 => ruled,
        1 => Just(Directives { no_cache: true, ..plain }),
        1 => Just(Directives { only_if_cached: true, ..plain }),
        1 => demanding,
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let window = || prop_oneof![Just(Duration::ZERO), seconds(60)];
    let padding = prop_oneof![4 => 0..1_000_usize, 1 => 0..7_000_usize];
    (seconds(40), window(), window(), seconds(10), padding).prop_map(
        |(lifetime, while_revalidating, if_error, age, padding_bytes)| Shape {
            freshness: Freshness { lifetime, while_revalidating, if_error },
            age,
            padding_bytes,
        },
    )
}

fn timeout(most: u64) -> impl Strategy<Value = Duration> {
    (1..=most).prop_map(Duration::from_secs)
}

fn seconds(most: u64) -> impl Strategy<Value = Duration> {
    (0..=most).prop_map(Duration::from_secs)
}
