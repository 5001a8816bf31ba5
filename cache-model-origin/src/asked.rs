//! A request as the model reads it.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header::AsHeaderName};

/// One request, its body received.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Path and query, without an Enterprise prefix: what calls are counted under.
    pub(super) target: String,
    path_bytes: usize,
    pub(super) headers: HeaderMap,
    pub(super) body: Received,
}

/// The body of a request: kept in part, digested in full.
#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Its first [`BODY_KEPT_BYTES_MAX`] bytes.
    pub(super) start: Bytes,
    pub(super) bytes: u64,
    /// Lower-case hexadecimal SHA-256 of all of it.
    pub(super) sha256: String,
}

impl Asked {
    pub(super) fn new(method: Method, uri: &Uri, headers: HeaderMap, body: Received) -> Self {
        let path = match uri.path() {
            "/api/graphql" => "/graphql",
            path => match path.strip_prefix("/api/v3") {
                Some(rest) if rest.starts_with('/') => rest,
                Some(_) | None => path,
            },
        };
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        Self { method, target: format!("{path}{query}"), path_bytes: path.len(), headers, body }
    }

    pub(super) fn path(&self) -> &str {
        &self.target[..self.path_bytes]
    }

    /// The parts of the path between slashes; none for `/`.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path().split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// Names and values of the query, as they were sent.
    pub(super) fn query(&self) -> impl Iterator<Item = (&str, &str)> {
        let query = self.target[self.path_bytes..].trim_start_matches('?');
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// A header as text, empty if absent.
    pub(super) fn header(&self, name: impl AsHeaderName) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// How much of a request's body is kept to be read as JSON, in bytes.
pub(super) const BODY_KEPT_BYTES_MAX: usize = 256 * 1024;
