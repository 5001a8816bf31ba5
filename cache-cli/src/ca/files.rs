//! Where a certificate authority is kept: two files in a folder of its own below the cache directory.

use super::{CaError, CertificateAuthority, HostNames};
use rcgen::KeyPair;
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::SystemTime,
};
use zeroize::Zeroizing;

/// The files of a certificate authority.
#[derive(Clone, Debug)]
pub(crate) struct CaFiles {
    folder: PathBuf,
}

/// What a daemon found when it opened the certificate authority.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// One that is as it should be.
    Usable,
    /// None, so a first one was made.
    Nothing,
    /// One that was for other hosts or near its end, so a new one was made.
    Outdated,
}

impl CaFiles {
    /// Those of the daemon of `cache_dir`.
    pub(crate) fn of(cache_dir: &Path) -> Self {
        Self { folder: cache_dir.join("ca") }
    }

    /// The certificate, which clients are to trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    /// A file for the certificates that a command is to trust.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.folder.join("bundle.pem")
    }

    /// Reads it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, others may read the key, or what the files hold cannot be used.
    pub(crate) fn read(&self) -> Result<Option<CertificateAuthority>, CaError> {
        let Some(pem) = read(&self.certificate())? else { return Ok(None) };
        let unusable = |path: &Path, problem| CaError::Unusable { path: path.display().to_string(), problem };
        let path = self.key();
        let Some(key) = read(&path)?.map(Zeroizing::new) else {
            return Err(unusable(&path, "is missing"));
        };
        let mode = fs::metadata(&path).map_err(|error| file(&path, "read", error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(unusable(
                &path,
                "may be read by others, who could have copied it (chmod does not undo that)",
            ));
        }
        let key = KeyPair::from_pem(&key).map_err(|_error| unusable(&path, "holds no private key"))?;
        let authority = CertificateAuthority::from_pem(pem, key);
        authority.map(Some).map_err(|problem| unusable(&self.certificate(), problem))
    }

    /// Reads the one for `hosts`, or makes one.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`Self::renew`] do.
    pub(crate) fn open(
        &self,
        hosts: &HostNames,
        now: SystemTime,
    ) -> Result<(CertificateAuthority, Found), CaError> {
        let found = match self.read()? {
            Some(authority) if authority.is_for(hosts, now) => return Ok((authority, Found::Usable)),
            Some(_outdated) => Found::Outdated,
            None => Found::Nothing,
        };
        Ok((self.renew(hosts, now)?, found))
    }

    /// Makes a new one for `hosts` in place of what is there.
    ///
    /// # Errors
    ///
    /// When the files cannot be written, or a host has no name for a certificate. What was there stays then, or is gone; it
    /// is never mixed with what is new.
    pub(crate) fn renew(&self, hosts: &HostNames, now: SystemTime) -> Result<CertificateAuthority, CaError> {
        let authority = CertificateAuthority::new(hosts, now)?;
        self.remove()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        let made = made.and_then(|()| fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700)));
        made.map_err(|error| file(&self.folder, "written", error))?;
        let key = Zeroizing::new(authority.key.serialize_pem());
        // The certificate comes last: without it there is none.
        for (path, text) in [(self.key(), key.as_str()), (self.certificate(), authority.pem())] {
            write(&path, text).map_err(|error| file(&path, "written", error))?;
        }
        Ok(authority)
    }

    /// Deletes it. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// When a file cannot be deleted.
    pub(crate) fn remove(&self) -> Result<bool, CaError> {
        let mut was = false;
        // The certificate goes first: without it there is none.
        for path in [self.certificate(), self.key(), self.bundle()] {
            match fs::remove_file(&path) {
                Ok(()) => was = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(file(&path, "deleted", error)),
            }
        }
        Ok(was)
    }

    /// Writes `text` to the file for certificates that a command is to trust, whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn write_bundle(&self, text: &str) -> Result<PathBuf, CaError> {
        let path = self.bundle();
        write(&path, text).map_err(|error| file(&path, "written", error))?;
        Ok(path)
    }
}

fn read(path: &Path) -> Result<Option<String>, CaError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(CaError::Unusable { path: path.display().to_string(), problem: "is no text" })
        }
        Err(error) => Err(file(path, "read", error)),
    }
}

/// Another process sees the old file or the new one, and none but its owner reads either.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut fresh = path.to_owned();
    fresh.set_extension(format!("new-{}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().inspect_err(|_error| drop(fs::remove_file(&fresh)))
}

fn file(path: &Path, done: &'static str, error: io::Error) -> CaError {
    CaError::File { path: path.display().to_string(), done, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(name: &str) -> HostNames {
        HostNames::from([name.to_owned()])
    }

    #[test]
    fn the_first_use_makes_one_that_later_ones_find() {
        let folder = tempfile::tempdir().unwrap();
        let (files, now) = (CaFiles::of(folder.path()), SystemTime::now());
        assert!(files.read().unwrap().is_none());
        let (made, found) = files.open(&hosts("api.github.com"), now).unwrap();
        assert_eq!(found, Found::Nothing);
        let (again, found) = files.open(&hosts("api.github.com"), now).unwrap();
        assert_eq!((again.pem(), found), (made.pem(), Found::Usable));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&files.key()), mode(&files.folder)), (0o600, 0o700));
        let (other, found) = files.open(&hosts("ghe.example"), now).unwrap();
        assert_eq!((other.facts().hosts(), found), (&["ghe.example".to_owned()][..], Found::Outdated));
        assert!(files.remove().unwrap());
        assert!(!files.remove().unwrap());
        assert!(files.read().unwrap().is_none());
    }

    #[test]
    fn a_key_that_others_may_read_is_missing_or_is_garbage_is_refused_by_name_and_renewed_on_demand() {
        let folder = tempfile::tempdir().unwrap();
        let (files, now) = (CaFiles::of(folder.path()), SystemTime::now());
        let spoil: [fn(&CaFiles); 7] = [
            |files| fs::write(files.certificate(), b"\xff\xfe").unwrap(),
            |files| fs::write(files.key(), b"\xff\xfe").unwrap(),
            |files| fs::write(files.key(), "").unwrap(),
            |files| fs::set_permissions(files.key(), fs::Permissions::from_mode(0o640)).unwrap(),
            |files| fs::remove_file(files.key()).unwrap(),
            |files| fs::write(files.key(), "garbage").unwrap(),
            |files| fs::write(files.certificate(), "garbage").unwrap(),
        ];
        for spoil in spoil {
            files.renew(&hosts("api.github.com"), now).unwrap();
            spoil(&files);
            let text = files.open(&hosts("api.github.com"), now).err().unwrap().to_string();
            assert!(text.contains("/ca/") && text.contains("fleet-cache ca renew"), "{text}");
            assert!(!text.contains("PRIVATE"), "{text}");
        }
    }
}
