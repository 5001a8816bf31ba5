//! What peers and strangers may try, and what it costs: it costs them their connection, and others nothing.

mod support;

use bytes::Bytes;
use cache_core::port::{
    ADMISSION_BYTES_MAX, ADMISSION_TIMEOUT, FRAME_BYTES_MAX, Lane, Rejection, STANCE_BYTES, Stance, Tenure,
    Transport, TransportEvent,
};
use cache_transport_libp2p::{Carrier, Libp2pSettings};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::Stream;
use support::{
    CARRIERS, Node, PATIENCE,
    raw::{BULK, CONTROL, Raw},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

#[tokio::test]
async fn a_peer_that_speaks_the_protocol_is_let_in_whatever_it_runs() {
    for carrier in CARRIERS {
        let node = Node::new(1, carrier).await;
        let (raw, mut control) = admitted(2, &node).await;
        control.write_all(&framed(b"hello")).await.unwrap();
        control.flush().await.unwrap();
        assert_eq!(&*node.frame().await, b"hello");
        node.send(raw.peer, Lane::Control, Bytes::from_static(b"welcome")).await;
        assert_eq!(read_frame(&mut control).await, b"welcome");
    }
}

#[tokio::test]
async fn garbage_and_silence_on_a_fresh_tcp_connection_are_refused_and_disturb_nobody() {
    let (node, friend) = (Node::new(1, Carrier::Tcp).await, Node::new(2, Carrier::Tcp).await);
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(tcp(&node).await);
    }
    let mut loud = tcp(&node).await;
    loud.write_all(&[0xff; 4096]).await.unwrap();
    let mut rest = Vec::new();
    // A reset is as good as an end.
    let _ended = timeout(PATIENCE, loud.read_to_end(&mut rest)).await.expect("an end in time");
    assert_eq!(node.refusal().await, Rejection::Malformed);
    drop(tcp(&node).await);
    assert_eq!(node.refusal().await, Rejection::Left);
    node.meet(&friend).await;
    for _ in &silent {
        assert_eq!(node.refusal().await, Rejection::TimedOut);
    }
}

#[tokio::test]
async fn newcomers_from_one_address_are_bounded_and_room_comes_back() {
    let settings = Libp2pSettings { unadmitted_per_address_max: 3, ..Libp2pSettings::default() };
    let node = Node::with(1, Carrier::Tcp, "friend", settings).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(tcp(&node).await);
    }
    let mut surplus = tcp(&node).await;
    assert_eq!(node.refusal().await, Rejection::TooMany);
    let mut rest = Vec::new();
    let _ended = timeout(PATIENCE, surplus.read_to_end(&mut rest)).await.expect("an end in time");
    assert!(rest.is_empty(), "said {rest:?}");
    drop(held);
    for _ in 0..3 {
        node.refused().await;
    }
    let friend = Node::new(2, Carrier::Tcp).await;
    friend.meet(&node).await;
}

#[tokio::test]
async fn a_wrong_word_a_long_word_and_a_gigantic_word_are_refused_without_an_answer() {
    for carrier in CARRIERS {
        let node = Node::new(1, carrier).await;
        let long = vec![b'f'; ADMISSION_BYTES_MAX + 1];
        let gigantic = (1u32 << 30).to_be_bytes();
        for (bytes, wanted) in [
            (framed(b"foe"), Rejection::Admission),
            (framed(&long), Rejection::Malformed),
            (gigantic.to_vec(), Rejection::Malformed),
        ] {
            let mut raw = Raw::connect(2, &node.address()).await;
            let mut control = raw.open(CONTROL).await;
            control.write_all(&bytes).await.unwrap();
            control.flush().await.unwrap();
            assert_eq!(node.refusal().await, wanted);
            raw.closed().await;
            let mut answer = Vec::new();
            // A reset is as good as an end.
            let _ended = timeout(PATIENCE, control.read_to_end(&mut answer)).await.expect("an end in time");
            assert!(answer.is_empty(), "answered {answer:?}");
        }
    }
}

#[tokio::test]
async fn bulk_before_the_admission_is_refused_unread() {
    for carrier in CARRIERS {
        let node = Node::new(1, carrier).await;
        let mut raw = Raw::connect(2, &node.address()).await;
        let mut bulk = raw.open(BULK).await;
        let _may_break = bulk.write_all(&numbered(0, b"early")).await;
        let _may_break = bulk.flush().await;
        assert_eq!(&*node.refused().await, "broke the protocol: bulk before the admission");
        raw.closed().await;
    }
}

#[tokio::test]
async fn bulk_during_the_admission_waits_for_its_outcome() {
    for carrier in CARRIERS {
        let node = Node::new(1, carrier).await;
        let mut raw = Raw::connect(2, &node.address()).await;
        let mut control = raw.open(CONTROL).await;
        control.write_all(&framed(b"friend")[..4]).await.unwrap();
        control.flush().await.unwrap();
        let mut bulk = raw.open(BULK).await;
        bulk.write_all(&numbered(0, b"early")).await.unwrap();
        bulk.close().await.unwrap();
        assert!(node.0.next_event().now_or_never().is_none());
        control.write_all(b"friend").await.unwrap();
        control.write_all(&stance()).await.unwrap();
        control.flush().await.unwrap();
        assert_eq!(node.connected().await, raw.peer);
        assert_eq!(&*node.frame().await, b"early");
    }
}

