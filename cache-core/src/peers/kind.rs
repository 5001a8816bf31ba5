//! Why dials are made, and how many of each kind at a time.

use super::candidate::{Candidate, KnownBy};

/// Why a dial is made, in the order of preference.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Kind {
    /// A contact that membership does not know to live.
    Contact,
    /// A contact that failed before.
    ContactAgain,
    /// It was found by discovery, and not tried since.
    Found,
    /// It was found by discovery, and failed.
    FoundAgain,
    Member,
    /// A lookup needs it.
    Wanted,
}

impl Kind {
    pub(super) fn of(candidate: &Candidate) -> Self {
        match candidate.known_by {
            KnownBy::Contact { .. } if candidate.lives => Self::Member,
            KnownBy::Contact { .. } if candidate.failures == 0 => Self::Contact,
            KnownBy::Contact { .. } => Self::ContactAgain,
            KnownBy::Found { .. } if candidate.lives => Self::Member,
            KnownBy::Found { .. } if candidate.failures == 0 => Self::Found,
            KnownBy::Found { .. } => Self::FoundAgain,
            KnownBy::Membership | KnownBy::Outsider | KnownBy::Remembered => Self::Member,
        }
    }

    pub(super) const fn is_found(self) -> bool {
        matches!(self, Self::Found | Self::FoundAgain)
    }

    /// Most dials of this kind at a time. Contacts that lead nowhere leave some for members.
    pub(super) const fn dials_max(self) -> usize {
        match self {
            Self::Contact | Self::Member | Self::Wanted => DIALS_MAX,
            Self::ContactAgain => CONTACTS_AGAIN_MAX,
            Self::Found => FOUND_MAX,
            Self::FoundAgain => FOUND_AGAIN_MAX,
        }
    }
}

/// Most dials under way: all contacts at once.
pub(crate) const DIALS_MAX: usize = 10;

/// Most of these dials that go to contacts that failed before.
const CONTACTS_AGAIN_MAX: usize = 4;

/// Most dials of what discovery found and was not tried: anybody may have put it there.
const FOUND_MAX: usize = 3;

/// Most dials of what discovery found and failed before: where pods are replaced, that is most of what is known.
const FOUND_AGAIN_MAX: usize = 2;

const _: () = assert!(CONTACTS_AGAIN_MAX + FOUND_MAX + FOUND_AGAIN_MAX < DIALS_MAX);
