//! From what the node answers to what the client is sent.

use super::{
    DoorBody, cache_status,
    host::Urls,
    problem::CACHE_STATUS,
    rendered::{Kind, RenderedReplies},
    rewrite::ApiUrls,
    web,
};
use bytes::Bytes;
use fleet_cache::{Provenance, Reply, ReplyBody, http_cache::HttpReply};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

/// The response for `reply` to a request with `method`, its URLs as the client needs them.
pub(crate) fn shape(
    reply: Reply,
    method: &Method,
    urls: &Urls,
    api: &ApiUrls,
    rendered: &RenderedReplies,
) -> Response<DoorBody> {
    let cache_status = cache_status::of_reply(&reply);
    let age = reply.age();
    let mut response = match Kind::of(&reply, urls) {
        None => render(reply, method, urls, api),
        Some(kind) => match rendered.find(kind) {
            Some(response) => response.map(DoorBody::whole),
            None => {
                let kind = kind.owned();
                let response = reply.into_response_with(|response| rewrite(response, urls, api));
                let response = response.map(|body| body.whole().unwrap_or_default());
                rendered.remember(kind, &response);
                response.map(DoorBody::whole)
            }
        },
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_STATUS, cache_status);
    if let Some(age) = age {
        headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    }
    response
}

/// The response for what was answered by the rules of HTTP alone.
pub(crate) fn of_http(reply: HttpReply) -> Response<DoorBody> {
    let cache_status = cache_status::of_http(&reply);
    let mut response = reply.response.map(DoorBody::Reply);
    response.headers_mut().append(CACHE_STATUS, cache_status);
    response
}

fn render(reply: Reply, method: &Method, urls: &Urls, api: &ApiUrls) -> Response<DoorBody> {
    let provenance = reply.provenance();
    let response = reply.into_response_with(|response| rewrite(response, urls, api));
    match (urls, provenance) {
        (Urls::Rewritten(target), Provenance::Passed(_) | Provenance::Oversize) if method != Method::HEAD => {
            rewrite_stream(response, target, api)
        }
        _whole => response.map(DoorBody::Reply),
    }
}

fn rewrite(response: &mut Response<Bytes>, urls: &Urls, api: &ApiUrls) {
    web::withhold(response.headers_mut());
    let Urls::Rewritten(target) = urls else { return };
    rewrite_fields(response.headers_mut(), target, api);
    if is_api_json(response.headers())
        && let Some(body) = api.rewrite_body(response.body(), target)
    {
        *response.body_mut() = body.into();
    }
}

fn rewrite_fields(headers: &mut HeaderMap, target: &str, api: &ApiUrls) {
    for name in [header::LINK, header::LOCATION] {
        let header::Entry::Occupied(mut field) = headers.entry(name) else {
            continue;
        };
        for value in field.iter_mut() {
            let rewritten = api.rewrite_field(value.as_bytes(), target);
            if let Some(rewritten) = rewritten.and_then(|bytes| HeaderValue::try_from(bytes).ok()) {
                *value = rewritten;
            }
        }
    }
}

fn rewrite_stream(mut response: Response<ReplyBody>, target: &str, api: &ApiUrls) -> Response<DoorBody> {
    let ends = hyper::body::Body::is_end_stream(response.body());
    // A part has no beginning from which it could be followed, and its place is told in bytes.
    let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
    if ends || is_part || !is_api_json(response.headers()) {
        return response.map(DoorBody::Reply);
    }
    // The length is known only when the last URL has been seen.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.map(|origin| DoorBody::Rewritten { origin, rewriter: Some(api.stream(target)) })
}

/// Whether a body is the API's own JSON, uncoded.
///
/// Files and diffs have media types of their own (`application/vnd.github.raw`, `….diff`), even when the
/// file is JSON.
fn is_api_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or(b"");
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
        && !headers.contains_key(header::CONTENT_ENCODING)
}
