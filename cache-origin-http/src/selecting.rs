//! Which of several answers for one URI a request selects: `Vary` and secondary keys (RFC 9111, section 4.1).
//!
//! The engine knows one key for one entry. So an answer that varies is filed under the URI and a digest of the request's
//! own selecting fields, and the URI's plain key holds a *selector*: an entry that lists which fields those are. The list
//! only grows, so that an answer is never filed more broadly than its own `Vary` allows.

use crate::directives::members;
use cache_core::{Content, Draft, Entry, Validators, freshness::Freshness};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

/// The request fields that select one of several answers for a URI.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selector(BTreeSet<Box<str>>);

impl Selector {
    /// What an answer with `headers` varies by; `None` where no request can be told to select it again (`*`), or where it
    /// names more fields than are told apart.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Option<Self> {
        let mut fields = BTreeSet::new();
        for line in headers.get_all(header::VARY) {
            for name in members(line.to_str().ok()?) {
                if name == "*" {
                    return None;
                }
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                fields.insert(Box::from(name.as_str()));
            }
        }
        (fields.len() <= FIELDS_MAX).then_some(Self(fields))
    }

    /// The selector that `entry` is; `None` for an answer of the origin.
    pub fn of_entry(entry: &Entry) -> Option<Self> {
        let names = entry.content().headers.get_str(MARK)?;
        Some(Self(names.split(',').filter(|name| !name.is_empty()).map(Box::from).collect()))
    }

    /// The entry that tells of it, for the URI's plain key.
    pub fn draft(&self) -> Draft {
        let names: Vec<_> = self.0.iter().map(|name| &**name).collect();
        Draft {
            content: Content {
                status: 200,
                headers: [(MARK, names.join(",").as_str())].into_iter().collect(),
                body: bytes::Bytes::new(),
            },
            freshness: Freshness { lifetime: KNOWN_FOR, ..Freshness::default() },
            validators: Validators::default(),
            age: Duration::ZERO,
        }
    }

    /// Whether no field selects anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether answers that vary by `other` are told apart by this as well.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// The fields of both; `None` if those are more than are told apart.
    pub fn and(&self, other: &Self) -> Option<Self> {
        let both: BTreeSet<_> = self.0.union(&other.0).cloned().collect();
        (both.len() <= FIELDS_MAX).then_some(Self(both))
    }

    /// Writes what tells requests with `headers` from those that select another answer. A digest: what a field says may be
    /// private, and keys are named to other members and in logs.
    pub(crate) fn write_key(&self, headers: &HeaderMap, out: &mut String) {
        if self.is_empty() {
            return;
        }
        let mut digest = Sha256::new();
        for name in &self.0 {
            digest.update(&**name);
            // A field that is missing differs from one that is empty.
            match normal(name, headers) {
                None => digest.update([ABSENT]),
                Some(value) => {
                    digest.update([PRESENT]);
                    digest.update(value);
                }
            }
            digest.update([END]);
        }
        out.push(VARIANT);
        for byte in &digest.finalize()[..KEY_BYTES] {
            write!(out, "{byte:02x}").expect("a string takes everything");
        }
    }
}

/// Whether a field by the `name` that an origin sends would be taken for a selector.
pub(crate) fn is_mark(name: &HeaderName) -> bool {
    name.as_str() == MARK
}

/// The value of all lines of a field, as any request that means the same would spell it; `None` without the field.
fn normal(name: &str, headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let whole = lines.map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b", "[..]);
    let Ok(text) = std::str::from_utf8(&whole) else { return Some(whole) };
    // What identifies a user is no list.
    if name == header::COOKIE || name == header::AUTHORIZATION {
        return Some(whole);
    }
    let mut parts: Vec<String> = members(text).map(str::to_owned).collect();
    // The order of preferences is told by their weights alone, and their case means nothing (RFC 9110, section 12.5).
    if name == header::ACCEPT_LANGUAGE || name == header::ACCEPT_ENCODING {
        parts.iter_mut().for_each(|part| *part = part.to_ascii_lowercase().replace([' ', '\t'], ""));
        parts.sort_unstable();
    }
    Some(parts.join(",").into_bytes())
}

