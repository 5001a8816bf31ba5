//! What a transport over libp2p does for well-meaning peers, on either carrier.

mod support;

use bytes::Bytes;
use cache_core::port::{BULK_BYTES_MIN, FRAME_BYTES_MAX, Lane, SendError, Side, Transport, TransportEvent};
use cache_transport_libp2p::{Carrier, Libp2p, Libp2pAddress, Libp2pSettings, ListenError};
use futures::FutureExt;
use std::sync::Arc;
use support::{CARRIERS, Node, PATIENCE, Word};
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

#[tokio::test]
async fn frames_of_all_sizes_arrive_whole_and_in_order_both_ways() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.meet(&b).await;
        for (from, to) in [(&a, &b), (&b, &a)] {
            for length in [0, 1, 4096, 40_000, BULK_BYTES_MIN, BULK_BYTES_MIN + 1, 1_000_000, FRAME_BYTES_MAX]
            {
                let frame = pattern(length);
                from.send(to.peer(), Lane::for_bytes(length), frame.clone()).await;
                assert!(to.frame().await == frame, "{carrier:?}, {length} bytes");
            }
            for lane in [Lane::Bulk, Lane::Control] {
                let length = |number: u8| 1 + usize::from(number) * 499;
                let send = async {
                    for number in 0..200 {
                        from.send(to.peer(), lane, Bytes::from(vec![number; length(number)])).await;
                    }
                };
                let receive = async {
                    for number in 0..200 {
                        let frame = to.frame().await;
                        assert_eq!((frame[0], frame.len()), (number, length(number)), "{carrier:?}");
                    }
                };
                tokio::join!(send, receive);
            }
        }
    }
}

#[tokio::test]
async fn the_longest_frame_passes_in_the_control_lane_too_and_a_longer_one_nowhere() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.meet(&b).await;
        a.send(b.peer(), Lane::Control, pattern(FRAME_BYTES_MAX)).await;
        assert!(b.frame().await == pattern(FRAME_BYTES_MAX));
        for lane in [Lane::Bulk, Lane::Control] {
            assert_eq!(a.0.send(b.peer(), lane, pattern(FRAME_BYTES_MAX + 1)), Err(SendError::TooLong));
        }
        assert_eq!(a.0.send(a.peer(), Lane::Control, Bytes::new()), Err(SendError::NotConnected));
    }
}

#[tokio::test]
async fn a_connection_names_both_sides_and_knows_its_figures() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.0.dial(&b.address());
        match a.event().await {
            TransportEvent::Connected { peer, address, side: Side::Dialer, .. } => {
                assert_eq!((peer, address), (b.peer(), b.address()));
            }
            other => panic!("{other:?}"),
        }
        match b.event().await {
            TransportEvent::Connected { peer, address, side: Side::Listener, .. } => {
                assert_eq!(peer, a.peer());
                assert!(address.starts_with("/ip4/127.0.0.1/"), "{address}");
            }
            other => panic!("{other:?}"),
        }
        a.send(b.peer(), Lane::Control, pattern(1000)).await;
        a.send(b.peer(), Lane::Bulk, pattern(100_000)).await;
        b.frame().await;
        b.frame().await;
        until("figures", || {
            let sent = a.0.figures(b.peer()).unwrap();
            let received = b.0.figures(a.peer()).unwrap();
            (sent.sent_bytes, received.received_bytes) == (101_000, 101_000) && sent.round_trip.is_some()
        })
        .await;
        assert_eq!(a.0.figures(a.peer()), None);
    }
}

#[tokio::test]
async fn a_dial_that_comes_to_nothing_says_why() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        let stranger = Node::new(3, carrier).await.address();
        let wrong_peer = b.address().replace(&b.peer().to_string(), &a.peer().to_string());
        let other_peer = b.address().rsplit_once("/p2p/").unwrap().0.to_owned()
            + "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let own_without_peer = a.address().rsplit_once("/p2p/").unwrap().0.to_owned();
        for (address, reason) in [
            (&*a.address(), "this node itself"),
            (&*wrong_peer, "this node itself"),
            (&*own_without_peer, "this node itself"),
            (&*other_peer, "another peer answers there"),
            ("/ip4/256.256.256.256/tcp/1", "256.256.256.256"),
            (&*stranger, ""),
        ] {
            a.0.dial(address);
            let told = a.dial_failed().await;
            assert!(told.contains(reason), "{address}: {told}");
        }
        assert!(a.0.figures(b.peer()).is_none());
    }
}

