//! The members that a node remembers over a restart, in a small file beside the entries.
//!
//! Owns the file and its form: addresses, one a line, sealed. They name no repository and no secret, but they tell
//! where a fleet is, and the node would dial addresses that another user wrote there.

use crate::directory::open_private;
use cache_core::{
    ADDRESS_BYTES_MAX, MEMBER_ADDRESSES_MAX, Member, PeerId, REMEMBERED_MAX, peer_of_address, port::Sealer,
};
use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The file in one directory.
#[derive(Clone)]
pub struct MembersFile {
    path: PathBuf,
    sealer: Arc<dyn Sealer>,
}

impl MembersFile {
    /// The file in `dir`, which need not be there yet.
    pub fn new(dir: &Path, sealer: Arc<dyn Sealer>) -> Self {
        Self { path: dir.join(MEMBERS_FILE), sealer }
    }

    /// The members that are kept, in the order in which they were; none if there is no file.
    ///
    /// # Errors
    ///
    /// [`MembersFileError`]; the file stays as it is, and the next [`save`](Self::save) replaces it.
    pub fn load(&self) -> Result<Vec<Member>, MembersFileError> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(MembersFileError::Io(error)),
        };
        if !metadata.is_file() {
            return Err(MembersFileError::NoFile);
        }
        let mut sealed = Vec::new();
        let file = fs::File::open(&self.path).map_err(MembersFileError::Io)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut sealed).map_err(MembersFileError::Io)?;
        if sealed.len() as u64 > FILE_BYTES_MAX {
            return Err(MembersFileError::TooLong { bytes: metadata.len() });
        }
        let plain = self.sealer.open(CONTEXT, &sealed).map_err(|_sealed| MembersFileError::Sealed)?;
        let text = String::from_utf8(plain).map_err(|_bytes| MembersFileError::Malformed)?;
        members_in(&text).ok_or(MembersFileError::Malformed)
    }

    /// Keeps `members`, the first [`REMEMBERED_MAX`] of them, in place of those before, whole or not at all.
    ///
    /// # Errors
    ///
    /// When the disk does not take it. What was kept before stays.
    pub fn save(&self, members: &[Member]) -> io::Result<()> {
        let lines = members.iter().take(REMEMBERED_MAX).flat_map(Member::addresses);
        let text: String = lines.map(|line| line + "\n").collect();
        let sealed = self.sealer.seal(CONTEXT, text.as_bytes()).map_err(io::Error::other)?;
        let draft = self.path.with_extension("tmp");
        let mut file = open_private(&draft)?;
        file.set_len(0)?;
        file.write_all(&sealed)?;
        file.sync_all()?;
        fs::rename(&draft, &self.path)
    }
}

impl fmt::Debug for MembersFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MembersFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Why the members that were kept are not known. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MembersFileError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// The file does not hold addresses of members.
    #[error("it holds no addresses of members")]
    Malformed,
    /// There is something else in its place.
    #[error("it is not a file")]
    NoFile,
    /// It was sealed with another key, or altered.
    #[error("it was sealed with another key, or altered")]
    Sealed,
    /// It is longer than any that is written.
    #[error("it is {bytes} bytes long, the limit is {FILE_BYTES_MAX}")]
    TooLong {
        /// Length of the file, in bytes.
        bytes: u64,
    },
}

/// The members whose addresses `text` has; `None` if it has anything else in it.
fn members_in(text: &str) -> Option<Vec<Member>> {
    let mut found: Vec<(PeerId, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        let peer = peer_of_address(line)?;
        match found.last_mut().filter(|(last, _)| *last == peer) {
            Some((_, lines)) => lines.push(line),
            None => found.push((peer, vec![line])),
        }
    }
    Some(found.into_iter().map(|(peer, lines)| Member::new(peer, 0, lines)).collect())
}

/// The file's name in its directory.
pub const MEMBERS_FILE: &str = "members.sealed";

const CONTEXT: &[u8] = b"fleet-cache members 1";

