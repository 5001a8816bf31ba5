//! What a [`Node`](crate::Node) handle asks of its driver.

use crate::links::LinkCounts;
use cache_core::{
    AccountReport, Allowance, Bucket, Candidate, Domain, Draft, Entry, Failure, FetchError, Fetched, Figures,
    GuestReport, Key, OutageReport, Outcome, PassKind, Payer, PeerId, PeerReport, Priority, Reach, Reached,
    Reader, Refusal, RequestId, Shortage, Timestamp, WritePace,
    freshness::Directives,
    port::{PeerFigures, StoreError},
};
use cache_origin_github::OriginBody;
use http::HeaderMap;
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// An order to the driver. Its giver waits on the channel inside.
pub(crate) enum Command {
    AskPeer {
        request: RequestId,
        peer: PeerId,
        key: Key,
        done: oneshot::Sender<Completion>,
    },
    Cancel {
        request: RequestId,
    },
    Clear {
        done: Removed,
    },
    Flush {
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    Get {
        request: RequestId,
        key: Key,
        directives: Directives,
        bucket: Bucket,
        priority: Priority,
        reader: Reader,
        kin_wait: Option<Duration>,
        fetch: FetchFn,
        done: oneshot::Sender<Completion>,
    },
    Invalidate {
        reach: Reach,
        done: Removed,
    },
    Kept {
        /// How the keys begin.
        prefix: Box<str>,
        /// Most entries to tell of.
        most: usize,
        done: oneshot::Sender<Vec<Arc<Entry>>>,
    },
    Pass {
        /// What the call draws on; `None` if it is free.
        purse: Option<(Payer, Bucket)>,
        kind: PassKind,
        priority: Priority,
        call: Departing,
    },
    /// Bound writes in another way from now on.
    PaceWrites {
        pace: WritePace,
    },
    /// A client has gone whose call may not have begun.
    Left,
    Peers {
        done: oneshot::Sender<Vec<PeerStats>>,
    },
    Ping {
        peer: PeerId,
        done: Ponged,
    },
    Put {
        key: Key,
        draft: Draft,
        done: Stored,
    },
    /// The secrets have changed.
    Rotated {
        done: oneshot::Sender<()>,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
    Stats {
        done: oneshot::Sender<EngineStats>,
    },
}

/// Takes how many entries left memory.
pub(crate) type Removed = oneshot::Sender<usize>;

/// Takes what the peer's wall clock said.
pub(crate) type Ponged = oneshot::Sender<Result<Timestamp, Failure>>;

/// Learns that a value is kept.
pub(crate) type Stored = oneshot::Sender<()>;

/// How one request would call the origin. Run at most once, by the driver, whether or not its request
/// still waits.
pub(crate) type FetchFn =
    Box<dyn FnOnce(Option<Candidate>) -> Pin<Box<dyn Future<Output = FetchReply> + Send>> + Send>;

/// A call that passes the cache by. The driver runs it, so that connections belong to the node's runtime and not to
/// the caller's, and so that a write ends properly whether its caller still waits or not.
pub(crate) type PassFuture = Pin<Box<dyn Future<Output = Passed> + Send>>;

/// Says what a call that passes the cache by leaves behind if it is broken off now.
pub(crate) type BrokenOff = Box<dyn FnOnce() -> Reach + Send>;

/// A call that passes the cache by, before it is made.
pub(crate) struct Departing {
    pub(crate) call: PassFuture,
    pub(crate) broken_off: BrokenOff,
    /// Takes why the call is not made, if it is not. Then it is dropped.
    pub(crate) withheld: oneshot::Sender<Failure>,
}

/// How a call ended that passes the cache by.
pub(crate) struct Passed {
    pub(crate) answer: PassAnswer,
    /// Whether it got through.
    pub(crate) reached: Reached,
    /// What the origin refused, and to which domain.
    pub(crate) refused: Option<(Domain, Refusal)>,
    /// What is to be forgotten or doubted before the caller gets the answer.
    pub(crate) reach: Reach,
    /// What the answer showed of the caller's allowance.
    pub(crate) allowance: Option<Allowance>,
    /// Whether that shows how many were used with this very call.
    pub(crate) is_counted: bool,
    /// For how long the origin wants to be left alone by the payer, and why, if it said so.
    pub(crate) pause: Option<(Duration, Shortage)>,
    pub(crate) done: oneshot::Sender<PassAnswer>,
}

pub(crate) type PassAnswer = Result<http::Response<OriginBody>, FetchError>;

/// What a fetch brought.
pub(crate) struct FetchReply {
    /// The part that the engine decides about.
    pub(crate) fetched: Fetched,
    /// Whether a call was made for it that got through.
    pub(crate) reached: Reached,
    /// What the origin refused, and to which domain.
    pub(crate) refused: Option<(Domain, Refusal)>,
    /// What the answer showed of the caller's allowance.
    pub(crate) allowance: Option<Allowance>,
    /// The part that belongs only to the request that fetched.
    pub(crate) private: Private,
}

impl FetchReply {
    /// What was found out without a call of its own.
    pub(crate) fn of_cache(fetched: Fetched) -> Self {
        Self { reached: Reached::Unknown, ..Self::of(fetched) }
    }

    /// What a call brought that tells of nothing else.
    pub(crate) fn of(fetched: Fetched) -> Self {
        let reached = fetched.reached();
        Self { fetched, reached, refused: None, allowance: None, private: Private::default() }
    }
}

/// What only the request whose credential paid may have.
#[derive(Default)]
pub(crate) struct Private {
    /// Headers about the credential: quota, scopes.
    pub(crate) live: HeaderMap,
    /// An answer too long to hold.
    pub(crate) stream: Option<http::Response<OriginBody>>,
}

/// How a look-up ended.
pub(crate) struct Completion {
    pub(crate) outcome: Outcome,
    /// Set if this very request called the origin.
    pub(crate) private: Option<Private>,
}

/// What the engine knows about itself.
#[derive(Clone, Debug)]
pub(crate) struct EngineStats {
    pub(crate) counters: cache_core::Counters,
    pub(crate) accounts: Vec<AccountReport>,
    /// Whether the origin is taken to be out of reach, and by whose word.
    pub(crate) outage: Option<OutageReport>,
    pub(crate) entries_count: usize,
    pub(crate) entries_bytes: usize,
    pub(crate) flights_count: usize,
    /// Writes that wait for their turn.
    pub(crate) writes_waiting: usize,
    /// `None` when the node keeps to itself.
    pub(crate) fleet: Option<FleetStats>,
}

/// What the driver knows of other members.
#[derive(Clone, Debug)]
pub(crate) struct FleetStats {
    /// Whether look-ups wait for the first peer.
    pub(crate) gathering: bool,
    pub(crate) connected: usize,
    pub(crate) leases_count: usize,
    /// What it has to do with guests.
    pub(crate) guests: Option<GuestReport>,
    pub(crate) links: LinkCounts,
    /// Whether another node seems to use our identity.
    pub(crate) has_twin: bool,
    /// What each of the others counted.
    pub(crate) others: Vec<Figures>,
}

/// What the driver knows of one peer.
#[derive(Clone, Debug)]
pub(crate) struct PeerStats {
    pub(crate) report: PeerReport,
    pub(crate) figures: PeerFigures,
    /// Whether two nodes seem to use its identity.
    pub(crate) is_twin: bool,
    /// The moment of this report.
    pub(crate) now: Timestamp,
}
