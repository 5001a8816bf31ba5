//! What credentials may have of what others were given.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "entry-of-another-domain-stands-in",
        file: "engine/request/landing.rs",
        old: "        let Some(entry) = self.flights.flight(id).stale().cloned() else {\n            return;\n        };\n        if self.flights",
        new: "        let flight = self.flights.flight(id);\n        let Some(entry) = flight.stale().or_else(|| self.cache.kin(flight.key().resource(), Some(flight.key().domain()))).cloned() else {\n            return;\n        };\n        if self.flights",
    },
    Mutant {
        name: "what-is-kept-needs-no-proof",
        file: "engine/request/lookup.rs",
        old: "if let Reader::Unproven(payer) = caller.reader {\n            return self.prove(",
        new: "if let Reader::Unproven(payer) = caller.reader\n            && self.cache.lookup(&key).is_none()\n        {\n            return self.prove(",
    },
    Mutant {
        name: "call-of-another-credential-counts",
        file: "engine/request/proving.rs",
        old: "let follows = whose != payer || (directives.no_cache && self.flights.flight(id).is_fetching());",
        new: "let _unused = whose;\n            let follows = directives.no_cache && self.flights.flight(id).is_fetching();",
    },
    Mutant {
        name: "refused-domain-keeps-what-it-borrowed",
        file: "engine/forgetting.rs",
        old: "            Refusal::Read { prefixes } => {\n                let is_here = holds(&prefixes, |_any| true);",
        new: "            Refusal::Read { prefixes } => {\n                let is_here = holds(&prefixes, |_any| false);",
    },
    Mutant {
        name: "revoked-credential-keeps-what-it-had",
        file: "engine/forgetting.rs",
        old: "                let prefixes = Vec::from([Box::from(\"\")]);\n                let is_here = holds(&prefixes, |_any| true);\n                (Reach::forget(of_domain(prefixes)), is_here)",
        new: "                let prefixes = Vec::from([Box::from(\"\")]);\n                let is_here = holds(&prefixes, |_any| true);\n                (Reach::doubt(of_domain(prefixes)), is_here)",
    },
    Mutant {
        name: "refusal-not-told-to-members",
        file: "engine/forgetting.rs",
        old: "            // Nothing here waits until it is done everywhere, but a member that speaks of it hears when it is durable.\n            self.tell_invalidated(reach.clone(), receipt);",
        new: "            let _unused = receipt;",
    },
    Mutant {
        name: "value-without-a-tag-lent",
        file: "cache.rs",
        old: "is_of_origin && entry.content().status == OK && entry.validators().etag.is_some()",
        new: "is_of_origin && entry.content().status == OK",
    },
];
