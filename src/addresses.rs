//! Which of a node's addresses others are told, and in which order.

use cache_core::PeerId;
use std::net::IpAddr;

/// The addresses that others are told: first those that were given, then those that were found; and addresses that
/// other hosts can dial before those that only this one can. Each ends in `local`, and none is there twice.
pub(crate) fn told(advertised: &[String], found: &[Box<str>], local: PeerId) -> Vec<Box<str>> {
    let suffix = format!("/p2p/{local}");
    let mut found: Vec<&str> = found.iter().map(AsRef::as_ref).collect();
    found.sort_by_key(|address| reach(address));
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

/// From how far an address can be dialled, the farthest first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Reach {
    Everywhere,
    Link,
    Host,
}

fn reach(address: &str) -> Reach {
    let ip = address.split('/').nth(2).and_then(|host| host.parse::<IpAddr>().ok());
    match ip {
        Some(ip) if ip.is_loopback() => Reach::Host,
        Some(IpAddr::V4(ip)) if ip.is_link_local() => Reach::Link,
        Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => Reach::Link,
        Some(_) | None => Reach::Everywhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_hosts_can_dial_comes_before_what_only_this_one_can() {
        let local = PeerId::from_public_key([1; 32]);
        let found =
            ["/ip4/127.0.0.1/tcp/1", "/ip4/169.254.1.1/tcp/1", "/ip6/::1/tcp/1", "/ip4/10.0.0.7/tcp/1"];
        let found: Vec<Box<str>> = found.iter().map(|place| format!("{place}/p2p/{local}").into()).collect();
        let advertised = ["/dns4/ci.example/tcp/9100".to_owned(), "/ip4/10.0.0.7/tcp/1".to_owned()];
        let told = told(&advertised, &found, local);
        let places: Vec<&str> =
            told.iter().filter_map(|address| address.strip_suffix(&format!("/p2p/{local}"))).collect();
        assert_eq!(
            places,
            [
                "/dns4/ci.example/tcp/9100",
                "/ip4/10.0.0.7/tcp/1",
                "/ip4/169.254.1.1/tcp/1",
                "/ip4/127.0.0.1/tcp/1",
                "/ip6/::1/tcp/1",
            ]
        );
    }
}
