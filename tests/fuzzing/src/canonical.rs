//! Requests to keys: what is written in place, without allocating, equals what a plain writer comes to.

use crate::memory;
use cache_origin_github::{GitHub, Plan};
use http::{HeaderName, HeaderValue, Request, request::Parts};
use std::sync::LazyLock;

/// Reads a target and fields, a line each, and plans the request twice: as it is, and as the key says it.
///
/// # Panics
///
/// If a key is not the one that a plain writer comes to, if its own parts lead to another key, if a request that
/// means the same has another one, or if planning allocates.
pub fn check(data: &[u8]) {
    let Some(request) = request(data) else { return };
    let Some(key) = plan(&request) else { return };
    assert_eq!(key, expected(&request), "another key than by hand");
    let local = local_path(request.uri.path());
    let target = written_target(&key);
    // What is behind the prefix of Enterprise clients may begin with it once more, and then means another thing.
    if local_path(target.split('?').next().unwrap_or("")).len()
        == target.split('?').next().unwrap_or("").len()
    {
        assert_eq!(plan(&as_written(&key, &request)).as_ref(), Some(&key), "a key leads to another");
    }
    if let Some(same) = encoded_throughout(local, &request) {
        assert_eq!(plan(&same).as_ref(), Some(&key), "{} means the same", same.uri);
    }
}

/// Requests of several kinds.
pub fn seeds() -> Vec<Vec<u8>> {
    let requests = [
        "/repos/Acme/Site?b=1&a=2&&a=1\naccept: application/json, */*;q=0.1\n",
        "/api/v3/repos/acme/%73ite/contents/a%2fb?ref=%C3%A9",
        "/user\nauthorization: token ghp_alice\nx-github-api-version: 2022-11-28",
        "/repos/o/r/pulls/1\naccept: application/vnd.github.v3.diff\naccept: text/html",
        "/x\naccept: application/vnd.github.nebula-preview+json,application/vnd.github.b-preview",
        "//user/../x",
        "/search/code?q=a+b%2Bc&access_token=x",
        "/repos/o/r/labels/type%3abug|%7C<?labels[]=a%3Db=c%3B;%2F/",
    ];
    requests.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// A GET by lines: the target, then fields.
fn request(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut request = Request::get(lines.next()?);
    for line in lines.take(FIELDS_MAX) {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(at);
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii()),
        ) else {
            continue;
        };
        request = request.header(name, value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// The key's text, if the request may be answered from the cache.
fn plan(request: &Parts) -> Option<String> {
    let mut key = String::with_capacity(KEY_ROOM_BYTES);
    // A credential is remembered when it is first seen, in a table that grows up to a bound.
    let bytes_max = if request.headers.contains_key("authorization") { KNOWN_BYTES_MAX } else { 0 };
    let github = &*GITHUB;
    USED.with(|()| ());
    let plan = memory::within(bytes_max, || github.plan(request, &mut key));
    match plan {
        Plan::Cached(_) => Some(key),
        Plan::Body | Plan::Pass(_) => None,
    }
}

thread_local! {
    /// A planner leaves a mark on its thread the first time, so that rules that are replaced outlive their use.
    static USED: () = {
        let (first, ()) = Request::get("/user").body(()).expect("a request").into_parts();
        let _plan = GITHUB.plan(&first, &mut String::new());
    };
}

/// The key by hand: allocating wherever that is simpler.
fn expected(request: &Parts) -> String {
    let mut segments: Vec<String> = local_path(request.uri.path()).split('/').map(segment).collect();
    if segments.get(1).is_some_and(|first| first == "repos") {
        for segment in segments.iter_mut().skip(2).take(2).filter(|segment| !segment.contains('%')) {
            *segment = segment.to_ascii_lowercase();
        }
    }
    let mut text = format!("api.github.com{}", segments.join("/"));
    let query = request.uri.query().unwrap_or("");
    let mut parameters: Vec<String> =
        query.split('&').filter(|part| !part.is_empty()).map(parameter).collect();
    parameters.sort_by_key(|parameter| name_of(parameter).to_owned());
    if !parameters.is_empty() {
        text = format!("{text}?{}", parameters.join("&"));
    }
    text = format!("{text} {}", class(request));
    let version = request.headers.get("x-github-api-version");
    let version = version.map_or("", |version| version.to_str().expect("it was taken").trim());
    // The origin has said nothing of versions yet, so this is taken for what those get that name none.
    if !version.is_empty() && version != "2022-11-28" {
        text = format!("{text} {version}");
    }
    // The domain is not computed again.
    let key = plan(request).expect("it was planned before");
    format!("{text}{}", &key[key.len() - DOMAIN_BYTES..])
}

fn class(request: &Parts) -> String {
    let fields = request.headers.get_all("accept").iter();
    let text: Vec<&str> = fields.map(|value| value.to_str().expect("it was taken")).collect();
    let ranges = text.join(",");
    let spaceless = |range: &str| range.replace(|letter: char| letter.is_ascii_whitespace(), "");
    let ranges = ranges.split(',').map(str::trim).filter(|range| !range.is_empty());
    let mut ranges: Vec<String> = ranges.map(|range| spaceless(range).to_ascii_lowercase()).collect();
    let usual = |range: &String| {
        let essence = range.split_once(";q=").map_or(&**range, |(essence, _)| essence);
        let plain = essence.strip_prefix("application/").unwrap_or("");
        essence == "*/*"
            || matches!(
                plain,
                "json" | "vnd.github+json" | "vnd.github.json" | "vnd.github.v3" | "vnd.github.v3+json"
            )
    };
    if ranges.iter().all(usual) {
        return "json".into();
    }
    if ranges.iter().all(|range| range.contains("-preview")) {
        ranges.sort();
    }
    ranges.join(",")
}

/// RFC 3986, section 6.2.2: what need not be encoded in a segment of a path is not, and what is, is so in upper case.
fn segment(text: &str) -> String {
    decoded(text, |letter, _| "-._~!$&'()*+,;=:@".contains(letter))
}

/// The same of a parameter, in which `+` is a space, and what separates is told from what is encoded.
fn parameter(text: &str) -> String {
    let may_stay = |letter: char, was_encoded: bool| {
        "-._~!$'()*,:@/?".contains(letter) || (!was_encoded && "=;".contains(letter))
    };
    decoded(&text.replace('+', "%20"), may_stay)
}

fn decoded(text: &str, may_stay: impl Fn(char, bool) -> bool) -> String {
    let mut written = String::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next().expect("two digits")).to_digit(16).expect("a digit");
        let (value, was_encoded) =
            if byte == b'%' { (digit() * 16 + digit(), true) } else { (byte.into(), false) };
        let letter = char::from_u32(value).expect("a byte is a letter");
        if letter.is_ascii_alphanumeric() || may_stay(letter, was_encoded) {
            written.push(letter);
        } else {
            written.push_str(&format!("%{value:02X}"));
        }
    }
    written
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or("")
}

