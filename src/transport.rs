//! How a program names the transport that its node is to use.
//!
//! A transport needs the node's identity and the fleet's gate, which the node has only once it starts. So a
//! program hands in where to listen, and the node opens it.

/// Makes a trait of `async fn`s one that an object can stand for, as [`OpenTransport`] and [`Transport`] are.
pub use async_trait::async_trait;
pub use cache_core::{
    Protocol,
    port::{
        ADMISSION_BYTES_MAX, ADMISSION_TIMEOUT, Admission, BULK_BYTES_MIN, DIAL_TIMEOUT, DialError,
        FRAME_BYTES_MAX, Gate, Lane, PeerFigures, Refusal, Refused, SILENCE_TIMEOUT, SealError, SendError,
        Session, Side, Transport, TransportEvent,
    },
};
/// Wipes what it holds when it is dropped.
pub use zeroize::Zeroizing;

use std::{error::Error, fmt, sync::Arc};
use thiserror::Error;

/// A transport that was chosen but not opened yet. [`Quic`] and [`Libp2p`] are two; a program may bring its own.
///
/// A node opens it once, when it starts and has a secret; `examples/own_transport.rs` shows one.
#[async_trait]
pub trait OpenTransport: fmt::Debug + Send + Sync + 'static {
    /// Opens the transport for the node whose Ed25519 secret key is `seed`, letting in whom `gate` lets in, and no more
    /// than `peers_max` at once. That is a few more than the node keeps, so that it can choose whom.
    ///
    /// # Errors
    ///
    /// Whatever is in the way, for people to read: an address in use, for example. Nothing is left open then.
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
}

/// Why a transport could not be chosen or opened.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct TransportError(Box<dyn Error + Send + Sync>);

impl TransportError {
    /// Says what is in the way.
    pub fn new(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// A transport over plain QUIC, on UDP. All nodes of a fleet take the same transport.
///
/// ```
/// # use fleet_cache::Quic;
/// let transport = Quic::listen("0.0.0.0:9100")?;
/// # Ok::<(), fleet_cache::TransportError>(())
/// ```
#[cfg(feature = "quic")]
#[derive(Clone, Debug)]
pub struct Quic {
    addresses: Vec<cache_transport_quic::QuicAddress>,
}

#[cfg(feature = "quic")]
impl Quic {
    /// Listens on `address`: a multiaddr such as `/ip4/0.0.0.0/udp/9100/quic-v1`, or a socket address.
    ///
    /// # Errors
    ///
    /// When `address` is neither, with the reason.
    pub fn listen(address: &str) -> Result<Self, TransportError> {
        Self::dial_only().and_listen(address)
    }

    /// Listens nowhere: the node is not found by others, and finds them by its contacts.
    pub fn dial_only() -> Self {
        Self { addresses: Vec::new() }
    }

    /// Listens on `address` as well.
    ///
    /// # Errors
    ///
    /// See [`listen`](Self::listen).
    pub fn and_listen(mut self, address: &str) -> Result<Self, TransportError> {
        let text = multiaddr_of(address, "udp", "/quic-v1");
        self.addresses.push(text.parse().map_err(TransportError::new)?);
        Ok(self)
    }
}

#[cfg(feature = "quic")]
#[async_trait]
impl OpenTransport for Quic {
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let settings =
            cache_transport_quic::QuicSettings { peers_max, ..cache_transport_quic::QuicSettings::default() };
        let transport = cache_transport_quic::Quic::listen(seed, &self.addresses, gate, settings);
        Ok(Arc::new(transport.map_err(TransportError::new)?))
    }
}

/// A transport over libp2p: TCP with noise and yamux, or libp2p's QUIC, by address. All nodes of a fleet take the
/// same transport.
///
/// ```
/// # use fleet_cache::Libp2p;
/// let transport = Libp2p::listen("0.0.0.0:9100")?;
/// # Ok::<(), fleet_cache::TransportError>(())
/// ```
#[cfg(feature = "libp2p")]
#[derive(Clone, Debug)]
pub struct Libp2p {
    addresses: Vec<cache_transport_libp2p::Libp2pAddress>,
}

#[cfg(feature = "libp2p")]
impl Libp2p {
    /// Listens on `address`: a multiaddr such as `/ip4/0.0.0.0/tcp/9100`, or a socket address, which is TCP.
    ///
    /// # Errors
    ///
    /// When `address` is neither, with the reason.
    pub fn listen(address: &str) -> Result<Self, TransportError> {
        Self::dial_only().and_listen(address)
    }

    /// Listens nowhere: the node is not found by others, and finds them by its contacts.
    pub fn dial_only() -> Self {
        Self { addresses: Vec::new() }
    }

    /// Listens on `address` as well.
    ///
    /// # Errors
    ///
    /// See [`listen`](Self::listen).
    pub fn and_listen(mut self, address: &str) -> Result<Self, TransportError> {
        let text = multiaddr_of(address, "tcp", "");
        self.addresses.push(text.parse().map_err(TransportError::new)?);
        Ok(self)
    }
}

#[cfg(feature = "libp2p")]
#[async_trait]
impl OpenTransport for Libp2p {
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let settings = cache_transport_libp2p::Libp2pSettings {
            peers_max,
            ..cache_transport_libp2p::Libp2pSettings::default()
        };
        let transport = cache_transport_libp2p::Libp2p::listen(seed, &self.addresses, gate, settings).await;
        Ok(Arc::new(transport.map_err(TransportError::new)?))
    }
}

/// `address` as a multiaddr, if it is a socket address; else as it is.
#[cfg(any(feature = "libp2p", feature = "quic"))]
fn multiaddr_of(address: &str, protocol: &str, behind: &str) -> String {
    match address.parse() {
        Ok(std::net::SocketAddr::V4(socket)) => {
            format!("/ip4/{}/{protocol}/{}{behind}", socket.ip(), socket.port())
        }
        Ok(std::net::SocketAddr::V6(socket)) => {
            format!("/ip6/{}/{protocol}/{}{behind}", socket.ip(), socket.port())
        }
        Err(_other) => address.to_owned(),
    }
}
