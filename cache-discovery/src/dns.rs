//! A name in the DNS: of a Kubernetes headless service, of a Consul service, or one whose records somebody keeps by hand.

use crate::{Site, fault, some_of};
use async_trait::async_trait;
use cache_core::{
    Contact,
    port::{Discovery, Finding, LookFault},
};
use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData, RecordType},
};
use std::{
    fmt, future,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

/// What to ask the DNS for: `NAME`, `NAME:PORT`, or either with `@SERVER` or `@SERVER:PORT` behind it.
///
/// A name whose first label begins with `_`, such as `_fleet._tcp.example.com`, is one of SRV records, which say a host and
/// a port each. Any other is a host: all its addresses are found, with this port. A server that is named is asked instead
/// of those that the machine is set up with, such as Consul's on port 8600.
///
/// ```
/// use cache_discovery::dns::DnsName;
///
/// let name: DnsName = "fleet-cache.ci.svc.cluster.local:9100".parse()?;
/// assert_eq!(name.to_string(), "fleet-cache.ci.svc.cluster.local:9100");
/// assert!("fleet cache".parse::<DnsName>().is_err());
/// # Ok::<(), cache_discovery::dns::DnsNameError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsName {
    name: Name,
    text: Box<str>,
    port: Option<u16>,
    server: Option<SocketAddr>,
}

impl DnsName {
    fn is_of_services(&self) -> bool {
        self.text.starts_with('_')
    }
}

impl FromStr for DnsName {
    type Err = DnsNameError;

    fn from_str(text: &str) -> Result<Self, DnsNameError> {
        let (place, server) = match text.split_once('@') {
            Some((place, server)) => (place, Some(server_of(server)?)),
            None => (text, None),
        };
        let (host, port) = match place.split_once(':') {
            Some((host, port)) => (host, Some(port_of(port)?)),
            None => (place, None),
        };
        if host.is_empty() {
            return Err(DnsNameError::Empty);
        }
        let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
        if host.parse::<IpAddr>().is_ok() || !host.chars().all(is_plain) {
            return Err(DnsNameError::NoName { host: host.into() });
        }
        let name = Name::from_ascii(host).map_err(|_error| DnsNameError::NoName { host: host.into() })?;
        if host.starts_with('_') && port.is_some() {
            return Err(DnsNameError::PortTwice { host: host.into() });
        }
        Ok(Self { name, text: host.into(), port, server })
    }
}

fn port_of(text: &str) -> Result<u16, DnsNameError> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| DnsNameError::NoPort { port: text.into() })
}

fn server_of(text: &str) -> Result<SocketAddr, DnsNameError> {
    let with_port = text.parse().ok();
    let server = with_port.or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)));
    server.filter(|server| server.port() != 0).ok_or_else(|| DnsNameError::NoServer { server: text.into() })
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.server.map_or(Ok(()), |server| write!(f, "@{server}"))
    }
}

/// Why a text is nothing to ask the DNS for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DnsNameError {
    /// There is no name.
    #[error("the name is missing")]
    Empty,
    /// What should be a name has characters that no host's name has, is too long, or is an IP address.
    #[error("{host:?} is no name of a host or service")]
    NoName {
        /// The text in question.
        host: Box<str>,
    },
    /// What should be a port is none.
    #[error("{port:?} is no port from 1 to 65535")]
    NoPort {
        /// The text in question.
        port: Box<str>,
    },
    /// What should be a server is none.
    #[error("{server:?} is no IP address of a DNS server, with or without a port")]
    NoServer {
        /// The text in question.
        server: Box<str>,
    },
    /// SRV records say the port.
    #[error("{host:?} is a name of SRV records, which say the port themselves: leave it out")]
    PortTwice {
        /// The name that a port was put behind.
        host: Box<str>,
    },
}

/// Asks the DNS for a name each time that it is to look. Nothing is kept of earlier answers, since they are what changes.
#[derive(Debug)]
pub struct DnsDiscovery {
    name: DnsName,
    site: Site,
}

impl DnsDiscovery {
    /// Looks for `name`.
    pub fn new(name: DnsName, site: Site) -> Self {
        Self { name, site }
    }

