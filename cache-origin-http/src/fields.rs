//! Which fields of an answer are kept, and which of them a later one changes (RFC 9111, sections 3.1 and 3.2).

use crate::selecting;
use cache_core::Headers;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The fields of an answer that are kept, in their order; `None` if they are more than an entry may hold.
///
/// `withheld` are those that the origin wants kept from others.
pub(crate) fn kept(headers: &HeaderMap, withheld: &[String]) -> Option<Headers> {
    let named = named_by_connection(headers);
    let is_kept = |name: &HeaderName| {
        !OF_CONNECTION.contains(&name.as_str())
            && !named.contains(name)
            && !withheld.iter().any(|withheld| withheld == name.as_str())
            // Told from the entry itself whenever it is served.
            && *name != header::AGE
            && *name != header::CONTENT_LENGTH
            && !selecting::is_mark(name)
    };
    let fields = headers.iter().filter(|(name, _value)| is_kept(name));
    Headers::of_all(fields.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

/// The fields of a request that reach the origin: without those of the connection, and without those that the client names as such
/// (RFC 9110, section 7.6.1). An answer is selected by these alone, since others had no part in it.
pub(crate) fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut forwarded = headers.clone();
    for name in named_by_connection(headers) {
        forwarded.remove(name);
    }
    OF_CONNECTION.iter().for_each(|name| drop(forwarded.remove(*name)));
    forwarded
}

/// `stored` with those of `headers` in their place that a 304 or the answer to HEAD brings anew.
///
/// What describes the body that is kept stays: the bytes are those that came with it.
pub(crate) fn renewed(stored: &HeaderMap, headers: &HeaderMap) -> HeaderMap {
    let mut renewed = stored.clone();
    for name in headers.keys().filter(|name| !OF_BODY.contains(&name.as_str())) {
        renewed.remove(name);
        for value in headers.get_all(name) {
            renewed.append(name, value.clone());
        }
    }
    renewed
}

/// The fields of an entry, to be sent or read.
pub(crate) fn map(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter_shared() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_maybe_shared(value)) {
            map.append(name, value);
        }
    }
    map
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|names| names.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// Fields that concern one connection, or the one proxy that asked.
const OF_CONNECTION: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Fields that describe the very bytes of a body, and `ETag`, by which they are known.
const OF_BODY: [&str; 6] =
    ["content-encoding", "content-length", "content-md5", "content-range", "etag", "content-digest"];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn names(headers: &HeaderMap, withheld: &[String]) -> Vec<String> {
        let kept = kept(headers, withheld).unwrap();
        kept.iter().map(|(name, _value)| name.to_owned()).collect()
    }

    #[test]
    fn what_concerns_the_connection_or_is_withheld_is_not_kept() {
        let headers = fields(&[
            ("connection", "a, b"),
            ("a", "1"),
            ("b", "2"),
            ("c", "3"),
            ("keep-alive", "x"),
            ("proxy-authenticate", "Basic"),
            ("age", "9"),
            ("content-length", "7"),
            ("set-cookie", "a=b"),
            ("fleet-cache-selecting", "foo"),
        ]);
        assert_eq!(names(&headers, &[]), ["c", "set-cookie"]);
        assert_eq!(names(&headers, &["set-cookie".to_owned()]), ["c"]);
    }

    #[test]
    fn a_renewal_replaces_all_lines_of_a_field_and_nothing_that_describes_the_body() {
        let stored =
            fields(&[("x", "1"), ("x", "2"), ("y", "3"), ("etag", "\"a\""), ("content-length", "5")]);
        let anew = fields(&[("x", "4"), ("z", "5"), ("etag", "\"b\""), ("content-length", "0")]);
        let expected =
            fields(&[("x", "4"), ("y", "3"), ("z", "5"), ("etag", "\"a\""), ("content-length", "5")]);
        assert_eq!(renewed(&stored, &anew), expected);
    }

    #[test]
    fn fields_that_have_no_room_are_not_cut_but_refused() {
        let long = "x".repeat(cache_core::HEADERS_BYTES_MAX);
        assert!(kept(&fields(&[("a", "1"), ("b", &long)]), &[]).is_none());
    }
}
