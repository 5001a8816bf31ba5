//! What a request asks, and whether the cache may answer it.

use crate::{
    directives::{Directives, delta_seconds, members},
    fields,
    range::Ranges,
    selecting::{Selector, VARIANT},
};
use cache_core::{Domain, KEY_BYTES_MAX, Key, freshness};
use http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts, uri::PathAndQuery};
use std::{fmt, time::Duration};

/// How a request is judged by its head.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "each kind is answered in its own way")]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one")]
pub enum Judged {
    /// Only the origin may answer it.
    Pass(Bypass),
    /// The cache may answer it.
    Read(Read),
}

/// Why only the origin may answer a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each is told in its own words")]
pub enum Bypass {
    /// It has a body.
    Body,
    /// Its method reads nothing that is kept.
    Method,
    /// It must leave nothing behind (`no-store`).
    NoStore,
    /// It has a condition that the origin alone can judge (`If-Match`, `If-Unmodified-Since`).
    Precondition,
    /// Its target is longer than a key may be.
    TooLong,
}

impl fmt::Display for Bypass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Body => "the request has a body",
            Self::Method => "the method reads nothing that is kept",
            Self::NoStore => "the request is to leave nothing behind",
            Self::Precondition => "the origin alone can judge the condition",
            Self::TooLong => "the target is too long",
        })
    }
}

/// A request that the cache may answer.
#[derive(Clone, Debug)]
pub struct Read {
    target: PathAndQuery,
    pub(crate) resource: String,
    pub(crate) headers: HeaderMap,
    pub(crate) is_head: bool,
    pub(crate) ranges: Option<Ranges>,
    directives: freshness::Directives,
}

impl Read {
    /// The target, as the client named it: path and query.
    pub fn target(&self) -> &PathAndQuery {
        &self.target
    }

    /// What the request demands of an entry.
    pub fn directives(&self) -> freshness::Directives {
        self.directives
    }

    /// The key of what it asks for, as far as `selector` tells requests apart.
    pub fn key(&self, selector: &Selector) -> Key {
        let mut text = self.resource.clone();
        selector.write_key(&self.headers, &mut text);
        Key::new(&text, Domain::ANONYMOUS)
    }

    /// Whether it asks for the head alone.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether it asks for parts of the body.
    pub fn is_partial(&self) -> bool {
        self.ranges.is_some()
    }

    /// Whether it comes with a credential, so that what it is answered is for all only where the origin says so.
    pub(crate) fn is_authorized(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
    }
}

/// Judges the request with the head `parts`, for an origin whose resources begin with `base`, such as `http://host`.
pub(crate) fn judge(base: &str, parts: &Parts) -> Judged {
    let headers = &parts.headers;
    let is_head = parts.method == Method::HEAD;
    if parts.method != Method::GET && !is_head {
        return Judged::Pass(Bypass::Method);
    }
    if headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
    {
        return Judged::Pass(Bypass::Body);
    }
    if headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_UNMODIFIED_SINCE) {
        return Judged::Pass(Bypass::Precondition);
    }
    let said = Directives::of_field(headers, &header::CACHE_CONTROL);
    if said.has("no-store") {
        return Judged::Pass(Bypass::NoStore);
    }
    let resource = resource(base, &parts.uri);
    if resource.len() > RESOURCE_BYTES_MAX {
        return Judged::Pass(Bypass::TooLong);
    }
    Judged::Read(Read {
        target: parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        resource,
        ranges: headers.get(header::RANGE).and_then(Ranges::of).filter(|_ranges| !is_head),
        headers: fields::forwarded(headers),
        is_head,
        directives: demanded(&said),
    })
}

/// The resource that `uri` names at an origin whose resources begin with `base`.
pub(crate) fn resource(base: &str, uri: &Uri) -> String {
    let local = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    [base, local].concat()
}

fn demanded(said: &Directives) -> freshness::Directives {
    // A limit that is no number is one that nothing can keep (as for responses): the origin is asked.
    let max_age = said.time("max-age");
    let max_stale = match said.find("max-stale") {
        None => Duration::ZERO,
        // Without a value any staleness is accepted: as long as there is (`Duration::MAX` means more than that).
        Some(None) => Duration::MAX / 2,
        Some(Some(value)) => delta_seconds(value).unwrap_or_default(),
    };
    freshness::Directives {
        max_age,
        min_fresh: said.time("min-fresh").unwrap_or_default(),
        max_stale,
        no_cache: said.has("no-cache"),
        only_if_cached: said.has("only-if-cached"),
        ..freshness::Directives::default()
    }
}

