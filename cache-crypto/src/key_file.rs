//! Thirty-two bytes that a node keeps for itself, in a file that only its owner may read.
//!
//! Owns the files' form and permissions, and makes sure that processes which start at the same time agree on one.
//! [`NodeKey`](crate::NodeKey) and [`NodeIdentity`](crate::NodeIdentity) say what the bytes are for.

use crate::schedule::{Key32, checksum, fill_random};
use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Which of a node's two files of random bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyFile {
    /// The seed of the node's identity.
    Identity,
    /// The key that seals the node's store.
    NodeKey,
}

impl KeyFile {
    /// Its name in the cache directory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity.key",
            Self::NodeKey => "node.key",
        }
    }

    /// Reads the bytes in `dir`, or makes them, and the directory with them if need be.
    ///
    /// Of several processes that find none at the same time, one makes them and all read those.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`]. A file that is there is never altered.
    pub(crate) fn load_or_create(self, dir: &Path) -> Result<Key32, KeyFileError> {
        let path = dir.join(self.name());
        if let Some(bytes) = self.load(&path)? {
            return Ok(bytes);
        }
        let failed = |source| KeyFileError::Io { path: path.clone(), source };
        create_private_dir(dir).map_err(failed)?;
        let mut bytes = Key32::default();
        fill_random(&mut bytes[..]).map_err(|_no_entropy| KeyFileError::NoEntropy)?;
        publish(&path, &self.compose(&bytes)[..]).map_err(failed)?;
        // Another process may have been first: its bytes are the ones to use.
        self.load(&path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
    }

    /// The bytes in the file `path`; `None` if there is no such file.
    fn load(self, path: &Path) -> Result<Option<Key32>, KeyFileError> {
        let failed = |source| KeyFileError::Io { path: path.into(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        refuse_readable_by_others(path, &file.metadata().map_err(failed)?)?;
        // One byte more than such a file has, to notice a longer one without reading all of it.
        let mut bytes = Zeroizing::new([0; FILE_BYTES + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..]).map_err(failed)? {
                0 => break,
                read_bytes => length += read_bytes,
            }
        }
        let key = self.parse(&bytes[..length]);
        key.map(Some).ok_or_else(|| KeyFileError::Malformed { file: self, path: path.into() })
    }

    /// Magic with the version, key, checksum.
    fn compose(self, key: &Key32) -> Zeroizing<[u8; FILE_BYTES]> {
        let magic = self.magic();
        let mut bytes = Zeroizing::new([0; FILE_BYTES]);
        bytes[..8].copy_from_slice(magic);
        bytes[8..40].copy_from_slice(&key[..]);
        bytes[40..].copy_from_slice(&checksum(&[magic, &key[..]]));
        bytes
    }

    fn parse(self, bytes: &[u8]) -> Option<Key32> {
        let magic = self.magic();
        let (key, check) = bytes.strip_prefix(magic)?.split_first_chunk::<32>()?;
        let key = Zeroizing::new(*key);
        (check == checksum(&[magic, &key[..]])).then_some(key)
    }

    /// How the file begins, so that neither is taken for the other; the last byte is the version.
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Identity => b"flciden\x01",
            Self::NodeKey => b"flcnkey\x01",
        }
    }

    /// What there is to begin with once the file is removed.
    const fn after_removal(self) -> &'static str {
        match self {
            Self::Identity => "a new identity, which the other nodes' bootstrap addresses must then name",
            Self::NodeKey => "a new key and an empty store",
        }
    }
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "node identity",
            Self::NodeKey => "node key",
        })
    }
}

/// Why there is no key. The file is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file or its directory cannot be read or written.
    #[error("cannot read or write the key file {path}")]
    Io {
        /// The file that cannot be used.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is not a key file of this version, or was altered.
    #[error("{path} is not a {file} of this version; remove it to begin with {}", file.after_removal())]
    Malformed {
        /// The kind of file that it should be.
        file: KeyFile,
        /// The file with the wrong contents.
        path: PathBuf,
    },
    /// The operating system gives no entropy.
    #[error("the operating system gives no entropy for a key")]
    NoEntropy,
    /// Others than the owner may read or write the file.
    #[error(
        "the key file {path} has mode {mode:04o}, which lets others in; run `chmod 600 {path}`, or remove it \
         if they may have read it"
    )]
    OpenToOthers {
        /// The key file that others can read.
        path: PathBuf,
        /// The permission bits that it has.
        mode: u32,
    },
}

const FILE_BYTES: usize = 8 + 32 + 4;

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
fn refuse_readable_by_others(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(KeyFileError::OpenToOthers { path: path.into(), mode })
}

/// Elsewhere the permissions of the directory decide.
#[cfg(not(unix))]
fn refuse_readable_by_others(_path: &Path, _metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    const BOTH: [KeyFile; 2] = [KeyFile::Identity, KeyFile::NodeKey];

    #[test]
    fn the_bytes_stay_the_same_and_differ_from_all_others() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let nested = one.path().join("a/b");
        let first = BOTH.map(|file| file.load_or_create(&nested).unwrap());
        let again = BOTH.map(|file| file.load_or_create(&nested).unwrap());
        let elsewhere = BOTH.map(|file| file.load_or_create(two.path()).unwrap());
        assert_eq!(first, again);
        assert_ne!(first[0], first[1]);
        assert!(elsewhere.iter().all(|bytes| !first.contains(bytes)));
    }

    #[test]
    fn threads_that_race_for_the_first_start_all_get_the_same() {
        for file in BOTH {
            let dir = tempfile::tempdir().unwrap();
            let start = Barrier::new(8);
            let race = || {
                start.wait();
                file.load_or_create(dir.path()).unwrap()
            };
            let seen: Vec<_> = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            assert!(seen.iter().all(|bytes| *bytes == seen[0]));
            let left: Vec<_> =
                fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
            assert_eq!(left, [file.name()]);
        }
    }

    #[test]
    fn a_file_that_is_cut_off_too_long_or_altered_is_refused_and_kept() {
        for file in BOTH {
            let dir = tempfile::tempdir().unwrap();
            file.load_or_create(dir.path()).unwrap();
            let path = dir.path().join(file.name());
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
                let refused = file.load_or_create(dir.path()).unwrap_err();
                assert!(matches!(refused, KeyFileError::Malformed { .. }), "{refused}");
                assert_eq!(fs::read(&path).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn one_file_is_never_taken_for_the_other() {
        let dir = tempfile::tempdir().unwrap();
        KeyFile::NodeKey.load_or_create(dir.path()).unwrap();
        let name = |file: KeyFile| dir.path().join(file.name());
        fs::rename(name(KeyFile::NodeKey), name(KeyFile::Identity)).unwrap();
        let text = KeyFile::Identity.load_or_create(dir.path()).unwrap_err().to_string();
        assert!(text.contains("is not a node identity") && text.contains("remove it"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_private_and_refused_when_others_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        for file in BOTH {
            let dir = tempfile::tempdir().unwrap();
            let nested = dir.path().join("cache");
            file.load_or_create(&nested).unwrap();
            let path = nested.join(file.name());
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
            assert_eq!((mode(&nested), mode(&path)), (0o700, 0o600));
            for wide in [0o640, 0o604, 0o620, 0o644] {
                fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
                let refused = file.load_or_create(&nested).unwrap_err();
                assert!(matches!(&refused, KeyFileError::OpenToOthers { mode, .. } if *mode == wide));
                let text = refused.to_string();
                assert!(text.contains(&format!("{wide:04o}")) && text.contains("chmod 600"), "{text}");
            }
        }
    }
}
