//! Ways to find the other nodes of a fleet: by a name in the DNS, on the local network, in a file. Each has a module.
//!
//! Each is a [`Discovery`](cache_core::port::Discovery). None knows the fleet's secret, and none decides what becomes of
//! what it finds: the engine does.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "dns")]
pub mod dns;
pub mod file;
#[cfg(feature = "mdns")]
pub mod mdns;

use std::{fmt, net::SocketAddr, sync::Arc};

/// What a way has to know of the node that looks.
#[derive(Clone)]
pub struct Site {
    /// The address, as the node's transport dials it, of what listens on a socket.
    pub address_of: Arc<dyn Fn(SocketAddr) -> Box<str> + Send + Sync>,
    /// The port of other nodes where nothing says another: the one on which this node listens.
    pub port: u16,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("port", &self.port).finish_non_exhaustive()
    }
}

/// Most contacts of one look that are handed on, chosen at random if there are more: a few lead to all others.
pub const CONTACTS_MAX: usize = 64;

/// [`CONTACTS_MAX`] of `found`, without repetitions.
fn some_of(mut found: Vec<cache_core::Contact>) -> Vec<cache_core::Contact> {
    use rand::seq::SliceRandom as _;
    found.sort_unstable_by(|one, other| one.address.cmp(&other.address));
    found.dedup();
    found.shuffle(&mut rand::rng());
    found.truncate(CONTACTS_MAX);
    found
}

fn fault(reason: impl Into<Box<str>>, remedy: &str) -> cache_core::port::LookFault {
    cache_core::port::LookFault { reason: reason.into(), remedy: remedy.into() }
}
