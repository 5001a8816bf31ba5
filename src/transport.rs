//! How a program names the transport that its node is to use.
//!
//! A transport needs the node's identity and the fleet's gate, which exist only once the node starts. So a program
//! hands in where to listen, and the node opens it.

#[cfg(feature = "libp2p")]
mod libp2p;
#[cfg(feature = "quic")]
mod quic;

#[cfg(feature = "libp2p")]
pub use libp2p::Libp2p;
#[cfg(feature = "quic")]
pub use quic::Quic;

/// Makes a trait of `async fn`s one that an object can stand for, as [`OpenTransport`] and [`Transport`] are.
pub use async_trait::async_trait;
pub use cache_core::{
    Features, Protocol,
    port::{
        ADMISSION_BYTES_MAX, ADMISSION_TIMEOUT, Admission, BULK_BYTES_MIN, DIAL_TIMEOUT, DialError,
        FRAME_BYTES_MAX, Gate, Lane, PeerFigures, Refused, Rejection, SILENCE_TIMEOUT, SealError, SendError,
        Session, Side, Transport, TransportEvent,
    },
};
/// Wipes what it holds when it is dropped.
pub use zeroize::Zeroizing;

use std::{error::Error, fmt, net::SocketAddr, sync::Arc};
use thiserror::Error;

/// A transport that was chosen but not opened yet. [`Quic`] and [`Libp2p`] are two; a program may bring its own.
///
/// A node opens it once, when it starts and has a secret; `examples/own_transport.rs` shows one.
#[async_trait]
pub trait OpenTransport: fmt::Debug + Send + Sync + 'static {
    /// Opens the transport for the node whose Ed25519 secret key is `seed`. It lets in peers that `gate` lets in, and
    /// no more than `peers_max` at once: a few more than the node keeps, so that it can choose among them.
    ///
    /// # Errors
    ///
    /// Anything that prevents it, for people to read: an address in use, for example. Nothing is left open then.
    ///
    /// # Cancellation
    ///
    /// A start that is given up drops the future. What it opened should close with it.
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError>;

    /// The address, as this transport dials it, of a node that listens on `socket`, which discovery has found. By default
    /// that of QUIC.
    fn address_of(&self, socket: SocketAddr) -> String {
        multiaddr_of(&socket.to_string(), "udp", "/quic-v1")
    }
}

/// Why a transport could not be chosen or opened.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct TransportError(Box<dyn Error + Send + Sync>);

impl TransportError {
    /// An error with this `reason`.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// `address` as a multiaddr, if it is a socket address; else as it is.
fn multiaddr_of(address: &str, protocol: &str, behind: &str) -> String {
    match address.parse() {
        Ok(SocketAddr::V4(socket)) => {
            format!("/ip4/{}/{protocol}/{}{behind}", socket.ip(), socket.port())
        }
        Ok(SocketAddr::V6(socket)) => {
            format!("/ip6/{}/{protocol}/{}{behind}", socket.ip(), socket.port())
        }
        Err(_other) => address.to_owned(),
    }
}
