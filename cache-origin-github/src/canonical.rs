//! One text for requests that mean the same: the resource under which an answer is filed.
//!
//! `api.github.com/repos/o/r/issues?page=2&per_page=100 json 2022-11-28`: host, path and query in normal
//! form, a space, the class of representation, and the API version if the request names another than the usual one. A space
//! occurs in none of the parts, so `…/issues ` and `…/issues?` end a path exactly. All of it is written into
//! the caller's buffer: a look-up allocates nothing.

mod names;

use crate::PassReason;
use http::HeaderValue;
use names::Names;

/// Writes `path` in normal form: no needless percent-encoding, upper-case hexadecimal digits, and in lower case
/// the names of accounts and repositories, whose cases GitHub does not tell apart.
///
/// A path with doubled slashes has none: an origin may take them for one, and then the rules for the route, which may say
/// that an answer is of its credential alone, would not be found.
pub(crate) fn write_path(out: &mut String, path: &str) -> Result<(), PassReason> {
    if path.contains("//") {
        return Err(PassReason::Target);
    }
    let mut names = Names::default();
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let start = out.len();
        write_decoded(out, segment, IN_PATH)?;
        let written = &out[start..];
        // What lies above the resource can be asked for under its own name.
        if written == "." || written == ".." {
            return Err(PassReason::Target);
        }
        if names.is_name(index, written) && !written.contains('%') {
            lower(out, start);
        }
    }
    Ok(())
}

/// `pattern`, which stands for paths, with the names in it in lower case as [`write_path`] writes them.
pub(crate) fn lower_names(pattern: &str) -> String {
    let mut names = Names::default();
    let mut out = String::with_capacity(pattern.len());
    for (index, segment) in pattern.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let start = out.len();
        out.push_str(segment);
        if names.is_name(index, segment) {
            lower(&mut out, start);
        }
    }
    out
}

/// Writes `?` and `query` with its parameters sorted by name, those of one name in the order given.
///
/// Nothing is written when no parameter is left. A query that carries a secret has no place in a key.
pub(crate) fn write_query(out: &mut String, query: &str) -> Result<(), PassReason> {
    let mut parts = Parts::default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        out.push(if parts.count == 0 { '?' } else { '&' });
        let start = out.len();
        write_decoded(out, parameter, IN_QUERY)?;
        let name_end = out[start..].find('=').map_or(out.len(), |at| start + at);
        if SECRET_PARAMETERS.contains(&&out[start..name_end]) {
            return Err(PassReason::Credential);
        }
        parts.add(start, name_end, out.len())?;
    }
    parts.sort(out, '&');
    Ok(())
}

/// Writes the class of representation that `accept` asks for, in lower case and without spaces.
///
/// What means "JSON as usual" at GitHub is the one class `json`: no field, an empty one, `*/*`, and the plain
/// vendor types. Lists of previews are sorted; any other list keeps its order, which may rank it.
pub(crate) fn write_accept<'a>(
    out: &mut String,
    mut accept: impl Iterator<Item = &'a HeaderValue>,
) -> Result<(), PassReason> {
    let (first, second) = (accept.next(), accept.next());
    let at_once = |value: &HeaderValue| USUAL_JSON.iter().any(|usual| value == usual) || value.is_empty();
    if second.is_none() && first.is_none_or(at_once) {
        out.push_str(USUAL_CLASS);
        return Ok(());
    }
    let accept = first.into_iter().chain(second).chain(accept);
    let start = out.len();
    let mut parts = Parts::default();
    let mut usual = true;
    let mut previews = true;
    for value in accept {
        let value = value.to_str().map_err(|_| PassReason::Accept)?;
        for range in value.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            if parts.count > 0 {
                out.push(',');
            }
            let at = out.len();
            out.extend(range.chars().filter(|letter| !letter.is_ascii_whitespace()));
            lower(out, at);
            usual &= is_usual_json(&out[at..]);
            previews &= out[at..].contains("-preview");
            parts.add(at, out.len(), out.len())?;
        }
    }
    if usual {
        out.truncate(start);
        out.push_str(USUAL_CLASS);
    } else if previews {
        parts.sort(out, ',');
    }
    Ok(())
}

