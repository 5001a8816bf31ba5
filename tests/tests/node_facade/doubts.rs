//! What a write put in doubt is in doubt after a restart, and what it forgot is not back, however the process ended.

use crate::support::{ALICE, PUBLIC, answer, builder, get_by, github, post, send};
use cache_tests::origin::{Fault, FaultKind, ModelOrigin};
use fleet_cache::Node;
use std::{fs, path::Path};
use tempfile::TempDir;

/// How a process ends.
#[derive(Clone, Copy)]
enum End {
    /// Without a word: what was written to the file is what is left.
    Killed,
    /// The node was stopped in order.
    Stopped,
}

async fn start(origin: &ModelOrigin, directory: &Path) -> Node {
    builder(github(origin)).cache_dir(directory).start().await.expect("a directory of its own can be used")
}

/// What `node` leaves in `directory` when it ends so at this moment.
async fn left_by(node: Node, directory: TempDir, end: End) -> TempDir {
    match end {
        End::Killed => {
            let copy = tempfile::tempdir().expect("a directory");
            for name in ["entries.redb", "node.key"] {
                fs::copy(directory.path().join(name), copy.path().join(name)).expect("the file is there");
            }
            node.shutdown().await;
            copy
        }
        End::Stopped => {
            node.shutdown().await;
            directory
        }
    }
}

/// A node that has read the issues of two repositories, which are on its disk.
async fn warm(origin: &ModelOrigin, directory: &Path) -> Node {
    let node = start(origin, directory).await;
    for path in [&*format!("{PUBLIC}/issues"), "/repos/acme/widget-2/issues"] {
        assert_eq!(answer(&node, get_by(ALICE, path)).await.status, 200);
    }
    node.flush().await.expect("the disk takes it");
    node
}

#[tokio::test]
async fn what_a_mutation_put_in_doubt_is_so_after_a_restart_and_asking_about_it_is_free() {
    for end in [End::Killed, End::Stopped] {
        let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
        let node = warm(&origin, directory.path()).await;
        let mutation = r#"{"query":"mutation { addStar(input: {}) { clientMutationId } }"}"#;
        assert_eq!(send(&node, post("/graphql", mutation)).await.unwrap().status, 200);
        let directory = left_by(node, directory, end).await;
        let node = start(&origin, directory.path()).await;
        let before = origin.counts();
        for _ in 0..2 {
            let answer = answer(&node, get_by(ALICE, "/repos/acme/widget-2/issues")).await;
            assert_eq!(answer.status, 200);
        }
        let after = origin.counts();
        assert_eq!((after.total, after.paid), (before.total + 1, before.paid), "asked about once, for free");
        node.shutdown().await;
    }
}

#[tokio::test]
async fn what_a_write_of_unknown_outcome_put_in_doubt_is_so_after_a_restart_and_stands_in() {
    for end in [End::Killed, End::Stopped] {
        let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
        let (node, list) = (warm(&origin, directory.path()).await, format!("{PUBLIC}/issues"));
        origin.fault(Fault::new(FaultKind::Reset, 1));
        send(&node, post(&list, r#"{"title":"new"}"#)).await.expect_err("nobody knows what became of it");
        let directory = left_by(node, directory, end).await;
        let node = start(&origin, directory.path()).await;
        let calls = origin.calls_total();
        origin.fault(Fault::new(FaultKind::Status(502), 10));
        let stood_in = answer(&node, get_by(ALICE, &list)).await;
        assert!(stood_in.status == 200 && !stood_in.is_hit(), "it was asked about, and stands in");
        assert!(origin.calls_total() > calls);
        node.shutdown().await;
    }
}

#[tokio::test]
async fn what_a_write_forgot_is_not_back_after_a_restart() {
    for end in [End::Killed, End::Stopped] {
        let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
        let (node, list) = (warm(&origin, directory.path()).await, format!("{PUBLIC}/issues"));
        assert_eq!(send(&node, post(&list, r#"{"title":"new"}"#)).await.unwrap().status, 201);
        let directory = left_by(node, directory, end).await;
        let node = start(&origin, directory.path()).await;
        let seen = answer(&node, get_by(ALICE, &list)).await;
        assert!(seen.body.windows(5).any(|text| text == b"\"new\""), "{seen:?}");
        assert!(answer(&node, get_by(ALICE, "/repos/acme/widget-2/issues")).await.is_hit());
        node.shutdown().await;
    }
}

#[tokio::test]
async fn what_a_write_leaves_that_is_under_way_at_the_end_is_in_doubt_after_it() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let (node, list) = (warm(&origin, directory.path()).await, format!("{PUBLIC}/issues"));
    origin.hold("/issues");
    let writer = {
        let (node, list) = (node.clone(), list.clone());
        tokio::spawn(async move { send(&node, post(&list, r#"{"title":"new"}"#)).await })
    };
    origin.wait_in_flight(1).await;
    node.shutdown().await;
    assert!(writer.await.unwrap().is_err(), "nobody heard how it ended");
    origin.release();
    let node = start(&origin, directory.path()).await;
    let calls = origin.calls_total();
    assert!(!answer(&node, get_by(ALICE, &list)).await.is_hit());
    assert!(origin.calls_total() > calls);
    assert!(answer(&node, get_by(ALICE, "/repos/acme/widget-2/issues")).await.is_hit());
    node.shutdown().await;
}

#[test]
fn what_a_write_leaves_whose_runtime_ends_first_is_in_doubt_after_it() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let (runtime, list) = (|| tokio::runtime::Runtime::new().unwrap(), format!("{PUBLIC}/issues"));
    let first = runtime();
    let node = first.block_on(async {
        let node = warm(&origin, directory.path()).await;
        origin.hold("/issues");
        let (writer, list) = (node.clone(), list.clone());
        tokio::spawn(async move { send(&writer, post(&list, r#"{"title":"new"}"#)).await });
        origin.wait_in_flight(1).await;
        node
    });
    drop(first);
    origin.release();
    runtime().block_on(async {
        node.shutdown().await;
        let node = start(&origin, directory.path()).await;
        assert!(!answer(&node, get_by(ALICE, &list)).await.is_hit());
        node.shutdown().await;
    });
}
