//! Where entries are found: the concurrent read index, and the embedded store on disk.
//!
//! The [`ReadIndex`] serves local hits without a lock on the engine. A [`MeasuredStore`] keeps entries beyond the
//! life of the process: [`RedbStore`] in one sealed file, [`MemoryStore`] for tests and for nodes that may not write.
//! [`WriteBehind`] puts a store on a thread of its own, behind a bounded queue. The engine decides which entries
//! there are; this crate has no policy and knows nothing of the network.

#![forbid(unsafe_code)]

mod batch;
mod catalog;
mod clock;
mod counters;
mod directory;
mod edit;
mod entry_file;
#[cfg(test)]
mod fault;
mod figures;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod matching;
mod members_file;
mod memory_store;
mod queue;
mod read_index;
mod record;
mod redb_store;
mod removals;
mod retention;
mod room;
mod write_behind;
mod writer;

pub use {
    catalog::Catalog,
    clock::{CoarseClock, HandClock},
    figures::{MeasuredStore, StoreFigures},
    members_file::{MEMBERS_FILE, MembersFile, MembersFileError},
    memory_store::MemoryStore,
    queue::CLOSE_TIMEOUT,
    read_index::ReadIndex,
    redb_store::{DISK_BUDGET, ENTRIES_FILE, OpenError, RedbStore},
    retention::RETENTION,
    write_behind::{StoreStats, WriteBehind, WriteBehindSettings},
    writer::{SYNC_INTERVAL, Step, Writer},
};
