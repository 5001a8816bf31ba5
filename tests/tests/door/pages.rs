//! Web pages that make a browser send requests to this machine.

use crate::support::{REPOSITORY, answers, daemon, get, setup, status, told};
use cache_tests::{http::Client, origin::ModelOrigin};

#[tokio::test]
async fn a_page_of_another_origin_reads_nothing_and_causes_no_call() {
    let (origin, daemon) = daemon();
    assert_eq!(status(&answers(daemon.address(), get(REPOSITORY, "")).await), 200);
    let calls = origin.calls_total();
    for fields in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://localhost:3000\r\nSec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
        "Origin: chrome-extension://abc\r\n",
    ] {
        let answer = answers(daemon.address(), get(REPOSITORY, fields)).await;
        assert_eq!(status(&answer), 403, "{fields}");
        assert_eq!(told(&answer)["fleet_cache"]["error"], "web-page", "{fields}");
        assert!(!answer.to_ascii_lowercase().contains("access-control-"), "{answer}");
    }
    let page = daemon.client();
    let asks = [
        page.request(http::Method::OPTIONS, "/user").header("access-control-request-method", "GET"),
        page.post("/repos/acme/widget-1/issues", "a=b").header("content-type", "text/plain"),
        page.request(http::Method::DELETE, REPOSITORY),
    ];
    for draft in asks {
        let reply = draft.header("origin", "https://evil.example").send().await.unwrap();
        assert_eq!(reply.status, 403);
    }
    assert_eq!(origin.calls_total(), calls);
}

#[tokio::test]
async fn a_page_that_the_operator_named_reads_and_is_told_so() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).env("CACHE_ALLOW_WEB_ORIGIN", "https://ours.example").start();
    let page = daemon.client();
    let ask = page
        .request(http::Method::OPTIONS, REPOSITORY)
        .header("origin", "https://ours.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization");
    let told = ask.send().await.unwrap();
    assert_eq!(told.status, 204);
    assert_eq!(told.header("access-control-allow-origin"), "https://ours.example");
    assert_eq!(told.header("access-control-allow-headers"), "authorization");
    assert_eq!(origin.calls_total(), 0, "the door answers that itself");
    for _miss_then_hit in 0..2 {
        let read = page.get(REPOSITORY).token("ghp_alice").header("origin", "https://ours.example");
        let reply = read.header("sec-fetch-site", "cross-site").send().await.unwrap();
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("access-control-allow-origin"), "https://ours.example");
        assert!(reply.headers.get_all("vary").iter().any(|value| value == "Origin"));
    }
    let plain = page.get(REPOSITORY).token("ghp_alice").send().await.unwrap();
    assert_eq!(plain.header("access-control-allow-origin"), "", "nobody else is told anything");
    assert_eq!(origin.calls_to(REPOSITORY), 1);
    assert!(origin.latest_calls().iter().all(|call| !call.headers.contains_key("origin")));
    let other = page.get(REPOSITORY).header("origin", "https://other.example").send().await.unwrap();
    assert_eq!(other.status, 403);
}

#[tokio::test]
async fn programs_that_fetch_as_browsers_do_and_unix_sockets_are_no_pages() {
    let (_origin, daemon) = daemon();
    let get = |client: Client| client.get(REPOSITORY).token("ghp_alice");
    let node = get(daemon.client()).header("sec-fetch-mode", "cors").send().await.unwrap();
    assert_eq!(node.status, 200);
    let typed = get(daemon.client()).header("sec-fetch-site", "none").send().await.unwrap();
    assert_eq!(typed.status, 200);
    let socket = get(daemon.unix_client()).header("origin", "https://anybody.example").send().await.unwrap();
    assert_eq!(socket.status, 200);
}
