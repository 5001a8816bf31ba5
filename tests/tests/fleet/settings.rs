//! What a program can set of its node's place in the fleet, and that it takes effect.

use crate::support::{EITHER, Fleet, Over, connected, standing};
use cache_tests::until;
use fleet_cache::{Libp2p, NodeBuilder, PeerState, Quic, TrafficLimits, transport::DialError};
use std::{
    net::{TcpListener, UdpSocket},
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_connected_with_as_many_peers_as_it_may_be() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        let contacts: Vec<String> = fleet.nodes[0].addresses();
        let shy = fleet.builder().max_peers(1).bootstrap(contacts).start().await.expect("a port is free");
        until("it has found one", async || connected(&shy).await == 1).await;
        until("it knows of more", async || shy.peers().await.expect("it runs").len() >= 3).await;
        assert_eq!(connected(&shy).await, 1, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_sends_more_than_it_may_is_banned() {
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        let nothing = TrafficLimits { burst_messages: 1, messages_per_milli: 0, ..TrafficLimits::default() };
        let contacts: Vec<String> = fleet.nodes[0].addresses();
        let strict = fleet.builder().traffic_limits(nothing).bootstrap(contacts).start().await;
        let strict = strict.expect("a port is free");
        let talkative = fleet.nodes[0].peer_id().expect("it shares");
        until("it is banned", async || {
            standing(&strict, talkative).await.is_some_and(|peer| peer.state == PeerState::Banned)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_ends_when_its_time_is_up() {
    let time = Duration::from_millis(300);
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        // What answers nothing: connections are accepted by the system, and datagrams lie there unread.
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (address, builder) = match over {
            Over::Libp2p => {
                let transport = Libp2p::dial_only().dial_timeout(time).admission_timeout(time / 2);
                let port = tcp.local_addr().unwrap().port();
                (format!("/ip4/127.0.0.1/tcp/{port}"), fleet.builder().transport(transport))
            }
            Over::Quic => {
                let transport = Quic::dial_only().dial_timeout(time);
                let port = udp.local_addr().unwrap().port();
                (format!("/ip4/127.0.0.1/udp/{port}/quic-v1"), fleet.builder().transport(transport))
            }
        };
        let begun = Instant::now();
        let node = NodeBuilder::bootstrap(builder, [address]).start().await.expect("it listens nowhere");
        until("it is given up", async || {
            let peers = node.peers().await.expect("it runs");
            peers.iter().any(|peer| peer.failure == Some(DialError::TimedOut))
        })
        .await;
        // The default is fifteen seconds.
        assert!(begun.elapsed() < Duration::from_secs(10), "{over:?} took {:?}", begun.elapsed());
    }
}
