//! The local network: each node announces itself, and looks for others, by multicast (RFC 6762 and 6763).
//!
//! Everybody on the network reads what is announced. So the kind of service is a digest of the fleet's secret and of the day,
//! and the names of instance and host are drawn at random when the node starts: without the secret, neither fleet nor host is
//! recognised, today's name tells nothing of tomorrow's, and an address and a port are all that there is to read.

use crate::{Site, fault, some_of};
use async_trait::async_trait;
use cache_core::{
    Contact,
    port::{Discovery, Finding, LookFault},
};
use mdns_sd::{Receiver, ServiceDaemon, ServiceEvent, ServiceInfo};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::Notify;
use tracing::debug;

/// What the local network is told of this node, and by what names.
#[derive(Clone)]
pub struct Beacon {
    /// What the fleet is called on a day, counted from 1970: a digest under each secret that this node accepts.
    pub names: Arc<dyn Fn(u64) -> Vec<[u8; 32]> + Send + Sync>,
    /// Where this node listens, the address that others are to use first. Empty for one that announces nothing.
    pub own: Arc<dyn Fn() -> Vec<SocketAddr> + Send + Sync>,
}

impl fmt::Debug for Beacon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beacon").finish_non_exhaustive()
    }
}

/// Announces this node on the local network from its first look on, and finds the others that do.
pub struct MdnsDiscovery {
    site: Site,
    beacon: Beacon,
    /// The name of this node among services, and of its host, for this run.
    alias: String,
    speaking: Mutex<Option<Speaking>>,
    heard: Arc<Heard>,
}

impl fmt::Debug for MdnsDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MdnsDiscovery").field("site", &self.site).finish_non_exhaustive()
    }
}

/// What goes on in the thread that speaks to the network.
struct Speaking {
    daemon: ServiceDaemon,
    /// The kinds of service that are looked for.
    sought: BTreeSet<String>,
    /// What is announced under each of them, and where.
    told: BTreeMap<String, Vec<SocketAddr>>,
}

/// What others have announced.
#[derive(Debug, Default)]
struct Heard {
    /// Where each service is, by its full name.
    services: Mutex<BTreeMap<String, Vec<SocketAddr>>>,
    news: Notify,
}

impl MdnsDiscovery {
    /// Looks for nodes that use the names of `beacon`. Nothing is sent before the first look.
    pub fn new(site: Site, beacon: Beacon) -> Self {
        let alias = letters(&rand::random());
        Self { site, beacon, alias, speaking: Mutex::new(None), heard: Arc::default() }
    }

    /// Announces and looks for what is right by now: another day brings other names, another network other addresses.
    fn keep_up(&self, now: SystemTime) -> Result<(), mdns_sd::Error> {
        let mut speaking = self.speaking.lock();
        let speaking = match &mut *speaking {
            Some(speaking) => speaking,
            silent @ None => silent.insert(Speaking {
                daemon: ServiceDaemon::new()?,
                sought: BTreeSet::new(),
                told: BTreeMap::new(),
            }),
        };
        let kinds: BTreeSet<String> = self.kinds(now);
        for over in speaking.sought.difference(&kinds) {
            speaking.daemon.stop_browse(over)?;
            if speaking.told.remove(over).is_some() {
                speaking.daemon.unregister(&format!("{}.{over}", self.alias))?;
            }
        }
        let own = one_port((self.beacon.own)());
        for kind in &kinds {
            if !speaking.sought.contains(kind) {
                let events = speaking.daemon.browse(kind)?;
                tokio::spawn(listen(events, Arc::clone(&self.heard), self.alias.clone()));
            }
            if !own.is_empty() && speaking.told.get(kind) != Some(&own) {
                speaking.daemon.register(self.announcement(kind, &own)?)?;
                speaking.told.insert(kind.clone(), own.clone());
            }
        }
        speaking.sought = kinds;
        Ok(())
    }