#[tokio::test]
async fn an_admission_that_never_ends_is_ended() {
    for carrier in CARRIERS {
        let node = Node::new(1, carrier).await;
        let mut idle = Raw::connect(2, &node.address()).await;
        let mut slow = Raw::connect(3, &node.address()).await;
        let mut control = slow.open(CONTROL).await;
        control.write_all(&framed(b"friend")[..7]).await.unwrap();
        control.flush().await.unwrap();
        let began = Instant::now();
        assert_eq!(node.refusal().await, Rejection::TimedOut);
        assert_eq!(node.refusal().await, Rejection::TimedOut);
        idle.closed().await;
        slow.closed().await;
        assert!(began.elapsed() < ADMISSION_TIMEOUT * 2, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_member_that_breaks_the_rules_loses_its_connection_and_others_do_not_notice() {
    for carrier in CARRIERS {
        let (node, friend) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        node.meet(&friend).await;
        let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes().to_vec();
        let in_bulk = [0u64.to_be_bytes().as_slice(), &too_long].concat();
        for (seed, protocol, bytes, reason) in [
            (3, None, too_long.clone(), "the limit is"),
            (4, None, (1u32 << 30).to_be_bytes().to_vec(), "the limit is"),
            (5, Some(BULK), in_bulk, "the limit is"),
            (6, Some(BULK), numbered(7, b"out of turn"), "a bulk frame out of turn"),
            (7, Some(BULK), [numbered(0, b"frame"), vec![0]].concat(), "more bytes than announced"),
            (8, Some(CONTROL), framed(b"friend"), "a second control stream"),
        ] {
            let (mut raw, mut control) = admitted(seed, &node).await;
            let mut other = None;
            if let Some(protocol) = protocol {
                other = Some(raw.open(protocol).await);
            }
            let stream = other.as_mut().unwrap_or(&mut control);
            let _may_break = stream.write_all(&bytes).await;
            let _may_break = stream.flush().await;
            let told = node.disconnected().await;
            assert!(told.contains(reason), "{told} instead of {reason}");
            raw.closed().await;
        }
        friend.send(node.peer(), Lane::Control, Bytes::from_static(b"still here")).await;
        assert_eq!(&*node.frame().await, b"still here");
    }
}

#[tokio::test]
async fn a_member_that_floods_does_not_starve_the_others() {
    for carrier in CARRIERS {
        let (node, friend) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        node.meet(&friend).await;
        let (raw, mut control) = admitted(3, &node).await;
        let flood = tokio::spawn(async move {
            let noise = framed(&[0; 1000]).repeat(100);
            while control.write_all(&noise).await.is_ok() {}
        });
        let mut noise = 0;
        while noise < 1000 {
            noise += usize::from(node.frame().await.len() == 1000);
        }
        for _ in 0..50 {
            friend.send(node.peer(), Lane::Control, Bytes::from_static(b"word")).await;
            while &*node.frame().await != b"word" {}
        }
        node.0.disconnect(raw.peer);
        node.disconnected().await;
        timeout(PATIENCE, flood).await.expect("an end in time").unwrap();
    }
}

/// A raw peer that the node has let in, and its control stream.
async fn admitted(seed: u8, node: &Node) -> (Raw, Stream) {
    let mut raw = Raw::connect(seed, &node.address()).await;
    let mut control = raw.open(CONTROL).await;
    control.write_all(&framed(b"friend")).await.expect("an open stream");
    control.flush().await.expect("an open stream");
    assert_eq!(read_frame(&mut control).await, b"friend");
    control.write_all(&stance()).await.expect("an open stream");
    control.flush().await.expect("an open stream");
    let mut theirs = [0; STANCE_BYTES];
    timeout(PATIENCE, control.read_exact(&mut theirs)).await.expect("a stance in time").expect("a stance");
    match node.event().await {
        TransportEvent::Connected { peer, .. } => assert_eq!(peer, raw.peer),
        other => panic!("{other:?}"),
    }
    (raw, control)
}

async fn tcp(node: &Node) -> TcpStream {
    let address = node.address();
    let port = address.split('/').nth(4).expect("a port");
    TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("a listener")
}

async fn read_frame(stream: &mut Stream) -> Vec<u8> {
    let read = async {
        let mut length = [0; 4];
        stream.read_exact(&mut length).await.expect("a length");
        // Signs of life are lengths that no frame has, with nothing behind them.
        while u32::from_be_bytes(length) > u32::MAX / 2 {
            stream.read_exact(&mut length).await.expect("a length");
        }
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).await.expect("a frame");
        frame
    };
    timeout(PATIENCE, read).await.expect("a frame in time")
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [&u32::try_from(frame.len()).expect("a short frame").to_be_bytes(), frame].concat()
}

fn numbered(number: u64, frame: &[u8]) -> Vec<u8> {
    [number.to_be_bytes().to_vec(), framed(frame)].concat()
}

/// Where a raw peer stands, whether it decides or follows.
fn stance() -> [u8; STANCE_BYTES] {
    Stance::Keep(Tenure { run: 1, number: 1 }).to_bytes()
}
