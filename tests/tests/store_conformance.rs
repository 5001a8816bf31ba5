//! Both stores through the suite for stores.

use anyhow::Context as _;
use cache_conformance::store::{Place, StoreFactory};
use cache_core::{
    Key,
    port::{Budget, SealError, Sealer, Store},
};
use cache_crypto::{FleetSecret, StorageSealer};
use cache_store::{ENTRIES_FILE, MemoryStore, RedbStore};
use parking_lot::Mutex;
use std::{fs, sync::Arc};
use tempfile::TempDir;

mod in_memory {
    use super::MemoryFactory;
    cache_conformance::store_conformance!(MemoryFactory);
}

mod on_disk {
    use super::RedbFactory;
    cache_conformance::store_conformance!(RedbFactory);
}

struct MemoryFactory;

impl StoreFactory for MemoryFactory {
    fn place(&self) -> anyhow::Result<Box<dyn Place>> {
        Ok(Box::new(Nowhere))
    }
}

/// A store in memory lies nowhere.
struct Nowhere;

impl Place for Nowhere {
    fn open(&mut self, budget: Budget) -> anyhow::Result<Box<dyn Store>> {
        Ok(Box::new(MemoryStore::new(budget)))
    }

    fn outlives_the_process(&self) -> bool {
        false
    }

    fn after_a_crash(&self) -> anyhow::Result<Box<dyn Place>> {
        anyhow::bail!("nothing outlives the process")
    }

    fn damage(&self, _key: &Key) -> bool {
        false
    }
}

struct RedbFactory;

impl StoreFactory for RedbFactory {
    fn place(&self) -> anyhow::Result<Box<dyn Place>> {
        let sealer = StorageSealer::from_secret(&FleetSecret::generate()?);
        let sealer = Arc::new(Forgetful { sealer, forgotten: Mutex::default() });
        Ok(Box::new(Folder { dir: tempfile::tempdir()?, sealer }))
    }
}

struct Folder {
    dir: TempDir,
    sealer: Arc<Forgetful>,
}

impl Place for Folder {
    fn open(&mut self, budget: Budget) -> anyhow::Result<Box<dyn Store>> {
        let sealer = Arc::clone(&self.sealer);
        Ok(Box::new(RedbStore::open(self.dir.path(), sealer, budget)?))
    }

    fn outlives_the_process(&self) -> bool {
        true
    }

    /// What was written to the file is what a killed process leaves.
    fn after_a_crash(&self) -> anyhow::Result<Box<dyn Place>> {
        let dir = tempfile::tempdir()?;
        fs::copy(self.dir.path().join(ENTRIES_FILE), dir.path().join(ENTRIES_FILE))
            .context("the store's file is copied")?;
        Ok(Box::new(Self { dir, sealer: Arc::clone(&self.sealer) }))
    }

    fn damage(&self, key: &Key) -> bool {
        self.sealer.forgotten.lock().push(self.sealer.name(key.as_str()));
        true
    }
}

/// Opens nothing of the names that it has forgotten, as if the records were damaged.
struct Forgetful {
    sealer: StorageSealer,
    forgotten: Mutex<Vec<[u8; 32]>>,
}

impl Sealer for Forgetful {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.sealer.seal(context, plain)
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.forgotten.lock().iter().any(|name| context.starts_with(name)) {
            return Err(SealError);
        }
        self.sealer.open(context, sealed)
    }

    fn name(&self, text: &str) -> [u8; 32] {
        self.sealer.name(text)
    }
}
