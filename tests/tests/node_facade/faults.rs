//! What clients get while the origin fails: something stale that says so, or a clear refusal.

use crate::support::{ALICE, Answer, BOB, PRIVATE, PUBLIC, SOON, answer, ask, builder, get_by, github, node};
use bytes::Bytes;
use cache_tests::origin::{Fault, FaultKind, ModelOrigin, Quota, Resource, Visibility};
use fleet_cache::{
    FetchError, GitHubBuilder, Node, Provenance, RequestError, Served, Settings, StaleReason,
    github::Timeouts,
};
use std::time::{Duration, Instant};

/// Every way to fail that leaves a connection or a body damaged, and what it is called.
fn damages() -> Vec<(FaultKind, FetchError)> {
    vec![
        (FaultKind::BadGzip, FetchError::BodyDamaged),
        (FaultKind::ChunkedCut, FetchError::ConnectionLost),
        (FaultKind::Garbage, FetchError::Malformed),
        (FaultKind::Hang, FetchError::TimedOut),
        (FaultKind::Reset, FetchError::ConnectionLost),
        (FaultKind::Truncate, FetchError::ConnectionLost),
    ]
}

/// Answers that are stale at once, and give up on an origin that hangs after a moment.
fn impatient(origin: &ModelOrigin) -> GitHubBuilder {
    let quick = Duration::from_millis(150);
    let timeouts = Timeouts { connect: quick, head: quick, body_idle: quick, ..Timeouts::default() };
    github(origin).default_lifetime(Duration::ZERO).timeouts(timeouts)
}

/// A node that asks again at once after a failure.
async fn eager(github: GitHubBuilder) -> Node {
    let settings = Settings { hold_off: Duration::ZERO, ..Settings::default() };
    builder(github).settings(settings).start().await.expect("a node without a directory starts")
}

async fn asked(node: &Node) -> Result<Answer, RequestError> {
    ask(node, get_by(ALICE, PUBLIC)).await
}

#[tokio::test]
async fn a_stale_entry_stands_in_for_an_origin_whose_answer_is_damaged_and_says_why() {
    for (kind, error) in damages() {
        let origin = ModelOrigin::start();
        let node = eager(impatient(&origin)).await;
        let first = asked(&node).await.unwrap();
        origin.mutate("acme/widget-1");
        origin.fault(Fault::always(kind.clone()));
        let stale = asked(&node).await.unwrap();
        let expected = Provenance::Entry(Served::Stale(StaleReason::Failed(error)));
        assert_eq!((stale.status.as_u16(), &stale.body, stale.provenance), (200, &first.body, expected));
        origin.clear_faults();
        let renewed = asked(&node).await.unwrap();
        assert!(renewed.status == 200 && renewed.body != first.body, "{kind:?}");
    }
}

#[tokio::test]
async fn without_a_stale_entry_the_failure_is_named_and_nothing_is_kept_of_it() {
    for (kind, expected) in damages() {
        let origin = ModelOrigin::start();
        let node = eager(impatient(&origin)).await;
        origin.fault(Fault::always(kind.clone()));
        match asked(&node).await {
            Err(RequestError::Fetch(error)) => assert_eq!(error, expected, "{kind:?}"),
            other => panic!("{kind:?}: {other:?}"),
        }
        origin.clear_faults();
        let fresh = asked(&node).await.unwrap();
        assert_eq!(fresh.status, 200, "{kind:?}");
        assert!(serde_json::from_slice::<serde_json::Value>(&fresh.body).is_ok(), "{kind:?}");
    }
}

#[tokio::test]
async fn the_origins_own_faults_are_relayed_never_kept_and_hidden_by_a_stale_entry() {
    for status in [500, 502, 503, 504] {
        let origin = ModelOrigin::start();
        let node = eager(impatient(&origin)).await;
        origin.fault(Fault::always(FaultKind::Status(status)));
        let relayed = asked(&node).await.unwrap();
        assert_eq!(relayed.status, status);
        assert!(matches!(relayed.provenance, Provenance::Relayed(forward) if !forward.stored));
        origin.clear_faults();
        let first = asked(&node).await.unwrap();
        assert_eq!(first.status, 200);
        origin.fault(Fault::always(FaultKind::Status(status)));
        let stale = asked(&node).await.unwrap();
        let expected = Provenance::Entry(Served::Stale(StaleReason::Fault { status }));
        assert_eq!((stale.provenance, stale.body), (expected, first.body));
    }
}

