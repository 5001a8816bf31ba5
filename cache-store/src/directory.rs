//! The store's directory: private, used by one process at a time, and tidy.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// Holds the directory for this process, until dropped or killed.
pub(crate) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the directory. If another process has it, returns the id of that process, as far as it is known.
    pub(crate) fn take(dir: &Path) -> io::Result<Result<Self, Option<u32>>> {
        let mut file = open_private(&dir.join(LOCK_FILE))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _unknown = file.take(PID_BYTES_MAX).read_to_string(&mut holder);
                return Ok(Err(holder.trim().parse().ok()));
            }
            // A file system without locks: redb's own lock is all there is, or nothing.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Ok(Self { _file: file }))
    }
}

/// Makes sure that `dir` exists and that no other user can plant files in it.
///
/// A directory that is made here, or found empty, is closed to other users. A directory that already holds something
/// keeps its mode, which may be what its owner wants: what is in it is sealed and has mode 0600.
///
/// # Errors
///
/// `Ok(Err(mode))` if others may write to it: nothing was changed.
pub(crate) fn make_private(dir: &Path) -> io::Result<Result<(), u32>> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(dir)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 && fs::read_dir(dir)?.next().is_none() {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        } else if mode & 0o022 != 0 {
            return Ok(Err(mode));
        }
    }
    Ok(Ok(()))
}

/// Opens `path` for reading and writing, and creates it; only the owner may read it afterwards.
pub(crate) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

/// Renames the file at `path` so that its name says why, drops the oldest such files beyond [`SET_ASIDE_MAX`], and
/// returns the new name.
pub(crate) fn set_aside(path: &Path, reason: &str) -> io::Result<PathBuf> {
    let mut earlier = earlier_set_aside(path)?;
    let number = earlier.last().map_or(1, |(number, _)| number + 1);
    let mut renamed = path.as_os_str().to_owned();
    renamed.push(format!(".{reason}-{number}"));
    let renamed = PathBuf::from(renamed);
    fs::rename(path, &renamed)?;
    earlier.push((number, renamed.clone()));
    let surplus = earlier.len().saturating_sub(SET_ASIDE_MAX);
    for (_, oldest) in &earlier[..surplus] {
        fs::remove_file(oldest)?;
    }
    Ok(renamed)
}

/// Most files that are kept set aside: each may be as large as the store.
pub(crate) const SET_ASIDE_MAX: usize = 3;

const LOCK_FILE: &str = "entries.lock";
/// More than any process id has digits.
const PID_BYTES_MAX: u64 = 32;

/// The files set aside from `path` before, in that order.
fn earlier_set_aside(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let file = file?;
        let number = file.file_name().to_str().and_then(|other| {
            let suffix = other.strip_prefix(name)?.strip_prefix('.')?;
            suffix.rsplit_once('-')?.1.parse().ok()
        });
        found.extend(number.map(|number| (number, file.path())));
    }
    found.sort_unstable();
    Ok(found)
}