/// Writes the API version behind a space.
pub(crate) fn write_version(out: &mut String, version: &HeaderValue) -> Result<(), PassReason> {
    let version = version.to_str().map_err(|_| PassReason::Accept)?.trim();
    if !version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err(PassReason::Accept);
    }
    if !version.is_empty() {
        out.push(' ');
        out.push_str(version);
    }
    Ok(())
}

/// Writes `text` with every character in the one spelling that it has in this part of a target: as it is if `part` says
/// so, percent-encoded otherwise. What is percent-encoded though it may mean something as it is stays so.
fn write_decoded(out: &mut String, text: &str, part: u8) -> Result<(), PassReason> {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| SPELLINGS[usize::from(byte)] & part == 0) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let special = rest.chars().next().expect("there is a byte that needs care");
        let (given, behind) = rest.split_at(special.len_utf8());
        match special {
            '%' => {
                let digits = behind.get(..2).ok_or(PassReason::Target)?.as_bytes();
                let value = digit(digits[0])? << 4 | digit(digits[1])?;
                let separates = part == IN_QUERY && SEPARATORS.contains(&value);
                if SPELLINGS[usize::from(value)] & part != 0 && !separates {
                    out.push(char::from(value));
                } else {
                    write_encoded(out, value);
                }
                rest = &behind[2..];
            }
            // In a query, and there alone, another way to write a space.
            '+' => {
                write_encoded(out, b' ');
                rest = behind;
            }
            '\0'..=' ' | '#' | '\x7f' => return Err(PassReason::Target),
            _ => {
                given.bytes().for_each(|byte| write_encoded(out, byte));
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Ok(())
}

/// For each byte, in which parts of a target it is written as it is.
const SPELLINGS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        // At most 255.
        let letter = byte as u8;
        table[byte] = match letter {
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' | b';' | b'='
            | b':' | b'@' => IN_PATH | IN_QUERY,
            b'&' | b'+' => IN_PATH,
            b'/' | b'?' => IN_QUERY,
            _ if letter.is_ascii_alphanumeric() => IN_PATH | IN_QUERY,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// In a segment of a path: what RFC 3986 lets stand there (section 3.3).
const IN_PATH: u8 = 1;
/// The characters that stand as they are in a parameter of a query, as clients write it: what RFC 3986 allows there
/// (section 3.4), except the separators of parameters, and spaces.
const IN_QUERY: u8 = 2;
/// What ends a name in a query, and what some take for the end of a parameter. Percent-encoded it means itself.
const SEPARATORS: [u8; 2] = *b"=;";

fn write_encoded(out: &mut String, byte: u8) {
    out.push('%');
    out.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(HEX_DIGITS[usize::from(byte & 15)]));
}

fn digit(byte: u8) -> Result<u8, PassReason> {
    let value = char::from(byte).to_digit(16).ok_or(PassReason::Target)?;
    Ok(u8::try_from(value).expect("a hexadecimal digit is below 16"))
}

fn lower(out: &mut str, start: usize) {
    out[start..].make_ascii_lowercase();
}

fn is_usual_json(range: &str) -> bool {
    let essence = range.split_once(";q=").map_or(range, |(essence, _)| essence);
    USUAL_JSON.contains(&essence)
}

/// Where the parts of a list lie in the buffer, to put them in order there.
struct Parts {
    places: [Place; PARTS_MAX],
    count: usize,
    in_order: bool,
}

#[derive(Clone, Copy, Default)]
struct Place {
    start: u32,
    name_end: u32,
    end: u32,
}

impl Default for Parts {
    fn default() -> Self {
        Self { places: [Place::default(); PARTS_MAX], count: 0, in_order: true }
    }
}

impl Parts {
    fn add(&mut self, start: usize, name_end: usize, end: usize) -> Result<(), PassReason> {
        let at = |offset| u32::try_from(offset).map_err(|_| PassReason::TooLong);
        *self.places.get_mut(self.count).ok_or(PassReason::TooLong)? =
            Place { start: at(start)?, name_end: at(name_end)?, end: at(end)? };
        self.count += 1;
        Ok(())
    }

    /// Sorts the parts by name within `out`, which ends with them.
    fn sort(&mut self, out: &mut String, separator: char) {
        let places = &mut self.places[..self.count];
        let name = |place: &Place| place.start as usize..place.name_end as usize;
        self.in_order = places.is_sorted_by(|a, b| out[name(a)] <= out[name(b)]);
        if self.in_order {
            return;
        }
        let first = places[0].start as usize;
        let behind = out.len();
        // Stable, and without the buffer that `sort` would allocate.
        for at in 1..places.len() {
            let mut place = at;
            while place > 0 && out[name(&places[place - 1])] > out[name(&places[place])] {
                places.swap(place - 1, place);
                place -= 1;
            }
        }
        for (index, place) in places.iter().enumerate() {
            if index > 0 {
                out.push(separator);
            }
            out.extend_from_within(place.start as usize..place.end as usize);
        }
        out.replace_range(first..behind, "");
    }
}

/// The class of representation that most requests ask for.
pub(crate) const USUAL_CLASS: &str = "json";
/// What is sent to the origin for [`USUAL_CLASS`]: the type that GitHub's documentation recommends.
pub(crate) const USUAL_ACCEPT: &str = "application/vnd.github+json";

const USUAL_JSON: [&str; 6] = [
    "*/*",
    "application/json",
    "application/vnd.github+json",
    "application/vnd.github.json",
    "application/vnd.github.v3",
    "application/vnd.github.v3+json",
];
/// Parameters that once carried credentials, and still might.
const SECRET_PARAMETERS: [&str; 3] = ["access_token", "client_secret", "token"];
/// Most parameters or media ranges of a request that is cached. Clients send fewer than ten.
const PARTS_MAX: usize = 32;
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(text: &str) -> Result<String, PassReason> {
        let mut out = String::new();
        write_path(&mut out, text).map(|()| out)
    }

    fn query(text: &str) -> Result<String, PassReason> {
        let mut out = String::from("x");
        write_query(&mut out, text).map(|()| out.split_off(1))
    }

    fn accept(values: &[&'static str]) -> String {
        let values: Vec<_> = values.iter().map(|value| HeaderValue::from_static(value)).collect();
        let mut out = String::from("x ");
        write_accept(&mut out, values.iter()).unwrap();
        out.split_off(2)
    }

    #[test]
    fn paths_that_mean_the_same_are_written_the_same() {
        let table = [
            ("/repos/Acme/Site", "/repos/acme/site"),
            ("/repos/acme/%73ite", "/repos/acme/site"),
            ("/repos/Acme/Site/contents/README.md", "/repos/acme/site/contents/README.md"),
            ("/users/Acme/repos", "/users/acme/repos"),
            ("/orgs/Acme/teams/T/repos/Acme/Site", "/orgs/acme/teams/T/repos/acme/site"),
            ("/repositories/17/assignees/Me", "/repositories/17/assignees/me"),
            ("/user/starred/Acme/Site", "/user/starred/acme/site"),
            ("/gists/AbC", "/gists/AbC"),
            ("/a%2fb", "/a%2Fb"),
            ("/repos/o/r/labels/type%3abug", "/repos/o/r/labels/type:bug"),
            ("/repos/o/r/labels/a%26b%2Bc%3Dd|e", "/repos/o/r/labels/a&b+c=d%7Ce"),
            ("/repos/o/r/labels/a&b+c=d%7ce", "/repos/o/r/labels/a&b+c=d%7Ce"),
            ("/repos/o/r/compare/main...Me%3Atopic", "/repos/o/r/compare/main...Me:topic"),
            ("/repos/o/r/labels/%3Cb%3E", "/repos/o/r/labels/%3Cb%3E"),
            ("/a%3Fb", "/a%3Fb"),
            ("/a%2541", "/a%2541"),
            ("/é", "/%C3%A9"),
        ];
        for (given, written) in table {
            assert_eq!(path(given).as_deref(), Ok(written));
        }
    }

    #[test]
    fn a_path_that_climbs_or_is_damaged_or_may_mean_another_is_passed() {
        for given in ["/a/../b", "/a/%2e%2E", "/.", "/a%", "/a%4", "/a%zz", "/a b", "//user", "/a//b", "/a//"]
        {
            assert_eq!(path(given), Err(PassReason::Target), "{given}");
        }
    }

    #[test]
    fn parameters_are_sorted_by_name_and_stable() {
        let table = [
            ("", ""),
            ("&&", ""),
            ("b=1&a=2", "?a=2&b=1"),
            ("a=2&a=1&&A=0", "?A=0&a=2&a=1"),
            ("q=b%2Bc&%61=1", "?a=1&q=b%2Bc"),
            ("q=repo%3Ao%2Fr+is:open", "?q=repo:o/r%20is:open"),
            ("q=repo:o/r%20is%3Aopen", "?q=repo:o/r%20is:open"),
            ("labels[]=a&labels%5b%5D=b", "?labels%5B%5D=a&labels%5B%5D=b"),
            ("q=a%26b%3Dc%3Bd%23e", "?q=a%26b%3Dc%3Bd%23e"),
            ("a-b=1&a=2", "?a=2&a-b=1"),
        ];
        for (given, written) in table {
            assert_eq!(query(given).as_deref(), Ok(written));
        }
        assert_eq!(query("a=1&access_token=x"), Err(PassReason::Credential));
        assert_eq!(query(&"a&".repeat(PARTS_MAX + 1)), Err(PassReason::TooLong));
    }

    #[test]
    fn every_way_to_ask_for_usual_json_is_one_class() {
        let ways: [&[&str]; 7] = [
            &[],
            &[""],
            &["*/*"],
            &["application/json"],
            &["Application/vnd.GitHub.v3+JSON"],
            &["application/vnd.github+json", "application/json;q=0.9, */*; q=0.8"],
            &["application/vnd.github.v3"],
        ];
        for way in ways {
            assert_eq!(accept(way), "json", "{way:?}");
        }
    }

    #[test]
    fn other_representations_are_classes_of_their_own() {
        assert_eq!(accept(&["application/vnd.github.v3.RAW"]), "application/vnd.github.v3.raw");
        let previews = "application/vnd.github.nebula-preview,application/vnd.github.b-preview";
        let sorted = "application/vnd.github.b-preview,application/vnd.github.nebula-preview";
        assert_eq!(accept(&[previews]), sorted);
        assert_eq!(accept(&["text/html, application/json"]), "text/html,application/json");
    }

    proptest! {
        #[test]
        fn however_much_of_a_target_is_encoded_it_is_written_the_same(
            text in "[a-zA-Z0-9:@!$'()*,<>|^`{}é ]{1,12}",
            encoded in proptest::collection::vec(any::<bool>(), 40),
        ) {
            let all = |is_encoded: &dyn Fn(usize, u8) -> bool| {
                let spelt = text.bytes().enumerate().map(|(at, byte)| {
                    if is_encoded(at, byte) { format!("%{byte:02x}") } else { char::from(byte).to_string() }
                });
                spelt.collect::<String>()
            };
            // What no client can write as it is.
            let must = |byte: u8| byte == b' ' || !byte.is_ascii();
            let (some, every) = (all(&|at, byte| encoded[at] || must(byte)), all(&|_, _| true));
            prop_assert_eq!(path(&format!("/{some}")), path(&format!("/{every}")));
            prop_assert_eq!(query(&some), query(&every));
        }

        #[test]
        fn the_normal_form_of_a_normal_form_is_itself(given in "(/[a-zA-Z.%0-9é~]{0,6}){1,4}") {
            if let Ok(once) = path(&given) {
                prop_assert_eq!(path(&once), Ok(once));
            }
        }

        #[test]
        fn any_order_of_distinct_parameters_is_one_query(
            parameters in proptest::collection::btree_map("[a-z%]{1,3}", "[a-z0-9]{0,3}", 0..8),
            seed in any::<prop::sample::Index>(),
        ) {
            let mut list: Vec<_> = parameters.iter().map(|(name, value)| format!("{}={value}", name.replace('%', "%2B"))).collect();
            let sorted = query(&list.join("&"));
            if !list.is_empty() {
                let by = seed.index(list.len());
                list.rotate_left(by);
                list.swap(0, by);
            }
            prop_assert_eq!(query(&list.join("&")), sorted);
        }
    }
}
