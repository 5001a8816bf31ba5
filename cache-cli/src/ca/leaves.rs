//! The certificates of intercepted hosts, made when they are first asked for and renewed before they end.

use super::{CaError, CertificateAuthority, HostNames};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// What TLS with the client of each intercepted host needs.
pub(crate) struct Leaves {
    authority: CertificateAuthority,
    /// At most one for each of the hosts, which are few.
    made: Mutex<BTreeMap<String, Made>>,
}

#[derive(Clone)]
struct Made {
    config: Arc<ServerConfig>,
    renew_at: SystemTime,
}

impl Leaves {
    /// Those that `authority` signs.
    pub(crate) fn of(authority: CertificateAuthority) -> Self {
        Self { authority, made: Mutex::default() }
    }

    /// What TLS for `host` needs at `now`: its certificate, and that the client names that host and no other.
    ///
    /// # Errors
    ///
    /// When the library refuses to sign. Others are not concerned.
    pub(crate) fn config(&self, host: &str, now: SystemTime) -> Result<Arc<ServerConfig>, CaError> {
        // A panic elsewhere leaves nothing half done here.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.get(host).filter(|made| now < made.renew_at) {
            return Ok(Arc::clone(&made.config));
        }
        let leaf = self.authority.issue(host, now)?;
        let lasts = leaf.until.duration_since(now).unwrap_or(Duration::ZERO);
        let key = aws_lc_rs::sign::any_supported_type(&leaf.key)?;
        let resolver = OneHost {
            host: host.to_owned(),
            is_address: host.parse::<IpAddr>().is_ok(),
            key: Arc::new(CertifiedKey::new(vec![leaf.certificate], key)),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        made.insert(host.to_owned(), Made { config: Arc::clone(&config), renew_at: now + lasts / 2 });
        Ok(config)
    }

    /// The hosts that it signs for.
    pub(crate) fn hosts(&self) -> HostNames {
        self.authority.facts().hosts().iter().cloned().collect()
    }
}

/// Answers for one host alone.
#[derive(Debug)]
struct OneHost {
    host: String,
    is_address: bool,
    key: Arc<CertifiedKey>,
}

impl ResolvesServerCert for OneHost {
    /// A client that names another host than the one it asked a connection for is refused. One that asked for an address
    /// names none (RFC 6066, section 3).
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_it = match hello.server_name() {
            Some(name) => name.eq_ignore_ascii_case(&self.host),
            None => self.is_address,
        };
        is_it.then(|| Arc::clone(&self.key))
    }
}
