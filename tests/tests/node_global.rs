//! The process-wide node: made once, from the environment or as configured, wherever it is first used.
//!
//! One test, since there is one such node in a process.

use cache_tests::origin::ModelOrigin;
use fleet_cache::{AlreadyStarted, GitHub, Node, NodeBuilder, StartError, configure, global};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use std::{path::Path, sync::Barrier, thread, time::Duration};

const PATH: &str = "/repos/acme/widget-1";
const THREADS: usize = 64;

fn builder(origin: &ModelOrigin, directory: &Path) -> NodeBuilder {
    let github = GitHub::builder().origin(&origin.url()).build();
    Node::builder(None, github.expect("the model's address can be used")).cache_dir(directory)
}

async fn get(node: &Node, path: &str) -> u16 {
    let request = Request::get(path).body(Empty::new()).expect("the request is well-formed");
    let response = node.request(request).await.expect("the origin answers").into_response();
    let status = response.status().as_u16();
    response.into_body().collect().await.expect("the body is whole");
    status
}

#[test]
fn the_process_wide_node_is_one_for_all_threads_needs_no_runtime_and_outlives_any() {
    let origin = ModelOrigin::start();
    let directory = tempfile::tempdir().expect("a directory can be made");
    let elsewhere = tempfile::tempdir().expect("a directory can be made");

    // A start that fails leaves the configuration in place, and another may take its place.
    let holder = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let other = holder.block_on(builder(&origin, directory.path()).start()).expect("the directory is free");
    configure(builder(&origin, elsewhere.path())).expect("nothing runs yet");
    configure(builder(&origin, directory.path())).expect("nothing runs yet");
    for _ in 0..2 {
        let refused = global().expect_err("the directory is in use");
        assert!(matches!(refused, StartError::Open(_)), "{refused:?}");
    }
    holder.block_on(other.shutdown());

    let start = Barrier::new(THREADS);
    let nodes: Vec<Node> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let node = global().expect("the directory is free");
                    assert_eq!(futures::executor::block_on(get(&node, PATH)), 200);
                    node
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(origin.calls_to(PATH), 1);
    assert!(directory.path().join("entries.lock").exists());
    assert_eq!(std::fs::read_dir(elsewhere.path()).expect("it can be read").count(), 0);
    assert_eq!(configure(builder(&origin, elsewhere.path())), Err(AlreadyStarted));

    // One node: what one handle keeps, every other serves.
    let minute = Duration::from_secs(60);
    futures::executor::block_on(nodes[0].values().put("key", "value", minute)).expect("the node runs");
    for node in &nodes {
        let value = futures::executor::block_on(node.values().get("key")).expect("the node runs");
        assert_eq!(value.as_deref(), Some(&b"value"[..]));
    }
    drop(nodes);

    // Runtimes come and go.
    for round in 0..3 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
        runtime.block_on(async {
            let node = global().expect("it runs");
            assert_eq!(get(&node, "/rate_limit").await, 200);
            assert_eq!(get(&node, &format!("/repos/acme/widget-{}", 10 + round)).await, 200);
        });
    }
    let node = global().expect("it runs");
    let stats = futures::executor::block_on(node.stats()).expect("it runs");
    assert_eq!((stats.cache_size, stats.api_calls_made), (5, origin.calls_total()));
    futures::executor::block_on(node.shutdown());
    let again = holder.block_on(builder(&origin, directory.path()).start()).expect("the directory is free");
    assert_eq!(holder.block_on(get(&again, PATH)), 200);
    assert_eq!(origin.calls_to(PATH), 1);
}
