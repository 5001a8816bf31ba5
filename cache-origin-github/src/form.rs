//! How a reply is to look to the one client that gets it.
//!
//! What is kept is the origin's own bytes, uncoded. Each client may want them without the body (HEAD),
//! compressed, or not at all because it has them already (304).

use bytes::Bytes;
use cache_core::{Content, Entry, Headers};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::io::Write as _;

/// How a reply is to look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Form {
    /// Whether the body is left out, as HEAD wants it.
    pub head: bool,
    /// The best coding that the client accepts.
    pub coding: Coding,
    /// The client's `If-None-Match`.
    pub if_none_match: Option<HeaderValue>,
    /// The client's `If-Modified-Since`.
    pub if_modified_since: Option<HeaderValue>,
    /// Whether JSON is laid out for reading.
    pub pretty: bool,
}

/// A content coding that replies can have.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Coding {
    /// Compressed, for clients that accept it.
    Gzip,
    /// The body as the entry has it.
    #[default]
    Identity,
}

impl Coding {
    /// The best coding that an `Accept-Encoding` field allows (RFC 9110, section 12.5.3).
    ///
    /// ```
    /// # use {cache_origin_github::Coding, http::HeaderValue};
    /// let coding = |value| Coding::accepted(Some(&HeaderValue::from_static(value)));
    /// assert_eq!(coding("deflate, gzip;q=0.5"), Coding::Gzip);
    /// assert_eq!(coding("gzip;q=0, *"), Coding::Identity);
    /// assert_eq!(Coding::accepted(None), Coding::Identity);
    /// ```
    pub fn accepted(value: Option<&HeaderValue>) -> Self {
        let Some(text) = value.and_then(|value| value.to_str().ok()) else {
            return Self::Identity;
        };
        let (mut gzip, mut any, mut identity) = (None, None, None);
        for part in text.split(',') {
            let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
            let weight = weight(parameters);
            match name.trim() {
                name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                    gzip = Some(weight);
                }
                name if name.eq_ignore_ascii_case("identity") => identity = Some(weight),
                "*" => any = Some(weight),
                _other => {}
            }
        }
        // Uncoded is as good as the least of codings unless the client ranks it.
        let gzip = gzip.or(any).unwrap_or(0);
        if gzip > 0 && gzip >= identity.unwrap_or(0) { Self::Gzip } else { Self::Identity }
    }
}

impl Form {
    /// Whether the client already has what `entry` holds, so that a 304 answers it.
    ///
    /// Compares weakly, as RFC 9110, section 13.1.2 demands, with the tag that was served and the one that the origin
    /// last gave. `If-Modified-Since` counts only without `If-None-Match`.
    pub fn not_modified(&self, entry: &Entry) -> bool {
        let content = entry.content();
        if content.status != 200 {
            return false;
        }
        if let Some(tags) = &self.if_none_match {
            let served = content.headers.get_str("etag");
            let given = entry.validators().etag.as_deref();
            return [served, given].into_iter().flatten().any(|tag| lists_tag(tags, tag));
        }
        let date = |value: &[u8]| httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok();
        let since = self.if_modified_since.as_ref().and_then(|value| date(value.as_bytes()));
        let changed = content.headers.get("last-modified").and_then(date);
        since.zip(changed).is_some_and(|(since, changed)| changed <= since)
    }

    /// The 304 that stands for `content`: the fields that RFC 9110, section 15.4.5 asks for, and `Link`.
    pub fn unchanged_reply(content: &Content) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        for (name, value) in fields(&content.headers) {
            if IN_UNCHANGED.contains(&name.as_str()) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }

    /// The reply that stands for `content`, in this form, once `edit` has changed what it is to change: a door rewrites addresses in it.
    ///
    /// A compressed reply's entity tag is marked weak, as GitHub does it: the bytes differ, the meaning
    /// does not. `Content-Length` is that of the body that GET would give.
    pub fn reply(&self, content: &Content, edit: impl FnOnce(&mut Response<Bytes>)) -> Response<Bytes> {
        let status = StatusCode::from_u16(content.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = Response::new(content.body.clone());
        *response.status_mut() = status;
        response.headers_mut().reserve(content.headers.len() + FIELDS_ADDED);
        response.headers_mut().extend(fields(&content.headers));
        edit(&mut response);
        self.shape(&mut response);
        response
    }

    /// Puts a whole reply into this form: layout, coding, length, and no body for HEAD.
    fn shape(&self, response: &mut Response<Bytes>) {
        let is_json = is_json(response.headers().get(header::CONTENT_TYPE));
        if self.pretty && is_json {
            *response.body_mut() = crate::pretty::lay_out(response.body());
            weaken_tag(response);
        }
        let worth_it = response.body().len() >= GZIP_BYTES_MIN
            && (is_json || is_text(response.headers().get(header::CONTENT_TYPE)))
            && !response.headers().contains_key(header::CONTENT_ENCODING);
        if worth_it {
            name_in_vary(response, "accept-encoding");
        }
        if worth_it && self.coding == Coding::Gzip {
            *response.body_mut() = compress(response.body());
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            weaken_tag(response);
        }
        let status = response.status();
        if status != StatusCode::NO_CONTENT
            && status != StatusCode::NOT_MODIFIED
            && !status.is_informational()
        {
            let length = HeaderValue::from(response.body().len());
            response.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        if self.head {
            *response.body_mut() = Bytes::new();
        }
    }
}

/// Every field of `headers` in the `http` crate's terms; values are shared, not copied.
pub fn fields(headers: &Headers) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    headers.iter_shared().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_maybe_shared(value).ok()?))
    })
}

