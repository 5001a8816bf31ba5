//! One call for all requests that come at once, whatever becomes of the one that leads.

use crate::support::{ALICE, Answer, PUBLIC, SOON, answer, ask, get_by, github, node, origin_and_node};
use bytes::Bytes;
use cache_tests::{
    eventually,
    origin::{Fault, FaultKind, ModelOrigin},
};
use fleet_cache::{Node, Provenance, RequestError};
use tokio::task::JoinHandle;

const CALLERS: usize = 100;

fn spawn_callers(node: &Node, count: usize) -> Vec<JoinHandle<Result<Answer, RequestError>>> {
    let callers = (0..count).map(|_| {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, get_by(ALICE, PUBLIC)).await })
    });
    callers.collect()
}

/// Waits until `count` of the node's look-ups are over or wait for the one flight.
async fn all_wait(node: &Node, count: u64) {
    // Every ask passes through the driver's queue before this one does.
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
    let stats = node.stats().await.expect("the node runs");
    assert_eq!(stats.flights, 1);
}

async fn bodies(callers: Vec<JoinHandle<Result<Answer, RequestError>>>) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    for caller in callers {
        let answer = caller.await.expect("no caller panics").expect("every caller is answered");
        assert_eq!(answer.status, 200);
        bodies.push(answer.body);
    }
    bodies
}

#[tokio::test]
async fn a_hundred_cold_reads_at_once_cost_one_call_and_give_a_hundred_equal_bodies() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let callers = spawn_callers(&node, CALLERS);
    origin.wait_in_flight(1).await;
    all_wait(&node, 100).await;
    origin.release();

    let bodies = bodies(callers).await;
    assert!(bodies.iter().all(|body| *body == bodies[0] && !body.is_empty()));
    assert_eq!(origin.calls_total(), 1);
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.misses, stats.collapsed + stats.hits, stats.api_calls_saved), (1, 99, 99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_holds_on_several_threads_without_any_gate() {
    for _ in 0..20 {
        let (origin, node) = origin_and_node().await;
        let bodies = bodies(spawn_callers(&node, CALLERS)).await;
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert_eq!(origin.calls_total(), 1);
    }
}

#[tokio::test]
async fn the_call_goes_on_for_the_others_when_the_leader_leaves() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let leader = spawn_callers(&node, 1).remove(0);
    origin.wait_in_flight(1).await;
    let callers = spawn_callers(&node, CALLERS);
    all_wait(&node, 100).await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    origin.release();

    let bodies = bodies(callers).await;
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_read_that_everybody_left_still_fills_the_cache() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let callers = spawn_callers(&node, 10);
    origin.wait_in_flight(1).await;
    for caller in callers {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    origin.release();
    let asking = crate::support::bare(get_by(ALICE, PUBLIC)).into_parts().0;
    assert!(eventually(SOON, || node.try_hit(&asking).is_some()).await);
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_first_call_that_fails_is_repeated_once_for_all() {
    let kinds = [
        FaultKind::BadGzip,
        FaultKind::ChunkedCut,
        FaultKind::Garbage,
        FaultKind::Reset,
        FaultKind::Status(500),
        FaultKind::Status(502),
        FaultKind::Truncate,
    ];
    for kind in kinds {
        let (origin, node) = origin_and_node().await;
        origin.fault(Fault::new(kind.clone(), 1));
        origin.hold("");
        let callers = spawn_callers(&node, CALLERS);
        origin.wait_in_flight(1).await;
        all_wait(&node, 100).await;
        origin.release();

        let bodies = bodies(callers).await;
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{kind:?}");
        assert_eq!(origin.calls_total(), 2, "{kind:?}");
        assert!(answer(&node, get_by(ALICE, PUBLIC)).await.is_hit(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_leader_that_leaves_and_a_call_that_then_fails_cost_one_more_call() {
    let (origin, node) = origin_and_node().await;
    origin.fault(Fault::new(FaultKind::Reset, 1));
    origin.hold("");
    let leader = spawn_callers(&node, 1).remove(0);
    origin.wait_in_flight(1).await;
    let callers = spawn_callers(&node, CALLERS);
    all_wait(&node, 100).await;
    leader.abort();
    origin.release();
    let bodies = bodies(callers).await;
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    assert_eq!(origin.calls_total(), 2);
}

#[tokio::test]
async fn an_origin_that_is_down_is_called_twice_and_not_once_for_everybody() {
    let (origin, node) = origin_and_node().await;
    origin.fault(Fault::always(FaultKind::Reset));
    origin.hold("");
    let callers = spawn_callers(&node, CALLERS);
    origin.wait_in_flight(1).await;
    all_wait(&node, 100).await;
    origin.release();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert!(matches!(error, RequestError::Fetch(_)), "{error:?}");
    }
    assert_eq!(origin.calls_total(), 2);
    assert_eq!(node.stats().await.unwrap().cache_size, 0);
}

#[tokio::test]
async fn an_oversize_answer_streams_to_the_leader_and_whole_to_everybody_who_waited() {
    const BYTES: usize = 3 * 1024 * 1024;
    let path = format!("{PUBLIC}/contents/big-{BYTES}.bin");
    let origin = ModelOrigin::start();
    let node = node(github(&origin).body_bytes_max(64 * 1024)).await;
    origin.hold("");
    let callers: Vec<_> = (0..5)
        .map(|_| {
            let (node, path) = (node.clone(), path.clone());
            let raw = move || get_by(ALICE, &path).header("accept", "application/vnd.github.raw");
            tokio::spawn(async move { answer(&node, raw()).await })
        })
        .collect();
    origin.wait_in_flight(1).await;
    all_wait(&node, 5).await;
    origin.release();
    for caller in callers {
        let answer = caller.await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, BYTES));
        assert_eq!(answer.provenance, Provenance::Oversize);
    }
    assert_eq!(origin.calls_total(), 5);
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.cache_size, stats.api_calls_made), (0, 5));
}

#[tokio::test]
async fn a_head_of_an_oversize_resource_gets_no_body() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).body_bytes_max(64 * 1024)).await;
    let path = format!("{PUBLIC}/contents/big-2000000.bin");
    let head = http::Request::head(&path).header("accept", "application/vnd.github.raw");
    let answer = answer(&node, head).await;
    assert_eq!(answer.provenance, Provenance::Oversize);
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}
