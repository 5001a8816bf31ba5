//! Secrets, and what is sealed with them.
//!
//! Owns the fleet's secret and its text forms ([`FleetSecret`]), the key and the identity that a node keeps for
//! itself ([`NodeKey`], [`NodeIdentity`]), the schedule that derives keys for one purpose each from a secret or a
//! key, and the seal on what is stored ([`StorageSealer`]). Between members, it owns the admission ([`FleetGate`], by
//! a [`Keyring`]), the seal on each connection's frames, and the names of entries ([`FleetNames`]). Knows nothing of
//! networks and of what the sealed bytes mean.
//!
//! Every secret is wiped when dropped, and none shows in `Debug`, in an error or in a log.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod identity;
mod key_file;
mod keyring;
mod names;
mod node_key;
mod replay;
mod schedule;
mod secret;
mod secret_text;
mod session;
mod storage;
mod transcript;

pub use {
    gate::FleetGate,
    identity::NodeIdentity,
    key_file::{KeyFile, KeyFileError},
    keyring::{KeyId, Keyring, KeyringFull, SECRETS_MAX},
    names::FleetNames,
    node_key::NodeKey,
    secret::{FleetSecret, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, SecretError, SecretKind},
    storage::StorageSealer,
};
