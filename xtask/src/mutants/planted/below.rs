//! The driver, the queue, the clock, the store, and two parts of the ledger.

use crate::mutants::{
    Mutant,
    worlds::{Below, World},
};

pub(in crate::mutants) const BUGS: &[Below] = &[
    Below {
        world: World::Store,
        mutant: Mutant {
            name: "removal-waits-for-room",
            file: "cache-store/src/queue.rs",
            old: "        if state.removed.len() >= CALLBACKS_MAX {\n            self.tell(state);",
            new: "        while state.removed.len() >= 100 {\n            MutexGuard::unlocked(&mut state, std::thread::yield_now);\n        }\n        if state.removed.len() >= CALLBACKS_MAX {\n            self.tell(state);",
        },
    },
    Below {
        world: World::Driver,
        mutant: Mutant {
            name: "loop-waits-for-the-disk",
            file: "src/driver.rs",
            old: "            if let Some(removal) = removal {\n                let _ended = reports.send(DiskReport::Removed { removal });\n            }\n        });",
            new: "            if let Some(removal) = removal {\n                let _ended = reports.send(DiskReport::Removed { removal });\n            }\n        });\n        while self.reports.1.is_empty() {\n            std::thread::yield_now();\n        }",
        },
    },
    Below {
        world: World::Store,
        mutant: Mutant {
            name: "transaction-for-each-change",
            file: "cache-store/src/writer.rs",
            old: "        if let Err(error) = store.apply(&changes, durability) {",
            new: "        let mut each = changes.iter();\n        let applied =\n            each.try_for_each(|change| store.apply(std::slice::from_ref(change), durability).map(|_| ()));\n        if let Err(error) = applied {",
        },
    },
    Below {
        world: World::Driver,
        mutant: Mutant {
            name: "sleep-of-the-machine-not-counted",
            file: "cache-store/src/clock.rs",
            old: "        if lead_millis.abs_diff(self.lead_millis.load(Ordering::Relaxed)) > LEAD_TOLERANCE_MILLIS {",
            new: "        if lead_millis == u64::MAX && LEAD_TOLERANCE_MILLIS > 0 {",
        },
    },
    Below {
        world: World::Store,
        mutant: Mutant {
            name: "removal-not-durable",
            file: "cache-store/src/writer.rs",
            old: "        let durability = if is_strict { Durability::Immediate } else { durability };",
            new: "        let is_removal = is_urgent && is_strict;\n        let durability = if is_removal { Durability::Eventual } else { durability };",
        },
    },
    Below {
        world: World::Driver,
        mutant: Mutant {
            name: "removal-told-before-it-is-done",
            file: "cache-store/src/queue.rs",
            old: "        state.removed.push(done);\n        self.tell(state);",
            new: "        self.tell(state);\n        done(Ok(()));",
        },
    },
    Below {
        world: World::Driver,
        mutant: Mutant {
            name: "loop-tells-of-a-removal-as-it-orders-it",
            file: "src/driver.rs",
            old: "        disk.remove(changes, move |removed| {",
            new: "        if let Some(removal) = removal {\n            let _ended = reports.send(DiskReport::Removed { removal });\n        }\n        disk.remove(changes, move |removed| {",
        },
    },
    Below {
        world: World::Driver,
        mutant: Mutant {
            name: "write-answered-without-the-disk",
            file: "cache-core/src/engine/forgetting.rs",
            old: "self.await_receipts(Settled { order, entries }, receipt, told, asks_disk);",
            new: "self.await_receipts(Settled { order, entries }, receipt, told, asks_disk && false);",
        },
    },
    Below {
        world: World::Ledger,
        mutant: Mutant {
            name: "a-number-that-both-have-parts-nobody",
            file: "cache-core/src/ledger/joining.rs",
            old: ") if one.numbers.meet(&other.numbers) => {",
            new: ") if one.numbers.meet(&other.numbers) && now == Timestamp::default() => {",
        },
    },
    Below {
        world: World::Ledger,
        mutant: Mutant {
            name: "each-third-may-belong-to-another-too",
            file: "cache-core/src/ledger/evidence.rs",
            old: " && !has_rival(one, other, all)",
            new: "",
        },
    },
    Below {
        world: World::Ledger,
        mutant: Mutant {
            name: "members-numbers-are-not-heard",
            file: "cache-core/src/ledger.rs",
            old: "        let is_news = is_of_it && is_credible && account.numbers.merge(&told.numbers);",
            new: "        let is_news = is_of_it && is_credible && told.numbers.last() == 0 && account.numbers.merge(&told.numbers);",
        },
    },
    Below {
        world: World::Ledger,
        mutant: Mutant {
            name: "numbers-of-the-last-window-count",
            file: "cache-core/src/ledger/account.rs",
            old: "            (self.numbers, self.has_untold) = (Numbers::default(), false);",
            new: "            self.has_untold = false;",
        },
    },
    Below {
        world: World::Ledger,
        mutant: Mutant {
            name: "whoever-comes-next-takes-over",
            file: "cache-core/src/ledger/evidence.rs",
            old: "        && was_there\n        && is_the_only_one()\n",
            new: "        && (was_there || is_the_only_one() || left_off > 0)\n",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-what-was-begun-counts-for-half-the-time",
            file: "cache-core/src/ledger/writing.rs",
            old: "Duration::from_millis(1_000);\n\nconst _: () = assert!(HEARD_AFTER.as_millis() * 2 <= SHARED_OVER.as_millis());",
            new: "Duration::from_millis(500);",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-each-takes-all-that-is-left",
            file: "cache-core/src/ledger/writing.rs",
            old: "(before - kept_for_others) / writers",
            new: "before",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-nothing-is-left-for-those-that-begin-to-write",
            file: "cache-core/src/ledger/writing.rs",
            old: "{ members.saturating_sub(writers) } else { 0 }",
            new: "{ 0 } else { 0 }",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-a-newcomer-begins-all-it-has",
            file: "cache-core/src/ledger/writing.rs",
            old: "            _ if own.is_empty() && left >= members => Turn::Now,",
            new: "            _ if left >= members => Turn::Now,",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-turns-are-whoever-s-comes",
            file: "cache-core/src/ledger/writing.rs",
            old: "if (rank + slot).is_multiple_of(writers) && into < SLOT_MILLIS / 2 {",
            new: "if rank <= writers && into < SLOT_MILLIS {",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-each-word-counts-as-one-write",
            file: "cache-core/src/ledger/writing/begun.rs",
            old: "told.total.saturating_sub(self.total).min(told_count)",
            new: "told.total.saturating_sub(self.total).min(1)",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-earlier-runs-are-forgotten",
            file: "cache-core/src/ledger/writing.rs",
            old: "            return is_earlier && of.earlier.hear(told, now);",
            new: "            return is_earlier;",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-a-share-is-free-again-after-a-minute",
            file: "cache-core/src/ledger/writing.rs",
            old: "            return Turn::At(first.saturating_add(SHARED_OVER));",
            new: "            return Turn::At(first.saturating_add(MINUTE));",
        },
    },
    Below {
        world: World::Writing,
        mutant: Mutant {
            name: "pace-only-the-first-write-is-told",
            file: "cache-core/src/ledger/writing.rs",
            old: "        of.tell_at = Some(of.tell_at.map_or(tell_at, |before| before.min(tell_at)));",
            new: "        of.tell_at = of.tell_at.or(Some(tell_at).filter(|_| of.told.is_none()));",
        },
    },
];
