//! Heads and bodies as origins and what stands before them put them on the wire.

use crate::script::{Origin, http, question};
use bytes::Bytes;
use cache_core::{Content, Draft, FetchError, Fetched};
use flate2::{Compression, write::GzEncoder};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use std::{fmt::Write as _, io::Write as _};

const BODY: &str = "{\"name\":\"site\"}";

async fn fetched(bytes: impl Into<Vec<u8>>) -> Fetched {
    let origin = Origin::saying(bytes).await;
    let github = origin.builder().build().unwrap();
    github.fetch(&question(&github, "/repos/o/r", &[]), None).await.fetched
}

async fn kept(bytes: impl Into<Vec<u8>>) -> Draft {
    match fetched(bytes).await {
        Fetched::Fresh(draft) => draft,
        other => panic!("{other:?}"),
    }
}

async fn relayed(bytes: impl Into<Vec<u8>>) -> Content {
    match fetched(bytes).await {
        Fetched::Unstorable { content, .. } => content,
        other => panic!("{other:?}"),
    }
}

async fn forwarded(method: Method, bytes: impl Into<Vec<u8>>) -> Result<Response<Bytes>, FetchError> {
    let origin = Origin::saying(bytes).await;
    let github = origin.builder().build().unwrap();
    let request = Request::builder().method(method).uri("/rate_limit").body(Empty::<Bytes>::new()).unwrap();
    let (head, body) = github.forward(request).await?.into_parts();
    let body = body.collect().await?;
    assert!(body.trailers().is_none());
    Ok(Response::from_parts(head, body.to_bytes()))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn chunked(fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{fields}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
}

#[tokio::test]
async fn a_coding_that_is_not_undone_stays_on_the_body_and_in_its_head() {
    let twice = gzip(&gzip(BODY.as_bytes()));
    let rows: [(&str, &[u8]); 7] = [
        ("content-encoding: br\r\n", b"brotli"),
        ("content-encoding: zstd\r\n", b"zstd"),
        ("content-encoding: deflate\r\n", b"deflate"),
        ("content-encoding: gzip, gzip\r\n", &twice),
        ("content-encoding: gzip\r\ncontent-encoding: gzip\r\n", &twice),
        ("content-encoding: br\r\ncontent-encoding: gzip\r\n", b"both"),
        ("content-encoding: gzip, br\r\n", b"both"),
    ];
    for (fields, body) in rows {
        let head = format!("{fields}content-type: application/json\r\netag: W/\"a\"\r\n");
        let content = relayed(http("200 OK", &head, body)).await;
        assert_eq!(content.body, body, "{fields}");
        let named: Vec<_> = content.headers.iter().filter(|(name, _)| *name == "content-encoding").collect();
        assert_eq!(named.len(), fields.matches("content-encoding").count(), "{fields}");
        assert_eq!(content.headers.get_str("etag"), Some("W/\"a\""));
    }
}

#[tokio::test]
async fn one_gzip_is_undone_however_it_is_named() {
    let rows = [
        "content-encoding: gzip\r\n",
        "content-encoding: X-GZIP\r\n",
        "content-encoding: identity, gzip\r\n",
        "content-encoding: gzip\r\ncontent-encoding: identity\r\n",
        "content-encoding: , gzip ,\r\n",
    ];
    for fields in rows {
        let draft = kept(http("200 OK", fields, gzip(BODY.as_bytes()))).await;
        assert_eq!(draft.content.body, BODY, "{fields}");
        assert_eq!(draft.content.headers.get("content-encoding"), None);
    }
    assert_eq!(kept(http("200 OK", "content-encoding: identity\r\n", BODY)).await.content.body, BODY);
}

#[tokio::test]
async fn a_fault_in_a_foreign_coding_is_still_a_fault() {
    let answer = fetched(http("502 Bad Gateway", "content-encoding: br\r\n", "coded")).await;
    let Fetched::Fault { content } = answer else { panic!("{answer:?}") };
    assert_eq!((content.headers.get_str("content-encoding"), &content.body[..]), (Some("br"), &b"coded"[..]));
}

#[tokio::test]
async fn a_chunked_answer_with_a_length_is_framed_by_its_chunks() {
    let bytes = chunked("content-length: 3\r\n", BODY);
    let draft = kept(bytes.clone()).await;
    assert_eq!(draft.content.body, BODY);
    let response = forwarded(Method::GET, bytes).await.unwrap();
    assert_eq!(response.body(), BODY);
    assert!(!response.headers().contains_key("content-length"));
    assert!(!response.headers().contains_key("transfer-encoding"));
}

#[tokio::test]
async fn lengths_that_agree_are_one_and_lengths_that_do_not_are_a_fault() {
    for fields in ["content-length: 2, 2\r\n", "content-length: 2\r\ncontent-length: 2\r\n"] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{{}}");
        assert_eq!(kept(bytes.clone()).await.content.body, "{}");
        let response = forwarded(Method::GET, bytes).await.unwrap();
        assert_eq!(response.headers().get_all("content-length").iter().collect::<Vec<_>>(), ["2"]);
    }
    for fields in
        ["content-length: 2, 3\r\n", "content-length: 2\r\ncontent-length: 3\r\n", "content-length: +2\r\n"]
    {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n{{}} ");
        assert_eq!(fetched(bytes.clone()).await, Fetched::Failed(FetchError::Malformed), "{fields}");
        assert_eq!(forwarded(Method::GET, bytes).await.unwrap_err(), FetchError::Malformed, "{fields}");
    }
}

