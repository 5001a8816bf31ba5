//! Requests: which are answered, how often, with what, and when.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "entry-of-another-domain-taken-for-ones-own",
        file: "engine/request/lookup.rs",
        old: "        self.flights.flight_mut(id).ask_about(candidate.as_ref());",
        new: "        if let Some(crate::Candidate::Borrowed(lent)) = &candidate {\n            self.flights.flight_mut(id).learn(Arc::clone(lent));\n        }\n        self.flights.flight_mut(id).ask_about(candidate.as_ref());",
    },
    Mutant {
        name: "entry-of-another-domain-answers",
        file: "engine/request/lookup.rs",
        old: "let found = self.cache.lookup(&key).cloned();\n        let reason = match &found {",
        new: "let found = self.cache.lookup(&key).or_else(|| self.cache.kin(key.resource(), Some(key.domain()))).cloned();\n        let reason = match &found {",
    },
    Mutant {
        name: "late-answer-completes-twice",
        file: "engine.rs",
        old: "        self.flights.leave(request);\n        self.outputs.push_back(Output::Complete { request, outcome });",
        new: "        self.outputs.push_back(Output::Complete { request, outcome });",
    },
    Mutant {
        name: "request-without-a-deadline",
        file: "flights.rs",
        old: "        self.deadlines.insert((until, Deadline::Request(request)));\n",
        new: "",
    },
    Mutant {
        name: "fetch-without-a-deadline",
        file: "flights.rs",
        old: "        self.deadlines.insert((until, Deadline::Fetch(fetch)));\n        fetch",
        new: "        let _unused = until;\n        fetch",
    },
    Mutant {
        name: "load-without-a-deadline",
        file: "flights.rs",
        old: "        self.deadlines.insert((until, Deadline::Load(load)));\n        load",
        new: "        let _unused = until;\n        load",
    },
    Mutant {
        name: "ask-without-a-deadline",
        file: "flights.rs",
        old: "        self.deadlines.insert((until, Deadline::Ask(ask)));\n        ask\n",
        new: "        let _unused = until;\n        ask\n",
    },
    Mutant {
        name: "overtaken-ask-keeps-its-deadline",
        file: "flights/hedged.rs",
        old: "        self.deadlines.remove(&(overtaken.until, Deadline::Ask(ask)));\n",
        new: "",
    },
    Mutant {
        name: "hedge-keeps-its-deadline",
        file: "flights/hedged.rs",
        old: "            self.deadlines.remove(&(at, Deadline::Hedge(ask)));\n",
        new: "            let _unused = (at, ask);\n",
    },
    Mutant {
        name: "wait-without-a-deadline",
        file: "flights.rs",
        old: "            self.deadlines.insert((until, Deadline::Ask(ask)));\n            self.flight_mut(id).stage",
        new: "            self.flight_mut(id).stage",
    },
    Mutant {
        name: "no-cache-joins-what-flies",
        file: "engine/request/lookup.rs",
        old: "self.board(id, newcomer, fetching && directives.no_cache);",
        new: "self.board(id, newcomer, fetching && directives.no_cache && directives.only_if_cached);",
    },
    Mutant {
        name: "no-cache-ignored",
        file: "freshness.rs",
        old: "if directives.no_cache || directives.max_age",
        new: "if directives.max_age",
    },
    Mutant {
        name: "only-if-cached-fetches",
        file: "engine/request/lookup.rs",
        old: "            if self.flights.waiter(request).directives.only_if_cached {\n                self.complete(request, Outcome::Absent);\n            }\n        }\n        if self.flights.waiting(id).is_empty() && !self.flights.flight(id).renews() {\n            return self.close(id);\n        }\n        if self.afford(id)",
        new: "            let _unused = request;\n        }\n        if self.flights.waiting(id).is_empty() && !self.flights.flight(id).renews() {\n            return self.close(id);\n        }\n        if self.afford(id)",
    },
    Mutant {
        name: "refusal-told-to-everybody",
        file: "engine/request/landing.rs",
        old: "                self.relay_to(id, leader, leader, &content);\n                self.hand_over_or(id, Self::pass);",
        new: "                self.relay(id, leader, &content);",
    },
    Mutant {
        name: "stale-served-after-a-refusal",
        file: "engine/request/landing.rs",
        old: "                self.relay_to(id, leader, leader, &content);\n                self.hand_over_or(id, Self::pass);",
        new: "                self.stand_in(id, StaleReason::HeldOff);\n                self.relay_to(id, leader, leader, &content);\n                self.hand_over_or(id, Self::pass);",
    },
    Mutant {
        name: "unstorable-stored",
        file: "engine/request/landing.rs",
        old: "                self.drop_superseded(id);\n                self.relay(id, leader, &content);",
        new: "                let freshness = crate::freshness::Freshness { lifetime: core::time::Duration::from_secs(60), ..Default::default() };\n                self.land(id, leader, Draft { content, freshness, validators: Default::default(), age: core::time::Duration::ZERO }, Whence::Sent);",
    },
    Mutant {
        name: "quota-pause-ignored",
        file: "ledger/pauses.rs",
        old: "        let held = [Some(bucket), None].map(|concerned| self.spent.get(&(payer, concerned)));",
        new: "        let held = [Some(bucket), None].map(|it| self.spent.get(&(payer, it)).filter(|_| false));",
    },
    Mutant {
        name: "quota-pause-of-another-payer",
        file: "ledger/pauses.rs",
        old: "        let held = [Some(bucket), None].map(|concerned| self.spent.get(&(payer, concerned)));",
        new: "        let _ = (payer, bucket);\n        let held = [self.spent.values().max_by_key(|held| held.pause.until)];",
    },
    Mutant {
        name: "quota-not-told",
        file: "engine/fleet/accounting.rs",
        old: "                let told = Message::Quota { payer, bucket, pause: time, shortage };\n                self.tell_other_districts(None, &told);\n                self.say_all(told);",
        new: "                let told = Message::Quota { payer, bucket, pause: time, shortage };\n                self.tell_other_districts(None, &told);",
    },
    Mutant {
        name: "hold-off-ignored",
        file: "cache.rs",
        old: ".is_some_and(|until| until > now)",
        new: ".is_some_and(|until| until > now && false)",
    },
    Mutant {
        name: "waiters-not-bounded",
        file: "engine/request/boarding.rs",
        old: "if self.flights.waiting_count(id) >= self.settings.waiters_max {",
        new: "if false {",
    },
    Mutant {
        name: "flights-not-bounded",
        file: "engine/request/boarding.rs",
        old: "if self.flights.len() >= self.settings.flights_max {",
        new: "if false {",
    },
    Mutant {
        name: "asks-not-bounded",
        file: "engine/request/asking.rs",
        old: "if flight.consulted().asks >= fleet.sharing.limits.asks_max {",
        new: "if false {",
    },
    Mutant {
        name: "leaders-not-bounded",
        file: "flights.rs",
        old: "if flight.leaders_count >= leaders_max {",
        new: "if flight.leaders_count >= usize::MAX {",
    },
    Mutant {
        name: "renewal-without-means",
        file: "engine/request/lookup.rs",
        old: "                self.outputs.push_back(Output::Retain { request });\n",
        new: "",
    },
    Mutant {
        name: "renewer-never-forgotten",
        file: "engine/request/lookup.rs",
        old: "            self.outputs.push_back(Output::Forget { request });\n",
        new: "            let _unused = request;\n",
    },
    Mutant {
        name: "followers-lost",
        file: "flights.rs",
        old: "flight.followers.retain(|following| *following != request);",
        new: "flight.followers.clear();",
    },
    Mutant {
        name: "everybody-calls",
        file: "engine/request/lookup.rs",
        old: "let joinable = self.flights.joinable(&key);\n        let stage",
        new: "let joinable = self.flights.joinable(&key).filter(|_| false);\n        let stage",
    },
];
