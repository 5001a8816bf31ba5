//! Requests that matter less leave the last of an allowance to those that matter more, and a payer that the origin told to
//! pause makes no call of any kind.

use crate::support::{ALICE, BOB, PUBLIC, SOON, ask, builder, get_by, github, post, send};
use cache_tests::{
    eventually,
    origin::{Fault, FaultKind, ModelOrigin, Quota, Resource},
};
use fleet_cache::{
    Node, Priority, Provenance, RequestError, Reserves, Served, Settings, StaleReason, Withdrawal,
};
use futures::FutureExt as _;
use http::request;
use std::time::Duration;
use tokio::task::unconstrained;

/// Far beyond the tests.
const RESET: u64 = 4_000_000_000;

async fn node_with_reserves(origin: &ModelOrigin) -> Node {
    let reserves = Reserves::NONE.with(Priority::Batch, 20).and_then(|it| it.with(Priority::Normal, 5));
    let settings = Settings { reserves: reserves.expect("they are shares"), ..Settings::default() };
    let rule = "/users/** = critical".parse().expect("it is a rule");
    let node = builder(github(origin).priority_rule(rule)).settings(settings).start().await;
    node.expect("a node without a directory starts")
}

fn spent(origin: &ModelOrigin, used: u64) {
    origin.set_quota("alice", Resource::Core, Quota { limit: 100, used, reset_unix_seconds: RESET });
}

fn widget(number: usize, priority: &str) -> request::Builder {
    get_by(ALICE, &format!("/repos/acme/widget-{number}")).header("x-fleet-priority", priority)
}

