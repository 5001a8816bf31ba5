//! Addresses as people write them, checked once.

use cache_core::PeerId;
use multiaddr::{Multiaddr, Protocol};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};
use thiserror::Error;

/// An address to dial or to listen on. It may name the peer whose key must answer there.
///
/// [`Self::parse`] is the only way to make one, so an address that exists needs no further check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    multiaddr: Multiaddr,
    host: Host,
    carrier: Carrier,
    port: u16,
    peer: Option<multiaddr::PeerId>,
}

impl Address {
    /// Reads `text`, which must name one of `carriers`; an error shows `example` as a remedy.
    ///
    /// # Errors
    ///
    /// [`AddressError`] for any other text, and says why.
    ///
    /// ```
    /// # use cache_transport::address::{Address, Carrier};
    /// let parse = |text| Address::parse(text, &[Carrier::Tcp], "/ip4/192.0.2.7/tcp/9100");
    /// assert_eq!(parse("/ip4/192.0.2.7/tcp/9100")?.port(), 9100);
    /// assert!(parse("/ip4/192.0.2.7/udp/9100/quic-v1").is_err());
    /// # Ok::<(), cache_transport::address::AddressError>(())
    /// ```
    pub fn parse(text: &str, carriers: &[Carrier], example: &'static str) -> Result<Self, AddressError> {
        let refuse = |reason: String| AddressError { address: text.into(), reason, example };
        let multiaddr: Multiaddr = text.parse().map_err(|error| refuse(format!("{error}")))?;
        let mut parts = multiaddr.iter();
        let host = match parts.next() {
            Some(Protocol::Ip4(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Ip6(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Dns4(name)) => Host::Dns4(name.into_owned()),
            Some(Protocol::Dns6(name)) => Host::Dns6(name.into_owned()),
            _other => return Err(refuse("it must begin with /ip4, /ip6, /dns4 or /dns6".into())),
        };
        let (carrier, port) = match parts.next() {
            Some(Protocol::Tcp(port)) => (Some(Carrier::Tcp), port),
            Some(Protocol::Udp(port)) if parts.next() == Some(Protocol::QuicV1) => {
                (Some(Carrier::Quic), port)
            }
            _other => (None, 0),
        };
        let Some(carrier) = carrier.filter(|carrier| carriers.contains(carrier)) else {
            let forms: Vec<&str> = carriers.iter().map(|carrier| carrier.form()).collect();
            return Err(refuse(format!("the host must be followed by {}", forms.join(" or "))));
        };
        let peer = match parts.next() {
            None => None,
            Some(Protocol::P2p(peer)) => Some(peer),
            Some(other) => return Err(refuse(format!("`{other}` does not belong here"))),
        };
        if let Some(extra) = parts.next() {
            return Err(refuse(format!("`{extra}` does not belong behind the peer's id")));
        }
        Ok(Self { multiaddr, host, carrier, port, peer })
    }

    /// The address as a multiaddr, with the peer if it names one.
    pub fn multiaddr(&self) -> &Multiaddr {
        &self.multiaddr
    }

    /// The address without the peer's id: what there is to listen on.
    pub fn without_peer(&self) -> Multiaddr {
        self.multiaddr.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
    }

    /// Where the machine is, by number or by name.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What carries the connection.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The port; 0 lets the system choose when listening.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The peer whose key must answer there; `None` if any may.
    pub fn peer(&self) -> Option<multiaddr::PeerId> {
        self.peer
    }

    /// The socket, where the host is a number.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Ip(ip) => Some(SocketAddr::new(ip, self.port)),
            Host::Dns4(_) | Host::Dns6(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.multiaddr.fmt(f)
    }
}

/// A machine, as an address names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Host {
    /// By a name, of which the IPv4 addresses count.
    Dns4(String),
    /// By a name, of which the IPv6 addresses count.
    Dns6(String),
    /// The host's IP address.
    Ip(IpAddr),
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// UDP with QUIC, which brings its own encryption and streams.
    Quic,
    /// TCP with noise and yamux.
    Tcp,
}

impl Carrier {
    fn form(self) -> &'static str {
        match self {
            Self::Quic => "/udp/PORT/quic-v1",
            Self::Tcp => "/tcp/PORT",
        }
    }
}

/// Why an address is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{address}` is not an address to use: {reason}; write one like {example}")]
pub struct AddressError {
    address: String,
    reason: String,
    example: &'static str,
}

/// The same id in the core's type; `None` for a key that is not Ed25519.
pub fn core_peer(peer: multiaddr::PeerId) -> Option<PeerId> {
    peer.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const EXAMPLE: &str = "/ip4/192.0.2.7/tcp/9100";

    fn parse(text: &str, carriers: &[Carrier]) -> Result<Address, AddressError> {
        Address::parse(text, carriers, EXAMPLE)
    }

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
            let both = [Carrier::Quic, Carrier::Tcp];
            assert_eq!(parse(text, &both).expect(text).peer(), None);
            let address = parse(&format!("{text}/p2p/{PEER}"), &both).expect(text);
            assert_eq!(address.peer().map(|peer| peer.to_string()).as_deref(), Some(PEER));
            assert_eq!(address.peer().and_then(core_peer), PEER.parse().ok());
            assert_eq!(address.without_peer().to_string(), text);
        }
    }

    #[test]
    fn a_carrier_that_a_transport_lacks_is_refused_and_those_it_has_are_named() {
        let (tcp, quic) = ("/ip4/127.0.0.1/tcp/9100", "/ip4/127.0.0.1/udp/9100/quic-v1");
        for (text, own, other, form) in [
            (tcp, Carrier::Tcp, Carrier::Quic, "/udp/PORT/quic-v1"),
            (quic, Carrier::Quic, Carrier::Tcp, "/tcp/PORT"),
        ] {
            assert_eq!(parse(text, &[own]).expect(text).carrier(), own);
            let refusal = parse(text, &[other]).expect_err(text).to_string();
            assert!(refusal.contains(&format!("must be followed by {form};")), "{refusal}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_with_its_text_and_a_remedy() {
        for text in [
            "",
            "garbage",
            "/ip4/256.256.256.256/tcp/9100",
            "/ip4/256.256.256.256/udp/9100/quic-v1",
            "/ip4/127.0.0.1/tcp/99999",
            "/ip4/127.0.0.1/udp/99999/quic-v1",
            "/ip4garbage/tcp//p2p/",
            "/ip4/127.0.0.1/tcp/9100/p2p/",
            "/ip4/127.0.0.1/udp/9100/quic-v1/p2p/",
            "/ip4/127.0.0.1/tcp/9100/p2p/nobody",
            "/ip4/127.0.0.1",
            "/ip4/127.0.0.1/udp/9100",
            "/dnsaddr/bootstrap.libp2p.io",
            "/ip4/127.0.0.1/tcp/9100/http",
            "/ip4/127.0.0.1/udp/9100/quic-v1/http",
            " /ip4/127.0.0.1/tcp/9100",
        ] {
            let refusal = parse(text, &[Carrier::Quic, Carrier::Tcp]).expect_err(text).to_string();
            assert!(refusal.contains(&format!("`{text}`")), "{refusal}");
            assert!(refusal.contains(EXAMPLE), "{refusal}");
        }
    }
}
