//! Why a node has no answer, one type for each kind of question.

mod peer;
mod start;
mod value;

pub use {
    peer::{AskPeerError, PingError},
    start::{RotationError, StartError},
    value::{GetValueError, InvalidateValueError, KeyTooLong, PutValueError, ValueError},
};

pub(crate) use start::message_of;

use cache_core::{Bucket, Failure, FetchError, Priority, Shortage, Timestamp, Window, port::StoreError};
use cache_origin_github::{BadPriority, CORE, Quota, resource_name};
use thiserror::Error;

/// The node was shut down, by any of its handles.
///
/// ```
/// # use fleet_cache::{GitHub, Node};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// node.shutdown().await;
/// assert_eq!(node.clear().await, Err(fleet_cache::Closed));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the node was shut down")]
pub struct Closed;

/// Why a request has no answer. Nothing was kept and nothing was lost.
///
/// ```no_run
/// use fleet_cache::RequestError;
///
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// match node.get("/user/repos").await {
///     Ok(reply) => println!("{}", reply.text().await?),
///     Err(RequestError::Throttled { until, .. }) => println!("GitHub wants to be left alone until {until}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The target is not one that HTTP allows. Only [`Node::get`](crate::Node::get) gives this.
    #[error("`{target}` is not a request target; give a path such as /user")]
    BadTarget {
        /// The target as given.
        target: String,
        /// What is wrong with it.
        source: http::uri::InvalidUri,
    },
    /// More is under way than the node's limits allow; try again.
    #[error("too many lookups are in progress; try again")]
    Busy,
    /// The request says of itself a priority that is none.
    #[error(transparent)]
    BadPriority(#[from] BadPriority),
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The origin gave no whole answer, and nothing stale may stand in.
    #[error(transparent)]
    Fetch(FetchError),
    /// The request forbids asking the origin, and nothing usable is cached.
    #[error("not cached, and the request forbids asking the origin")]
    NotCached,
    /// So many writes were made lately for the caller's credential that this one would not have had its turn in time. It was not
    /// made.
    #[error("as many writes were made lately as the origin bears; the next is due at {until} (Unix time)")]
    Paced {
        /// When its turn would have come.
        until: Timestamp,
        /// Which allowance it draws on, in GitHub's words.
        resource: &'static str,
        /// What this node last heard of that allowance of the caller's credential, if anything.
        quota: Option<Quota>,
    },
    /// What is left of the origin's quota is kept for requests that matter more, and nothing stale may stand in.
    #[error(
        "the last {kept} of {} calls of {} are kept from {priority} requests, until {} (Unix time)",
        quota.limit, quota.resource, quota.reset
    )]
    Reserved {
        /// How much the request matters.
        priority: Priority,
        /// How many calls of the window are kept from requests like it.
        kept: u64,
        /// How the allowance was seen last by any member.
        quota: Quota,
    },
    /// The origin's quota is spent, and nothing stale may stand in.
    #[error("the origin's quota is spent until {until} (Unix time)")]
    Throttled {
        /// When the origin may be asked again.
        until: Timestamp,
        /// Which allowance is spent.
        shortage: Shortage,
        /// Which allowance it is, in GitHub's words.
        resource: &'static str,
        /// What this node last heard of that allowance of the caller's credential, if anything.
        quota: Option<Quota>,
    },
    /// No answer came before the request's deadline.
    #[error("no answer came in time")]
    TimedOut,
    /// The request was taken back while it waited for its turn; see [`Withdrawal`](crate::Withdrawal). The origin has not
    /// heard of it.
    #[error("the request was taken back before it began")]
    Withdrawn,
}

impl RequestError {
    pub(crate) fn bad_target(target: &str, source: http::uri::InvalidUri) -> Self {
        Self::BadTarget { target: target.into(), source }
    }

    pub(crate) fn paced(until: Timestamp, bucket: Bucket, seen: Option<Window>) -> Self {
        let resource = resource_name(bucket);
        Self::Paced { until, resource, quota: seen.map(|window| Quota::seen(resource, window)) }
    }

    pub(crate) fn reserved((priority, kept): (Priority, u64), bucket: Bucket, seen: Window) -> Self {
        Self::Reserved { priority, kept, quota: Quota::seen(resource_name(bucket), seen) }
    }
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Fetch(error) => Self::Fetch(error),
            Failure::Throttled { until, shortage, seen } => {
                let resource = resource_name(CORE);
                let quota = seen.map(|window| Quota::seen(resource, window));
                Self::Throttled { until, shortage, resource, quota }
            }
            Failure::Paced { until, seen } => Self::paced(until, CORE, seen),
            Failure::Reserved { priority, kept, seen } => Self::reserved((priority, kept), CORE, seen),
            // A failure of a kind that this version does not know is at least not an answer in time; only what asks a
            // single peer fails because there is no connection.
            Failure::NotConnected | Failure::TimedOut | _ => Self::TimedOut,
        }
    }
}

/// Why a request for another of GitHub's hosts has no answer; see [`Node::relay`](crate::Node::relay).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// There was no head of an answer.
    #[error(transparent)]
    Fetch(FetchError),
}

/// Why it is unknown whether everything survives a crash; see [`Node::flush`](crate::Node::flush).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FlushError {
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// What is kept cannot be written to disk. It is still served from memory.
    #[error(transparent)]
    NotDurable(StoreError),
}
