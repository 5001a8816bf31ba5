//! Where members and resources stand: the bits by which a fleet is divided.

use crate::{Name, PeerId};
use core::hash::Hasher as _;
use siphasher::sip::SipHasher13;

/// A hash of a member's key, or of what the names of one resource have in common.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place(u64);

impl Place {
    pub(crate) fn of_peer(peer: PeerId) -> Self {
        Self::of(b"member", peer.public_key())
    }

    pub(crate) fn of_name(name: &Name) -> Self {
        Self::of(b"name", &name.kinship())
    }

    /// How many bits the two have in common before the first in which they differ.
    pub(crate) fn shared(self, other: Self) -> u8 {
        u8::try_from((self.0 ^ other.0).leading_zeros()).unwrap_or(u8::MAX)
    }

    /// How far apart two places are: less than for any that differ in an earlier bit (Maymounkov and Mazières, "Kademlia",
    /// 2002).
    pub(crate) fn distance(self, other: Self) -> u64 {
        self.0 ^ other.0
    }

    /// Its first `depth` bits.
    pub(crate) fn prefix(self, depth: u8) -> u64 {
        if depth == 0 { 0 } else { self.0 >> (u64::BITS - u32::from(depth).min(u64::BITS)) }
    }

    /// The hash that weighs members by rendezvous has a key of zeros too, and no word in front.
    fn of(word: &[u8], bytes: &[u8]) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(word);
        hasher.write(bytes);
        Self(hasher.finish())
    }
}
