//! What passes the cache by, and what a write makes it forget.

use crate::support::{
    ALICE, BOB, PRIVATE, PUBLIC, SOON, answer, ask, bare, get, get_by, origin_and_node, post, send,
};
use cache_tests::{
    eventually,
    origin::{Fault, FaultKind},
};
use fleet_cache::{PassReason, Provenance, RequestError};
use http::Request;

#[tokio::test]
async fn statistics_being_computed_are_not_kept_and_the_result_is() {
    let (origin, node) = origin_and_node().await;
    let path = format!("{PUBLIC}/stats/contributors");
    assert_eq!(answer(&node, get_by(ALICE, &path)).await.status, 202);
    assert_eq!(answer(&node, get_by(ALICE, &path)).await.status, 200);
    assert!(answer(&node, get_by(ALICE, &path)).await.is_hit());
    assert_eq!(origin.calls_total(), 2);
}

#[tokio::test]
async fn live_values_searches_and_signed_addresses_are_asked_for_every_time() {
    let paths = [
        "/rate_limit".to_owned(),
        "/search/issues?q=x".to_owned(),
        format!("{PUBLIC}/tarball/main"),
        format!("{PUBLIC}/actions/runs/9001/logs"),
    ];
    for path in paths {
        let (origin, node) = origin_and_node().await;
        let first = answer(&node, get_by(ALICE, &path)).await;
        let second = answer(&node, get_by(ALICE, &path)).await;
        assert_eq!(origin.calls_total(), 2, "{path}");
        assert!(!second.is_hit(), "{path}");
        if first.status == 302 {
            assert_ne!(first.header("location"), second.header("location"));
        }
        assert_eq!(node.stats().await.unwrap().cache_size, 0, "{path}");
        assert_eq!(origin.credential_leaks(), 0);
    }
}

#[tokio::test]
async fn a_request_that_forbids_storing_leaves_nothing_behind() {
    let (origin, node) = origin_and_node().await;
    let asking = || get_by(ALICE, PUBLIC).header("cache-control", "no-store");
    for _ in 0..2 {
        let answer = answer(&node, asking()).await;
        assert_eq!(answer.provenance, Provenance::Passed(PassReason::NoStore));
    }
    assert_eq!((origin.calls_total(), node.stats().await.unwrap().cache_size), (2, 0));
}

