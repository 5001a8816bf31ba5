//! Addresses to try: what an operator configured, and what discovery finds.
//!
//! Owns which configured contacts are used and in which order.

use crate::{
    PeerId,
    address::{is_acceptable, peer_of_address, place_of_address, with_peer},
};
use alloc::{boxed::Box, vec::Vec};

/// An address to try, with the peer that must answer there where that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contact {
    /// A multiaddr, which a transport has parsed before.
    pub address: Box<str>,
    /// The peer that must answer; `None` means any that proves that it belongs to the fleet.
    pub peer: Option<PeerId>,
}

impl Contact {
    /// A contact at `address`. Its peer is the one that the address names, if it names one.
    pub fn new(address: impl Into<Box<str>>) -> Self {
        let address = address.into();
        let peer = peer_of_address(&address);
        Self { address, peer }
    }
}

/// One way by which contacts are found, such as a name in the DNS, numbered by the driver from zero on.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Way(pub u8);

/// The contacts that are used: the first [`CONTACTS_MAX`], in order, each once, and never this node.
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

/// Most contacts taken. The specification's figure.
pub(super) const CONTACTS_MAX: usize = 10;