/// An entity tag without its weakness mark.
pub(crate) fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether a list of entity tags names `tag`, compared weakly. `*` names every tag.
pub(crate) fn lists_tag(list: &HeaderValue, tag: &str) -> bool {
    let Ok(list) = list.to_str() else { return false };
    tags(list).any(|listed| listed == "*" || strong(listed) == strong(tag))
}

/// Whether a list of entity tags names any at all. One that names none (nothing, or `""`) is how programs ask for
/// no answer from a cache.
pub(crate) fn lists_any_tag(list: &HeaderValue) -> bool {
    let Ok(list) = list.to_str() else { return true };
    tags(list).any(|listed| strong(listed) != "\"\"")
}

/// The members of a list of entity tags. A comma inside quotes belongs to its tag (RFC 9110, section 8.8.3), and so
/// does a backslash. What has no quotes ends at the next comma.
fn tags(mut list: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        list = list.trim_start_matches([' ', '\t', ',']);
        let opaque = strong(list);
        let tag = match opaque.strip_prefix('"').and_then(|inner| inner.find('"')) {
            Some(inner_bytes) => &list[..list.len() - opaque.len() + inner_bytes + 2],
            None => list.split(',').next().unwrap_or(list),
        };
        list = &list[tag.len()..];
        (!tag.is_empty()).then(|| tag.trim_end())
    })
}

/// A weight in thousandths; 0 when it cannot be read.
fn weight(parameters: &str) -> u32 {
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(weight) = weight else { return 1000 };
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let plain = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" if fraction.bytes().all(|byte| byte == b'0') => 1000,
        "0" if plain => format!("{fraction:0<3}").parse().unwrap_or(0),
        _other => 0,
    }
}

fn weaken_tag(response: &mut Response<Bytes>) {
    let tag = response.headers().get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    if let Some(weak) = tag.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()) {
        response.headers_mut().insert(header::ETAG, weak);
    }
}

fn name_in_vary(response: &mut Response<Bytes>, field: &str) {
    let named = response.headers().get_all(header::VARY).iter().any(|value| {
        let value = value.to_str().unwrap_or("");
        value.split(',').any(|name| name.trim().eq_ignore_ascii_case(field))
    });
    if !named {
        response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Whether a body is JSON of the origin's own making. A file that a client asked for raw is not, although
/// its type may end in `+json` as well.
pub(crate) fn is_json(content_type: Option<&HeaderValue>) -> bool {
    essence(content_type).eq_ignore_ascii_case("application/json")
}

fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let essence = essence(content_type);
    essence.starts_with("text/")
        || essence.starts_with("application/vnd.github")
        || matches!(essence, "application/xml" | "application/atom+xml" | "application/javascript")
}

fn essence(content_type: Option<&HeaderValue>) -> &str {
    let text = content_type.and_then(|value| value.to_str().ok()).unwrap_or("");
    text.split(';').next().unwrap_or("").trim()
}

fn compress(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).expect("a vector takes whatever is written");
    encoder.finish().expect("a vector takes whatever is written").into()
}

/// Smallest body worth compressing, in bytes: less than about one network packet saves nothing.
const GZIP_BYTES_MIN: usize = 1024;

/// Fields that are added to an entry's own on its way out: length, coding, and those of a door.
const FIELDS_ADDED: usize = 4;
/// What a 304 repeats of the answer it stands for.
const IN_UNCHANGED: [&str; 9] = [
    "cache-control",
    "content-location",
    "date",
    "etag",
    "expires",
    "last-modified",
    "link",
    "vary",
    "x-github-media-type",
];

#[cfg(test)]
mod tests;
