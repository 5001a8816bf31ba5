//! Which form of the protocol two members speak with each other.
//!
//! Owns the version, and the parts that a member may lack. A hello carries both (the gate writes it), a message needs
//! at most one part ([`Message::needs`](crate::Message)), and the engine does not send it to a peer that lacks that
//! part.
//!
//! What may change under which number:
//!
//! * **major**: anything. Two nodes of different majors do not talk.
//! * **minor**: messages of a new kind, and fields behind those of a known kind. A node that does not know them skips
//!   them. Nothing that an earlier minor says changes its form or its meaning.
//! * **features**: whatever a member must not be told unless it understands, such as one more variant of an answer.

use core::fmt;

/// A version of the protocol, with the parts of it that are spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Protocol {
    /// Differs between nodes that cannot talk.
    pub major: u8,
    /// Grows with every addition that may be skipped.
    pub minor: u8,
    /// The optional parts that it has.
    pub features: Features,
}

impl Protocol {
    /// What this build speaks.
    pub const OURS: Self = Self { major: 1, minor: 1, features: Features::ALL };

    /// The protocol to speak with a peer that speaks `theirs`: the lower minor and the common parts. `None` if the
    /// majors differ.
    #[must_use]
    pub fn with(self, theirs: Self) -> Option<Self> {
        let features = self.features.common(theirs.features).union(theirs.features.common(Features::GUEST));
        (self.major == theirs.major).then(|| Self { minor: self.minor.min(theirs.minor), features, ..self })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A set of parts of the protocol. Bits that are unknown here stay in it and mean nothing.
///
/// The highest bit is no part but a word on the sender of the hello ([`Self::GUEST`]).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Features(u64);

impl Features {
    /// The member counts, and adds up what others counted.
    pub const FIGURES: Self = Self(1 << 0);
    /// The member sends a newcomer what is read most.
    pub const WARM_UP: Self = Self(1 << 1);
    /// The member calls entries by names that show their kinship, coordinates by it, and knows what it is to wait for a
    /// call for another domain.
    pub const KINSHIP: Self = Self(1 << 2);
    /// The member knows that a fleet may be divided into districts, and answers in the roles of those.
    pub const DISTRICTS: Self = Self(1 << 3);
    /// The member passes on an entry to those that asked it for that before, when it is told to.
    pub const READERS: Self = Self(1 << 4);
    /// The member knows that what was written is asked about on every use for a while.
    pub const SETTLING: Self = Self(1 << 5);
    /// The member keeps a ledger of allowances for the fleet, and is told how they stand.
    pub const LEDGER: Self = Self(1 << 6);
    /// The member puts together the numbers that an origin's count gave to the calls of all members.
    pub const CALL_NUMBERS: Self = Self(1 << 8);
    /// The member is told of whether the origin can be reached, and tells of it.
    pub const OUTAGES: Self = Self(1 << 7);
    /// The member counts the writes of all, and is told how many others have begun.
    pub const WRITES: Self = Self(1 << 9);
    /// The member compares digests of what was invalidated with one that it meets.
    pub const DIGESTS: Self = Self(1 << 11);
    /// The member knows that a peer may be a guest, and hosts it.
    pub const GUESTS: Self = Self(1 << 10);
    /// Not a part, but what the sender of a hello says of itself: it may be a guest, and says whether it is as the first
    /// thing after the admission ([`GuestWord`](crate::message::GuestWord)).
    pub const GUEST: Self = Self(1 << 63);
    /// No part at all: what every member of the major version understands.
    pub const NONE: Self = Self(0);
    /// Every part that this build speaks.
    pub const ALL: Self = Self(
        Self::FIGURES.0
            | Self::WARM_UP.0
            | Self::KINSHIP.0
            | Self::DISTRICTS.0
            | Self::READERS.0
            | Self::SETTLING.0
            | Self::LEDGER.0
            | Self::CALL_NUMBERS.0
            | Self::OUTAGES.0
            | Self::WRITES.0
            | Self::DIGESTS.0
            | Self::GUESTS.0,
    );

    /// The set as a hello carries it.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The form in a hello.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// What is in both.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has everything in `needed`.
    pub const fn has(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_major_speak_the_lower_minor_and_what_both_know() {
        let one = Protocol { major: 1, minor: 3, features: Features::FIGURES };
        let other = Protocol { major: 1, minor: 7, features: Features::from_bits(u64::MAX >> 1) };
        assert_eq!(one.with(other), Some(one));
        assert_eq!(other.with(one), Some(one));
        assert_eq!(
            one.with(Protocol { features: Features::WARM_UP, ..other }).map(|it| it.features),
            Some(Features::NONE)
        );
    }

    #[test]
    fn what_a_hello_says_of_its_sender_is_heard_by_the_other_side_alone() {
        let guest = Protocol { features: Features::ALL.union(Features::GUEST), ..Protocol::OURS };
        assert_eq!(Protocol::OURS.with(guest).map(|it| it.features), Some(guest.features));
        assert_eq!(guest.with(Protocol::OURS).map(|it| it.features), Some(Features::ALL));
    }

    #[test]
    fn two_of_different_majors_do_not_talk() {
        let next = Protocol { major: 2, ..Protocol::OURS };
        assert_eq!(next.with(Protocol::OURS), None);
        assert_eq!(Protocol::OURS.with(next), None);
    }
}
