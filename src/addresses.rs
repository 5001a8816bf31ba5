//! Which of a node's addresses others are told, and in which order.

use cache_core::PeerId;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The addresses that others are told: first those that were given, then those that were found, and of these first
/// those `from` which this host reaches others. Each ends in `local`, and none is there twice.
///
/// Others keep a few addresses of a member, so what is of no use to them is left out: addresses that mean something on one
/// link alone, and, if there are others, those that mean something on this host alone.
pub(crate) fn told(
    advertised: &[String],
    found: &[Box<str>],
    from: &[IpAddr],
    local: PeerId,
) -> Vec<Box<str>> {
    let suffix = format!("/p2p/{local}");
    let mut found: Vec<(Reach, &str)> =
        found.iter().map(|address| (reach(address, from), address.as_ref())).collect();
    found.sort_by_key(|(reach, _)| *reach);
    let farthest = found.first().map(|(reach, _)| *reach);
    let is_of_use = |reach: Reach| reach < Reach::Host || Some(reach) == farthest;
    let found = found.into_iter().filter(|(reach, _)| is_of_use(*reach)).map(|(_, address)| address);
    let mut told: Vec<Box<str>> = Vec::new();
    for address in advertised.iter().map(String::as_str).chain(found) {
        let address =
            if address.ends_with(&suffix) { address.into() } else { format!("{address}{suffix}").into() };
        if !told.contains(&address) {
            told.push(address);
        }
    }
    told
}

/// The addresses from which this host reaches others: one for each family in which it has a way to all of them.
///
/// The system is asked for the way, and nothing is sent.
pub(crate) fn outward() -> Vec<IpAddr> {
    let to_all: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), DOCUMENTATION_V4.into()),
        (Ipv6Addr::UNSPECIFIED.into(), DOCUMENTATION_V6.into()),
    ];
    let from = |(any, other): (IpAddr, IpAddr)| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((other, 9)).ok()?;
        socket.local_addr().ok().as_ref().map(SocketAddr::ip)
    };
    to_all.into_iter().filter_map(from).collect()
}

/// From how far an address can be dialled, the farthest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Reach {
    /// It is the one from which this host reaches others.
    Outward,
    Everywhere,
    Host,
    Link,
}

fn reach(address: &str, from: &[IpAddr]) -> Reach {
    let ip = address.split('/').nth(2).and_then(|host| host.parse::<IpAddr>().ok());
    match ip {
        Some(ip) if from.contains(&ip) => Reach::Outward,
        Some(ip) if ip.is_loopback() => Reach::Host,
        Some(IpAddr::V4(ip)) if ip.is_link_local() => Reach::Link,
        Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => Reach::Link,
        Some(_) | None => Reach::Everywhere,
    }
}

/// Addresses that belong to no host (RFC 5737, RFC 3849): the way to them is the way to all that is not near.
const DOCUMENTATION_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DOCUMENTATION_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

#[cfg(test)]
mod tests {
    use super::*;

    fn places(advertised: &[&str], found: &[&str], from: &[&str]) -> Vec<String> {
        let local = PeerId::from_public_key([1; 32]);
        let found: Vec<Box<str>> = found.iter().map(|place| format!("{place}/p2p/{local}").into()).collect();
        let advertised: Vec<String> = advertised.iter().map(|place| (*place).to_owned()).collect();
        let from: Vec<IpAddr> = from.iter().map(|ip| ip.parse().unwrap()).collect();
        let told = told(&advertised, &found, &from, local);
        let suffix = format!("/p2p/{local}");
        told.iter().map(|address| address.strip_suffix(&suffix).unwrap().to_owned()).collect()
    }

    #[test]
    fn what_was_given_comes_first_and_nothing_twice() {
        let given = ["/dns4/ci.example/tcp/9100", "/ip4/10.0.0.7/tcp/1"];
        let told = places(&given, &["/ip4/10.0.0.8/tcp/1", "/ip4/10.0.0.7/tcp/1"], &[]);
        assert_eq!(told, ["/dns4/ci.example/tcp/9100", "/ip4/10.0.0.7/tcp/1", "/ip4/10.0.0.8/tcp/1"]);
    }

    #[test]
    fn what_only_this_host_or_its_link_can_dial_is_not_told_if_there_is_something_else() {
        let near = ["/ip4/127.0.0.1/tcp/1", "/ip4/169.254.1.1/tcp/1", "/ip6/::1/tcp/1", "/ip6/fe80::1/tcp/1"];
        let all: Vec<&str> = near.into_iter().chain(["/ip6/2001:db8::7/tcp/1"]).collect();
        assert_eq!(places(&[], &all, &[]), ["/ip6/2001:db8::7/tcp/1"]);
        assert_eq!(places(&[], &near, &[]), ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"]);
    }

    #[test]
    fn addresses_from_which_this_host_reaches_others_come_before_those_of_bridges() {
        let found =
            ["/ip4/172.17.0.1/tcp/1", "/ip4/10.0.0.7/tcp/1", "/ip6/fd00::1/tcp/1", "/ip6/2001:db8::7/tcp/1"];
        let told = places(&[], &found, &["10.0.0.7", "2001:db8::7"]);
        assert_eq!(
            told,
            ["/ip4/10.0.0.7/tcp/1", "/ip6/2001:db8::7/tcp/1", "/ip4/172.17.0.1/tcp/1", "/ip6/fd00::1/tcp/1"]
        );
    }
}
