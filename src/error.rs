//! Why a node has no answer.

use crate::VALUE_KEY_BYTES_MAX;
use cache_core::{BODY_BYTES_MAX, Failure, FetchError, Shortage, Timestamp, port::StoreError};
use cache_origin_github::{CORE, Quota, resource_name};
use std::fmt;

/// Why a request has no answer. Nothing was kept and nothing was lost.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The target is not one that HTTP allows.
    BadTarget {
        /// The target as given.
        target: String,
        /// What is wrong with it.
        source: http::uri::InvalidUri,
    },
    /// More is under way than the node's limits allow; try again.
    Busy,
    /// The node was shut down.
    Closed,
    /// The origin gave no whole answer, and nothing stale may stand in.
    Fetch(FetchError),
    /// The key is longer than [`VALUE_KEY_BYTES_MAX`](crate::VALUE_KEY_BYTES_MAX).
    KeyTooLong {
        /// Its length.
        key_bytes: usize,
    },
    /// The request forbids asking the origin, and nothing usable is cached.
    NotCached,
    /// There is no connection with the peer that was to be asked.
    NotConnected,
    /// The target is at another host than the origin's.
    OtherHost {
        /// The host, and the port if the target names one.
        host: String,
    },
    /// What is kept cannot be written to disk. It is still served from memory.
    NotDurable(StoreError),
    /// The origin's quota is spent, and nothing stale may stand in.
    Throttled {
        /// When the origin may be asked again.
        until: Timestamp,
        /// Why not before.
        shortage: Shortage,
        /// Which allowance it is, in GitHub's words.
        resource: &'static str,
        /// The last word on that allowance of whoever asked, if this node heard one.
        quota: Option<Quota>,
    },
    /// No answer came before the request's deadline.
    TimedOut,
    /// The value is longer than [`BODY_BYTES_MAX`](cache_core::BODY_BYTES_MAX).
    ValueTooLong {
        /// Its length.
        value_bytes: usize,
    },
}

impl RequestError {
    pub(crate) fn bad_target(target: &str, source: http::uri::InvalidUri) -> Self {
        Self::BadTarget { target: target.into(), source }
    }
}

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Busy => Self::Busy,
            Failure::Fetch(error) => Self::Fetch(error),
            Failure::NotConnected => Self::NotConnected,
            Failure::Throttled { until, shortage } => {
                Self::Throttled { until, shortage, resource: resource_name(CORE), quota: None }
            }
            // A failure of a kind that this version does not know is at least no answer in time.
            Failure::TimedOut | _ => Self::TimedOut,
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadTarget { target, .. } => {
                write!(f, "`{target}` is no request target; give a path such as /user")
            }
            Self::Busy => f.write_str("too many lookups are in progress; try again"),
            Self::Closed => f.write_str("the node was shut down"),
            Self::Fetch(error) => error.fmt(f),
            Self::KeyTooLong { key_bytes } => {
                write!(f, "the key is {key_bytes} bytes, the limit is {VALUE_KEY_BYTES_MAX}")
            }
            Self::NotCached => f.write_str("not cached, and the request forbids asking the origin"),
            Self::OtherHost { host } => {
                write!(f, "`{host}` is not the host of this node's origin; ask it directly")
            }
            Self::NotConnected => f.write_str("there is no connection with that peer; see `peers`"),
            Self::NotDurable(error) => error.fmt(f),
            Self::Throttled { until, .. } => {
                write!(f, "the origin's quota is spent until {until} (Unix time)")
            }
            Self::TimedOut => f.write_str("no answer came in time"),
            Self::ValueTooLong { value_bytes } => {
                write!(f, "the value is {value_bytes} bytes, the limit is {BODY_BYTES_MAX}")
            }
        }
    }
}

impl std::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadTarget { source, .. } => Some(source),
            Self::Fetch(error) => Some(error),
            Self::NotDurable(error) => error.source(),
            Self::Busy
            | Self::Closed
            | Self::KeyTooLong { .. }
            | Self::NotCached
            | Self::OtherHost { .. }
            | Self::NotConnected
            | Self::Throttled { .. }
            | Self::TimedOut
            | Self::ValueTooLong { .. } => None,
        }
    }
}

/// Why [`Values::get_or_fetch`](crate::Values::get_or_fetch) has no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum ValueError<E> {
    /// The caller's own fetch failed.
    Fetch(E),
    /// Others fetched on this caller's behalf, and they failed; its own fetch was not run.
    Others,
    /// The node gives no answer.
    Request(RequestError),
}

impl<E: fmt::Display> fmt::Display for ValueError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => error.fmt(f),
            Self::Others => f.write_str("the callers that fetched this value failed"),
            Self::Request(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for ValueError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fetch(error) => Some(error),
            Self::Others => None,
            Self::Request(error) => Some(error),
        }
    }
}

/// Why a node could not start. Nothing was changed on disk that another start would miss.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A value from the environment cannot be used.
    Environment {
        /// The variable.
        name: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The directory's own key, or the node's identity, cannot be read or made.
    NodeKey(cache_crypto::KeyFileError),
    /// The origin cannot be used as configured.
    Origin(cache_origin_github::ConfigError),
    /// There is no Tokio runtime to run on, or it is ending.
    NoRuntime,
    /// The store cannot be opened, for example because another process uses the directory.
    Open(cache_store::OpenError),
    /// The store was opened and cannot be read.
    Restore(StoreError),
    /// More secrets are accepted than a node can go by.
    Secrets(cache_crypto::KeyringFull),
    /// The system gives no thread to write to disk on.
    Thread(std::io::Error),
    /// The transport cannot be opened, for example because an address is in use.
    Transport(crate::TransportError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment { name, problem } => write!(f, "{name}: {problem}"),
            Self::NodeKey(error) => error.fmt(f),
            Self::NoRuntime => f.write_str("a node starts inside a Tokio runtime, and there is none here"),
            Self::Origin(error) => error.fmt(f),
            Self::Open(error) => error.fmt(f),
            Self::Restore(error) => error.fmt(f),
            Self::Secrets(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "no thread for writing to disk: {error}"),
            Self::Transport(error) => write!(f, "cannot listen for other nodes: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NodeKey(error) => error.source(),
            Self::Origin(error) => error.source(),
            Self::Open(error) => error.source(),
            Self::Restore(error) => error.source(),
            Self::Environment { .. } | Self::NoRuntime | Self::Secrets(_) | Self::Thread(_) => None,
            Self::Transport(error) => error.source(),
        }
    }
}
