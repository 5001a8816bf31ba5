//! A GraphQL query is looked up like any other read: one call for all that ask it, kept for a moment, and never put twice.

use crate::support::{Answer, BOB, SOON, builder, send};
use bytes::Bytes;
use cache_tests::origin::ModelOrigin;
use fleet_cache::{
    FetchError, GitHub, GitHubBuilder, Node, PassReason, Provenance, RequestError, Settings, github::Timeouts,
};
use http::{Request, StatusCode};
use http_body_util::Full;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

const ALICE: &str = "ghp_alice";
const QUERY: &str = r#"{"query":"query Q($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { title } } }","variables":{"n":1}}"#;
/// The same in another spelling.
const RESPELLED: &str = r#"{ "variables": { "n": 1 }, "query": "query Q($n:Int!){repository(owner:\"acme\",name:\"widget-1\"){pullRequest(number:$n){title}}}", "operationName": null }"#;
const DATA: &str = r#"{"data":{"repository":{"pullRequest":{"title":"first"}}}}"#;
const OTHER_DATA: &str = r#"{"data":{"repository":{"pullRequest":{"title":"second"}}}}"#;

/// An origin that answers as it is told, and counts.
#[derive(Clone)]
struct Scripted {
    url: String,
    /// What it answers next; the last answer stays.
    answers: Arc<Mutex<VecDeque<Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// As many calls are answered as it has permits.
    gate: Arc<Semaphore>,
}

impl Scripted {
    async fn start(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        let origin = Self { url, answers, asked: Arc::default(), gate: Arc::new(Semaphore::new(1_000)) };
        let serving = origin.clone();
        tokio::spawn(async move {
            while let Ok((connection, _address)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(connection));
            }
        });
        origin
    }

    async fn serve(self, mut connection: TcpStream) {
        let mut read = Vec::new();
        loop {
            let mut piece = [0; 65536];
            let Ok(length) = connection.read(&mut piece).await else { return };
            if length == 0 {
                return;
            }
            read.extend_from_slice(&piece[..length]);
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let announced = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().expect("it is a number"))
            });
            if body.len() < announced.unwrap_or(0_usize) {
                continue;
            }
            self.asked.lock().push(text);
            break;
        }
        let Ok(permit) = self.gate.acquire().await else { return };
        permit.forget();
        let answer = {
            let mut answers = self.answers.lock();
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        };
        let _gone = connection.write_all(&answer.unwrap_or_default()).await;
    }

    /// How often something was posted. What covers a query may be looked at besides.
    fn calls(&self) -> usize {
        self.asked.lock().iter().filter(|asked| asked.starts_with("POST ")).count()
    }

    async fn until_asked(&self, times: usize) {
        let asked = async {
            while self.calls() < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, asked).await.expect("the origin is asked");
    }

    fn github(&self) -> GitHubBuilder {
        GitHub::builder().origin(&self.url)
    }
}

fn told(status: u16, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Told\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n{fields}\r\n{body}",
        body.len()
    )
    .into()
}

async fn node(github: GitHubBuilder) -> Node {
    builder(github).start().await.expect("a node without a directory starts")
}

fn query_by(token: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::post("/graphql").header("authorization", format!("token {token}"));
    request.body(Full::from(body)).expect("it is well-formed")
}

fn with(field: (&'static str, &'static str), body: &'static str) -> Request<Full<Bytes>> {
    let mut request = query_by(ALICE, body);
    request.headers_mut().insert(field.0, field.1.parse().expect("it is well-formed"));
    request
}

async fn asked(node: &Node, body: &'static str) -> Answer {
    send(node, query_by(ALICE, body)).await.expect("there is an answer")
}

