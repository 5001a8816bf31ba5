//! The identity of a node, which it keeps across restarts.

use crate::{KeyFile, KeyFileError, schedule::Key32};
use cache_core::PeerId;
use ed25519_dalek::SigningKey;
use std::{fmt, path::Path};
use zeroize::Zeroizing;

/// A node's identity: the seed of its Ed25519 key pair, kept so that its address stays true.
///
/// Thirty-two random bytes in the file [`KeyFile::Identity`] of the cache directory, readable by its owner alone. A
/// thief of the file can pass for this node, but cannot join a fleet without its secret. The file must not be copied
/// to a second node: two nodes of one identity displace each other.
///
/// ```
/// # let cache_dir = tempfile::tempdir()?;
/// # let cache_dir = cache_dir.path();
/// use cache_crypto::NodeIdentity;
///
/// let first = NodeIdentity::load_or_create(cache_dir)?;
/// let after_restart = NodeIdentity::load_or_create(cache_dir)?;
/// assert_eq!(first.peer_id(), after_restart.peer_id());
/// assert!(first.peer_id().to_string().starts_with("12D3Koo"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NodeIdentity(Key32);

impl NodeIdentity {
    /// Reads the identity in `dir`, or makes one, and the directory with it if need be.
    ///
    /// Of several processes that find none at the same time, one makes it and all read that one.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`]. A file that is there is never altered.
    pub fn load_or_create(dir: &Path) -> Result<Self, KeyFileError> {
        KeyFile::Identity.load_or_create(dir).map(Self)
    }

    /// The seed of the key pair (RFC 8032, section 5.1.5), for a transport. Wiped when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The public half, by which others know this node.
    pub fn peer_id(&self) -> PeerId {
        PeerId::from_public_key(SigningKey::from_bytes(&self.0).verifying_key().to_bytes())
    }
}

impl fmt::Debug for NodeIdentity {
    /// The public half alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeIdentity").field(&self.peer_id()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, process::Command};

    #[test]
    fn the_public_half_is_that_of_the_standards_first_test_vector() {
        // RFC 8032, section 7.1, TEST 1.
        let bytes = |text: &str| -> [u8; 32] {
            std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        };
        let seed = bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let identity = NodeIdentity(Zeroizing::new(seed));
        assert_eq!(identity.peer_id(), PeerId::from_public_key(public));
        assert_eq!(*identity.seed(), seed);
    }

    #[test]
    fn the_seed_does_not_show_in_debug() {
        let identity = NodeIdentity(Zeroizing::new([0xAB; 32]));
        let text = format!("{identity:?}");
        assert!(text.starts_with("NodeIdentity(…"), "{text}");
        assert!(text.chars().count() < 24, "{text}");
    }

    /// Runs this very test in other processes, each of which prints the identity that it was given.
    #[test]
    fn processes_that_start_at_the_same_time_agree_on_one_identity() {
        if let Some(dir) = std::env::var_os(RACE_DIRECTORY) {
            let identity = NodeIdentity::load_or_create(Path::new(&dir)).unwrap();
            println!("{RACE_MARK}{}", identity.peer_id());
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let start = || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture", "--test-threads=1"])
                .arg("identity::tests::processes_that_start_at_the_same_time_agree_on_one_identity")
                .env(RACE_DIRECTORY, dir.path().join("cache"))
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        };
        let racers: Vec<_> = (0..8).map(|_| start()).collect();
        let printed: Vec<String> = racers
            .into_iter()
            .map(|racer| String::from_utf8(racer.wait_with_output().unwrap().stdout).unwrap())
            .collect();
        let identity = |text: &str| {
            let (_before, after) = text.split_once(RACE_MARK)?;
            after.lines().next().map(str::to_owned)
        };
        let seen: BTreeSet<_> = printed.iter().map(|text| identity(text).unwrap()).collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
    }

    const RACE_DIRECTORY: &str = "CACHE_CRYPTO_TEST_RACE_DIRECTORY";
    const RACE_MARK: &str = "identity: ";
}
