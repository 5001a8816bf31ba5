//! Why a node does not start, or does not change to other secrets.

use super::Closed;
use crate::{OpenError, TransportError, github::ConfigError};
use cache_core::port::StoreError;
use cache_crypto::{KeyFileError, KeyringFull};
use std::any::Any;
use thiserror::Error;
use tokio::task::JoinError;

/// Why a node could not start. Nothing was changed on disk that another start would miss.
///
/// ```no_run
/// use fleet_cache::{GitHub, Node, OpenError, StartError};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Node::builder(None, GitHub::with_token("ghp_...")?).cache_dir("/var/cache/my-bot");
/// match builder.start().await {
///     Ok(node) => node.shutdown().await,
///     Err(StartError::Open(OpenError::InUse { .. })) => eprintln!("another process has the directory"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A value from the environment cannot be used.
    #[error("{name}: {problem}")]
    Environment {
        /// The name of the variable.
        name: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// There is no Tokio runtime to run on, or it is ending.
    #[error("a node starts inside a Tokio runtime, and there is none here")]
    NoRuntime,
    /// The directory's own key, or the node's identity, cannot be read or made.
    #[error(transparent)]
    NodeKey(KeyFileError),
    /// The store cannot be opened, for example because another process uses the directory.
    #[error(transparent)]
    Open(OpenError),
    /// The origin cannot be used as configured.
    #[error(transparent)]
    Origin(ConfigError),
    /// A part of the start panicked, which is a fault of this crate.
    #[error("starting the node panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The store was opened and cannot be read.
    #[error(transparent)]
    Restore(StoreError),
    /// The system gives no Tokio runtime for the process-wide node; see [`global`](crate::global()).
    #[error("no runtime for the process-wide node: {0}")]
    Runtime(std::io::Error),
    /// More secrets are accepted than a node can have.
    #[error(transparent)]
    Secrets(KeyringFull),
    /// A setting is zero, with which a node could give no answer, or serve no client.
    #[error("`{setting}` is 0; give 1 or more, or leave the default")]
    Setting {
        /// The setting, by its name in [`NodeBuilder`](crate::NodeBuilder).
        setting: &'static str,
    },
    /// The system gives no thread to write to disk on, or for the process-wide node.
    #[error("no thread to run on: {0}")]
    Thread(std::io::Error),
    /// More ways to find other nodes are given than a node follows.
    #[error("{count} ways to find other nodes are given; give 16 at most")]
    Ways {
        /// How many are given.
        count: usize,
    },
    /// The transport cannot be opened, for example because an address is in use.
    #[error("cannot listen for other nodes")]
    Transport(#[source] TransportError),
}

/// Why a node does not change to other secrets; see [`Node::rotate`](crate::Node::rotate).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The node was shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The disk was not sealed anew. The node shares by the new secrets all the same, and tries again at the next
    /// change or start, as long as it knows the former one.
    #[error("what is on disk cannot be sealed by the new secret")]
    Disk(#[source] StoreError),
    /// The node's own key cannot be read.
    #[error("the node's own key cannot be used")]
    NodeKey(#[source] KeyFileError),
    /// The node was started without a secret, and does not share until it is started with one.
    #[error("the node was started without a fleet secret; start it again with one")]
    NoSecret,
    /// A part of the change panicked, which is a fault of this crate.
    #[error("going over to other secrets panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// There are too many of them.
    #[error("the secrets cannot be used")]
    Secrets(#[source] KeyringFull),
}

/// The reason why work on a thread that may block has no result.
impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self::Panicked { message: message_of(&*panic) },
            // Only a runtime that ends aborts such work.
            Err(_cancelled) => Self::NoRuntime,
        }
    }
}

impl From<JoinError> for RotationError {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self::Panicked { message: message_of(&*panic) },
            Err(_cancelled) => Self::Closed(Closed),
        }
    }
}

/// What a panic said.
pub(crate) fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it said nothing")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_as_one_and_not_as_a_missing_runtime() {
        let panicked =
            async || tokio::task::spawn_blocking(|| panic!("as the test wants it")).await.unwrap_err();
        let start = StartError::from(panicked().await);
        assert_eq!(start.to_string(), "starting the node panicked: as the test wants it");
        assert!(matches!(RotationError::from(panicked().await), RotationError::Panicked { .. }));
    }

    #[tokio::test]
    async fn work_that_its_runtime_gave_up_is_no_panic() {
        let given_up = async || {
            let task = tokio::spawn(std::future::pending::<()>());
            task.abort();
            task.await.unwrap_err()
        };
        assert!(matches!(StartError::from(given_up().await), StartError::NoRuntime));
        assert!(matches!(RotationError::from(given_up().await), RotationError::Closed(Closed)));
    }
}
