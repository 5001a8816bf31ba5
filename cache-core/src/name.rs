//! What entries are called among members.

use crate::Key;
use alloc::vec::Vec;
use core::fmt;

/// The name of an entry on the wire: keyed digests of its resource and of its key, from which nothing can be read back.
///
/// The names of one resource, whichever domain they are for, begin with the same [`Kinship`]: so they have one
/// coordinator, which sees all readers of the resource, and stand next to each other in order.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name([u8; 32]);

/// What the names of one resource have in common.
pub type Kinship = [u8; 16];

impl Name {
    /// The name with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The name of the key with the digest `of_key` and whose resource has the digest `of_resource`, of which the first
    /// sixteen bytes each are taken: two names of one fleet are the same by chance once in 2^128 pairs.
    ///
    /// ```
    /// # use cache_core::Name;
    /// let (one, other) = (Name::of([1; 32], [2; 32]), Name::of([1; 32], [3; 32]));
    /// assert_ne!(one, other);
    /// assert_eq!(one.kinship(), other.kinship());
    /// ```
    pub fn of(of_resource: [u8; 32], of_key: [u8; 32]) -> Self {
        let (kinship, own) = (&of_resource[..KINSHIP_BYTES], &of_key[..KINSHIP_BYTES]);
        let mut bytes = [0; 32];
        bytes[..KINSHIP_BYTES].copy_from_slice(kinship);
        bytes[KINSHIP_BYTES..].copy_from_slice(own);
        Self(bytes)
    }

    /// The first in order of all names with this kinship.
    pub(crate) fn first_of(kinship: Kinship) -> Self {
        let mut bytes = [0; 32];
        bytes[..KINSHIP_BYTES].copy_from_slice(&kinship);
        Self(bytes)
    }

    /// What it has in common with the other names of its resource.
    pub fn kinship(&self) -> Kinship {
        let mut kinship = [0; KINSHIP_BYTES];
        kinship.copy_from_slice(&self.0[..KINSHIP_BYTES]);
        kinship
    }

    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Name {
    /// The first eight digits: enough to tell names apart in a trace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(")?;
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Gives keys their names. A pure function: equal keys, equal names.
pub trait Naming: fmt::Debug + Send + Sync {
    /// Our name of `key`, and after that the names that members with another of our secrets may use.
    ///
    /// Never empty, and short: at most two names for each secret, since members of an earlier version use others.
    fn names(&self, key: &Key) -> Vec<Name>;

    /// The name of `key` to say to a member without [`Features::KINSHIP`](crate::Features), if it is another than the first
    /// of [`names`](Self::names), among which it is too.
    fn earlier(&self, key: &Key) -> Option<Name> {
        let _ = key;
        None
    }
}

const KINSHIP_BYTES: usize = size_of::<Kinship>();
