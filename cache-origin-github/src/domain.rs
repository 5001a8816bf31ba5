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
    pub(crate) rights: Rights,
}

/// How it is known what a credential of a named domain may read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rights {
    /// The origin says so, to each credential and of each answer.
    Proven,
    /// The operator vouches that all of them may read the same.
    Trusted,
}

impl Readers {
    pub(crate) const ANONYMOUS: Self =
        Self { domain: Domain::ANONYMOUS, payer: Payer::HOST, rights: Rights::Proven };

    /// The readers that send no credential, for which `credential` asks. A client that sends it as its own is not among them.
    pub(crate) fn of_surrogate(credential: &Credential) -> Self {
        let domain = digest("surrogate", credential.token());
        Self { domain, payer: domain.into(), rights: Rights::Proven }
    }

    /// Whether an operator put several credentials together: what one is refused the next may be granted.
    pub(crate) fn are_named(self) -> bool {
        self.payer != Payer::from(self.domain)
    }

    /// Whether they are several, each of which proves for itself what it may read of what the others were given.
    pub(crate) fn prove_each(self) -> bool {
        self.are_named() && self.rights == Rights::Proven
    }

    /// The same credential in the domain that is its own.
    pub(crate) fn alone(self) -> Self {
        let domain = Domain::from_bytes(*self.payer.as_bytes());
        Self { domain, payer: self.payer, rights: Rights::Proven }
    }

    pub(crate) fn reader(self) -> Reader {
        match self.rights {
            Rights::Proven if self.prove_each() => Reader::Unproven(self.payer),
            Rights::Proven | Rights::Trusted => Reader::Admitted,
        }
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
    rights: Rights,
}

impl Domains {
    /// Adds a domain; of several that hold a credential, the first added counts.
    pub(crate) fn name(
        &mut self,
        name: &str,
        members: Vec<CredentialMatch>,
        rights: Rights,
    ) -> Result<(), ConfigError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(ConfigError::DomainName { name: name.into(), max: NAME_BYTES_MAX });
        }
        // What is kept under the name would otherwise answer some without proof, whatever the others fetched.
        if self.named.iter().any(|other| *other.name == *name && other.rights != rights) {
            return Err(ConfigError::DomainRights { name: name.into() });
        }
        self.named.push(NamedDomain { name: name.into(), domain: digest("name", name), members, rights });
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
        let (domain, rights) = named.map_or((own, Rights::Proven), |named| (named.domain, named.rights));
        Readers { domain, payer: own.into(), rights }
    }

    /// What people call a payer: `anonymous`, the first digits, or those behind the operator's name for its domain.
    pub(crate) fn label(&self, domain: Domain, payer: Payer) -> String {
        let named = self.named.iter().find(|named| named.domain == domain);
        named.map_or_else(|| domain.to_string(), |named| format!("{}/{payer}", named.name))
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
        domains
            .name("ci", vec!["ghs_*".parse().unwrap(), "ghp_bot".parse().unwrap()], Rights::Proven)
            .unwrap();
        let ci = readers(&domains, "token ghs_1");
        assert!(ci.are_named());
        for member in ["Bearer ghs_2", "Bearer ghp_bot"] {
            let other = readers(&domains, member);
            assert_eq!(other.domain, ci.domain, "{member}");
            assert_ne!(other.payer, ci.payer, "{member}");
            assert!(matches!(other.reader(), Reader::Unproven(payer) if payer == other.payer), "{member}");
        }
        assert_ne!(ci.domain, readers(&domains, "Bearer ghp_bot2").domain);
        assert_eq!(domains.label(ci.domain, ci.payer), format!("ci/{}", ci.payer));
    }

    #[test]
    fn the_first_of_several_domains_that_hold_a_credential_counts_with_its_rights() {
        let mut domains = Domains::default();
        domains.name("ours", vec!["ghs_ours*".parse().unwrap()], Rights::Trusted).unwrap();
        domains.name("all", vec!["*".parse().unwrap()], Rights::Proven).unwrap();
        let ours = readers(&domains, "token ghs_ours1");
        assert_eq!((ours.are_named(), ours.reader()), (true, Reader::Admitted));
        let other = readers(&domains, "token ghs_other");
        assert_ne!(other.domain, ours.domain);
        assert_eq!(other.reader(), Reader::Unproven(other.payer));
        // What concerns the credential itself is its own, whatever the operator vouches for.
        assert_eq!((ours.alone().are_named(), ours.alone().rights), (false, Rights::Proven));
    }

    #[test]
    fn one_name_has_one_kind_of_rights() {
        let mut domains = Domains::default();
        let mut name = |pattern: &str, rights| domains.name("ci", vec![pattern.parse().unwrap()], rights);
        name("ghs_a*", Rights::Proven).unwrap();
        name("ghs_b*", Rights::Proven).unwrap();
        let refused = name("ghs_c*", Rights::Trusted).unwrap_err();
        assert!(matches!(refused, ConfigError::DomainRights { name } if &*name == "ci"));
    }

    #[test]
    fn a_credential_by_itself_is_the_same_whether_or_not_a_name_is_given_to_it() {
        let mut named = Domains::default();
        named.name("ci", vec!["ghs_*".parse().unwrap()], Rights::Proven).unwrap();
        let alone = readers(&Domains::default(), "token ghs_1");
        assert_eq!(readers(&named, "token ghs_1").alone(), alone);
        assert_eq!((alone.are_named(), alone.reader()), (false, Reader::Admitted));
        assert_eq!(Readers::ANONYMOUS.reader(), Reader::Admitted);
    }

    #[test]
    fn a_token_that_reads_like_a_domains_name_does_not_enter_it() {
        let mut domains = Domains::default();
        domains.name("ci", vec!["ghs_*".parse().unwrap()], Rights::Proven).unwrap();
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
        domains.name("ci", vec!["ghp_exact".parse().unwrap()], Rights::Proven).unwrap();
        readers(&domains, "token ghp_seen");
        let shown = format!("{domains:?}");
        assert!(!shown.contains("ghp_"), "{shown}");
    }
}
