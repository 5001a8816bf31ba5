//! One daemon per cache directory.

use crate::{exit::CommandError, settings::Sources};
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Held for as long as the daemon uses its cache directory; given back when dropped, even by a crash.
#[derive(Debug)]
pub(crate) struct InstanceLock {
    _file: File,
}

/// Why the directory cannot be had. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Another daemon has it.
    #[error(
        "is in use by another fleet-cache{}; stop it, or give this one another --cache-dir",
        pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    Held {
        /// The directory that is in use.
        directory: PathBuf,
        /// The other's process id, if it could be read.
        pid: Option<u32>,
    },
    /// It cannot be made or written.
    #[error("cannot be used: {error}; name a directory where the daemon's user may write")]
    Unusable {
        /// The directory that cannot be used.
        directory: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl LockError {
    /// What a person is told; where the directory came from, if that is known.
    fn of_setting(self, sources: Option<&Sources>) -> CommandError {
        let (Self::Held { directory, .. } | Self::Unusable { directory, .. }) = &self;
        let text = match sources {
            Some(sources) => sources.fault("cache-dir", directory.display(), &self),
            None => format!("cache-dir {directory:?} {self}"),
        };
        match self {
            Self::Held { .. } => CommandError::InUse(text.into()),
            Self::Unusable { .. } => CommandError::Usage(text.into()),
        }
    }
}

impl InstanceLock {
    /// Makes `directory`, readable to its owner alone, unless it is there; and takes it.
    ///
    /// # Errors
    ///
    /// When another process has it, or it cannot be written.
    pub(crate) fn acquire(directory: &Path, sources: Option<&Sources>) -> Result<Self, CommandError> {
        Self::take(directory).map_err(|error| error.of_setting(sources))
    }

    fn take(directory: &Path) -> Result<Self, LockError> {
        let unusable = |error| LockError::Unusable { directory: directory.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(LOCK_FILE))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { directory: directory.to_owned(), pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        write_pid(&mut file).map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

const LOCK_FILE: &str = "fleet-cache.lock";
/// Longest process id with its line break: ten digits.
const PID_BYTES_MAX: u64 = 11;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_second_daemon_learns_the_pid_of_the_first() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("a/b");
        let held = InstanceLock::take(&directory).unwrap();
        let text = InstanceLock::take(&directory).unwrap_err().to_string();
        assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
        drop(held);
        assert!(InstanceLock::take(&directory).is_ok());
    }

    #[test]
    fn a_new_directory_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("c");
        let _held = InstanceLock::take(&directory).unwrap();
        let mode = directory.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
