//! Lists of directives, as `Cache-Control` holds them (RFC 9111, section 5.2).
//!
//! Reads leniently what many servers send, and decides every doubt towards keeping less: a number that is none makes a
//! response stale, and what stands between quotation marks is no directive.

use http::{HeaderMap, HeaderName};
use std::{borrow::Cow, time::Duration};

/// The directives of one field, in their order. Names are compared without regard to case.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Directives(Vec<(String, Option<String>)>);

impl Directives {
    /// Reads all lines of the field `name`.
    pub(crate) fn of_field(headers: &HeaderMap, name: &HeaderName) -> Self {
        let mut found = Vec::new();
        for value in headers.get_all(name) {
            let text = String::from_utf8_lossy(value.as_bytes());
            found.extend(members(&text).filter_map(directive));
        }
        Self(found)
    }

    /// The same from names and values that were read otherwise.
    pub(crate) fn of_pairs(pairs: Vec<(String, Option<String>)>) -> Self {
        Self(pairs)
    }

    /// Whether the directive `name` is there, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of the first directive `name`: `Some(None)` if it has none.
    pub(crate) fn find(&self, name: &str) -> Option<Option<&str>> {
        self.0.iter().find(|(found, _value)| found == name).map(|(_name, value)| value.as_deref())
    }

    /// The time that the first directive `name` gives. What is no number gives none (RFC 9111, section 4.2.1): the
    /// response is stale.
    pub(crate) fn time(&self, name: &str) -> Option<Duration> {
        let value = self.find(name)?;
        Some(value.and_then(delta_seconds).unwrap_or_default())
    }

    /// The names that the directive `name` lists, in lower case: `None` without the directive, empty without a list.
    pub(crate) fn names(&self, name: &str) -> Option<Vec<String>> {
        let found = self.0.iter().filter(|(found, _value)| found == name);
        let mut names = None;
        for (_name, value) in found {
            let listed = value.as_deref().unwrap_or_default().split(',');
            let listed: Vec<_> =
                listed.map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
            if listed.is_empty() {
                // Said without a list as well, it holds for the whole response.
                return Some(Vec::new());
            }
            names.get_or_insert_with(Vec::new).extend(listed);
        }
        names
    }
}

/// A number of seconds; one that is too large for us counts as the largest (RFC 9111, section 1.2.2).
pub(crate) fn delta_seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse::<u64>().unwrap_or(u64::MAX).min(SECONDS_MAX)))
}

/// The members of a list, which commas part that are not quoted; none of them is empty.
pub(crate) fn members(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |character| {
        match character {
            _ if std::mem::take(&mut escaped) => {}
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' => return !quoted,
            _other => {}
        }
        false
    });
    parts.map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty())
}

fn directive(member: &str) -> Option<(String, Option<String>)> {
    let (name, value) = match member.split_once('=') {
        None => (member, None),
        Some((name, value)) => (name, Some(unquoted(value).into_owned())),
    };
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    is_token.then(|| (name.to_ascii_lowercase(), value))
}

/// The text of a quoted string, or what stands without quotation marks.
fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"') else { return Cow::Borrowed(value) };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    Cow::Owned(text)
}

/// Most seconds that are told apart: 68 years, as much as RFC 9111, section 1.2.2 demands.
const SECONDS_MAX: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CACHE_CONTROL;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Directives {
        let lines = lines.iter().map(|line| (CACHE_CONTROL, line.parse().unwrap()));
        Directives::of_field(&lines.collect(), &CACHE_CONTROL)
    }

    fn seconds(lines: &[&str]) -> Option<u64> {
        read(lines).time("max-age").map(|time| time.as_secs())
    }

    #[test]
    fn a_directive_is_found_whatever_its_case_and_wherever_it_stands() {
        let directives = read(&["foo, Max-Age=5 ,, No-StOrE", "x=\"y\""]);
        assert_eq!(directives.time("max-age"), Some(Duration::from_secs(5)));
        assert!(directives.has("no-store") && !directives.has("y"));
        assert_eq!(directives.find("x"), Some(Some("y")));
    }

    #[test]
    fn what_is_quoted_is_no_directive() {
        assert_eq!(seconds(&["extension=\"max-age=3600\", max-age=1"]), Some(1));
        assert_eq!(seconds(&["extension=\"max-age=3600, max-age=7\""]), None);
        assert_eq!(seconds(&[r#"extension="a\", max-age=3600", max-age="2""#]), Some(2));
    }

    #[test]
    fn a_time_that_is_no_number_is_none_at_all() {
        for value in ["-7200", "3600.0", "a3600", "3600a", "'3600'", " 3600", ""] {
            assert_eq!(seconds(&[&format!("max-age={value}")]), Some(0), "{value:?}");
        }
        assert_eq!(seconds(&["max-age"]), Some(0));
        assert_eq!(seconds(&["max-age =3600"]), None, "its name would end in a space");
    }

    #[test]
    fn a_number_beyond_all_bounds_is_the_largest() {
        for value in ["2147483648", "99999999999", "99999999999999999999999999"] {
            assert_eq!(seconds(&[&format!("max-age={value}")]), Some(SECONDS_MAX));
        }
        assert_eq!(seconds(&["max-age=003600"]), Some(3600));
    }

    #[test]
    fn of_several_the_first_counts() {
        assert_eq!(seconds(&["max-age=1, max-age=1800"]), Some(1));
        assert_eq!(seconds(&["max-age=1800", "max-age=1"]), Some(1800));
    }

    #[test]
    fn fields_are_listed_between_quotation_marks_and_without_a_list_all_are_meant() {
        assert_eq!(read(&["no-cache=\"A, b\""]).names("no-cache"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(read(&["no-cache=a", "no-cache=\"b\""]).names("no-cache").unwrap().len(), 2);
        assert_eq!(read(&["no-cache=\"a\", no-cache"]).names("no-cache"), Some(vec![]));
        assert_eq!(read(&["no-cache"]).names("private"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fail_and_no_quoted_text_adds_a_directive(text in "[ -~]{0,64}") {
            let _whatever = read(&[&text]);
            let quoted = text.replace(['"', '\\'], "");
            let hidden = format!("x=\"{quoted}, no-store\"");
            prop_assert!(!read(&[&hidden]).has("no-store"));
        }
    }
}
