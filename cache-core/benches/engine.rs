//! What the engine itself costs, apart from network and disk.

use cache_core::{
    Bucket, Content, Domain, Draft, Engine, Fetched, Input, Key, OrderId, Output, Priority, Reader,
    RequestId, Settings, Timestamp, Validators,
    freshness::{Directives, Freshness},
    port::Budget,
};
use criterion::{Criterion, criterion_group, criterion_main};
use std::{hint::black_box, time::Duration};

/// A request for what is not held: the call, its answer, an eviction, the reply.
fn miss_round_trip(criterion: &mut Criterion) {
    let (mut engine, mut number) = full_engine();
    criterion.bench_function("miss round trip with eviction", |bencher| {
        bencher.iter(|| {
            number += 1;
            let (request, key) = (RequestId(number), key(number));
            let (directives, bucket, reader) = (Directives::default(), Bucket(0), Reader::Admitted);
            engine.handle(
                NOW,
                Input::Get {
                    request,
                    key,
                    directives,
                    bucket,
                    priority: Priority::Normal,
                    reader,
                    kin_wait: None,
                },
            );
            let Some(Output::Fetch { fetch, .. }) = engine.poll_output() else {
                unreachable!("the key was never asked for before");
            };
            let fetched = Fetched::Fresh(draft());
            let reached = fetched.reached();
            engine.handle(NOW, Input::Fetched { fetch, fetched, reached, allowance: None });
            drain(&mut engine);
        });
    });
}

fn put(criterion: &mut Criterion) {
    let (mut engine, mut number) = full_engine();
    criterion.bench_function("put with eviction", |bencher| {
        bencher.iter(|| {
            number += 1;
            let (order, key) = (OrderId(number), key(number));
            engine.handle(NOW, Input::Put { order, key, draft: draft() });
            drain(&mut engine);
        });
    });
}

/// A hit that the read index did not take, such as one with directives.
fn hit(criterion: &mut Criterion) {
    let (mut engine, mut number) = full_engine();
    let held = key(number);
    criterion.bench_function("hit through the engine", |bencher| {
        bencher.iter(|| {
            number += 1;
            let (request, key) = (RequestId(number), held.clone());
            let (directives, bucket, reader) = (Directives::default(), Bucket(0), Reader::Admitted);
            engine.handle(
                NOW,
                Input::Get {
                    request,
                    key,
                    directives,
                    bucket,
                    priority: Priority::Normal,
                    reader,
                    kin_wait: None,
                },
            );
            drain(&mut engine);
        });
    });
}

/// An engine that must evict for every entry it takes in, and the number of its last request.
fn full_engine() -> (Engine, u64) {
    let budget = Budget { entries_max: ENTRIES, bytes_max: usize::MAX };
    let mut engine = Engine::new(Settings { budget, ..Settings::default() });
    for number in 1..=ENTRIES as u64 {
        engine.handle(NOW, Input::Put { order: OrderId(number), key: key(number), draft: draft() });
        drain(&mut engine);
    }
    (engine, ENTRIES as u64)
}

fn drain(engine: &mut Engine) {
    while let Some(output) = engine.poll_output() {
        black_box(output);
    }
}

fn key(number: u64) -> Key {
    Key::new(&format!("api.github.com/repos/acme/site/issues/{number}"), Domain::ANONYMOUS)
}

fn draft() -> Draft {
    Draft {
        content: Content::of_value(&b"{}"[..]),
        freshness: Freshness { lifetime: Duration::from_secs(300), ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

const ENTRIES: usize = 100_000;
const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

criterion_group!(benches, miss_round_trip, put, hit);
criterion_main!(benches);
