//! The addresses that libp2p can use.

use cache_transport::address::{Address, AddressError, Carrier};
use multiaddr::{Multiaddr, PeerId};
use std::{fmt, net::SocketAddr, str::FromStr};

/// An address that this transport can dial or listen on. It may name the peer whose key must answer there.
///
/// Parsing is the only way to make one, so an address that exists needs no further check.
///
/// ```
/// # use cache_transport_libp2p::Libp2pAddress;
/// let address: Libp2pAddress = "/ip4/192.0.2.7/tcp/9100".parse()?;
/// assert_eq!(address.port(), 9100);
/// let refused = "/ip4/256.256.256.256/udp/9100/quic-v1".parse::<Libp2pAddress>();
/// assert!(refused.unwrap_err().to_string().contains("256.256.256.256"));
/// # Ok::<(), cache_transport_libp2p::AddressError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Libp2pAddress(Address);

impl Libp2pAddress {
    /// The address as a multiaddr, with the peer if it names one.
    pub fn multiaddr(&self) -> &Multiaddr {
        self.0.multiaddr()
    }

    /// What carries the connection.
    pub fn carrier(&self) -> Carrier {
        self.0.carrier()
    }

    /// The port; 0 lets the system choose when listening.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// The peer whose key must answer there; `None` if any may.
    pub fn peer(&self) -> Option<PeerId> {
        self.0.peer()
    }

    /// The address without the peer's id: what there is to listen on.
    pub(crate) fn without_peer(&self) -> Multiaddr {
        self.0.without_peer()
    }

    /// The socket, where the host is a number.
    pub(crate) fn socket(&self) -> Option<SocketAddr> {
        self.0.socket()
    }
}

impl FromStr for Libp2pAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Address::parse(text, &[Carrier::Tcp, Carrier::Quic], "/ip4/192.0.2.7/tcp/9100").map(Self)
    }
}

impl fmt::Display for Libp2pAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