/// Whether an `If-None-Match` in `headers` names the tag `etag`, weakly compared (RFC 9110, section 13.1.2). `None` without
/// the field.
pub(crate) fn names_tag(headers: &HeaderMap, etag: Option<&[u8]>) -> Option<bool> {
    let mut lines = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    lines.peek()?;
    let is_named = |line: &HeaderValue| {
        let text = String::from_utf8_lossy(line.as_bytes());
        text.trim() == "*"
            || etag.is_some_and(|etag| members(&text).any(|tag| opaque(tag.as_bytes()) == opaque(etag)))
    };
    Some(lines.any(is_named))
}

/// A tag without its mark of weakness.
pub(crate) fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// Longest resource that is kept: with a variant and the domain it is a key.
const RESOURCE_BYTES_MAX: usize = KEY_BYTES_MAX - VARIANT_BYTES - 40;
/// Bytes of a variant's digest with the space before it.
const VARIANT_BYTES: usize = VARIANT.len_utf8() + 32;

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn judged(method: &str, target: &str, fields: &[(&str, &str)]) -> Judged {
        let request = Request::builder().method(method).uri(target);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        judge("http://o.example", &request.body(()).unwrap().into_parts().0)
    }

    fn read(fields: &[(&str, &str)]) -> Read {
        match judged("GET", "/a?b=c", fields) {
            Judged::Read(read) => read,
            Judged::Pass(reason) => panic!("{reason}"),
        }
    }

    fn bypass(method: &str, target: &str, fields: &[(&str, &str)]) -> Option<Bypass> {
        match judged(method, target, fields) {
            Judged::Read(_) => None,
            Judged::Pass(reason) => Some(reason),
        }
    }

    #[test]
    fn what_the_cache_must_not_answer_passes() {
        assert_eq!(bypass("POST", "/", &[]), Some(Bypass::Method));
        assert_eq!(bypass("GET", "/", &[("cache-control", "no-store")]), Some(Bypass::NoStore));
        assert_eq!(bypass("GET", "/", &[("content-length", "5")]), Some(Bypass::Body));
        assert_eq!(bypass("GET", "/", &[("transfer-encoding", "chunked")]), Some(Bypass::Body));
        assert_eq!(bypass("GET", "/", &[("if-match", "\"a\"")]), Some(Bypass::Precondition));
        assert_eq!(bypass("GET", &format!("/{}", "x".repeat(KEY_BYTES_MAX)), &[]), Some(Bypass::TooLong));
        assert_eq!(bypass("GET", "/", &[("content-length", "0")]), None);
        assert_eq!(bypass("HEAD", "/", &[("cookie", "a=b"), ("authorization", "x")]), None);
    }

    #[test]
    fn what_the_origin_is_not_sent_selects_nothing() {
        let vary = [(header::VARY, "accept-language".parse().unwrap())].into_iter().collect();
        let selector = Selector::of_answer(&vary).unwrap();
        let hidden = read(&[("connection", "close, Accept-Language"), ("accept-language", "fr")]);
        assert_eq!(hidden.key(&selector), read(&[]).key(&selector));
        assert_ne!(hidden.key(&selector), read(&[("accept-language", "fr")]).key(&selector));
        assert!(!read(&[("connection", "authorization"), ("authorization", "x")]).is_authorized());
    }

    #[test]
    fn a_key_names_the_whole_target_at_its_origin() {
        assert_eq!(read(&[]).key(&Selector::default()).resource(), "http://o.example/a?b=c");
    }

    #[test]
    fn directives_of_a_request_are_demands_on_an_entry() {
        let demands = |value| read(&[("cache-control", value)]).directives();
        let second = Duration::from_secs(1);
        assert_eq!(demands("max-age=5").max_age, Some(5 * second));
        assert_eq!(demands("max-age=x").max_age, Some(Duration::ZERO));
        assert_eq!(demands("min-fresh=7").min_fresh, 7 * second);
        assert_eq!(demands("max-stale=9").max_stale, 9 * second);
        assert!(demands("max-stale").max_stale > 1_000_000_000 * second);
        assert_ne!(demands("max-stale").max_stale, Duration::MAX, "that is for programs alone");
        assert!(demands("no-cache").no_cache && demands("only-if-cached").only_if_cached);
        assert_eq!(demands("nothing-to-see-here"), freshness::Directives::default());
    }

    #[test]
    fn a_tag_is_found_in_a_list_and_compared_weakly() {
        let named = |field: &str, etag: &str| {
            let headers = [(header::IF_NONE_MATCH, field.parse().unwrap())].into_iter().collect();
            names_tag(&headers, Some(etag.as_bytes()))
        };
        for field in ["\"a\"", "\"1\", \"a\"", "W/\"a\", \"2\"", "*", "\"x, y\" , \"a\""] {
            assert_eq!(named(field, "\"a\""), Some(true), "{field}");
        }
        assert_eq!(named("\"a\"", "W/\"a\""), Some(true));
        assert_eq!(named("\"b\", \"c, a\"", "\"a\""), Some(false));
        assert_eq!(names_tag(&HeaderMap::new(), Some(b"\"a\"")), None);
    }
}
