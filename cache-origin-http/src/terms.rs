//! What a response says of itself as something to keep.
//!
//! Owns which of its fields say so: a targeted field (RFC 9213) that this cache answers to overrules `Cache-Control` and
//! `Expires`; without one those count.

use crate::directives::Directives;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sfv::{BareItem, Dictionary, ListEntry, Parser};
use std::time::Duration;

/// The directives of a response that hold for this cache.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Terms {
    directives: Directives,
    /// Whether `Expires` is overruled, whatever the directives say.
    pub(crate) is_targeted: bool,
}

impl Terms {
    /// The terms of a response with `headers`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let targeted = TARGETED.iter().find_map(|name| targeted(headers, name));
        match targeted {
            Some(directives) => Self { directives, is_targeted: true },
            None => {
                Self { directives: Directives::of_field(headers, &header::CACHE_CONTROL), is_targeted: false }
            }
        }
    }

    /// For how long the directives let a shared cache serve it: `s-maxage` before `max-age`.
    pub(crate) fn explicit(&self) -> Option<Duration> {
        self.directives.time("s-maxage").or_else(|| self.directives.time("max-age"))
    }

    /// Whether it is to be asked about before every use.
    pub(crate) fn no_cache(&self) -> bool {
        self.directives.names("no-cache").is_some_and(|names| names.is_empty())
    }

    /// Whether it must not be kept. `must-understand` overrules `no-store` where the `status` is understood, and forbids
    /// to keep it where it is not (RFC 9111, section 5.2.2.3).
    pub(crate) fn no_store(&self, status: u16) -> bool {
        match self.directives.has("must-understand") {
            true => !UNDERSTOOD.contains(&status),
            false => self.directives.has("no-store"),
        }
    }

    /// Whether it is for one user alone.
    pub(crate) fn is_private(&self) -> bool {
        self.directives.names("private").is_some_and(|names| names.is_empty())
    }

    /// Whether the origin says that everybody may have it.
    pub(crate) fn is_public(&self) -> bool {
        self.directives.has("public")
    }

    /// Whether it may answer others than the user whose `Authorization` it was given to (RFC 9111, section 3.5).
    pub(crate) fn is_for_all(&self) -> bool {
        self.is_public() || self.directives.has("s-maxage") || self.directives.has("must-revalidate")
    }

    /// Whether it must not be served once it is stale, come what may (RFC 9111, sections 5.2.2.2, 5.2.2.8 and 5.2.2.10).
    pub(crate) fn never_stale(&self) -> bool {
        let forbids = |name: &&str| self.directives.has(name);
        self.no_cache() || ["must-revalidate", "proxy-revalidate", "s-maxage"].iter().any(forbids)
    }

    /// For how long past its lifetime it is served while it is renewed (RFC 5861, section 3).
    pub(crate) fn while_revalidating(&self) -> Option<Duration> {
        self.directives.time("stale-while-revalidate")
    }

    /// For how long past its lifetime it stands in for an origin that fails (RFC 5861, section 4).
    pub(crate) fn if_error(&self) -> Option<Duration> {
        self.directives.time("stale-if-error")
    }

    /// The fields that are not to be kept: those that `no-cache` and `private` name.
    pub(crate) fn withheld(&self) -> Vec<String> {
        let named = ["no-cache", "private"].iter().filter_map(|name| self.directives.names(name));
        named.flatten().collect()
    }
}

/// The directives of the targeted field `name`; `None` where it is missing or no such field by its syntax, and so to be
/// ignored (RFC 9213, section 2.1).
fn targeted(headers: &HeaderMap, name: &HeaderName) -> Option<Directives> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let whole = lines.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    let dictionary: Dictionary = Parser::new(&whole).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut pairs = Vec::with_capacity(dictionary.len());
    for (name, entry) in dictionary {
        let ListEntry::Item(item) = entry else { return None };
        let value = match item.bare_item {
            BareItem::Boolean(true) => None,
            // A directive that is switched off is as good as absent.
            BareItem::Boolean(false) => continue,
            BareItem::Integer(number) => Some(i64::from(number).to_string()),
            BareItem::String(text) if !TIMES.contains(&name.as_str()) => Some(text.as_str().to_owned()),
            BareItem::Token(text) if !TIMES.contains(&name.as_str()) => Some(text.as_str().to_owned()),
            _other if TIMES.contains(&name.as_str()) => return None,
            _other => Some(String::new()),
        };
        pairs.push((name.as_str().to_owned(), value));
    }
    Some(Directives::of_pairs(pairs))
}

