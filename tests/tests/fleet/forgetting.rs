//! What a write changed is read again everywhere, once the writer has its answer.

use crate::support::{EITHER, Fleet};
use bytes::Bytes;
use fleet_cache::Node;
use http::Request;
use http_body_util::Full;

/// Rounds of writing at one node and reading at another. Some of a hundred reads were old when a write was answered
/// before the others had forgotten. More take too long: a debug build on a busy machine needs 30 to 120 ms for each.
const ROUNDS: usize = 100;

/// Most writes that may be answered before all had forgotten, on a machine too busy for the time they have.
const LATE_MAX: u64 = ROUNDS as u64 / 10;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_at_another_node_after_an_answered_write_is_new() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
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
