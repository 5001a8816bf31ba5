//! Guests, and the members that host them.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "guests-taken-for-members",
        file: "engine/fleet/guesting.rs",
        old: "        if !comes_as_guest {\n            self.take_member(peer);",
        new: "        if !comes_as_guest || true {\n            self.take_member(peer);",
    },
    Mutant {
        name: "guests-dial-everybody",
        file: "peers/hosts.rs",
        old: "            if hosts + young < HOSTS_MAX && self.attempts.has_room(kind) {",
        new: "            if hosts + young < 9 * HOSTS_MAX && self.attempts.has_room(kind) {",
    },
    Mutant {
        name: "hosts-ask-nobody-for-guests",
        file: "engine/fleet/inquiring.rs",
        old: "!self.is_outsider(asker) && !is_of_guest {",
        new: "!self.is_outsider(asker) {\n            let _unused = is_of_guest;",
    },
    Mutant {
        name: "guests-hear-of-no-write",
        file: "engine/forgetting.rs",
        old: "            (false, false) => (fleet.guests_hosted(), Vec::new()),",
        new: "            (false, false) => (Vec::new(), Vec::new()),",
    },
    Mutant {
        name: "members-hear-of-no-write-of-guests",
        file: "engine/forgetting.rs",
        old: "            (true, _) => (fleet.guests_hosted(), fleet.ring.others().collect()),",
        new: "            (true, _) => (Vec::new(), Vec::new()),",
    },
    Mutant {
        name: "hosts-of-one-guest-wait-for-each-other",
        file: "engine/forgetting.rs",
        old: "[(guests, Teller::Member), (members, Teller::Guest)]",
        new: "[(guests, Teller::Member), (members, Teller::Member)]",
    },
];