#[tokio::test]
async fn an_origin_that_cannot_be_reached_is_named_so_and_asked_again_when_it_is_back() {
    let origin = ModelOrigin::start();
    let address = origin.address();
    let node = eager(impatient(&origin)).await;
    let first = asked(&node).await.unwrap();
    drop(origin);
    let stale = asked(&node).await.unwrap();
    assert!(stale.is_stale() && stale.body == first.body, "{stale:?}");
    let error = ask(&node, get_by(ALICE, "/repos/acme/widget-2")).await.unwrap_err();
    assert!(matches!(error, RequestError::Fetch(FetchError::ConnectFailed)), "{error:?}");
    let origin = ModelOrigin::start_at(address).unwrap();
    let back = asked(&node).await.unwrap();
    assert!(back.is_revalidated(), "{back:?}");
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_stale_entry_stands_in_within_its_limit_and_not_beyond() {
    let origin = ModelOrigin::start();
    let limited = impatient(&origin).route("GET /repos/** = 0s if-error=2s");
    let node = eager(limited).await;
    let begun = Instant::now();
    asked(&node).await.unwrap();
    origin.fault(Fault::always(FaultKind::Reset));
    let mut stale_count = 0;
    let error = loop {
        assert!(begun.elapsed() < SOON, "still stale after {SOON:?}");
        match asked(&node).await {
            Ok(answer) => {
                assert!(answer.is_stale(), "{answer:?}");
                stale_count += 1;
            }
            Err(error) => break error,
        }
    };
    // `Date` has whole seconds: up to one of the two may have passed on arrival, which cannot be told.
    assert!(stale_count > 0 && begun.elapsed() >= Duration::from_secs(1), "{stale_count}");
    assert!(matches!(error, RequestError::Fetch(FetchError::ConnectionLost)), "{error:?}");
    origin.clear_faults();
    // What is too old to stand in may still be asked about.
    assert!(asked(&node).await.unwrap().is_revalidated());
}

#[tokio::test]
async fn after_a_failure_stale_is_served_for_a_while_without_calling() {
    let origin = ModelOrigin::start();
    let node = node(impatient(&origin)).await;
    asked(&node).await.unwrap();
    origin.fault(Fault::always(FaultKind::Reset));
    for _ in 0..20 {
        assert!(asked(&node).await.unwrap().is_stale());
    }
    // The first, and its renewal, sent once more as it met a kept connection; those after that are held off.
    assert_eq!(origin.calls_total(), 3);
}

#[tokio::test]
async fn a_spent_quota_is_told_once_and_then_spared() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin)).await;
    let reset_unix_seconds = 4_000_000_000;
    origin.set_quota("alice", Resource::Core, Quota { limit: 5000, used: 5000, reset_unix_seconds });
    let refused = asked(&node).await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.header("x-ratelimit-remaining")), (403, "0"));
    for _ in 0..5 {
        let error = asked(&node).await.unwrap_err();
        assert!(matches!(error, RequestError::Throttled { .. }), "{error:?}");
    }
    assert_eq!(origin.calls_total(), 1);
    // The other's allowance is not spent.
    assert_eq!(answer(&node, get_by(BOB, PUBLIC)).await.status, 200);
}

#[tokio::test]
async fn a_secondary_limit_serves_stale_pauses_calls_and_ends_by_itself() {
    let origin = ModelOrigin::start();
    let node = node(impatient(&origin)).await;
    let first = asked(&node).await.unwrap();
    origin.fault(Fault::new(FaultKind::SecondaryLimit { retry_after_seconds: 1 }, 1));
    for _ in 0..5 {
        let stale = asked(&node).await.unwrap();
        assert_eq!(stale.provenance, Provenance::Entry(Served::Stale(StaleReason::Throttled)));
        assert_eq!(stale.body, first.body);
    }
    assert_eq!(origin.calls_total(), 2);
    let begun = Instant::now();
    while !asked(&node).await.unwrap().is_revalidated() {
        assert!(begun.elapsed() < SOON, "the pause does not end");
        tokio::task::yield_now().await;
    }
    assert_eq!(origin.calls_total(), 3);
}

#[tokio::test]
async fn too_many_requests_with_retry_after_is_relayed_and_holds_the_next_call_back() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin)).await;
    origin.fault(Fault::always(FaultKind::Status(429)));
    assert_eq!(asked(&node).await.unwrap().status, 429);
    origin.clear_faults();
    let error = ask(&node, get_by(ALICE, "/repos/acme/widget-7")).await.unwrap_err();
    assert!(matches!(error, RequestError::Throttled { .. }), "{error:?}");
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn nothing_stale_stands_in_for_a_refusal() {
    let origin = ModelOrigin::start();
    let node = eager(impatient(&origin)).await;
    assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 200);
    origin.set_visibility("acme/secret-1", Visibility::Deleted);
    assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 404);
    origin.set_visibility("acme/secret-1", Visibility::Private);
    assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 200);
    origin.revoke(ALICE);
    assert_eq!(answer(&node, get_by(ALICE, PRIVATE)).await.status, 401);
    // And what the refusal proved void is not brought back by a failure.
    origin.fault(Fault::always(FaultKind::Reset));
    let after = ask(&node, get_by(ALICE, PRIVATE)).await;
    assert!(matches!(after, Err(RequestError::Fetch(_))), "{after:?}");
}

#[tokio::test]
async fn a_body_is_whole_or_absent_under_a_storm_of_faults() {
    let origin = ModelOrigin::start();
    let node = eager(impatient(&origin)).await;
    let whole: Bytes = asked(&node).await.unwrap().body;
    let kinds = [FaultKind::Truncate, FaultKind::BadGzip, FaultKind::Reset, FaultKind::ChunkedCut];
    for round in 0..200 {
        origin.fault(Fault::new(kinds[round % kinds.len()].clone(), 1));
        let asking = if round % 3 == 0 { get_by(BOB, PUBLIC) } else { get_by(ALICE, PUBLIC) };
        match ask(&node, asking).await {
            Ok(answer) => assert_eq!(answer.body, whole),
            Err(RequestError::Fetch(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
