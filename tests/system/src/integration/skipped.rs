//! Checks that this machine does not allow.

use thiserror::Error;

/// Why a check was not made, though nothing failed.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Skipped(pub(super) String);
