//! The contracts between the engine's driver and the parts that it rests on.
//!
//! Each trait is small, and synchronous but for the [`Transport`] and [`Discovery`]. An implementation has no policy: that is in the engine. [`crate::Fetched`] is
//! what a fetch from an origin comes back with.

mod discovery;
mod transport;

pub use discovery::{Discovery, Finding, LOOK_TIMEOUT, LookFault};
pub use transport::{
    ADMISSION_BYTES_MAX, ADMISSION_TIMEOUT, Admission, Arbiter, BULK_BYTES_MIN, DIAL_TIMEOUT, DialError,
    FRAME_BYTES_MAX, Gate, Lane, PeerFigures, Refused, Rejection, SILENCE_TIMEOUT, STANCE_BYTES, SendError,
    Session, Side, Stance, TIE_WINDOW, Tenure, Transport, TransportEvent,
};

use crate::{Domain, Doubted, Doubts, Entry, Key, Scope, Timestamp};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::error::Error;

/// Keeps entries beyond the life of the process.
///
/// Called from one thread at a time, which may block. A call that fails has changed nothing that an
/// earlier call promised: what was durable stays durable.
pub trait Store: Send {
    /// Entries that may still be of use at `now`, the most recently stored first, within both budgets.
    ///
    /// Called once, before any other call. A record that cannot be read is skipped with a warning.
    ///
    /// # Errors
    ///
    /// When the store as a whole cannot be read. The caller then starts empty.
    fn restore(&mut self, now: Timestamp, budget: Budget) -> Result<Vec<Entry>, StoreError>;

    /// What was in doubt when that was noted last ([`Change::Doubt`]), except for what means nothing that is there.
    ///
    /// Called once, before any change. If it cannot be told, everything that is there is in doubt at `now`.
    ///
    /// # Errors
    ///
    /// When the store as a whole cannot be read.
    fn doubts(&mut self, now: Timestamp) -> Result<Doubts, StoreError>;

    /// The entry under `key`, or `None` if there is none that can be read.
    ///
    /// # Errors
    ///
    /// When reading fails as such; an unreadable record is `None`.
    fn load(&mut self, key: &Key) -> Result<Option<Entry>, StoreError>;

    /// Makes `changes` in order, all of them or none. Returns how many records were removed.
    ///
    /// With [`Durability::Immediate`] everything applied so far survives a crash once this returns.
    ///
    /// # Errors
    ///
    /// When none of `changes` was made, for example on a full disk.
    fn apply(&mut self, changes: &[Change], durability: Durability) -> Result<u64, StoreError>;

    /// Removes records that can be of no use at `now` or exceed the store's own budget. Returns how many.
    ///
    /// Keeps what may still be served stale or revalidated.
    ///
    /// # Errors
    ///
    /// When nothing was removed.
    fn sweep(&mut self, now: Timestamp) -> Result<u64, StoreError>;
}

/// How many entries, and how many bytes of them, may be held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Most entries that the store keeps.
    pub entries_max: usize,
    /// Most bytes, as [`Entry::weight_bytes`] counts them.
    pub bytes_max: usize,
}

/// One change to what a [`Store`] holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Note all that is in doubt, in place of what was noted before. The records that it means stay as they are.
    Doubt(Doubted),
    /// Keep this entry in place of any other under its key.
    Put(Arc<Entry>),
    /// Forget the entry under this key.
    Remove(Key),
    /// Forget all entries that are kept.
    RemoveAll,
    /// Forget every key whose resource begins with `prefix`, in `domain` or in all.
    RemovePrefix {
        /// How the resource begins.
        prefix: Box<str>,
        /// The one domain meant; `None` means all.
        domain: Option<Domain>,
    },
}

impl Change {
    /// The change that forgets what `scope` means; `None` for signposts, of which no store holds any.
    pub fn forgetting(scope: Scope) -> Option<Self> {
        match scope {
            Scope::Key(key) => Some(Self::Remove(key)),
            Scope::Prefix { prefix, domain } if prefix.is_empty() && domain.is_none() => {
                Some(Self::RemoveAll)
            }
            Scope::Prefix { prefix, domain } => Some(Self::RemovePrefix { prefix, domain }),
            Scope::Signposts { .. } => None,
        }
    }
}

/// When a change must survive a crash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// With the next immediate change; a crash before that may undo this one.
    Eventual,
    /// When the call returns.
    Immediate,
}

/// Why a store could not do what was asked. Its text names no resource.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}")]
pub struct StoreError {
    attempt: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// Says what was attempted and what came in between.
    pub fn new(attempt: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { attempt: attempt.into(), source: Some(source.into()) }
    }

    /// Says what is wrong, where no other error is behind it.
    pub fn of(problem: impl Into<String>) -> Self {
        Self { attempt: problem.into(), source: None }
    }
}

/// Encrypts what leaves the process and gives keys a name that outsiders cannot read.
///
/// Called from any thread; must not block on anything but the operating system's entropy.
pub trait Sealer: Send + Sync {
    /// Encrypts `plain` so that only [`Sealer::open`] with the same `context` gives it back.
    ///
    /// # Errors
    ///
    /// When the system gives no entropy; nothing was sealed.
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Verifies and decrypts.
    ///
    /// # Errors
    ///
    /// [`SealError`] alone, whatever is wrong: the key, the context, or a single bit.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError>;

    /// A keyed digest of `text`: equal texts have equal names, and without the key neither can be told from the
    /// other.
    fn name(&self, text: &str) -> [u8; 32];
}

/// Sealing or opening did not succeed. Says no more on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot seal or open")]
pub struct SealError;
