//! What readers of the index see while it is written to: what a map behind one lock would show them.
//!
//! Threads write and read at will and note when each call began and ended, and what it saw. A history is refused if no
//! order of its calls, each at some moment between its beginning and its end, explains what the readers saw
//! (Herlihy and Wing, "Linearizability", 1990). As every value is written once, a few comparisons suffice.
//!
//! `cargo +nightly miri test -p cache-store --test read_index_histories` runs the same under an interpreter that chooses
//! its own order of threads, and reports accesses to memory that race.

use cache_core::{Content, Domain, Draft, Entry, Key, Timestamp, Validators, freshness::Freshness};
use cache_store::ReadIndex;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// A call and what came of it.
#[derive(Clone, Copy, Debug)]
struct Call {
    begun: u64,
    ended: u64,
    deed: Deed,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    /// Key and value; no two writes of a key have the same.
    Publish(usize, u64),
    Retract(usize),
    Clear,
    /// Key, and the value seen.
    Get(usize, Option<u64>),
}

impl Call {
    /// What this call leaves under `key`, if it writes there.
    fn writes(&self, key: usize) -> Option<Option<u64>> {
        match self.deed {
            Deed::Publish(written, value) => (written == key).then_some(Some(value)),
            Deed::Retract(written) => (written == key).then_some(None),
            Deed::Clear => Some(None),
            Deed::Get(..) => None,
        }
    }

    fn reads(&self, key: usize) -> Option<Option<u64>> {
        match self.deed {
            Deed::Get(read, seen) => (read == key).then_some(seen),
            Deed::Publish(..) | Deed::Retract(_) | Deed::Clear => None,
        }
    }

    fn is_before(&self, other: &Self) -> bool {
        self.ended < other.begun
    }
}

/// The first read that no order of calls explains.
fn unexplained(history: &[Call]) -> Option<Call> {
    (0..KEYS).find_map(|key| unexplained_of(key, history))
}

fn unexplained_of(key: usize, history: &[Call]) -> Option<Call> {
    let empty = Call { begun: 0, ended: 0, deed: Deed::Retract(key) };
    let mut writes: Vec<&Call> = history.iter().filter(|call| call.writes(key).is_some()).collect();
    writes.push(&empty);
    let reads: Vec<&Call> = history.iter().filter(|call| call.reads(key).is_some()).collect();
    let explains = |write: &Call, read: &Call| {
        let is_outdated = |of: &Call| {
            // Another write in between; or a read that has seen what was written later.
            writes.iter().any(|later| write.is_before(later) && later.is_before(of))
                || reads.iter().any(|earlier| {
                    let seen = earlier.reads(key).flatten();
                    let source = seen.and_then(|_| writes.iter().find(|it| it.writes(key) == Some(seen)));
                    earlier.is_before(of) && source.is_some_and(|source| write.is_before(source))
                })
        };
        write.writes(key) == read.reads(key) && write.begun < read.ended && !is_outdated(read)
    };
    reads.iter().find(|read| !writes.iter().any(|write| explains(write, read))).map(|read| **read)
}

/// What threads do to one index at the same time.
fn history(round: u64) -> Vec<Call> {
    let (index, clock) = (ReadIndex::new(), AtomicU64::new(1));
    let barrier = Barrier::new(READERS + WRITERS);
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let work = |thread: usize| {
        let mut random = StdRng::seed_from_u64(round << 8 | thread as u64);
        barrier.wait();
        let act = |number| {
            let deed = if thread < WRITERS {
                write(&mut random, thread as u64 * CALLS + number)
            } else {
                Deed::Get(random.random_range(0..KEYS), None)
            };
            let begun = tick();
            let deed = perform(&index, deed);
            Call { begun, ended: tick(), deed }
        };
        (0..CALLS).map(act).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..READERS + WRITERS).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

fn write(random: &mut StdRng, value: u64) -> Deed {
    match random.random_range(0..12) {
        0 => Deed::Clear,
        1..=4 => Deed::Retract(random.random_range(0..KEYS)),
        _most => Deed::Publish(random.random_range(0..KEYS), value),
    }
}

/// Performs `deed`, and returns it with what was seen.
fn perform(index: &ReadIndex, deed: Deed) -> Deed {
    match deed {
        Deed::Publish(key, value) => index.publish(Arc::new(entry(key, value))),
        Deed::Retract(key) => index.retract(&name(key)),
        Deed::Clear => index.clear(),
        Deed::Get(key, _) => {
            let seen = index.get(name(key).as_str());
            let value = seen.map(|entry| {
                assert_eq!(*entry.key(), name(key), "found under another key");
                entry.generation()
            });
            return Deed::Get(key, value);
        }
    }
    deed
}

fn name(key: usize) -> Key {
    Key::new(&format!("api.github.com/user/{key}"), Domain::ANONYMOUS)
}

/// An entry that carries `value` as its generation.
fn entry(key: usize, value: u64) -> Entry {
    let draft = Draft {
        content: Content::of_value("body"),
        freshness: Freshness::default(),
        validators: Validators::default(),
        age: Duration::ZERO,
    };
    Entry::new(name(key), draft, Timestamp::default(), value)
}

#[test]
fn readers_see_what_one_map_behind_one_lock_would_show() {
    for round in 0..ROUNDS {
        let history = history(round);
        let odd = unexplained(&history);
        assert!(odd.is_none(), "round {round}: {odd:?} in {history:#?}");
    }
}

#[test]
fn a_history_that_nothing_explains_is_refused() {
    let call = |begun, ended, deed| Call { begun, ended, deed };
    let refused = |calls: &[Call]| unexplained(calls).is_some();
    let written = call(1, 2, Deed::Publish(0, 7));
    assert!(!refused(&[written, call(3, 4, Deed::Get(0, Some(7)))]));
    assert!(refused(&[written, call(3, 4, Deed::Get(0, None))]), "lost");
    assert!(refused(&[written, call(3, 4, Deed::Get(1, Some(7)))]), "of another key");
    assert!(
        refused(&[call(5, 6, Deed::Publish(0, 7)), call(3, 4, Deed::Get(0, Some(7)))]),
        "from the future"
    );
    let retracted = call(3, 4, Deed::Retract(0));
    assert!(refused(&[written, retracted, call(5, 6, Deed::Get(0, Some(7)))]), "after it was retracted");
    assert!(!refused(&[written, call(3, 9, Deed::Retract(0)), call(5, 6, Deed::Get(0, Some(7)))]));
    let slow = call(3, 20, Deed::Publish(0, 8));
    let (new, old) = (call(5, 6, Deed::Get(0, Some(8))), call(7, 8, Deed::Get(0, Some(7))));
    assert!(refused(&[written, slow, new, old]), "the old after the new");
    assert!(
        refused(&[written, call(3, 4, Deed::Clear), call(5, 6, Deed::Get(0, Some(7)))]),
        "after a clearing"
    );
}

const KEYS: usize = 3;
const READERS: usize = 2;
const WRITERS: usize = 2;
/// Calls of each thread, and histories. The interpreter is some thousand times slower.
const CALLS: u64 = if cfg!(miri) { 12 } else { 120 };
const ROUNDS: u64 = if cfg!(miri) { 2 } else { 300 };
