//! Strangers at the peer port of one node, which know no secret and keep to no protocol.
//!
//! Over TCP they hold connections, over UDP they send datagrams; none of them gets through a handshake.

use super::{
    super::{fleet::FleetSetting, reader::Diet, usage::Usage},
    LONG,
    world::{Outcome, World},
};
use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    thread,
    time::{Duration, Instant},
};

pub(super) fn random(setting: &FleetSetting<'_>) -> Result<Outcome> {
    strangers(setting, |port| {
        let mut random = StdRng::seed_from_u64(1);
        match port {
            Port::Tcp(address) => {
                for _ in 0..200 {
                    let mut bytes = vec![0; 64 * 1024];
                    random.fill(bytes.as_mut_slice());
                    write_all(&mut connect(*address)?, &bytes);
                }
                Ok("200 connections with 64 KiB each".to_owned())
            }
            Port::Udp(address) => {
                let socket = socket()?;
                for _ in 0..20_000 {
                    let mut bytes = vec![0; random.random_range(1..1400)];
                    random.fill(bytes.as_mut_slice());
                    socket.send_to(&bytes, address)?;
                }
                Ok("20,000 datagrams of up to 1400 bytes".to_owned())
            }
        }
    })
}

pub(super) fn huge_lengths(setting: &FleetSetting<'_>) -> Result<Outcome> {
    strangers(setting, |port| match port {
        Port::Tcp(address) => {
            let mut greeted = Vec::from(MULTISTREAM);
            greeted.extend(VARINT_GIB);
            for start in [&VARINT_GIB[..], &greeted, &BIG_ENDIAN_GIB] {
                for _ in 0..20 {
                    let mut stream = connect(*address)?;
                    write_all(&mut stream, start);
                    write_all(&mut stream, &[b'x'; 256 * 1024]);
                }
            }
            Ok("60 connections: as a varint, after a greeting, as four bytes".to_owned())
        }
        Port::Udp(address) => {
            let socket = socket()?;
            for number in 0..2_000_u32 {
                let mut bytes = initial(number);
                // The length of the token, as a varint of QUIC's in four bytes.
                bytes.extend([0xbf, 0xff, 0xff, 0xff]);
                bytes.resize(DATAGRAM_BYTES, b'x');
                socket.send_to(&bytes, address)?;
            }
            Ok("2,000 first datagrams with a token of 1 GiB".to_owned())
        }
    })
}

pub(super) fn flood(setting: &FleetSetting<'_>) -> Result<Outcome> {
    strangers(setting, |port| match port {
        Port::Tcp(address) => {
            let streams: Vec<_> = (0..500).map(|_| connect(*address)).collect::<Result<_>>()?;
            thread::sleep(LONG);
            Ok(format!("{} connections held for {} s, silent", streams.len(), LONG.as_secs()))
        }
        Port::Udp(address) => {
            let mut count = 0_u32;
            let sockets = (0..500).map(|_| socket()).collect::<Result<Vec<_>>>()?;
            let end = Instant::now() + LONG;
            while Instant::now() < end {
                for socket in &sockets {
                    let mut bytes = initial(count);
                    // No token, and a sealed part as long as the datagram, which does not open.
                    bytes.extend([0, 0x44, 0x90]);
                    bytes.resize(DATAGRAM_BYTES, b'x');
                    socket.send_to(&bytes, address)?;
                    count += 1;
                }
                thread::sleep(Duration::from_millis(50));
            }
            Ok(format!("{count} first datagrams from 500 sockets in {} s", LONG.as_secs()))
        }
    })
}

