//! The store on disk does what the simple one in memory does.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

mod fixture;

use cache_core::{
    Domain, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, Store},
};
use cache_store::{MemoryStore, RedbStore};
use fixture::{NOW, body, entry_of};
use proptest::prelude::*;
use std::time::Duration;

const BUDGET: Budget = Budget { entries_max: 12, bytes_max: 1 << 30 };

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Change>, Durability),
    Load(Key),
    Reopen,
    Restore { after: Duration, budget: Budget },
    Sweep { after: Duration },
}

fn a_key() -> impl Strategy<Value = Key> {
    let resource = prop_oneof!["[ab]{1,3}", "[ab]/[ab]{0,2}", Just(String::new())];
    (resource, 0..3u8).prop_map(|(resource, domain)| Key::new(&resource, Domain::from_bytes([domain; 16])))
}

fn a_change() -> impl Strategy<Value = Change> {
    let put = (a_key(), any::<u64>(), 0..6000usize, 0..30u64, any::<u64>()).prop_map(
        |(key, seed, length, days, generation)| {
            let lifetime = Duration::from_secs(days * 86_400);
            Change::Put(entry_of(key, body(seed, length).into(), lifetime, generation))
        },
    );
    let prefix =
        ("[ab]{0,2}", proptest::option::of(0..3u8)).prop_map(|(prefix, domain)| Change::RemovePrefix {
            prefix: prefix.into(),
            domain: domain.map(|domain| Domain::from_bytes([domain; 16])),
        });
    prop_oneof![
        8 => put,
        2 => a_key().prop_map(Change::Remove),
        1 => prefix,
        1 => Just(Change::RemoveAll),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    let durability = prop_oneof![Just(Durability::Eventual), Just(Durability::Immediate)];
    let after = (0..50u64).prop_map(|days| Duration::from_secs(days * 86_400));
    let budget =
        (0..15usize, 0..40_000usize).prop_map(|(entries_max, bytes_max)| Budget { entries_max, bytes_max });
    prop_oneof![
        6 => (proptest::collection::vec(a_change(), 0..6), durability).prop_map(|(changes, d)| Step::Apply(changes, d)),
        3 => a_key().prop_map(Step::Load),
        1 => Just(Step::Reopen),
        2 => (after.clone(), budget).prop_map(|(after, budget)| Step::Restore { after, budget }),
        1 => after.prop_map(|after| Step::Sweep { after }),
    ]
}

/// What a step returns, from either store.
#[derive(Debug, PartialEq)]
enum Answer {
    Count(u64),
    Entries(Vec<Entry>),
    Nothing,
}

fn take(store: &mut dyn Store, step: &Step) -> Answer {
    let at = |after: &Duration| -> Timestamp { NOW.saturating_add(*after) };
    match step {
        Step::Apply(changes, durability) => Answer::Count(store.apply(changes, *durability).unwrap()),
        Step::Load(key) => Answer::Entries(store.load(key).unwrap().into_iter().collect()),
        Step::Reopen => Answer::Nothing,
        Step::Restore { after, budget } => Answer::Entries(store.restore(at(after), *budget).unwrap()),
        Step::Sweep { after } => Answer::Count(store.sweep(at(after)).unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_answer_alike(steps in proptest::collection::vec(a_step(), 1..30)) {
        let dir = tempfile::tempdir().unwrap();
        let open = || RedbStore::open(dir.path(), fixture::sealer(dir.path()), BUDGET).unwrap();
        let mut model = MemoryStore::new(BUDGET);
        let mut store = Some(open());
        for step in &steps {
            if matches!(step, Step::Reopen) {
                drop(store.take());
                store = Some(open());
            }
            let store = store.as_mut().expect("it was opened again");
            prop_assert_eq!(take(store, step), take(&mut model, step), "{:?}", step);
        }
    }
}
