//! What was invalidated, and which members hear of it.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "overtaken-taken-for-later",
        file: "engine/fleet/announcing.rs",
        old: "by_issuer.unwrap_or(if held.is_absence()",
        new: "by_issuer.filter(|_| false).unwrap_or(if held.is_absence()",
    },
    Mutant {
        name: "replaced-elsewhere-still-shown",
        file: "engine/fleet/announcing.rs",
        old: "                self.drop_held(&key);",
        new: "",
    },
    Mutant {
        name: "stale-fill-wins",
        file: "sharing/invalidations.rs",
        old: "self.younger_than(DEMANDED_FOR, now, key, status).take(DEMANDED_MAX).all(|id| after.contains(&id))",
        new: "self.younger_than(DEMANDED_FOR, now, key, status).take(DEMANDED_MAX).all(|id| after.contains(&id) || true)",
    },
    Mutant {
        name: "stale-fill-wins-over-all-but-the-latest",
        file: "sharing/invalidations.rs",
        old: "self.younger_than(DEMANDED_FOR, now, key, status).take(DEMANDED_MAX).all(|id| after.contains(&id))",
        new: "after.is_empty() || self.younger_than(DEMANDED_FOR, now, key, status).any(|id| after.contains(&id))",
    },
    Mutant {
        name: "parcels-name-no-invalidation",
        file: "sharing/invalidations.rs",
        old: "self.younger_than(REMEMBERED_FOR, now, key, status).take(AFTER_MAX).collect()",
        new: "self.younger_than(Duration::ZERO, now, key, status).take(AFTER_MAX).collect()",
    },
    Mutant {
        name: "invalidation-heard-but-not-applied",
        file: "engine/forgetting.rs",
        old: "                self.forget(&invalidation.reach);\n",
        new: "",
    },
    Mutant {
        name: "invalidation-not-told",
        file: "engine/fleet/announcing.rs",
        old: "self.say_all(Message::Invalidate(Notice { receipt, mark: None, invalidations }));",
        new: "let _unused = (invalidations, receipt);",
    },
    Mutant {
        name: "invalidations-not-told-to-newcomers",
        file: "engine/fleet/meeting.rs",
        old: "            self.say(peer, Message::Invalidate(notice));\n",
        new: "            let _unused = notice;\n",
    },
    Mutant {
        name: "differing-digests-taken-for-equal",
        file: "digest.rs",
        old: "sums[*bucket] != self.sums[*bucket]",
        new: "sums[*bucket] == self.sums[*bucket]",
    },
    Mutant {
        name: "some-left-out-of-digests",
        file: "digest.rs",
        old: "(usize::try_from(place % buckets as u64).unwrap_or(0), summand)",
        new: "(usize::try_from(place % buckets as u64).unwrap_or(0), summand & (id.count & 1).wrapping_sub(1))",
    },
    Mutant {
        name: "invalidations-not-bounded",
        file: "sharing/invalidations.rs",
        old: "self.remembered.len() > REMEMBERED_MAX",
        new: "self.remembered.len() > 100 * REMEMBERED_MAX",
    },
    Mutant {
        name: "invalidated-while-fetched-and-kept",
        file: "flights.rs",
        old: "        if !flight.waits_for_another() && spared != Some(id) {",
        new: "        if false && !flight.waits_for_another() && spared != Some(id) {",
    },
    Mutant {
        name: "put-while-fetched-and-overwritten",
        file: "engine/keeping.rs",
        old: "let detached = self.flights.detach(&key);",
        new: "let detached: Option<FlightId> = None;",
    },
    Mutant {
        name: "invalidated-on-disk-and-loaded",
        file: "engine/request/lookup.rs",
        old: "        if self.flights.flight(id).keep() == Keep::No {\n            return self.ask_anew(id);\n        }\n        let key = self.flights.flight(id).key().clone();\n        // A member",
        new: "        let key = self.flights.flight(id).key().clone();\n        // A member",
    },
    Mutant {
        name: "invalidated-but-still-on-disk",
        file: "engine/forgetting.rs",
        old: "            self.outputs.push_back(Output::Remove { removal, scopes, doubted });\n",
        new: "            let _unused = (removal, scopes, doubted);\n",
    },
    Mutant {
        name: "whoever-waits-takes-what-was-invalidated",
        file: "engine/request/asking.rs",
        old: "if !self.is_credible(from, &parcel) {\n            self.counters.entries_refused += 1;\n            return self.take_off(id);",
        new: "if false {\n            self.counters.entries_refused += 1;\n            return self.take_off(id);",
    },
    Mutant {
        name: "hit-invalidated-on-its-way-fails-the-request",
        file: "engine/request/asking.rs",
        old: "            self.counters.entries_refused += 1;\n            return self.take_off(id);",
        new: "            self.counters.entries_refused += 1;\n            return self.fail(id, Failure::TimedOut);",
    },
    Mutant {
        name: "confirmed-before-it-is-durable",
        file: "sharing/receipts.rs",
        old: "        owed.insert((last, peer, receipt));\n        Owed::Later",
        new: "        let _unused = (last, owed);\n        Owed::AtOnce",
    },
    Mutant {
        name: "confirmed-though-an-earlier-one-is-not-durable",
        file: "sharing/receipts.rs",
        old: "owed.split_off(&(first, PeerId::from_public_key([0; 32]), 0))",
        new: "owed.split_off(&(first + u64::MAX / 2, PeerId::from_public_key([0; 32]), 0))",
    },
    Mutant {
        name: "answered-before-the-disk-has-forgotten",
        file: "engine/forgetting.rs",
        old: "match self.receipts.wait(self.now, receipt, settled, told, asks_disk) {",
        new: "match self.receipts.wait(self.now, receipt, settled, told, asks_disk && false) {",
    },
    Mutant {
        name: "disk-given-up-with-the-members",
        file: "sharing/receipts.rs",
        old: "if waiting.disk && date < waiting.durable_until {",
        new: "if waiting.disk && gives_up_members {",
    },
];
