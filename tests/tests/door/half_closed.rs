//! Clients that close their half of the connection behind a request, as `nc -N` does, and clients that are gone.

use crate::support::{PATIENCE, REPOSITORY, Raw, answers, daemon, get, setup, status};
use cache_tests::{daemon::Daemon, eventually, origin::ModelOrigin};
use std::time::{Duration, Instant};
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

/// Sends `request`, and leaves once `under_way` calls wait at the origin.
async fn ask_and_leave(daemon: &Daemon, origin: &ModelOrigin, request: &str, under_way: usize) {
    let mut client = UnixStream::connect(daemon.socket()).await.expect("the door listens");
    client.write_all(request.as_bytes()).await.expect("the door reads");
    origin.wait_in_flight(under_way).await;
}

#[tokio::test]
async fn a_read_for_a_client_that_is_gone_is_given_up_and_a_write_is_not() {
    let origin = ModelOrigin::start();
    // So long that no call ends by it here.
    let daemon = setup(&origin).arg("--origin-timeout=300").start();
    let list = format!("{REPOSITORY}/issues");
    let listed = || answers(daemon.address(), get(&list, ""));
    for _asked_and_hit in 0..2 {
        assert_eq!(status(&listed().await), 200);
    }
    assert_eq!(origin.calls_total(), 1);
    origin.hold("widget-1");
    let begin = |request: &str, fields: &str| {
        format!(
            "{request} HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: t\r\nAuthorization: token ghp_alice\r\n\
             {fields}\r\n"
        )
    };
    let read = begin(&format!("GET {REPOSITORY}"), "Range: bytes=0-1\r\n");
    let title = r#"{"title":"late"}"#;
    let length = format!("Content-Length: {}\r\n", title.len());
    let write = begin(&format!("POST {list}"), &length) + title;

    ask_and_leave(&daemon, &origin, &read, 1).await;
    origin.wait_idle().await;
    ask_and_leave(&daemon, &origin, &write, 1).await;
    // The door has seen the writer leave by the time at which it has given up those that left after it.
    for _reader in 0..2 {
        ask_and_leave(&daemon, &origin, &read, 2).await;
        assert!(eventually(PATIENCE, || origin.in_flight() < 2).await, "a read goes on for nobody");
    }
    assert_eq!(origin.in_flight(), 1, "the write goes on");
    assert_eq!((origin.calls_to(REPOSITORY), origin.calls_to(&list), origin.calls_total()), (3, 2, 5));

    // The node hears of the write's end, and forgets what it changed.
    origin.release();
    let begun = Instant::now();
    while !listed().await.contains("\"late\"") {
        assert!(begun.elapsed() < PATIENCE, "nobody has heard of the write's end");
    }
    assert_eq!((origin.calls_to(REPOSITORY), origin.calls_to(&list), origin.calls_total()), (3, 3, 6));
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
