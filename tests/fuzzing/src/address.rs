//! Addresses to dial and to listen on: a few forms, the same on both transports.

use cache_core::{Member, PeerId, peer_of_address};
use cache_transport_libp2p::{Carrier, Libp2pAddress};
use cache_transport_quic::QuicAddress;

/// Takes the bytes for an address as text.
///
/// # Panics
///
/// When an address is taken that has none of the forms, when the transports disagree where both could dial, when
/// an address changes by being written, or when the core finds another peer in it.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let libp2p = text.parse::<Libp2pAddress>();
    let quic = text.parse::<QuicAddress>();
    if let Ok(address) = &libp2p {
        let written = address.to_string();
        assert_eq!(written.parse::<Libp2pAddress>().as_ref(), Ok(address), "written as another");
        let form = Form::of(&written).expect("an address of one of the forms");
        assert_eq!((form.carrier, form.port), (address.carrier(), address.port()), "{written}");
        let peer = address.peer().map(|peer| peer.to_string());
        assert_eq!(form.peer.map(str::to_owned), peer, "{written}");
        check_peer(&written, form.peer);
    }
    match (&quic, &libp2p) {
        (Ok(quic), Ok(libp2p)) => {
            assert_eq!(libp2p.carrier(), Carrier::Quic);
            assert_eq!((quic.port(), quic.peer()), (libp2p.port(), libp2p.peer()));
            assert_eq!(quic.to_string().parse::<QuicAddress>().as_ref(), Ok(quic), "written as another");
        }
        (Ok(quic), Err(_)) => panic!("{quic} is for QUIC and not for libp2p"),
        (Err(_), Ok(libp2p)) => assert_eq!(libp2p.carrier(), Carrier::Tcp, "{libp2p} is not for QUIC"),
        (Err(refused), Err(_)) => {
            assert!(refused.to_string().contains(text), "the refusal names the address");
        }
    }
    check_member(text);
}

/// One of each form, and some of none.
pub fn seeds() -> Vec<Vec<u8>> {
    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let hosts = ["/ip4/192.0.2.7", "/ip6/2001:db8::1", "/dns4/ci.example", "/dns6/ci.example", "/dnsaddr/x"];
    let carriers = ["/tcp/9100", "/udp/0/quic-v1", "/udp/9100"];
    let of = |host: &str| carriers.map(|carrier| format!("{host}{carrier}"));
    let mut seeds: Vec<String> = hosts.into_iter().flat_map(of).collect();
    let with_peer: Vec<String> = seeds.iter().map(|seed| format!("{seed}/p2p/{PEER}")).collect();
    seeds.extend(with_peer);
    seeds.push(format!("/ip4/192.0.2.7/tcp/1/p2p/{PEER}/p2p-circuit"));
    seeds.push("/ip4/192.0.2.7/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N".into());
    seeds.into_iter().map(String::into_bytes).collect()
}

/// Whatever peer an address names, the core reads the same one, unless its key is of a kind that no member has.
fn check_peer(written: &str, peer: Option<&str>) {
    let of_core = peer_of_address(written);
    match peer {
        Some(peer) => assert_eq!(of_core, peer.parse::<PeerId>().ok(), "{written}"),
        None => assert_eq!(of_core, None, "{written}"),
    }
}

/// What a member tells of itself is kept as it is or not at all.
fn check_member(text: &str) {
    let peer = PeerId::from_public_key([7; 32]);
    let member = Member::new(peer, 1, [text]);
    let told: Vec<String> = member.addresses().collect();
    assert!(told.len() <= 1);
    for address in told {
        assert_eq!(peer_of_address(&address), Some(peer), "{address}");
        assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address:?}");
        assert_eq!(Member::new(peer, 1, [&address]), member, "{address}");
    }
}

/// An address taken apart at its slashes.
struct Form<'a> {
    carrier: Carrier,
    port: u16,
    peer: Option<&'a str>,
}

impl<'a> Form<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
        let (host, rest) = parts.split_first_chunk::<2>()?;
        if !matches!(host[0], "ip4" | "ip6" | "dns4" | "dns6") {
            return None;
        }
        let (carrier, port, rest) = match rest {
            ["tcp", port, rest @ ..] => (Carrier::Tcp, port, rest),
            ["udp", port, "quic-v1", rest @ ..] => (Carrier::Quic, port, rest),
            _other => return None,
        };
        let peer = match rest {
            [] => None,
            ["p2p", peer] => Some(*peer),
            _other => return None,
        };
        Some(Self { carrier, port: port.parse().ok()?, peer })
    }
}
