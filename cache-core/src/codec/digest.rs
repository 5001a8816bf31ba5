//! Digests of what is remembered as parts of messages, and back.

use super::{List, millis};
use crate::message::{DIGEST_SUMS_MAX, Digest};
use core::time::Duration;

/// Hashes have eight bytes each, whatever they are.
#[derive(bincode::Decode, bincode::Encode)]
pub(super) struct WireDigest {
    receipt: u64,
    mark: Option<u64>,
    salt: [[u8; 8]; 2],
    sums: List<[u8; 8], DIGEST_SUMS_MAX>,
}

impl From<&Digest> for WireDigest {
    fn from(digest: &Digest) -> Self {
        Self {
            receipt: digest.receipt,
            mark: digest.mark.map(millis),
            salt: digest.salt.map(u64::to_le_bytes),
            sums: digest.sums.iter().map(|sum| sum.to_le_bytes()).collect(),
        }
    }
}

impl From<WireDigest> for Digest {
    fn from(wire: WireDigest) -> Self {
        Self {
            receipt: wire.receipt,
            mark: wire.mark.map(Duration::from_millis),
            salt: wire.salt.map(u64::from_le_bytes),
            sums: wire.sums.0.into_iter().map(u64::from_le_bytes).collect(),
        }
    }
}
