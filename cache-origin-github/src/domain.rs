//! Who may read an answer: from a request's credential to its [`Domain`].
//!
//! A credential's domain is a digest of the token, unless an operator names a domain for a set of
//! credentials that may read the same things. Digests are remembered, so that a cached hit computes none.

use crate::{ConfigError, Credential, PassReason};
use ahash::RandomState;
use cache_core::Domain;
use http::HeaderValue;
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use std::{
    borrow::Borrow,
    collections::HashMap,
    convert::Infallible,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};
use zeroize::Zeroizing;

/// Which credentials belong to a named domain.
///
/// Read from text: `*` is every credential, `ghs_*` every one that begins so, anything else one token.
/// Requests without a credential belong to no named domain.
///
/// ```
/// # use cache_origin_github::CredentialMatch;
/// let of_app: CredentialMatch = "ghs_*".parse().unwrap();
/// assert_eq!(of_app, CredentialMatch::Prefix("ghs_".into()));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CredentialMatch {
    /// Every credential.
    All,
    /// One token, of which only a digest is kept.
    Exact(TokenDigest),
    /// Every token that begins so, such as `ghs_` for installation tokens.
    Prefix(Box<str>),
}

impl CredentialMatch {
    fn holds(&self, credential: &Credential) -> bool {
        match self {
            Self::All => true,
            Self::Exact(digest) => *digest == TokenDigest::of(credential.token()),
            Self::Prefix(prefix) => credential.token().starts_with(&**prefix),
        }
    }
}

impl FromStr for CredentialMatch {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_suffix('*') {
            Some("") => Self::All,
            Some(prefix) => Self::Prefix(prefix.into()),
            None => Self::Exact(TokenDigest::of(text)),
        })
    }
}

/// A digest by which a token is recognised but cannot be recovered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenDigest(Domain);

impl TokenDigest {
    /// The digest of `token`.
    pub fn of(token: &str) -> Self {
        Self(digest("token", token))
    }
}

/// The domain of a request, and whether it is one credential's alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Readers {
    pub(crate) domain: Domain,
    /// Whether an operator put several credentials together: what one is refused the next may be granted.
    pub(crate) named: bool,
}

impl Readers {
    pub(crate) const ANONYMOUS: Self = Self { domain: Domain::ANONYMOUS, named: false };
}

/// Knows the operator's named domains and remembers the domains of credentials lately seen.
#[derive(Debug, Default)]
pub(crate) struct Domains {
    named: Vec<NamedDomain>,
    known: RwLock<HashMap<FieldValue, Readers, RandomState>>,
}

#[derive(Debug)]
struct NamedDomain {
    name: Box<str>,
    domain: Domain,
    members: Vec<CredentialMatch>,
}

impl Domains {
    /// Adds a domain; of several that hold a credential, the first added counts.
    pub(crate) fn name(&mut self, name: &str, members: Vec<CredentialMatch>) -> Result<(), ConfigError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(ConfigError::DomainName { name: name.into(), max: NAME_BYTES_MAX });
        }
        self.named.push(NamedDomain { name: name.into(), domain: digest("name", name), members });
        Ok(())
    }

    /// The readers for an `Authorization` field.
    pub(crate) fn of_field(&self, value: &HeaderValue) -> Result<Readers, PassReason> {
        if let Some(readers) = self.known.read().get(value.as_bytes()) {
            return Ok(*readers);
        }
        let credential = Credential::from_authorization(value.as_bytes()).ok_or(PassReason::Credential)?;
        let readers = self.of_credential(&credential);
        let mut known = self.known.write();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(FieldValue(Zeroizing::new(value.as_bytes().into())), readers);
        Ok(readers)
    }

    /// The readers for a credential.
    pub(crate) fn of_credential(&self, credential: &Credential) -> Readers {
        let named =
            self.named.iter().find(|named| named.members.iter().any(|member| member.holds(credential)));
        match named {
            Some(named) => Readers { domain: named.domain, named: true },
            None => Readers { domain: digest("credential", credential.token()), named: false },
        }
    }

    /// What people call a domain: the operator's name, `anonymous`, or the first digits.
    pub(crate) fn label(&self, domain: Domain) -> String {
        self.named
            .iter()
            .find(|named| named.domain == domain)
            .map_or_else(|| domain.to_string(), |named| named.name.to_string())
    }
}

/// The text of an `Authorization` field; cleared from memory when forgotten.
#[derive(Eq, PartialEq)]
struct FieldValue(Zeroizing<Box<[u8]>>);

impl Hash for FieldValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        <[u8]>::hash(&self.0, state);
    }
}

impl Borrow<[u8]> for FieldValue {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FieldValue(..)")
    }
}

/// The first half of SHA-256 over a label and a text. The label keeps a name from being a credential.
fn digest(label: &str, text: &str) -> Domain {
    let mut hasher = Sha256::new();
    hasher.update(b"fleet-cache domain ");
    hasher.update(label);
    hasher.update([0]);
    hasher.update(text);
    let whole = hasher.finalize();
    Domain::from_bytes(std::array::from_fn(|at| whole[at]))
}

/// Most credentials whose domains are remembered. Beyond it all are forgotten and digested anew, which
/// costs a microsecond each; a host rarely has more than some dozens in use.
const KNOWN_MAX: usize = 1024;
/// Longest name of a domain, in bytes.
const NAME_BYTES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn readers(domains: &Domains, value: &'static str) -> Readers {
        domains.of_field(&HeaderValue::from_static(value)).unwrap()
    }

    #[test]
    fn one_token_under_any_scheme_reads_the_same() {
        let domains = Domains::default();
        let first = readers(&domains, "token ghp_abc");
        assert_eq!(first, readers(&domains, "Bearer ghp_abc"));
        assert_eq!(first, readers(&domains, "Basic eDpnaHBfYWJj"));
        assert_ne!(first, readers(&domains, "token ghp_abd"));
        assert_ne!(first.domain, Domain::ANONYMOUS);
    }

    #[test]
    fn a_named_domain_takes_in_its_members_alone() {
        let mut domains = Domains::default();
        domains.name("ci", vec!["ghs_*".parse().unwrap(), "ghp_bot".parse().unwrap()]).unwrap();
        let ci = readers(&domains, "token ghs_1");
        assert!(ci.named);
        assert_eq!(ci, readers(&domains, "Bearer ghs_2"));
        assert_eq!(ci, readers(&domains, "Bearer ghp_bot"));
        assert_ne!(ci, readers(&domains, "Bearer ghp_bot2"));
        assert_eq!(domains.label(ci.domain), "ci");
    }

    #[test]
    fn a_token_that_reads_like_a_domains_name_does_not_enter_it() {
        let mut domains = Domains::default();
        domains.name("ci", vec!["ghs_*".parse().unwrap()]).unwrap();
        assert_ne!(readers(&domains, "token ci"), readers(&domains, "token ghs_1"));
    }

    #[test]
    fn remembered_credentials_are_bounded() {
        let domains = Domains::default();
        for number in 0..=KNOWN_MAX {
            let value = HeaderValue::from_str(&format!("token t{number}")).unwrap();
            domains.of_field(&value).unwrap();
        }
        assert_eq!(domains.known.read().len(), 1);
    }

    #[test]
    fn tokens_do_not_show_in_debug() {
        let mut domains = Domains::default();
        domains.name("ci", vec!["ghp_exact".parse().unwrap()]).unwrap();
        readers(&domains, "token ghp_seen");
        let shown = format!("{domains:?}");
        assert!(!shown.contains("ghp_"), "{shown}");
    }
}