#[tokio::test]
async fn each_class_of_requests_stops_at_its_reserve_and_the_critical_one_at_the_end() {
    let origin = ModelOrigin::start();
    let node = node_with_reserves(&origin).await;
    spent(&origin, 0);
    let mut number = 0;
    for (priority, calls) in [("batch", 80), ("normal", 95), ("critical", 100)] {
        let ended = loop {
            number += 1;
            match ask(&node, widget(number, priority)).await {
                Ok(answer) if answer.status == 200 => {}
                ended => break ended,
            }
        };
        assert_eq!(origin.quota("alice", Resource::Core).used, calls, "{priority}");
        match (priority, ended) {
            ("critical", Ok(refused)) => assert_eq!(refused.status, 403, "it is the origin that refuses"),
            (_, Err(RequestError::Reserved { quota, .. })) => {
                assert_eq!((quota.used, quota.limit, quota.reset), (calls, 100, RESET));
            }
            (_, other) => panic!("{priority}: {other:?}"),
        }
    }
    // The other's allowance is not touched.
    let other = get_by(BOB, PUBLIC).header("x-fleet-priority", "batch");
    assert_eq!(ask(&node, other).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_stale_is_served_to_a_request_that_may_not_spend_what_is_left() {
    let origin = ModelOrigin::start();
    let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap();
    let rules = github(&origin).route("/repos/** = 0s if-error=1h");
    let node = builder(rules).settings(Settings { reserves, ..Settings::default() }).start().await.unwrap();
    spent(&origin, 79);
    let first = ask(&node, widget(1, "batch")).await.unwrap();
    let calls = origin.calls_total();
    let stale = ask(&node, widget(1, "batch")).await.unwrap();
    assert_eq!(stale.provenance, Provenance::Entry(Served::Stale(StaleReason::Reserved)));
    assert_eq!((stale.body, origin.calls_total()), (first.body, calls));
    assert!(ask(&node, widget(1, "normal")).await.unwrap().is_revalidated());
}

#[tokio::test]
async fn what_passes_the_cache_by_is_held_to_the_reserves_as_well() {
    let origin = ModelOrigin::start();
    let node = node_with_reserves(&origin).await;
    spent(&origin, 94);
    assert_eq!(ask(&node, widget(1, "normal")).await.unwrap().status, 200);
    let calls = origin.calls_total();
    let path = "/repos/acme/widget-1/issues";
    let written = send(&node, post(path, "{}")).await;
    assert!(matches!(written, Err(RequestError::Reserved { .. })), "{written:?}");
    let ranged = ask(&node, get_by(ALICE, PUBLIC).header("range", "bytes=0-9")).await;
    assert!(matches!(ranged, Err(RequestError::Reserved { .. })), "{ranged:?}");
    assert_eq!(origin.calls_total(), calls);
    // Where allowances are told of costs nothing.
    assert_eq!(ask(&node, get_by(ALICE, "/rate_limit")).await.unwrap().status, 200);
    let mut critical = post(path, r#"{"title":"it burns"}"#);
    critical.headers_mut().insert("x-fleet-priority", "critical".parse().unwrap());
    assert!(send(&node, critical).await.unwrap().status.is_success());
    // A rule says what matters where the request does not.
    assert_eq!(ask(&node, get_by(ALICE, "/users/alice")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_payer_that_was_told_to_pause_makes_no_call_of_any_kind_and_others_do() {
    let origin = ModelOrigin::start();
    let node = node_with_reserves(&origin).await;
    origin.fault(Fault::new(FaultKind::SecondaryLimit { retry_after_seconds: 60 }, 1));
    let refused = send(&node, post("/repos/acme/widget-1/issues", "{}")).await.unwrap();
    assert_eq!(refused.status, 403, "a call that passes the cache by is told to pause");
    let calls = origin.calls_total();
    let write = send(&node, post("/repos/acme/widget-1/issues", "{}")).await;
    assert!(matches!(write, Err(RequestError::Throttled { .. })), "{write:?}");
    for path in [PUBLIC, "/search/issues?q=x"] {
        let held = ask(&node, get_by(ALICE, path).header("x-fleet-priority", "critical")).await;
        assert!(matches!(held, Err(RequestError::Throttled { .. })), "{path}: {held:?}");
    }
    assert_eq!(origin.calls_total(), calls);
    assert_eq!(ask(&node, get_by(BOB, PUBLIC)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_write_that_waits_its_turn_is_not_made_once_its_client_has_gone() {
    let origin = ModelOrigin::start();
    let settings = Settings { calls_at_once: 1, ..Settings::default() };
    let node = builder(github(&origin)).settings(settings).start().await.unwrap();
    origin.fault(Fault::new(FaultKind::Hang, 1));
    let mut first = Box::pin(ask(&node, get_by(ALICE, PUBLIC).header("range", "bytes=0-9")));
    let mut write = Box::pin(send(&node, post("/repos/acme/widget-1/issues", r#"{"title":"once"}"#)));
    tokio::select! {
        ended = &mut first => panic!("{ended:?}"),
        has_begun = eventually(SOON, || origin.calls_total() == 1) => assert!(has_begun),
    }
    tokio::select! {
        biased;
        ended = &mut write => panic!("{ended:?}"),
        () = std::future::ready(()) => {}
    }
    drop(write);
    drop(first);
    assert_eq!(ask(&node, get_by(ALICE, PUBLIC)).await.unwrap().status, 200);
    assert_eq!(origin.calls_total(), 2, "no write was made");
}

#[tokio::test]
async fn a_write_that_is_taken_back_is_not_made_while_it_waits_and_is_answered_once_it_has_begun() {
    let origin = ModelOrigin::start();
    let settings = Settings { calls_at_once: 1, ..Settings::default() };
    let node = builder(github(&origin)).settings(settings).start().await.unwrap();
    origin.fault(Fault::new(FaultKind::Hang, 1));
    let mut first = Box::pin(ask(&node, get_by(ALICE, PUBLIC).header("range", "bytes=0-9")));
    let withdrawal = Withdrawal::default();
    let mut write = post("/repos/acme/widget-1/issues", r#"{"title":"once"}"#);
    write.extensions_mut().insert(withdrawal.clone());
    let mut waiting = Box::pin(send(&node, write.clone()));
    tokio::select! {
        ended = &mut first => panic!("{ended:?}"),
        has_begun = eventually(SOON, || origin.calls_total() == 1) => assert!(has_begun),
    }
    assert!((&mut waiting).now_or_never().is_none());
    withdrawal.withdraw();
    drop(first);
    let taken_back = waiting.await;
    assert!(matches!(taken_back, Err(RequestError::Withdrawn)), "{taken_back:?}");
    assert_eq!(origin.calls_total(), 1, "no write was made");

    origin.fault(Fault::new(FaultKind::Delay(Duration::from_millis(200)), 1));
    let withdrawal = Withdrawal::default();
    write.extensions_mut().insert(withdrawal.clone());
    let mut begun = Box::pin(send(&node, write));
    tokio::select! {
        ended = &mut begun => panic!("{ended:?}"),
        has_begun = eventually(SOON, || origin.calls_total() == 2) => assert!(has_begun),
    }
    withdrawal.withdraw();
    assert_eq!(begun.await.unwrap().status, 201);
}

#[tokio::test]
async fn a_write_that_is_taken_back_before_the_node_has_room_for_it_is_not_made() {
    let origin = ModelOrigin::start();
    let node = builder(github(&origin)).start().await.unwrap();
    let write = || post("/repos/acme/widget-1/issues", r#"{"title":"once"}"#);
    // More than pass at once, none of which has begun: the node's tasks run only when this one waits.
    let mut others: Vec<_> = (0..5_000).map(|_| Box::pin(unconstrained(send(&node, write())))).collect();
    for other in &mut others {
        assert!(other.now_or_never().is_none());
    }
    let (mut taken_back, withdrawal) = (write(), Withdrawal::default());
    taken_back.extensions_mut().insert(withdrawal.clone());
    withdrawal.withdraw();
    let taken_back = unconstrained(send(&node, taken_back)).now_or_never();
    assert!(matches!(taken_back, Some(Err(RequestError::Withdrawn))), "{taken_back:?}");
}

#[tokio::test]
async fn a_priority_that_is_none_is_refused_without_a_call() {
    let origin = ModelOrigin::start();
    let node = node_with_reserves(&origin).await;
    for request in
        [widget(1, "urgent"), widget(1, "batch").header("range", "bytes=0-9").header("x-fleet-priority", "x")]
    {
        let refused = ask(&node, request).await;
        assert!(matches!(refused, Err(RequestError::BadPriority(_))), "{refused:?}");
    }
    assert_eq!(origin.calls_total(), 0);
}
