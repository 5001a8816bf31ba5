//! What is in doubt, and what outlives a process: its disk, its doubts, and the members it remembers.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "doubted-answers-requests",
        file: "freshness.rs",
        old: "if entry.is_doubted() || entry.born() < directives.grant.born_from {",
        new: "if entry.born() < directives.grant.born_from {",
    },
    Mutant {
        name: "doubted-shown-to-readers",
        file: "freshness.rs",
        old: "if entry.is_doubted() { Duration::ZERO } else { left_until(entry.fresh_until(), entry, now) }",
        new: "left_until(entry.fresh_until(), entry, now)",
    },
    Mutant {
        name: "doubted-on-disk-and-loaded-as-certain",
        file: "engine/forgetting.rs",
        old: "            entry.doubt();\n",
        new: "",
    },
    Mutant {
        name: "doubts-end-with-the-process",
        file: "engine/keeping.rs",
        old: "        let later = mem::replace(&mut self.doubts, doubts);\n        self.doubts.absorb(later);\n",
        new: "        let _unused = doubts;\n",
    },
    Mutant {
        name: "doubt-of-everything-ends-later-doubts",
        file: "doubts.rs",
        old: "self.keep(|(_, doubted)| *doubted > date);",
        new: "self.keep(|_| false);",
    },
    Mutant {
        name: "refused-change-doubts-nothing",
        file: "engine/forgetting.rs",
        old: "(Reach::doubt(of_domain(prefixes)), is_served)",
        new: "(Reach::doubt(of_domain(prefixes)), is_served && false)",
    },
    Mutant {
        name: "restored-shown-at-once",
        file: "engine/keeping.rs",
        old: "            self.withheld = entries;\n",
        new: "            self.take_in(entries);\n",
    },
    Mutant {
        name: "first-peer-not-heard-out",
        file: "engine/fleet/gathering.rs",
        old: "            Some(from) => {\n                let token = self.flights.ask_number();",
        new: "            Some(from) if from != local => self.stop_gathering(),\n            Some(from) => {\n                let token = self.flights.ask_number();",
    },
    Mutant {
        name: "absent-contact-ends-the-wait",
        file: "peers.rs",
        old: "contacts().any(is_untried)",
        new: "contacts().all(is_untried)",
    },
    Mutant {
        name: "forgotten-while-withheld-and-shown",
        file: "engine/forgetting.rs",
        old: "            self.withheld.retain(|entry| !scope.covers(entry.key(), entry.content().status));\n",
        new: "",
    },
    Mutant {
        name: "remembered-members-not-dialled",
        file: "peers.rs",
        old: "let book = Book::new(local, own_addresses, contacts, remembered, settings.known_max());",
        new: "let _unused = remembered;\n        let book = Book::new(local, own_addresses, contacts, &[], settings.known_max());",
    },
    Mutant {
        name: "members-not-remembered",
        file: "engine/fleet/meeting.rs",
        old: "            self.outputs.push_back(Output::Remember { members });\n",
        new: "            let _unused = members;\n",
    },
];
