//! How look-ups end.

use crate::{Content, Entry, FetchError, Priority, Shortage, Timestamp, Window};
use alloc::sync::Arc;

/// How a look-up ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing usable is cached, and the request forbids asking (`only-if-cached`).
    Absent,
    /// An entry answers the request.
    Answered {
        /// The entry, shared with the cache.
        entry: Arc<Entry>,
        /// How it came about.
        served: Served,
    },
    /// Neither the origin nor a stale entry could answer.
    Failed(Failure),
    /// The answer cannot be shared: the leader has it as a stream, any other must fetch for itself.
    Pass,
    /// An answer that is not kept.
    Relayed {
        /// The answer to hand on.
        content: Content,
        /// How it was fetched.
        forward: Forward,
    },
}

/// How an entry came to answer a request, in the terms of RFC 9211.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Served {
    /// From the cache, fresh.
    Hit,
    /// From the cache, past its lifetime.
    Stale(StaleReason),
    /// The origin was asked.
    Forwarded(Forward),
    /// A peer was asked and had it, or fetched it for all.
    Peer,
}

/// Why a stale entry was served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StaleReason {
    /// The request allows it (`max-stale`).
    Accepted,
    /// The origin did not answer, for this reason.
    Failed(FetchError),
    /// The origin answered with a fault of its own.
    Fault {
        /// The status it gave.
        status: u16,
    },
    /// The origin failed a moment ago and is given time to recover.
    HeldOff,
    /// What is left of the quota is kept for calls that matter more.
    Reserved,
    /// The quota is spent.
    Throttled,
    /// It is being renewed (`stale-while-revalidate`).
    WhileRevalidating,
}

/// How a request was forwarded to the origin, in the terms of RFC 9211.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Forward {
    /// Why the cache did not answer by itself.
    pub reason: ForwardReason,
    /// The status that the origin gave.
    pub status: u16,
    /// Whether the answer was fetched on behalf of another request.
    pub collapsed: bool,
    /// Whether the answer was kept.
    pub stored: bool,
    /// Whether it was written lately, for which reason the origin is asked on every use.
    pub settling: bool,
}

impl Forward {
    /// Whether the origin said that what it had given to a reader of another domain is what it gives to this one.
    pub fn is_proof(&self) -> bool {
        self.reason == ForwardReason::UriMiss && self.status == 304 && self.stored
    }
}

/// Why a request was forwarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ForwardReason {
    /// The request demanded it, though the entry is fresh.
    Request,
    /// The entry is stale.
    Stale,
    /// There was no entry.
    UriMiss,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// More lookups are in progress than [`Settings::flights_max`](crate::Settings::flights_max) allows,
    /// or more requests wait for one than [`Settings::waiters_max`](crate::Settings::waiters_max).
    #[error("too many lookups are in progress")]
    Busy,
    /// The fetch failed, for this reason.
    #[error("{0}")]
    Fetch(FetchError),
    /// There is no connection with the peer that was to be asked.
    #[error("there is no connection with that peer")]
    NotConnected,
    /// So many writes were made lately for the payer that this one would not have its turn in time.
    #[error("too many writes were made lately; the next is due {until}")]
    Paced {
        /// When its turn would have come.
        until: Timestamp,
        /// How the allowance that it draws on was seen last, if this node has seen it.
        seen: Option<Window>,
    },
    /// What is left of the quota is kept for calls that matter more, and nothing stale may stand in.
    #[error("the last {kept} calls of the quota are kept from {priority} requests")]
    Reserved {
        /// How much the request matters.
        priority: Priority,
        /// How many calls of the window are kept from requests like it.
        kept: u64,
        /// How the allowance was seen last.
        seen: Window,
    },
    /// The quota is spent, and nothing stale may stand in.
    #[error("the quota is spent until {until}")]
    Throttled {
        /// When the origin may be asked again.
        until: Timestamp,
        /// Which allowance is spent.
        shortage: Shortage,
        /// How the allowance was seen last, if this node has seen it.
        seen: Option<Window>,
    },
    /// The request's own deadline passed.
    #[error("no answer came in time")]
    TimedOut,
}
