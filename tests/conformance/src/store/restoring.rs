//! Rules about what is there again.

use super::{DAY, NOW, StoreFactory, WIDE, entry, entry_of, held, key, put, resources};
use crate::Outcome;
use anyhow::ensure;
use cache_core::{
    Doubted, Doubts, Scope,
    freshness::Freshness,
    port::{Budget, Change, Durability},
};
use std::sync::Arc;

/// Storing again counts, reading does not.
///
/// # Errors
///
/// When the rule is broken.
pub fn restoring_begins_with_the_most_recently_stored(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    store.apply(&["b", "a", "d"].map(put), Durability::Eventual)?;
    store.apply(&[put("c"), Change::Put(entry("a", 1))], Durability::Eventual)?;
    store.load(&key("b"))?;
    let restored = store.restore(NOW, WIDE)?;
    ensure!(resources(&restored) == ["a", "c", "d", "b"], "restored are {:?}", resources(&restored));
    Ok(())
}

/// And gives the most recently stored of those that fit.
///
/// # Errors
///
/// When the rule is broken.
pub fn restoring_keeps_within_both_budgets(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    store.apply(&["a", "b", "c", "d"].map(put), Durability::Eventual)?;
    let weight_bytes = entry("a", 0).weight_bytes();
    let rows = [
        (Budget { entries_max: 2, ..WIDE }, 2),
        (Budget { bytes_max: 3 * weight_bytes, ..WIDE }, 3),
        (Budget { bytes_max: 3 * weight_bytes - 1, ..WIDE }, 2),
        (Budget { entries_max: 0, ..WIDE }, 0),
        (Budget { bytes_max: 0, ..WIDE }, 0),
        (WIDE, 4),
    ];
    for (budget, wanted) in rows {
        let restored = store.restore(NOW, budget)?;
        let latest = &["d", "c", "b", "a"][..wanted];
        ensure!(resources(&restored) == latest, "within {budget:?}: {:?}", resources(&restored));
    }
    Ok(())
}

/// What may still be revalidated is of use.
///
/// # Errors
///
/// When the rule is broken.
pub fn restoring_leaves_out_what_is_of_no_use(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let long = Freshness { lifetime: 500 * DAY, ..Freshness::default() };
    let changes = [put("short"), Change::Put(entry_of(key("long"), 0, long))];
    store.apply(&changes, Durability::Eventual)?;
    let restored = store.restore(NOW.saturating_add(7 * DAY), WIDE)?;
    ensure!(resources(&restored) == ["long", "short"], "a week later: {:?}", resources(&restored));
    let restored = store.restore(NOW.saturating_add(365 * DAY), WIDE)?;
    ensure!(resources(&restored) == ["long"], "a year later: {:?}", resources(&restored));
    Ok(())
}

/// Of stores that outlive the process; the order of storing as well.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_was_closed_is_there_again(factory: &dyn StoreFactory) -> Outcome {
    let mut place = factory.place()?;
    if !place.outlives_the_process() {
        return Ok(());
    }
    let mut store = place.open(WIDE)?;
    store.apply(&["b", "a", "c"].map(put), Durability::Eventual)?;
    store.apply(&[Change::Remove(key("c")), Change::Put(entry("b", 4))], Durability::Immediate)?;
    drop(store);
    let mut store = place.open(WIDE)?;
    let restored = store.restore(NOW, WIDE)?;
    ensure!(resources(&restored) == ["b", "a"], "there again are {:?}", resources(&restored));
    ensure!(restored[0] == *entry("b", 4), "{:?} is there in place of what was stored", restored[0]);
    ensure!(store.load(&key("a"))?.is_some(), "what is restored is not loaded");
    Ok(())
}

/// Of stores that outlive the process: an immediate change makes those before it durable too, and a removal
/// is not undone.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_is_durable_survives_a_crash(factory: &dyn StoreFactory) -> Outcome {
    let mut place = factory.place()?;
    if !place.outlives_the_process() {
        return Ok(());
    }
    let mut store = place.open(WIDE)?;
    let names = ["a", "b", "c"];
    for (changes, wanted) in [
        (vec![put("a"), put("b")], &["a", "b", "c"][..]),
        (vec![Change::Remove(key("a"))], &["b", "c"][..]),
        (vec![Change::RemoveAll], &["c"][..]),
    ] {
        store.apply(&changes, Durability::Eventual)?;
        store.apply(&[put("c")], Durability::Immediate)?;
        let mut after = place.after_a_crash()?.open(WIDE)?;
        let kept = held(&mut *after, &names)?;
        ensure!(kept == wanted, "a crash leaves {kept:?}, not {wanted:?}");
    }
    Ok(())
}

/// Of stores that outlive the process: the latest doubts take the place of all before, leave the entries alone, and
/// those that mean nothing that is there are dropped.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_was_in_doubt_is_so_after_a_crash(factory: &dyn StoreFactory) -> Outcome {
    let mut place = factory.place()?;
    if !place.outlives_the_process() {
        return Ok(());
    }
    let mut store = place.open(WIDE)?;
    ensure!(store.doubts(NOW)? == Doubts::default(), "a new store is in doubt");
    let scope = |resource| Scope::Key(key(resource));
    let doubts = |scopes: &[Scope]| Doubts::new(None, scopes.iter().map(|scope| (scope.clone(), NOW)));
    for scopes in [vec![scope("b")], vec![scope("a"), scope("b"), scope("absent")]] {
        let all = Arc::new(doubts(&scopes));
        let changes = [put("a"), put("b"), Change::Doubt(Doubted { scopes, all })];
        store.apply(&changes, Durability::Immediate)?;
    }
    let mut after = place.after_a_crash()?.open(WIDE)?;
    let (wanted, left) = (doubts(&[scope("a"), scope("b")]), after.doubts(NOW)?);
    ensure!(left == wanted, "a crash leaves {left:?}, not {wanted:?}");
    ensure!(held(&mut *after, &["a", "b"])? == ["a", "b"], "what is in doubt is gone");
    Ok(())
}

/// Of stores whose records can be damaged: the others are there as if nothing were.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_record_that_cannot_be_read_is_none_and_is_skipped(factory: &dyn StoreFactory) -> Outcome {
    let mut place = factory.place()?;
    let mut store = place.open(WIDE)?;
    store.apply(&["a", "b", "c"].map(put), Durability::Immediate)?;
    if !place.damage(&key("b")) {
        return Ok(());
    }
    let kept = held(&mut *store, &["a", "b", "c"])?;
    ensure!(kept == ["a", "c"], "with one record damaged {kept:?} are loaded");
    let restored = store.restore(NOW, WIDE)?;
    ensure!(resources(&restored) == ["c", "a"], "with one damaged {:?} are restored", resources(&restored));
    store.apply(&[put("d")], Durability::Immediate)?;
    ensure!(held(&mut *store, &["d"])? == ["d"], "a store with a damaged record takes no more");
    Ok(())
}
