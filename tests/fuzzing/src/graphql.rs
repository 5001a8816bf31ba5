//! Requests for GraphQL: their key, from a body that anybody may write.

use bytes::Bytes;
use cache_core::{KEY_BYTES_MAX, Key};
use cache_origin_github::{Delivery, GitHub, Plan};
use http::{Request, StatusCode, request::Parts};
use http_body_util::{BodyExt as _, Full};
use std::sync::LazyLock;

/// Takes the body of a request. Panics where one that has a key has none that can be, may change something, or has another
/// key when it is planned or spelled again.
pub fn check(body: &[u8]) {
    let Some(key) = key(body) else { return };
    assert!(key.len() <= KEY_BYTES_MAX && Key::from_text(&key).is_some(), "{key:?} is no key");
    assert_eq!(self::key(body).as_ref(), Some(&key), "planned again it has another key");
    assert!(changes_nothing(body), "what has a key may be a mutation");
    if let Some(respelled) = respelled(body) {
        assert_eq!(self::key(&respelled).as_ref(), Some(&key), "spelled otherwise it has another key");
    }
}

/// Bodies as clients write them, and near misses.
pub fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"query":"query Q($owner: String!, $n: Int = 1) { repository(owner: $owner, name: \"r\") { pullRequest(number: $n) { ...F } } } fragment F on PullRequest { title statusCheckRollup { state } }","variables":{"owner":"o","n":1.50},"operationName":"Q"}"#,
        r#"{"query":"{ viewer { login } }"}"#,
        r##"{"query":"# a comment\n{ a(b: \"\"\"block \\\"\"\" \"\"\", c: [1, -2.0e3, null, E, {d: $d}]) @include(if: true) { x: e ... on T { f } } }","variables":null}"##,
        r#"{"query":"mutation { a }"}"#,
        r#"{"query":"query A { a } query B { b }","operationName":"B","variables":{"a":[{"b":12345678901234567890}]}}"#,
    ];
    bodies.map(|body| body.as_bytes().to_vec()).into()
}

fn key(body: &[u8]) -> Option<String> {
    let mut key = String::new();
    match GITHUB.plan_query(&HEAD, &Bytes::copy_from_slice(body), &mut key) {
        Plan::Cached(_) => Some(key),
        Plan::Body | Plan::Pass(_) => None,
    }
}

/// The same request with its document between comments.
fn respelled(body: &[u8]) -> Option<Vec<u8>> {
    let begin = memchr::memmem::find(body, b"\"query\":\"")? + b"\"query\":\"".len();
    // Only where that is the first member can it be nothing else.
    (begin == b"{\"query\":\"".len()).then(|| [&body[..begin], b"#,\\n\\t,", &body[begin..]].concat())
}

/// Whether the adapter says of a request that passes the cache by that it leaves nothing behind.
fn changes_nothing(body: &[u8]) -> bool {
    let request = Request::from_parts(HEAD.clone(), Full::new(Bytes::copy_from_slice(body)));
    let touched = GITHUB.touched_by_request(&request);
    let (request, delivery) = Delivery::of(request);
    let sent = request.into_body().collect();
    futures::executor::block_on(sent).unwrap_or_else(|never| match never {});
    GITHUB.left_by(touched, Ok(StatusCode::OK), &delivery).is_empty()
}

static GITHUB: LazyLock<GitHub> =
    LazyLock::new(|| GitHub::builder().build().expect("the defaults are sound"));
static HEAD: LazyLock<Parts> = LazyLock::new(|| {
    let request = Request::post("/graphql").header("authorization", "token ghp_one");
    request.body(()).expect("the request is well-formed").into_parts().0
});
