//! What outlives the process: entries across a restart, and a directory that one node has to itself.

use crate::support::{ALICE, PUBLIC, SOON, answer, builder, get_by, github};
use cache_tests::{eventually, origin::ModelOrigin};
use fleet_cache::{FleetSecret, Node, NodeBuilder, Provenance, Served, StartError};
use std::{path::Path, time::Duration};

fn at(origin: &ModelOrigin, directory: &Path) -> NodeBuilder {
    builder(github(origin)).cache_dir(directory)
}

/// Reads `count` repositories. Returns how many calls that took.
async fn read(origin: &ModelOrigin, node: &Node, count: u64) -> u64 {
    let before = origin.calls_total();
    for number in 0..count {
        let path = format!("/repos/acme/widget-{number}");
        let answer = answer(node, get_by(ALICE, &path)).await;
        assert!(answer.status == 200 && matches!(answer.provenance, Provenance::Entry(_)));
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("the body is JSON");
        assert_eq!(body["name"], format!("widget-{number}"));
    }
    origin.calls_total() - before
}

#[tokio::test]
async fn what_was_kept_is_served_after_a_restart_without_a_call() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let node = at(&origin, directory.path()).start().await.unwrap();
    assert_eq!(read(&origin, &node, 50).await, 50);
    node.values().put("own", "value", Duration::from_secs(60)).await.unwrap();
    node.shutdown().await;
    // The handle is still held: the directory is free all the same.
    let again = at(&origin, directory.path()).start().await.unwrap();
    assert_eq!(read(&origin, &again, 50).await, 0);
    assert_eq!(again.values().get("own").await.unwrap().unwrap(), "value");
    let stats = again.stats().await.unwrap();
    assert_eq!((stats.cache_size, stats.disk.unwrap().records), (51, 51));
    drop(node);
    again.shutdown().await;
}

#[tokio::test]
async fn dropping_the_last_handle_writes_what_is_held_and_frees_the_directory() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let node = at(&origin, directory.path()).start().await.unwrap();
    let clone = node.clone();
    read(&origin, &node, 20).await;
    drop(node);
    assert_eq!(read(&origin, &clone, 20).await, 0);
    drop(clone);
    let again = start_when_free(&origin, directory.path()).await;
    assert_eq!(read(&origin, &again, 20).await, 0);
}

/// A node on `directory` as soon as another has let it go.
async fn start_when_free(origin: &ModelOrigin, directory: &Path) -> Node {
    let begun = std::time::Instant::now();
    loop {
        match at(origin, directory).start().await {
            Ok(node) => return node,
            Err(StartError::Open(_)) if begun.elapsed() < SOON => tokio::task::yield_now().await,
            Err(error) => panic!("{error} after {:?}", begun.elapsed()),
        }
    }
}

#[test]
fn a_node_whose_runtime_ended_first_is_flushed_by_shutdown_and_by_drop() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let first = runtime();
    let node = first.block_on(async {
        let node = at(&origin, directory.path()).start().await.unwrap();
        read(&origin, &node, 10).await;
        node
    });
    drop(first);
    runtime().block_on(async {
        assert!(crate::support::ask(&node, get_by(ALICE, PUBLIC)).await.is_err());
        node.shutdown().await;
        let again = at(&origin, directory.path()).start().await.unwrap();
        assert_eq!(read(&origin, &again, 10).await, 0);
        again.shutdown().await;
    });
    let third = runtime();
    let node = third.block_on(async { at(&origin, directory.path()).start().await.unwrap() });
    drop(third);
    drop(node);
    runtime().block_on(async {
        let again = at(&origin, directory.path()).start().await.unwrap();
        assert_eq!(read(&origin, &again, 10).await, 0);
    });
}

#[tokio::test]
async fn a_second_node_on_a_directory_is_refused_and_told_who_has_it() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let node = at(&origin, directory.path()).start().await.unwrap();
    let error = at(&origin, directory.path()).start().await.unwrap_err().to_string();
    assert!(error.contains(&directory.path().display().to_string()), "{error}");
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    // The first is none the worse for it.
    assert_eq!(read(&origin, &node, 3).await, 3);
    node.flush().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_others_may_write_to_is_refused_and_an_empty_one_made_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let origin = ModelOrigin::start();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    std::fs::create_dir(&path).unwrap();
    let set_mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    set_mode(0o777);
    let node = at(&origin, &path).start().await.unwrap();
    assert_eq!(mode(), 0o700);
    node.shutdown().await;

    set_mode(0o777);
    let error = at(&origin, &path).start().await.unwrap_err();
    assert!(matches!(error, StartError::Open(_)), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("0777") && error.contains(&path.display().to_string()), "{error}");
    set_mode(0o700);
    at(&origin, &path).start().await.unwrap();
}

#[tokio::test]
async fn a_start_that_is_given_up_frees_the_directory_again() {
    use futures::FutureExt as _;
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    for _ in 0..10 {
        // The directory is opened on another thread, which goes on.
        let _half_way = at(&origin, directory.path()).start().now_or_never();
    }
    let node = start_when_free(&origin, directory.path()).await;
    assert_eq!(read(&origin, &node, 3).await, 3);
}

#[tokio::test]
async fn what_was_invalidated_does_not_come_back_after_a_restart() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let node = at(&origin, directory.path()).start().await.unwrap();
    read(&origin, &node, 5).await;
    node.flush().await.unwrap();
    assert_eq!(node.invalidate("/repos/acme/widget-3").await.unwrap(), 1);
    node.shutdown().await;
    let again = at(&origin, directory.path()).start().await.unwrap();
    assert_eq!(read(&origin, &again, 5).await, 1);
    again.clear().await.unwrap();
    again.shutdown().await;
    let again = at(&origin, directory.path()).start().await.unwrap();
    assert_eq!(again.stats().await.unwrap().cache_size, 0);
}

#[tokio::test]
async fn what_memory_has_no_room_for_is_served_from_disk() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let budget = fleet_cache::Budget { entries_max: 4, bytes_max: 1 << 20 };
    let node = at(&origin, directory.path()).budget(budget).start().await.unwrap();
    assert_eq!(read(&origin, &node, 40).await, 40);
    assert_eq!(read(&origin, &node, 40).await, 0);
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.cache_size, stats.max_cache_size), (4, 4));
    assert!(stats.evictions >= 36);
}

#[tokio::test]
async fn a_fleet_secret_seals_the_directory_and_opens_what_was_kept_without_it() {
    let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
    let node = at(&origin, directory.path()).start().await.unwrap();
    read(&origin, &node, 3).await;
    node.shutdown().await;
    let secret = FleetSecret::generate().unwrap();
    let with_secret = || {
        let github = github(&origin).build().unwrap();
        Node::builder(secret.clone(), github).cache_dir(directory.path())
    };
    let sealed = with_secret().start().await.unwrap();
    assert_eq!(read(&origin, &sealed, 3).await, 0);
    sealed.shutdown().await;
    let again = with_secret().start().await.unwrap();
    assert!(matches!(
        answer(&again, get_by(ALICE, "/repos/acme/widget-0")).await.provenance,
        Provenance::Entry(Served::Hit)
    ));
    assert!(eventually(SOON, || again.github().stats(&[]).calls == 0).await);
}