/// Stands before the digest; no URI holds a space.
pub(crate) const VARIANT: char = ' ';
/// The field by which a selector is told from an answer of the origin, from which it is taken out.
const MARK: &str = "fleet-cache-selecting";
/// Most fields by which answers for one URI are told apart: twice what content negotiation knows.
const FIELDS_MAX: usize = 16;
/// For how long a selector is believed before it is learnt anew: then fields count no more that no answer names any more.
const KNOWN_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Bytes of the digest that are written: none can be found twice.
const KEY_BYTES: usize = 16;
/// Part names, values and fields in what is digested; none can stand in a field.
const ABSENT: u8 = 1;
const PRESENT: u8 = 2;
const END: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn selector(vary: &[&str]) -> Option<Selector> {
        Selector::of_answer(&vary.iter().map(|line| (header::VARY, line.parse().unwrap())).collect())
    }

    fn key(vary: &str, request: &[(&'static str, &str)]) -> String {
        let mut key = String::new();
        selector(&[vary]).unwrap().write_key(&fields(request), &mut key);
        key
    }

    #[test]
    fn a_star_wherever_it_stands_is_selected_by_no_request() {
        for vary in [&["*"][..], &["*, *"], &["*", "*"], &[", *"], &["", "*"], &["*, Foo"], &["Foo, *"]] {
            assert_eq!(selector(vary), None, "{vary:?}");
        }
        assert!(selector(&[]).unwrap().is_empty() && selector(&[" , "]).unwrap().is_empty());
    }

    #[test]
    fn what_no_field_can_be_called_is_selected_by_no_request() {
        assert_eq!(selector(&["a b"]), None);
        let many: Vec<_> = (0..=FIELDS_MAX).map(|number| format!("f{number}")).collect();
        assert_eq!(selector(&[&many.join(", ")]), None);
    }

    #[test]
    fn requests_are_told_apart_by_the_fields_that_are_listed_and_no_others() {
        let one = key("Foo, Bar", &[("foo", "1"), ("bar", "abc"), ("other", "2")]);
        assert_eq!(one, key("bar,foo", &[("bar", "abc"), ("foo", "1"), ("other", "3")]));
        for other in [&[("foo", "1")][..], &[("foo", "2"), ("bar", "abc")], &[("foo", "1"), ("bar", "")], &[]]
        {
            assert_ne!(one, key("Foo, Bar", other), "{other:?}");
        }
        assert_ne!(key("foo", &[("foo", "")]), key("foo", &[]));
    }

    #[test]
    fn what_means_the_same_selects_the_same() {
        for (name, one, other) in [
            ("foo", &["1, 2"][..], &["1", "2"][..]),
            ("foo", &["1,2"], &[" 1, 2 "]),
            ("accept-language", &["en, de"], &["de, en"]),
            ("accept-language", &["en, de;q=0.5"], &["eN ,  De; q=0.5"]),
            ("accept-encoding", &["gzip, br"], &["br,gzip"]),
        ] {
            let lines =
                |values: &[&'static str]| values.iter().map(|value| (name, *value)).collect::<Vec<_>>();
            assert_eq!(key(name, &lines(one)), key(name, &lines(other)), "{name}");
        }
        assert_ne!(
            key("foo", &[("foo", "a, b")]),
            key("foo", &[("foo", "b, a")]),
            "unknown lists have an order"
        );
        assert_ne!(key("foo", &[("foo", "\"a, b\"")]), key("foo", &[("foo", "\"a,b\"")]));
        assert_ne!(
            key("accept-language", &[("accept-language", "en;q=0.5, de")]),
            key("accept-language", &[("accept-language", "en, de;q=0.5")])
        );
    }

    #[test]
    fn a_selector_is_read_back_from_its_entry_and_no_answer_is_taken_for_one() {
        use cache_core::{Domain, Key, Timestamp};
        let selector = selector(&["Foo, accept-language"]).unwrap();
        let entry =
            |draft| Entry::new(Key::new("r", Domain::ANONYMOUS), draft, Timestamp::from_unix_millis(1), 0);
        assert_eq!(Selector::of_entry(&entry(selector.draft())), Some(selector.clone()));
        let answer = Draft { content: Content::of_value("x"), ..selector.draft() };
        assert_eq!(Selector::of_entry(&entry(answer)), None);
    }

    #[test]
    fn a_selector_only_grows() {
        let (one, other) = (selector(&["a"]).unwrap(), selector(&["b"]).unwrap());
        let both = one.and(&other).unwrap();
        assert!(both.covers(&one) && both.covers(&other) && !one.covers(&other));
        assert!(one.covers(&Selector::default()));
    }
}
