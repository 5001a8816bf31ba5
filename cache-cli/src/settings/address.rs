//! Addresses of nodes, as people write them, checked once.

use super::{Problem, Transport};
use cache_core::PeerId;
use multiaddr::{Multiaddr, Protocol};
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket},
};

/// Where this node listens for others: an IP address, a carrier that the transport speaks, a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ListenAddress {
    ip: IpAddr,
    carrier: Carrier,
    port: u16,
    need: Need,
}

/// Whether a node can do without an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Need {
    /// It was asked for, or is what every host has.
    Always,
    /// It is listened at where the host has such addresses.
    IfThereIs,
}

/// A node to contact: where it is reached, and which key must answer there, if that is known. If not, any node may
/// answer that proves that it has the fleet's secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Contact {
    address: Multiaddr,
    peer: Option<PeerId>,
}

/// What carries a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Carrier {
    /// QUIC, which runs over UDP.
    Quic,
    /// TCP, as libp2p uses it.
    Tcp,
}

impl ListenAddress {
    /// Listens on every address of this machine: those of IPv4, and those of IPv6 if it has any.
    ///
    /// Where the system chooses the port, it would choose another for each family, so there it is IPv4 alone.
    pub(super) fn everywhere(carrier: Carrier, port: u16) -> impl Iterator<Item = Self> {
        let v4 = Self { ip: Ipv4Addr::UNSPECIFIED.into(), carrier, port, need: Need::Always };
        let v6 = Self { ip: Ipv6Addr::UNSPECIFIED.into(), carrier, port, need: Need::IfThereIs };
        [v4].into_iter().chain(Some(v6).filter(|_| port != 0))
    }

    /// Takes an address that `transport` can listen on.
    pub(super) fn parse(text: &str, transport: Transport) -> Result<Self, Problem> {
        Self::of_parts(text, transport).map_err(|reason| {
            format!("is not an address to listen on: {reason}; write {}", listen_examples(transport))
        })
    }

    fn of_parts(text: &str, transport: Transport) -> Result<Self, String> {
        let Parts { host, carrier, port, peer, .. } = Parts::parse(text, transport)?;
        let Host::Ip(ip) = host else {
            return Err("only nodes that dial look up a name; listen on an IP address".into());
        };
        if peer.is_some() {
            return Err("this node's own id does not belong here".into());
        }
        Ok(Self { ip, carrier, port, need: Need::Always })
    }

    /// The port; 0 lets the system choose.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Takes the address and gives it back at once.
    ///
    /// # Errors
    ///
    /// Binds the address, or fails as the system says: with `AddrInUse` if another process has it.
    pub(crate) fn try_bind(&self) -> io::Result<()> {
        match self.carrier {
            Carrier::Quic => UdpSocket::bind((self.ip, self.port)).map(drop),
            Carrier::Tcp => TcpListener::bind((self.ip, self.port)).map(drop),
        }
    }

    /// Whether the node listens there on a machine whose interfaces have the addresses `own`.
    pub(crate) fn is_there(&self, own: &[IpAddr]) -> bool {
        match self.need {
            Need::Always => true,
            Need::IfThereIs => own.iter().any(|ip| ip.is_ipv4() == self.ip.is_ipv4()),
        }
    }

    /// Whether the node must not start if it cannot listen there.
    pub(crate) fn is_needed(&self) -> bool {
        self.need == Need::Always
    }

    /// The addresses by which others reach a node that listens at all of `listen`, where `own` are those of this machine's
    /// interfaces.
    ///
    /// That is each itself unless it stands for all of the machine. An address that means something on this
    /// machine or on one link alone is left out, unless there is nothing else.
    pub(crate) fn reachable(listen: &[Self], own: &[IpAddr]) -> Vec<Self> {
        let far: Vec<Self> = listen.iter().flat_map(|address| address.far(own)).collect();
        if far.is_empty() { listen.iter().filter_map(Self::loopback).collect() } else { far }
    }

    fn far(&self, own: &[IpAddr]) -> Vec<Self> {
        if !self.ip.is_unspecified() {
            return vec![self.clone()];
        }
        let is_far = |ip: &&IpAddr| !ip.is_loopback() && !is_link_local(**ip);
        let own = own.iter().filter(|ip| ip.is_ipv4() == self.ip.is_ipv4()).filter(is_far);
        own.map(|ip| Self { ip: *ip, ..self.clone() }).collect()
    }