pub(super) fn never_reads(setting: &FleetSetting<'_>) -> Result<Outcome> {
    strangers(setting, |port| match port {
        Port::Tcp(address) => {
            let mut streams = (0..50).map(|_| connect(*address)).collect::<Result<Vec<_>>>()?;
            // Every proposal is answered; the answers pile up, since they are not read.
            let talk = [MULTISTREAM, b"\x07/none/1\n".repeat(4096).as_slice()].concat();
            let end = Instant::now() + LONG;
            while Instant::now() < end {
                for stream in &mut streams {
                    write_all(stream, &talk);
                }
            }
            Ok("50 connections that propose protocols and read no answer".to_owned())
        }
        Port::Udp(address) => {
            let socket = socket()?;
            let end = Instant::now() + LONG;
            let mut count = 0_u32;
            while Instant::now() < end {
                let mut bytes = initial(count);
                // A version that no node speaks, which asks for an answer.
                bytes[1..5].copy_from_slice(&[0x1a, 0x2a, 0x3a, 0x4a]);
                bytes.resize(DATAGRAM_BYTES, b'x');
                socket.send_to(&bytes, address)?;
                count += 1;
                thread::sleep(Duration::from_millis(1));
            }
            Ok(format!("{count} datagrams of an unknown version, answers not read"))
        }
    })
}

/// Lets strangers do as they like at the first node's port while all three are read from.
fn strangers(setting: &FleetSetting<'_>, act: impl FnOnce(&Port) -> Result<String>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1, 2], Diet::Mixed, |world, reads| {
        let (port, id) = (Port::of(&world.members[0].listen)?, world.members[0].id()?);
        let open = Usage::of(id)?.descriptors;
        let starts: Vec<u64> = world.members.iter().map(connections_seen).collect::<Result<_>>()?;
        let did = act(&port)?;
        let peers = world.members[0].figure("connected_peers")?;
        ensure!(peers == 2, "{peers} peers are left");
        let began = Instant::now();
        while Usage::of(id)?.descriptors > open + DESCRIPTORS_SPARE {
            ensure!(began.elapsed() < RELEASE_MAX, "descriptors are not released within {RELEASE_MAX:?}");
            thread::sleep(Duration::from_millis(20));
        }
        let released = began.elapsed();
        reads.more(60)?;
        world.connected()?;
        let ends: Vec<u64> = world.members.iter().map(connections_seen).collect::<Result<_>>()?;
        ensure!(starts == ends, "connections between members were lost on the way");
        Ok((did, format!("both peers all the time; descriptors released {} ms after", released.as_millis())))
    })
}

/// How often the log of `member` speaks of a connection with a peer that began or ended.
fn connections_seen(member: &super::super::members::Member) -> Result<u64> {
    let log = std::fs::read_to_string(member.log())?;
    Ok(log.lines().filter(|line| line.contains("connected peer=")).count() as u64)
}

/// Where a node listens for peers.
#[derive(Debug)]
enum Port {
    Tcp(SocketAddr),
    Udp(SocketAddr),
}

impl Port {
    fn of(multiaddress: &str) -> Result<Self> {
        let mut parts = multiaddress.split('/').skip(2);
        let address: Ipv4Addr = parts.next().context("an address")?.parse()?;
        let kind = parts.next();
        let socket = SocketAddr::from((address, parts.next().context("a port")?.parse::<u16>()?));
        Ok(if kind == Some("udp") { Self::Udp(socket) } else { Self::Tcp(socket) })
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_write_timeout(Some(Duration::from_millis(100)))?;
    Ok(stream)
}

/// Writes what the other side takes; being refused is what strangers can expect.
fn write_all(stream: &mut TcpStream, bytes: &[u8]) {
    let _refused = stream.write_all(bytes);
}

fn socket() -> Result<UdpSocket> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?)
}

/// The beginning of a connection's first datagram, of version 1, up to its token.
fn initial(number: u32) -> Vec<u8> {
    let mut bytes = vec![0xc3, 0, 0, 0, 1];
    for side in [1_u32, 2] {
        bytes.push(8);
        bytes.extend(side.to_be_bytes());
        bytes.extend(number.to_be_bytes());
    }
    bytes
}

/// The greeting with which connections of libp2p begin.
const MULTISTREAM: &[u8] = b"\x13/multistream/1.0.0\n";
const VARINT_GIB: [u8; 5] = [0x80, 0x80, 0x80, 0x80, 0x04];
const BIG_ENDIAN_GIB: [u8; 4] = [0x40, 0, 0, 0];
/// The least that QUIC takes as a first datagram.
const DATAGRAM_BYTES: usize = 1200;
/// What readers have open in the meantime.
const DESCRIPTORS_SPARE: u64 = 6;
const RELEASE_MAX: Duration = Duration::from_secs(30);