/// As Enterprise clients write it: below `/api/v3`.
fn local_path(path: &str) -> &str {
    match path.strip_prefix("/api/v3") {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        Some(_) | None if path == "/api/graphql" => "/graphql",
        Some(_) | None if path.is_empty() => "/",
        Some(_) | None => path,
    }
}

/// Path and query in a key.
fn written_target(key: &str) -> &str {
    let resource = key.split(' ').next().unwrap_or("");
    resource.strip_prefix("api.github.com").expect("a key begins with its host")
}

/// The request that a key describes, with the credential of the one that it was written for.
fn as_written(key: &str, request: &Parts) -> Parts {
    let resource = &key[..key.len() - DOMAIN_BYTES];
    let mut parts = resource.split(' ').skip(1);
    let mut same = Request::get(written_target(key));
    if let Some(class) = parts.next().filter(|class| *class != "json") {
        same = same.header("accept", class);
    }
    if let Some(version) = parts.next() {
        same = same.header("x-github-api-version", version);
    }
    if let Some(credential) = request.headers.get("authorization") {
        same = same.header("authorization", credential);
    }
    same.body(()).expect("a key is made of a request's parts").into_parts().0
}

/// The same request, with every letter and digit encoded and parameters of different names turned round.
fn encoded_throughout(local: &str, request: &Parts) -> Option<Parts> {
    let mut parameters: Vec<&str> = request.uri.query().unwrap_or("").split('&').collect();
    let mut names: Vec<String> = parameters.iter().map(|text| name_of(&parameter(text)).into()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == parameters.len() {
        parameters.reverse();
    }
    let parameters: Vec<String> = parameters.into_iter().map(encoded).collect();
    let target = format!("{}?&{}", encoded(local), parameters.join("&&"));
    if target.len() >= usize::from(u16::MAX) {
        return None;
    }
    let mut same = Request::get(target).body(()).ok()?.into_parts().0;
    same.headers = request.headers.clone();
    Some(same)
}

fn encoded(text: &str) -> String {
    let mut written = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => {
                written.push('%');
                written.extend(letters.by_ref().take(2).map(|digit| digit.to_ascii_lowercase()));
            }
            letter if letter.is_ascii_alphanumeric() => {
                written.push_str(&format!("%{:02x}", u32::from(letter)));
            }
            other => written.push(other),
        }
    }
    written
}

static GITHUB: LazyLock<GitHub> =
    LazyLock::new(|| GitHub::builder().build().expect("the defaults are sound"));

/// A line break and a domain end a key.
const DOMAIN_BYTES: usize = 33;
const FIELDS_MAX: usize = 16;
/// More than a table of a few thousand credentials takes while it grows.
const KNOWN_BYTES_MAX: usize = 1024 * 1024;
/// So that no key makes its buffer grow: what is written before its length is looked at may be thrice the target.
const KEY_ROOM_BYTES: usize = 512 * 1024;
