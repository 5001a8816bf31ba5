//! What a request is answered from an entry (RFC 9111, section 4.3.2): whole, in part, its head alone, or that it has it.

use crate::{Read, fields, lifetime, request};
use bytes::Bytes;
use cache_core::{Content, Entry, Timestamp, freshness};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

/// Whether an answer comes from the cache, or was just given by the origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Origin {
    /// It was kept before this request came.
    Cache,
    /// It was made or confirmed for this request.
    Server,
}

/// The reply to `read` from `entry` at `now`.
///
/// `Age` tells how old it is; where the origin has just made or confirmed it, only if it came old, since an `Age` means that
/// the origin was not asked (RFC 9111, section 5.1).
pub(crate) fn of_entry(read: &Read, entry: &Entry, now: Timestamp, from: Origin) -> Response<Bytes> {
    let mut response = of_content(read, entry.content());
    let age = freshness::age(entry, now).as_secs();
    if from == Origin::Cache || age > 0 {
        response.headers_mut().insert(header::AGE, HeaderValue::from(age));
    }
    response
}

/// The reply to `read` that stands for `content`.
pub(crate) fn of_content(read: &Read, content: &Content) -> Response<Bytes> {
    let mut headers = fields::map(&content.headers);
    let status = StatusCode::from_u16(content.status).unwrap_or(StatusCode::BAD_GATEWAY);
    if status == StatusCode::OK && is_unchanged(read, &headers) {
        return made(StatusCode::NOT_MODIFIED, of_unchanged(&headers), Bytes::new());
    }
    let body = if read.is_head { Bytes::new() } else { content.body.clone() };
    if let (StatusCode::OK, Some(ranges)) =
        (status, read.ranges.filter(|_ranges| may_have_part(read, &headers)))
    {
        let (status, body, place) = match ranges.of_body(&content.body) {
            Ok((part, place)) => (StatusCode::PARTIAL_CONTENT, part, place),
            Err(place) => (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new(), place),
        };
        headers.insert(header::CONTENT_RANGE, place);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        return made(status, headers, body);
    }
    let has_body = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_body && (!read.is_head || !content.body.is_empty()) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.body.len()));
    }
    made(status, headers, body)
}

fn made(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

/// Whether the client has already what an answer with `headers` would bring (RFC 9111, section 4.3.2).
fn is_unchanged(read: &Read, headers: &HeaderMap) -> bool {
    let etag = headers.get(header::ETAG).map(HeaderValue::as_bytes);
    if let Some(is_named) = request::names_tag(&read.headers, etag) {
        return is_named;
    }
    let since = read.headers.get(header::IF_MODIFIED_SINCE).and_then(lifetime::http_date);
    // Without `Last-Modified` it changed by the time of its `Date` at the latest.
    let changed = headers.get(header::LAST_MODIFIED).and_then(lifetime::http_date);
    let changed = changed.or_else(|| lifetime::date(headers));
    since.zip(changed).is_some_and(|(since, changed)| changed <= since)
}

/// Whether a part is of use to the client: it has other parts of what has `headers`, or none (RFC 9110, section 13.1.5).
fn may_have_part(read: &Read, headers: &HeaderMap) -> bool {
    let Some(condition) = read.headers.get(header::IF_RANGE) else { return true };
    let is_tag = condition.as_bytes().ends_with(b"\"");
    let is_strong = !condition.as_bytes().starts_with(b"W/");
    let name = if is_tag { header::ETAG } else { header::LAST_MODIFIED };
    is_strong && headers.get(name) == Some(condition)
}

/// The fields of a 304: without those that describe the body that is not sent (RFC 9110, section 15.4.5).
fn of_unchanged(headers: &HeaderMap) -> HeaderMap {
    let is_of_body = |name: &HeaderName| {
        name.as_str().starts_with("content-")
            && *name != header::CONTENT_LOCATION
            && *name != CONTENT_SECURITY_POLICY
    };
    headers
        .iter()
        .filter(|(name, _value)| !is_of_body(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

const CONTENT_SECURITY_POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

#[cfg(test)]
mod tests;
