//! How a node begins and ends, what it counts, and whose runtime it needs.

use crate::support::{
    ALICE, PUBLIC, SOON, answer, ask, bare, builder, get_by, github, node, origin_and_node, post, send,
};
use cache_tests::{
    eventually, eventually_blocking,
    origin::{Fault, FaultKind, ModelOrigin},
};
use fleet_cache::{
    Closed, FlushError, GetValueError, InvalidateValueError, Node, PeerId, PingError, PutValueError,
    RequestError, Settings, StartError, ValueError,
};
use std::time::Duration;

#[tokio::test]
async fn clones_are_handles_to_one_node() {
    let (origin, node) = origin_and_node().await;
    let clone = node.clone();
    answer(&node, get_by(ALICE, PUBLIC)).await;
    assert!(answer(&clone, get_by(ALICE, PUBLIC)).await.is_hit());
    drop(node);
    assert!(answer(&clone, get_by(ALICE, PUBLIC)).await.is_hit());
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_what_is_under_way() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let asking = {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, get_by(ALICE, PUBLIC)).await })
    };
    origin.wait_in_flight(1).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    // The read goes on for the cache's sake, but only as long as there is one.
    assert_eq!(origin.in_flight(), 1);
    drop(node);
    origin.wait_idle().await;
}

#[tokio::test]
async fn a_body_that_streams_outlives_the_node() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).body_bytes_max(64 * 1024)).await;
    let long = format!("{PUBLIC}/contents/big-3000000.bin");
    let raw = get_by(ALICE, &long).header("accept", "application/vnd.github.raw");
    let reply = node.request(bare(raw)).await.unwrap();
    drop(node);
    assert_eq!(reply.bytes().await.unwrap().len(), 3_000_000);
}

