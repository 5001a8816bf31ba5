//! The read index under many readers and writers.

mod fixture;

use cache_store::ReadIndex;
use fixture::{entry_of, key};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

const KEYS: u64 = 50;
const ROUNDS: u64 = 4000;

/// The body tells key and generation, so that a reader can see a mix-up.
fn publish(index: &ReadIndex, at: u64, generation: u64) {
    let body = format!("{at}:{generation}").into();
    index.publish(entry_of(key(&format!("r/{at}")), body, Duration::from_secs(60), generation));
}

#[test]
fn readers_see_whole_entries_under_their_own_keys_and_never_an_older_one_again() {
    let index = ReadIndex::new();
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let texts: Vec<String> =
                        (0..KEYS).map(|at| key(&format!("r/{at}")).as_str().into()).collect();
                    let mut latest = [0; KEYS as usize];
                    let mut found = 0;
                    while !stopped.load(Ordering::Relaxed) {
                        for (at, text) in texts.iter().enumerate() {
                            let Some(entry) = index.get(text) else { continue };
                            index.count_hit();
                            found += 1;
                            assert_eq!(entry.content().body, format!("{at}:{}", entry.generation()));
                            assert!(entry.generation() >= latest[at]);
                            latest[at] = entry.generation();
                        }
                    }
                    found
                })
            })
            .collect();
        for generation in 1..ROUNDS {
            let at = generation % KEYS;
            publish(&index, at, generation);
            if generation % 7 == 0 {
                index.retract(&key(&format!("r/{at}")));
            }
            if generation % 999 == 0 {
                index.clear();
            }
        }
        stopped.store(true, Ordering::Relaxed);
        let found: u64 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(index.hits(), found);
    });
}

#[test]
fn a_look_up_marks_the_entry_as_visited() {
    let index = ReadIndex::new();
    publish(&index, 1, 1);
    let text = key("r/1");
    let entry = index.get(text.as_str()).unwrap();
    assert!(entry.take_visited());
    assert!(!entry.take_visited());
    index.get(text.as_str()).unwrap();
    assert!(entry.take_visited());
}

#[test]
fn what_is_retracted_stays_with_who_has_it() {
    let index = ReadIndex::new();
    publish(&index, 1, 1);
    let held = index.get(key("r/1").as_str()).unwrap();
    index.retract(&key("r/1"));
    assert!(index.get(key("r/1").as_str()).is_none());
    assert!(index.is_empty());
    assert_eq!(held.content().body, "1:1");
}

#[test]
fn no_key_shows_in_debug() {
    let index = ReadIndex::new();
    publish(&index, 1, 1);
    assert_eq!(format!("{index:?}"), "ReadIndex { entries: 1, hits: 0, peer_hits: 0 }");
}
