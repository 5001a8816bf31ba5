//! Which addresses a tunnel may lead to, so that no client reaches through the daemon what it could not reach itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one of the public internet's.
///
/// All others are this machine's, its networks', or those of services that hand out credentials to any program on this
/// machine: 169.254.169.254, fd00:ec2::254, 100.100.100.200. By the registries of special-purpose addresses (RFC 6890).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => embedded(address).map_or_else(|| is_public_v6(address), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _d] = address.octets();
    let is_special = match (a, b, c) {
        // "This network", private, loopback.
        (0 | 10 | 127, ..) => true,
        // Shared with a carrier (RFC 6598); some clouds' metadata.
        (100, 64..=127, _) => true,
        // Link-local; metadata.
        (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocol assignments, documentation, the old 6to4 relay, measurements.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224.., ..) => true,
        _public => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is given out for hosts (RFC 4291, section 2.4); within it are documentation, measurements, and Teredo,
    // which may lead to any address.
    (0x2000..=0x3fff).contains(&a)
        && !matches!((a, b), (0x2001, 0 | 2 | 0x10..=0x2f | 0xdb8) | (0x3fff, 0..=0xfff))
}

/// The IPv4 address to which an IPv6 address leads, if it is made of one.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] if !address.is_loopback() && !address.is_unspecified() => {
            Some(of(high, low))
        }
        // Translated by the network (RFC 6052). In its local block (RFC 8215) nobody outside knows where the IPv4 address is,
        // so that is not public.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(of(high, low)),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_of_this_machine_its_networks_or_a_metadata_service_is_public() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::7f00:1",
            "64:ff9b:1:7f00:0:100:808:808",
            "64:ff9b:0:1::8c52:7906",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:1::1",
            "2001:db8::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "100::1",
            "5f00::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_of_hosts_on_the_internet_are_public() {
        for address in [
            "140.82.121.6",
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "2606:50c0:8000::153",
            "2a00:1450:4001:80f::200e",
            "::ffff:140.82.121.6",
            "64:ff9b::8c52:7906",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
