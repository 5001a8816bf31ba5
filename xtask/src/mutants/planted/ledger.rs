//! Which requests may spend what is left of an allowance, and which members hear of that.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "nothing-is-kept",
        file: "ledger.rs",
        old: "        if left == 0 {",
        new: "        if left == u64::MAX {",
    },
    Mutant {
        name: "use-is-told-once-a-second-alone",
        file: "ledger.rs",
        old: "        let is_due = stop.is_some_and(|left| account.unsaid() >= share(left, members));",
        new: "        let is_due = stop.is_some_and(|left| account.unsaid() >= share(left, members)) && now == Timestamp::default();",
    },
    Mutant {
        name: "use-is-told-to-the-own-district-alone",
        file: "engine/fleet/accounting.rs",
        old: "            let told = Message::Allowances(due);\n            self.tell_other_districts(None, &told);",
        new: "            let told = Message::Allowances(due);",
    },
    Mutant {
        name: "what-members-tell-of-use-is-not-heard",
        file: "ledger.rs",
        old: "        let account = self.enter(told, now);",
        new: "        let account = self.enter(Allowance { window: Window::default(), ..told }, now);",
    },
    Mutant {
        name: "any-number-of-calls-is-under-way",
        file: "ledger.rs",
        old: "        if under_way >= share(left, members) {",
        new: "        if under_way >= share(left, members).saturating_mul(1000) {",
    },
];
