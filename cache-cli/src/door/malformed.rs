//! What a client is told whose request has no head that can be read.
//!
//! The parser refuses such a request with a bare status line before any service sees it. This module tells the
//! client, and its operator, more.

use super::problem::DoorError;
use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode, header};
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{debug, info};

/// A refusal with a body, in place of `bytes` if those are the parser's own; `head` is what it refused.
pub(super) fn in_place_of(bytes: &[u8], head: &[u8]) -> Option<Bytes> {
    let line = bytes.strip_prefix(b"HTTP/1.1 ").filter(|_rest| bytes.len() <= REFUSAL_BYTES_MAX)?;
    let status = StatusCode::from_bytes(line.get(..3)?).ok()?;
    // What a service answers always says more.
    let is_bare = status.is_client_error()
        && bytes.ends_with(b"\r\n\r\n")
        && memchr::memmem::find(bytes, b"content-length: 0\r\n").is_some()
        && memchr::memmem::find(bytes, b"cache-status").is_none();
    is_bare.then(|| rendered(&error(status, head)))
}

/// The refusal of a head that did not come to its end in time.
pub(super) fn too_slow() -> Bytes {
    let text = "the request did not come in time";
    rendered(&DoorError::new(StatusCode::REQUEST_TIMEOUT, "slow-request", text))
}

fn error(status: StatusCode, head: &[u8]) -> DoorError {
    let nothing_sent = "it was sent nowhere";
    match status {
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => DoorError::new(
            status,
            "head-too-large",
            format!(
                "the head of this request is longer, or has more fields, than this door takes; {nothing_sent}"
            ),
        )
        .with_remedy("send fewer and shorter headers: at most 128, and 64 KiB in all"),
        StatusCode::URI_TOO_LONG => DoorError::new(
            status,
            "target-too-long",
            format!("the target of this request is too long; {nothing_sent}"),
        ),
        _other => match fault(head) {
            Fault::Coding => DoorError::coding_unknown(),
            Fault::Syntax(problem) => DoorError::new(
                status,
                "malformed",
                format!("this is not a request of HTTP/1.1 ({problem}); {nothing_sent}"),
            )
            .with_remedy(
                "send a method, an absolute path without spaces, `HTTP/1.1`, and one `name: value` a line",
            ),
        },
    }
}

enum Fault {
    Coding,
    Syntax(String),
}

/// What the parser had against `head`, of which it kept nothing.
fn fault(head: &[u8]) -> Fault {
    let mut fields = [httparse::EMPTY_HEADER; super::HEADER_FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Err(error) => Fault::Syntax(error.to_string()),
        Ok(httparse::Status::Partial) => Fault::Syntax("its head has no end".to_owned()),
        Ok(httparse::Status::Complete(_bytes)) => {
            let framing = |name: &'static str| {
                request
                    .headers
                    .iter()
                    .filter(move |field| field.name.eq_ignore_ascii_case(name))
                    .map(|field| field.value)
            };
            let is_old = request.version == Some(0);
            if framing("transfer-encoding").any(|coding| !is_old && !coding.eq_ignore_ascii_case(b"chunked"))
            {
                Fault::Coding
            } else if framing("transfer-encoding").next().is_some() {
                Fault::Syntax("HTTP/1.0 has no Transfer-Encoding".to_owned())
            } else if framing("content-length").next().is_some() {
                Fault::Syntax("its Content-Length, or its target, has no meaning".to_owned())
            } else {
                Fault::Syntax("its target is not a URI".to_owned())
            }
        }
    }
}

/// `error` as it goes over the wire; the connection ends behind it.
fn rendered(error: &DoorError) -> Bytes {
    let response: Response<Bytes> = error.response();
    let status = response.status();
    let mut out = BytesMut::new();
    out.extend_from_slice(
        format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("")).as_bytes(),
    );
    for (name, value) in response.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let length = response.body().len();
    out.extend_from_slice(
        format!("{}: {length}\r\n{}: close\r\n\r\n", header::CONTENT_LENGTH, header::CONNECTION).as_bytes(),
    );
    out.extend_from_slice(response.body());
    out.freeze()
}

/// Logs refused heads: each one at level `debug`, and their number at `info` at most once in [`TOLD_EVERY_MILLIS`].
#[derive(Debug, Default)]
pub(super) struct RefusedHeads {
    count: AtomicU64,
    told_count: AtomicU64,
    told_again_at: AtomicU64,
}

impl RefusedHeads {
    /// Notes one that was refused at the door's time `now`.
    pub(super) fn note(&self, now: u64, reason: &hyper::Error) {
        debug!(%reason, "a request without a readable head was refused");
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let due = self.told_again_at.load(Ordering::Relaxed);
        let next = now + TOLD_EVERY_MILLIS;
        let mine = now >= due
            && self.told_again_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine {
            let since_last = count - self.told_count.swap(count, Ordering::Relaxed);
            info!(%reason, requests = since_last, "requests without a readable head were refused");
        }
    }
}

/// Longest refusal of the parser, in bytes: a status line, a length, a date, and room.
const REFUSAL_BYTES_MAX: usize = 256;
/// How often the log tells of refused heads, in milliseconds.
const TOLD_EVERY_MILLIS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ndate: today\r\n\r\n";

    fn told(head: &str) -> String {
        let told = in_place_of(BARE, head.as_bytes()).unwrap();
        String::from_utf8(told.to_vec()).unwrap()
    }

    #[test]
    fn a_bare_refusal_gets_a_body_that_names_the_fault() {
        let table = [
            ("GET / HTTP/9.9\r\n\r\n", "400", "version"),
            ("GET /a b HTTP/1.1\r\n\r\n", "400", "version"),
            ("GET / HTTP/1.1\r\na b: c\r\n\r\n", "400", "header name"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "501", "coding"),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400", "HTTP/1.0"),
            ("POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\n", "400", "Content-Length"),
        ];
        for (head, status, reason) in table {
            let told = told(head);
            assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {told}");
            assert!(told.contains(reason) && told.contains("fleet_cache"), "{head}: {told}");
        }
    }

    #[test]
    fn an_answer_of_a_service_is_left_alone() {
        for answer in [
            &b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ncache-status: fleet-cache\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            b"",
        ] {
            assert_eq!(in_place_of(answer, b""), None);
        }
    }
}
