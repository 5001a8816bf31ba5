//! What a refusal ends, when it comes to a call that passes the cache by.

use crate::support::{
    ALICE, BOB, PRIVATE, PUBLIC, answer, bare, builder, get, get_by, github, origin_and_node, send,
};
use bytes::Bytes;
use cache_tests::origin::{Fault, FaultKind, ModelOrigin, Quota, Resource, Visibility};
use fleet_cache::{Node, Provenance, RequestError};
use http::{Method, Request, request};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use std::convert::Infallible;

const ISSUES: &str = "/repos/acme/widget-1/issues";
const ELSEWHERE: &str = "/repos/acme/widget-2";

type Call = Request<UnsyncBoxBody<Bytes, Infallible>>;

/// A call by `token`.
fn by(token: &str, method: Method, path: &str) -> request::Builder {
    get_by(token, path).method(method)
}

fn with(builder: request::Builder, body: impl Into<Bytes>) -> Call {
    builder.body(Full::new(body.into()).boxed_unsync()).expect("it is well-formed")
}

/// With a body that comes in pieces, whose length is unknown before its end.
fn streamed(builder: request::Builder) -> Call {
    let pieces = (0..100).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 1000]))));
    let body = StreamBody::new(futures::stream::iter(pieces)).boxed_unsync();
    builder.body(body).expect("it is well-formed")
}

/// Reads that pass the cache by, of `path`.
fn reads(token: &str, path: &str) -> Vec<Call> {
    let get = |name, value| by(token, Method::GET, path).header(name, value);
    vec![
        with(get("cache-control", "no-store"), ""),
        with(get("range", "bytes=0-9"), ""),
        with(get("if-match", "\"x\""), ""),
        with(get("cookie", "a=b"), ""),
        with(by(token, Method::HEAD, path).header("cache-control", "no-store"), ""),
        with(by(token, Method::GET, path).header("content-length", "2"), "{}"),
    ]
}

