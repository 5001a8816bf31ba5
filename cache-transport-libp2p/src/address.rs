//! Addresses as people write them, checked once.

use multiaddr::{Multiaddr, PeerId, Protocol};
use std::{fmt, str::FromStr};

/// An address that this transport can dial or listen on, and, if it says so, whose key must answer there.
///
/// Parsing is the only way in; past it nobody checks again.
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
pub struct Libp2pAddress {
    multiaddr: Multiaddr,
    carrier: Carrier,
    port: u16,
    peer: Option<PeerId>,
}

impl Libp2pAddress {
    /// The whole address.
    pub fn multiaddr(&self) -> &Multiaddr {
        &self.multiaddr
    }

    /// The address without the peer's id: what there is to listen on.
    pub(crate) fn without_peer(&self) -> Multiaddr {
        self.multiaddr.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
    }

    /// What carries the connection.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The port; 0 lets the system choose when listening.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whose key must answer there.
    pub fn peer(&self) -> Option<PeerId> {
        self.peer
    }
}

impl FromStr for Libp2pAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |reason: String| AddressError { address: text.into(), reason };
        let multiaddr: Multiaddr = text.parse().map_err(|error| refuse(format!("{error}")))?;
        let mut parts = multiaddr.iter();
        match parts.next() {
            Some(Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => {}
            _other => return Err(refuse("it must begin with /ip4, /ip6, /dns4 or /dns6".into())),
        }
        let (carrier, port) = match parts.next() {
            Some(Protocol::Tcp(port)) => (Carrier::Tcp, port),
            Some(Protocol::Udp(port)) if parts.next() == Some(Protocol::QuicV1) => (Carrier::Quic, port),
            _other => {
                return Err(refuse("the host must be followed by /tcp/PORT or /udp/PORT/quic-v1".into()));
            }
        };
        let peer = match parts.next() {
            None => None,
            Some(Protocol::P2p(peer)) => Some(peer),
            Some(other) => return Err(refuse(format!("`{other}` does not belong here"))),
        };
        if let Some(extra) = parts.next() {
            return Err(refuse(format!("`{extra}` does not belong behind the peer's id")));
        }
        Ok(Self { multiaddr, carrier, port, peer })
    }
}

impl fmt::Display for Libp2pAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.multiaddr.fmt(f)
    }
}

/// What carries a libp2p connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// UDP with QUIC, which brings its own encryption and streams.
    Quic,
    /// TCP with noise and yamux.
    Tcp,
}

/// Why an address is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AddressError {
    address: String,
    reason: String,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no address to use: {}; write one like /ip4/192.0.2.7/tcp/9100",
            self.address, self.reason
        )
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn hosts_by_number_and_by_name_are_taken_with_and_without_a_peer() {
        for text in [
            "/ip4/127.0.0.1/udp/0/quic-v1",
            "/ip6/::1/udp/9100/quic-v1",
            "/dns4/ci.example/udp/9100/quic-v1",
            "/dns6/ci.example/udp/9100/quic-v1",
            "/ip4/127.0.0.1/tcp/9100",
            "/dns4/ci.example/tcp/9100",
        ] {
            assert_eq!(text.parse::<Libp2pAddress>().expect(text).peer(), None);
            let with_peer = format!("{text}/p2p/{PEER}");
            let peer = with_peer.parse::<Libp2pAddress>().expect(text).peer();
            assert_eq!(peer.map(|peer| peer.to_string()).as_deref(), Some(PEER));
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_its_text_and_a_remedy() {
        for text in [
            "",
            "garbage",
            "/ip4/256.256.256.256/tcp/9100",
            "/ip4/127.0.0.1/tcp/99999",
            "/ip4garbage/tcp//p2p/",
            "/ip4/127.0.0.1/tcp/9100/p2p/",
            "/ip4/127.0.0.1/tcp/9100/p2p/nobody",
            "/ip4/127.0.0.1",
            "/ip4/127.0.0.1/udp/9100",
            "/dnsaddr/bootstrap.libp2p.io",
            "/ip4/127.0.0.1/tcp/9100/http",
            " /ip4/127.0.0.1/tcp/9100",
        ] {
            let refusal = text.parse::<Libp2pAddress>().expect_err(text).to_string();
            assert!(refusal.contains(&format!("`{text}`")), "{refusal}");
            assert!(refusal.contains("/ip4/192.0.2.7/tcp/9100"), "{refusal}");
        }
    }
}
