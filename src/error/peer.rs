//! Why a peer that was asked gives no answer.

use super::{Closed, KeyTooLong};
use cache_core::{Failure, FetchError};
use thiserror::Error;

/// Why a ping was not answered; see [`Node::ping`](crate::Node::ping).
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// use fleet_cache::PingError;
///
/// for peer in node.peers().await?.into_iter().filter_map(|peer| peer.id) {
///     match node.ping(peer).await {
///         Ok(pong) => println!("{peer}: {:?}", pong.round_trip),
///         Err(PingError::Closed(closed)) => return Err(closed.into()),
///         Err(error) => println!("{peer}: {error}"),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PingError {
    /// Too many pings are under way; try again.
    #[error("too many such questions are under way; try again")]
    Busy,
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// There is no connection with the peer.
    #[error("there is no connection with that peer; see `peers`")]
    NotConnected,
    /// The peer did not answer in time, or the connection ended.
    #[error("no answer came in time")]
    TimedOut,
}

impl From<Failure> for PingError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::NotConnected => Self::NotConnected,
            // No ping calls the origin, so that neither fetches nor pauses come into it.
            Failure::Fetch(_) | Failure::Throttled { .. } | Failure::TimedOut | _ => Self::TimedOut,
        }
    }
}

/// Why a peer did not say whether it has a value; see [`Node::ask_peer_for_value`](crate::Node::ask_peer_for_value).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskPeerError {
    /// Too many such questions are under way; try again.
    #[error("too many such questions are under way; try again")]
    Busy,
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The peer gave something other than it was asked for, which counts against it.
    #[error("the peer gave something else than it was asked for: {0}")]
    Fetch(FetchError),
    /// The key is too long for anything to be kept under it.
    #[error(transparent)]
    KeyTooLong(#[from] KeyTooLong),
    /// There is no connection with the peer.
    #[error("there is no connection with that peer; see `peers`")]
    NotConnected,
    /// The peer did not answer in time, or the connection ended.
    #[error("no answer came in time")]
    TimedOut,
}

impl From<Failure> for AskPeerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Fetch(error) => Self::Fetch(error),
            Failure::NotConnected => Self::NotConnected,
            // The origin is not called, so that no pause comes into it.
            Failure::Throttled { .. } | Failure::TimedOut | _ => Self::TimedOut,
        }
    }
}
