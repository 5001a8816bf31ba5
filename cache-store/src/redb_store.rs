//! The store on disk.
//!
//! Owns the directory and decides what happens to a file that cannot be used: it is set aside under a name that says
//! why, and a new one is begun. [`crate::entry_file`] owns what is in the file, [`crate::record`] what a record looks
//! like.

use crate::{
    catalog::Catalog,
    directory::{DirectoryLock, make_private, open_private, set_aside},
    entry_file::{EntryFile, Loaded, Trouble},
    figures::{MeasuredStore, StoreFigures},
    record::{Name, RecordSeal},
};
use cache_core::{
    Doubts, Entry, Key, Timestamp,
    port::{Budget, Change, Durability, Sealer, Store, StoreError},
};
use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};
use tracing::{debug, warn};

/// Keeps entries in one sealed file, [`ENTRIES_FILE`] in a directory of its own.
///
/// The file survives `kill -9` at any moment. One that is truncated, corrupt, sealed with another key or
/// written by a newer version is set aside with a warning, and the store begins empty; a single record that
/// cannot be read is dropped. Neither resources nor bodies can be read from the file without the key; how
/// many records there are, how large each is and when it becomes useless can.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// use {cache_core::{port::*, *}, cache_store::{DISK_BUDGET, RedbStore}, std::{sync::Arc, time::Duration}};
/// use cache_crypto::{NodeKey, StorageSealer};
///
/// let key = Key::new("r", Domain::ANONYMOUS);
/// let open = || -> Result<RedbStore, Box<dyn std::error::Error>> {
///     let sealer = StorageSealer::from_node_key(&NodeKey::load_or_create(dir)?);
///     Ok(RedbStore::open(dir, Arc::new(sealer), DISK_BUDGET)?)
/// };
/// let draft = Draft {
///     content: Content::of_value("body"),
///     freshness: Default::default(),
///     validators: Validators::default(),
///     age: Duration::ZERO,
/// };
/// let entry = Arc::new(Entry::new(key.clone(), draft, Timestamp::default(), 0));
/// open()?.apply(&[Change::Put(Arc::clone(&entry))], Durability::Immediate)?;
/// assert_eq!(open()?.load(&key)?.as_ref(), Some(&*entry));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedbStore {
    path: PathBuf,
    seal: RecordSeal,
    budget: Budget,
    /// `None` after a failure that redb does not go on after: the next call opens the file again.
    file: Option<EntryFile>,
    /// Found unreadable by a look-up, removed by the next change.
    unreadable: Vec<Name>,
    figures: Arc<StoreFigures>,
    catalog: Arc<Catalog>,
    _lock: DirectoryLock,
}

impl RedbStore {
    /// Opens the store in `dir`, which is made if need be. It then holds at most `budget`: entries as records,
    /// bytes as they lie in the file.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. Nothing was set aside or altered.
    pub fn open(dir: &Path, sealer: Arc<dyn Sealer>, budget: Budget) -> Result<Self, OpenError> {
        Self::prepare(dir)?;
        let failed = |source| OpenError::Directory { path: dir.into(), source };
        let lock = DirectoryLock::take(dir)
            .map_err(failed)?
            .map_err(|pid| OpenError::InUse { path: dir.into(), pid })?;
        let figures: Arc<StoreFigures> = Arc::default();
        let mut store = Self {
            path: dir.join(ENTRIES_FILE),
            seal: RecordSeal::new(sealer, Arc::clone(&figures)),
            budget,
            file: None,
            unreadable: Vec::new(),
            figures,
            catalog: Arc::default(),
            _lock: lock,
        };
        store
            .run("open the store", |file, seal| file.shrink(seal, budget))
            .map_err(|source| OpenError::File { path: store.path.clone(), source })?;
        Ok(store)
    }

    /// Makes `dir` if it is missing, and private if it is empty. Callers that put files of their own, such as the
    /// key, into it first need this; [`RedbStore::open`] does it as well.
    ///
    /// # Errors
    ///
    /// [`OpenError::OpenToOthers`] and [`OpenError::Directory`].
    pub fn prepare(dir: &Path) -> Result<(), OpenError> {
        let failed = |source| OpenError::Directory { path: dir.into(), source };
        let made = make_private(dir).map_err(failed)?;
        made.map_err(|mode| OpenError::OpenToOthers { path: dir.into(), mode })
    }

    /// Does `work` on the file, and opens the file first if necessary. A file that turns out to be unusable is
    /// replaced by an empty one, on which `work` is tried once more.
    fn run<T>(
        &mut self,
        attempt: &'static str,
        work: impl Fn(&mut EntryFile, &RecordSeal) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        for _ in 0..2 {
            match self.run_once(&work) {
                Ok(done) => return Ok(done),
                Err(Trouble::Damaged(what)) => self.replace("damaged", &what)?,
                Err(Trouble::ForeignKey) => self.replace("foreign-key", "another key sealed it")?,
                Err(Trouble::Newer) => self.replace("newer", "a newer version wrote it")?,
                Err(Trouble::Failed(source)) => return Err(StoreError::new(attempt, source)),
                Err(Trouble::InUse) => return Err(StoreError::of("another process has the store open")),
            }
        }
        Err(StoreError::of("a new store is unusable as well"))
    }

