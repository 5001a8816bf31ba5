//! Which response fields travel on, which are kept, and which belong to one call alone.

use crate::{answer::BodyCoding, version};
use cache_core::Headers;
use http::{HeaderMap, HeaderName, header};

/// Removes what concerns one connection (RFC 9110, section 7.6.1), including what `Connection` names.
pub(crate) fn strip_connection(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    for name in named.iter().map(HeaderName::as_str).chain(OF_CONNECTION) {
        headers.remove(name);
    }
}

/// Removes what the origin says to the credential that asked, for a client that does not have it.
pub(crate) fn strip_credential(headers: &mut HeaderMap) {
    for name in OF_CREDENTIAL.into_iter().chain([header::SET_COOKIE.as_str()]) {
        headers.remove(name);
    }
}

/// What `Connection` says to concern this connection alone.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|names| names.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

/// The fields that describe this call and the credential that paid for it.
///
/// Those of the credential are for a client that has it.
pub(crate) fn live(headers: &HeaderMap, shows_credential: bool) -> HeaderMap {
    let picked = headers.iter().filter(|(name, _)| {
        let name = name.as_str();
        name.starts_with(QUOTA_PREFIX)
            || OF_CALL.contains(&name)
            || (shows_credential && OF_CREDENTIAL.contains(&name))
    });
    picked.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether everything in `headers` has room in an entry.
pub(crate) fn fit(headers: &HeaderMap) -> bool {
    Headers::of_all(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))).is_some()
}

/// The fields that may be repeated to every reader of the answer.
///
/// What tells about the credential stays only where every reader has that very credential.
pub(crate) fn kept(headers: &HeaderMap, coding: BodyCoding, one_credential: bool) -> Headers {
    picked(headers, coding, |name| is_kept(name, one_credential))
}

/// The fields for requests that wait for an answer that is not kept. They get what an entry tells its readers: how
/// old it is, and the coding that its body still has.
pub(crate) fn relayed(headers: &HeaderMap, coding: BodyCoding, one_credential: bool) -> Headers {
    let is_coded = coding == BodyCoding::Left;
    picked(headers, coding, |name| {
        name == "age" || (is_coded && name == "content-encoding") || is_kept(name, one_credential)
    })
}

fn picked(headers: &HeaderMap, coding: BodyCoding, is_picked: impl Fn(&str) -> bool) -> Headers {
    let named = named_by_connection(headers);
    Headers::from_fields(headers.iter().filter_map(|(name, value)| {
        let text = name.as_str();
        let value = match value.as_bytes() {
            // A tag that is weak because of the coding is strong again without it.
            tag if coding == BodyCoding::Undone && text == "etag" => tag.strip_prefix(b"W/").unwrap_or(tag),
            other => other,
        };
        (is_picked(text) && !named.contains(name)).then_some((text, value))
    }))
}

/// `old` with the fields of a 304 in their place (RFC 9111, section 3.2).
///
/// What describes the body stays as it is, and so does the tag under which clients know it: GitHub names a
/// tag of its own for every credential, of a body that is the same. Of which version of the API the body is now, only the
/// 304 can say: a version that it does not name is dropped. `None` where all of them have no room.
pub(crate) fn merged(old: &Headers, new: &HeaderMap, one_credential: bool) -> Option<Headers> {
    let named = named_by_connection(new);
    let is_named = |name: &str| named.iter().any(|named| named == name);
    let updates = |name: &str| is_kept(name, one_credential) && !OF_BODY.contains(&name) && !is_named(name);
    let is_over = |name: &str| name == version::SELECTED || new.contains_key(name);
    let stay = old.iter().filter(|(name, _)| !(updates(name) && is_over(name)));
    let come = new.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    Headers::of_all(stay.chain(come.filter(|(name, _)| updates(name))))
}

/// What of the fields that one credential was given is true of the same body under another one: what describes the body.
/// `tag` is the tag of the body under the other credential.
///
/// What else there is may concern the first credential alone; what concerns the other comes with its own 304.
pub(crate) fn lent(old: &Headers, tag: Option<&str>) -> Headers {
    let stay = old.iter().filter(|(name, _)| LENT.contains(name));
    Headers::from_fields(stay.chain(tag.map(|tag| ("etag", tag.as_bytes()))))
}

