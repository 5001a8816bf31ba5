//! What a 304 makes of an entry's fields (RFC 9111, section 3.2).

use cache_core::{HEADERS_BYTES_MAX, Headers};
use cache_origin_github::fuzzing::{kept, merged};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeSet;

/// Reads two heads, an empty line between them: of the answer that was kept, and of the 304.
///
/// # Panics
///
/// When a field is not the one of the answer that it must be of, when one stays that may not be kept, or when the
/// same 304 once more changes anything.
pub fn check(data: &[u8]) {
    let Some((&who, rest)) = data.split_first() else { return };
    let one_credential = who.is_multiple_of(2);
    let mut lines = rest.split(|byte| *byte == b'\n');
    let first = head(&mut lines);
    let second = head(&mut lines);
    let old = kept(&first, one_credential);
    check_kept(&old, &first, one_credential);
    let Some(renewed) = merged(&old, &second, one_credential) else {
        let together =
            first.iter().chain(&second).map(|(name, value)| name.as_str().len() + value.len() + 32);
        assert!(together.sum::<usize>() > HEADERS_BYTES_MAX, "there is room for all fields");
        return;
    };
    let names: BTreeSet<&str> =
        old.iter().map(|(name, _)| name).chain(second.keys().map(HeaderName::as_str)).collect();
    for name in names {
        let comes =
            second.contains_key(name) && may_be_kept(name, &second, one_credential) && !is_of_body(name);
        let wanted: Vec<&[u8]> = if comes {
            second.get_all(name).iter().map(HeaderValue::as_bytes).collect()
        } else {
            values(&old, name)
        };
        assert_eq!(values(&renewed, name), wanted, "{name}");
    }
    let again = merged(&renewed, &second, one_credential);
    assert!(again.is_none_or(|again| again == renewed), "the same once more changes something");
}

/// Heads of GitHub's kind.
pub fn seeds() -> Vec<Vec<u8>> {
    let heads = [
        "0content-type: application/json\netag: \"a\"\nlink: old\ndate: 1\n\ndate: 2\netag: \"b\"\nlink: new\nlink: x",
        "1x-oauth-scopes: repo\nvary: a\n\nx-oauth-scopes: none\nset-cookie: a=b\nx-ratelimit-used: 1\nage: 3",
        "0connection: close, x-mine\nx-mine: 1\n\nconnection: x-mine\nx-mine: 2\nkeep-alive: 5\ncontent-length: 0",
        "0content-encoding: gzip\netag: W/\"a\"\n\ncontent-encoding: br\netag: W/\"b\"\nlast-modified: now",
    ];
    heads.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn head<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.take_while(|line| !line.is_empty()).take(FIELDS_MAX) {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..at]), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn check_kept(kept: &Headers, head: &HeaderMap, one_credential: bool) {
    for (name, value) in kept.iter() {
        assert!(may_be_kept(name, head, one_credential), "{name} is kept");
        let given = head.get_all(name).iter().any(|given| {
            let strong = given.as_bytes().strip_prefix(b"W/");
            given.as_bytes() == value || (name == "etag" && strong == Some(value))
        });
        assert!(given, "{name} is none of what was given");
    }
}

/// By the standards, and by what GitHub's own fields mean.
fn may_be_kept(name: &str, head: &HeaderMap, one_credential: bool) -> bool {
    let of_connection = [
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
    let of_call = ["x-github-request-id", "x-runtime-rack", "set-cookie", "age", "cache-status", "alt-svc"];
    let of_coding = ["content-encoding", "content-length"];
    let of_credential = [
        "github-authentication-token-expiration",
        "x-accepted-github-permissions",
        "x-accepted-oauth-scopes",
        "x-github-sso",
        "x-oauth-client-id",
        "x-oauth-scopes",
    ];
    // RFC 9110, section 7.6.1: what `Connection` names concerns the connection alone.
    let named = head.get_all("connection").iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|names| names.split(',').any(|named| named.trim().eq_ignore_ascii_case(name)))
    });
    !(of_connection.contains(&name)
        || of_call.contains(&name)
        || of_coding.contains(&name)
        || name.starts_with("x-ratelimit-")
        || (!one_credential && of_credential.contains(&name))
        || named)
}

fn is_of_body(name: &str) -> bool {
    matches!(name, "content-type" | "content-range" | "etag" | "last-modified")
}

fn values<'a>(headers: &'a Headers, name: &str) -> Vec<&'a [u8]> {
    headers.iter().filter(|(field, _)| *field == name).map(|(_, value)| value).collect()
}

const FIELDS_MAX: usize = 32;
