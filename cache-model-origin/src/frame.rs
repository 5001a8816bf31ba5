//! From an answer to a response: addresses, ETag, 304, gzip, and the headers that GitHub adds.

use super::{
    EtagMode,
    access::{Asker, Kind, hex},
    answer::{Answer, Caching, Charge},
    asked::Asked,
    fault::gzip,
    quota::{Resource, describe},
    repository::API,
    routes::MEDIA_TYPE,
    world::World,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use sha2::{Digest, Sha256};

impl World {
    /// The response to send, and how many calls or points it cost.
    pub(super) fn frame(
        &mut self,
        answer: Answer,
        asked: &Asked,
        asker: &Asker,
        serial: u64,
    ) -> (Response<Bytes>, u64) {
        let version = self.version(asked);
        let answer = self.readdress(answer).of_version(version.as_deref());
        let etag = self.etag(&answer, asked);
        let mut status = answer.status;
        if is_unchanged(&answer, etag.as_deref(), asked) {
            status = StatusCode::NOT_MODIFIED;
        }
        let has_body = !matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NO_CONTENT);
        let zip = has_body && answer.body.len() >= GZIP_BYTES_MIN && takes_gzip(asked);
        let mut headers = HeaderMap::new();
        describe_caching(&answer, status, asker, asked, &mut headers);
        if let Some(etag) = etag {
            let weak = if zip { "W/" } else { "" };
            put(&mut headers, header::ETAG, &format!("{weak}\"{etag}\""));
        }
        for (name, value) in &answer.headers {
            put(&mut headers, name.clone(), value);
        }
        describe_asker(asker, serial, &mut headers);
        if let Some(version) = &version {
            put(&mut headers, HeaderName::from_static("x-github-api-version-selected"), version);
        }
        let paid = self.charge(answer.charge, status, asker, &mut headers);
        if has_body {
            put(&mut headers, header::CONTENT_TYPE, answer.content_type);
        }
        let body = match (has_body, zip) {
            (false, _) => Bytes::new(),
            (true, false) => answer.body,
            (true, true) => {
                put(&mut headers, header::CONTENT_ENCODING, "gzip");
                gzip(&answer.body).into()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        (response, paid)
    }

    /// Replaces the API's own address in headers and JSON, never in other bodies.
    fn readdress(&self, mut answer: Answer) -> Answer {
        if self.public_url == API {
            return answer;
        }
        for (_name, value) in &mut answer.headers {
            *value = value.replace(API, &self.public_url);
        }
        if answer.content_type.starts_with("application/json") {
            let text = String::from_utf8_lossy(&answer.body);
            answer.body = text.replace(&format!("\"{API}"), &format!("\"{}", self.public_url)).into();
        }
        answer
    }

    /// The version of the API that is asked for.
    fn version(&self, asked: &Asked) -> Option<String> {
        let usual = self.usual_version.as_ref()?;
        let named = asked.header("x-github-api-version");
        Some(if named.is_empty() { usual.clone() } else { named.to_owned() })
    }

    fn etag(&self, answer: &Answer, asked: &Asked) -> Option<String> {
        if answer.caching != Caching::Allowed {
            return None;
        }
        let mut hash = Sha256::new();
        match self.etag_mode {
            EtagMode::None => return None,
            EtagMode::Body => {}
            EtagMode::Recipe => {
                for name in [header::ACCEPT, header::AUTHORIZATION, header::COOKIE] {
                    if let Some(value) = asked.headers.get(name) {
                        hash.update(value.as_bytes());
                        hash.update(b":");
                    }
                }
            }
        }
        hash.update(&answer.body);
        Some(hex(&hash.finalize()))
    }

    /// Takes the call off the quota unless it is free, and tells what is left.
    fn charge(&mut self, charge: Charge, status: StatusCode, asker: &Asker, headers: &mut HeaderMap) -> u64 {
        let (resource, due) = match charge {
            Charge::Free => return 0,
            Charge::One(resource) => (resource, 1),
            Charge::Points(points) => (Resource::Graphql, points),
            Charge::Spent(resource) => (resource, 0),
        };
        // A 304 is free for a client that names its account.
        let is_free = status == StatusCode::NOT_MODIFIED && asker.account().is_some();
        let paid = if is_free { 0 } else { due };
        let quota = self.quotas.of(asker.payer(), resource);
        quota.used += paid;
        describe(quota, resource, headers);
        paid
    }
}

/// Whether the client's validators name what it would get. `If-None-Match` makes the date irrelevant.
fn is_unchanged(answer: &Answer, etag: Option<&str>, asked: &Asked) -> bool {
    let is_read = matches!(asked.method, Method::GET | Method::HEAD);
    if !is_read || answer.status != StatusCode::OK || answer.caching != Caching::Allowed {
        return false;
    }
    if asked.headers.contains_key(header::IF_NONE_MATCH) {
        let candidates = asked.header(header::IF_NONE_MATCH).split(',').map(str::trim);
        let opaque = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').to_owned();
        return etag.is_some_and(|etag| candidates.into_iter().any(|tag| tag == "*" || opaque(tag) == etag));
    }
    let modified = answer.headers.iter().find(|(name, _)| name == header::LAST_MODIFIED);
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let known = date(asked.header(header::IF_MODIFIED_SINCE));
    matches!((known, modified.and_then(|(_, text)| date(text))), (Some(known), Some(modified)) if known >= modified)
}

fn takes_gzip(asked: &Asked) -> bool {
    let codings = asked.header(header::ACCEPT_ENCODING).split(',');
    codings.into_iter().any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let quality = quality.trim().trim_start_matches("q=").parse().unwrap_or(1.0);
        matches!(name.trim(), "gzip" | "*") && quality > 0.0
    })
}

