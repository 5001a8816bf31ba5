//! What a write changed is read again everywhere, once the writer has its answer.

use crate::support::{EITHER, Fleet, builder};
use bytes::Bytes;
use fleet_cache::{Node, NodeBuilder, Settings, WritePace};
use http::Request;
use http_body_util::Full;
use std::fs;
use tempfile::TempDir;

/// Rounds of writing at one node and reading at another. Some of a hundred reads were old when a write was answered
/// before the others had forgotten. More take too long: a debug build on a busy machine needs 30 to 120 ms for each.
const ROUNDS: usize = 100;

/// Rounds of writing at one node and looking at what another one would find on its disk.
const KILLS: usize = 10;

/// Most writes that may be answered before all had forgotten, on a machine too busy for the time they have.
const LATE_MAX: u64 = ROUNDS as u64 / 10;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_at_another_node_after_an_answered_write_is_new() {
    for over in EITHER {
        // More is written than an origin bears.
        let unpaced = |builder: NodeBuilder| {
            builder.settings(Settings { writes: WritePace::FREE, ..Settings::default() })
        };
        let fleet = Fleet::start_with(over, 2, unpaced).await;
        let path = Fleet::repository(1);
        let mut before = Vec::new();
        for round in 0..ROUNDS {
            let (writer, reader) = (&fleet.nodes[round % 2], &fleet.nodes[(round + 1) % 2]);
            for node in [reader, writer] {
                read(node, &path).await;
            }
            let late = unconfirmed(writer).await;
            write(writer, &path).await;
            let after = read(reader, &path).await;
            let is_late = unconfirmed(writer).await > late;
            assert!(after != before || is_late, "{over:?}: the read after write {round} is old");
            before = after;
        }
        for node in &fleet.nodes {
            assert!(
                unconfirmed(node).await <= LATE_MAX,
                "{over:?}: others do not say that they have forgotten"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_node_invalidated_is_gone_once_it_is_answered() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        for round in 0..50 {
            let key = format!("key {round}");
            let lifetime = std::time::Duration::from_secs(300);
            fleet.nodes[0].values().put(&key, "value", lifetime).await.expect("it is kept");
            for node in &fleet.nodes {
                node.values().get(&key).await.expect("the node runs");
            }
            let writer = &fleet.nodes[round % 3];
            let late = unconfirmed(writer).await;
            writer.values().invalidate(&key).await.expect("the node runs");
            let found = fleet.nodes.iter().filter(|node| node.values().try_get(&key).is_some()).count();
            let is_late = unconfirmed(writer).await > late;
            assert!(
                found == 0 || is_late,
                "{over:?}: {found} nodes have what was invalidated in round {round}"
            );
        }
    }
}

/// What was written to the file is what a killed process leaves.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_write_at_another_node_forgot_is_not_back_after_a_kill() {
    for over in EITHER {
        let mut fleet = Fleet::start(over, 1).await;
        let directory = a_dir();
        let contacts = fleet.nodes[0].addresses();
        let keeper = fleet.builder().bootstrap(contacts).cache_dir(directory.path()).start().await;
        fleet.nodes.push(keeper.expect("a port is free"));
        fleet.connected().await;
        for round in 0..KILLS {
            let (writer, keeper, path) = (&fleet.nodes[0], &fleet.nodes[1], Fleet::repository(round));
            let before = read(keeper, &path).await;
            keeper.flush().await.expect("the disk takes it");
            let late = unconfirmed(writer).await;
            write(writer, &path).await;
            let left = a_dir();
            for name in ["entries.redb", "node.key"] {
                fs::copy(directory.path().join(name), left.path().join(name)).expect("the file is there");
            }
            let is_late = unconfirmed(writer).await > late;
            let alone = builder(&fleet.origin, fleet.secret.clone()).cache_dir(left.path()).start().await;
            let alone = alone.expect("a copy is as good");
            let after = read(&alone, &path).await;
            assert!(after != before || is_late, "{over:?}: what write {round} forgot is back");
            alone.shutdown().await;
        }
        assert!(unconfirmed(&fleet.nodes[0]).await <= KILLS as u64 / 2, "{over:?}: nobody says so");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_while_a_node_was_down_is_new_there_from_its_first_answer() {
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        let (directory, path, contacts) = (a_dir(), Fleet::repository(1), fleet.nodes[0].addresses());
        let start = async || {
            let builder = fleet.builder().bootstrap(contacts.clone()).cache_dir(directory.path());
            builder.start().await.expect("a port is free")
        };
        let node = start().await;
        let before = read(&node, &path).await;
        node.shutdown().await;
        write(&fleet.nodes[0], &path).await;
        let node = start().await;
        assert!(read(&node, &path).await != before, "{over:?}: the first answer is old");
        node.shutdown().await;
    }
}

/// In memory where the system has room for files there: a busy disk takes longer than a writer waits for it.
fn a_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_absent| tempfile::tempdir()).expect("a directory")
}

/// How many writes `node` answered before all had forgotten.
async fn unconfirmed(node: &Node) -> u64 {
    node.stats().await.expect("the node runs").forgettings_unconfirmed
}

async fn write(node: &Node, path: &str) {
    let request = Request::patch(path).header("authorization", "Bearer ghp_alice");
    let reply = node.request(request.body(Full::new(Bytes::from_static(b"{}"))).expect("it is valid")).await;
    assert_eq!(reply.expect("the origin answers").status(), 200);
}

async fn read(node: &Node, path: &str) -> Vec<u8> {
    let request = Request::get(path).header("authorization", "Bearer ghp_alice");
    let reply = node.request(request.body(Full::new(Bytes::new())).expect("it is valid")).await;
    let reply = reply.expect("there is an answer");
    assert_eq!(reply.status(), 200);
    reply.bytes().await.expect("the body is whole").to_vec()
}
