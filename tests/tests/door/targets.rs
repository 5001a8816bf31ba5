//! Targets as people type them and clients send them.

use crate::support::{Raw, answers, daemon, get, status, told};

#[tokio::test]
async fn raw_characters_reach_the_origin_encoded_and_share_the_entry_of_the_encoded_form() {
    let (origin, daemon) = daemon();
    let table = [
        (r#"?labels="help""#, "?labels=%22help%22"),
        ("?a=<b&since=>2024", "?a=%3Cb&since=%3E2024"),
        (r"?a=|^`{}\[]", "?a=%7C%5E%60%7B%7D%5C%5B%5D"),
        ("?q=caf\u{e9}", "?q=caf%C3%A9"),
    ];
    for (at, (raw, encoded)) in table.into_iter().enumerate() {
        let path = format!("/repos/acme/widget-{at}/issues");
        for target in
            [format!("{path}{raw}"), format!("{path}{encoded}"), format!("http://api.github.com{path}{raw}")]
        {
            let answer = answers(daemon.address(), get(&target, "")).await;
            assert_eq!(status(&answer), 200, "{target}: {answer}");
        }
        let calls: Vec<_> =
            origin.latest_calls().into_iter().filter(|call| call.path.starts_with(&path)).collect();
        assert_eq!(calls.len(), 1, "{raw}: {calls:?}");
        assert_eq!(calls[0].path, format!("{path}{encoded}"));
    }
}

#[tokio::test]
async fn raw_characters_pass_behind_bodies_on_one_connection_and_in_requests_that_are_not_cached() {
    let (origin, daemon) = daemon();
    let mut raw = Raw::connect(daemon.address()).await;
    let head = |method: &str, target: &str, fields: &str| {
        format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\nAuthorization: token ghp_alice\r\n{fields}\r\n"
        )
    };
    // All at once, as a client that does not wait sends them.
    let body = r#"{"title":"<GET /|"}"#;
    let posts = [
        format!(
            "{}{body}",
            head("POST", "/repos/acme/widget-1/issues?a=<1", &format!("Content-Length: {}\r\n", body.len()))
        ),
        format!(
            "{}{:x}\r\n{body}\r\n0\r\n\r\n",
            head("POST", "/repos/acme/widget-1/issues?a=<2", "Transfer-Encoding: chunked\r\n"),
            body.len()
        ),
        head("GET", "/search/issues?q=>3", ""),
        head("GET", "/repos/acme/widget-1/issues?a=<4", "Connection: close\r\n"),
    ];
    raw.send(posts.concat()).await;
    let answers = raw.read_all().await;
    assert_eq!(answers.matches("HTTP/1.1 20").count(), 4, "{answers}");
    let paths: Vec<_> = origin.latest_calls().into_iter().map(|call| call.path).collect();
    for path in [
        "/repos/acme/widget-1/issues?a=%3C1",
        "/repos/acme/widget-1/issues?a=%3C2",
        "/search/issues?q=%3E3",
        "/repos/acme/widget-1/issues?a=%3C4",
    ] {
        assert!(paths.iter().any(|asked| asked == path), "{path} in {paths:?}");
    }
    // The bodies are as they were sent.
    assert!(answers.matches(r"<GET /|").count() >= 2, "{answers}");
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_with_a_reason_and_shows_in_the_log() {
    let (origin, daemon) = daemon();
    let host = "Host: localhost\r\n";
    let long = "a".repeat(300_000);
    let table = [
        (format!("GET /a b HTTP/1.1\r\n{host}\r\n"), 400, "malformed"),
        (format!("GET / HTTP/9.9\r\n{host}\r\n"), 400, "malformed"),
        (format!("G@T / HTTP/1.1\r\n{host}\r\n"), 400, "malformed"),
        (format!("GET / HTTP/1.1\r\n{host}a b: c\r\n\r\n"), 400, "malformed"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, "malformed"),
        (format!("GET / HTTP/1.1\r\n{host}{}\r\n", "a: b\r\n".repeat(200)), 431, "head-too-large"),
        (format!("GET / HTTP/1.1\r\n{host}a: {long}\r\n\r\n"), 431, "head-too-large"),
    ];
    for (head, expected, code) in table {
        let answer = answers(daemon.address(), &head).await;
        let shown = &head[..head.len().min(60)];
        assert_eq!(status(&answer), expected, "{shown:?}: {answer}");
        assert_eq!(told(&answer)["fleet_cache"]["error"], code, "{shown:?}: {answer}");
    }
    assert_eq!(origin.calls_total(), 0);
    let log = daemon.stderr();
    assert_eq!(log.matches("without a readable head").count(), 1, "one line, however many there are: {log}");
}
