//! How the daemon's node comes to its place in the fleet.

use crate::{
    exit::CommandError,
    settings::{FleetSettings, ListenAddress, Transport, own_addresses},
};
use fleet_cache::{Libp2p, NodeBuilder, Quic};
use std::io;

/// Lets the node that `builder` makes share as `fleet` says; leaves it to itself where nothing can be shared.
///
/// # Errors
///
/// [`CommandError::PeerAddressInUse`]. What else is wrong with an address shows when the node starts.
pub(crate) fn take_part(builder: NodeBuilder, fleet: &FleetSettings) -> Result<NodeBuilder, CommandError> {
    let builder = fleet.accepted.iter().cloned().fold(builder, NodeBuilder::accepting);
    // What is missing was said when the secret was looked for.
    if !fleet.enabled || fleet.secret.found().is_none() {
        return Ok(builder);
    }
    let own = own_addresses();
    let mut listen = Vec::new();
    for address in fleet.listen.iter().filter(|address| address.is_there(&own)) {
        if address.is_needed() {
            check_free(address)?;
        } else if address.try_bind().is_err() {
            continue;
        }
        listen.push(address.to_string());
    }
    let builder = builder
        .max_peers(fleet.peers_max)
        .guest(fleet.guest)
        .advertise(fleet.advertise.iter().map(ToString::to_string))
        .bootstrap(fleet.bootstrap.iter().map(ToString::to_string));
    let builder = fleet.discover.iter().cloned().fold(builder, NodeBuilder::discover);
    let listen = listen.into_iter();
    Ok(match fleet.transport {
        Transport::Libp2p => builder.transport(listen.fold(Libp2p::dial_only(), Libp2p::and_listen)),
        Transport::Quic => builder.transport(listen.fold(Quic::dial_only(), Quic::and_listen)),
    })
}

/// Finds out whether another process has `address`, since not every transport tells that from other failures.
fn check_free(address: &ListenAddress) -> Result<(), CommandError> {
    match address.try_bind() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(CommandError::PeerAddressInUse { address: address.to_string() })
        }
        // Whatever else is in the way is the transport's to say.
        Ok(()) | Err(_) => Ok(()),
    }
}
