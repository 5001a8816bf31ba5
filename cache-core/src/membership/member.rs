//! The identity of a member: its key, how recently it started, and where it can be reached.

use crate::{
    PeerId,
    address::{is_place, peer_of_address, place_of_address, with_peer},
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};

/// A node of the fleet, as members tell one another.
///
/// ```
/// # use cache_core::{Member, PeerId};
/// let peer = PeerId::from_public_key([7; 32]);
/// let member = Member::new(peer, 1, [format!("/ip4/192.0.2.1/udp/9100/quic-v1/p2p/{peer}")]);
/// assert_eq!(member.addresses().next(), Some(format!("/ip4/192.0.2.1/udp/9100/quic-v1/p2p/{peer}")));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    peer: PeerId,
    boot: u64,
    /// Without the peer's own id at the end: it would be most of the bytes.
    addresses: Arc<[Box<str>]>,
}

impl Member {
    /// The node with this key.
    ///
    /// `boot` grows with every start of the node, as its wall clock in milliseconds does: of two that claim
    /// one key, the later is believed. Of `addresses`, multiaddrs with or without the peer's id, the first
    /// [`MEMBER_ADDRESSES_MAX`] are kept that are printable, within [`ADDRESS_BYTES_MAX`](crate::ADDRESS_BYTES_MAX) and not another's.
    pub fn new(peer: PeerId, boot: u64, addresses: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let stems = addresses.into_iter().filter_map(|address| {
            let address = address.as_ref();
            let is_own = peer_of_address(address) == Some(peer);
            let place = if is_own { place_of_address(address) } else { address };
            is_place(place).then(|| Box::from(place))
        });
        Self { peer, boot, addresses: stems.take(MEMBER_ADDRESSES_MAX).collect() }
    }

    /// The peer whose key the node has.
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Which start of the node this is. Only comparable for one peer, and never decreasing but by wrapping.
    pub const fn boot(&self) -> u64 {
        self.boot
    }

    /// Where it says that it can be reached: multiaddrs that end in its peer id, at most
    /// [`MEMBER_ADDRESSES_MAX`]. Hearsay until a handshake proves it.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        self.addresses.iter().map(|place| with_peer(place, self.peer).into_string())
    }

    /// A member as others wrote it; `None` if it breaks a limit.
    pub(crate) fn from_stems(peer: PeerId, boot: u64, stems: Vec<String>) -> Option<Self> {
        let sound = stems.len() <= MEMBER_ADDRESSES_MAX && stems.iter().all(|stem| is_place(stem));
        sound.then(|| Self { peer, boot, addresses: stems.into_iter().map(String::into_boxed_str).collect() })
    }

    /// Its addresses without the peer's id.
    pub(crate) fn stems(&self) -> &[Box<str>] {
        &self.addresses
    }

    /// The same node under another boot number.
    #[must_use]
    pub(crate) fn with_boot(&self, boot: u64) -> Self {
        Self { boot, ..self.clone() }
    }
}

/// A [`Member`] as foca tells them apart: by key and boot number, wherever they can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Identity(pub(crate) Member);

impl Identity {
    /// A member of which no more is known.
    pub(crate) fn bare(peer: PeerId, boot: u64) -> Self {
        Self(Member { peer, boot, addresses: Arc::default() })
    }

    /// The identity to continue under once `boot` is taken.
    #[must_use]
    pub(crate) fn after(&self, boot: u64) -> Self {
        Self(self.0.with_boot(boot.wrapping_add(1)))
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.0.peer == other.0.peer && self.0.boot == other.0.boot
    }
}

impl Eq for Identity {}

impl foca::Identity for Identity {
    type Addr = PeerId;

    fn addr(&self) -> PeerId {
        self.0.peer
    }

    fn renew(&self) -> Option<Self> {
        Some(self.after(self.0.boot))
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        is_later(self.0.boot, adversary.0.boot)
    }
}

/// Whether `boot` comes after `other`, as serial numbers of RFC 1982 do.
///
/// The numbers wrap, so that none is the last: a forged `u64::MAX` would otherwise keep its victim out.
pub(crate) const fn is_later(boot: u64, other: u64) -> bool {
    let ahead = boot.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 63
}

/// Most addresses of one member: two families on two transports.
pub const MEMBER_ADDRESSES_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ADDRESS_BYTES_MAX;
    use alloc::{format, vec};

    #[test]
    fn addresses_are_kept_without_the_peer_s_own_id_and_told_with_it() {
        let peer = PeerId::from_public_key([1; 32]);
        let with_id = format!("/ip4/192.0.2.1/tcp/1/p2p/{peer}");
        let member = Member::new(peer, 1, [with_id.as_str(), "/dns4/a.example/tcp/1"]);
        assert_eq!(member.stems(), [Box::from("/ip4/192.0.2.1/tcp/1"), Box::from("/dns4/a.example/tcp/1")]);
        let told: Vec<String> = member.addresses().collect();
        assert_eq!(told, [with_id, format!("/dns4/a.example/tcp/1/p2p/{peer}")]);
    }

    #[test]
    fn addresses_beyond_the_limits_are_left_out_and_refused_from_others() {
        let peer = PeerId::from_public_key([1; 32]);
        let other = PeerId::from_public_key([2; 32]);
        let long = format!("/dns4/{}", "x".repeat(ADDRESS_BYTES_MAX));
        let bad = [
            "",
            "/",
            "ip4",
            "/dns4/a b",
            "/dns4/a\n",
            "/dns4/ä",
            &long,
            &format!("/ip4/192.0.2.1/p2p/{other}"),
        ];
        assert_eq!(Member::new(peer, 1, bad).stems(), []);
        for stem in bad {
            assert_eq!(Member::from_stems(peer, 1, vec![stem.into()]), None, "{stem}");
        }
        let many = vec![String::from("/ip4/192.0.2.1"); MEMBER_ADDRESSES_MAX + 1];
        assert_eq!(Member::new(peer, 1, &many).stems().len(), MEMBER_ADDRESSES_MAX);
        assert_eq!(Member::from_stems(peer, 1, many), None);
    }

    #[test]
    fn whatever_boot_number_is_forged_the_next_comes_after_it() {
        for forged in [0, 1, 1 << 62, 1 << 63, u64::MAX - 1, u64::MAX] {
            let forged = Identity::bare(PeerId::from_public_key([1; 32]), forged);
            let renewed = foca::Identity::renew(&forged).unwrap();
            assert!(foca::Identity::win_addr_conflict(&renewed, &forged));
            assert!(!foca::Identity::win_addr_conflict(&forged, &renewed));
        }
    }
}
