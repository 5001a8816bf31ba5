//! The command `id`: what to tell other nodes so that they can reach this one.

use crate::{
    exit::CommandError,
    output::{Rendering, print, print_json},
    settings::{self, Defaults, Given, ListenAddress, own_addresses},
};
use fleet_cache::NodeIdentity;
use serde_json::json;
use std::io::Write;

/// Writes the addresses of this machine's node, one a line; makes its identity if it has none yet.
///
/// # Errors
///
/// When the settings do not fit, the identity cannot be read or made, or the port is not known yet.
pub(crate) fn perform(
    rendering: Rendering,
    given: &Given,
    defaults: &Defaults,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let directory = settings::cache_dir(given, defaults)?;
    let listen = settings::fleet_listen(given)?;
    if listen.iter().any(|address| address.port() == 0) {
        let text = "port 0 is chosen by the system when the daemon starts; give a port with --p2p-port, or ask the \
                    running daemon with `fleet-cache stats`";
        return Err(CommandError::Usage(text.into()));
    }
    let identity = NodeIdentity::load_or_create(&directory)
        .map_err(|error| CommandError::failed("cannot tell this node's identity", error))?;
    let peer = identity.peer_id();
    let reachable = ListenAddress::reachable(&listen, &own_addresses());
    let addresses: Vec<String> =
        reachable.into_iter().map(|address| format!("{address}/p2p/{peer}")).collect();
    match rendering {
        Rendering::Json => print_json(out, &json!({ "peer_id": peer.to_string(), "addresses": addresses })),
        Rendering::Text => print(out, &format!("{}\n", addresses.join("\n"))),
    }
}