/// Most bytes of the file: all that can be remembered, with room for the ids in the addresses and for the seal.
const FILE_BYTES_MAX: u64 = (REMEMBERED_MAX * MEMBER_ADDRESSES_MAX * (ADDRESS_BYTES_MAX + 128) + 1024) as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::port::SealError;
    use tempfile::TempDir;

    /// Seals by saying with which key and for what.
    struct Label(&'static str);

    impl Sealer for Label {
        fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
            Ok([self.0.as_bytes(), context, plain].concat())
        }

        fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
            let head = [self.0.as_bytes(), context].concat();
            sealed.strip_prefix(&head[..]).map(<[u8]>::to_vec).ok_or(SealError)
        }

        fn name(&self, _text: &str) -> [u8; 32] {
            [0; 32]
        }
    }

    fn file(dir: &TempDir, key: &'static str) -> MembersFile {
        MembersFile::new(dir.path(), Arc::new(Label(key)))
    }

    fn member(number: u8, addresses: usize) -> Member {
        let addresses = (0..addresses).map(|host| format!("/ip4/10.0.0.{host}/udp/1/quic-v1"));
        Member::new(PeerId::from_public_key([number; 32]), 0, addresses)
    }

    #[test]
    fn who_is_kept_is_there_again_in_a_private_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(file(&dir, "k").load().unwrap(), []);
        let members = [member(1, 4), member(2, 1), member(3, 2)];
        for kept in [&members[..], &members[1..]] {
            file(&dir, "k").save(kept).unwrap();
            assert_eq!(file(&dir, "k").load().unwrap(), kept);
        }
        let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), [MEMBERS_FILE]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(dir.path().join(MEMBERS_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn the_most_that_can_be_remembered_fits() {
        let dir = tempfile::tempdir().unwrap();
        let long = |host: usize| format!("/dns/{host}{}", "x".repeat(ADDRESS_BYTES_MAX - 6));
        let members: Vec<Member> = (0..20)
            .map(|number| {
                let peer = PeerId::from_public_key([number; 32]);
                Member::new(peer, 0, (0..MEMBER_ADDRESSES_MAX).map(long))
            })
            .collect();
        file(&dir, "k").save(&members).unwrap();
        let loaded = file(&dir, "k").load().unwrap();
        assert_eq!(loaded, members[..REMEMBERED_MAX]);
        assert_eq!(loaded[0].addresses().count(), MEMBER_ADDRESSES_MAX);
    }

    #[test]
    fn what_is_damaged_foreign_or_too_long_is_an_error_and_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(MEMBERS_FILE);
        let sealed = |plain: &[u8]| Label("k").seal(CONTEXT, plain).unwrap();
        type Expected = fn(&MembersFileError) -> bool;
        let rows: [(Vec<u8>, Expected); 6] = [
            (Label("other").seal(CONTEXT, b"").unwrap(), |error| matches!(error, MembersFileError::Sealed)),
            (Label("k").seal(b"entries", b"").unwrap(), |error| matches!(error, MembersFileError::Sealed)),
            (Vec::new(), |error| matches!(error, MembersFileError::Sealed)),
            (sealed(b"\xff"), |error| matches!(error, MembersFileError::Malformed)),
            (sealed(b"/ip4/10.0.0.1/tcp/1\n"), |error| matches!(error, MembersFileError::Malformed)),
            (vec![b'k'; 1 << 20], |error| matches!(error, MembersFileError::TooLong { bytes: 1_048_576 })),
        ];
        for (bytes, expected) in rows {
            fs::write(&path, bytes).unwrap();
            let error = file(&dir, "k").load().unwrap_err();
            assert!(expected(&error), "{error}");
            file(&dir, "k").save(&[member(1, 1)]).unwrap();
            assert_eq!(file(&dir, "k").load().unwrap(), [member(1, 1)]);
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(file(&dir, "k").load(), Err(MembersFileError::NoFile)));
        assert!(file(&dir, "k").save(&[]).is_err());
    }
}
