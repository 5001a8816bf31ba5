//! No more writes are made for a credential than the origin bears, and each is made once or not at all.

use crate::support::{ALICE, BOB, ask, builder, github};
use cache_tests::{origin::ModelOrigin, until};
use fleet_cache::{Node, RequestError, Settings, Withdrawal, WritePace};
use http::{Request, request};
use std::{num::NonZeroU32, time::Duration};

async fn node(origin: &ModelOrigin, per_minute: u32, wait: Duration) -> Node {
    let writes = WritePace { per_minute: NonZeroU32::new(per_minute), per_hour: None, wait };
    let settings = Settings { writes, ..Settings::default() };
    builder(github(origin)).settings(settings).start().await.expect("a node without a directory starts")
}

fn write(token: &str) -> request::Builder {
    Request::patch("/repos/acme/widget-1").header("authorization", format!("token {token}"))
}

async fn waiting(node: &Node) -> usize {
    node.stats().await.expect("the node runs").writes_waiting
}

#[tokio::test]
async fn a_write_beyond_the_pace_is_refused_with_when_its_turn_comes_and_other_calls_are_not() {
    let origin = ModelOrigin::start();
    let node = node(&origin, 2, Duration::ZERO).await;
    for _ in 0..2 {
        assert_eq!(ask(&node, write(ALICE)).await.unwrap().status, 200);
    }
    let calls = origin.calls_total();
    let refused = ask(&node, write(ALICE)).await.unwrap_err();
    let RequestError::Paced { until, .. } = refused else { panic!("{refused:?}") };
    let now = node.stats().await.map(|_| std::time::SystemTime::now()).expect("the node runs");
    let now = now.duration_since(std::time::UNIX_EPOCH).expect("it is after 1970").as_millis() as u64;
    let left = until.as_unix_millis().saturating_sub(now);
    assert!((50_000..=60_050).contains(&left), "{left}");
    assert_eq!(origin.calls_total(), calls, "it was not made");
    let rendered = Request::post("/markdown").header("authorization", ALICE);
    assert!(!matches!(ask(&node, rendered).await, Err(RequestError::Paced { .. })), "it changes nothing");
    assert_eq!(ask(&node, write(BOB)).await.unwrap().status, 200, "another credential has its own pace");
    assert_eq!(node.stats().await.unwrap().refusals.writes, 1);
}

#[tokio::test]
async fn a_write_whose_client_has_gone_leaves_the_queue_and_is_never_made() {
    let origin = ModelOrigin::start();
    let node = node(&origin, 1, Duration::from_secs(600)).await;
    assert_eq!(ask(&node, write(ALICE)).await.unwrap().status, 200);
    let calls = origin.calls_total();
    let left = tokio::spawn({
        let node = node.clone();
        async move { ask(&node, write(ALICE)).await.map(drop) }
    });
    until("it waits", async || waiting(&node).await == 1).await;
    left.abort();
    until("it waits no more", async || waiting(&node).await == 0).await;
    node.pace_writes(WritePace::FREE).await.unwrap();
    assert_eq!(ask(&node, write(ALICE)).await.unwrap().status, 200);
    assert_eq!(origin.calls_total(), calls + 1, "that of the client that has gone is not made");
}

#[tokio::test]
async fn a_write_that_is_taken_back_while_it_waits_ends_at_once_and_takes_nobody_s_place() {
    let origin = ModelOrigin::start();
    let node = node(&origin, 1, Duration::from_secs(600)).await;
    assert_eq!(ask(&node, write(ALICE)).await.unwrap().status, 200);
    let calls = origin.calls_total();
    let withdrawal = Withdrawal::default();
    let asked = tokio::spawn({
        let (node, request) = (node.clone(), write(ALICE).extension(withdrawal.clone()));
        async move { ask(&node, request).await.map(drop) }
    });
    until("it waits", async || waiting(&node).await == 1).await;
    withdrawal.withdraw();
    let refused = asked.await.expect("nothing panics").unwrap_err();
    assert!(matches!(refused, RequestError::Withdrawn), "{refused:?}");
    assert_eq!((waiting(&node).await, origin.calls_total()), (0, calls));
}