fn describe_caching(
    answer: &Answer,
    status: StatusCode,
    asker: &Asker,
    asked: &Asked,
    headers: &mut HeaderMap,
) {
    let known = asker.account().is_some();
    let (vary, cache_control) = match answer.caching {
        Caching::Allowed if known => (VARY_KNOWN, "private, max-age=60, s-maxage=60"),
        Caching::Allowed => (VARY_ANONYMOUS, "public, max-age=60, s-maxage=60"),
        Caching::Forbidden => (VARY_OTHER, "no-cache"),
        Caching::Unsaid => (VARY_OTHER, ""),
    };
    put(headers, header::VARY, vary);
    if !cache_control.is_empty() && (status.is_success() || status == StatusCode::NOT_MODIFIED) {
        put(headers, header::CACHE_CONTROL, cache_control);
    }
    if asked.path().ends_with("/events") {
        put(headers, HeaderName::from_static("x-poll-interval"), "60");
    }
}

/// Headers that belong to one token, and must never reach another.
fn describe_asker(asker: &Asker, serial: u64, headers: &mut HeaderMap) {
    put(headers, header::SERVER, "github.com");
    put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    put(headers, MEDIA_TYPE, "github.v3; format=json");
    put(headers, HeaderName::from_static("x-github-request-id"), &format!("MODEL:{serial:X}"));
    let Some(account) = asker.account() else {
        return;
    };
    if account.kind == Kind::Scopeless {
        put(headers, HeaderName::from_static("x-oauth-scopes"), "");
    } else if account.kind == Kind::Personal {
        let scopes = if account.login == "alice" { "repo, read:org, workflow" } else { "public_repo" };
        put(headers, HeaderName::from_static("x-oauth-scopes"), scopes);
        put(headers, HeaderName::from_static("x-accepted-oauth-scopes"), "repo");
    } else {
        put(headers, HeaderName::from_static("x-accepted-github-permissions"), "metadata=read");
    }
    if account.kind == Kind::FineGrained {
        let expiration = HeaderName::from_static("github-authentication-token-expiration");
        put(headers, expiration, "2030-01-01 00:00:00 UTC");
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    // A version that a client made up may hold what no header may.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Shortest body worth compressing, in bytes.
const GZIP_BYTES_MIN: usize = 256;

const VARY_KNOWN: &str =
    "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With";
const VARY_ANONYMOUS: &str = "Accept, Accept-Encoding, Accept, X-Requested-With";
const VARY_OTHER: &str = "Accept-Encoding, Accept, X-Requested-With";
