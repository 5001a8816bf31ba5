//! Rules about what is kept, and for how long.

use super::{DAY, NOW, StoreFactory, WIDE, entry, entry_of, held, key, put};
use crate::Outcome;
use anyhow::{Context as _, ensure};
use cache_core::{
    BODY_BYTES_MAX, Content, Domain, Draft, Entry, Headers, Key, Validators,
    freshness::Freshness,
    port::{Budget, Change, Durability},
};
use std::{sync::Arc, time::Duration};

/// Nothing to restore, nothing to load, nothing to remove.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_new_store_holds_nothing(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    ensure!(store.restore(NOW, WIDE)?.is_empty(), "a new store restores something");
    ensure!(store.load(&key("a"))?.is_none(), "a new store has an entry");
    ensure!(store.apply(&[Change::RemoveAll], Durability::Immediate)? == 0, "a new store had records");
    ensure!(store.sweep(NOW)? == 0, "a new store had records to sweep");
    Ok(())
}

/// Every part: key, content, freshness, validators, age and generation; the shortest and the longest.
///
/// # Errors
///
/// When the rule is broken.
pub fn what_is_put_is_loaded_whole(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let plain = Draft {
        content: Content::of_value(""),
        freshness: Freshness::default(),
        validators: Validators::default(),
        age: Duration::ZERO,
    };
    let full = Draft {
        content: Content {
            status: 301,
            headers: Headers::from_fields([("x", &b"\xff\t"[..]), ("x", b""), ("etag", b"\"a\"")]),
            body: vec![0xa5; 70_000].into(),
        },
        freshness: Freshness {
            lifetime: DAY,
            while_revalidating: Duration::from_millis(1),
            if_error: Duration::from_secs(7),
        },
        validators: Validators {
            etag: Some("W/\"é\"".into()),
            etag_scope: Some([3; 8]),
            last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".into()),
        },
        age: Duration::from_secs(5),
    };
    let longest = Draft { content: Content::of_value(vec![7; BODY_BYTES_MAX]), ..plain.clone() };
    let keys = [Key::new("", Domain::ANONYMOUS), Key::new("é\n \u{0}", Domain::APPLICATION), key("long")];
    for (key, draft) in keys.into_iter().zip([plain, full, longest]) {
        let entry = Arc::new(Entry::new(key.clone(), draft, NOW, u64::MAX));
        store.apply(&[Change::Put(Arc::clone(&entry))], Durability::Eventual)?;
        let loaded = store.load(&key)?.with_context(|| format!("{key:?} is not there"))?;
        ensure!(loaded == *entry, "{key:?} is loaded as {loaded:?}");
    }
    ensure!(store.load(&key("absent"))?.is_none(), "there is what was never put");
    Ok(())
}

/// What is neither fresh, nor may be served stale, nor is worth revalidating: a week past its lifetime it
/// still is, a year past all its times it is not.
///
/// # Errors
///
/// When the rule is broken.
pub fn a_sweep_removes_what_is_of_no_use_and_nothing_else(factory: &dyn StoreFactory) -> Outcome {
    let mut store = factory.place()?.open(WIDE)?;
    let year = 365 * DAY;
    let second = Duration::from_secs(1);
    let of = |name: &str, freshness| Change::Put(entry_of(key(name), 0, freshness));
    let changes = [
        put("short"),
        of("fresh", Freshness { lifetime: 2 * year, ..Freshness::default() }),
        of("if error", Freshness { lifetime: second, if_error: 2 * year, ..Freshness::default() }),
        of("while", Freshness { lifetime: second, while_revalidating: 2 * year, ..Freshness::default() }),
    ];
    store.apply(&changes, Durability::Immediate)?;
    let names = ["fresh", "if error", "short", "while"];
    for after in [Duration::ZERO, 7 * DAY] {
        let removed = store.sweep(NOW.saturating_add(after))?;
        let kept = held(&mut *store, &names)?;
        ensure!(removed == 0 && kept == names, "{after:?} later {removed} are swept away, {kept:?} are left");
    }
    let removed = store.sweep(NOW.saturating_add(year))?;
    let kept = held(&mut *store, &names)?;
    ensure!(removed == 1 && kept == ["fresh", "if error", "while"], "a year later {kept:?} are left");
    ensure!(store.sweep(NOW.saturating_add(year))? == 0, "a second sweep finds something");
    Ok(())
}

/// At the latest when it is swept; what was stored last stays.
///
/// # Errors
///
/// When the rule is broken.
pub fn the_oldest_stored_give_way_within_the_stores_own_budget(factory: &dyn StoreFactory) -> Outcome {
    let names = ["a", "b", "c", "d", "e"];
    let mut store = factory.place()?.open(Budget { entries_max: 3, ..WIDE })?;
    for name in names {
        store.apply(&[put(name)], Durability::Eventual)?;
    }
    // Stored again, and so no longer among the oldest.
    store.apply(&[Change::Put(entry("c", 1))], Durability::Eventual)?;
    store.sweep(NOW)?;
    let kept = held(&mut *store, &names)?;
    ensure!(kept == ["c", "d", "e"], "of five, three of which may stay: {kept:?}");
    store.apply(&[put("a")], Durability::Eventual)?;
    store.sweep(NOW)?;
    let kept = held(&mut *store, &names)?;
    ensure!(kept == ["a", "c", "e"], "of four, the oldest of which was stored again before: {kept:?}");
    Ok(())
}
