//! The name under which an entry is filed: a canonical resource, and the domain that may read the answer.

use alloc::{string::String, sync::Arc};
use core::{borrow::Borrow, fmt};

/// Names one cached answer: a canonical resource as seen by one authorization domain.
///
/// The text is the resource followed by a line break and the domain in hexadecimal, so that keys sort by resource
/// first and a prefix of a resource is a range of keys. Two domains never share a key, which is what keeps one
/// credential's private answers from another.
///
/// ```
/// # use cache_core::{Domain, Key};
/// let key = Key::new("api.github.com/user", Domain::from_bytes([7; 16]));
/// assert_eq!(key.resource(), "api.github.com/user");
/// assert_eq!(key.domain(), Domain::from_bytes([7; 16]));
/// ```
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of `resource` for readers in `domain`.
    pub fn new(resource: &str, domain: Domain) -> Self {
        let mut text = String::with_capacity(resource.len() + DOMAIN_SUFFIX_BYTES);
        write_key_text(&mut text, resource, domain);
        Self(text.into())
    }

    /// Takes a text as [`Key::as_str`] wrote it; `None` if it does not end in a domain or is longer than
    /// [`KEY_BYTES_MAX`].
    pub fn from_text(text: &str) -> Option<Self> {
        Domain::from_hex(split_domain(text)?)?;
        (text.len() <= KEY_BYTES_MAX).then(|| Self(text.into()))
    }

    /// The whole text: resource, line break, domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical resource, such as `api.github.com/repos/acme/site`.
    pub fn resource(&self) -> &str {
        &self.0[..self.0.len() - DOMAIN_SUFFIX_BYTES]
    }

    /// The domain of the requests that may read the answer.
    pub fn domain(&self) -> Domain {
        split_domain(&self.0).and_then(Domain::from_hex).expect("a key ends in its domain")
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    /// Without what a query says, which logs are not to hold: it may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.resource().split_once('?') {
            Some((path, rest)) => {
                let class = rest.find(' ').map_or("", |at| &rest[at..]);
                write!(f, "{path}?…{class} for {}", self.domain())
            }
            None => write!(f, "{} for {}", self.resource(), self.domain()),
        }
    }
}

/// Writes the text of [`Key::new`] behind what `out` holds, to look an entry up without allocating a key.
///
/// ```
/// # use cache_core::{key::write_key_text, Domain, Key};
/// let mut text = String::new();
/// write_key_text(&mut text, "api.github.com/user", Domain::ANONYMOUS);
/// assert_eq!(text, Key::new("api.github.com/user", Domain::ANONYMOUS).as_str());
/// ```
pub fn write_key_text(out: &mut String, resource: &str, domain: Domain) {
    out.push_str(resource);
    domain.write_suffix(out);
}

/// Tells which requests may read an answer: all that carry the same domain.
///
/// Sixteen bytes that the origin adapter derives from a credential, or from the name that an operator
/// gives to a set of credentials. Nothing can be read back from it. It is part of every [`Key`].
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Domain([u8; 16]);

impl Domain {
    /// Requests without any credential.
    pub const ANONYMOUS: Self = Self([0; 16]);
    /// Values that a program computed itself and put under keys of its own.
    pub const APPLICATION: Self = Self([0xff; 16]);

    /// The domain with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Writes the line break and the digits that end a [`Key`]'s text.
    pub fn write_suffix(self, out: &mut String) {
        out.push('\n');
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from(HEX_DIGITS[usize::from(nibble)]));
            }
        }
    }

    fn from_hex(digits: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let digits = digits.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Domain {
    /// The first eight digits: enough to tell domains apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ANONYMOUS => f.write_str("anonymous"),
            Self::APPLICATION => f.write_str("application"),
            Self(bytes) => bytes[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({self})")
    }
}

fn split_domain(text: &str) -> Option<&str> {
    let at = text.len().checked_sub(DOMAIN_SUFFIX_BYTES)?;
    text.get(at..)?.strip_prefix('\n')
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _other => None,
    }
}

/// Longest text of a key, in bytes: request targets of 8,000 bytes (RFC 9112, section 3, asks recipients
/// to take at least that) and what else distinguishes representations. Longer ones are not cached.
pub const KEY_BYTES_MAX: usize = 8 * 1024 + 512;

/// Bytes that a domain takes at the end of a key: a line break and 32 digits.
const DOMAIN_SUFFIX_BYTES: usize = 33;
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn keys_sort_by_resource_first() {
        let high = Domain::from_bytes([0xee; 16]);
        let mut keys = [Key::new("b", Domain::ANONYMOUS), Key::new("a/x", high), Key::new("a", high)];
        keys.sort();
        assert_eq!(keys.map(|key| String::from(key.resource())), ["a", "a/x", "b"]);
    }

    #[test]
    fn a_resource_that_looks_like_a_domain_changes_nothing() {
        let outer = Domain::from_bytes([1; 16]);
        let inner = Key::new("r", Domain::from_bytes([2; 16]));
        let key = Key::new(inner.as_str(), outer);
        assert_eq!(key.domain(), outer);
        assert_eq!(key.resource(), inner.as_str());
    }

    #[test]
    fn what_a_query_says_is_not_shown() {
        let shown = |resource: &str| format!("{:?}", Key::new(resource, Domain::ANONYMOUS));
        assert_eq!(shown("host/search?q=private json"), "host/search?… json for anonymous");
        assert_eq!(shown("host/search?q=private"), "host/search?… for anonymous");
        assert_eq!(shown("host/user json"), "host/user json for anonymous");
    }

    #[test]
    fn text_without_a_domain_is_no_key() {
        for text in ["", "short", "api.github.com/user", &"x".repeat(40), &"é".repeat(20)] {
            assert_eq!(Key::from_text(text), None, "{text}");
        }
    }
}
