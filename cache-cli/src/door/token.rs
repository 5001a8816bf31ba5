//! Whether a client knows the token that a door asks for.

use crate::settings::Secret;
use base64::{Engine, prelude::BASE64_STANDARD};
use fleet_cache::github::CLIENT_FIELD;
use http::{HeaderMap, HeaderName, header};

/// Whether `headers` present `token`: in a field of its own, or as a client presents it to a proxy.
///
/// `HTTP_PROXY=http://any:TOKEN@host:port` makes clients send the latter.
pub(super) fn presents(headers: &HeaderMap, token: &Secret) -> bool {
    let plain = headers.get(CLIENT_TOKEN).map(|value| token.matches(value.as_bytes()));
    let as_proxy = || {
        let value = headers.get(header::PROXY_AUTHORIZATION)?.as_bytes();
        let (scheme, credential) = value.split_at_checked(value.iter().position(|byte| *byte == b' ')?)?;
        let credential = credential.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"Bearer") {
            return Some(token.matches(credential));
        }
        let pair = BASE64_STANDARD.decode(credential).ok()?;
        let colon = pair.iter().position(|byte| *byte == b':')?;
        Some(scheme.eq_ignore_ascii_case(b"Basic") && token.matches(&pair[colon + 1..]))
    };
    plain.or_else(as_proxy).unwrap_or(false)
}

/// Takes out of `headers` what is for this door alone.
pub(super) fn take_out(headers: &mut HeaderMap) {
    headers.remove(CLIENT_TOKEN);
    headers.remove(CLIENT_FIELD);
    headers.remove(header::PROXY_AUTHORIZATION);
}

const CLIENT_TOKEN: HeaderName = HeaderName::from_static("x-fleet-cache-token");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::secret;
    use http::HeaderValue;

    fn presented(name: &'static str, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        presents(&headers, &secret("sesame").unwrap())
    }

    #[test]
    fn the_token_is_taken_in_its_own_field_and_from_proxy_clients() {
        assert!(presented("x-fleet-cache-token", "sesame"));
        assert!(presented("proxy-authorization", "Bearer sesame"));
        assert!(presented("proxy-authorization", "basic YW55OnNlc2FtZQ=="), "any:sesame");
    }

    #[test]
    fn anything_else_is_refused() {
        for value in ["sesam", "sesame ", "Bearer sesame", ""] {
            assert!(!presented("x-fleet-cache-token", value), "{value}");
        }
        for value in ["sesame", "Bearer open", "Basic !", "Basic c2VzYW1l", "Digest sesame"] {
            assert!(!presented("proxy-authorization", value), "{value}");
        }
        // The client's own credential is for the API, not for this door.
        assert!(!presented("authorization", "Bearer sesame"));
    }

    #[test]
    fn nothing_of_it_reaches_the_origin() {
        let mut headers = HeaderMap::new();
        headers.insert(CLIENT_TOKEN, HeaderValue::from_static("sesame"));
        headers.insert(header::PROXY_AUTHORIZATION, HeaderValue::from_static("Bearer sesame"));
        take_out(&mut headers);
        assert!(headers.is_empty());
    }
}
