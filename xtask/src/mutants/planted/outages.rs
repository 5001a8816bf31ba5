//! Which members find out that the origin cannot be reached, and that it can be again.

use crate::mutants::Mutant;

pub(super) const BUGS: &[Mutant] = &[
    Mutant {
        name: "members-that-cannot-reach-the-origin-are-not-heard",
        file: "outage.rs",
        old: "            self.witnesses.insert(from, Witness { since, heard: now });",
        new: "            self.witnesses.remove(&from);",
    },
    Mutant {
        name: "every-member-tries-an-origin-that-is-out-of-reach",
        file: "outage.rs",
        old: "        (down.trial, down.attempt_at) = (Some(Trial::Theirs(from)), now.saturating_add(self.trial_time()));\n        self.down = Some(down);",
        new: "        down.trial = down.trial.filter(|_| from == PeerId::from_public_key([0; 32]));\n        self.down = Some(down);",
    },
    Mutant {
        name: "an-origin-that-is-out-of-reach-is-called-all-the-same",
        file: "outage.rs",
        old: "            Some(Down { trial: None, .. }) => Passage::Closed,",
        new: "            Some(Down { trial: None, .. }) => Passage::Open,",
    },
    Mutant {
        name: "one-member-that-cannot-reach-the-origin-stops-all",
        file: "outage.rs",
        old: "const WITNESSES_NEEDED: usize = 3;",
        new: "const WITNESSES_NEEDED: usize = 1;",
    },
    Mutant {
        name: "calls-that-get-through-speak-for-nothing",
        file: "outage.rs",
        old: "        if self.reached >= Some(since) {",
        new: "        if self.reached >= Some(since) && self.hold_off.is_zero() {",
    },
    Mutant {
        name: "nobody-is-told-that-the-origin-is-back",
        file: "engine/request/reaching.rs",
        old: "                    self.say_of_origin_to_all(word);",
        new: "                    let _untold = word;",
    },
];
