//! The installation's own certificate authority: a client that trusts it lets this daemon answer for a few hosts, and no others.
//!
//! Its key never leaves the cache directory, and its certificate is constrained (RFC 5280, section 4.2.1.10) to the names of
//! the hosts that the daemon intercepts, and to TLS servers. A name permits the names below it as well. Every client that checks
//! constraints, as all current TLS libraries do, refuses whatever else is signed with it.

mod files;
mod leaves;
mod reading;

pub(crate) use {
    files::{CaFiles, Found},
    leaves::Leaves,
    reading::Facts,
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, SystemTime},
};

/// A key that signs for some hosts, and the certificate by which clients know it.
pub(crate) struct CertificateAuthority {
    key: KeyPair,
    /// The certificate as the signer of others needs it: its name and key are those of `pem`.
    issuer: Certificate,
    pem: String,
    facts: Facts,
}

/// Why there is no certificate authority.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaError {
    /// A file of it cannot be read or written.
    #[error("{path} cannot be {done}: {error}")]
    File {
        /// The path of the file.
        path: String,
        /// `read` or `written`.
        done: &'static str,
        /// The system's reason.
        error: std::io::Error,
    },
    /// What is in the files is no certificate authority of this program.
    #[error("{path} {problem}; `fleet-cache ca renew` makes a new one, which clients have to be given anew")]
    Unusable {
        /// The path of the file that is at fault.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The library refuses to sign.
    #[error("no certificate can be made: {0}")]
    Signing(#[from] rcgen::Error),
    /// The library refuses a key.
    #[error("no key can be used: {0}")]
    Key(#[from] rustls::Error),
}

/// The time of day, by which certificates begin and end.
pub(crate) fn time_of_day() -> SystemTime {
    SystemTime::now()
}

/// The names of hosts, in lower case; addresses are without brackets.
pub(crate) type HostNames = BTreeSet<String>;

impl CertificateAuthority {
    /// A new one for `hosts`, valid for [`LIFETIME`], which begins an hour before `now`.
    ///
    /// # Errors
    ///
    /// When a name is not one that a certificate can have.
    pub(crate) fn new(hosts: &HostNames, now: SystemTime) -> Result<Self, CaError> {
        let key = KeyPair::generate()?;
        let mut params = params_of(hosts);
        params.not_before = (now - CLOCKS_DIFFER).into();
        params.not_after = (now - CLOCKS_DIFFER + LIFETIME).into();
        let issuer = params.self_signed(&key)?;
        let pem = issuer.pem();
        let facts = Facts::of(issuer.der()).expect("what was made is read as it was made");
        Ok(Self { key, issuer, pem, facts })
    }

    /// The one whose certificate and key these are.
    fn from_pem(pem: String, key: KeyPair) -> Result<Self, &'static str> {
        let facts = Facts::of_pem(&pem).ok_or("is no certificate")?;
        if !facts.is_of_key(&key) {
            return Err("belongs to another key than the one beside it");
        }
        let hosts = facts.hosts().iter().cloned().collect();
        let issuer = params_of(&hosts).self_signed(&key).map_err(|_error| "names hosts that cannot be")?;
        Ok(Self { key, issuer, pem, facts })
    }

    /// Its certificate, as clients are given it.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What its certificate says.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether it can sign for all of `hosts`, and for no other, for [`RENEWED_BEFORE`] to come.
    pub(crate) fn is_for(&self, hosts: &HostNames, now: SystemTime) -> bool {
        let named: HostNames = self.facts.hosts().iter().cloned().collect();
        named == *hosts && self.facts.is_valid_until(now + RENEWED_BEFORE)
    }

    /// A certificate for `host`, valid for [`LEAF_LIFETIME`], with a key of its own.
    fn issue(&self, host: &str, now: SystemTime) -> Result<Leaf, CaError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("Fleet Cache for {host}"));
        params.subject_alt_names = vec![match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_no_address) => SanType::DnsName(host.try_into()?),
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let until = (now + LEAF_LIFETIME).min(self.facts.until());
        params.not_before = (now - CLOCKS_DIFFER).into();
        params.not_after = until.into();
        let certificate = params.signed_by(&key, &self.issuer, &self.key)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Leaf { certificate: certificate.der().clone(), key, until })
    }
}

/// A host's certificate and key.
struct Leaf {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    until: SystemTime,
}

fn params_of(hosts: &HostNames) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Fleet Cache, this installation's own");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // What it signs is good for TLS alone: no mail, no programs, no clients.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = Some(constraints(hosts));
    params
}

