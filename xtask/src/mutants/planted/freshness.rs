//! Ages, lifetimes, and how far a peer is believed.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "age-forgotten-by-the-sender",
        file: "entry.rs",
        old: "age: now.saturating_since(self.born),",
        new: "age: core::time::Duration::ZERO,",
    },
    Mutant {
        name: "age-forgotten-by-the-receiver",
        file: "entry.rs",
        old: "let born = now.saturating_sub(draft.age);",
        new: "let born = now;",
    },
    Mutant {
        name: "lifetime-not-clamped-by-own-rules",
        file: "engine/fleet/announcing.rs",
        old: "clamped(clamped(parcel.draft, most), fleet.sharing.limits.freshness_max)",
        new: "{ let _unused = most; clamped(parcel.draft, fleet.sharing.limits.freshness_max) }",
    },
    Mutant {
        name: "lifetime-not-clamped-by-the-limit",
        file: "engine/fleet/announcing.rs",
        old: "clamped(clamped(parcel.draft, most), fleet.sharing.limits.freshness_max)",
        new: "clamped(parcel.draft, most)",
    },
    Mutant {
        name: "max-age-ignored",
        file: "freshness.rs",
        old: "directives.no_cache || directives.max_age.is_some_and(|max| age(entry, now) > max)",
        new: "directives.no_cache",
    },
    Mutant {
        name: "stale-served-while-revalidating-for-ever",
        file: "freshness.rs",
        old: "} else if overdue < allowed.while_revalidating {",
        new: "} else if !allowed.while_revalidating.is_zero() {",
    },
    Mutant {
        name: "max-stale-counts-for-ever",
        file: "freshness.rs",
        old: "overdue < allowed.if_error || directives.max_stale == Duration::MAX",
        new: "{ let _unused = allowed; true }",
    },
    Mutant {
        name: "stale-stands-in-for-ever",
        file: "freshness.rs",
        old: "overdue < if_error || !left_until(end, entry, now).is_zero()",
        new: "{ let _unused = overdue; !if_error.is_zero() }",
    },
    Mutant {
        name: "stale-served-as-fresh",
        file: "freshness.rs",
        old: "let is_fresh = entry.born() <= now && now < end;",
        new: "let is_fresh = true;",
    },
    Mutant {
        name: "stale-lent-to-members",
        file: "engine/fleet/coordinating.rs",
        old: "let fresh = entry.as_ref().filter(|entry| !freshness::remaining(entry, now).is_zero());",
        new: "let fresh = entry.as_ref();",
    },
    Mutant {
        name: "older-takes-the-place-of-younger",
        file: "engine/fleet/announcing.rs",
        old: "!is_latest || !is_after(entry.edition(), entry.born(), held) || *held == entry",
        new: "!is_latest || *held == entry",
    },
    Mutant {
        name: "disk-takes-the-place-of-what-was-brought",
        file: "engine/request/lookup.rs",
        old: "brought.as_ref().is_none_or(|brought| brought.born() < entry.born());",
        new: "!brought.as_ref().is_some_and(|brought| **brought == *entry);",
    },
];