    fn loopback(&self) -> Option<Self> {
        let ip = if self.ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        self.is_needed().then(|| Self { ip, ..self.clone() })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match self.ip {
            IpAddr::V4(ip) => write!(f, "/ip4/{ip}")?,
            IpAddr::V6(ip) => write!(f, "/ip6/{ip}")?,
        }
        match self.carrier {
            Carrier::Quic => write!(f, "/udp/{port}/quic-v1"),
            Carrier::Tcp => write!(f, "/tcp/{port}"),
        }
    }
}

impl Contact {
    /// Takes an address that `transport` can dial.
    pub(super) fn parse(text: &str, transport: Transport) -> Result<Self, Problem> {
        Self::of_parts(text, transport).map_err(|reason| {
            let example = contact_example(transport);
            format!(
                "is not a node to contact: {reason}; write {example}, as `fleet-cache id` prints it over there"
            )
        })
    }

    fn of_parts(text: &str, transport: Transport) -> Result<Self, String> {
        let Parts { address, host, port, peer, .. } = Parts::parse(text, transport)?;
        if matches!(host, Host::Ip(ip) if ip.is_unspecified()) {
            return Err("that stands for every address of a machine, and others can dial only one".into());
        }
        if port == 0 {
            return Err("nothing listens on port 0".into());
        }
        Ok(Self { address, peer })
    }

    /// Takes an address of this node itself, which others can dial.
    pub(super) fn parse_own(text: &str, transport: Transport) -> Result<Self, Problem> {
        Self::of_parts(text, transport)
            .and_then(|own| match own.peer {
                None => Ok(own),
                Some(_) => Err("this node's own id is put behind it by itself; leave it out".into()),
            })
            .map_err(|reason| {
                let example = own_example(transport);
                format!("is not an address by which others could reach this node: {reason}; write {example}")
            })
    }

    /// Whether both lead to one node for certain: the id is the same, or the address is and at most one has an id.
    pub(super) fn is_same_node(&self, other: &Self) -> bool {
        match (self.peer, other.peer) {
            (Some(one), Some(two)) => one == two,
            (None, _) | (_, None) => self.place() == other.place(),
        }
    }

    /// Where it is, without its id.
    fn place(&self) -> Multiaddr {
        self.address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// An address taken apart.
struct Parts {
    address: Multiaddr,
    host: Host,
    carrier: Carrier,
    port: u16,
    peer: Option<PeerId>,
}

enum Host {
    Ip(IpAddr),
    Name,
}

impl Parts {
    fn parse(text: &str, transport: Transport) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".into());
        }
        let address: Multiaddr = text.parse().map_err(|error| format!("{error}"))?;
        let mut parts = address.iter();
        let host = match parts.next() {
            Some(Protocol::Ip4(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Ip6(ip)) => Host::Ip(ip.into()),
            Some(Protocol::Dns4(_) | Protocol::Dns6(_)) => Host::Name,
            _other => return Err("it does not begin with /ip4, /ip6, /dns4 or /dns6".into()),
        };
        let (carrier, port) = match (parts.next(), transport) {
            (Some(Protocol::Tcp(port)), Transport::Libp2p) => (Carrier::Tcp, port),
            (Some(Protocol::Tcp(_)), Transport::Quic) => {
                return Err(
                    "the transport quic has no TCP; use /udp/PORT/quic-v1, or --transport libp2p".into()
                );
            }
            (Some(Protocol::Udp(port)), Transport::Libp2p | Transport::Quic) => match parts.next() {
                Some(Protocol::QuicV1) => (Carrier::Quic, port),
                _other => return Err("/quic-v1 does not follow the UDP port".into()),
            },
            _other => return Err("neither /tcp/PORT nor /udp/PORT/quic-v1 follows the host".into()),
        };
        let peer = match parts.next() {
            None => None,
            Some(Protocol::P2p(peer)) => {
                let text = peer.to_base58();
                Some(text.parse().map_err(|error| format!("{text} is {error}"))?)
            }
            Some(other) => return Err(format!("`{other}` does not belong there")),
        };
        if let Some(extra) = parts.next() {
            return Err(format!("`{extra}` does not belong behind the node's id"));
        }
        Ok(Self { address, host, carrier, port, peer })
    }
}

/// The addresses of this machine's interfaces; none if the system does not tell.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.iter().map(if_addrs::Interface::ip).collect()
}