    fn run_once<T>(
        &mut self,
        work: impl Fn(&mut EntryFile, &RecordSeal) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let (path, seal, file) = (&self.path, &self.seal, self.file.take());
        let (figures, catalog) = (&self.figures, &self.catalog);
        // What corruption does to redb's trees is found by assertions in places.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut file = match file {
                Some(file) => file,
                None => {
                    let file = open_private(path).map_err(|error| Trouble::Failed(error.into()))?;
                    EntryFile::open(file, seal, Arc::clone(catalog), Arc::clone(figures))?
                }
            };
            let done = work(&mut file, seal)?;
            Ok((file, done))
        }));
        let (file, done) =
            outcome.unwrap_or_else(|_panic| Err(Trouble::Damaged("reading it panicked".into())))?;
        let totals = file.totals();
        self.figures.hold(totals.records, totals.bytes);
        self.file = Some(file);
        Ok(done)
    }

    fn replace(&mut self, reason: &'static str, what: &str) -> Result<(), StoreError> {
        let renamed = set_aside(&self.path, reason)
            .map_err(|error| StoreError::new(format!("set the {reason} store aside"), error))?;
        self.figures.count_set_aside();
        warn!(reason, what, path = %renamed.display(), "store set aside; beginning with an empty one");
        Ok(())
    }

    fn discard_unreadable(&mut self, sequences: &[u64]) -> Result<(), StoreError> {
        let names = std::mem::take(&mut self.unreadable);
        let count = names.len() + sequences.len();
        if count == 0 {
            return Ok(());
        }
        self.figures.count_unreadable(count as u64);
        warn!(count, "records that cannot be read are dropped");
        self.run("drop unreadable records", |file, seal| file.discard(seal, &names, sequences))
    }
}

impl Store for RedbStore {
    fn restore(&mut self, now: Timestamp, budget: Budget) -> Result<Vec<Entry>, StoreError> {
        let (entries, unreadable) =
            self.run("restore entries", |file, seal| file.restore(seal, now, budget))?;
        if let Err(error) = self.discard_unreadable(&unreadable) {
            debug!(%error, "unreadable records stay");
        }
        Ok(entries)
    }

    fn doubts(&mut self, now: Timestamp) -> Result<Doubts, StoreError> {
        self.run("restore doubts", |file, seal| file.doubts(seal, now))
    }

    fn load(&mut self, key: &Key) -> Result<Option<Entry>, StoreError> {
        match self.run("load an entry", |file, seal| file.load(seal, key))? {
            Loaded::Absent => Ok(None),
            Loaded::Entry(entry) => Ok(Some(*entry)),
            Loaded::Unreadable(name) => {
                self.unreadable.push(name);
                Ok(None)
            }
        }
    }

    fn apply(&mut self, changes: &[Change], durability: Durability) -> Result<u64, StoreError> {
        self.discard_unreadable(&[])?;
        let budget = self.budget;
        self.run("store entries", |file, seal| file.apply(seal, changes, budget, durability))
    }

    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let budget = self.budget;
        self.run("sweep the store", |file, seal| file.sweep(seal, now, budget))
    }
}

impl MeasuredStore for RedbStore {
    fn figures(&self) -> Arc<StoreFigures> {
        Arc::clone(&self.figures)
    }

    fn catalog(&self) -> Option<Arc<Catalog>> {
        Some(Arc::clone(&self.catalog))
    }

    /// Opens the file anew, which files each record under its name by the current key and seals it by that, in steps. After
    /// a crash in between the next start goes on with it, as long as it knows both keys.
    fn reseal(&mut self, sealer: Arc<dyn Sealer>) -> Result<(), StoreError> {
        let seal = RecordSeal::new(sealer, Arc::clone(&self.figures));
        let is_other = seal.key_name() != self.seal.key_name();
        let former = std::mem::replace(&mut self.seal, seal);
        if !is_other {
            return Ok(());
        }
        self.file = None;
        self.unreadable.clear();
        let reopened = self.run("seal the store anew", |_, _| Ok(()));
        if reopened.is_err() {
            self.file = None;
            self.seal = former;
        }
        reopened
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("path", &self.path)
            .field("figures", &self.figures)
            .finish_non_exhaustive()
    }
}

/// Why the store on disk cannot be used. Nothing was set aside or altered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("cannot use the cache directory {path}")]
    Directory {
        /// The directory that could not be opened.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be opened or begun.
    #[error("cannot open the store {path}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// Why it cannot be opened.
        source: StoreError,
    },
    /// Another process uses the directory.
    #[error("the cache directory {path} is in use by {}", process(.pid))]
    InUse {
        /// The directory that is in use.
        path: PathBuf,
        /// The other process, as far as it is known.
        pid: Option<u32>,
    },
    /// Others than the owner may write to the directory.
    #[error(
        "the cache directory {path} has mode {mode:04o}, so others may write to it; run `chmod go-w {path}` \
         or choose another"
    )]
    OpenToOthers {
        /// The directory that others can write to.
        path: PathBuf,
        /// The permission bits that it has.
        mode: u32,
    },
}

