//! What refuses something, and what merely asks for patience: told by heads, and by bodies where heads are silent.

use crate::{
    bodies::gzip,
    script::{Answer, Origin, http, question},
};
use cache_core::FetchError;
use cache_origin_github::OriginBody;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;

const DENIED: &str = r#"{"message":"Resource not accessible by integration"}"#;
const PATIENCE: &str = r#"{"message":"You have exceeded a secondary rate limit."}"#;

/// Answers, and the status by which each refuses.
fn rows() -> Vec<(Vec<u8>, Option<u16>)> {
    let long = |text: &str| format!("{text}{}", " ".repeat(100_000));
    vec![
        (http("200 OK", "", "fine"), None),
        (http("401 Unauthorized", "", "{}"), Some(401)),
        (http("404 Not Found", "", "{}"), Some(404)),
        (http("410 Gone", "", "{}"), Some(410)),
        (http("451 Unavailable For Legal Reasons", "", "{}"), Some(451)),
        (http("422 Unprocessable Entity", "", "{}"), None),
        (http("429 Too Many Requests", "", "{}"), None),
        (http("500 Internal Server Error", "", "{}"), None),
        (http("403 Forbidden", "", DENIED), Some(403)),
        (http("403 Forbidden", "", long(DENIED)), Some(403)),
        (http("403 Forbidden", "x-ratelimit-remaining: 0\r\n", DENIED), None),
        (http("403 Forbidden", "retry-after: 60\r\n", DENIED), None),
        (http("403 Forbidden", "", PATIENCE), None),
        (http("403 Forbidden", "", long(PATIENCE)), None),
        (http("403 Forbidden", "content-encoding: gzip\r\n", gzip(PATIENCE.as_bytes())), None),
        (http("403 Forbidden", "content-encoding: gzip\r\n", gzip(DENIED.as_bytes())), Some(403)),
        // What is in it is unknown.
        (http("403 Forbidden", "content-encoding: br\r\n", "?"), Some(403)),
    ]
}

/// A call that passes the cache by, and the status by which it is refused.
async fn passed(answer: Answer) -> (Option<u16>, Response<OriginBody>) {
    let mut answers = Some(answer);
    let origin = Origin::start(move |_| answers.take().unwrap()).await;
    let github = origin.hasty();
    let request = Request::get("/rate_limit").header("authorization", "token ghp_a");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let asked = github.asked(&request).unwrap();
    let mut response = github.forward(request).await.unwrap();
    let refused = asked.refused_by(&mut response).await;
    (refused.map(|status| status.as_u16()), response)
}

#[tokio::test]
async fn a_call_that_passes_by_is_refused_by_what_is_no_limit_and_loses_nothing_of_its_body() {
    for (bytes, expected) in rows() {
        let (_, body) = bytes.split_at(bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4);
        let (refused, response) = passed(Answer::Close(bytes.clone())).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert_eq!(refused, expected, "{shown}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body, "{shown}");
    }
}

#[tokio::test]
async fn a_fetch_is_refused_by_the_same_whatever_becomes_of_its_body() {
    for (bytes, expected) in rows() {
        for body_bytes_max in [10, 1 << 20] {
            let origin = Origin::saying(bytes.clone()).await;
            let github = origin.builder().body_bytes_max(body_bytes_max).build().unwrap();
            let question = question(&github, "/repos/o/r", &[("authorization", "token ghp_a")]);
            let refused = github.fetch(&question, None).await.refused.map(|status| status.as_u16());
            assert_eq!(refused, expected, "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
        }
    }
    let many = format!("x-field: {}\r\n", "x".repeat(10_000)).repeat(8);
    for bytes in [
        // The body breaks off, or the head is longer than an entry may have.
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\n\r\n{".to_vec(),
        http("401 Unauthorized", &many, "{}"),
    ] {
        let origin = Origin::saying(bytes).await;
        let github = origin.builder().build().unwrap();
        let question = question(&github, "/repos/o/r", &[("authorization", "token ghp_a")]);
        let fetch = github.fetch(&question, None).await;
        assert_eq!(fetch.refused.map(|status| status.as_u16()), Some(401), "{fetch:?}");
    }
}

#[tokio::test]
async fn a_body_that_fails_as_it_is_looked_at_fails_for_its_reader() {
    let head = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\n{";
    for (answer, error) in [
        (Answer::Close(head.to_vec()), FetchError::ConnectionLost),
        (Answer::Hang(head.to_vec()), FetchError::TimedOut),
    ] {
        let (refused, response) = passed(answer).await;
        assert_eq!(refused, Some(403));
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "{");
        assert_eq!(body.frame().await.unwrap().unwrap_err(), error);
        assert!(body.frame().await.is_none());
    }
}

#[tokio::test]
async fn a_token_that_deletes_itself_is_refused_from_then_on() {
    let origin = Origin::saying(http("204 No Content", "", "")).await;
    let github = origin.builder().build().unwrap();
    for (path, expected) in [("/installation/token", Some(401)), ("/installation/tokens", None)] {
        let request = Request::delete(path).header("authorization", "token ghs_a");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let asked = github.asked(&request).unwrap();
        let mut response = github.forward(request).await.unwrap();
        assert_eq!(asked.refused_by(&mut response).await.map(|status| status.as_u16()), expected);
    }
}
