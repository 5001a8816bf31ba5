//! Requests whose length could be read in two ways, and those that only look as if they had a body.

use crate::support::{REPOSITORY, Raw, answers, answers_in, daemon, get, status, told};

/// Everything that a proxy must not let through as a second request, with what it is answered; `None` for closing
/// without an answer.
#[tokio::test]
async fn a_request_whose_length_could_be_read_in_two_ways_never_brings_another_to_the_origin() {
    let (origin, daemon) = daemon();
    let smuggled = "GET /repos/acme/widget-9 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\n\r\n";
    let length = smuggled.len();
    let table = [
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {length}\r\n")),
        ("a list of lengths", format!("Content-Length: 0, {length}\r\n")),
        ("a signed length", "Content-Length: +0\r\n".to_owned()),
        ("a length that is none", "Content-Length: zero\r\n".to_owned()),
        ("an unknown coding", format!("Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n")),
        ("a coding before chunks", "Transfer-Encoding: gzip, chunked\r\n".to_owned()),
        ("chunks before a coding", "Transfer-Encoding: chunked, gzip\r\n".to_owned()),
        ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n".to_owned()),
        ("a space before the colon", format!("Content-Length : {length}\r\n")),
        ("a folded line", "X: y\r\n Content-Length: 0\r\n".to_owned()),
        ("a NUL", "X: \0\r\n".to_owned()),
        ("a bare return", "X: y\rZ: w\r\n".to_owned()),
        ("no chunk", "Transfer-Encoding: chunked\r\n".to_owned()),
    ];
    for (what, fields) in table {
        let head =
            format!("POST {REPOSITORY}/issues HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\n{fields}\r\n");
        let mut raw = Raw::connect(daemon.address()).await;
        raw.send(format!("{head}{smuggled}")).await;
        let answer = raw.read_all().await;
        assert!(!answer.contains("HTTP/1.1 20"), "{what}: {answer}");
        assert!(answers_in(&answer) <= 1, "{what}: {answer}");
    }
    let beside = format!(
        "POST {REPOSITORY}/issues HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\nContent-Length: 4\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let answer = answers(daemon.address(), beside).await;
    assert_eq!(answers_in(&answer), 1, "chunks outweigh a length: {answer}");
    let asked = origin.latest_calls();
    assert!(asked.iter().all(|call| !call.path.contains("widget-9")), "{asked:?}");
}

#[tokio::test]
async fn old_http_has_no_chunks_and_an_unknown_coding_or_expectation_is_named() {
    let (origin, daemon) = daemon();
    let head = |line: &str, fields: &str| {
        format!("{line}\r\nHost: localhost\r\nUser-Agent: t\r\nConnection: close\r\n{fields}\r\n")
    };
    let post = format!("POST {REPOSITORY}/issues HTTP/1.1");
    let read = format!("GET {REPOSITORY} HTTP/1.1");
    let old = format!("POST {REPOSITORY}/issues HTTP/1.0");
    let table = [
        (head(&old, "Transfer-Encoding: chunked\r\n"), 400, "malformed"),
        (head(&post, "Transfer-Encoding: gzip, chunked\r\n"), 501, "transfer-coding"),
        (head(&post, "Transfer-Encoding: gzip\r\n"), 501, "transfer-coding"),
        (head(&read, "Expect: x\r\n"), 417, "expectation"),
        (head(&post, "Expect: 200-ok\r\nContent-Length: 2\r\n"), 417, "expectation"),
    ];
    for (request, expected, code) in table {
        let answer = answers(daemon.address(), &request).await;
        assert_eq!(status(&answer), expected, "{request:?}: {answer}");
        assert_eq!(told(&answer)["fleet_cache"]["error"], code, "{request:?}");
    }
    assert_eq!(origin.calls_total(), 0);
}

#[tokio::test]
async fn offers_of_other_protocols_and_empty_bodies_leave_a_read_what_it_is() {
    let (origin, daemon) = daemon();
    let table = [
        ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", ""),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", ""),
        ("Content-Length: 0\r\n", ""),
        ("Content-Length: 00\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nTrailer: x\r\n", "0\r\nx: y\r\n\r\n"),
        ("Expect: 100-continue\r\n", ""),
    ];
    for (fields, body) in table {
        let answer = answers(daemon.address(), format!("{}{body}", get(REPOSITORY, fields))).await;
        assert!(answer.contains("HTTP/1.1 200"), "{fields:?}: {answer}");
    }
    assert_eq!(origin.calls_to(REPOSITORY), 1);
    let call = origin.latest_calls().pop().unwrap();
    for offered in ["upgrade", "http2-settings", "transfer-encoding", "expect"] {
        assert!(!call.headers.contains_key(offered), "{offered}: {call:?}");
    }
    let with_body = format!("{}3\r\nabc\r\n0\r\n\r\n", get(REPOSITORY, "Transfer-Encoding: chunked\r\n"));
    assert_eq!(status(&answers(daemon.address(), with_body).await), 200);
    assert_eq!(origin.calls_to(REPOSITORY), 2, "a read with a real body is the origin's to judge");
}
