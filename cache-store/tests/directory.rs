//! The store's directory is private and used once.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]
#![cfg(unix)]

mod fixture;

use cache_core::port::{Change, Durability, Store as _};
use cache_store::{ENTRIES_FILE, OpenError, RedbStore};
use fixture::{WIDE, entry};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Keys lie elsewhere, so that the directory holds nothing but the store.
fn open(dir: &Path, keys: &Path) -> Result<RedbStore, OpenError> {
    RedbStore::open(dir, fixture::sealer(keys), WIDE)
}

#[test]
fn a_directory_that_is_made_and_its_files_are_the_owners_alone() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("a/b");
    let mut store = open(&dir, outer.path()).unwrap();
    store.apply(&[Change::Put(entry("r", "v"))], Durability::Immediate).unwrap();
    assert_eq!(mode(&dir), 0o700);
    for file in fs::read_dir(&dir).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn an_empty_directory_is_narrowed_and_a_file_that_others_may_read_too() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("d");
    fs::create_dir(&dir).unwrap();
    set_mode(&dir, 0o777);
    drop(open(&dir, outer.path()).unwrap());
    assert_eq!(mode(&dir), 0o700);
    let file = dir.join(ENTRIES_FILE);
    set_mode(&file, 0o644);
    drop(open(&dir, outer.path()).unwrap());
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_directory_in_use_for_something_else_keeps_its_mode_unless_others_may_write() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("d");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("diary.txt"), "dear diary").unwrap();
    set_mode(&dir, 0o755);
    drop(open(&dir, outer.path()).unwrap());
    assert_eq!(mode(&dir), 0o755);
    for wide in [0o775, 0o757, 0o777, 0o1777] {
        set_mode(&dir, wide);
        let refused = open(&dir, outer.path()).unwrap_err();
        assert!(matches!(&refused, OpenError::OpenToOthers { mode, .. } if *mode == wide), "{refused}");
        let text = refused.to_string();
        assert!(text.contains(&format!("{wide:04o}")) && text.contains("chmod go-w"), "{text}");
    }
}

#[test]
fn a_store_in_use_is_refused_by_its_holders_number_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let holder = open(dir.path(), dir.path()).unwrap();
    let before = fs::read(dir.path().join(ENTRIES_FILE)).unwrap();
    let refused = open(dir.path(), dir.path()).unwrap_err();
    let own = std::process::id();
    assert!(matches!(&refused, OpenError::InUse { pid: Some(pid), .. } if *pid == own), "{refused}");
    assert!(refused.to_string().contains(&own.to_string()));
    assert_eq!(fs::read(dir.path().join(ENTRIES_FILE)).unwrap(), before);
    drop(holder);
    open(dir.path(), dir.path()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_a_clear_error() {
    let outer = tempfile::tempdir().unwrap();
    let file = outer.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let refused = open(&file.join("d"), outer.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Directory { .. }), "{refused}");
    let dir = outer.path().join("d");
    fs::create_dir_all(dir.join(ENTRIES_FILE)).unwrap();
    let refused = open(&dir, outer.path()).unwrap_err();
    assert!(matches!(refused, OpenError::File { .. }), "{refused}");
    assert!(dir.join(ENTRIES_FILE).is_dir());
}
