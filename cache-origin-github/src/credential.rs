//! The payer of a call: reads a credential in whichever form a client sends it.
//!
//! GitHub accepts one token as `token X`, as `Bearer X` and as a Basic password. All three are the same
//! [`Credential`], and cached fetches send all three as `Bearer X`, since GitHub's entity tags depend on
//! the header's text. Nothing here prints, stores or compares a token's text beyond its look.

use crate::ConfigError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use std::fmt;
use zeroize::Zeroizing;

/// A token by which the origin knows its caller. Cleared from memory when dropped; never shown.
///
/// ```
/// # use cache_origin_github::Credential;
/// let credential = Credential::from_token("ghp_0123456789")?;
/// assert_eq!(format!("{credential:?}"), "Credential(..)");
/// assert!(Credential::from_token("two words").is_err());
/// # Ok::<(), cache_origin_github::ConfigError>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Credential(Zeroizing<String>);

impl Credential {
    /// The credential of a bare token, as `gh auth token` prints it; surrounding white space is ignored.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Credential`] when it is empty, too long, or holds what no token holds.
    pub fn from_token(token: &str) -> Result<Self, ConfigError> {
        let problem = |problem| ConfigError::Credential { problem };
        let token = token.trim();
        if token.is_empty() {
            Err(problem("it is empty"))
        } else if token.len() > TOKEN_BYTES_MAX {
            Err(problem("it is too long"))
        } else if !token.bytes().all(is_token_byte) {
            Err(problem("it holds white space or other characters that no token has"))
        } else {
            Ok(Self(Zeroizing::new(token.to_owned())))
        }
    }

    /// Reads the value of an `Authorization` field; `None` for what is not surely a token, such as an
    /// OAuth application's id and secret.
    pub(crate) fn from_authorization(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (scheme, rest) = text.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            Self::from_token(rest).ok()
        } else if scheme.eq_ignore_ascii_case("token") {
            // GitHub takes a JWT as Bearer alone. Sent on as Bearer, a refused request would be granted.
            Self::from_token(rest).ok().filter(|found| !found.is_jwt())
        } else if scheme.eq_ignore_ascii_case("basic") {
            Self::from_basic(rest)
        } else {
            None
        }
    }

    /// The one form in which cached fetches send it.
    pub(crate) fn authorization(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text).expect("a token has only printable ASCII characters");
        value.set_sensitive(true);
        value
    }

    pub(crate) fn token(&self) -> &str {
        &self.0
    }

    fn is_jwt(&self) -> bool {
        self.0.starts_with("eyJ") && self.0.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// `any:TOKEN`, as git and older clients send it, or `TOKEN:` and `TOKEN:x-oauth-basic`.
    fn from_basic(encoded: &str) -> Option<Self> {
        let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        if looks_like_token(password) && !looks_like_client_id(user) {
            Self::from_token(password).ok()
        } else if looks_like_token(user) && matches!(password, "" | "x-oauth-basic") {
            Self::from_token(user).ok()
        } else {
            None
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

impl Credential {
    /// Which kind of token it is, as far as its beginning tells: a number.
    pub(crate) fn kind(&self) -> usize {
        let token = self.token();
        TOKEN_PREFIXES.iter().position(|prefix| token.starts_with(prefix)).unwrap_or(TOKEN_PREFIXES.len())
    }
}

fn looks_like_token(text: &str) -> bool {
    let prefixed = TOKEN_PREFIXES.iter().any(|prefix| text.len() > prefix.len() && text.starts_with(prefix));
    prefixed || is_hex(text, 40)
}

/// An OAuth or GitHub application's id, whose secret is 40 digits like an old token.
fn looks_like_client_id(user: &str) -> bool {
    is_hex(user, 20) || ["Iv1.", "Iv23", "Ov23"].iter().any(|prefix| user.starts_with(prefix))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b','
}

/// Longest token taken, in bytes. Application JWTs are about 500; this leaves room for any claim.
const TOKEN_BYTES_MAX: usize = 4096;
/// How GitHub's tokens begin, from "Behind GitHub's new authentication token formats".
const TOKEN_PREFIXES: [&str; 6] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        Credential::from_authorization(value.as_bytes()).map(|found| found.token().to_owned())
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn one_token_in_any_form_is_one_credential() {
        let forms = [
            "token ghp_abc".to_owned(),
            "Bearer ghp_abc".to_owned(),
            "bearer  ghp_abc ".to_owned(),
            "TOKEN ghp_abc".to_owned(),
            basic("x-access-token:ghp_abc"),
            basic("ghp_abc:"),
            basic("ghp_abc:x-oauth-basic"),
        ];
        for form in forms {
            assert_eq!(read(&form).as_deref(), Some("ghp_abc"), "{form}");
        }
    }

    #[test]
    fn what_is_not_surely_a_token_is_none() {
        let secret = "0123456789abcdef0123456789abcdef01234567";
        let forms = [
            basic("alice:password"),
            basic(&format!("Iv1.0123456789abcdef:{secret}")),
            basic(&format!("0123456789abcdef0123:{secret}")),
            "Basic !!!".to_owned(),
            "Digest x".to_owned(),
            "ghp_abc".to_owned(),
            "token".to_owned(),
            "token a b".to_owned(),
            "token eyJhbGciOi.eyJpc3M.c2ln".to_owned(),
        ];
        for form in forms {
            assert_eq!(read(&form), None, "{form}");
        }
        assert!(read(&basic(&format!("me:{secret}"))).is_some());
        assert!(read("Bearer eyJhbGciOi.eyJpc3M.c2ln").is_some());
    }

    #[test]
    fn a_credential_is_sent_in_one_form_and_marked_as_sensitive() {
        let value = Credential::from_token("ghp_abc").unwrap().authorization();
        assert_eq!(value, "Bearer ghp_abc");
        assert!(value.is_sensitive());
        assert_eq!(format!("{value:?}"), "Sensitive");
    }
}
