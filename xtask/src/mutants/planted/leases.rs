//! Leases, and their waiters.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "lease-put-off-for-good",
        file: "sharing/leases.rs",
        old: "self.take_up(now, &name, limits).map_or(Next::Nobody, Next::Due)",
        new: "self.take_up(now, &name, limits).map_or(Next::Nobody, |_holder| Next::Nobody)",
    },
    Mutant {
        name: "kin-at-a-member-never-freed",
        file: "engine/fleet/coordinating.rs",
        old: "                        self.grant_put_off(name, asker);\n",
        new: "                        let _never = asker;\n",
    },
    Mutant {
        name: "lease-never-expires",
        file: "sharing/leases.rs",
        old: "        self.terms.insert((lease.until, name));\n",
        new: "",
    },
    Mutant {
        name: "lease-expires-at-once",
        file: "sharing/leases.rs",
        old: "let until = now.saturating_add(limits.lease_term);\n        self.grant(name, Lease { kin_until,",
        new: "let until = now;\n        self.grant(name, Lease { kin_until,",
    },
    Mutant {
        name: "lease-stays-with-the-gone",
        file: "engine/fleet/parting.rs",
        old: "let passed = fleet.leases.on_gone(now, peer, &fleet.sharing.limits);",
        new: "let passed: alloc::vec::Vec<(crate::Name, crate::sharing::Asker)> = alloc::vec::Vec::new();",
    },
    Mutant {
        name: "lease-passed-on-but-nobody-told",
        file: "engine/fleet/parting.rs",
        old: "            self.counters.leases_passed += 1;\n            self.grant(name, asker);",
        new: "            self.counters.leases_passed += 1;\n            let _unused = (name, asker);",
    },
    Mutant {
        name: "lease-granted-to-everybody",
        file: "sharing/leases.rs",
        old: "if lease.holder.peer == asker.peer && (has_room",
        new: "if (lease.holder.peer == asker.peer || !lease.waiting.is_empty()) && (has_room",
    },
    Mutant {
        name: "lease-not-given-back",
        file: "engine/request/lookup.rs",
        old: "        self.give_back_lease(id, verdict);\n",
        new: "        let _unused = verdict;\n",
    },
    Mutant {
        name: "lease-unused-not-given-back",
        file: "engine/request/asking.rs",
        old: "self.say(from, Message::Release { name, verdict: Verdict::Unused });",
        new: "let _unused = (from, name, Verdict::Unused);",
    },
    Mutant {
        name: "leases-not-bounded",
        file: "sharing/leases.rs",
        old: "        if self.leases.len() >= limits.leases_max {\n            return Turn::Full;\n        }\n",
        new: "",
    },
    Mutant {
        name: "lease-waiters-not-bounded",
        file: "sharing/leases.rs",
        old: "            let has_room = lease.waiting.len() < limits.lease_waiters_max;\n",
        new: "            let has_room = true;\n",
    },
    Mutant {
        name: "failures-not-counted",
        file: "sharing/leases.rs",
        old: "lease.failures = lease.failures.saturating_add(u8::from(verdict == Verdict::Failed));",
        new: "",
    },
    Mutant {
        name: "overdue-holder-not-heard",
        file: "sharing/leases.rs",
        old: "let ends_waiting = verdict == Verdict::Unshareable && lease.overdue.contains(&peer);",
        new: "let ends_waiting = false;",
    },
    Mutant {
        name: "waiters-dismissed-without-a-word",
        file: "engine/fleet/coordinating.rs",
        old: "self.say(asker.peer, Message::Answer { ask: asker.ask, answer });\n    }\n\n    /// The fleet has failed",
        new: "let _unused = answer;\n    }\n\n    /// The fleet has failed",
    },
    Mutant {
        name: "waiters-not-sent-the-entry",
        file: "engine/fleet/coordinating.rs",
        old: "                self.say(asker.peer, Message::Answer { ask: asker.ask, answer });\n                told.push(asker.peer);",
        new: "                let _unused = answer;",
    },
    Mutant {
        name: "waiters-sent-the-entry-twice",
        file: "engine/fleet/coordinating.rs",
        old: "                told.push(asker.peer);",
        new: "                told.push(asker.peer);\n                let answer = Answer::Hit(Box::new(self.parcel(entry)));\n                self.say(asker.peer, Message::Answer { ask: asker.ask, answer });",
    },
    Mutant {
        name: "lease-not-claimed-from-a-newcomer",
        file: "engine/fleet/meeting.rs",
        old: "        self.claim_leases(|coordinator| coordinator == peer);\n",
        new: "",
    },
    Mutant {
        name: "lease-not-claimed-when-the-coordinator-goes",
        file: "engine/fleet/parting.rs",
        old: "                self.claim_lease(id);\n",
        new: "",
    },
    Mutant {
        name: "announced-to-the-others-but-one",
        file: "engine/fleet/announcing.rs",
        old: "let members = fleet.ring.others().chain(",
        new: "let members = fleet.ring.others().skip(1).chain(",
    },
    Mutant {
        name: "announced-to-nobody",
        file: "engine/fleet/announcing.rs",
        old: "let members = fleet.ring.others().chain(",
        new: "let members = fleet.ring.others().take(0).chain(",
    },
    Mutant {
        name: "refusal-taken-for-the-last-word",
        file: "engine/request/asking.rs",
        old: "            Answer::Miss => self.take_off_again(id, from),\n            Answer::Wait => unreachable!",
        new: "            Answer::Miss => {\n                for request in self.flights.waiting(id) {\n                    self.complete(request, Outcome::Absent);\n                }\n                self.close(id);\n            }\n            Answer::Wait => unreachable!",
    },
    Mutant {
        name: "failure-of-the-fleet-ignored",
        file: "engine/request/asking.rs",
        old: "                self.stand_in(id, StaleReason::Failed(FetchError::FleetFailed));\n                self.fail_in_fleet(id);\n            }\n            Answer::Hit",
        new: "                self.depart(id);\n            }\n            Answer::Hit",
    },
    Mutant {
        name: "newcomer-asks-nobody-who-was-there-before",
        file: "engine/request/asking.rs",
        old: "let has_deputy = is_local && !is_hedged && missed.len() < DEPUTIES_MAX;",
        new: "let has_deputy = is_local && missed.len() > DEPUTIES_MAX;",
    },
    Mutant {
        name: "disk-not-looked-at-for-others",
        file: "engine/fleet/coordinating.rs",
        old: "if entry.is_none() && !is_leased && self.search(query, name) {",
        new: "if entry.is_some() && !is_leased && self.search(query, name) {",
    },
    Mutant {
        name: "search-never-ends",
        file: "engine/fleet/searching.rs",
        old: "            None => self.search_failed(name, None),",
        new: "            None => {}",
    },
    Mutant {
        name: "holder-gives-way-like-any-other",
        file: "engine/fleet/meeting.rs",
        old: ".map(|peer| (peer, Stake::Call))",
        new: ".map(|peer| (peer, Stake::Answer))",
    },
    Mutant {
        name: "lease-passed-on-though-the-entry-is-there",
        file: "engine/fleet/announcing.rs",
        old: "                let told = self.conclude_leases(&entry);\n                for id in self.flights.under_way(&key) {",
        new: "                let told = Vec::new();\n                for id in self.flights.under_way(&key) {",
    },
    Mutant {
        name: "failures-not-reported",
        file: "engine/fleet/coordinating.rs",
        old: "verdict != Verdict::Failed || !self.inquire_after_failure(name, asker)",
        new: "true",
    },
];
