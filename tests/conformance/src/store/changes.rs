//! Rules about what changes do.

use super::{StoreFactory, WIDE, entry, entry_of, held, key, put};
use crate::Outcome;
use anyhow::{Context as _, ensure};
use cache_core::{
    Domain, Key,
    freshness::Freshness,
    port::{Change, Durability},
};

/// A put is a put of the whole key: nothing of the earlier entry is left, and the domains stay apart.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_later_entry_takes_the_place_of_an_earlier_one(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let other = Key::new("a", Domain::from_bytes([1; 16]));
    let others = entry_of(other.clone(), 9, Freshness::default());
    store.apply(&[put("a"), Change::Put(others.clone())], Durability::Eventual)?;
    let removed = store.apply(&[Change::Put(entry("a", 2))], Durability::Immediate)?;
    ensure!(removed == 0, "a put answers that {removed} records were removed");
    ensure!(store.load(&key("a"))?.as_ref() == Some(&*entry("a", 2)), "the later entry is not loaded");
    ensure!(store.load(&other)?.as_ref() == Some(&*others), "the other domain's entry is another");
    let restored = store.restore(super::NOW, WIDE)?;
    ensure!(restored.len() == 2, "{} entries are restored of two keys", restored.len());
    Ok(())
}

/// Within a batch and from batch to batch.
///
/// # Errors
///
/// When the rule is broken.
pub fn changes_are_made_in_order(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let batch = [put("a"), Change::Remove(key("a")), Change::Remove(key("b")), put("b"), put("c")];
    store.apply(&batch, Durability::Eventual)?;
    let kept = held(&mut *store, &["a", "b", "c"])?;
    ensure!(kept == ["b", "c"], "after a put and a removal, and the reverse: {kept:?}");
    store.apply(&[put("d"), Change::RemoveAll, put("e")], Durability::Eventual)?;
    let kept = held(&mut *store, &["a", "b", "c", "d", "e"])?;
    ensure!(kept == ["e"], "after the removal of all and a put: {kept:?}");
    Ok(())
}

/// Of whichever kind; what is not there does not count.
///
/// # Errors
///
/// When the rule is broken.
pub fn removals_answer_how_many_records_they_removed(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let all = ["a/1", "a/2", "b/1", "b/2", "b/3"].map(put);
    let prefix = Change::RemovePrefix { prefix: "a".into(), domain: None };
    let rows: [(&[Change], u64); 6] = [
        (&all, 0),
        (&[Change::Remove(key("b/1"))], 1),
        (&[Change::Remove(key("b/1"))], 0),
        (&[prefix.clone(), prefix], 2),
        (&[put("c"), Change::Remove(key("c")), Change::Remove(key("b/2"))], 2),
        (&[Change::RemoveAll, Change::RemoveAll], 1),
    ];
    for (at, (changes, wanted)) in rows.into_iter().enumerate() {
        let removed = store.apply(changes, Durability::Eventual)?;
        ensure!(removed == wanted, "batch {at} answers {removed} removed, not {wanted}");
    }
    Ok(())
}

/// Of resources, byte by byte; without a domain in all of them.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_prefix_means_what_begins_so_in_its_domain_alone(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let domains = [1, 2].map(|byte| Domain::from_bytes([byte; 16]));
    let keys: Vec<Key> = ["r", "r/a", "r/ab", "ra", "s/r/a", ""]
        .into_iter()
        .flat_map(|resource| domains.map(|domain| Key::new(resource, domain)))
        .collect();
    for (prefix, domain) in [("r/a", Some(domains[0])), ("r/a", None), ("", Some(domains[1])), ("x", None)] {
        let puts: Vec<Change> =
            keys.iter().map(|key| Change::Put(entry_of(key.clone(), 1, Freshness::default()))).collect();
        store.apply(&puts, Durability::Eventual)?;
        store.apply(&[Change::RemovePrefix { prefix: prefix.into(), domain }], Durability::Eventual)?;
        for key in &keys {
            let is_meant =
                key.resource().starts_with(prefix) && domain.is_none_or(|domain| domain == key.domain());
            let is_there = store.load(key)?.is_some();
            ensure!(is_there != is_meant, "`{prefix}` in {domain:?}: {key:?} is there: {is_there}");
        }
    }
    Ok(())
}

/// A process that is killed leaves all of a batch or nothing.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_batch_is_made_whole_or_not_at_all(factory: &dyn StoreFactory) -> Outcome {
    let mut place = factory.place()?;
    let mut store = place.open(WIDE)?;
    let names = ["a", "b", "c", "d"];
    store.apply(&names.map(put), Durability::Eventual)?;
    ensure!(held(&mut *store, &names)?.len() == names.len(), "a batch is not there whole once it is made");
    if !place.outlives_the_process() {
        return Ok(());
    }
    for durability in [Durability::Eventual, Durability::Immediate] {
        let mut crashed = place.after_a_crash()?;
        let mut after = crashed.open(WIDE).context("a store that was left by a crash opens")?;
        let kept = held(&mut *after, &names)?;
        ensure!(kept.is_empty() || kept.len() == names.len(), "of a batch a crash leaves {kept:?}");
        store.apply(&[Change::Remove(key("x"))], durability)?;
    }
    Ok(())
}