#[tokio::test]
async fn a_dial_without_a_peer_id_finds_out_who_answers() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.0.dial(b.address().rsplit_once("/p2p/").unwrap().0);
        assert_eq!(a.connected().await, b.peer());
    }
}

#[tokio::test]
async fn whoever_does_not_know_the_word_is_refused_and_told_nothing() {
    for carrier in CARRIERS {
        let a = Node::new(1, carrier).await;
        let b = Node::with(2, carrier, "foe", Libp2pSettings::default()).await;
        b.0.dial(&a.address());
        assert!(a.refused().await.starts_with("not let in"));
        b.dial_failed().await;
        assert_eq!(b.0.send(a.peer(), Lane::Control, Bytes::new()), Err(SendError::NotConnected));
    }
}

#[tokio::test]
async fn peers_that_dial_each_other_at_once_end_up_with_one_connection() {
    for carrier in CARRIERS {
        for round in 0..10u8 {
            let (a, b) = (Node::new(2 * round + 1, carrier).await, Node::new(2 * round + 2, carrier).await);
            a.0.dial(&b.address());
            b.0.dial(&a.address());
            let talk = async {
                let word = |frame: &Bytes| frame.starts_with(b"word");
                let (mut a_heard, mut b_heard) = (false, false);
                while !(a_heard && b_heard) {
                    tokio::select! {
                        event = a.event() => match event {
                            TransportEvent::Received { frame, .. } => a_heard |= word(&frame),
                            TransportEvent::Connected { .. } => {
                                a.send(b.peer(), Lane::Control, Bytes::from_static(b"word")).await;
                            }
                            _ => {}
                        },
                        event = b.event() => match event {
                            TransportEvent::Received { frame, .. } => b_heard |= word(&frame),
                            TransportEvent::Connected { .. } => {
                                b.send(a.peer(), Lane::Control, Bytes::from_static(b"word")).await;
                            }
                            _ => {}
                        },
                    }
                }
            };
            timeout(PATIENCE, talk).await.expect("both hear each other");
        }
    }
}