/// What of the fields of an answer is known to be the same for every credential that is given its body and its links.
///
/// Where each of several credentials proves that it may have an answer, it proves these alone. A field that is not known may
/// speak of the one that fetched.
pub(crate) fn common(headers: &Headers) -> Headers {
    Headers::from_fields(headers.iter().filter(|(name, _)| LENT.contains(name) || COMMON.contains(name)))
}

fn is_kept(name: &str, one_credential: bool) -> bool {
    !(OF_CONNECTION.contains(&name)
        || OF_CALL.contains(&name)
        || NEVER_KEPT.contains(&name)
        || name.starts_with(QUOTA_PREFIX)
        || name.starts_with(SHARING_PREFIX)
        || (!one_credential && OF_CREDENTIAL.contains(&name)))
}

const QUOTA_PREFIX: &str = "x-ratelimit-";
/// What the origin says to a browser about the page that asked. The server of a kept answer decides for itself which
/// pages may see it.
const SHARING_PREFIX: &str = "access-control-";
/// Fields that concern one connection.
pub(crate) const OF_CONNECTION: [&str; 10] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Fields that concern one call.
const OF_CALL: [&str; 2] = ["x-github-request-id", "x-runtime-rack"];
/// Of the credential that paid: what it may do, when it ends.
const OF_CREDENTIAL: [&str; 6] = [
    "github-authentication-token-expiration",
    "x-accepted-github-permissions",
    "x-accepted-oauth-scopes",
    "x-github-sso",
    "x-oauth-client-id",
    "x-oauth-scopes",
];
/// Of the body, the same for every credential that is given it.
const LENT: [&str; 7] = [
    "content-disposition",
    "content-language",
    "content-type",
    "last-modified",
    "vary",
    "x-github-media-type",
    "x-poll-interval",
];
/// Of the answer, besides: proven with it, or the same under every credential.
const COMMON: [&str; 11] = [
    "cache-control",
    "content-range",
    "date",
    "deprecation",
    "etag",
    "expires",
    "link",
    "location",
    "sunset",
    "warning",
    version::SELECTED,
];
/// Of the body as it is kept: a 304 must not change them.
const OF_BODY: [&str; 4] = ["content-range", "content-type", "etag", "last-modified"];
/// Of the coding and the transport, of the visitor, or recomputed for every reply.
const NEVER_KEPT: [&str; 6] =
    ["age", "alt-svc", "content-encoding", "content-length", "set-cookie", "cache-status"];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let pairs = fields.iter();
        pairs.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn names(headers: &Headers) -> Vec<&str> {
        headers.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_belongs_to_a_credential_is_kept_for_that_credential_alone() {
        let answer = map(&[
            ("etag", "\"a\""),
            ("x-oauth-scopes", "repo"),
            ("x-ratelimit-remaining", "1"),
            ("set-cookie", "a=b"),
            ("x-github-request-id", "1"),
        ]);
        assert_eq!(names(&kept(&answer, BodyCoding::Absent, true)), ["etag", "x-oauth-scopes"]);
        assert_eq!(names(&kept(&answer, BodyCoding::Absent, false)), ["etag"]);
        assert_eq!((live(&answer, true).len(), live(&answer, false).len()), (3, 2));
    }

    #[test]
    fn what_an_answer_says_to_browsers_is_neither_kept_nor_renewed() {
        let answer = map(&[
            ("access-control-allow-origin", "*"),
            ("access-control-expose-headers", "ETag"),
            ("access-control-allow-credentials", "true"),
            ("etag", "\"a\""),
        ]);
        let kept = kept(&answer, BodyCoding::Absent, true);
        assert_eq!(names(&kept), ["etag"]);
        assert_eq!(names(&merged(&kept, &answer, true).unwrap()), ["etag"]);
    }

    #[test]
    fn a_tag_is_strong_again_once_the_body_is_decoded() {
        let coded = map(&[("etag", "W/\"a\""), ("content-encoding", "gzip")]);
        let tag = |coding| kept(&coded, coding, true).get_str("etag").map(str::to_owned);
        assert_eq!(tag(BodyCoding::Undone).as_deref(), Some("\"a\""));
        assert_eq!(tag(BodyCoding::Left).as_deref(), Some("W/\"a\""));
        let plain = map(&[("etag", "W/\"a\"")]);
        assert_eq!(kept(&plain, BodyCoding::Absent, true).get_str("etag"), Some("W/\"a\""));
    }

    #[test]
    fn a_304_renews_fields_but_not_what_describes_the_body() {
        let old = map(&[("content-type", "a/b"), ("date", "1"), ("etag", "\"a\""), ("link", "old")]);
        let old = kept(&old, BodyCoding::Absent, true);
        let new =
            map(&[("content-type", "c/d"), ("date", "2"), ("etag", "\"b\""), ("x-oauth-scopes", "repo")]);
        let renewed = merged(&old, &new, false).unwrap();
        let value = |name| renewed.get_str(name);
        assert_eq!(value("content-type"), Some("a/b"));
        assert_eq!(value("date"), Some("2"));
        assert_eq!(value("etag"), Some("\"a\""));
        assert_eq!(value("link"), Some("old"));
        assert_eq!(value("x-oauth-scopes"), None);
    }

    #[test]
    fn of_which_version_of_the_api_a_body_is_after_a_304_only_the_304_says() {
        let old = map(&[("content-type", "a/b"), (version::SELECTED, "2022-11-28")]);
        let old = kept(&old, BodyCoding::Absent, true);
        let renewed = |by: &[(&str, &str)]| {
            let merged = merged(&old, &map(by), true).unwrap();
            merged.get_str(version::SELECTED).map(str::to_owned)
        };
        assert_eq!(renewed(&[]), None);
        assert_eq!(renewed(&[(version::SELECTED, "2026-03-10")]).as_deref(), Some("2026-03-10"));
    }

    #[test]
    fn what_is_lent_says_nothing_of_the_first_reader() {
        let given = map(&[
            ("cache-control", "private, max-age=60"),
            ("content-type", "application/json"),
            ("etag", "\"of-the-first\""),
            ("link", "<https://api.github.com/user/repos?page=7>; rel=\"last\""),
            ("x-oauth-scopes", "repo"),
            ("x-something-new", "about the first"),
        ]);
        let lent = lent(&kept(&given, BodyCoding::Absent, true), Some("\"of-the-second\""));
        assert_eq!(names(&lent), ["content-type", "etag"]);
        assert_eq!(lent.get_str("etag"), Some("\"of-the-second\""));
    }

    #[test]
    fn what_each_of_several_readers_is_shown_is_known_to_be_the_same_for_all() {
        let given = map(&[
            ("content-type", "application/json"),
            ("date", "1"),
            ("link", "a"),
            ("x-something-new", "about the first"),
            (version::SELECTED, "2022-11-28"),
        ]);
        let common = common(&kept(&given, BodyCoding::Absent, false));
        assert_eq!(names(&common), ["content-type", "date", "link", version::SELECTED]);
    }

    #[test]
    fn fields_that_connection_names_are_neither_kept_nor_renewed() {
        let answer = map(&[("connection", "close, X-Mine"), ("x-mine", "1"), ("link", "a")]);
        let old = kept(&answer, BodyCoding::Absent, true);
        assert_eq!(names(&old), ["link"]);
        let new = map(&[("connection", "link, x-mine"), ("x-mine", "2"), ("link", "b")]);
        assert_eq!(merged(&old, &new, true).unwrap().get_str("link"), Some("a"));
        assert_eq!(names(&merged(&old, &new, true).unwrap()), ["link"]);
    }

    #[test]
    fn what_is_said_to_a_credential_is_stripped() {
        let mut headers = map(&[
            ("x-github-sso", "partial-results"),
            ("x-oauth-scopes", ""),
            ("set-cookie", "a=b"),
            ("etag", "a"),
        ]);
        strip_credential(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["etag"]);
    }

    #[test]
    fn fields_that_connection_names_are_stripped() {
        let mut headers =
            map(&[("connection", "close, X-Mine"), ("x-mine", "1"), ("te", "trailers"), ("etag", "a")]);
        strip_connection(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["etag"]);
    }
}