    /// A resolver as the machine is set up now: a laptop may have come to another network.
    fn resolver(&self) -> Result<TokioResolver, LookFault> {
        let unusable = |error: NetError| {
            fault(
                format!("no DNS server is known: {error}"),
                "see /etc/resolv.conf, or name a server: dns:NAME@SERVER",
            )
        };
        let mut builder = match self.name.server {
            None => TokioResolver::builder_tokio().map_err(unusable)?,
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut config.connections {
                    connection.port = server.port();
                }
                let config = ResolverConfig::from_name_servers(vec![config]);
                let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
                *builder.options_mut() = ResolverOpts::default();
                builder
            }
        };
        let options = builder.options_mut();
        options.cache_size = 0;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = SERVER_TIMEOUT;
        options.attempts = 1;
        builder.build().map_err(unusable)
    }

    async fn sockets(&self, resolver: &TokioResolver) -> Result<Vec<SocketAddr>, NetError> {
        if !self.name.is_of_services() {
            let port = self.name.port.unwrap_or(self.site.port);
            return self.addresses(resolver, self.name.name.clone(), port).await;
        }
        let services = resolver.lookup(self.name.name.clone(), RecordType::SRV).await?;
        let services: Vec<(Name, u16)> = services
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(service) => Some((service.target.clone(), service.port)),
                _other => None,
            })
            .filter(|(target, port)| !target.is_root() && *port != 0)
            .take(SERVICES_MAX)
            .collect();
        let (mut sockets, mut last) = (Vec::new(), None);
        for (target, port) in services {
            match self.addresses(resolver, target, port).await {
                Ok(found) => sockets.extend(found),
                Err(error) => last = Some(error),
            }
        }
        last.filter(|_error| sockets.is_empty()).map_or(Ok(sockets), Err)
    }

    async fn addresses(
        &self,
        resolver: &TokioResolver,
        name: Name,
        port: u16,
    ) -> Result<Vec<SocketAddr>, NetError> {
        let found = resolver.lookup_ip(name).await?;
        Ok(found.iter().take(ADDRESSES_MAX).map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

#[async_trait]
impl Discovery for DnsDiscovery {
    async fn look(&self) -> Finding {
        let resolver = match self.resolver() {
            Ok(resolver) => resolver,
            Err(fault) => return fault.into(),
        };
        match self.sockets(&resolver).await {
            Ok(sockets) => {
                let usable = sockets.into_iter().filter(|socket| !socket.ip().is_unspecified());
                let contacts = usable.map(|socket| Contact::new((self.site.address_of)(socket)));
                Finding { contacts: some_of(contacts.collect()), fault: None }
            }
            Err(error) if error.is_nx_domain() => fault(
                format!("the DNS knows no name {}", self.name.text),
                "a headless service has a name once one of its pods is ready, or with publishNotReadyAddresses",
            )
            .into(),
            Err(error) if error.is_no_records_found() => Finding::default(),
            Err(error) => fault(
                format!("the DNS gave no answer about {}: {error}", self.name.text),
                "see whether `getent hosts` finds the name; it is asked again",
            )
            .into(),
        }
    }

    async fn changed(&self) {
        future::pending::<()>().await;
    }
}

/// Time that a server has for one answer; a look takes twice that at most for one name, over UDP and then TCP.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);

/// Most addresses of one host that are looked at: more than one answer over TCP has of a service with a thousand pods.
const ADDRESSES_MAX: usize = 4096;

/// Most services whose hosts are looked up: a few lead to all others.
const SERVICES_MAX: usize = 16;

/// The port of DNS servers (RFC 1035, section 4.2).
const DNS_PORT: u16 = 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_name_reads_the_same_again() {
        for text in [
            "fleet.example",
            "fleet.example:9100",
            "_fleet._tcp.example",
            "fleet",
            "fleet.example:9100@127.0.0.1:8600",
            "_fleet._tcp.service.consul@[::1]:8600",
        ] {
            assert_eq!(text.parse::<DnsName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
        let server = "fleet@192.0.2.1".parse::<DnsName>().map(|name| name.to_string());
        assert_eq!(server.as_deref(), Ok("fleet@192.0.2.1:53"));
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_part_that_is_wrong() {
        let long = "a".repeat(300);
        for (text, part) in [
            ("", "missing"),
            (":9100", "missing"),
            ("a b", "\"a b\""),
            ("fleet.example:", "\"\" is no port"),
            ("fleet.example:0", "\"0\" is no port"),
            ("fleet.example:99999", "\"99999\" is no port"),
            ("192.0.2.1:9100", "\"192.0.2.1\" is no name"),
            ("fleet@nowhere", "\"nowhere\" is no IP address"),
            ("_fleet._tcp.example:9100", "leave it out"),
            ("a..b", "\"a..b\""),
            ("https://fleet.example", "is no port"),
            (&long, "is no name"),
        ] {
            let error = text.parse::<DnsName>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
