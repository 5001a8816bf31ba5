//! Which members get a new entry, and what becomes of it where memory is full.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "readers-not-told",
        file: "engine/fleet/announcing.rs",
        old: "        self.say_whole(readers, entry);\n    }",
        new: "        let _unused = readers;\n    }",
    },
    Mutant {
        name: "coordinator-not-told",
        file: "engine/fleet/announcing.rs",
        old: "            self.say_to_owners(owners, entry);\n        } else {",
        new: "            let _unused = owners;\n        } else {",
    },
    Mutant {
        name: "unasked-entries-displace-what-is-read",
        file: "engine/fleet/announcing.rs",
        old: "        if coordinates || is_deputy || self.is_wanted(&entry) {",
        new: "        if coordinates || is_deputy || !entry.is_doubted() {",
    },
    Mutant {
        name: "given-away-and-forgotten",
        file: "engine/fleet/state.rs",
        old: "            self.holders.insert(now, name, reader.unwrap_or(deputy), remaining);",
        new: "            let _unused = (reader.unwrap_or(deputy), remaining);",
    },
    Mutant {
        name: "deputy-not-told",
        file: "engine/fleet/announcing.rs",
        old: "        readers.into_iter().chain([deputy]).collect()",
        new: "        readers.into_iter().chain([deputy].into_iter().filter(|_| false)).collect()",
    },
];
