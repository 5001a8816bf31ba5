//! Answers whose bodies are coded, cut, damaged, late or too long.

use crate::script::{Answer, Origin, http, question};
use cache_core::{AccountReport, Allowance, Draft, FetchError, Fetched, Timestamp, WritesReport};
use cache_origin_github::{Fetch, GitHub};
use flate2::{Compression, write::GzEncoder};
use http_body_util::BodyExt as _;
use std::io::Write as _;
use tokio::{io::AsyncWriteExt as _, net::TcpListener};

const BODY: &str = "{\"name\":\"site\",\"private\":true}";

async fn fetch(github: &GitHub) -> Fetch {
    github.fetch(&question(github, "/repos/o/r", &[]), None).await
}

async fn error_of(bytes: Vec<u8>) -> FetchError {
    let origin = Origin::saying(bytes).await;
    let github = origin.builder().build().unwrap();
    match fetch(&github).await.fetched {
        Fetched::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

fn draft(fetch: Fetch) -> Draft {
    match fetch.fetched {
        Fetched::Fresh(draft) => draft,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let fields = "content-encoding: gzip\r\ncontent-type: application/json\r\netag: W/\"a\"\r\n";
    http("200 OK", fields, body)
}

#[tokio::test]
async fn a_compressed_answer_is_kept_uncompressed_under_its_strong_tag() {
    let origin = Origin::saying(gzipped(&gzip(BODY.as_bytes()))).await;
    let github = origin.builder().build().unwrap();
    let draft = draft(fetch(&github).await);
    assert_eq!(draft.content.body, BODY);
    assert_eq!(draft.content.headers.get_str("etag"), Some("\"a\""));
    assert_eq!(draft.content.headers.get("content-encoding"), None);
    assert_eq!(draft.validators.etag.as_deref(), Some("W/\"a\""));
}

#[tokio::test]
async fn a_body_of_several_compressed_members_is_whole() {
    let (first, second) = BODY.as_bytes().split_at(7);
    let origin = Origin::saying(gzipped(&[gzip(first), gzip(second)].concat())).await;
    let github = origin.builder().build().unwrap();
    assert_eq!(draft(fetch(&github).await).content.body, BODY);
}

#[tokio::test]
async fn damaged_compression_is_a_damaged_body() {
    let whole = gzip(BODY.as_bytes());
    let mut flipped = whole.clone();
    flipped[12] ^= 0xff;
    let mut wrong_sum = whole.clone();
    let last = wrong_sum.len() - 6;
    wrong_sum[last] ^= 1;
    let cut = &whole[..whole.len() - 3];
    let trailed = [&whole[..], b"garbage"].concat();
    for bytes in [&flipped[..], &wrong_sum, cut, &trailed, b"not gzip at all"] {
        assert_eq!(error_of(gzipped(bytes)).await, FetchError::BodyDamaged);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_lost_connection() {
    let mut cut = http("200 OK", "", BODY);
    cut.truncate(cut.len() - 1);
    assert_eq!(error_of(cut).await, FetchError::ConnectionLost);
    let chunk = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n".to_vec();
    assert_eq!(error_of(chunk).await, FetchError::ConnectionLost);
    assert_eq!(error_of(Vec::new()).await, FetchError::ConnectionLost);
}

#[tokio::test]
async fn what_is_not_http_is_malformed() {
    assert_eq!(error_of(b"\x16\x03\x01 not http\r\n\r\n".to_vec()).await, FetchError::Malformed);
    assert_eq!(error_of(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec()).await, FetchError::Malformed);
}

#[tokio::test]
async fn json_that_breaks_off_within_its_announced_length_is_damaged() {
    let cut = http("200 OK", "content-type: application/json\r\n", "{\"id\": 1, \"na");
    assert_eq!(error_of(cut).await, FetchError::BodyDamaged);
}

#[tokio::test]
async fn an_answer_that_does_not_say_where_it_ends_is_not_kept() {
    let origin = Origin::saying(b"HTTP/1.1 200 OK\r\n\r\nhalf?".to_vec()).await;
    let github = origin.builder().build().unwrap();
    assert!(matches!(fetch(&github).await.fetched, Fetched::Unstorable { .. }));
}

#[tokio::test]
async fn an_origin_that_falls_silent_is_given_up() {
    let whole = http("200 OK", "", BODY);
    let half = whole[..whole.len() - 1].to_vec();
    for bytes in [Vec::new(), b"HTTP/1.1 200".to_vec(), half] {
        let origin = Origin::start(move |_| Answer::Hang(bytes.clone())).await;
        let github = origin.hasty();
        assert_eq!(fetch(&github).await.fetched, Fetched::Failed(FetchError::TimedOut));
        assert_eq!(github.stats(&[]).failed, 1);
    }
}

#[tokio::test]
async fn an_origin_that_does_not_listen_cannot_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let github = GitHub::builder().origin(&format!("http://{closed}")).build().unwrap();
    assert_eq!(fetch(&github).await.fetched, Fetched::Failed(FetchError::ConnectFailed));
}

#[tokio::test]
async fn an_origin_that_speaks_no_tls_cannot_be_reached_by_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let github = GitHub::builder().origin(&url).build().unwrap();
    assert_eq!(fetch(&github).await.fetched, Fetched::Failed(FetchError::ConnectFailed));
}

#[tokio::test]
async fn a_body_over_the_limit_streams_whole_however_it_comes() {
    let long = "0123456789".repeat(20_000);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let forms = [
        http("200 OK", "etag: \"a\"\r\n", &long),
        chunked.into_bytes(),
        http("200 OK", "content-encoding: gzip\r\n", gzip(long.as_bytes())),
    ];
    for bytes in forms {
        let origin = Origin::saying(bytes).await;
        let github = origin.builder().body_bytes_max(50_000).build().unwrap();
        let fetch = fetch(&github).await;
        assert_eq!(fetch.fetched, Fetched::Oversize);
        let (head, body) = fetch.stream.unwrap().into_parts();
        assert!(!head.headers.contains_key("content-encoding"));
        assert!(!head.headers.contains_key("transfer-encoding"));
        let length = head.headers.get("content-length").map(|value| value.to_str().unwrap().to_owned());
        assert!(length.is_none_or(|length| length == long.len().to_string()));
        assert_eq!(body.collect().await.unwrap().to_bytes(), long);
    }
}

#[tokio::test]
async fn a_small_body_that_swells_beyond_the_limit_is_not_held() {
    let bomb = gzip(&vec![0; 30 << 20]);
    assert!(bomb.len() < 100_000);
    let origin = Origin::saying(http("200 OK", "content-encoding: gzip\r\n", bomb)).await;
    let github = origin.builder().build().unwrap();
    let fetch = fetch(&github).await;
    assert_eq!(fetch.fetched, Fetched::Oversize);
    let mut body = fetch.stream.unwrap().into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(length, 30 << 20);
}

fn shown_lately(allowance: Allowance) -> AccountReport {
    let noted = Timestamp::from_unix_millis(1_000);
    let writes = WritesReport::default();
    AccountReport {
        allowance,
        also: Vec::new(),
        noted,
        per_hour: Some(60),
        spent_at: None,
        paused: None,
        writes,
    }
}

#[tokio::test]
async fn what_concerns_the_call_is_apart_from_what_is_kept() {
    let fields =
        "x-ratelimit-limit: 60\r\nx-ratelimit-remaining: 59\r\nx-oauth-scopes: repo\r\nset-cookie: a=b\r\n";
    let origin = Origin::saying(http("200 OK", fields, BODY)).await;
    let github = origin.builder().named_domain("ci", ["ghs_*"]).build().unwrap();
    let question = question(&github, "/repos/o/r", &[("authorization", "token ghs_1")]);
    let fetch = github.fetch(&question, None).await;
    assert_eq!(fetch.live["x-ratelimit-remaining"], "59");
    assert_eq!(fetch.live["x-oauth-scopes"], "repo");
    let shown = fetch.allowance.clone().expect("the answer shows one");
    assert!(draft(fetch).content.headers.is_empty());
    let stats = serde_json::to_value(github.stats(&[shown_lately(shown)])).unwrap();
    assert_eq!(stats["calls"], 1);
    assert!(stats["quotas"][0]["domain"].as_str().unwrap().starts_with("ci/"));
    assert_eq!(stats["quotas"][0]["remaining"], 59);
}
