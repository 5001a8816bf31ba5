//! What a store tells about itself.

use crate::catalog::Catalog;
use cache_core::port::{Sealer, Store, StoreError};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A store whose figures another thread can read while it is in use.
pub trait MeasuredStore: Store {
    /// The figures, kept up to date by the store.
    fn figures(&self) -> Arc<StoreFigures>;

    /// Which keys it holds, kept up to date by the store; `None` if it does not tell, and must be asked for each.
    fn catalog(&self) -> Option<Arc<Catalog>> {
        None
    }

    /// Keeps everything under the keys of `sealer` from now on, which open what is there as well.
    ///
    /// # Errors
    ///
    /// When it could not: then what the former keys open is as before.
    fn reseal(&mut self, _sealer: Arc<dyn Sealer>) -> Result<(), StoreError> {
        // It seals nothing.
        Ok(())
    }
}

/// Figures of a store, readable from any thread at any time.
#[derive(Debug, Default)]
pub struct StoreFigures {
    records: AtomicU64,
    bytes: AtomicU64,
    unreadable: AtomicU64,
    set_aside: AtomicU64,
    transactions: AtomicU64,
    opened: AtomicU64,
}

impl StoreFigures {
    /// How many records are held.
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Bytes that the records count against the store's budget.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Records found unreadable since the store was opened.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Files set aside since the store was opened, the opening included.
    pub fn set_aside(&self) -> u64 {
        self.set_aside.load(Ordering::Relaxed)
    }

    /// Transactions made since the store was opened.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// How many seals were opened since the store was opened: what a change or a look-up costs besides transactions.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(crate) fn count_transaction(&self) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hold(&self, records: u64, bytes: u64) {
        self.records.store(records, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn count_unreadable(&self, count: u64) {
        self.unreadable.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn count_set_aside(&self) {
        self.set_aside.fetch_add(1, Ordering::Relaxed);
    }
}
