//! Addresses to try first: what an operator configured.
//!
//! Owns which contacts are taken and in which order. Of a multiaddr the core reads the `/p2p/` suffix alone;
//! transports parse the rest.

use crate::PeerId;
use alloc::{boxed::Box, format, vec::Vec};

/// An address to try, with the peer that must answer there where that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// A multiaddr, which a transport has parsed before.
    pub address: Box<str>,
    /// Who must answer; `None` means whoever proves to belong to the fleet.
    pub peer: Option<PeerId>,
}

impl Contact {
    /// A contact at `address`, whose peer is the one that the address names, if it names one.
    pub fn new(address: impl Into<Box<str>>) -> Self {
        let address = address.into();
        let peer = peer_of_address(&address);
        Self { address, peer }
    }
}

/// The contacts that are taken: the first [`CONTACTS_MAX`], in order, each once, and never this node.
///
/// Of several contacts with one peer id, or with one address, the first stays. A node finds itself by its
/// id or by one of its own addresses, so one list can be given to every host. Addresses that are too long
/// are skipped, as those that transports cannot parse were before.
pub(super) fn chosen(contacts: &[Contact], local: PeerId, own_addresses: &[Box<str>]) -> Vec<Contact> {
    let mut chosen: Vec<Contact> = Vec::new();
    for contact in contacts {
        let peer = contact.peer.or_else(|| peer_of_address(&contact.address));
        let place = place_of_address(&contact.address);
        let is_own = peer == Some(local) || own_addresses.iter().any(|own| place_of_address(own) == place);
        let is_repeated = chosen.iter().any(|earlier| match (earlier.peer, peer) {
            (Some(earlier), Some(peer)) => earlier == peer,
            (None, None) | (None, Some(_)) | (Some(_), None) => place_of_address(&earlier.address) == place,
        });
        if is_own || is_repeated || !is_acceptable(&contact.address) {
            continue;
        }
        if chosen.len() == CONTACTS_MAX {
            break;
        }
        let address = peer.map_or_else(|| contact.address.clone(), |peer| with_peer(&contact.address, peer));
        chosen.push(Contact { address, peer });
    }
    chosen
}

/// The peer that a multiaddr names at its end: `/ip4/../p2p/12D3Koo..`; `None` if it names none that can be.
pub fn peer_of_address(address: &str) -> Option<PeerId> {
    let (_place, peer) = address.rsplit_once(PEER_MARK)?;
    peer.parse().ok()
}

/// `address` without the peer at its end.
pub(super) fn place_of_address(address: &str) -> &str {
    match address.rsplit_once(PEER_MARK) {
        Some((place, peer)) if !peer.contains('/') => place,
        Some(_) | None => address,
    }
}

/// `address` such that whoever answers there must be `peer`.
pub(super) fn with_peer(address: &str, peer: PeerId) -> Box<str> {
    format!("{}{PEER_MARK}{peer}", place_of_address(address)).into()
}

/// Whether `address` may be kept and dialled: of bounded length, and fit to be printed.
pub(super) fn is_acceptable(address: &str) -> bool {
    (1..=ADDRESS_BYTES_MAX).contains(&address.len()) && address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Most contacts taken. The specification's figure.
pub(super) const CONTACTS_MAX: usize = 10;

/// Longest address taken, in bytes: the longest host name (253) does not occur, and all else is far shorter.
pub(super) const ADDRESS_BYTES_MAX: usize = 256;

const PEER_MARK: &str = "/p2p/";
