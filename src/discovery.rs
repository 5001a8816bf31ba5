//! How a program says by which ways its node finds others, and how those ways are followed.

mod following;

pub use following::DiscoveryReport;
pub(crate) use following::{Finder, Found, WayStatus};

/// Makes a trait of `async fn`s one that an object can stand for, as [`Discovery`] is.
pub use async_trait::async_trait;
pub use cache_core::{
    Contact,
    port::{Discovery, Finding, LOOK_TIMEOUT, LookFault},
};

#[cfg(feature = "dns")]
use cache_discovery::dns::{DnsDiscovery, DnsName};
use cache_discovery::{Site, file::FileDiscovery};
use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc};
use thiserror::Error;

/// A way to find other nodes of the fleet, for [`NodeBuilder::discover`](crate::NodeBuilder::discover).
///
/// What is found needs no peer id: a node that answers proves that it knows the secret, and one that does not is left alone.
///
/// ```
/// use fleet_cache::Discover;
///
/// # #[cfg(all(feature = "dns", feature = "mdns"))]
/// # {
/// let by_dns: Discover = "dns:fleet-cache.ci.svc.cluster.local:9100".parse()?;
/// let on_this_network: Discover = "mdns".parse()?;
/// # let _not_used = on_this_network;
/// assert_eq!(by_dns.to_string(), "dns:fleet-cache.ci.svc.cluster.local:9100");
/// # }
/// assert_eq!(Discover::file("/etc/fleet-cache/nodes").to_string(), "file:/etc/fleet-cache/nodes");
/// # Ok::<(), fleet_cache::DiscoverError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Discover(Kind);

#[derive(Clone, Debug)]
enum Kind {
    #[cfg(feature = "dns")]
    Dns(DnsName),
    File(PathBuf),
    #[cfg(feature = "mdns")]
    Mdns,
    Own(Arc<str>, Arc<dyn Discovery>),
}

impl Discover {
    /// A file with an address on each line, which is read again when it changes: a multiaddr, or an IP address with or
    /// without a port. It need not be there yet.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Kind::File(path.into()))
    }

    /// Nodes on the local network, by multicast. This node announces itself there, under a name that says nothing to those
    /// that do not know the secret.
    #[cfg(feature = "mdns")]
    pub fn mdns() -> Self {
        Self(Kind::Mdns)
    }

    /// A way of the program's own, which [`Peer::found_by`](crate::Peer::found_by) calls `name`.
    ///
    /// ```
    /// use fleet_cache::{
    ///     Discover,
    ///     discovery::{Contact, Discovery, Finding, async_trait},
    /// };
    ///
    /// #[derive(Debug)]
    /// struct Inventory;
    ///
    /// #[async_trait]
    /// impl Discovery for Inventory {
    ///     async fn look(&self) -> Finding {
    ///         Finding { contacts: vec![Contact::new("/ip4/192.0.2.7/udp/9100/quic-v1")], fault: None }
    ///     }
    ///
    ///     async fn changed(&self) {
    ///         std::future::pending().await
    ///     }
    /// }
    ///
    /// let way = Discover::own("inventory", Inventory);
    /// assert_eq!(way.to_string(), "inventory");
    /// ```
    pub fn own(name: &str, discovery: impl Discovery) -> Self {
        Self(Kind::Own(name.into(), Arc::new(discovery)))
    }

    /// Begins to use the way, for a node that is at `site`.
    pub(crate) fn open(&self, site: &FinderSite) -> Arc<dyn Discovery> {
        let place = Site { address_of: Arc::clone(&site.address_of), port: site.port };
        match &self.0 {
            #[cfg(feature = "dns")]
            Kind::Dns(name) => Arc::new(DnsDiscovery::new(name.clone(), place)),
            Kind::File(path) => Arc::new(FileDiscovery::new(path, place)),
            #[cfg(feature = "mdns")]
            Kind::Mdns => {
                let (names, own) = (Arc::clone(&site.beacons), Arc::clone(&site.own));
                let beacon = cache_discovery::mdns::Beacon { names, own };
                Arc::new(cache_discovery::mdns::MdnsDiscovery::new(place, beacon))
            }
            Kind::Own(_name, discovery) => Arc::clone(discovery),
        }
    }
}

impl fmt::Display for Discover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            #[cfg(feature = "dns")]
            Kind::Dns(name) => write!(f, "dns:{name}"),
            Kind::File(path) => write!(f, "file:{}", path.display()),
            #[cfg(feature = "mdns")]
            Kind::Mdns => f.write_str("mdns"),
            Kind::Own(name, _discovery) => f.write_str(name),
        }
    }
}

