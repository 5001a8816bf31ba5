//! What `up` has changed on this machine, so that `down` can undo it, also after a crash in between.
//!
//! It is written before anything is changed, in the cache directory, for its owner alone.

use crate::exit::CommandError;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// What `up` has changed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Journal {
    /// Whether `up` started the daemon, so that `down` stops it.
    pub(super) has_started: bool,
    /// What was changed in gh's settings.
    pub(super) gh: Option<GhChange>,
}

/// A change of gh's settings.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct GhChange {
    /// gh's settings file.
    pub(super) file: PathBuf,
    /// What the file held before; `None` if it was not there.
    pub(super) before: Option<String>,
    /// The directories above it that were not there before, the innermost first.
    pub(super) made: Vec<PathBuf>,
    /// What `http_unix_socket` was before; empty if it was not set.
    pub(super) former: String,
    /// What it was set to.
    pub(super) door: String,
    /// What the file held after the change; `None` if it was not seen.
    pub(super) after: Option<String>,
}

impl Journal {
    /// What the last `up` with `cache_dir` noted; `None` if nothing is to be undone.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read.
    pub(super) fn load(cache_dir: &Path) -> Result<Option<Self>, CommandError> {
        let path = path(cache_dir);
        let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
            let attempt = format!("cannot read {}, which says what `up` has changed", path.display());
            CommandError::failed(attempt, error)
        };
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.into())),
        }
    }

    /// Notes this, all or nothing.
    ///
    /// # Errors
    ///
    /// When it cannot be written; what was noted before stays.
    pub(super) fn save(&self, cache_dir: &Path) -> Result<(), CommandError> {
        let (path, fresh) = (path(cache_dir), cache_dir.join("up.json.new"));
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(|error| CommandError::failed(format!("cannot write {}", path.display()), error))
    }

    /// There is nothing to undo any more.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(super) fn remove(cache_dir: &Path) -> Result<(), CommandError> {
        let path = path(cache_dir);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CommandError::failed(format!("cannot remove {}", path.display()), error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn path(cache_dir: &Path) -> PathBuf {
    cache_dir.join("up.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_there_again_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Journal::load(directory.path()).unwrap(), None);
        let gh = GhChange {
            file: "/home/ann/.config/gh/config.yml".into(),
            before: Some("a: b\n".to_owned()),
            made: Vec::new(),
            former: String::new(),
            door: "/s".to_owned(),
            after: None,
        };
        let journal = Journal { has_started: true, gh: Some(gh) };
        journal.save(directory.path()).unwrap();
        assert_eq!(Journal::load(directory.path()).unwrap(), Some(journal));
        Journal::remove(directory.path()).unwrap();
        Journal::remove(directory.path()).unwrap();
        assert_eq!(Journal::load(directory.path()).unwrap(), None);
    }

    #[test]
    fn notes_that_cannot_be_read_are_no_reason_to_take_them_for_none() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(path(directory.path()), "{").unwrap();
        assert!(Journal::load(directory.path()).unwrap_err().to_string().contains("up.json"));
    }
}
