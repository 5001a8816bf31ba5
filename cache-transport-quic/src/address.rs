//! The addresses that QUIC can use.

use cache_transport::address::{Address, AddressError, Carrier, Host};
use multiaddr::{Multiaddr, PeerId};
use std::{fmt, net::SocketAddr, str::FromStr};

/// An address that this transport can dial or listen on. It may name the peer whose key must answer there.
///
/// Parsing is the only way to make one, so an address that exists needs no further check.
///
/// ```
/// # use cache_transport_quic::QuicAddress;
/// let address: QuicAddress = "/ip4/192.0.2.7/udp/9100/quic-v1".parse()?;
/// assert_eq!(address.port(), 9100);
/// let refused = "/ip4/192.0.2.7/tcp/9100".parse::<QuicAddress>();
/// assert!(refused.unwrap_err().to_string().contains("/ip4/192.0.2.7/udp/9100/quic-v1"));
/// # Ok::<(), cache_transport_quic::AddressError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QuicAddress(Address);

impl QuicAddress {
    /// The address as a multiaddr, with the peer if it names one.
    pub fn multiaddr(&self) -> &Multiaddr {
        self.0.multiaddr()
    }

    /// The port; 0 lets the system choose when listening.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// The peer whose key must answer there; `None` if any may.
    pub fn peer(&self) -> Option<PeerId> {
        self.0.peer()
    }

    pub(crate) fn host(&self) -> &Host {
        self.0.host()
    }

    /// The socket, where the host is a number.
    pub(crate) fn socket(&self) -> Option<SocketAddr> {
        self.0.socket()
    }
}

impl FromStr for QuicAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Address::parse(text, &[Carrier::Quic], "/ip4/192.0.2.7/udp/9100/quic-v1").map(Self)
    }
}

impl fmt::Display for QuicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
