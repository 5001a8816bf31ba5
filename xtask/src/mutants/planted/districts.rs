//! How a fleet is divided, how districts share, and when another member is asked beside the first.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "every-district-is-at-home-everywhere",
        file: "engine/fleet/surroundings.rs",
        old: "        if self.districts.is_home_of(name) {\n            return None;",
        new: "        if self.districts.depth() > 0 || self.districts.is_home_of(name) {\n            return None;",
    },
    Mutant {
        name: "members-ask-other-districts-themselves",
        file: "engine/fleet/inquiring.rs",
        old: "        if near == self.local() && !self.districts.is_undivided() {",
        new: "        if !self.districts.is_undivided() {",
    },
    Mutant {
        name: "other-districts-hear-of-no-write",
        file: "engine/fleet/bordering.rs",
        old: "        self.tell_other_districts(Some(from), &message);\n        self.say_all(message);",
        new: "        let _unused = (from, message);",
    },
    Mutant {
        name: "neighbours-hear-of-no-write-elsewhere",
        file: "engine/fleet/bordering.rs",
        old: "        self.tell_other_districts(Some(from), &message);\n        self.say_all(message);",
        new: "        self.tell_other_districts(Some(from), &message);",
    },
    Mutant {
        name: "outsiders-do-not-give-way",
        file: "peers/outside.rs",
        old: "            connection.is_outside && now.saturating_since(used_at) >= IDLE_AFTER",
        new: "            !connection.is_outside && now.saturating_since(used_at) >= IDLE_AFTER",
    },
    Mutant {
        name: "told-again-in-every-warm-up",
        file: "engine/fleet/announcing.rs",
        old: "        readers.retain(|peer| *peer != from && !told.contains(peer));",
        new: "        readers.extend(told);",
    },
    Mutant {
        name: "hedges-to-itself-at-once",
        file: "engine/request/hedging.rs",
        old: "let after = if is_ours { after * 2 } else { after };",
        new: "let after = if is_ours { Duration::ZERO } else { after };",
    },
    Mutant {
        name: "second-lease-is-kept",
        file: "engine/request/asking.rs",
        old: "            Answer::Lease { name, .. } => {\n                self.say(from, Message::Release { name, verdict: Verdict::Unused });",
        new: "            Answer::Lease { name, .. } => {\n                let _unused = (from, name);",
    },
    Mutant {
        name: "all-know-the-same-few-of-a-district",
        file: "districts/outsiders.rs",
        old: "        if age < HEARD_LATELY {",
        new: "        if age < HEARD_LATELY && false {",
    },
];
