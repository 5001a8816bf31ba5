//! GraphQL queries at the door: the same look-up however the body is framed, and what cannot be looked up goes on whole.

use crate::support::{Raw, answers, daemon, setup, status};
use cache_tests::origin::ModelOrigin;

const QUERY: &str = r#"{"query":"{ repository(owner: \"acme\", name: \"widget-1\") { id } }"}"#;

fn request(path: &str, fields: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\nAuthorization: token ghp_alice\r\n\
         Connection: close\r\n{fields}\r\n{body}"
    )
}

fn with_length(path: &str, fields: &str, body: &str) -> String {
    request(path, &format!("{fields}Content-Length: {}\r\n", body.len()), body)
}

/// `body` in two chunks.
fn in_chunks(body: &str) -> String {
    let (one, other) = body.split_at(10);
    format!("{:x}\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\n\r\n", one.len(), other.len())
}

#[tokio::test]
async fn a_query_is_one_look_up_however_it_comes() {
    let (origin, daemon) = daemon();
    let first = answers(daemon.address(), with_length("/graphql", "", QUERY)).await;
    assert_eq!(status(&first), 200, "{first}");
    assert!(first.contains("cache-status: fleet-cache; fwd=uri-miss; fwd-status=200; stored"), "{first}");
    let body = first.split("\r\n\r\n").nth(1).expect("there is a body");
    for again in [
        with_length("/api/graphql", "", QUERY),
        request("/graphql", "Transfer-Encoding: chunked\r\n", &in_chunks(QUERY)),
        with_length("/graphql", "If-None-Match: *\r\n", QUERY),
        with_length("/graphql", "If-Modified-Since: Sun, 29 Nov 2099 00:00:00 GMT\r\n", QUERY),
    ] {
        let answer = answers(daemon.address(), &again).await;
        assert_eq!(status(&answer), 200, "{again}: {answer}");
        assert!(
            answer.contains("cache-status: fleet-cache; hit; ttl=") && answer.contains("age: "),
            "{answer}"
        );
        assert!(!answer.to_ascii_lowercase().contains("etag:"), "{answer}");
        assert_eq!(answer.split("\r\n\r\n").nth(1), Some(body));
    }
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_client_that_waits_to_send_its_query_is_told_to_go_on() {
    let (origin, daemon) = daemon();
    let length = QUERY.len();
    let fields = format!("Expect: 100-continue\r\nContent-Length: {length}\r\n");
    for calls in [1, 1] {
        let mut raw = Raw::connect(daemon.address()).await;
        raw.send(request("/graphql", &fields, "")).await;
        let go_on = raw.read_answer().await;
        assert!(go_on.starts_with("HTTP/1.1 100"), "{go_on}");
        raw.send(QUERY).await;
        assert_eq!(status(&raw.read_all().await), 200);
        assert_eq!(origin.calls_total(), calls);
    }
    let refused = request("/graphql", "Expect: x\r\nContent-Length: 2\r\n", "");
    assert_eq!(status(&answers(daemon.address(), refused).await), 417);
}

#[tokio::test]
async fn what_is_no_query_reaches_the_origin_each_time_and_whole() {
    let (origin, daemon) = daemon();
    let long = format!("{{\"query\":\"{{ a }}\"}}{}", " ".repeat(3 << 20));
    for body in [r#"{"query":"mutation { a }"}"#, "a=b&c=d", r#"{"query":"{ a"#, "", &long] {
        for _ in 0..2 {
            let before = origin.calls_total();
            let answer = answers(daemon.address(), with_length("/graphql", "", body)).await;
            assert!(answer.contains("cache-status: fleet-cache; fwd=bypass; "), "{answer}");
            assert_eq!(origin.calls_total(), before + 1);
            let call = origin.latest_calls().pop().expect("it was just asked");
            assert_eq!(call.headers["content-length"], body.len().to_string(), "{call:?}");
            assert_eq!(call.status.as_u16(), status(&answer));
        }
    }
}

#[tokio::test]
async fn graphql_passes_where_the_operator_switched_it_off() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).arg("--no-graphql").start();
    for calls in 1..=2 {
        let answer = answers(daemon.address(), with_length("/graphql", "", QUERY)).await;
        assert!(answer.contains("cache-status: fleet-cache; fwd=method; fwd-status=200"), "{answer}");
        assert_eq!(origin.calls_total(), calls);
    }
}