/// Writes to a repository.
fn writes(token: &str) -> Vec<Call> {
    vec![
        with(by(token, Method::POST, ISSUES), r#"{"title":"new"}"#),
        with(by(token, Method::PATCH, PUBLIC), "{}"),
        with(by(token, Method::PUT, "/repos/acme/widget-1/contents/big"), vec![b'x'; 3 << 20]),
        with(by(token, Method::DELETE, "/repos/acme/widget-1/issues/1"), ""),
        streamed(by(token, Method::PUT, "/repos/acme/widget-1/contents/streamed")),
    ]
}

/// The status of a call whose answer is not kept.
async fn status_of(node: &Node, call: Call) -> u16 {
    let reply = node.request(call).await.expect("the origin answers");
    let from = reply.provenance();
    assert!(matches!(from, Provenance::Passed(_) | Provenance::Relayed(_)), "{from:?}");
    reply.status().as_u16()
}

async fn assert_hit(node: &Node, asking: request::Builder) {
    let found = answer(node, asking).await;
    assert!(found.is_hit(), "{found:?}");
}

/// However lenient the client.
async fn next_status(node: &Node, token: &str, path: &str) -> u16 {
    answer(node, get_by(token, path).header("cache-control", "max-stale")).await.status.as_u16()
}

#[tokio::test]
async fn the_first_401_of_any_call_ends_all_that_is_kept_for_its_credential() {
    let count = || reads(ALICE, PUBLIC).len() + writes(ALICE).len() + 5;
    for number in 0..count() {
        let mut calls = reads(ALICE, PUBLIC);
        calls.extend(writes(ALICE));
        calls.push(with(by(ALICE, Method::GET, "/rate_limit"), ""));
        calls.push(with(by(ALICE, Method::HEAD, "/rate_limit"), ""));
        calls.push(with(by(ALICE, Method::POST, "/graphql"), r#"{"query":"{viewer{login}}"}"#));
        calls.push(with(by(ALICE, Method::POST, "/graphql"), r#"{"query":"{rateLimit{cost}}"}"#));
        calls.push(streamed(by(ALICE, Method::POST, "/graphql")));
        let call = calls.swap_remove(number);
        let shown = format!("{} {} {:?}", call.method(), call.uri(), call.headers());

        let (origin, directory) = (ModelOrigin::start(), tempfile::tempdir().unwrap());
        let node = builder(github(&origin)).cache_dir(directory.path()).start().await.unwrap();
        for path in [PRIVATE, PUBLIC, ISSUES, "/user"] {
            assert_eq!(answer(&node, get_by(ALICE, path)).await.status, 200);
            assert_hit(&node, get_by(ALICE, path)).await;
        }
        answer(&node, get_by(BOB, PUBLIC)).await;
        answer(&node, get(PUBLIC)).await;
        origin.revoke(ALICE);
        assert_eq!(status_of(&node, call).await, 401, "{shown}");
        for path in [PRIVATE, PUBLIC, ISSUES, "/user"] {
            assert_eq!(next_status(&node, ALICE, path).await, 401, "{path} after {shown}");
        }
        // Others keep theirs.
        assert_hit(&node, get_by(BOB, PUBLIC)).await;
        assert_hit(&node, get(PUBLIC)).await;
        // Nor does anything come back from the disk.
        node.shutdown().await;
        let node = builder(github(&origin)).cache_dir(directory.path()).start().await.unwrap();
        assert_eq!(next_status(&node, ALICE, PRIVATE).await, 401, "after a restart and {shown}");
        assert_hit(&node, get_by(BOB, PUBLIC)).await;
        node.shutdown().await;
    }
}

#[tokio::test]
async fn so_does_one_whose_answer_is_longer_than_any_that_is_kept() {
    let origin = ModelOrigin::start();
    // Shorter than what the origin says of bad credentials.
    let node = builder(github(&origin).body_bytes_max(20)).start().await.unwrap();
    let small = "/repos/acme/widget-1/contents/big-10.bin";
    let raw = |path| get_by(ALICE, path).header("accept", "application/vnd.github.raw+json");
    assert_eq!(answer(&node, raw(small)).await.status, 200);
    assert_hit(&node, raw(small)).await;
    origin.revoke(ALICE);
    let refused = answer(&node, get_by(ALICE, ELSEWHERE)).await;
    assert_eq!((refused.status.as_u16(), refused.provenance), (401, Provenance::Oversize));
    assert_eq!(answer(&node, raw(small)).await.status, 401);
}

#[tokio::test]
async fn a_token_that_deletes_itself_leaves_nothing_behind() {
    let (_origin, node) = origin_and_node().await;
    let token = "ghs_acme1";
    answer(&node, get_by(token, PRIVATE)).await;
    assert_hit(&node, get_by(token, PRIVATE)).await;
    let end = with(by(token, Method::DELETE, "/installation/token"), "");
    assert_eq!(status_of(&node, end).await, 204);
    assert_eq!(next_status(&node, token, PRIVATE).await, 401);
}

#[tokio::test]
async fn in_a_named_domain_a_401_ends_what_its_own_credential_may_have_and_no_other() {
    let origin = ModelOrigin::start();
    let named = github(&origin).named_domain("both", ["ghp_*"]);
    let node = builder(named).start().await.unwrap();
    for token in [ALICE, "ghp_alice2"] {
        for path in [PUBLIC, "/user"] {
            answer(&node, get_by(token, path)).await;
            assert_hit(&node, get_by(token, path)).await;
        }
    }
    origin.revoke(ALICE);
    let call = with(by(ALICE, Method::POST, ISSUES), r#"{"title":"new"}"#);
    assert_eq!(status_of(&node, call).await, 401);
    for path in [PUBLIC, "/user"] {
        assert_eq!(next_status(&node, ALICE, path).await, 401, "{path}");
        assert_hit(&node, get_by("ghp_alice2", path)).await;
    }
}

#[tokio::test]
async fn a_repository_that_a_call_finds_gone_is_asked_for_before_it_is_read_again() {
    let count = reads(BOB, PUBLIC).len() + reads(BOB, ISSUES).len() + writes(BOB).len();
    for number in 0..count {
        let mut calls = reads(BOB, PUBLIC);
        calls.extend(reads(BOB, ISSUES));
        calls.extend(writes(BOB));
        let call = calls.swap_remove(number);
        let shown = format!("{} {} {:?}", call.method(), call.uri(), call.headers());

        let (origin, node) = origin_and_node().await;
        for path in [PUBLIC, ISSUES, ELSEWHERE] {
            answer(&node, get_by(BOB, path)).await;
            answer(&node, get_by(ALICE, path)).await;
        }
        origin.set_visibility("acme/widget-1", Visibility::Private);
        assert_eq!(status_of(&node, call).await, 404, "{shown}");
        for path in [ISSUES, PUBLIC] {
            assert_eq!(next_status(&node, BOB, path).await, 404, "{path} after {shown}");
            assert_hit(&node, get_by(ALICE, path)).await;
        }
        assert_hit(&node, get_by(BOB, ELSEWHERE)).await;
    }
}

#[tokio::test]
async fn what_is_not_there_in_one_representation_is_served_in_no_other() {
    let raw = |path| get_by(ALICE, path).header("accept", "application/vnd.github.raw");
    let (origin, node) = origin_and_node().await;
    let readme = format!("{ELSEWHERE}/readme");
    for path in [&readme, ISSUES] {
        assert_eq!(answer(&node, get_by(ALICE, path)).await.status, 200);
    }
    origin.set_visibility("acme/widget-2", Visibility::Deleted);
    assert_eq!(answer(&node, raw(&readme)).await.status, 404);
    assert_eq!(answer(&node, get_by(ALICE, &readme)).await.status, 404);
    assert_hit(&node, get_by(ALICE, ISSUES)).await;
    // That it is not there may be said again.
    assert_hit(&node, get_by(ALICE, &readme)).await;
}

#[tokio::test]
async fn a_file_that_was_never_there_costs_nothing_else() {
    let (_origin, node) = origin_and_node().await;
    answer(&node, get_by(BOB, PUBLIC)).await;
    for call in reads(BOB, "/repos/acme/widget-1/nowhere") {
        assert_eq!(status_of(&node, call).await, 404);
        assert_hit(&node, get_by(BOB, PUBLIC)).await;
    }
}

#[tokio::test]
async fn a_change_that_is_refused_costs_a_question_that_is_free_and_no_entry() {
    let (origin, node) = origin_and_node().await;
    for path in [ISSUES, ELSEWHERE] {
        answer(&node, get_by(ALICE, path)).await;
        answer(&node, get_by(BOB, path)).await;
    }
    origin.fault(Fault::new(FaultKind::Status(403), 1));
    let call = writes(ALICE).swap_remove(0);
    assert_eq!(status_of(&node, call).await, 403);
    let before = origin.counts();
    assert!(answer(&node, get_by(ALICE, ISSUES)).await.is_revalidated());
    let after = origin.counts();
    assert_eq!((after.total, after.paid), (before.total + 1, before.paid));
    for token in [ALICE, BOB] {
        assert_hit(&node, get_by(token, ISSUES)).await;
        assert_hit(&node, get_by(token, ELSEWHERE)).await;
    }
}

#[tokio::test]
async fn a_limit_refuses_nothing() {
    for is_secondary in [false, true] {
        for call in reads(ALICE, PUBLIC).into_iter().chain(writes(ALICE)) {
            // The first call that is refused holds all that come after it.
            let (origin, node) = origin_and_node().await;
            for path in [PUBLIC, ISSUES] {
                answer(&node, get_by(ALICE, path)).await;
            }
            if is_secondary {
                origin.fault(Fault::always(FaultKind::SecondaryLimit { retry_after_seconds: 1 }));
            } else {
                let spent = Quota { limit: 10, used: 10, reset_unix_seconds: 4_000_000_000 };
                origin.set_quota("alice", Resource::Core, spent);
            }
            assert_eq!(status_of(&node, call).await, 403);
            for path in [PUBLIC, ISSUES] {
                assert_hit(&node, get_by(ALICE, path)).await;
            }
        }
    }
}

#[tokio::test]
async fn what_was_allowed_before_the_credential_ended_is_not_kept_after_it() -> Result<(), RequestError> {
    let (origin, node) = origin_and_node().await;
    origin.hold(PRIVATE);
    let reader = {
        let node = node.clone();
        tokio::spawn(async move { answer(&node, get_by(ALICE, PRIVATE)).await })
    };
    origin.wait_in_flight(1).await;
    origin.revoke(ALICE);
    let call = with(by(ALICE, Method::POST, ISSUES), r#"{"title":"new"}"#);
    assert_eq!(status_of(&node, call).await, 401);
    origin.release();
    assert_eq!(reader.await.unwrap().status, 200);
    assert_eq!(send(&node, bare(get_by(ALICE, PRIVATE))).await?.status, 401);
    Ok(())
}
