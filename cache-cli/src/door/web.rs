//! Web pages at the door.
//!
//! A browser sends requests of any page to this machine, and the API lets every page read its answers. Through the
//! door a page would read with the rights, and at the cost, of the browser's user, so pages are refused unless the
//! operator names their origin. Requests by other names of this machine are refused elsewhere, by their `Host`.
//!
//! Only doors that browsers reach look.

use super::problem::DoorError;
use crate::settings::WebOrigin;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

/// Tells whether a request comes from a page that may read.
///
/// Returns the origin of a page that may use the door and expects to be told so; `None` for programs, for addresses
/// that a person typed, and for pages of this very address.
///
/// # Errors
///
/// When it comes from any other page.
pub(super) fn admit(headers: &HeaderMap, allowed: &[WebOrigin]) -> Result<Option<HeaderValue>, DoorError> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return match headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes) {
            None | Some(b"none" | b"same-origin") => Ok(None),
            Some(_another_page) => Err(refused(None)),
        };
    };
    if origins.next().is_some() {
        return Err(refused(None));
    }
    if allowed.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_str().as_bytes())) {
        return Ok(Some(origin.clone()));
    }
    if is_own(origin, headers.get(header::HOST)) { Ok(None) } else { Err(refused(Some(origin))) }
}

/// Whether a request comes from no page but one of the very address that it names.
pub(crate) fn is_of_own_page(headers: &HeaderMap) -> bool {
    admit(headers, &[]).is_ok()
}

/// The answer to a browser that asks what a page of `origin` may send; `None` if `headers` ask no such thing.
pub(super) fn preflight(
    method: &Method,
    headers: &HeaderMap,
    origin: &HeaderValue,
) -> Option<Response<bytes::Bytes>> {
    if method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = Response::new(bytes::Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let told = response.headers_mut();
    told.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    told.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        told.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    if headers.contains_key(REQUEST_PRIVATE_NETWORK) {
        told.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    told.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
    told.insert(header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
    Some(response)
}

/// Lets a page of `origin` read an answer with `headers`.
pub(super) fn open(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// Takes out of an answer what the API says of pages: that concerns its own address.
pub(super) fn withhold(headers: &mut HeaderMap) {
    for name in OF_PAGES {
        headers.remove(name);
    }
}

/// Whether `origin` is a page of the very address that the request names.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let named = |value: &HeaderValue| {
        let text = value.to_str().ok()?.to_ascii_lowercase();
        Some(text.strip_suffix(":80").map_or(text.clone(), str::to_owned))
    };
    let own = origin.to_str().ok().and_then(|text| text.strip_prefix("http://"));
    own.is_some() && own.map(str::to_ascii_lowercase) == host.and_then(named)
}

fn refused(origin: Option<&HeaderValue>) -> DoorError {
    let named = origin.and_then(|origin| origin.to_str().ok()).filter(|text| *text != "null");
    let page =
        named.map_or("a web page of another origin".to_owned(), |origin| format!("a web page of {origin}"));
    let remedy = match named {
        Some(origin) => format!("if the page is yours, start the daemon with --allow-web-origin {origin}"),
        None => "if the page is yours, give it an origin, start the daemon with --allow-web-origin ORIGIN, and let \
                 it use fetch with CORS"
            .to_owned(),
    };
    let message = format!("{page} may not use this door; the request was not sent anywhere");
    DoorError::new(StatusCode::FORBIDDEN, "web-page", message).with_remedy(remedy)
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// Everything that a server tells browsers about pages of other origins (Fetch, section 3.3.3).
const OF_PAGES: [HeaderName; 7] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
    ALLOW_PRIVATE_NETWORK,
];
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// How long a browser may remember what it was told: its operator may change the setting within minutes.
const PREFLIGHT_SECONDS: &str = "600";
/// Those that GitHub exposes and clients read, and the door's own.
const EXPOSED: &str = "ETag, Link, Location, Retry-After, Last-Modified, Age, Cache-Status, X-RateLimit-Limit, \
                       X-RateLimit-Remaining, X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, \
                       X-OAuth-Scopes, X-Accepted-OAuth-Scopes, X-Accepted-GitHub-Permissions, X-Poll-Interval, \
                       X-GitHub-Media-Type, X-GitHub-SSO, X-GitHub-Request-Id, Deprecation, Sunset";

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn admitted(fields: &[(&'static str, &'static str)]) -> Result<Option<HeaderValue>, DoorError> {
        let allowed = ["https://ours.example", "chrome-extension://abc"].map(|text| text.parse().unwrap());
        let host = [("host", "127.0.0.1:8484")];
        admit(&map(&[&host, fields].concat()), &allowed)
    }

    #[test]
    fn programs_and_typed_addresses_come_in_without_a_word() {
        let table: [&[(&str, &str)]; 5] = [
            &[],
            // What Node's fetch sends.
            &[("sec-fetch-mode", "cors"), ("accept", "*/*")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:8484"), ("sec-fetch-site", "same-origin")],
        ];
        for fields in table {
            assert_eq!(admitted(fields), Ok(None), "{fields:?}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused_whatever_they_send() {
        let table: [&[(&str, &str)]; 12] = [
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "chrome-extension://other")],
            &[("origin", "http://127.0.0.1:3000")],
            &[("origin", "https://127.0.0.1:8484")],
            &[("origin", "https://ours.example.evil.example")],
            &[("origin", "https://ours.example"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "something-new")],
        ];
        for fields in table {
            let error = admitted(fields).unwrap_err();
            assert_eq!(error.response().status(), 403, "{fields:?}");
            assert!(String::from_utf8_lossy(error.response().body()).contains("--allow-web-origin"));
        }
    }

    #[test]
    fn a_page_that_the_operator_named_may_read() {
        for origin in ["https://ours.example", "chrome-extension://abc"] {
            let fields = [("origin", origin), ("sec-fetch-site", "cross-site")];
            assert_eq!(admitted(&fields), Ok(Some(HeaderValue::from_static(origin))));
        }
    }

    #[test]
    fn a_browser_that_asks_first_is_told_what_a_named_page_may_send() {
        let origin = HeaderValue::from_static("https://ours.example");
        let asked = map(&[
            ("access-control-request-method", "PATCH"),
            ("access-control-request-headers", "authorization,x-github-api-version"),
        ]);
        let response = preflight(&Method::OPTIONS, &asked, &origin).unwrap();
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["access-control-allow-origin"], "https://ours.example");
        let allowed = &response.headers()["access-control-allow-headers"];
        assert_eq!(allowed, "authorization,x-github-api-version");
        assert!(preflight(&Method::GET, &asked, &origin).is_none());
        assert!(preflight(&Method::OPTIONS, &map(&[]), &origin).is_none());
    }

    #[test]
    fn what_the_api_says_of_pages_is_not_repeated() {
        let mut headers = map(&[
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "ETag"),
            ("etag", "\"a\""),
        ]);
        withhold(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["etag"]);
        open(&mut headers, HeaderValue::from_static("https://ours.example"));
        assert_eq!(headers["access-control-allow-origin"], "https://ours.example");
        assert_eq!(headers["vary"], "Origin");
    }
}
