//! What an answer says of how it may be kept: `Cache-Control`, `Expires`, `Age` and `Vary` (RFC 9111).
//!
//! Reads the directives. [`crate::answer`] decides what they count for beside the rule of a route.

use crate::directive::{directives, seconds};
use http::{HeaderMap, HeaderValue, header};
use std::time::{Duration, SystemTime};

/// What the fields of one answer say. Where they contradict one another, what keeps less counts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Terms {
    /// `no-store`: it may not be kept.
    pub(crate) no_store: bool,
    /// `no-cache`: it may not be served again before the origin was asked.
    pub(crate) no_cache: bool,
    /// `must-revalidate` or `proxy-revalidate`: it may not be served once it is stale.
    pub(crate) must_revalidate: bool,
    /// For how long the origin calls it fresh, from age zero; `None` if it does not say.
    pub(crate) lifetime: Option<Duration>,
    /// How old it was when it came, by the origin's word or that of a cache before it.
    pub(crate) age: Duration,
}

impl Terms {
    /// The terms of an answer with `headers` that came at `now`.
    ///
    /// `s-maxage` is read as another `max-age`: a domain is neither one client nor the public. It does not forbid
    /// stale answers here, although RFC 9111, section 5.2.2.10, has it so for shared caches: GitHub puts it on every
    /// answer, and a domain's stale answer goes only to a reader that was given it fresh.
    ///
    /// A directive with an argument that names fields (`no-cache="x"`) counts like one without. A lifetime that
    /// cannot be read is over (section 4.2.1). `Date` is not compared with the node's own clock, which may be the one
    /// that is wrong.
    pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        let mut terms = Self { age: age(headers), ..Self::default() };
        for (name, argument) in headers.get_all(header::CACHE_CONTROL).iter().flat_map(directives) {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            terms.no_store |= is("no-store");
            terms.no_cache |= is("no-cache");
            terms.must_revalidate |= is("must-revalidate") || is("proxy-revalidate");
            if is("max-age") || is("s-maxage") {
                let said = seconds(argument).unwrap_or_default();
                terms.lifetime = Some(terms.lifetime.map_or(said, |shortest| shortest.min(said)));
            }
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            let pragma = headers.get_all(header::PRAGMA).iter().flat_map(directives);
            terms.no_cache |= pragma.into_iter().any(|(name, _)| name.eq_ignore_ascii_case("no-cache"));
        }
        if terms.lifetime.is_none() {
            terms.lifetime = headers.get(header::EXPIRES).map(|expires| until(expires, headers, now));
        }
        terms
    }
}

/// Time from `Date`, or from `now` where there is none, to `expires`. A date that cannot be read has passed.
fn until(expires: &HeaderValue, headers: &HeaderMap, now: SystemTime) -> Duration {
    let date = |value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
    let made = headers.get(header::DATE).and_then(date).unwrap_or(now);
    date(expires).and_then(|expires| expires.duration_since(made).ok()).unwrap_or_default()
}

/// The first `Age`; zero where there is none that can be read (RFC 9111, section 5.1).
fn age(headers: &HeaderMap) -> Duration {
    let text = headers.get(header::AGE).and_then(|value| value.to_str().ok());
    let first = text.and_then(|text| text.split(',').next());
    seconds(first.map(str::trim)).unwrap_or_default()
}

/// The names of fields on which an answer with `headers` depends, `*` for more than fields.
pub(crate) fn varying(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::VARY).iter();
    // A value that is not text names something that we cannot compare.
    let texts = values.map(|value| value.to_str().unwrap_or("*"));
    texts.flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