#[tokio::test]
async fn a_renamed_repository_is_remembered_and_a_signed_redirect_is_not_followed() {
    let (origin, node) = origin_and_node().await;
    let moved = "/repos/acme/oldwidget-1";
    assert_eq!(answer(&node, get_by(ALICE, moved)).await.status, 301);
    let again = answer(&node, get_by(ALICE, moved)).await;
    assert!(again.header("location").contains("/repositories/"));
    assert!(again.is_hit());
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_remembered_for_its_asker_for_a_moment() {
    let (origin, node) = origin_and_node().await;
    for _ in 0..3 {
        assert_eq!(answer(&node, get_by(BOB, PRIVATE)).await.status, 404);
    }
    assert_eq!(origin.calls_total(), 1);
    let reply = node.request(bare(get_by(BOB, PRIVATE))).await.unwrap();
    assert!(reply.time_left().unwrap() <= fleet_cache::github::ABSENCE_LIFETIME);
}

#[tokio::test]
async fn a_write_passes_through_and_what_it_touches_is_forgotten_in_every_domain_before_it_returns() {
    let (origin, node) = origin_and_node().await;
    let list = format!("{PUBLIC}/issues");
    let untouched = "/repos/acme/widget-2/issues";
    for path in [PUBLIC, &list, untouched] {
        for asking in [get_by(ALICE, path), get_by(BOB, path), get(path)] {
            assert_eq!(answer(&node, asking).await.status, 200);
        }
    }
    assert_eq!(node.stats().await.unwrap().cache_size, 9);
    let written = send(&node, post(&list, r#"{"title":"new"}"#)).await.unwrap();
    assert_eq!(written.status, 201);
    assert_eq!(written.provenance, Provenance::Passed(PassReason::Method));
    for asking in [get_by(ALICE, &list), get_by(BOB, &list), get(&list)] {
        let answer = answer(&node, asking).await;
        assert!(answer.body.windows(5).any(|text| text == b"\"new\""), "{answer:?}");
    }
    for asking in [get_by(ALICE, untouched), get_by(BOB, untouched), get(untouched)] {
        assert!(answer(&node, asking).await.is_hit());
    }
    assert_eq!(origin.calls_to(&list), 3 + 1 + 3);
}

#[tokio::test]
async fn a_write_by_number_is_seen_by_name_and_costs_others_a_question_that_is_free() {
    let (origin, node) = origin_and_node().await;
    let list = format!("{PUBLIC}/issues");
    let untouched = "/repos/acme/widget-2/issues";
    for path in [&*list, untouched] {
        assert_eq!(answer(&node, get_by(ALICE, path)).await.status, 200);
    }
    let written = send(&node, post("/repositories/100001/issues", r#"{"title":"new"}"#)).await.unwrap();
    assert_eq!(written.status, 201);
    let seen = answer(&node, get_by(ALICE, &list)).await;
    assert!(seen.body.windows(5).any(|text| text == b"\"new\""), "{seen:?}");
    let before = origin.counts();
    let asked = answer(&node, get_by(ALICE, untouched)).await;
    assert!(!asked.is_hit(), "it may have been meant");
    let after = origin.counts();
    assert_eq!((after.total, after.paid), (before.total + 1, before.paid));
    assert_eq!(node.stats().await.unwrap().revalidated, 1, "what was doubted kept its validators");
}

#[tokio::test]
async fn a_write_that_is_refused_makes_nothing_forget() {
    let (_origin, node) = origin_and_node().await;
    let list = format!("{PUBLIC}/issues");
    answer(&node, get_by(ALICE, &list)).await;
    assert_eq!(send(&node, post(&list, r#"{"title":7}"#)).await.unwrap().status, 422);
    assert!(answer(&node, get_by(ALICE, &list)).await.is_hit());
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_counts_as_done() {
    let (origin, node) = origin_and_node().await;
    let list = format!("{PUBLIC}/issues");
    for kind in [FaultKind::Reset, FaultKind::Status(502)] {
        answer(&node, get_by(ALICE, &list)).await;
        origin.fault(Fault::new(kind.clone(), 1));
        match (kind, send(&node, post(&list, r#"{"title":"new"}"#)).await) {
            (FaultKind::Reset, Err(RequestError::Fetch(_))) => {}
            (FaultKind::Status(status), Ok(answer)) if answer.status == status => {}
            (kind, other) => panic!("{kind:?}: {other:?}"),
        }
        assert!(!answer(&node, get_by(ALICE, &list)).await.is_hit());
    }
}

#[tokio::test]
async fn a_write_that_its_client_left_is_carried_out_and_then_forgotten_about() {
    let (origin, node) = origin_and_node().await;
    let list = format!("{PUBLIC}/issues");
    let before = answer(&node, get_by(ALICE, &list)).await;
    origin.hold("/issues");
    let writer = {
        let (node, list) = (node.clone(), list.clone());
        tokio::spawn(async move { send(&node, post(&list, r#"{"title":"new"}"#)).await })
    };
    origin.wait_in_flight(1).await;
    writer.abort();
    assert!(writer.await.unwrap_err().is_cancelled());
    // Until its end it is unknown that it will change anything.
    assert!(answer(&node, get_by(ALICE, &list)).await.is_hit());
    origin.release();
    let asking = bare(get_by(ALICE, &list)).into_parts().0;
    assert!(eventually(SOON, || node.try_hit(&asking).is_none()).await);
    assert_ne!(answer(&node, get_by(ALICE, &list)).await.body, before.body);
}

#[tokio::test]
async fn a_read_under_way_while_a_write_is_done_is_not_kept() {
    let (origin, node) = origin_and_node().await;
    let list = format!("{PUBLIC}/issues");
    origin.hold("per_page=3");
    let reader = {
        let (node, path) = (node.clone(), format!("{list}?per_page=3"));
        tokio::spawn(async move { answer(&node, get_by(ALICE, &path)).await })
    };
    origin.wait_in_flight(1).await;
    assert_eq!(send(&node, post(&list, r#"{"title":"new"}"#)).await.unwrap().status, 201);
    origin.release();
    let early = reader.await.unwrap();
    let late = answer(&node, get_by(ALICE, &format!("{list}?per_page=3"))).await;
    assert!(!late.is_hit() && late.body != early.body);
}

#[tokio::test]
async fn a_read_that_passes_by_ends_when_its_client_leaves() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let reader = {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, get_by(ALICE, "/rate_limit")).await })
    };
    origin.wait_in_flight(1).await;
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
    origin.wait_idle().await;
}

#[tokio::test]
async fn invalidation_by_hand_meets_the_path_its_queries_or_all_below() {
    let (origin, node) = origin_and_node().await;
    let below = format!("{PUBLIC}/issues");
    for path in [PUBLIC, &below, "/repos/acme/widget-10"] {
        answer(&node, get_by(ALICE, path)).await;
        answer(&node, get(path)).await;
    }
    assert_eq!(node.invalidate(PUBLIC).await.unwrap(), 2);
    assert_eq!(node.invalidate(PUBLIC).await.unwrap(), 0);
    assert!(answer(&node, get_by(ALICE, &below)).await.is_hit());
    assert_eq!(node.invalidate_prefix(&format!("{PUBLIC}/")).await.unwrap(), 2);
    assert!(answer(&node, get("/repos/acme/widget-10")).await.is_hit());
    assert_eq!(node.clear().await.unwrap(), 2);
    assert_eq!(node.stats().await.unwrap().cache_size, 0);
    assert_eq!(origin.calls_total(), 6);
}

#[tokio::test]
async fn graphql_and_long_bodies_pass_through_whole() {
    let (origin, node) = origin_and_node().await;
    let body = vec![b'x'; 3 * 1024 * 1024];
    let request = Request::put(format!("{PUBLIC}/contents/big"))
        .header("authorization", "token ghp_alice")
        .body(http_body_util::Full::from(body.clone()))
        .unwrap();
    let answer = send(&node, request).await.unwrap();
    let echo: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(echo["bytes"], body.len());
    let graphql = send(&node, post("/graphql", r#"{"query":"{viewer{login}}"}"#)).await.unwrap();
    assert_eq!(graphql.status, 200);
    assert_eq!(origin.calls_total(), 2);
}
