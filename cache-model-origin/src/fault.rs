//! Ways in which an origin fails, from a polite 500 to bytes that are not HTTP at all.

use super::answer::Answer;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{Response, StatusCode, header};
use serde_json::{Value, json};
use std::{io::Write as _, time::Duration};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

/// A failure in store for calls yet to come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// How the call fails.
    pub kind: FaultKind,
    /// Only calls whose target, query included, contains this text.
    pub path_contains: String,
    /// Only GraphQL operations with this name, if there is one.
    pub operation: Option<String>,
    /// How many such calls fail; [`u32::MAX`] stands for all.
    pub times: u32,
}

impl Fault {
    /// The next `times` calls of any target.
    pub fn new(kind: FaultKind, times: u32) -> Self {
        Self { kind, path_contains: String::new(), operation: None, times }
    }

    /// Every call from now on, until [`super::ModelOrigin::clear_faults`].
    pub fn always(kind: FaultKind) -> Self {
        Self::new(kind, u32::MAX)
    }

    /// The same, for targets that contain `text` alone.
    #[must_use]
    pub fn on(self, text: &str) -> Self {
        Self { path_contains: text.to_owned(), ..self }
    }

    /// The same, for GraphQL operations with this name alone.
    #[must_use]
    pub fn of_operation(self, name: &str) -> Self {
        Self { operation: Some(name.to_owned()), ..self }
    }
}

/// How a call fails. A call is paid for as if it had not failed, except where a kind says that it is free.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FaultKind {
    /// The body claims gzip and is damaged in the middle and at its checksum.
    BadGzip,
    /// Half the body in one chunk, then the connection ends without the last chunk.
    ChunkedCut,
    /// The right answer, this much later.
    Delay(Duration),
    /// Bytes that are not HTTP, then the end of the connection.
    Garbage,
    /// GraphQL's secondary limit: 200 with an error and this `Retry-After`, free of points.
    GraphqlLimit {
        /// Time that the answer asks to wait, in seconds.
        retry_after_seconds: u32,
    },
    /// An over-heavy query: the first half of each list, and an error.
    GraphqlPartial,
    /// A query that takes too long: this status, such as 504, after this time, at the price of these points.
    GraphqlTimeout {
        /// The status of the answer.
        status: u16,
        /// How long it takes.
        delay: Duration,
        /// What is taken from the allowance.
        points: u64,
    },
    /// No answer, and the connection stays open.
    Hang,
    /// The connection is reset before any byte of an answer.
    Reset,
    /// A secondary limit: 403 with this `Retry-After`, free of quota.
    SecondaryLimit {
        /// Time that the answer asks to wait, in seconds.
        retry_after_seconds: u32,
    },
    /// This status with a page of HTML, free of quota, without validators.
    Status(u16),
    /// The head promises the whole body; half of it comes, then the end of the connection.
    Truncate,
}

/// What goes over the wire in place of an answer; hyper has no part in it.
#[derive(Debug)]
pub(super) enum Break {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// The connection is reset.
    Reset,
}

impl Break {
    /// How `kind` breaks the connection that `response` was meant for; `None` if it does not.
    pub(super) fn from_kind(kind: &FaultKind, response: &Response<Bytes>) -> Option<Self> {
        let half = &response.body()[..response.body().len() / 2];
        match kind {
            FaultKind::ChunkedCut => {
                let mut bytes = head(response, "transfer-encoding: chunked");
                bytes.extend(format!("{:x}\r\n", half.len()).bytes());
                bytes.extend(half);
                bytes.extend(b"\r\n");
                Some(Self::Bytes(bytes))
            }
            FaultKind::Garbage => Some(Self::Bytes(b"\x16\x03\x01 not http at all\r\n\r\n".to_vec())),
            FaultKind::Reset => Some(Self::Reset),
            FaultKind::Truncate => {
                let mut bytes = head(response, &format!("content-length: {}", response.body().len()));
                bytes.extend(half);
                Some(Self::Bytes(bytes))
            }
            FaultKind::BadGzip
            | FaultKind::Delay(_)
            | FaultKind::GraphqlLimit { .. }
            | FaultKind::GraphqlPartial
            | FaultKind::GraphqlTimeout { .. }
            | FaultKind::Hang
            | FaultKind::SecondaryLimit { .. }
            | FaultKind::Status(_) => None,
        }
    }

    /// Ends the connection this way. A client that is gone already needs no ending.
    pub(super) async fn inflict(self, mut stream: TcpStream) {
        let _client_may_be_gone = match self {
            Self::Bytes(bytes) => stream.write_all(&bytes).await,
            Self::Reset => stream.set_zero_linger(),
        };
    }
}

/// `response` with a body that claims gzip and is not.
pub(super) fn damage_gzip(response: Response<Bytes>) -> Response<Bytes> {
    let (mut parts, body) = response.into_parts();
    let mut zipped = match parts.headers.get(header::CONTENT_ENCODING) {
        Some(_gzip_already) => body.to_vec(),
        None => gzip(&body),
    };
    let middle = zipped.len() / 2;
    zipped[middle] ^= 0xff;
    let checksum = zipped.len() - 6;
    zipped[checksum] ^= 0xff;
    parts.headers.insert(header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
    Response::from_parts(parts, zipped.into())
}

/// The same bytes for the same body on every run.
pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("writing to a vector cannot fail");
    encoder.finish().expect("writing to a vector cannot fail")
}

/// Status for a fault that is an answer like any other.
pub(super) fn status_of(kind: &FaultKind) -> Option<StatusCode> {
    match kind {
        FaultKind::GraphqlLimit { .. } => Some(StatusCode::OK),
        FaultKind::SecondaryLimit { .. } => Some(StatusCode::FORBIDDEN),
        FaultKind::GraphqlTimeout { status, .. } | FaultKind::Status(status) => {
            Some(StatusCode::from_u16(*status).expect("a test asks for statuses of three digits"))
        }
        FaultKind::BadGzip
        | FaultKind::ChunkedCut
        | FaultKind::Delay(_)
        | FaultKind::Garbage
        | FaultKind::GraphqlPartial
        | FaultKind::Hang
        | FaultKind::Reset
        | FaultKind::Truncate => None,
    }
}

/// `answer` with the first half of every list alone, and an error that says so.
pub(super) fn cut_short(answer: Answer) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    halve(&mut body["data"]);
    let error = json!({
        "type": "RESOURCE_LIMITS_EXCEEDED", "message": "Resource limits for this query exceeded.",
    });
    match body["errors"].as_array_mut() {
        Some(errors) => errors.push(error),
        None => body["errors"] = json!([error]),
    }
    Answer { body: body.to_string().into(), ..answer }
}

fn halve(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.truncate(items.len().div_ceil(2));
            items.iter_mut().for_each(halve);
        }
        Value::Object(fields) => fields.values_mut().for_each(halve),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn head(response: &Response<Bytes>, framing: &str) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend(name.as_str().bytes());
        bytes.extend(b": ");
        bytes.extend(value.as_bytes());
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("{framing}\r\n\r\n").bytes());
    bytes
}