impl FromStr for Discover {
    type Err = DiscoverError;

    /// Reads `dns:NAME[:PORT][@SERVER[:PORT]]`, `file:PATH` or `mdns`.
    fn from_str(text: &str) -> Result<Self, DiscoverError> {
        match text.split_once(':') {
            #[cfg(feature = "dns")]
            Some(("dns", name)) => match name.parse() {
                Ok(name) => Ok(Self(Kind::Dns(name))),
                Err(error) => Err(DiscoverError::Dns(Box::new(error))),
            },
            #[cfg(not(feature = "dns"))]
            Some(("dns", _name)) => Err(DiscoverError::NotBuilt { feature: "dns" }),
            Some(("file", "")) => Err(DiscoverError::NoPath),
            Some(("file", path)) => Ok(Self::file(path)),
            #[cfg(feature = "mdns")]
            None if text == "mdns" => Ok(Self::mdns()),
            #[cfg(not(feature = "mdns"))]
            None if text == "mdns" => Err(DiscoverError::NotBuilt { feature: "mdns" }),
            _other => Err(DiscoverError::Unknown),
        }
    }
}

/// Why a text is no way to find other nodes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// What follows `dns:` is nothing to ask the DNS for.
    #[error("{0}; write dns:NAME or dns:NAME:PORT, such as dns:fleet-cache.ci.svc.cluster.local:9100")]
    Dns(Box<dyn std::error::Error + Send + Sync>),
    /// No path follows `file:`.
    #[error("the path is missing; write file:PATH, such as file:/etc/fleet-cache/nodes")]
    NoPath,
    /// The program was built without it.
    #[error("this program was built without the feature `{feature}`; build it with that")]
    NotBuilt {
        /// The feature of the crate.
        feature: &'static str,
    },
    /// It begins in no way that is known.
    #[error("that is no way to find nodes; write dns:NAME[:PORT], file:PATH or mdns")]
    Unknown,
}

/// What ways have to know of the node that uses them.
pub(crate) struct FinderSite {
    pub(crate) address_of: Arc<dyn Fn(SocketAddr) -> Box<str> + Send + Sync>,
    pub(crate) port: u16,
    /// What the fleet is called on a day where others read.
    #[cfg_attr(not(feature = "mdns"), expect(dead_code, reason = "the local network alone is told of it"))]
    pub(crate) beacons: Arc<dyn Fn(u64) -> Vec<[u8; 32]> + Send + Sync>,
    /// Where this node is, for those that are to dial it.
    #[cfg_attr(not(feature = "mdns"), expect(dead_code, reason = "the local network alone is told of it"))]
    pub(crate) own: Arc<dyn Fn() -> Vec<SocketAddr> + Send + Sync>,
}

/// The sockets that `addresses` are, of the carrier that `address_of` writes.
pub(crate) fn sockets_of(
    addresses: &[Box<str>],
    address_of: &(dyn Fn(SocketAddr) -> Box<str> + Send + Sync),
) -> Vec<SocketAddr> {
    let socket = |address: &str| {
        let mut parts = address.split('/').skip(2);
        let (ip, _carrier, port) = (parts.next()?, parts.next()?, parts.next()?);
        let socket = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
        let form = address_of(socket);
        address.strip_prefix(&*form).filter(|rest| rest.is_empty() || rest.starts_with("/p2p/"))?;
        Some(socket)
    };
    addresses.iter().filter_map(|address| socket(address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_way_is_refused_with_what_could_be_written() {
        for (text, part) in [
            ("", "write dns:NAME[:PORT], file:PATH or mdns"),
            ("consul", "file:PATH"),
            ("mdns:here", "or mdns"),
            ("file:", "the path is missing"),
            ("dns:", "the name is missing; write dns:NAME"),
            ("dns:a b", "\"a b\" is no name"),
        ] {
            let error = text.parse::<Discover>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_sockets_of_the_carrier_that_others_dial_are_those_of_a_node() {
        let address_of = |socket: SocketAddr| format!("/ip4/{}/tcp/{}", socket.ip(), socket.port()).into();
        let addresses = [
            "/ip4/192.0.2.1/tcp/9100/p2p/12D3KooW",
            "/ip4/192.0.2.1/udp/9100/quic-v1/p2p/12D3KooW",
            "/ip4/192.0.2.2/tcp/9100",
            "/ip4/192.0.2.3/tcp/91000",
            "/dns4/ci.example/tcp/9100",
            "",
        ];
        let found = sockets_of(&addresses.map(Into::into), &address_of);
        assert_eq!(found, ["192.0.2.1:9100", "192.0.2.2:9100"].map(|it| it.parse().expect("a socket")));
    }
}
