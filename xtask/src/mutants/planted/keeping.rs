//! Budgets, keys and domains.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "domain-dropped-from-the-key",
        file: "key.rs",
        old: "write_key_text(&mut text, resource, domain);",
        new: "{ let _unused = domain; write_key_text(&mut text, resource, Domain::ANONYMOUS); }",
    },
    Mutant {
        name: "domain-dropped-from-a-prefix",
        file: "cache.rs",
        old: ".filter(move |key| scope.covers_key(key))",
        new: ".filter(move |_key| scope != &Scope::everything())",
    },
    Mutant {
        name: "key-of-a-hit-not-looked-at",
        file: "engine/request/asking.rs",
        old: "if parcel.key != *self.flights.flight(id).key() {\n            self.on_offence(from, Offence::BadEntry);\n            return self.depart(id);\n        }",
        new: "",
    },
    Mutant {
        name: "key-of-a-stale-parcel-not-looked-at",
        file: "engine/request/asking.rs",
        old: "        let Some(parcel) = stale.filter(|_| self.flights.flight(id).stale().is_none()) else { return };",
        new: "        let Some(mut parcel) = stale.filter(|_| self.flights.flight(id).stale().is_none()) else { return };\n        parcel.key = self.flights.flight(id).key().clone();",
    },
    Mutant {
        name: "entries-not-bounded",
        file: "cache.rs",
        old: "while self.order.len() >= self.budget.entries_max || self.weight_bytes + bytes > self.budget.bytes_max",
        new: "while self.weight_bytes + bytes > self.budget.bytes_max",
    },
    Mutant {
        name: "bytes-not-bounded",
        file: "cache.rs",
        old: "while self.order.len() >= self.budget.entries_max || self.weight_bytes + bytes > self.budget.bytes_max",
        new: "while self.order.len() >= self.budget.entries_max",
    },
    Mutant {
        name: "renewal-not-weighed",
        file: "cache.rs",
        old: "Some(old) if self.weight_bytes - old + weight <= self.budget.bytes_max => {",
        new: "Some(_old) => {",
    },
    Mutant {
        name: "evicted-still-shown",
        file: "engine/keeping.rs",
        old: "self.counters.evictions += evicted.len() as u64;\n                for evicted in evicted {\n                    self.shelve(&evicted);\n                    self.hide(evicted.key().clone());\n                }",
        new: "self.counters.evictions += evicted.len() as u64;",
    },
    Mutant {
        name: "names-never-forgotten",
        file: "engine/fleet/state.rs",
        old: "            self.names.remove(&name);",
        new: "            let _unused = name;",
    },
    Mutant {
        name: "outdated-never-removed",
        file: "cache.rs",
        old: "self.removals.first().map(|(date, _)| *date)",
        new: "None",
    },
    Mutant {
        name: "superseded-still-served",
        file: "engine/keeping.rs",
        old: "if is_asked_about || (flight.keep() == Keep::Yes && flight.stale().is_some()) {",
        new: "if flight.keep() == Keep::No && flight.stale().is_none() {",
    },
];
