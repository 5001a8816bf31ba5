//! What entries are called among members.

use crate::Key;
use alloc::vec::Vec;
use core::fmt;

/// The name of an entry on the wire: a keyed digest of its key, from which nothing can be read back.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name([u8; 32]);

impl Name {
    /// The name with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
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
    /// Never empty, and short: one name for each secret.
    fn names(&self, key: &Key) -> Vec<Name>;
}
