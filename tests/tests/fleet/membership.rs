//! How nodes find one another, come back, and go.

use crate::support::{ANY_PORT, EITHER, Fleet, Over, body, connected};
use cache_tests::until;
use fleet_cache::{Libp2p, NodeBuilder, Quic};
use std::{
    net::{TcpListener, UdpSocket},
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn in_a_star_every_node_s_fetch_serves_all_and_goes_on_without_the_node_in_the_middle() {
    for over in EITHER {
        let mut fleet = Fleet::start(over, 5).await;
        for (number, fetcher) in fleet.nodes.iter().enumerate() {
            let path = Fleet::repository(number);
            let fetched = body(fetcher, &path).await;
            for node in &fleet.nodes {
                assert_eq!(body(node, &path).await, fetched, "{over:?}");
            }
            assert_eq!(fleet.origin.calls_total(), number as u64 + 1, "{over:?}, fetched by node {number}");
        }
        let middle = fleet.nodes.remove(0);
        let began = Instant::now();
        middle.shutdown().await;
        fleet.connected().await;
        println!("{over:?}: a leave was seen by all after {:?}", began.elapsed());
        fleet.origin.reset_calls();
        for (number, fetcher) in fleet.nodes.iter().enumerate() {
            let path = Fleet::repository(100 + number);
            let fetched = body(fetcher, &path).await;
            for node in &fleet.nodes {
                assert_eq!(body(node, &path).await, fetched, "{over:?}");
            }
        }
        assert_eq!(fleet.origin.calls_total(), 4, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_contacts_are_dead_but_for_the_last_joins() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let dead: Vec<Dead> = (0..9).map(|_| Dead::start(over)).collect();
        let contacts = dead.iter().map(Dead::address).chain(fleet.nodes[1].addresses()).collect();
        let began = Instant::now();
        let newcomer = fleet.start_one(contacts).await;
        until("it has joined", async || connected(&newcomer).await == 2).await;
        println!("{over:?}: joined past nine dead contacts after {:?}", began.elapsed());
        // One after the other, nine time-outs of fifteen seconds would have come first.
        assert!(began.elapsed() < Duration::from_secs(15), "{over:?}: {:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_joiner_is_served_by_its_peers() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        for number in 0..50 {
            body(&fleet.nodes[number % 3], &Fleet::repository(number)).await;
        }
        let calls = fleet.origin.calls_total();
        let began = Instant::now();
        let late = fleet.start_one(fleet.nodes[0].addresses()).await;
        until("it has a peer", async || connected(&late).await > 0).await;
        body(&late, &Fleet::repository(7)).await;
        println!("{over:?}: a late joiner was served {:?} after its start began", began.elapsed());
        fleet.connected_with(&late).await;
        println!("{over:?}: it was connected with all after {:?}", began.elapsed());
        for number in 0..50 {
            body(&late, &Fleet::repository(number)).await;
        }
        assert_eq!(fleet.origin.calls_total(), calls, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_directory_is_the_same_after_a_restart_and_found_by_all() {
    for over in EITHER {
        let mut fleet = Fleet::start(over, 2).await;
        let directory = tempfile::tempdir().expect("a directory can be made");
        let contacts = fleet.nodes[0].addresses();
        let start = async |builder: NodeBuilder| {
            builder.cache_dir(directory.path()).bootstrap(contacts.clone()).start().await.expect("it starts")
        };
        let first = start(fleet.builder()).await;
        until("it has joined", async || connected(&first).await == 2).await;
        let identity = first.peer_id();
        first.shutdown().await;
        fleet.connected().await;
        let again = start(fleet.builder()).await;
        assert_eq!(again.peer_id(), identity, "{over:?}");
        fleet.nodes.push(again);
        fleet.connected().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_all_hosts_given_to_every_host_makes_nobody_dial_itself() {
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        let ports: Vec<u16> = (0..3).map(|_| free_port(over)).collect();
        let list: Vec<String> = ports.iter().map(|port| address(over, *port)).collect();
        let mut nodes = Vec::new();
        for own in &list {
            let node = listening_at(over, own, fleet.builder()).bootstrap(list.clone()).start().await;
            nodes.push(node.expect("the port was free a moment ago"));
        }
        for (node, own) in nodes.iter().zip(&list) {
            until("it has joined", async || connected(node).await == 2).await;
            let peers = node.peers().await.expect("the node runs");
            let id = node.peer_id();
            for peer in &peers {
                assert_ne!(peer.id, id, "{over:?}");
                assert!(!peer.address.as_ref().is_some_and(|address| address.starts_with(own)), "{peer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_and_leaving_are_seen_by_all() {
    for over in EITHER {
        let fleet = Fleet::start(over, 5).await;
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            let began = Instant::now();
            let newcomer = fleet.start_one(fleet.nodes[0].addresses()).await;
            all_see(&fleet, 5).await;
            until("it sees all", async || connected(&newcomer).await == 5).await;
            joins.push(began.elapsed());
            let began = Instant::now();
            newcomer.shutdown().await;
            all_see(&fleet, 4).await;
            leaves.push(began.elapsed());
        }
        joins.sort_unstable();
        leaves.sort_unstable();
        println!("{over:?}: a sixth node joins in {joins:?} and leaves in {leaves:?}");
    }
}

async fn all_see(fleet: &Fleet, others: u64) {
    for node in &fleet.nodes {
        until("a change is seen", async || connected(node).await == others).await;
    }
}

/// A contact where a program listens and never says a word.
enum Dead {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Dead {
    fn start(over: Over) -> Self {
        match over {
            Over::Libp2p => Self::Tcp(TcpListener::bind(ANY_PORT).expect("a port is free")),
            Over::Quic => Self::Udp(UdpSocket::bind(ANY_PORT).expect("a port is free")),
        }
    }

    fn address(&self) -> String {
        match self {
            Self::Tcp(socket) => address(Over::Libp2p, socket.local_addr().expect("it is bound").port()),
            Self::Udp(socket) => address(Over::Quic, socket.local_addr().expect("it is bound").port()),
        }
    }
}

/// A port that is free until something takes it.
fn free_port(over: Over) -> u16 {
    match Dead::start(over) {
        Dead::Tcp(socket) => socket.local_addr().expect("it is bound").port(),
        Dead::Udp(socket) => socket.local_addr().expect("it is bound").port(),
    }
}

fn address(over: Over, port: u16) -> String {
    match over {
        Over::Libp2p => format!("/ip4/127.0.0.1/tcp/{port}"),
        Over::Quic => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
    }
}

fn listening_at(over: Over, address: &str, builder: NodeBuilder) -> NodeBuilder {
    match over {
        Over::Libp2p => builder.transport(Libp2p::listen(address)),
        Over::Quic => builder.transport(Quic::listen(address)),
    }
}
