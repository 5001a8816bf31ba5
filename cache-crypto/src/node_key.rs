//! The key that a node keeps for itself.

use crate::{
    KeyFile, KeyFileError,
    schedule::{Key32, NODE_SALT, Purpose, RootKey},
};
use std::{fmt, path::Path};

/// A node's own key: seals what the node stores when no fleet secret is set.
///
/// Thirty-two random bytes in the file [`KeyFile::NodeKey`] of the cache directory, readable by its owner alone. A
/// reader of the file can read the store; without the file, a copied store or a backup stays closed.
///
/// ```
/// # let cache_dir = tempfile::tempdir()?;
/// # let cache_dir = cache_dir.path();
/// use {cache_core::port::Sealer, cache_crypto::{NodeKey, StorageSealer}};
///
/// let first = StorageSealer::from_node_key(&NodeKey::load_or_create(cache_dir)?);
/// let after_restart = StorageSealer::from_node_key(&NodeKey::load_or_create(cache_dir)?);
/// assert_eq!(first.name("k"), after_restart.name("k"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NodeKey(RootKey);

impl NodeKey {
    /// Reads the key in `dir`, or makes one, and the directory with it if need be.
    ///
    /// Of several processes that find no key at the same time, one makes it and all read that one.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`]. A key file that is there is never altered.
    pub fn load_or_create(dir: &Path) -> Result<Self, KeyFileError> {
        KeyFile::NodeKey.load_or_create(dir).map(|bytes| Self(RootKey::of_random(&bytes, NODE_SALT)))
    }

    pub(crate) fn derive(&self, purpose: Purpose) -> Key32 {
        self.0.derive(purpose)
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKey")
    }
}