#[tokio::test]
async fn of_many_dials_at_once_both_sides_keep_the_same_one() {
    for carrier in CARRIERS {
        for round in 0..10u8 {
            let (a, b) = (Node::new(2 * round + 1, carrier).await, Node::new(2 * round + 2, carrier).await);
            for _ in 0..5 {
                a.0.dial(&b.address());
            }
            // Every dial ends in one way or the other; one of them lasts.
            let mut ended = 0;
            while ended < 5 {
                match a.event().await {
                    TransportEvent::Connected { .. } | TransportEvent::DialFailed { .. } => ended += 1,
                    TransportEvent::Disconnected { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            a.send(b.peer(), Lane::Control, Bytes::from_static(b"word")).await;
            while !matches!(b.event().await, TransportEvent::Received { frame, .. } if frame == "word") {}
            assert!(a.0.next_event().now_or_never().is_none(), "{carrier:?}: the connection did not last");
        }
    }
}

#[tokio::test]
async fn a_peer_that_never_reads_fills_its_own_queue_and_delays_nobody() {
    for carrier in CARRIERS {
        let (a, deaf, b) =
            (Node::new(1, carrier).await, Node::new(2, carrier).await, Node::new(3, carrier).await);
        a.meet(&deaf).await;
        a.meet(&b).await;
        for (lane, length) in [(Lane::Control, 4096), (Lane::Bulk, 1_000_000)] {
            let (frame, mut sent) = (pattern(length), 0);
            let filled = async {
                let mut full = 0;
                while full < 1000 {
                    match a.0.send(deaf.peer(), lane, frame.clone()) {
                        Ok(()) => (sent, full) = (sent + 1, 0),
                        Err(error) => {
                            assert_eq!(error, SendError::QueueFull);
                            full += 1;
                            tokio::task::yield_now().await;
                        }
                    }
                }
            };
            timeout(PATIENCE, filled).await.expect("a full queue");
            assert!(sent * length < 64 << 20, "{sent} frames of {length} bytes queued");
        }
        assert!(a.0.figures(deaf.peer()).unwrap().dropped_frames >= 2000);
        let began = Instant::now();
        for _ in 0..100 {
            a.send(b.peer(), Lane::Control, pattern(100)).await;
            b.frame().await;
            b.send(a.peer(), Lane::Bulk, pattern(100_000)).await;
            a.frame().await;
        }
        assert!(began.elapsed() < PATIENCE / 3, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn what_was_queued_before_the_end_arrives_and_both_sides_hear_of_the_end() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.meet(&b).await;
        a.send(b.peer(), Lane::Control, Bytes::from_static(b"farewell")).await;
        a.0.disconnect(b.peer());
        assert_eq!(a.0.send(b.peer(), Lane::Control, Bytes::new()), Err(SendError::NotConnected));
        assert_eq!(&*a.disconnected().await, "closed by this node");
        assert_eq!(&*b.frame().await, b"farewell");
        assert_eq!(&*b.disconnected().await, "closed by the peer");
        b.meet(&a).await;
        b.send(a.peer(), Lane::Control, Bytes::from_static(b"again")).await;
        assert_eq!(&*a.frame().await, b"again");
    }
}

#[tokio::test]
async fn shutting_down_says_goodbye_frees_the_port_and_may_be_repeated() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.meet(&b).await;
        b.send(a.peer(), Lane::Control, Bytes::from_static(b"farewell")).await;
        let address: Libp2pAddress = b.address().parse().unwrap();
        tokio::join!(b.0.shutdown(), b.0.shutdown());
        b.0.shutdown().await;
        assert_eq!(&*b.disconnected().await, "closed by this node");
        assert!(timeout(PATIENCE, b.0.next_event()).await.unwrap().is_none());
        assert!(b.0.next_event().await.is_none());
        assert_eq!(&*a.frame().await, b"farewell");
        assert_eq!(&*a.disconnected().await, "closed by the peer");
        let again = Libp2p::listen(
            Zeroizing::new([2; 32]),
            &[address],
            Arc::new(Word("friend")),
            Libp2pSettings::default(),
        )
        .await;
        let again = Node(again.unwrap());
        assert_eq!(again.address(), b.address());
        a.meet(&again).await;
    }
}

#[tokio::test]
async fn dropping_a_transport_ends_its_connections_and_frees_the_port() {
    for carrier in CARRIERS {
        let (a, b) = (Node::new(1, carrier).await, Node::new(2, carrier).await);
        a.meet(&b).await;
        let address: Libp2pAddress = b.address().parse().unwrap();
        drop(b);
        a.disconnected().await;
        let again = async {
            loop {
                let gate = Arc::new(Word("friend"));
                let listened = Libp2p::listen(
                    Zeroizing::new([2; 32]),
                    std::slice::from_ref(&address),
                    gate,
                    Libp2pSettings::default(),
                );
                if let Ok(again) = listened.await {
                    return Node(again);
                }
                tokio::task::yield_now().await;
            }
        };
        let again = timeout(PATIENCE, again).await.expect("a free port");
        a.meet(&again).await;
    }
}

#[tokio::test]
async fn a_port_in_use_is_an_error() {
    for carrier in CARRIERS {
        let a = Node::new(1, carrier).await;
        let address: Libp2pAddress = a.address().parse().unwrap();
        let gate = Arc::new(Word("friend"));
        let error = Libp2p::listen(Zeroizing::new([2; 32]), &[address], gate, Libp2pSettings::default())
            .await
            .err()
            .unwrap();
        assert!(matches!(&error, ListenError::Address { .. }), "{error}");
        assert!(error.to_string().contains("in use"), "{error}");
    }
}

#[tokio::test]
async fn one_node_listens_on_both_carriers_and_is_the_same_peer() {
    let listen = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"].map(|text| text.parse().unwrap());
    let gate = Arc::new(Word("friend"));
    let both = Node(
        Libp2p::listen(Zeroizing::new([1; 32]), &listen, gate, Libp2pSettings::default()).await.unwrap(),
    );
    let (a, b) = (Node::new(2, Carrier::Tcp).await, Node::new(3, Carrier::Quic).await);
    for (node, at) in [(&a, 0), (&b, 1)] {
        node.0.dial(&both.0.addresses()[at]);
        assert_eq!(node.connected().await, both.peer());
    }
}

#[tokio::test]
async fn no_more_peers_are_kept_than_the_settings_allow() {
    for carrier in CARRIERS {
        let settings = Libp2pSettings { peers_max: 1, ..Libp2pSettings::default() };
        let a = Node::with(1, carrier, "friend", settings).await;
        let (b, c) = (Node::new(2, carrier).await, Node::new(3, carrier).await);
        b.meet(&a).await;
        c.0.dial(&a.address());
        assert_eq!(&*a.refused().await, "too many peers");
        b.send(a.peer(), Lane::Control, Bytes::from_static(b"here")).await;
        assert_eq!(&*a.frame().await, b"here");
    }
}

fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251) as u8).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_elapsed| panic!("{what}"));
}
