//! Requests that are passed through.

use crate::script::{Answer, Origin, http, question};
use cache_core::FetchError;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Bytes;

#[tokio::test]
async fn fields_and_bodies_go_through_as_they_are() {
    let answer = http(
        "201 Created",
        "location: https://api.github.com/x\r\nkeep-alive: timeout=5\r\netag: \"a\"\r\n",
        "made",
    );
    let mut origin = Origin::saying(answer).await;
    let github = origin.builder().build().unwrap();
    let request = Request::post("http://localhost:8484/api/v3/repos/o/r/issues?b=1&a=2")
        .header("authorization", "token  odd but mine")
        .header("accept", "application/vnd.github.v3+json")
        .header("host", "localhost:8484")
        .header("connection", "close, x-mine")
        .header("x-mine", "1")
        .header("expect", "100-continue")
        .header("user-agent", "GitHub CLI 2.23.0")
        .body(Full::new(Bytes::from_static(b"{\"title\":\"x\"}")))
        .unwrap();
    let response = github.forward(request).await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["location"], "https://api.github.com/x");
    assert!(!response.headers().contains_key("keep-alive"));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "made");
    let asked = origin.asked().remove(0);
    assert_eq!(asked.line(), "POST /repos/o/r/issues?b=1&a=2 HTTP/1.1");
    assert_eq!(asked.field("authorization"), Some("token  odd but mine"));
    assert_eq!(asked.field("accept"), Some("application/vnd.github.v3+json"));
    assert_eq!(asked.field("user-agent"), Some("GitHub CLI 2.23.0"));
    assert_eq!(asked.field("host"), Some(&origin.url["http://".len()..]));
    assert_eq!(asked.field("content-length"), Some("13"));
    assert_eq!((asked.field("x-mine"), asked.field("expect")), (None, None));
    assert!(asked.0.ends_with("{\"title\":\"x\"}"));
}

#[tokio::test]
async fn a_request_without_an_agent_gets_one_and_compression_is_the_clients_affair() {
    let mut origin = Origin::saying(http("200 OK", "content-encoding: gzip\r\n", "coded")).await;
    let github = origin.builder().build().unwrap();
    let request = Request::get("/rate_limit").body(Empty::<Bytes>::new()).unwrap();
    let response = github.forward(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "coded");
    let asked = origin.asked().remove(0);
    assert!(asked.field("user-agent").unwrap().starts_with("fleet-cache/"));
    assert_eq!(asked.field("accept-encoding"), None);
    assert_eq!(asked.field("authorization"), None);
    assert_eq!(github.stats(&[]).forwarded, 1);
}

#[tokio::test]
async fn redirects_are_handed_back_and_not_followed() {
    let mut origin =
        Origin::saying(http("302 Found", "location: https://blob.example/signed?sig=1\r\n", "")).await;
    let github = origin.builder().build().unwrap();
    let request = Request::get("/repos/o/r/tarball").body(Empty::<Bytes>::new()).unwrap();
    let response = github.forward(request).await.unwrap();
    assert_eq!(response.headers()["location"], "https://blob.example/signed?sig=1");
    assert_eq!(origin.asked().len(), 1);
}

#[tokio::test]
async fn a_silent_origin_is_given_up() {
    let origin = Origin::start(|_| Answer::Hang(Vec::new())).await;
    let github = origin.hasty();
    let request = Request::post("/graphql").body(Full::new(Bytes::from_static(b"{}"))).unwrap();
    assert_eq!(github.forward(request).await.unwrap_err(), FetchError::TimedOut);
}

#[tokio::test]
async fn each_call_says_through_whom_it_came_if_the_node_has_a_name() {
    let mut origin = Origin::saying(http("200 OK", "", "{}")).await;
    let before = [("via", "1.1 before")];
    for (name, expected) in [(None, Some("1.1 before")), (Some("own"), Some("1.1 before, 1.1 own"))] {
        let builder = origin.builder();
        let github = name.map_or_else(|| origin.builder(), |name| builder.pseudonym(name)).build().unwrap();
        let forwarded = Request::get("/rate_limit").header("via", "1.1 before");
        github.forward(forwarded.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        github.fetch(&question(&github, "/zen", &before), None).await;
        let vias: Vec<_> = origin.asked().iter().map(|asked| asked.field("via").map(str::to_owned)).collect();
        assert_eq!(vias[0].as_deref(), expected, "what is passed through keeps what its client said");
        assert_eq!(
            vias[1].as_deref(),
            expected.filter(|_| name.is_some()),
            "what is asked for all says its own"
        );
    }
}

#[tokio::test]
async fn no_host_is_told_by_which_name_a_client_is_counted_and_the_counts_have_it() {
    let mut origin = Origin::saying(http("200 OK", "", "{}")).await;
    let github = origin.builder().build().unwrap();
    let request = |target: &str| {
        let request = Request::get(target).header("x-fleet-client", "triage");
        request.body(Empty::<Bytes>::new()).unwrap()
    };
    github.forward(request("/rate_limit")).await.unwrap();
    github.fetch(&question(&github, "/zen", &[("x-fleet-client", "triage")]), None).await;
    let host = http::HeaderValue::from_static("uploads.github.com");
    github.relay(request("/x"), &host, &origin.url.parse().unwrap()).await.unwrap();
    let asked = origin.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.field("x-fleet-client").is_none()));
    let counted = github.usage_report().by_client;
    let counted: Vec<_> = counted.iter().map(|row| (row.name.as_str(), row.counts.calls)).collect();
    assert_eq!(counted, [("triage", 2)], "a call to another host draws on no allowance");
}