/// Link-local addresses mean nothing without an interface of the reader's (RFC 3927; RFC 4291, section 2.5.6).
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn listen_examples(transport: Transport) -> &'static str {
    match transport {
        Transport::Libp2p => "/ip4/0.0.0.0/tcp/9100 or /ip4/0.0.0.0/udp/9100/quic-v1",
        Transport::Quic => "/ip4/0.0.0.0/udp/9100/quic-v1",
    }
}

fn own_example(transport: Transport) -> &'static str {
    match transport {
        Transport::Libp2p => "/dns4/ci-7.example/tcp/9100",
        Transport::Quic => "/dns4/ci-7.example/udp/9100/quic-v1",
    }
}

fn contact_example(transport: Transport) -> &'static str {
    match transport {
        Transport::Libp2p => "/ip4/192.0.2.7/tcp/9100/p2p/12D3Koo…",
        Transport::Quic => "/ip4/192.0.2.7/udp/9100/quic-v1/p2p/12D3Koo…",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const BOTH: [Transport; 2] = [Transport::Libp2p, Transport::Quic];

    fn contact(text: &str) -> Result<Contact, Problem> {
        Contact::parse(text, Transport::Libp2p)
    }

    fn listen(text: &str) -> ListenAddress {
        ListenAddress::parse(text, Transport::Libp2p).unwrap()
    }

    #[test]
    fn hosts_by_number_and_by_name_are_contacts_over_either_carrier() {
        for host in ["/ip4/192.0.2.7", "/ip6/2001:db8::1", "/dns4/ci.example", "/dns6/ci.example"] {
            for carrier in ["/tcp/9100", "/udp/9100/quic-v1"] {
                let text = format!("{host}{carrier}/p2p/{PEER}");
                let contact = contact(&text).unwrap();
                assert_eq!(contact.to_string(), text);
                assert_eq!(contact.peer.unwrap().to_string(), PEER);
            }
        }
    }

    #[test]
    fn what_is_no_node_to_contact_is_refused_with_a_reason_and_a_remedy() {
        let with_peer = |text: &str| format!("{text}/p2p/{PEER}");
        let table = [
            (String::new(), "empty"),
            ("garbage".to_owned(), ""),
            ("null".to_owned(), ""),
            (" ".to_owned(), ""),
            (with_peer("/ip4/256.256.256.256/tcp/9100"), "IPv4"),
            (with_peer("/ip4/192.0.2.7/tcp/99999"), "too large"),
            ("/ip4garbage/tcp//p2p/".to_owned(), "ip4garbage"),
            ("/ip4/192.0.2.7/tcp/9100/p2p/".to_owned(), ""),
            ("/ip4/192.0.2.7/tcp/9100/p2p/nobody".to_owned(), ""),
            (
                "/ip4/192.0.2.7/tcp/9100/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".to_owned(),
                "Ed25519",
            ),
            (with_peer("/ip4/192.0.2.7/udp/9100"), "/quic-v1"),
            (with_peer("/ip4/192.0.2.7"), "follows the host"),
            (with_peer("/ip4/192.0.2.7/tcp/9100/http"), "http"),
            (format!("{}/p2p-circuit", with_peer("/ip4/192.0.2.7/tcp/9100")), "p2p-circuit"),
            (with_peer("/dnsaddr/bootstrap.libp2p.io"), "does not begin with"),
            (with_peer("/ip4/0.0.0.0/tcp/9100"), "every address"),
            (with_peer("/ip4/192.0.2.7/tcp/0"), "port 0"),
        ];
        for (text, reason) in table {
            let refused = contact(&text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
            assert!(refused.contains("write /ip4/192.0.2.7/tcp/9100/p2p/12D3Koo"), "{text}: {refused}");
        }
    }

    #[test]
    fn an_address_that_the_transport_does_not_speak_is_refused() {
        let text = format!("/ip4/192.0.2.7/tcp/9100/p2p/{PEER}");
        assert!(Contact::parse(&text, Transport::Quic).unwrap_err().contains("--transport libp2p"));
        assert!(ListenAddress::parse("/ip4/0.0.0.0/tcp/9100", Transport::Quic).is_err());
        for transport in BOTH {
            assert!(ListenAddress::parse("/ip4/0.0.0.0/udp/9100/quic-v1", transport).is_ok());
        }
    }

    #[test]
    fn a_node_listens_on_an_ip_address_without_a_name_or_an_id() {
        assert_eq!(listen("/ip6/::/tcp/9100").port(), 9100);
        assert_eq!(listen("/ip4/127.0.0.1/udp/0/quic-v1").port(), 0);
        for text in ["/dns4/ci.example/tcp/9100", &format!("/ip4/0.0.0.0/tcp/9100/p2p/{PEER}"), "", "9100"] {
            let refused = ListenAddress::parse(text, Transport::Libp2p).unwrap_err();
            assert!(refused.contains("write /ip4/0.0.0.0/tcp/9100"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_what_other_machines_reach() {
        let own: Vec<IpAddr> =
            ["127.0.0.1", "10.0.0.7", "169.254.3.3", "192.0.2.7", "::1", "fe80::1", "2001:db8::1"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let shown = |text: &str, own: &[IpAddr]| -> Vec<String> {
            ListenAddress::reachable(&[listen(text)], own).iter().map(ToString::to_string).collect()
        };
        assert_eq!(shown("/ip4/0.0.0.0/tcp/1", &own), ["/ip4/10.0.0.7/tcp/1", "/ip4/192.0.2.7/tcp/1"]);
        assert_eq!(shown("/ip6/::/udp/1/quic-v1", &own), ["/ip6/2001:db8::1/udp/1/quic-v1"]);
        assert_eq!(shown("/ip4/0.0.0.0/tcp/1", &[]), ["/ip4/127.0.0.1/tcp/1"]);
        assert_eq!(shown("/ip6/::/tcp/1", &own[..6]), ["/ip6/::1/tcp/1"]);
        assert_eq!(shown("/ip4/127.0.0.1/tcp/1", &own), ["/ip4/127.0.0.1/tcp/1"]);
    }

    #[test]
    fn a_port_alone_stands_for_both_families_as_far_as_the_machine_has_them() {
        let listen: Vec<ListenAddress> = ListenAddress::everywhere(Carrier::Tcp, 1).collect();
        let own =
            |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
        let shown = |own: &[IpAddr]| -> Vec<String> {
            ListenAddress::reachable(&listen, own).iter().map(ToString::to_string).collect()
        };
        let (v4, v6, none) =
            (own(&["127.0.0.1", "10.0.0.7"]), own(&["::1", "2001:db8::1"]), own(&["127.0.0.1", "::1"]));
        assert_eq!(shown(&v4), ["/ip4/10.0.0.7/tcp/1"]);
        assert_eq!(shown(&v6), ["/ip6/2001:db8::1/tcp/1"]);
        assert_eq!(
            shown(&[v4.clone(), v6.clone()].concat()),
            ["/ip4/10.0.0.7/tcp/1", "/ip6/2001:db8::1/tcp/1"]
        );
        assert_eq!(shown(&none), ["/ip4/127.0.0.1/tcp/1"]);
        let there = |own: &[IpAddr]| listen.iter().filter(|address| address.is_there(own)).count();
        assert_eq!((there(&v4), there(&v6), there(&none)), (1, 2, 2));
        assert_eq!(ListenAddress::everywhere(Carrier::Tcp, 0).count(), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_reads_the_same_again(
            ip: IpAddr, port in 1u16.., quic: bool, key in any::<[u8; 32]>(),
        ) {
            prop_assume!(!ip.is_unspecified());
            let carrier = if quic { Carrier::Quic } else { Carrier::Tcp };
            let listen = ListenAddress { ip, carrier, port, need: Need::Always };
            let again = ListenAddress::parse(&listen.to_string(), Transport::Libp2p).unwrap();
            prop_assert_eq!(&again, &listen);
            let peer = PeerId::from_public_key(key);
            let text = format!("{listen}/p2p/{peer}");
            let contact = contact(&text).unwrap();
            prop_assert_eq!(contact.peer, Some(peer));
            prop_assert_eq!(contact.to_string(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "(/?(ip4|ip6|dns4|tcp|udp|quic-v1|p2p|0|99999|::|[ -~]{0,9}))*") {
            let _either_way = (contact(&text), ListenAddress::parse(&text, Transport::Quic));
        }
    }
}