    fn announcement(&self, kind: &str, own: &[SocketAddr]) -> Result<ServiceInfo, mdns_sd::Error> {
        let addresses: Vec<IpAddr> = own.iter().map(SocketAddr::ip).collect();
        let (host, port) = (format!("{}.local.", self.alias), own.first().map_or(0, SocketAddr::port));
        let nothing: &[(&str, &str)] = &[];
        let mut info = ServiceInfo::new(kind, &self.alias, &host, &*addresses, port, nothing)?;
        // Nobody else draws the same name.
        info.set_requires_probe(false);
        Ok(info)
    }

    /// The kinds of service that stand for the fleet at `now`: those of today, and for an hour around midnight those of
    /// the day that is over or to come, for nodes whose clocks differ.
    fn kinds(&self, now: SystemTime) -> BTreeSet<String> {
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let days = BTreeSet::from(
            [seconds.saturating_sub(CLOCKS_APART), seconds + CLOCKS_APART].map(|seconds| seconds / DAY),
        );
        let names = days.into_iter().flat_map(|day| (self.beacon.names)(day));
        names.map(|name| format!("_{}._udp.local.", letters(&name))).collect()
    }
}

#[async_trait]
impl Discovery for MdnsDiscovery {
    async fn look(&self) -> Finding {
        if let Err(error) = self.keep_up(SystemTime::now()) {
            return unheard(&error).into();
        }
        let services = self.heard.services.lock();
        let found = services.values().flatten().map(|socket| Contact::new((self.site.address_of)(*socket)));
        Finding { contacts: some_of(found.collect()), fault: None }
    }

    async fn changed(&self) {
        self.heard.news.notified().await;
    }
}

impl Drop for MdnsDiscovery {
    fn drop(&mut self) {
        if let Some(speaking) = self.speaking.lock().take() {
            // Takes leave of the network by itself; if its queue is full, others forget this node after two minutes.
            let _left = speaking.daemon.shutdown();
        }
    }
}

/// Notes what others announce, until the daemon ends or the kind of service is looked for no more.
async fn listen(events: Receiver<ServiceEvent>, heard: Arc<Heard>, alias: String) {
    while let Ok(event) = events.recv_async().await {
        let mut services = heard.services.lock();
        match event {
            ServiceEvent::ServiceResolved(service) if !service.fullname.starts_with(&alias) => {
                let sockets =
                    service.addresses.iter().map(|ip| SocketAddr::new(ip.to_ip_addr(), service.port));
                let sockets = sockets.filter(|socket| can_be_dialed(*socket));
                let mut sockets: Vec<SocketAddr> = sockets.collect();
                sockets.sort_unstable();
                sockets.truncate(SOCKETS_MAX);
                let is_known = services.contains_key(&service.fullname);
                if !is_known && services.len() >= SERVICES_MAX {
                    debug!("one more service on the local network is passed over");
                } else if services.insert(service.fullname, sockets.clone()) != Some(sockets) {
                    heard.news.notify_one();
                }
            }
            ServiceEvent::ServiceRemoved(_kind, name) if services.remove(&name).is_some() => {
                heard.news.notify_one();
            }
            _other => {}
        }
    }
}

/// Whether others can dial what is announced: no address of a single link, since it says nothing without an interface.
fn can_be_dialed(socket: SocketAddr) -> bool {
    let is_of_a_link = match socket.ip() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    socket.port() != 0 && !is_of_a_link && !socket.ip().is_unspecified() && !socket.ip().is_multicast()
}

/// Those of `own` that have the port of the first: a service has one.
fn one_port(own: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let port = own.first().map(SocketAddr::port);
    own.into_iter().filter(|socket| Some(socket.port()) == port).collect()
}

/// The first sixty bits of `digest` as letters, of which a kind of service may have fifteen (RFC 6335, section 5.1).
fn letters(digest: &[u8; 32]) -> String {
    let halves = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.take(15).map(|half| char::from(b'a' + half)).collect()
}

fn unheard(error: &mdns_sd::Error) -> LookFault {
    fault(
        format!("the local network cannot be asked by multicast: {error}"),
        "see that UDP port 5353 is not blocked, or find nodes in another way, such as --discover dns:NAME",
    )
}

