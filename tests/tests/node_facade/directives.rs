//! What a request's own words demand of the cache, and in which form each client gets the answer.

use crate::support::{ALICE, PUBLIC, answer, ask, get_by, origin_and_node};
use fleet_cache::{ForwardReason, Provenance, RequestError};
use http::Request;

#[tokio::test]
async fn a_head_is_served_from_a_get_and_a_get_from_a_head() {
    let (origin, node) = origin_and_node().await;
    let whole = answer(&node, get_by(ALICE, PUBLIC)).await;
    let head = Request::head(PUBLIC).header("authorization", "Bearer ghp_alice");
    let head = answer(&node, head).await;
    assert!(head.is_hit() && head.body.is_empty());
    assert_eq!(head.header("content-length"), whole.body.len().to_string());
    assert_eq!(head.header("etag"), whole.header("etag"));

    let other = "/repos/acme/widget-2";
    assert!(answer(&node, Request::head(other)).await.body.is_empty());
    assert!(answer(&node, Request::get(other)).await.is_hit());
    assert_eq!(origin.calls_total(), 2);
}

#[tokio::test]
async fn a_client_that_has_the_body_is_told_so_from_the_cache() {
    let (origin, node) = origin_and_node().await;
    let tag = answer(&node, get_by(ALICE, PUBLIC)).await.header("etag").to_owned();
    let asking = || get_by(ALICE, PUBLIC).header("if-none-match", &tag);
    for request in [
        asking(),
        asking().header("cache-control", "no-cache").header("pragma", "no-cache"),
        get_by(ALICE, PUBLIC).header("if-none-match", format!("\"other\", W/{tag}")),
        Request::head(PUBLIC).header("authorization", "token ghp_alice").header("if-none-match", &tag),
    ] {
        let answer = answer(&node, request).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{answer:?}");
        assert!(answer.is_hit());
        assert_eq!(answer.header("etag"), tag);
    }
    let other = answer(&node, get_by(ALICE, PUBLIC).header("if-none-match", "\"other\"")).await;
    assert_eq!(other.status, 200);
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn no_cache_alone_asks_the_origin_and_a_304_is_free() {
    let (origin, node) = origin_and_node().await;
    answer(&node, get_by(ALICE, PUBLIC)).await;
    for demand in ["no-cache", "max-age=0, no-cache"] {
        let answer = answer(&node, get_by(ALICE, PUBLIC).header("cache-control", demand)).await;
        let forward = answer.forward().expect("the origin was asked");
        assert_eq!((forward.reason, forward.status), (ForwardReason::Request, 304), "{demand}");
        assert_eq!(answer.status, 200);
    }
    assert_eq!((origin.calls_total(), origin.paid_calls()), (3, 1));
    origin.mutate("acme/widget-1");
    let before = answer(&node, get_by(ALICE, PUBLIC)).await;
    let after = answer(&node, get_by(ALICE, PUBLIC).header("cache-control", "no-cache")).await;
    assert_ne!(before.body, after.body);
    assert_eq!(answer(&node, get_by(ALICE, PUBLIC)).await.body, after.body);
}

#[tokio::test]
async fn no_cache_does_not_take_the_answer_to_a_call_made_before_it() {
    let (origin, node) = origin_and_node().await;
    origin.hold("");
    let asked = |demand: Option<&'static str>| {
        let node = node.clone();
        let request = get_by(ALICE, PUBLIC);
        let request = match demand {
            Some(demand) => request.header("cache-control", demand),
            None => request,
        };
        tokio::spawn(async move { answer(&node, request).await })
    };
    let early = asked(None);
    origin.wait_in_flight(1).await;
    // What the first call will say is decided; the change comes after it, and the demand after the change.
    origin.mutate("acme/widget-1");
    let demanding: Vec<_> = (0..10).map(|_| asked(Some("no-cache"))).collect();
    tokio::task::yield_now().await;
    assert_eq!(node.stats().await.unwrap().flights, 1);
    origin.release();
    let early = early.await.unwrap();
    for late in demanding {
        assert_ne!(late.await.unwrap().body, early.body);
    }
    assert_eq!(origin.calls_total(), 2);
}

#[tokio::test]
async fn only_if_cached_never_calls() {
    let (origin, node) = origin_and_node().await;
    let asking = || get_by(ALICE, PUBLIC).header("cache-control", "only-if-cached");
    let error = ask(&node, asking()).await.unwrap_err();
    assert!(matches!(error, RequestError::NotCached), "{error:?}");
    assert_eq!(origin.calls_total(), 0);
    answer(&node, get_by(ALICE, PUBLIC)).await;
    assert!(answer(&node, asking()).await.is_hit());
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn each_client_gets_the_coding_that_it_accepts() {
    let (origin, node) = origin_and_node().await;
    let path = format!("{PUBLIC}/issues");
    let plain = answer(&node, get_by(ALICE, &path)).await;
    let coded = answer(&node, get_by(ALICE, &path).header("accept-encoding", "gzip")).await;
    assert!(coded.is_hit() && coded.header("content-encoding") == "gzip");
    assert!(coded.body.len() < plain.body.len() / 2);
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(coded.header("content-length"), coded.body.len().to_string());
    assert_eq!(coded.header("etag"), format!("W/{}", plain.header("etag")));
    assert_eq!(plain.header("link"), coded.header("link"));
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn representations_are_kept_apart_and_what_means_the_same_together() {
    let (origin, node) = origin_and_node().await;
    let path = format!("{PUBLIC}/contents/a.txt");
    let kinds = ["application/vnd.github.raw", "application/vnd.github.html", "application/json"];
    let bodies: Vec<_> = {
        let mut bodies = Vec::new();
        for kind in kinds {
            bodies.push(answer(&node, get_by(ALICE, &path).header("accept", kind)).await.body);
        }
        bodies
    };
    assert!(bodies[0] != bodies[1] && bodies[1] != bodies[2] && bodies[0] != bodies[2]);
    assert_eq!(origin.calls_total(), 3);
    for same in ["*/*", "application/vnd.github+json", "application/vnd.github.v3+json"] {
        assert_eq!(
            answer(&node, get_by(ALICE, &path).header("accept", same)).await.body,
            bodies[2],
            "{same}"
        );
    }
    assert!(answer(&node, get_by(ALICE, &path)).await.is_hit());
    assert_eq!(origin.calls_total(), 3);
    let version = get_by(ALICE, &path).header("x-github-api-version", "2026-01-01");
    assert!(matches!(answer(&node, version).await.provenance, Provenance::Entry(_)));
    assert_eq!(origin.calls_total(), 4);
}
