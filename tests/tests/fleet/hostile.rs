//! Strangers and members that mean harm, by what they send rather than by what it says.

use crate::{
    member::Member,
    support::{EITHER, Fleet, Over, body, connected, standing, totals},
};
use cache_core::{
    AskId, Bucket, Content, Domain, Draft, Key, Message, Name, Payer, PeerId, Shortage, Validators, codec,
    freshness::Freshness,
    message::{Announced, Edition, Invalidation, InvalidationId, Notice, Parcel, Reach, Role, Scope},
    port::BULK_BYTES_MIN,
};
use cache_tests::until;
use fleet_cache::PeerState;
use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_frames_do_not_open_is_banned_and_the_others_go_on() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let member = Member::new(over, &fleet.secret).await;
        let node = member.meet(&fleet.nodes[0]).await;
        for length in [0, 1, 25, 1000, BULK_BYTES_MIN + 1, 1, 1, 1, 1, 1, 1, 1, 1] {
            // Refused once the ban has ended the connection.
            let _sent = member.send(node, vec![1; length]);
        }
        is_banned(&fleet, &member).await;
        let banned = standing(&fleet.nodes[0], member.peer).await.expect("bans are remembered");
        assert_eq!(banned.reason.as_deref(), Some("sent what does not open"), "{over:?}");
        assert!(totals(&fleet.nodes[0]).await.rejected_frames >= 10, "{over:?}");
        // It may dial again and is not kept.
        member.call(&fleet.nodes[0].addresses()[0]);
        shares(&fleet, "after").await;
        assert_eq!(connected(&fleet.nodes[0]).await, 1, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_seals_what_is_no_message_is_banned() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let member = Member::new(over, &fleet.secret).await;
        let node = member.meet(&fleet.nodes[0]).await;
        // Nothing, no kind, no number that is a kind, a length of 2^60, a message that breaks off.
        let ping = codec::encode_message(&Message::Ping { token: 1 });
        let gigantic = [1, 7, 253, 0, 0, 0, 0, 0, 0, 0, 16];
        for plain in [&[][..], &[1], &[1, 255], &gigantic, &ping[..2]] {
            let _sent = member.say_bytes(node, plain);
        }
        is_banned(&fleet, &member).await;
        assert_eq!(totals(&fleet.nodes[0]).await.rejected_frames, 5, "{over:?}");
        shares(&fleet, "after").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_comes_twice_is_taken_once() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let member = Member::new(over, &fleet.secret).await;
        let node = member.meet(&fleet.nodes[0]).await;
        let frame = member.seal(node, &codec::encode_message(&Message::Ping { token: 4711 }));
        for _ in 0..3 {
            member.send(node, frame.clone()).expect("there is room");
        }
        until("two of three are refused", async || totals(&fleet.nodes[0]).await.rejected_frames == 2).await;
        let pongs = || {
            let heard = member.heard();
            heard.iter().filter(|message| matches!(message, Message::Pong { token: 4711, .. })).count()
        };
        let mut answered = 0;
        until("one is answered", async || {
            answered += pongs();
            answered == 1
        })
        .await;
        assert_eq!(pongs(), 0, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_that_send_garbage_or_huge_lengths_or_nothing_keep_nobody_out() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let strangers = Strangers::at(over, socket_of(&fleet.nodes[0].addresses()[0]));
        shares(&fleet, "meanwhile").await;
        let newcomer = fleet.start_one(fleet.nodes[0].addresses()).await;
        until("a newcomer joins", async || connected(&newcomer).await == 2).await;
        if matches!(strangers, Strangers::Tcp { .. }) {
            until("strangers are counted", async || totals(&fleet.nodes[0]).await.refused > 10).await;
        }
        drop(strangers);
        shares(&fleet, "after").await;
    }
}

/// Runs this very test in a process of its own, where nothing else takes memory, and prints what it says.
#[tokio::test(flavor = "multi_thread")]
async fn floods_and_deaf_peers_take_bounded_memory() {
    if std::env::var_os(ALONE).is_none() {
        let output = std::process::Command::new(std::env::current_exe().expect("it runs"))
            .args(["--exact", "--nocapture", "hostile::floods_and_deaf_peers_take_bounded_memory"])
            .env(ALONE, "1")
            .output()
            .expect("it can be run again");
        println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success());
        return;
    }
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        shares(&fleet, "before").await;
        let before = resident_mib();
        let strangers = Strangers::at(over, socket_of(&fleet.nodes[0].addresses()[0]));
        let after_strangers = resident_mib();
        let flooder = Member::new(over, &fleet.secret).await;
        let node = flooder.meet(&fleet.nodes[0]).await;
        let sent = flood(&flooder, node).await;
        shares(&fleet, "while it floods").await;
        let after_flood = resident_mib();
        let deaf = Member::new(over, &fleet.secret).await;
        deaf.meet(&fleet.nodes[1]).await;
        deaf.stop_reading();
        for number in 0..8_000 {
            let (key, hour) = (format!("{number}"), Duration::from_secs(3600));
            fleet.nodes[1].values().put(&key, vec![0; 8 * 1024], hour).await.expect("it is kept");
        }
        shares(&fleet, "beside a deaf one").await;
        let after_deaf = resident_mib();
        println!(
            "{over:?}: resident {before} MiB; {after_strangers} after strangers, {after_flood} after {sent} messages \
             of a flood (banned: {}), {after_deaf} after 62 MiB for one who reads nothing",
            !flooder.is_connected(node),
        );
        let grown = after_deaf.saturating_sub(before);
        assert!(grown < GROWTH_MIB_MAX, "{over:?}: {grown} MiB more");
        drop(strangers);
    }
}

