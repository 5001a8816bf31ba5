//! Addresses at which a node can be reached, as far as the core reads them.
//!
//! An address is a multiaddr: a *place*, and mostly the id of the peer that must answer there, as in
//! `/ip4/192.0.2.1/udp/9100/quic-v1/p2p/12D3Koo...`. The core reads that id and bounds the rest; transports parse it.

use crate::PeerId;
use alloc::{boxed::Box, format};

/// Returns the peer that `address` names at its end; `None` if it names none that can be.
pub fn peer_of_address(address: &str) -> Option<PeerId> {
    let (_place, peer) = address.rsplit_once(PEER_MARK)?;
    peer.parse().ok()
}

/// Returns `address` without the peer at its end.
pub(crate) fn place_of_address(address: &str) -> &str {
    match address.rsplit_once(PEER_MARK) {
        Some((place, peer)) if !peer.contains('/') => place,
        Some(_) | None => address,
    }
}

/// Returns `address` with `peer` at its end, as the one that must answer there.
pub(crate) fn with_peer(address: &str, peer: PeerId) -> Box<str> {
    format!("{}{PEER_MARK}{peer}", place_of_address(address)).into()
}

/// Whether `address`, with or without a peer at its end, may be kept, told to others, and dialled.
pub(crate) fn is_acceptable(address: &str) -> bool {
    is_place(place_of_address(address))
}

/// Whether `text` may be kept as a place: an absolute path of bounded length that names no peer at its end.
///
/// It may reach logs and terminals, so it consists of printable ASCII without spaces.
pub(crate) fn is_place(text: &str) -> bool {
    let names_a_peer = text.rsplit('/').nth(1) == Some("p2p");
    (2..=ADDRESS_BYTES_MAX).contains(&text.len())
        && text.starts_with('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !names_a_peer
}

/// Longest address that is taken, in bytes, the peer at its end not counted.
///
/// The longest host name (253 bytes) with a transport behind it does not fit; it does not occur, and all else is far
/// shorter.
pub const ADDRESS_BYTES_MAX: usize = 256;

const PEER_MARK: &str = "/p2p/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_of_an_address_is_the_valid_id_at_its_end() {
        let id = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let named = format!("/ip4/10.0.0.1/tcp/9100/p2p/{id}");
        assert_eq!(peer_of_address(&named), id.parse().ok());
        for unnamed in
            ["", "garbage", "/ip4/10.0.0.1/tcp/9100", "/ip4/10.0.0.1/tcp/9100/p2p/", "/p2p/12D3Koo"]
        {
            assert_eq!(peer_of_address(unnamed), None, "{unnamed}");
        }
    }

    #[test]
    fn the_bound_holds_for_the_place_whether_or_not_a_peer_follows() {
        let peer = PeerId::from_public_key([7; 32]);
        let longest = format!("/{}", "x".repeat(ADDRESS_BYTES_MAX - 1));
        assert!(is_acceptable(&longest) && is_acceptable(&with_peer(&longest, peer)));
        let longer = format!("{longest}x");
        assert!(!is_acceptable(&longer) && !is_acceptable(&with_peer(&longer, peer)));
    }

    #[test]
    fn what_cannot_be_an_address_or_printed_is_not_acceptable() {
        for bad in ["", "/", " ", "ip4", "/dns4/a b", "/dns4/a\n", "/dns4/\u{e4}", "/ip4/192.0.2.1/p2p/"] {
            assert_eq!(is_acceptable(bad), bad == "/ip4/192.0.2.1/p2p/", "{bad:?}");
        }
    }
}