#[tokio::test]
async fn a_query_is_asked_once_and_then_answered_from_memory_in_any_spelling() {
    let origin = Scripted::start([told(200, "ETag: \"x\"\r\nX-RateLimit-Remaining: 7\r\n", DATA)]).await;
    let node = node(origin.github()).await;
    let first = asked(&node, QUERY).await;
    assert!(!first.is_hit() && first.body == DATA);
    assert_eq!(first.header("x-ratelimit-remaining"), "7");
    for spelling in [QUERY, RESPELLED] {
        let again = asked(&node, spelling).await;
        assert!(again.is_hit());
        assert_eq!((again.status, &again.body[..]), (StatusCode::OK, DATA.as_bytes()));
        assert_eq!((again.header("etag"), again.header("x-ratelimit-remaining")), ("", ""));
    }
    let text = origin.asked.lock()[0].clone();
    assert!(text.starts_with("POST /graphql HTTP/1.1\r\n") && text.ends_with(QUERY), "{text}");
    assert!(!text.to_ascii_lowercase().contains("if-none-match"), "{text}");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn another_credential_another_value_and_another_feature_are_other_queries() {
    let origin = Scripted::start([told(200, "", DATA)]).await;
    let node = node(origin.github()).await;
    asked(&node, QUERY).await;
    for other in [
        query_by(BOB, QUERY),
        with(("graphql-features", "merge_queue"), QUERY),
        query_by(
            ALICE,
            r#"{"query":"query Q($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { title } } }","variables":{"n":2}}"#,
        ),
    ] {
        assert!(!send(&node, other).await.unwrap().is_hit());
    }
    assert_eq!(origin.calls(), 4);
    assert!(origin.asked.lock()[2].to_ascii_lowercase().contains("graphql-features: merge_queue"));
}

#[tokio::test]
async fn credentials_of_a_named_domain_share_answers_to_queries_only_if_they_are_trusted() {
    for (is_trusted, calls) in [(false, 2), (true, 1)] {
        let origin = Scripted::start([told(200, "", DATA)]).await;
        let github = origin.github();
        let github = if is_trusted {
            github.trusted_domain("ci", ["ghp_*"])
        } else {
            github.named_domain("ci", ["ghp_*"])
        };
        let node = node(github).await;
        for token in [ALICE, BOB] {
            assert_eq!(send(&node, query_by(token, QUERY)).await.unwrap().body, DATA);
        }
        assert_eq!(origin.calls(), calls, "trusted: {is_trusted}");
    }
}

/// Many that ask one query while the origin takes its time, and what each is given.
async fn together(origin: &Scripted, node: &Node, count: usize) -> Vec<Result<Answer, RequestError>> {
    origin.gate.forget_permits(origin.gate.available_permits());
    let all: Vec<_> = (0..count)
        .map(|_| {
            let node = node.clone();
            tokio::spawn(async move { send(&node, query_by(ALICE, QUERY)).await })
        })
        .collect();
    origin.until_asked(1).await;
    // Every ask passes through the driver's queue before this one does.
    for _ in 0..10 * count {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.stats().await.expect("the node runs").flights, 1);
    origin.gate.add_permits(1);
    let mut answers = Vec::new();
    for one in all {
        answers.push(tokio::time::timeout(SOON, one).await.expect("each is answered").expect("none panics"));
    }
    answers
}

#[tokio::test]
async fn a_fault_or_errors_are_told_to_all_that_wait_and_the_query_is_not_put_again() {
    let rate_limited = r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#;
    let partial = r#"{"data":{"repository":null},"errors":[{"type":"NOT_FOUND","message":"no"}]}"#;
    for (status, body) in
        [(502, "{}"), (504, r#"{"message":"timeout"}"#), (200, partial), (200, rate_limited)]
    {
        let origin = Scripted::start([told(status, "", body)]).await;
        let node = node(origin.github()).await;
        for answer in together(&origin, &node, 10).await {
            let answer = answer.unwrap();
            assert_eq!((answer.status.as_u16(), &answer.body[..]), (status, body.as_bytes()));
        }
        assert_eq!(origin.calls(), 1, "{status} {body}");
        assert_eq!(node.stats().await.unwrap().cache_size, 0, "nothing is kept of {status} {body}");
    }
}

#[tokio::test]
async fn a_call_that_breaks_or_takes_too_long_is_not_made_again() {
    let quick = Duration::from_millis(300);
    let timeouts = Timeouts { head: quick, body_idle: quick, ..Timeouts::default() };
    let cut = told(200, "", DATA)[..150].to_vec();
    let broken = [(Vec::new(), FetchError::ConnectionLost), (cut, FetchError::ConnectionLost)];
    for (bytes, expected) in broken {
        let origin = Scripted::start([bytes]).await;
        let node = node(origin.github().timeouts(timeouts)).await;
        for answer in together(&origin, &node, 5).await {
            assert!(matches!(answer, Err(RequestError::Fetch(error)) if error == expected), "{answer:?}");
        }
        assert_eq!(origin.calls(), 1, "{expected:?}");
    }
    let origin = Scripted::start([told(200, "", DATA)]).await;
    origin.gate.forget_permits(1_000);
    let node = node(origin.github().timeouts(timeouts)).await;
    let answer = send(&node, query_by(ALICE, QUERY)).await;
    assert!(matches!(answer, Err(RequestError::Fetch(FetchError::TimedOut))), "{answer:?}");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test]
async fn a_spent_allowance_is_heard_in_an_answer_of_status_200_and_holds_queries_back() {
    let rate_limited = r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#;
    let origin = Scripted::start([told(200, "Retry-After: 60\r\n", rate_limited)]).await;
    let node = node(origin.github()).await;
    assert_eq!(asked(&node, QUERY).await.body, rate_limited);
    let next = send(&node, query_by(ALICE, QUERY)).await;
    assert!(matches!(next, Err(RequestError::Throttled { .. })), "{next:?}");
    assert_eq!(origin.calls(), 1);
    // Another payer has an allowance of its own.
    assert_eq!(send(&node, query_by(BOB, QUERY)).await.unwrap().body, rate_limited);
}

#[tokio::test]
async fn what_the_request_demands_counts_as_it_does_for_any_read() {
    let origin = Scripted::start([told(200, "", DATA), told(200, "", OTHER_DATA)]).await;
    let node = node(origin.github()).await;
    let only = send(&node, with(("cache-control", "only-if-cached"), QUERY)).await;
    assert!(matches!(only, Err(RequestError::NotCached)), "{only:?}");
    assert_eq!(asked(&node, QUERY).await.body, DATA);
    assert!(send(&node, with(("cache-control", "only-if-cached"), QUERY)).await.unwrap().is_hit());
    assert!(send(&node, with(("if-none-match", "*"), QUERY)).await.unwrap().status == 200);
    let anew = send(&node, with(("cache-control", "no-cache"), QUERY)).await.unwrap();
    assert_eq!(anew.body, OTHER_DATA);
    assert_eq!(asked(&node, QUERY).await.body, OTHER_DATA);
    let past = send(&node, with(("cache-control", "no-store"), QUERY)).await.unwrap();
    assert_eq!(past.provenance, Provenance::Passed(PassReason::NoStore));
    assert_eq!(origin.calls(), 3);
}

#[tokio::test]
async fn a_write_ends_the_answers_to_queries_that_it_may_be_about_whoever_makes_it_and_whatever_comes_of_it()
{
    let write = |method: &str, path: &str, body: &'static str| {
        let request = Request::builder().method(method).uri(path).header("authorization", "token ghp_bob");
        request.body(Full::from(body)).unwrap()
    };
    for (write, answer) in [
        (write("PATCH", "/repos/acme/widget-1/pulls/1", "{}"), told(200, "", "{}")),
        (write("PATCH", "/repositories/100001/issues/1", "{}"), told(200, "", "{}")),
        (write("DELETE", "/user/starred/acme/widget-1", ""), told(204, "", "")),
        (write("PATCH", "/repos/acme/widget-1/pulls/1", "{}"), told(502, "", "{}")),
        (write("POST", "/graphql", r#"{"query":"mutation { a }"}"#), told(200, "", "{}")),
        (write("POST", "/graphql", r#"{"query":"mutation { a }"}"#), told(504, "", "{}")),
        (write("POST", "/graphql", "what is this"), told(200, "", "{}")),
    ] {
        let origin = Scripted::start([told(200, "", DATA), answer, told(200, "", OTHER_DATA)]).await;
        let node = node(origin.github()).await;
        assert_eq!(asked(&node, QUERY).await.body, DATA);
        assert!(asked(&node, QUERY).await.is_hit());
        let shown = format!("{} {}", write.method(), write.uri());
        send(&node, write).await.unwrap();
        assert_eq!(asked(&node, QUERY).await.body, OTHER_DATA, "{shown}");
    }
}

#[tokio::test]
async fn a_write_to_a_repository_ends_no_answer_about_another() {
    let origin = Scripted::start([told(200, "", DATA), told(201, "", "{}")]).await;
    let node = node(origin.github()).await;
    asked(&node, QUERY).await;
    let write = Request::post("/repos/acme/other/issues").header("authorization", "token ghp_bob");
    assert_eq!(send(&node, write.body(Full::from("{}")).unwrap()).await.unwrap().status, 201);
    assert!(asked(&node, QUERY).await.is_hit());
}

#[tokio::test]
async fn a_query_that_passes_and_a_write_that_is_refused_end_nothing() {
    let origin = Scripted::start([told(200, "", DATA), told(200, "", "{}"), told(422, "", "{}")]).await;
    let node = node(origin.github()).await;
    asked(&node, QUERY).await;
    let live = asked(&node, r#"{"query":"{ rateLimit { cost } }"}"#).await;
    assert_eq!(live.provenance, Provenance::Passed(PassReason::Graphql("the quota is a live value")));
    let refused = Request::post("/repos/acme/widget-1/issues").header("authorization", "token ghp_alice");
    assert_eq!(send(&node, refused.body(Full::from("{}")).unwrap()).await.unwrap().status, 422);
    assert!(asked(&node, QUERY).await.is_hit());
    assert_eq!(origin.calls(), 3);
}

#[tokio::test]
async fn an_answer_that_github_is_still_working_out_is_kept_for_a_moment_at_most() {
    let document = r#"{"query":"{ repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: 1) { mergeable } } }"}"#;
    let data = |state: &str| {
        told(200, "", &format!(r#"{{"data":{{"repository":{{"pullRequest":{{"mergeable":"{state}"}}}}}}}}"#))
    };
    for (state, most) in [("UNKNOWN", 2), ("MERGEABLE", 5)] {
        let origin = Scripted::start([data(state)]).await;
        let node = node(origin.github()).await;
        let reply = node.request(query_by(ALICE, document)).await.unwrap();
        let left = reply.time_left().unwrap();
        assert!(
            left <= Duration::from_secs(most) && left > Duration::from_secs(most - 1),
            "{state}: {left:?}"
        );
    }
}

#[tokio::test]
async fn what_is_no_answer_to_keep_is_told_as_it_is_and_asked_for_again() {
    let long = format!(r#"{{"data":{{"a":"{}"}}}}"#, "x".repeat(3 * 1024 * 1024));
    let rows: [(u16, String); 7] = [
        (200, DATA[..DATA.len() - 1].to_owned()),
        (200, "<html></html>".to_owned()),
        (200, "{\"data\": {}} trailing".to_owned()),
        (200, r#"{"data":null}"#.to_owned()),
        (401, r#"{"message":"Bad credentials"}"#.to_owned()),
        (403, r#"{"message":"Resource not accessible by integration"}"#.to_owned()),
        (200, long),
    ];
    for (status, body) in rows {
        let origin = Scripted::start([told(status, "", &body)]).await;
        let node = node(origin.github().body_bytes_max(1024 * 1024)).await;
        for calls in 1..=2 {
            let answer = asked(&node, QUERY).await;
            assert_eq!((answer.status.as_u16(), answer.body.len()), (status, body.len()));
            assert!(answer.body == body.as_bytes());
            assert_eq!(origin.calls(), calls, "{status} {}", &body[..body.len().min(60)]);
        }
        assert_eq!(node.stats().await.unwrap().cache_size, 0);
    }
}

#[tokio::test]
async fn a_body_that_is_not_one_query_passes_byte_for_byte() {
    let origin = Scripted::start([told(200, "", "{}")]).await;
    let node = node(origin.github()).await;
    let long = Box::leak(format!("{{\"query\":\"{{ a }}\"{}}}", " ".repeat(300 * 1024)).into_boxed_str());
    for (place, body) in
        [r#"{"query":"{ a"#, "a=b&c=d", "", r#" [{"query":"{ a }"}, 1] "#, long].into_iter().enumerate()
    {
        let answer = asked(&node, body).await;
        assert!(matches!(answer.provenance, Provenance::Passed(_)), "{:?}", answer.provenance);
        let told = origin.asked.lock()[place].clone();
        assert!(told.split_once("\r\n\r\n").unwrap().1 == body, "{} bytes", body.len());
    }
}

#[tokio::test]
async fn a_stale_answer_stands_in_for_an_origin_that_cannot_be_reached_but_not_for_its_faults() {
    let origin = Scripted::start([told(200, "", DATA), told(502, "", "{}")]).await;
    let node = builder(origin.github().graphql_rule("issues=0s".parse().unwrap()))
        .settings(Settings { hold_off: Duration::ZERO, ..Settings::default() })
        .start()
        .await
        .unwrap();
    assert_eq!(asked(&node, QUERY).await.body, DATA);
    assert_eq!(asked(&node, QUERY).await.status, 502, "a lifetime of zero keeps nothing");
}

#[tokio::test]
async fn graphql_passes_where_it_is_switched_off() {
    let origin = Scripted::start([told(200, "", DATA)]).await;
    let node = node(origin.github().graphql(false)).await;
    for _ in 0..2 {
        assert_eq!(asked(&node, QUERY).await.provenance, Provenance::Passed(PassReason::Method));
    }
    assert_eq!(origin.calls(), 2);
}

#[tokio::test]
async fn a_client_without_a_credential_is_given_what_the_origin_says_to_it() {
    let origin = ModelOrigin::start();
    let node = node(GitHub::builder().origin(&origin.url())).await;
    for _ in 0..2 {
        let request = Request::post("/graphql").body(Full::from(QUERY)).unwrap();
        let answer = send(&node, request).await.unwrap();
        assert_eq!(answer.status, 401);
        assert!(matches!(answer.provenance, Provenance::Passed(_)));
    }
    assert_eq!(origin.calls_total(), 2);
}