fn process(pid: &Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Name of the store's file in its directory.
pub const ENTRIES_FILE: &str = "entries.redb";

/// What a store on disk may hold unless told otherwise: twenty times the entries that memory holds by default, and as
/// many bytes as a runner's disk spares easily. The file stays within half as much again.
pub const DISK_BUDGET: Budget = Budget { entries_max: 20_000, bytes_max: 512 * 1024 * 1024 };

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::fault::set_disk_full;
    use cache_core::{Content, Domain, Draft, Validators, port::SealError};
    use std::time::Duration;

    /// Seals nothing: what matters here is where bytes go.
    struct Open;

    impl Sealer for Open {
        fn seal(&self, _context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
            Ok(plain.to_vec())
        }

        fn open(&self, _context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
            Ok(sealed.to_vec())
        }

        fn name(&self, text: &str) -> [u8; 32] {
            let mut name = [0; 32];
            for (at, byte) in text.bytes().enumerate() {
                name[at % 32] ^= byte;
            }
            name
        }
    }

    fn put(at: u64) -> Change {
        let mut state = at + 7;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(20_000)
        .collect();
        let draft = Draft {
            content: Content::of_value(noise),
            freshness: Default::default(),
            validators: Validators::default(),
            age: Duration::ZERO,
        };
        let key = Key::new(&format!("{at}"), Domain::ANONYMOUS);
        Change::Put(Arc::new(Entry::new(key, draft, Timestamp::default(), at)))
    }

    fn holds(store: &mut RedbStore, at: u64) -> bool {
        let Change::Put(entry) = put(at) else { unreachable!("it is a put") };
        let loaded = store.load(entry.key()).expect("the file can be read");
        loaded.is_some_and(|loaded| loaded == *entry)
    }

    #[test]
    fn a_full_disk_is_an_error_that_costs_nothing_durable_and_passes() {
        // The disk fills up at every write that storing makes, one after another.
        for writes in 0..40 {
            let dir = tempfile::tempdir().unwrap();
            let mut store = RedbStore::open(dir.path(), Arc::new(Open), DISK_BUDGET).unwrap();
            store.apply(&[put(1)], Durability::Immediate).unwrap();
            set_disk_full(Some(writes));
            let outcome = store.apply(&[put(2), put(3)], Durability::Immediate);
            let again = store.apply(&[put(4)], Durability::Immediate);
            set_disk_full(None);
            store.apply(&[put(5)], Durability::Immediate).unwrap();
            assert!(holds(&mut store, 1) && holds(&mut store, 5), "after {writes} writes");
            assert!(outcome.is_err() || (holds(&mut store, 2) && holds(&mut store, 3)));
            assert_eq!(holds(&mut store, 2), holds(&mut store, 3), "all or none");
            assert!(again.is_err() || holds(&mut store, 4));
            assert_eq!(store.figures().set_aside(), 0, "after {writes} writes");
        }
    }

    #[test]
    fn a_disk_that_is_full_from_the_start_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        set_disk_full(Some(0));
        let refused = RedbStore::open(dir.path(), Arc::new(Open), DISK_BUDGET).unwrap_err();
        set_disk_full(None);
        assert!(matches!(refused, OpenError::File { .. }));
        assert!(refused.to_string().contains(ENTRIES_FILE), "{refused}");
        RedbStore::open(dir.path(), Arc::new(Open), DISK_BUDGET).unwrap();
    }

    #[test]
    fn the_oldest_stored_give_way_when_a_budget_is_exceeded() {
        let dir = tempfile::tempdir().unwrap();
        let budget = Budget { entries_max: 100, bytes_max: 100_000 };
        let mut store = RedbStore::open(dir.path(), Arc::new(Open), budget).unwrap();
        for at in 0..20 {
            store.apply(&[put(at)], Durability::Eventual).unwrap();
            assert!(store.figures().bytes() <= 100_000);
        }
        let held: Vec<u64> = (0..20).filter(|at| holds(&mut store, *at)).collect();
        let kept = store.figures().records();
        assert!(kept > 0 && kept < 20);
        assert_eq!(held, ((20 - kept)..20).collect::<Vec<_>>());
        drop(store);
        let narrower = Budget { entries_max: 2, ..budget };
        let mut store = RedbStore::open(dir.path(), Arc::new(Open), narrower).unwrap();
        assert_eq!(store.figures().records(), kept);
        assert_eq!(store.sweep(Timestamp::default()).unwrap(), kept - 2);
        assert!(holds(&mut store, 18) && holds(&mut store, 19));
    }
}