/// The targeted fields that this cache answers to, the nearest first (RFC 9213, section 2.2).
pub(crate) const TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("fleet-cache-control"), HeaderName::from_static("cdn-cache-control")];

/// Directives whose value is a number of seconds.
const TIMES: [&str; 4] = ["max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"];

/// Status codes whose caching requirements this cache keeps (RFC 9110, section 15).
const UNDERSTOOD: [u16; 38] = [
    200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411,
    412, 413, 414, 415, 416, 417, 421, 422, 426, 451, 500, 501, 502, 503, 504, 505, 511,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(fields: &[(&'static str, &str)]) -> Terms {
        let fields =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Terms::of(&fields.collect())
    }

    fn explicit(fields: &[(&'static str, &str)]) -> Option<u64> {
        terms(fields).explicit().map(|time| time.as_secs())
    }

    #[test]
    fn a_shared_cache_goes_by_s_maxage_in_whatever_order() {
        assert_eq!(explicit(&[("cache-control", "max-age=1, s-maxage=3600")]), Some(3600));
        assert_eq!(explicit(&[("cache-control", "s-maxage=1, max-age=3600")]), Some(1));
        assert_eq!(explicit(&[("cache-control", "max-age=60")]), Some(60));
        assert_eq!(explicit(&[("expires", "0")]), None);
    }

    #[test]
    fn a_targeted_field_overrules_the_others_and_the_nearest_target_counts() {
        let both = [("cache-control", "no-store"), ("cdn-cache-control", "max-age=10000")];
        let found = terms(&both);
        assert!(found.is_targeted && !found.no_store(200));
        assert_eq!(explicit(&both), Some(10000));
        let own = [("cdn-cache-control", "max-age=10000"), ("fleet-cache-control", "max-age=5, foo")];
        assert_eq!(explicit(&own), Some(5));
        assert!(terms(&[("cache-control", "max-age=9"), ("cdn-cache-control", "private")]).is_private());
        assert!(terms(&[("cache-control", "max-age=9"), ("cdn-cache-control", "no-cache")]).no_cache());
    }

    #[test]
    fn a_targeted_field_that_is_no_dictionary_is_ignored() {
        for broken in [
            "max-age=10000, &&&&&",
            "max-age=\"10000\"",
            "",
            "max-age =100",
            "max-age= 100",
            "MaX-aGe=1",
            "max-age=(1 2)",
        ] {
            let found = terms(&[("cache-control", "no-store"), ("cdn-cache-control", broken)]);
            assert!(!found.is_targeted && found.no_store(200), "{broken}");
        }
    }

    #[test]
    fn lines_of_a_targeted_field_are_one_dictionary() {
        let found = terms(&[("cdn-cache-control", "max-age=7"), ("cdn-cache-control", "must-revalidate")]);
        assert!(found.never_stale());
        assert_eq!(found.explicit(), Some(Duration::from_secs(7)));
        assert!(!terms(&[("cdn-cache-control", "no-store=?0, max-age=7")]).no_store(200));
        assert_eq!(explicit(&[("cdn-cache-control", "max-age=-1")]), Some(0));
    }

    #[test]
    fn must_understand_overrules_no_store_for_a_status_that_is_understood_and_forbids_others() {
        let guarded = terms(&[("cache-control", "max-age=9, no-store, must-understand")]);
        assert!(!guarded.no_store(200) && guarded.no_store(599) && guarded.no_store(206));
        assert!(terms(&[("cache-control", "must-understand")]).no_store(299));
    }

    #[test]
    fn directives_with_a_list_mean_its_fields_alone() {
        let some = terms(&[("cache-control", "private=\"set-cookie\", no-cache=\"a, b\"")]);
        assert!(!some.is_private() && !some.no_cache() && !some.never_stale());
        assert_eq!(some.withheld(), ["a", "b", "set-cookie"]);
    }

    #[test]
    fn an_answer_to_one_credential_is_for_all_only_where_the_origin_says_so() {
        for says in ["public", "s-maxage=0", "must-revalidate"] {
            assert!(terms(&[("cache-control", says)]).is_for_all(), "{says}");
        }
        for says in ["max-age=9", "proxy-revalidate", "immutable", ""] {
            assert!(!terms(&[("cache-control", says)]).is_for_all(), "{says}");
        }
    }
}