/// Nodes 0 and 1 share a value that no node had before. An announcement for which a queue has no room is not
/// repeated, so the value is put until it is there.
async fn shares(fleet: &Fleet, when: &str) {
    let minute = Duration::from_secs(60);
    until(&format!("the fleet shares {when}"), async || {
        fleet.nodes[1].values().put(when, "value", minute).await.expect("it is kept");
        fleet.nodes[0].values().get(when).await.expect("the node runs").is_some()
    })
    .await;
    body(&fleet.nodes[0], &Fleet::repository(1)).await;
}

async fn is_banned(fleet: &Fleet, member: &Member) {
    until("it is banned", async || {
        standing(&fleet.nodes[0], member.peer).await.is_some_and(|peer| peer.state == PeerState::Banned)
    })
    .await;
    let node = fleet.nodes[0].peer_id().expect("the node shares");
    until("its connection has ended", async || !member.is_connected(node)).await;
}

/// Says as much as goes into [`FLOOD_TIME`], each time of something else that the receiver might remember. Returns
/// how many messages that were.
async fn flood(flooder: &Member, node: PeerId) -> u64 {
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < FLOOD_TIME && flooder.is_connected(node) {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&u64::to_le_bytes(sent));
        let name = Name::from_bytes(bytes);
        let key = Key::new(&format!("flood {sent}"), Domain::APPLICATION);
        let invalidation = Invalidation {
            id: InvalidationId { count: sent, issuer: sent },
            reach: Reach::forget([Scope::Key(key.clone())]),
            age: Duration::ZERO,
        };
        let notice = Notice { receipt: sent, mark: None, invalidations: vec![invalidation] };
        let parcel = Parcel { key, draft: draft(vec![0; 4096].into()), after: Vec::new(), edition: None };
        let messages = [
            Message::Ping { token: sent },
            Message::Ask { ask: AskId(sent), name, role: Role::Coordinator, kin_wait: None },
            Message::Announce(Announced::Named {
                name,
                remaining: Duration::MAX,
                age: Duration::ZERO,
                edition: Some(Edition { issuer: sent, count: sent }),
            }),
            Message::Invalidate(notice),
            Message::Announce(Announced::Whole(Box::new(parcel))),
            Message::Quota {
                payer: Payer::from_bytes(bytes[..16].try_into().expect("16 bytes")),
                bucket: Bucket(1),
                pause: Duration::MAX,
                shortage: Shortage::Pace,
            },
            Message::Claim { name },
        ];
        for message in messages {
            sent += u64::from(flooder.say(node, &message));
        }
        // Its own queue is full most of the time; what does not fit is said another time.
        tokio::task::yield_now().await;
    }
    sent
}

fn draft(body: bytes::Bytes) -> Draft {
    let freshness = Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() };
    Draft {
        content: Content::of_value(body),
        freshness,
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

/// Where `address` leads.
fn socket_of(address: &str) -> SocketAddr {
    let port = address.split('/').nth(4).expect("a multiaddr's fifth part is its port");
    ([127, 0, 0, 1], port.parse().expect("a port is a number")).into()
}

/// Many strangers that speak out of turn, and then hold what they have.
enum Strangers {
    Tcp { _held: Vec<TcpStream> },
    Udp { _held: UdpSocket },
}

impl Strangers {
    fn at(over: Over, node: SocketAddr) -> Self {
        match over {
            Over::Libp2p => {
                let words = [
                    &b""[..],
                    &[0xff; 4096],
                    b"GET / HTTP/1.1\r\n\r\n",
                    // A message of 1 GiB, in libp2p's varint and in our own way of writing lengths.
                    b"\x80\x80\x80\x80\x04",
                    b"\x40\x00\x00\x00",
                    b"\x13/multistream/1.0.0\n\x80\x80\x80\x80\x04",
                ];
                let speak = |words: &[u8]| {
                    let mut stream = TcpStream::connect(node).expect("somebody listens");
                    // Broken off by a node that has heard enough.
                    let _said = stream.write_all(words);
                    stream
                };
                Self::Tcp { _held: (0..10).flat_map(|_| words).map(speak).collect() }
            }
            Over::Quic => {
                let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
                for round in 0..200_u8 {
                    for length in [0, 1, 20, 1200, 1472] {
                        for first in [0x00, 0x40, 0xc0, 0xff] {
                            let mut datagram = vec![round; length];
                            datagram.iter_mut().take(1).for_each(|byte| *byte = first);
                            // Dropped where the system's buffer is full.
                            let _sent = socket.send_to(&datagram, node);
                        }
                    }
                }
                Self::Udp { _held: socket }
            }
        }
    }
}

/// Memory of this process that is in use, in MiB.
fn resident_mib() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let resident: usize = pages.split(' ').nth(1).expect("the second").parse().expect("a number");
    resident * 4096 / (1024 * 1024)
}

const ALONE: &str = "FLEET_CACHE_TEST_ALONE";

/// How long a flooder sends.
const FLOOD_TIME: Duration = Duration::from_secs(5);

/// Most memory that all of it together may take: both nodes' entries (64 MiB each, here far less), what waits for and
/// from each peer, and as much again for the attackers, which live in the same process.
const GROWTH_MIB_MAX: usize = 256;
