//! The text form of a generated secret.
//!
//! A prefix that people and secret scanners recognise, then 32 bytes and a checksum of four in base64url:
//! 48 characters that a double click selects whole in most terminals.

use crate::schedule::{Key32, checksum};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// What the text of `bytes` is.
pub(crate) fn encode(bytes: &Key32) -> Zeroizing<String> {
    let mut payload = Zeroizing::new([0; PAYLOAD_BYTES]);
    payload[..32].copy_from_slice(&bytes[..]);
    payload[32..].copy_from_slice(&checksum(&[PREFIX.as_bytes(), &bytes[..]]));
    let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES));
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(&payload[..], &mut text);
    text
}

/// The bytes of what [`encode`] wrote; `None` if a single character is not as it was.
pub(crate) fn decode(text: &str) -> Option<Key32> {
    let digits = text.strip_prefix(PREFIX)?;
    let mut payload = Zeroizing::new([0; PAYLOAD_BYTES]);
    if text.len() != TEXT_BYTES {
        return None;
    }
    let written = URL_SAFE_NO_PAD.decode_slice(digits, &mut payload[..]).ok()?;
    let mut bytes = Key32::default();
    bytes.copy_from_slice(&payload[..32]);
    let whole = written == PAYLOAD_BYTES && payload[32..] == checksum(&[PREFIX.as_bytes(), &bytes[..]]);
    whole.then_some(bytes)
}

/// How the text of a generated secret begins; the digit is the version of its format.
pub(crate) const PREFIX: &str = "fleetcache1_";

const PAYLOAD_BYTES: usize = 36;
const TEXT_BYTES: usize = PREFIX.len() + PAYLOAD_BYTES / 3 * 4;