#[tokio::test]
async fn after_a_shutdown_every_question_is_answered_by_closed_and_nothing_is_sent() {
    let (origin, node) = origin_and_node().await;
    answer(&node, get_by(ALICE, PUBLIC)).await;
    node.values().put("key", "value", Duration::from_secs(60)).await.unwrap();
    let other = node.clone();
    tokio::join!(node.shutdown(), other.shutdown());
    node.shutdown().await;

    let closed = |error: RequestError| assert!(matches!(error, RequestError::Closed(_)), "{error:?}");
    closed(ask(&node, get_by(ALICE, PUBLIC)).await.unwrap_err());
    closed(ask(&other, get_by(ALICE, "/repos/acme/widget-2")).await.unwrap_err());
    closed(ask(&node, get_by(ALICE, "/rate_limit")).await.unwrap_err());
    closed(send(&node, post(&format!("{PUBLIC}/issues"), r#"{"title":"x"}"#)).await.unwrap_err());
    closed(node.get("/user").await.unwrap_err());
    let values = node.values();
    assert!(matches!(values.get("key").await, Err(GetValueError::Closed(_))));
    assert!(matches!(values.put("key", "value", Duration::ZERO).await, Err(PutValueError::Closed(_))));
    assert!(matches!(values.invalidate("key").await, Err(InvalidateValueError::Closed(_))));
    let fetched = values.get_or_fetch("other key", Duration::ZERO, async || Ok::<_, ()>("value")).await;
    assert!(matches!(fetched, Err(ValueError::Closed(_))), "{fetched:?}");
    assert_eq!(node.invalidate(PUBLIC).await, Err(Closed));
    assert_eq!(node.clear().await, Err(Closed));
    assert!(matches!(node.flush().await, Err(FlushError::Closed(_))));
    assert!(matches!(node.ping(PeerId::from_public_key([1; 32])).await, Err(PingError::Closed(_))));
    assert_eq!(node.stats().await.unwrap_err(), Closed);
    assert_eq!(node.peers().await.unwrap_err(), Closed);
    assert!(node.try_hit(&bare(get_by(ALICE, PUBLIC)).into_parts().0).is_none());
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_shutdown_ends_the_requests_in_progress() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let asking: Vec<_> = [PUBLIC, "/rate_limit"]
        .into_iter()
        .map(|path| {
            let node = node.clone();
            tokio::spawn(async move { ask(&node, get_by(ALICE, path)).await })
        })
        .collect();
    origin.wait_in_flight(2).await;
    node.shutdown().await;
    for asking in asking {
        assert!(matches!(asking.await.unwrap(), Err(RequestError::Closed(_))));
    }
    origin.wait_idle().await;
}

#[tokio::test]
async fn a_shutdown_that_its_caller_left_is_carried_out() {
    let (_origin, node) = origin_and_node().await;
    {
        use futures::FutureExt as _;
        assert!(node.shutdown().now_or_never().is_none());
    }
    let begun = std::time::Instant::now();
    while node.stats().await.is_ok() {
        assert!(begun.elapsed() < SOON);
    }
}

#[tokio::test]
async fn counters_add_up_and_agree_with_the_origins() {
    let (origin, node) = origin_and_node().await;
    for round in 0..5 {
        for number in 0..4 {
            let answer = answer(&node, get_by(ALICE, &format!("/repos/acme/widget-{number}"))).await;
            assert_eq!(answer.is_hit(), round > 0);
        }
    }
    answer(&node, get_by(ALICE, "/rate_limit")).await;
    send(&node, post("/repos/acme/widget-0/issues", r#"{"title":"x"}"#)).await.unwrap();
    answer(&node, get_by(ALICE, "/repos/acme/widget-0")).await;
    origin.fault(Fault::new(FaultKind::Reset, 2));
    assert!(ask(&node, get_by(ALICE, "/repos/acme/widget-9")).await.is_err());

    let stats = node.stats().await.unwrap();
    assert_eq!((stats.hits, stats.misses, stats.collapsed, stats.stale_hits), (16, 6, 0, 0));
    assert_eq!((stats.api_calls_made, stats.api_calls_saved), (origin.calls_total(), 16));
    assert_eq!((stats.cache_size, stats.invalidations, stats.peer_hits, stats.flights), (4, 1, 0, 0));
    assert!((stats.hit_rate - 16.0 / 22.0).abs() < 1e-9);
    let json = serde_json::to_value(&stats).unwrap();
    let names = [
        "hits",
        "misses",
        "peer_hits",
        "expirations",
        "evictions",
        "api_calls_made",
        "api_calls_saved",
        "connected_peers",
        "cache_size",
        "max_cache_size",
        "hit_rate",
    ];
    assert!(names.iter().all(|name| json[name].is_number()), "{json}");
    assert!(json["disk"].is_null());
}

#[tokio::test]
async fn a_request_waits_no_longer_than_its_time_out() {
    let origin = ModelOrigin::start();
    let settings = Settings { request_timeout: Duration::from_millis(100), ..Settings::default() };
    let node = builder(github(&origin)).settings(settings).start().await.unwrap();
    origin.fault(Fault::always(FaultKind::Hang));
    let error = ask(&node, get_by(ALICE, PUBLIC)).await.unwrap_err();
    assert!(matches!(error, RequestError::TimedOut), "{error:?}");
}

#[tokio::test]
async fn more_than_the_limits_allow_is_refused_at_once_and_harms_nobody() {
    let origin = ModelOrigin::start();
    let settings = Settings { flights_max: 2, waiters_max: 3, ..Settings::default() };
    let node = builder(github(&origin)).settings(settings).start().await.unwrap();
    origin.hold("");
    let asking = |path: &'static str| {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, get_by(ALICE, path)).await })
    };
    let mut waiting: Vec<_> = (0..3).map(|_| asking(PUBLIC)).collect();
    waiting.push(asking("/repos/acme/widget-2"));
    origin.wait_in_flight(2).await;
    for path in [PUBLIC, "/repos/acme/widget-3"] {
        let error = ask(&node, get_by(ALICE, path)).await.unwrap_err();
        assert!(matches!(error, RequestError::Busy), "{error:?}");
    }
    origin.release();
    for asking in waiting {
        assert_eq!(asking.await.unwrap().unwrap().status, 200);
    }
    assert_eq!(ask(&node, get_by(ALICE, "/repos/acme/widget-3")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_path_that_is_none_is_refused() {
    let (origin, node) = origin_and_node().await;
    let error = node.get("no path at all").await.unwrap_err();
    assert!(matches!(&error, RequestError::BadTarget { target, .. } if target == "no path at all"));
    assert_eq!(origin.calls_total(), 0);
}

#[test]
fn a_node_starts_inside_a_runtime_only() {
    let origin = ModelOrigin::start();
    let error = futures::executor::block_on(builder(github(&origin)).start()).unwrap_err();
    assert!(matches!(error, StartError::NoRuntime), "{error:?}");
}

#[test]
fn a_node_serves_callers_without_a_runtime_in_every_way() {
    let origin = ModelOrigin::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime.block_on(node(github(&origin).body_bytes_max(64 * 1024)));
    futures::executor::block_on(async {
        // A fetch and a hit, what passes by, and what streams.
        assert_eq!(answer(&node, get_by(ALICE, PUBLIC)).await.status, 200);
        assert!(answer(&node, get_by(ALICE, PUBLIC)).await.is_hit());
        assert_eq!(answer(&node, get_by(ALICE, "/rate_limit")).await.status, 200);
        let long = format!("{PUBLIC}/contents/big-3000000.bin");
        let raw = get_by(ALICE, &long).header("accept", "application/vnd.github.raw");
        assert_eq!(answer(&node, raw).await.body.len(), 3_000_000);
        let written = send(&node, post(&format!("{PUBLIC}/issues"), r#"{"title":"x"}"#)).await;
        assert_eq!(written.unwrap().status, 201);
        node.shutdown().await;
    });
}

#[test]
fn a_caller_whose_runtime_stands_still_leaves_no_dead_connection_behind() {
    let origin = ModelOrigin::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime.block_on(node(github(&origin)));
    let callers = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    callers.block_on(async {
        assert_eq!(answer(&node, get_by(ALICE, "/rate_limit")).await.status, 200);
    });
    // `callers` is not driven from here on, and the connection is in the pool.
    runtime.block_on(async {
        assert_eq!(answer(&node, get_by(ALICE, PUBLIC)).await.status, 200);
    });
    assert_eq!(origin.calls_total(), 2);
    drop(callers);
}

#[test]
fn the_connections_of_a_node_end_with_its_runtime() {
    let origin = ModelOrigin::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node: Node = runtime.block_on(node(github(&origin)));
    origin.hold("");
    let caller = {
        let node = node.clone();
        std::thread::spawn(move || futures::executor::block_on(ask(&node, get_by(ALICE, PUBLIC))))
    };
    assert!(eventually_blocking(SOON, || origin.in_flight() == 1));
    drop(runtime);
    let error = caller.join().unwrap().unwrap_err();
    assert!(matches!(error, RequestError::Closed(_)), "{error:?}");
    assert!(eventually_blocking(SOON, || origin.in_flight() == 0));
}

#[tokio::test]
async fn a_flood_of_requests_that_are_all_left_leaves_nothing_in_progress() {
    use futures::FutureExt as _;
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    for number in 0..3_000 {
        let request = bare(get_by(ALICE, &format!("/repos/acme/widget-{}", number % 50)));
        let mut reply = Box::pin(node.request(request));
        let _half_way = (&mut reply).now_or_never();
        if number % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    origin.release();
    let begun = std::time::Instant::now();
    while node.stats().await.unwrap().flights > 0 {
        assert!(begun.elapsed() < SOON, "{:?}", node.stats().await);
        tokio::task::yield_now().await;
    }
    assert!(eventually(SOON, || origin.in_flight() == 0).await);
    assert!(origin.calls_total() <= 50);
}
