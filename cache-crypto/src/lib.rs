//! Secrets, and what is sealed with them.
//!
//! Owns the fleet's secret and its text forms ([`FleetSecret`]), the key that a node keeps for itself
//! ([`NodeKey`]), the schedule by which keys for one purpose each are derived from either, and the seal on
//! what is stored ([`StorageSealer`]). Knows nothing of networks and of what the sealed bytes mean.
//!
//! Every secret is wiped when dropped, and none shows in `Debug`, in an error or in a log.

#![forbid(unsafe_code)]

mod node_key;
mod schedule;
mod secret;
mod secret_text;
mod storage;

pub use {
    node_key::{NODE_KEY_FILE, NodeKey, NodeKeyError},
    secret::{FleetSecret, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, SecretError, SecretKind},
    storage::StorageSealer,
};
