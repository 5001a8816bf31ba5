//! A node finds its fleet again after a restart, whatever became of its contacts.

use crate::support::{EITHER, Fleet, body, connected};
use cache_tests::until;
use fleet_cache::{Node, NodeBuilder};
use std::{fs, path::Path};

/// Where a node keeps the members to look for.
const MEMBERS: &str = "members.sealed";

async fn start(builder: NodeBuilder, directory: &Path, contacts: &[String]) -> Node {
    builder.cache_dir(directory).bootstrap(contacts.to_vec()).start().await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_only_contact_is_gone_for_good_joins_through_those_it_knew() {
    for over in EITHER {
        let mut fleet = Fleet::start(over, 2).await;
        let directory = tempfile::tempdir().expect("a directory can be made");
        let contacts = fleet.nodes[0].addresses();
        let third = start(fleet.builder(), directory.path(), &contacts).await;
        until("it has joined", async || connected(&third).await == 2).await;
        // No member says goodbye to a node that crashes.
        until("it is written down", async || directory.path().join(MEMBERS).exists()).await;
        third.shutdown().await;
        fleet.nodes.remove(0).shutdown().await;

        let again = start(fleet.builder(), directory.path(), &contacts).await;
        fleet.connected_with(&again).await;
        let path = Fleet::repository(1);
        body(&fleet.nodes[0], &path).await;
        let calls = fleet.origin.calls_total();
        body(&again, &path).await;
        assert_eq!(fleet.origin.calls_total(), calls, "{over:?}: it shares");
        // It remembers them once more, though it never saw the contact again.
        again.shutdown().await;
        let third_time = start(fleet.builder(), directory.path(), &[]).await;
        until("it needs no contact", async || connected(&third_time).await == 1).await;
        third_time.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_remembered_keeps_no_node_from_starting_and_joining() {
    for over in EITHER {
        let fleet = Fleet::start(over, 1).await;
        let contacts = fleet.nodes[0].addresses();
        let (directory, foreign) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let other = Fleet::start(over, 1).await;
        let stranger = start(other.builder(), foreign.path(), &other.nodes[0].addresses()).await;
        until("the other fleet is written down", async || foreign.path().join(MEMBERS).exists()).await;
        stranger.shutdown().await;
        let foreign = fs::read(foreign.path().join(MEMBERS)).expect("it is there");
        for bytes in [foreign, b"garbage".to_vec(), Vec::new(), vec![0; 1 << 20]] {
            let path = directory.path().join(MEMBERS);
            fs::write(&path, &bytes).expect("the disk has room");
            let node = start(fleet.builder(), directory.path(), &contacts).await;
            until("it has joined", async || connected(&node).await == 1).await;
            until("it is written anew", async || fs::read(&path).is_ok_and(|now| now != bytes)).await;
            let known = node.peers().await.expect("the node runs");
            assert_eq!(known.len(), 1, "{over:?}: of the other fleet it knows nobody: {known:?}");
            node.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_written_down_by_a_node_that_keeps_to_itself() {
    let fleet = Fleet::start(EITHER[0], 1).await;
    let directory = tempfile::tempdir().expect("a directory can be made");
    let alone = start(fleet.builder_with(None), directory.path(), &fleet.nodes[0].addresses()).await;
    alone.shutdown().await;
    assert!(!directory.path().join(MEMBERS).exists());
}
