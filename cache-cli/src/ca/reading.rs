//! What a certificate authority's certificate says, read from the certificate itself.

use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::{Duration, SystemTime},
};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    parse_x509_certificate,
};

/// What a certificate authority's certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Facts {
    hosts: Vec<String>,
    from: u64,
    until: u64,
    fingerprint: String,
    public_key: Vec<u8>,
}

impl Facts {
    pub(super) fn of_pem(pem: &str) -> Option<Self> {
        Self::of(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)
    }

    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_rest, parsed) = parse_x509_certificate(certificate).ok()?;
        let constraints =
            parsed.extensions().iter().find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::NameConstraints(constraints) => Some(constraints),
                _other => None,
            })?;
        let permitted = constraints.permitted_subtrees.as_deref().unwrap_or_default();
        let mut hosts: Vec<_> = permitted.iter().filter_map(|tree| host(&tree.base)).collect();
        hosts.sort();
        let seconds = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).ok();
        let mut fingerprint = String::new();
        for byte in Sha256::digest(certificate) {
            let separator = if fingerprint.is_empty() { "" } else { ":" };
            write!(fingerprint, "{separator}{byte:02X}").ok()?;
        }
        Some(Self {
            hosts,
            from: seconds(parsed.validity().not_before)?,
            until: seconds(parsed.validity().not_after)?,
            fingerprint,
            public_key: parsed.public_key().subject_public_key.data.to_vec(),
        })
    }

    /// The hosts for which it may sign, in order.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// When it begins to count, in seconds since 1970.
    pub(crate) fn begins(&self) -> u64 {
        self.from
    }

    /// When it ends, in seconds since 1970.
    pub(crate) fn ends(&self) -> u64 {
        self.until
    }

    pub(super) fn until(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.until)
    }

    pub(super) fn is_valid_until(&self, moment: SystemTime) -> bool {
        moment < self.until()
    }

    /// The SHA-256 digest of the certificate, as `openssl x509 -fingerprint -sha256` prints it.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn is_of_key(&self, key: &KeyPair) -> bool {
        key.der_bytes() == self.public_key
    }
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) if *name != super::NOBODY => Some((*name).to_owned()),
        // An address and its mask.
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                8 => IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[..4]).ok()?)),
                32 => IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..16]).ok()?)),
                _other => return None,
            };
            Some(address.to_string())
        }
        _other => None,
    }
}