#[tokio::test]
async fn a_transfer_coding_that_is_not_undone_is_a_fault() {
    let rows = [
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: deflate\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: identity\r\n",
    ];
    for fields in rows {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n2\r\n{{}}\r\n0\r\n\r\n");
        assert_eq!(fetched(bytes.clone()).await, Fetched::Failed(FetchError::Malformed), "{fields}");
        assert_eq!(forwarded(Method::GET, bytes).await.unwrap_err(), FetchError::Malformed, "{fields}");
    }
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(fetched(old).await, Fetched::Failed(FetchError::Malformed));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_an_error_and_loses_no_field() {
    let many = |count| {
        (0..count).fold(String::new(), |mut fields, at| {
            write!(fields, "x-{at}: {at}\r\n").unwrap();
            fields
        })
    };
    let long = |bytes| format!("x-long: {}\r\n", "x".repeat(bytes));
    for fields in [many(200), long(64 * 1024), long(1024 * 1024)] {
        let bytes = http("200 OK", &fields, BODY);
        assert_eq!(fetched(bytes).await, Fetched::Failed(FetchError::HeadTooLong));
    }
    let draft = kept(http("200 OK", &(many(90) + &long(32 * 1024)), BODY)).await;
    assert_eq!(draft.content.headers.iter().filter(|(name, _)| name.starts_with("x-")).count(), 91);
    let passed = forwarded(Method::GET, http("200 OK", &long(100 * 1024), BODY)).await.unwrap();
    assert_eq!(passed.headers()["x-long"].len(), 100 * 1024);
    assert_eq!(
        forwarded(Method::GET, http("200 OK", &many(200), BODY)).await.unwrap_err(),
        FetchError::HeadTooLong
    );
}

#[tokio::test]
async fn what_comes_before_and_after_an_answer_is_left_out() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n".to_owned();
    let trailed = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-after\r\n\r\n\
                   2\r\n{}\r\n0\r\nx-after: 1\r\n\r\n";
    let draft = kept(hints.clone() + trailed).await;
    assert_eq!(draft.content.body, "{}");
    assert_eq!((draft.content.headers.get("link"), draft.content.headers.get("x-after")), (None, None));
    let response = forwarded(Method::GET, hints + trailed).await.unwrap();
    assert_eq!(response.body(), "{}");
    assert!(!response.headers().contains_key("trailer"));
}

#[tokio::test]
async fn what_has_no_body_keeps_the_length_that_it_tells_of() {
    let head = forwarded(Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n").await.unwrap();
    assert_eq!((&head.headers()["content-length"], head.body().len()), (&"7".parse().unwrap(), 0));
    let nothing =
        forwarded(Method::DELETE, "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert!(!nothing.headers().contains_key("content-length"));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(forwarded(Method::HEAD, chunked).await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_calls_itself_json_and_is_something_else_is_passed_on() {
    for body in ["", " ", "<html>", "{} trailing"] {
        let content = relayed(http("200 OK", "content-type: application/json\r\n", body)).await;
        assert_eq!(content.body, body);
    }
    for body in ["{}\n{}\n", "\u{feff}{}", "null"] {
        let draft = kept(http("200 OK", "content-type: application/json; charset=utf-8\r\n", body)).await;
        assert_eq!(draft.content.body, body);
    }
}

#[tokio::test]
async fn the_time_that_an_answer_took_is_part_of_its_age() {
    let draft = kept(http("200 OK", "age: 5\r\n", BODY)).await;
    assert!(draft.age > std::time::Duration::from_secs(5));
}
