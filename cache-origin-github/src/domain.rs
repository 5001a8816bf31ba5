//! Which requests may read an answer: from a request's credential to its [`Domain`].
//!
//! A credential's domain is a digest of the token, unless an operator names a domain for a set of
//! credentials that may read the same things. Digests are remembered, so that a cached hit computes none.

use crate::{ConfigError, Credential, PassReason};
use ahash::RandomState;
use cache_core::{Domain, Payer, Reader};
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
    /// Every credential belongs to the domain.
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

/// The domain of a request, and which credential of it asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Readers {
    pub(crate) domain: Domain,
    pub(crate) payer: Payer,
}

impl Readers {
    pub(crate) const ANONYMOUS: Self = Self { domain: Domain::ANONYMOUS, payer: Payer::HOST };

    /// Whether an operator put several credentials together: what one is refused the next may be granted.
    pub(crate) fn are_named(self) -> bool {
        self.payer != Payer::from(self.domain)
    }

    /// The same credential in the domain that is its own.
    pub(crate) fn alone(self) -> Self {
        Self { domain: Domain::from_bytes(*self.payer.as_bytes()), ..self }
    }

    pub(crate) fn reader(self) -> Reader {
        if self.are_named() { Reader::Unproven(self.payer) } else { Reader::Admitted }
    }
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
        let own = digest("credential", credential.token());
        Readers { domain: named.map_or(own, |named| named.domain), payer: own.into() }
    }

    /// What people call a payer: `anonymous`, the first digits, or those behind the operator's name for its domain.
    pub(crate) fn label(&self, readers: Readers) -> String {
        let named = self.named.iter().find(|named| named.domain == readers.domain);
        named.map_or_else(|| readers.domain.to_string(), |named| format!("{}/{}", named.name, readers.payer))
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
        assert!(ci.are_named());
        for member in ["Bearer ghs_2", "Bearer ghp_bot"] {
            let other = readers(&domains, member);
            assert_eq!(other.domain, ci.domain, "{member}");
            assert_ne!(other.payer, ci.payer, "{member}");
            assert!(matches!(other.reader(), Reader::Unproven(payer) if payer == other.payer), "{member}");
        }
        assert_ne!(ci.domain, readers(&domains, "Bearer ghp_bot2").domain);
        assert_eq!(domains.label(ci), format!("ci/{}", ci.payer));
    }

    #[test]
    fn a_credential_by_itself_is_the_same_whether_or_not_a_name_is_given_to_it() {
        let mut named = Domains::default();
        named.name("ci", vec!["ghs_*".parse().unwrap()]).unwrap();
        let alone = readers(&Domains::default(), "token ghs_1");
        assert_eq!(readers(&named, "token ghs_1").alone(), alone);
        assert_eq!((alone.are_named(), alone.reader()), (false, Reader::Admitted));
        assert_eq!(Readers::ANONYMOUS.reader(), Reader::Admitted);
    }

    #[test]
    fn a_token_that_reads_like_a_domains_name_does_not_enter_it() {
        let mut domains = Domains::default();
        domains.name("ci", vec!["ghs_*".parse().unwrap()]).unwrap();
        assert_ne!(readers(&domains, "token ci").domain, readers(&domains, "token ghs_1").domain);
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
