//! Clients that close their half of the connection behind a request, as `nc -N` does, and clients that are gone.

use crate::support::{PATIENCE, REPOSITORY, Raw, daemon, get, setup, status};
use cache_tests::{eventually, origin::ModelOrigin};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

async fn half_closed(raw: &mut Raw, request: &str) -> String {
    raw.send(request).await;
    raw.0.shutdown().await.expect("the connection lasts");
    raw.read_all().await
}

#[tokio::test]
async fn a_client_that_closes_its_half_gets_its_answer_be_it_read_or_written() {
    let (origin, daemon) = daemon();
    origin.set_answer_delay(Duration::from_millis(200));
    let post = format!(
        "POST {REPOSITORY}/issues HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\n\
         Authorization: token ghp_alice\r\nContent-Length: 13\r\n\r\n{{\"title\":\"a\"}}"
    );
    let keep = get(REPOSITORY, "").replace("Connection: close\r\n", "");
    let hit = keep.clone();
    let passed = get("/rate_limit", "");
    let long = get("/repos/acme/widget-1/contents/big-9000000.bin", "Accept: application/vnd.github.raw\r\n");
    for (request, expected, bytes) in
        [(post, 201, 1), (keep, 200, 1), (hit, 200, 1), (passed, 200, 1), (long, 200, 9_000_000)]
    {
        let mut raw = Raw::connect(daemon.address()).await;
        let answer = half_closed(&mut raw, &request).await;
        assert_eq!(status(&answer), expected, "{request}");
        assert!(answer.len() > bytes, "{request}: {}", answer.len());
    }
}

#[tokio::test]
async fn a_read_for_a_client_that_is_gone_is_given_up_and_a_write_is_not() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    origin.hold("widget");
    let head = |method: &str, target: &str, fields: &str| {
        format!(
            "{method} {target} HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: t\r\nAuthorization: token ghp_alice\r\n{fields}\r\n"
        )
    };
    for request in [
        head("GET", "/repos/acme/widget-1", "Range: bytes=0-1\r\n"),
        format!("{}{{}}", head("POST", "/repos/acme/widget-1/issues", "Content-Length: 2\r\n")),
    ] {
        let mut client = UnixStream::connect(daemon.socket()).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
    }
    assert!(eventually(PATIENCE, || origin.in_flight() >= 1).await);
    assert!(eventually(PATIENCE, || origin.calls_total() >= 1).await, "the write arrived");
    // The read's place is free: a further one is not held up by what nobody waits for.
    assert!(eventually(PATIENCE, || origin.in_flight() == 1).await, "{}", origin.in_flight());
    origin.release();
    assert!(eventually(PATIENCE, || origin.in_flight() == 0).await);
}

#[tokio::test]
async fn a_body_that_ends_before_its_length_is_no_whole_request() {
    let (origin, daemon) = daemon();
    let post = "POST /repos/acme/widget-1/issues HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{";
    let mut raw = Raw::connect(daemon.address()).await;
    let answer = half_closed(&mut raw, post).await;
    assert!(!answer.contains("HTTP/1.1 20"), "{answer}");
    let idle = &mut Raw::connect(daemon.address()).await;
    idle.0.shutdown().await.unwrap();
    assert_eq!(idle.0.read(&mut [0]).await.unwrap(), 0, "an idle connection just ends");
    drop(origin);
}
