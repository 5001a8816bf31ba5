//! Which requests may spend what is left of an allowance, and which members hear of that.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "nothing-is-kept",
        file: "ledger.rs",
        old: "            if kept > 0 && left == 0 {",
        new: "            if kept > 0 && left == u64::MAX {",
    },
    Mutant {
        name: "use-is-told-once-a-second-alone",
        file: "ledger.rs",
        old: "        let is_due = account.is_owed || stop.is_some_and(|left| account.unsaid() >= share(left, spenders));",
        new: "        let is_due = account.is_owed || stop.is_some_and(|left| account.unsaid() >= share(left, spenders)) && now == Timestamp::default();",
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
        old: "            if kept > 0 && self.under_way(&payers, bucket..=bucket) >= share(left, spenders) {",
        new: "            if kept > 0 && self.under_way(&payers, bucket..=bucket) >= share(left, spenders).saturating_mul(1000) {",
    },
    Mutant {
        name: "each-member-makes-all-the-calls-at-once",
        file: "ledger/pacing.rs",
        old: "        (self.at_once / self.callers_count(payers, spenders, now)).max(1)",
        new: "        (self.at_once / self.callers_count(payers, spenders, now).min(1)).max(1)",
    },
    Mutant {
        name: "each-member-returns-as-if-alone",
        file: "ledger/pacing.rs",
        old: "        let call = TENTHS * MILLIS_OF_AN_HOUR * u128::from(self.members);",
        new: "        let call = TENTHS * MILLIS_OF_AN_HOUR * u128::from(self.members.min(1));",
    },
    Mutant {
        name: "calls-return-all-at-once",
        file: "ledger/pacing.rs",
        old: "            held.since <= now && !held.may_begin(now, self.place)",
        new: "            held.since <= now && held.begun == u64::MAX && !held.may_begin(now, self.place)",
    },
    Mutant {
        name: "a-member-that-calls-is-not-heard-of",
        file: "engine/fleet/accounting.rs",
        old: "            told.iter().for_each(|allowance| self.ledger.note_caller(allowance.payer, from, now));",
        new: "            told.iter().take(0).for_each(|allowance| self.ledger.note_caller(allowance.payer, from, now));",
    },
];
