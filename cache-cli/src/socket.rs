//! Unix sockets that only the intended users can use: they replace what a dead daemon left, and clean up.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};
use tokio::net::UnixStream;

/// A socket in the file system on which this process listens.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    inode: u64,
}

/// Why there can be no socket at a path. What was there still is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// Another process listens on it.
    #[error(
        "is in use by another process{}; stop it, or give another path",
        pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
    )]
    InUse {
        /// The path of the socket.
        path: PathBuf,
        /// The number of that process, if the system tells.
        pid: Option<i32>,
    },
    /// It cannot be given to the group that was asked for.
    #[error("cannot be given to the group {group}: {error}; name a group that this user is in")]
    Group {
        /// The path of the socket.
        path: PathBuf,
        /// The group, by its number.
        group: u32,
        /// What the system says.
        error: io::Error,
    },
    /// Something else is there.
    #[error("exists and is not a socket; remove it or give another path")]
    NoSocket(PathBuf),
    /// The path is longer than clients can name.
    #[error("is longer than {SOCKET_PATH_BYTES_MAX} bytes, the most for a socket; give a shorter one")]
    TooLong(PathBuf),
    /// The system does not allow it.
    #[error("cannot be used: {error}; name a path in a directory where the daemon's user may write")]
    Refused {
        /// The path of the socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl SocketError {
    /// The path at which there can be none.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::InUse { path, .. }
            | Self::Group { path, .. }
            | Self::NoSocket(path)
            | Self::TooLong(path)
            | Self::Refused { path, .. } => path,
        }
    }
}

/// The users that the file system lets connect to a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Access {
    /// The permission bits of the socket.
    pub(crate) mode: u32,
    /// The number of the group that it belongs to; without one, this process's own.
    pub(crate) group: Option<u32>,
}

impl Access {
    /// Only its owner may connect.
    pub(crate) const OWNER: Self = Self { mode: 0o600, group: None };
}

impl Socket {
    /// Listens on a socket at `path` that only the users in `access` can use.
    ///
    /// The socket is made in a directory that no other user can enter and is moved into place with its final mode, so
    /// there is no moment at which another user could connect.
    ///
    /// # Errors
    ///
    /// When the path is taken by the living, or cannot be had.
    pub(crate) async fn listen(
        path: &Path,
        access: Access,
    ) -> Result<(Self, tokio::net::UnixListener), SocketError> {
        let refused = |error| SocketError::Refused { path: path.to_owned(), error };
        check_free(path).await?;
        let listener = bind_private(path, access)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let inode = fs::symlink_metadata(path).map_err(refused)?.ino();
        let listener = tokio::net::UnixListener::from_std(listener).map_err(refused)?;
        let socket = Self { path: path.to_owned(), inode };
        Ok((socket, listener))
    }
}

impl Drop for Socket {
    /// Removes the socket unless another process has put its own there.
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // A socket that stays behind is recognised as dead by the next daemon.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Connects to the socket at `path`, however long its name is.
///
/// # Errors
///
/// Fails as the system says: with `NotFound` or `ConnectionRefused` if nothing listens.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (_directory, short) = short_path(path)?;
    UnixStream::connect(short).await
}

/// Refuses a path that unmodified clients could not connect to.
///
/// # Errors
///
/// When it is too long.
pub(crate) fn check_nameable(path: &Path) -> Result<(), SocketError> {
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(SocketError::TooLong(path.to_owned()));
    }
    Ok(())
}

async fn check_free(path: &Path) -> Result<(), SocketError> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NoSocket(path.to_owned()));
    }
    match connect(path).await {
        Ok(stream) => Err(SocketError::InUse {
            path: path.to_owned(),
            pid: stream.peer_cred().ok().and_then(|peer| peer.pid()),
        }),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SocketError::Refused { path: path.to_owned(), error }),
    }
}

fn bind_private(path: &Path, access: Access) -> Result<UnixListener, SocketError> {
    let refused = |error| SocketError::Refused { path: path.to_owned(), error };
    let private = parent(path).join(format!(".fc{}", std::process::id()));
    // Left by a process that died right here and had our number.
    drop(fs::remove_dir_all(&private));
    DirBuilder::new().mode(0o700).create(&private).map_err(refused)?;
    let listener = bind_inside(&private.join("s"), path, access);
    fs::remove_dir_all(&private).map_err(refused)?;
    listener
}

/// Binds at `inside`, where no other user can come, and moves the socket to `path` once it has its final owner and
/// mode.
fn bind_inside(inside: &Path, path: &Path, access: Access) -> Result<UnixListener, SocketError> {
    let refused = |error| SocketError::Refused { path: path.to_owned(), error };
    let (_directory, short) = short_path(inside).map_err(refused)?;
    let listener = UnixListener::bind(short).map_err(refused)?;
    if let Some(group) = access.group {
        let no_group = |error| SocketError::Group { path: path.to_owned(), group, error };
        std::os::unix::fs::chown(inside, None, Some(group)).map_err(no_group)?;
    }
    fs::set_permissions(inside, Permissions::from_mode(access.mode)).map_err(refused)?;
    fs::rename(inside, path).map_err(refused)?;
    Ok(listener)
}

/// A name for `path` that fits a socket address, and what must stay open while it is used.
///
/// Linux lets an open directory be named by its number, however long its path is.
fn short_path(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    if !cfg!(target_os = "linux") || path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok((None, path.to_owned()));
    }
    let Some(name) = path.file_name() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = File::open(parent(path))?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&directory);
    let short = Path::new("/proc/self/fd").join(number.to_string()).join(name);
    Ok((Some(directory), short))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Longest path of a socket that every client can name, in bytes: `sun_path` of the platform less its NUL.
const SOCKET_PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owners_alone_and_goes_with_its_listener() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (socket, _listener) = Socket::listen(&path, Access::OWNER).await.unwrap();
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_is_opened_to_whom_its_owner_says() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let own = fs::metadata(directory.path()).unwrap().gid();
        let access = Access { mode: 0o660, group: Some(own) };
        let (_socket, _listener) = Socket::listen(&path, access).await.unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert_eq!((found.permissions().mode() & 0o777, found.gid()), (0o660, own));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[tokio::test]
    async fn a_living_socket_is_refused_and_a_dead_one_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (socket, listener) = Socket::listen(&path, Access::OWNER).await.unwrap();
        let text = Socket::listen(&path, Access::OWNER).await.unwrap_err().to_string();
        assert!(text.contains("in use"), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains(&format!("(pid {})", std::process::id())), "{text}");
        }
        drop(listener);
        let (_replaced, _listener) = Socket::listen(&path, Access::OWNER).await.unwrap();
        // The first owner must not take its successor's socket away.
        drop(socket);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        fs::write(&path, "precious").unwrap();
        let refused = Socket::listen(&path, Access::OWNER).await;
        assert!(matches!(refused, Err(SocketError::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_path_longer_than_a_socket_address_still_works() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let path = deep.join("admin.sock");
        assert!(check_nameable(&path).is_err());
        let (_socket, listener) = Socket::listen(&path, Access::OWNER).await.unwrap();
        let (connected, accepted) = tokio::join!(connect(&path), listener.accept());
        assert!(connected.is_ok() && accepted.is_ok());
    }
}