/// Permits `hosts` alone. A kind of name of which nothing is permitted would not be constrained at all, so addresses are
/// excluded where no host is one, and names are permitted where none is, but one that no host can have.
fn constraints(hosts: &HostNames) -> NameConstraints {
    let mut permitted = Vec::new();
    let mut has = (false, false, false);
    for host in hosts {
        permitted.push(match host.parse() {
            Ok(IpAddr::V4(address)) => {
                has.1 = true;
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(address.octets(), 32))
            }
            Ok(IpAddr::V6(address)) => {
                has.2 = true;
                GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(address.octets(), 128))
            }
            Err(_name) => {
                has.0 = true;
                GeneralSubtree::DnsName(host.clone())
            }
        });
    }
    let (names, v4, v6) = has;
    if !names {
        permitted.push(GeneralSubtree::DnsName(NOBODY.to_owned()));
    }
    let mut excluded = Vec::new();
    if !v4 {
        excluded
            .push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(Ipv4Addr::UNSPECIFIED.octets(), 0)));
    }
    if !v6 {
        excluded
            .push(GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::UNSPECIFIED.octets(), 0)));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// How long a certificate authority lasts: a year, after which every client has to be given a new one.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long before its end a daemon that starts makes a new one.
const RENEWED_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a host's certificate lasts; a daemon makes another when half of it is over.
const LEAF_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// By how much a client's clock may be behind.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60 * 60);
/// A name that is reserved for none (RFC 6761, section 6.4).
const NOBODY: &str = "invalid";

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
        crypto::aws_lc_rs,
        pki_types::{ServerName, UnixTime, pem::PemObject as _},
    };
    use std::sync::Arc;

    fn hosts(names: &[&str]) -> HostNames {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn again(key: &KeyPair) -> KeyPair {
        KeyPair::from_pem(&key.serialize_pem()).unwrap()
    }

    #[test]
    fn what_is_written_is_read_as_the_same_authority() {
        let now = SystemTime::now();
        for names in [&["api.github.com"][..], &["127.0.0.1", "::1"], &["a.example", "10.0.0.1"]] {
            let made = CertificateAuthority::new(&hosts(names), now).unwrap();
            let read = CertificateAuthority::from_pem(made.pem().to_owned(), again(&made.key)).unwrap();
            assert_eq!(read.facts(), made.facts());
            assert!(read.is_for(&hosts(names), now), "{names:?}");
            assert!(!read.is_for(&hosts(&["other.example"]), now));
            assert_eq!(read.issuer.key_identifier(), made.issuer.key_identifier());
        }
    }

    #[test]
    fn one_that_ends_within_a_month_is_not_enough_for_a_daemon_that_starts() {
        let now = SystemTime::now();
        let made = CertificateAuthority::new(&hosts(&["api.github.com"]), now).unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(made.is_for(&hosts(&["api.github.com"]), now + 334 * day));
        assert!(!made.is_for(&hosts(&["api.github.com"]), now + 336 * day));
    }

    #[test]
    fn no_leaf_outlives_the_authority() {
        let now = SystemTime::now();
        let made = CertificateAuthority::new(&hosts(&["api.github.com"]), now).unwrap();
        let late = now + LIFETIME - CLOCKS_DIFFER - Duration::from_secs(60);
        let leaf = made.issue("api.github.com", late).unwrap();
        assert_eq!(leaf.until, made.facts().until());
        assert_eq!(made.facts().ends() - made.facts().begins(), LIFETIME.as_secs());
        assert_eq!(made.issue("api.github.com", now).unwrap().until, now + LEAF_LIFETIME);
    }

    #[test]
    fn a_client_that_trusts_it_refuses_what_it_signs_for_any_other_host() {
        let now = SystemTime::now();
        let accepts = |authority: &CertificateAuthority, host: &str| {
            let leaf = authority.issue(host, now).unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let provider = Arc::new(aws_lc_rs::default_provider());
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            let name = ServerName::try_from(host.to_owned()).unwrap();
            let moment = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap());
            verifier.verify_server_cert(&leaf.certificate, &[], &name, &[], moment).is_ok()
        };
        let names = CertificateAuthority::new(&hosts(&["api.github.com"]), now).unwrap();
        let addresses = CertificateAuthority::new(&hosts(&["10.0.0.1", "::1"]), now).unwrap();
        for (authority, host, expected) in [
            (&names, "api.github.com", true),
            (&names, "github.com", false),
            (&names, "api.github.com.evil.example", false),
            (&names, "evilapi.github.com", false),
            (&names, "10.0.0.1", false),
            (&names, "::1", false),
            (&addresses, "10.0.0.1", true),
            (&addresses, "::1", true),
            (&addresses, "10.0.0.2", false),
            (&addresses, "::2", false),
            (&addresses, "api.github.com", false),
        ] {
            assert_eq!(accepts(authority, host), expected, "{host}");
        }
    }

    #[test]
    fn a_certificate_beside_another_key_is_refused() {
        let now = SystemTime::now();
        let [one, two] = [0, 1].map(|_| CertificateAuthority::new(&hosts(&["a.example"]), now).unwrap());
        let mixed = CertificateAuthority::from_pem(one.pem().to_owned(), again(&two.key));
        assert_eq!(mixed.err(), Some("belongs to another key than the one beside it"));
        assert!(CertificateAuthority::from_pem("x".into(), again(&one.key)).is_err());
    }
}