/// Most services that are known at a time; what others announce could be any number.
const SERVICES_MAX: usize = 256;

/// Most addresses of one service.
const SOCKETS_MAX: usize = 4;

/// How far clocks of a fleet may be apart, in seconds, without its members missing one another at midnight.
const CLOCKS_APART: u64 = 3600;

/// A day, in seconds.
const DAY: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn node(fleet: u8, own: &[&str]) -> MdnsDiscovery {
        let address_of = |socket: SocketAddr| format!("/ip4/{}/udp/{}", socket.ip(), socket.port()).into();
        let own: Vec<SocketAddr> = own.iter().map(|text| text.parse().expect("an address")).collect();
        let beacon = Beacon {
            names: Arc::new(move |day| {
                vec![std::array::from_fn(|at| fleet ^ day.to_be_bytes()[7] ^ at as u8)]
            }),
            own: Arc::new(move || own.clone()),
        };
        MdnsDiscovery::new(Site { address_of: Arc::new(address_of), port: 9100 }, beacon)
    }

    #[test]
    fn around_midnight_the_names_of_two_days_stand_for_the_fleet_and_else_that_of_one() {
        let node = node(1, &[]);
        let at = |hours: u64, minutes: u64| {
            node.kinds(UNIX_EPOCH + Duration::from_secs(20_000 * DAY + hours * 3600 + minutes * 60))
        };
        assert_eq!((at(0, 30).len(), at(12, 0).len(), at(23, 30).len(), at(1, 1).len()), (2, 1, 2, 1));
        assert!(at(0, 30).is_superset(&at(12, 0)) && at(23, 30).is_superset(&at(12, 0)));
        assert_ne!(at(12, 0), at(36, 0), "another day has another name");
    }

    #[test]
    fn a_kind_of_service_is_one_by_the_rules_and_has_letters_alone() {
        let kind = node(7, &[]).kinds(UNIX_EPOCH).into_iter().next().expect("there is one");
        let label = kind.strip_suffix("._udp.local.").and_then(|it| it.strip_prefix('_')).expect("its form");
        assert!(label.len() == 15 && label.chars().all(|it| it.is_ascii_lowercase()), "{kind}");
    }

    #[tokio::test]
    async fn nodes_of_one_fleet_find_one_another_on_this_machine_and_none_of_another_fleet() {
        let (one, two) = (node(1, &["127.0.0.1:9101"]), node(1, &["127.0.0.1:9102"]));
        let other = node(2, &["127.0.0.1:9103"]);
        let found = |finding: Finding| -> Vec<String> {
            assert_eq!(finding.fault, None);
            finding.contacts.into_iter().map(|contact| contact.address.into()).collect()
        };
        for node in [&one, &two, &other] {
            found(node.look().await);
        }
        for (node, expected) in [(&one, "/ip4/127.0.0.1/udp/9102"), (&two, "/ip4/127.0.0.1/udp/9101")] {
            let news = tokio::time::timeout(Duration::from_secs(30), node.changed()).await;
            news.expect("multicast goes over this machine's loopback interface");
            assert_eq!(found(node.look().await), [expected]);
        }
        assert_eq!(found(other.look().await), [""; 0]);
        drop(two);
        // It takes leave.
        let gone = async {
            while !found(one.look().await).is_empty() {
                one.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.expect("what has left is not found");
    }

    #[test]
    fn what_only_one_link_knows_is_not_dialed() {
        for (text, is_dialed) in [
            ("192.0.2.1:9100", true),
            ("127.0.0.1:9100", true),
            ("169.254.1.1:9100", false),
            ("[fe80::1]:9100", false),
            ("192.0.2.1:0", false),
            ("0.0.0.0:9100", false),
            ("224.0.0.251:9100", false),
        ] {
            assert_eq!(can_be_dialed(text.parse().expect("an address")), is_dialed, "{text}");
        }
    }

    #[test]
    fn one_port_is_announced() {
        let own = ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"].map(|it| it.parse().expect("an address"));
        assert_eq!(one_port(own.to_vec()), [own[0], own[2]]);
    }
}
