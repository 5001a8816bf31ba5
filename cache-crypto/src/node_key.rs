//! The key that a node keeps for itself, in a file that nobody else may read.

use crate::schedule::{Key32, NODE_SALT, Purpose, RootKey, checksum, fill_random};
use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A node's own key: seals what the node stores when no fleet secret is set.
///
/// Thirty-two random bytes in the file [`NODE_KEY_FILE`] of the cache directory, readable by its owner alone.
/// Whoever can read the file can read the store; it keeps a copied store or a backup closed.
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
    /// [`NodeKeyError`]. A key file that is there is never altered.
    pub fn load_or_create(dir: &Path) -> Result<Self, NodeKeyError> {
        let path = dir.join(NODE_KEY_FILE);
        if let Some(key) = Self::load(&path)? {
            return Ok(key);
        }
        let failed = |source| NodeKeyError::Io { path: path.clone(), source };
        create_private_dir(dir).map_err(failed)?;
        let mut bytes = Key32::default();
        fill_random(&mut bytes[..]).map_err(|_no_entropy| NodeKeyError::NoEntropy)?;
        publish(&path, &file_bytes(&bytes)[..]).map_err(failed)?;
        // Another process may have been first: its key is the one to use.
        Self::load(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    pub(crate) fn derive(&self, purpose: Purpose) -> Key32 {
        self.0.derive(purpose)
    }

    /// The key in the file `path`; `None` if there is no such file.
    fn load(path: &Path) -> Result<Option<Self>, NodeKeyError> {
        let failed = |source| NodeKeyError::Io { path: path.into(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        refuse_readable_by_others(path, &file.metadata().map_err(failed)?)?;
        // One byte more than a key file has, to notice one that is too long without reading all of it.
        let mut bytes = Zeroizing::new([0; FILE_BYTES + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..]).map_err(failed)? {
                0 => break,
                read_bytes => length += read_bytes,
            }
        }
        let key =
            parse_file(&bytes[..length]).ok_or_else(|| NodeKeyError::Malformed { path: path.into() })?;
        Ok(Some(Self(RootKey::of_random(&key, NODE_SALT))))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeKey")
    }
}

/// Why there is no node key. The file is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeKeyError {
    /// The file or its directory cannot be read or written.
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not a key file of this version, or was altered.
    Malformed {
        /// The key file.
        path: PathBuf,
    },
    /// The operating system gives no entropy.
    NoEntropy,
    /// Others than the owner may read or write the file.
    OpenToOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for NodeKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "cannot read or write the node key {}", path.display()),
            Self::Malformed { path } => write!(
                f,
                "{} is not a node key of this version; remove it to begin with a new key and an empty store",
                path.display()
            ),
            Self::NoEntropy => f.write_str("the operating system gives no entropy for a node key"),
            Self::OpenToOthers { path, mode } => write!(
                f,
                "the node key {path} has mode {mode:04o}, which lets others in; run `chmod 600 {path}`, or remove it \
                 if they may have read it",
                path = path.display()
            ),
        }
    }
}

impl std::error::Error for NodeKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Malformed { .. } | Self::NoEntropy | Self::OpenToOthers { .. } => None,
        }
    }
}

/// Name of the key file in the cache directory.
pub const NODE_KEY_FILE: &str = "node.key";

const MAGIC: &[u8; 8] = b"flcnkey\x01";
const FILE_BYTES: usize = MAGIC.len() + 32 + 4;

/// Magic with the version, key, checksum.
fn file_bytes(key: &Key32) -> Zeroizing<[u8; FILE_BYTES]> {
    let mut bytes = Zeroizing::new([0; FILE_BYTES]);
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..40].copy_from_slice(&key[..]);
    bytes[40..].copy_from_slice(&checksum(&[MAGIC, &key[..]]));
    bytes
}

fn parse_file(bytes: &[u8]) -> Option<Key32> {
    let (key, check) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
    let key = Zeroizing::new(*key);
    (check == checksum(&[MAGIC, &key[..]])).then_some(key)
}

/// Puts `bytes` at `path` whole and durably, unless something is there already.
fn publish(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut suffix = [0; 8];
    fill_random(&mut suffix).map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{:016x}.tmp", u64::from_le_bytes(suffix)));
    let published = write_private(&draft, bytes).and_then(|()| link_or_rename(&draft, path));
    // Gone already if it was renamed; a draft left behind is a key that nothing uses.
    let _absent = fs::remove_file(&draft);
    published?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// A link is never made over another file, a rename is: it is for file systems without links only.
fn link_or_rename(draft: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_no_links) if !path.exists() => fs::rename(draft, path),
        other => other,
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

#[cfg(unix)]
fn refuse_readable_by_others(path: &Path, metadata: &fs::Metadata) -> Result<(), NodeKeyError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(NodeKeyError::OpenToOthers { path: path.into(), mode })
}

/// Elsewhere the permissions of the directory decide.
#[cfg(not(unix))]
fn refuse_readable_by_others(_path: &Path, _metadata: &fs::Metadata) -> Result<(), NodeKeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StorageSealer;
    use cache_core::port::Sealer as _;
    use std::sync::Barrier;

    fn name_in(dir: &Path) -> [u8; 32] {
        StorageSealer::from_node_key(&NodeKey::load_or_create(dir).unwrap()).name("k")
    }

    #[test]
    fn a_key_stays_the_same_and_differs_from_every_other() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let nested = one.path().join("a/b");
        assert_eq!(name_in(&nested), name_in(&nested));
        assert_ne!(name_in(&nested), name_in(two.path()));
    }

    #[test]
    fn threads_that_race_for_the_first_key_all_get_one() {
        let dir = tempfile::tempdir().unwrap();
        let start = Barrier::new(8);
        let names: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        name_in(dir.path())
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]));
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, [NODE_KEY_FILE]);
    }

    #[test]
    fn a_file_that_is_cut_off_too_long_or_altered_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        name_in(dir.path());
        let path = dir.path().join(NODE_KEY_FILE);
        let whole = fs::read(&path).unwrap();
        assert_eq!(whole.len(), FILE_BYTES);
        let mut damaged: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
        damaged.push([&whole[..], b"x"].concat());
        for at in 0..whole.len() {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            damaged.push(altered);
        }
        for bytes in damaged {
            fs::write(&path, &bytes).unwrap();
            let refused = NodeKey::load_or_create(dir.path()).unwrap_err();
            assert!(matches!(refused, NodeKeyError::Malformed { .. }), "{refused}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_is_private_and_refused_when_others_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let nested = dir.path().join("cache");
        name_in(&nested);
        let path = nested.join(NODE_KEY_FILE);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&nested), mode(&path)), (0o700, 0o600));
        for wide in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
            let refused = NodeKey::load_or_create(&nested).unwrap_err();
            assert!(matches!(&refused, NodeKeyError::OpenToOthers { mode, .. } if *mode == wide));
            let text = refused.to_string();
            assert!(text.contains(&format!("{wide:04o}")) && text.contains("chmod 600"), "{text}");
        }
    }
}
