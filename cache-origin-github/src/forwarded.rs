//! Fields of a client's request that reach the origin on cached reads as well, because the operator named them.
//!
//! A gateway in front of an Enterprise Server may ask for a field of its own: a tenant, a key, a session. It is
//! unknown whether an answer depends on it, or which clients share it, so the values are part of the key: a request
//! with other values is another one. The key holds a digest, since a value may be a secret.

use crate::{ConfigError, version};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The names of the fields, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forwarded(Vec<HeaderName>);

impl Forwarded {
    /// Adds the name of a field to forward.
    pub(crate) fn add(&mut self, name: &str) -> Result<(), ConfigError> {
        let refused = |problem| ConfigError::ForwardHeader { name: name.into(), problem };
        let parsed: HeaderName = name.parse().map_err(|_| refused("it is not a name of a header field"))?;
        if MEANT_ANYWAY.contains(&parsed.as_str()) {
            return Err(refused("it is read and sent as it is"));
        }
        if NOT_THE_CLIENTS.contains(&parsed.as_str()) || parsed.as_str().starts_with("if-") {
            return Err(refused("it belongs to one connection or one message"));
        }
        if !self.0.contains(&parsed) {
            if self.0.len() >= FORWARDED_MAX {
                return Err(refused("there are 16 already"));
            }
            self.0.push(parsed);
        }
        Ok(())
    }

    pub(crate) fn holds(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }

    pub(crate) fn holds_name(&self, name: &str) -> bool {
        self.0.iter().any(|held| held.as_str().eq_ignore_ascii_case(name))
    }

    /// Writes what tells requests with other values apart: nothing where `headers` have none of the fields.
    pub(crate) fn write_key(&self, out: &mut String, headers: &HeaderMap) {
        let mut hasher = None;
        for (name, value) in self.of(headers) {
            let hasher = hasher.get_or_insert_with(|| Sha256::new_with_prefix(b"fleet-cache forwarded\0"));
            // No field's value holds a line break.
            for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"] {
                hasher.update(part);
            }
        }
        if let Some(hasher) = hasher {
            out.push_str(" +");
            for byte in &hasher.finalize()[..DIGEST_BYTES] {
                write!(out, "{byte:02x}").expect("a string takes whatever is written");
            }
        }
    }

    /// The fields that `headers` have of them, their values marked as secrets.
    pub(crate) fn picked(&self, headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
        let secret = |(name, value): (&HeaderName, &HeaderValue)| {
            let mut value = value.clone();
            value.set_sensitive(true);
            (name.clone(), value)
        };
        self.of(headers).map(secret).collect()
    }

    fn of<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> {
        self.0.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)))
    }
}

/// Most fields that can be named: gateways ask for one or two.
const FORWARDED_MAX: usize = 16;
/// Bytes of the digest in a key: too many for two values to meet by chance.
const DIGEST_BYTES: usize = 16;
/// Part of the key already, or what the cache itself obeys.
const MEANT_ANYWAY: [&str; 6] =
    ["accept", "accept-encoding", "authorization", "cache-control", "pragma", version::NAMED];
/// Of a connection, of a body, of this cache alone, or of what makes a request one that only the origin can answer.
const NOT_THE_CLIENTS: [&str; 21] = [
    "age",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-fleet-client",
    "x-github-otp",
    "x-http-method-override",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(names: &[&str]) -> Forwarded {
        let mut forwarded = Forwarded::default();
        names.iter().for_each(|name| forwarded.add(name).unwrap());
        forwarded
    }

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn key(fields: &[(&str, &str)]) -> String {
        let mut key = String::new();
        forwarded(&["X-Tenant", "x-key", "X-TENANT"]).write_key(&mut key, &headers(fields));
        key
    }

    #[test]
    fn every_value_tells_requests_apart_and_shows_nowhere() {
        assert_eq!(key(&[("x-other", "1")]), "");
        let secret = [("x-tenant", "a"), ("x-key", "s3cret")];
        let keys = [
            key(&secret),
            key(&secret[..1]),
            key(&secret[1..]),
            key(&[("x-tenant", "a"), ("x-key", "s3cret"), ("x-key", "s3cret")]),
            key(&[("x-tenant", ""), ("x-key", "as3cret")]),
            key(&[("x-tenant", "a")]).to_uppercase(),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!key.contains("s3cret"), "{key}");
            assert!(!keys[..at].contains(key), "{key}");
        }
        assert_eq!(key(&secret), key(&[("X-Key", "s3cret"), ("accept", "x"), ("X-Tenant", "a")]));
        let picked = forwarded(&["x-key"]).picked(&headers(&secret));
        assert_eq!(picked.len(), 1);
        assert!(!format!("{picked:?}").contains("s3cret"));
    }

    #[test]
    fn a_name_that_cannot_be_forwarded_is_refused_with_the_reason() {
        for name in ["", "a b", "Host", "connection", "If-None-Match", "Authorization", "accept", "Range"] {
            let error = Forwarded::default().add(name).unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
        let mut full = Forwarded::default();
        (0..FORWARDED_MAX).for_each(|at| full.add(&format!("x-{at}")).unwrap());
        assert!(full.add("x-0").is_ok());
        assert!(full.add("x-more").is_err());
    }
}
