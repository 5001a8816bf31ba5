//! The secret with which GitHub signs what it delivers.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// The secret of a webhook. Shown nowhere, wiped when dropped.
///
/// ```
/// use cache_origin_github::WebhookSecret;
///
/// // The example of GitHub's documentation.
/// let secret = WebhookSecret::new("It's a Secret to Everybody")?;
/// let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
/// assert!(secret.signed(b"Hello, World!", signature));
/// assert!(!secret.signed(b"Hello, world!", signature));
/// # Ok::<(), cache_origin_github::WebhookSecretError>(())
/// ```
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// The secret is shorter than [`SECRET_BYTES_MIN`], so that others could guess it. Its text is not repeated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "has {bytes} bytes, which others could guess; give at least {SECRET_BYTES_MIN}, such as `openssl rand -hex 32` prints"
)]
#[non_exhaustive]
pub struct WebhookSecretError {
    /// How long it is.
    pub bytes: usize,
}

impl WebhookSecret {
    /// Takes the secret as it was given to GitHub.
    ///
    /// # Errors
    ///
    /// [`WebhookSecretError`] if it is too short.
    pub fn new(text: &str) -> Result<Self, WebhookSecretError> {
        if text.len() < SECRET_BYTES_MIN {
            return Err(WebhookSecretError { bytes: text.len() });
        }
        Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
    }

    /// Whether `signature`, a value of `X-Hub-Signature-256`, is that of `body`. Takes as long for every wrong signature.
    pub fn signed(&self, body: &[u8], signature: &str) -> bool {
        let Some(code) = code_of(signature) else { return false };
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length will do");
        mac.update(body);
        mac.verify_slice(&code).is_ok()
    }

    /// Whether `signature` has the form of one, genuine or not.
    pub fn is_signature(signature: &str) -> bool {
        code_of(signature).is_some()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// The code that `sha256=` and 64 hexadecimal digits write.
fn code_of(signature: &str) -> Option<[u8; CODE_BYTES]> {
    let digits = signature.strip_prefix("sha256=").filter(|digits| digits.len() == 2 * CODE_BYTES)?;
    let mut code = [0; CODE_BYTES];
    for (byte, pair) in code.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? * 16 + digit(pair[1])?;
    }
    Some(code)
}

/// Shortest secret: 16 characters of 64 kinds are 96 bits.
pub const SECRET_BYTES_MIN: usize = 16;
/// Bytes of a code: those of a SHA-256.
const CODE_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_makes_a_signature() {
        let secret = WebhookSecret::new("It's a Secret to Everybody").unwrap();
        let genuine = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(secret.signed(b"Hello, World!", genuine));
        assert!(secret.signed(b"Hello, World!", &genuine.to_uppercase().replace("SHA256", "sha256")));
        let other = WebhookSecret::new("It's a secret to everybody").unwrap();
        assert!(!other.signed(b"Hello, World!", genuine));
        for forged in [
            "",
            "sha256=",
            "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
            &genuine[7..],
            &genuine[..70],
            &genuine.replace("17", "18"),
            &genuine.replace("17", "1é"),
            &genuine.replace("17", "1g"),
        ] {
            assert!(!secret.signed(b"Hello, World!", forged), "{forged}");
        }
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused_without_being_repeated() {
        let error = WebhookSecret::new("hunter2").unwrap_err();
        assert_eq!(error.bytes, 7);
        assert!(!error.to_string().contains("hunter2"));
        assert_eq!(format!("{:?}", WebhookSecret::new("0123456789abcdef").unwrap()), "WebhookSecret(..)");
    }
}
