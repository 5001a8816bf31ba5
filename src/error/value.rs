//! Why a call about a program's own values has no result; see [`Values`](crate::Values).

use super::Closed;
use crate::VALUE_KEY_BYTES_MAX;
use cache_core::BODY_BYTES_MAX;
use thiserror::Error;

/// A key of a program's own is longer than [`VALUE_KEY_BYTES_MAX`].
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the key is {key_bytes} bytes, the limit is {VALUE_KEY_BYTES_MAX}")]
#[non_exhaustive]
pub struct KeyTooLong {
    /// Length of the key, in bytes.
    pub key_bytes: usize,
}

/// Why [`Values::get_or_fetch`](crate::Values::get_or_fetch) has no value.
///
/// ```
/// # use {fleet_cache::{GitHub, Node, ValueError}, std::time::Duration};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// let fetch = || async { Err::<&str, _>("the database is down") };
/// let refused = node.values().get_or_fetch("key", Duration::from_secs(60), fetch).await;
/// assert!(matches!(refused, Err(ValueError::Fetch("the database is down"))));
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ValueError<E> {
    /// More is under way than the node's limits allow; try again.
    #[error("too many lookups are in progress; try again")]
    Busy,
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The caller's own fetch failed.
    #[error(transparent)]
    Fetch(E),
    /// The key is too long for anything to be kept under it.
    #[error(transparent)]
    KeyTooLong(#[from] KeyTooLong),
    /// The caller's own fetch gave no result, because it panicked.
    #[error("the fetch gave no result")]
    NoResult,
    /// Others fetched on this caller's behalf, and they failed; its own fetch was not run.
    #[error("the callers that fetched this value failed")]
    Others,
    /// No value came in time: a fetch took longer than [`Settings::fetch_timeout`](crate::Settings::fetch_timeout), or
    /// the wait longer than [`Settings::request_timeout`](crate::Settings::request_timeout).
    #[error("no value came in time")]
    TimedOut,
}

/// Why it is not known whether there is a value; see [`Values::get`](crate::Values::get).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GetValueError {
    /// More is under way than the node's limits allow; try again.
    #[error("too many lookups are in progress; try again")]
    Busy,
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The key is too long for anything to be kept under it.
    #[error(transparent)]
    KeyTooLong(#[from] KeyTooLong),
    /// Neither the disk nor a peer answered in time.
    #[error("no answer came in time")]
    TimedOut,
}

/// Why a value was not kept, and what was there before was left; see [`Values::put`](crate::Values::put).
///
/// ```
/// # use fleet_cache::{GitHub, Node};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// use fleet_cache::PutValueError;
/// use std::time::Duration;
///
/// let key = "k".repeat(10_000);
/// let refused = node.values().put(&key, "value", Duration::from_secs(60)).await;
/// assert!(matches!(refused, Err(PutValueError::KeyTooLong(_))));
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PutValueError {
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The key is too long for anything to be kept under it.
    #[error(transparent)]
    KeyTooLong(#[from] KeyTooLong),
    /// The value is longer than [`BODY_BYTES_MAX`](crate::entry::BODY_BYTES_MAX).
    #[error("the value is {value_bytes} bytes, the limit is {BODY_BYTES_MAX}")]
    ValueTooLong {
        /// Length of the value, in bytes.
        value_bytes: usize,
    },
}

/// Why a value was not forgotten; see [`Values::invalidate`](crate::Values::invalidate).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InvalidateValueError {
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The key is too long for anything to be kept under it.
    #[error(transparent)]
    KeyTooLong(#[from] KeyTooLong),
}
