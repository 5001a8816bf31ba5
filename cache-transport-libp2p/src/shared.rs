//! What all connections of one transport share: who is connected, who tries to be.

use crate::{ending::Ending, inbox::Inbox, link::Link, settings::Libp2pSettings};
use cache_core::{
    PeerId,
    port::{Arbiter, Gate, Session, Side, Tenure, TransportEvent},
};
use libp2p::{Multiaddr, multiaddr::Protocol, swarm::ConnectionId};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The book of connections. Whoever takes an attempt out of it, or a link, tells the consumer how it ended;
/// so each is told once.
pub(crate) struct Shared {
    pub(crate) local: PeerId,
    /// Tells this run of the process from others with the same identity.
    pub(crate) run: u64,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) settings: Libp2pSettings,
    pub(crate) inbox: Inbox,
    attempts: Mutex<BTreeMap<ConnectionId, Attempt>>,
    /// Locked before the inbox, and held while a change is told, so that changes are told in order.
    links: RwLock<Links>,
    addresses: RwLock<Vec<Multiaddr>>,
}

impl Shared {
    pub(crate) fn new(local: PeerId, gate: Arc<dyn Gate>, settings: Libp2pSettings) -> Self {
        // No two runs of one identity begin in the same nanosecond.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            local,
            run: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            gate,
            settings,
            inbox: Inbox::default(),
            attempts: Mutex::default(),
            links: RwLock::default(),
            addresses: RwLock::default(),
        }
    }

    /// Enters a dial.
    pub(crate) fn dialing(&self, id: ConnectionId, address: &str, dials_max: usize) -> Result<(), Ending> {
        let mut attempts = self.attempts.lock();
        if attempts.values().filter(|attempt| attempt.side == Side::Dialer).count() >= dials_max {
            return Err(Ending::TooMany("dials"));
        }
        attempts.insert(id, Attempt::new(Side::Dialer, address.into(), None));
        Ok(())
    }

    /// Enters a newcomer, if there is room.
    pub(crate) fn coming(&self, id: ConnectionId, remote: &Multiaddr) -> Result<(), Ending> {
        if self.links.read().ended {
            return Err(Ending::ByUs);
        }
        let host = host(remote);
        let mut attempts = self.attempts.lock();
        let newcomers = || attempts.values().filter(|attempt| attempt.side == Side::Listener);
        if newcomers().count() >= self.settings.unadmitted_max {
            return Err(Ending::TooMany("newcomers"));
        }
        let neighbours = newcomers().filter(|attempt| attempt.host == host).count();
        if neighbours >= self.settings.unadmitted_per_address_max {
            return Err(Ending::TooMany("newcomers from one address"));
        }
        attempts.insert(id, Attempt::new(Side::Listener, remote.to_string().into(), host));
        Ok(())
    }

    /// Tells how an attempt failed; answers false if there is none (any more).
    pub(crate) fn failed(&self, id: ConnectionId, ending: &Ending) -> bool {
        let Some(attempt) = self.attempts.lock().remove(&id) else { return false };
        tracing::debug!(address = %attempt.address, %ending, "no connection");
        match attempt.side {
            Side::Dialer => self.inbox.dial_failed(attempt.address, ending),
            Side::Listener => self.inbox.refused(attempt.address, ending),
        }
        true
    }

    /// For how long there has been an attempt.
    pub(crate) fn age(&self, id: ConnectionId) -> Option<Duration> {
        self.attempts.lock().get(&id).map(|attempt| attempt.since.elapsed())
    }

    /// Whether one more connection with `peer` could count.
    pub(crate) fn has_room_for(&self, peer: PeerId) -> bool {
        let links = self.links.read();
        links.peers.contains_key(&peer) || links.peers.len() < self.settings.peers_max
    }

    /// Makes a link of an attempt whose admission has succeeded, unless another link stays.
    ///
    /// `tenure` is the other side's; where we are the arbiter, the number is decided here.
    pub(crate) fn admitted(
        &self,
        id: ConnectionId,
        peer: PeerId,
        mut tenure: Tenure,
        session: Box<dyn Session>,
    ) -> Result<Arc<Link>, Ending> {
        let mut links = self.links.write();
        if links.ended {
            return Err(Ending::ByUs);
        }
        if self.inbox.is_dizzy(peer) {
            return Err(Ending::TooMany("connections in a short time"));
        }
        let arbiter = Arbiter::between(self.local, peer);
        match links.peers.get(&peer) {
            Some(held) if !arbiter.replaces(held.tenure, held.since.elapsed(), tenure) => {
                return Err(Ending::AlreadyConnected(peer));
            }
            Some(_replaced) => {}
            None if links.peers.len() >= self.settings.peers_max => return Err(Ending::TooMany("peers")),
            None => {}
        }
        let attempt = self.attempts.lock().remove(&id).ok_or(Ending::ByUs)?;
        if arbiter == Arbiter::Local {
            links.decisions += 1;
            tenure.number = links.decisions;
        }
        let link = Arc::new(Link::new(id, peer, attempt.side, tenure));
        if let Some(old) = links.peers.insert(peer, Arc::clone(&link)) {
            old.outbox.close();
            self.inbox.disconnected(peer, &Ending::Replaced);
        }
        let Attempt { address, side, .. } = attempt;
        self.inbox.connected(peer, id, TransportEvent::Connected { peer, address, side, session });
        Ok(link)
    }

    /// Ends `link`, if it has not ended yet, and tells why.
    pub(crate) fn ended(&self, link: &Link, ending: &Ending) {
        let mut links = self.links.write();
        if links.peers.get(&link.peer).is_some_and(|current| current.id == link.id) {
            links.peers.remove(&link.peer);
            self.inbox.disconnected(link.peer, ending);
        }
        link.outbox.close();
    }

    /// Ends every link, lets no more begin, and fails every attempt.
    pub(crate) fn end(&self) {
        let links: Vec<_> = {
            let mut links = self.links.write();
            links.ended = true;
            links.peers.values().cloned().collect()
        };
        for link in links {
            self.ended(&link, &Ending::ByUs);
        }
        let attempts: Vec<_> = self.attempts.lock().keys().copied().collect();
        for id in attempts {
            self.failed(id, &Ending::ByUs);
        }
    }

    /// The link with `peer`.
    pub(crate) fn link(&self, peer: PeerId) -> Option<Arc<Link>> {
        self.links.read().peers.get(&peer).cloned()
    }

    pub(crate) fn listening(&self, address: Multiaddr) {
        self.addresses.write().push(address);
    }

    pub(crate) fn not_listening(&self, address: &Multiaddr) {
        self.addresses.write().retain(|known| known != address);
    }

    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.read().clone()
    }
}

#[derive(Default)]
struct Links {
    peers: BTreeMap<PeerId, Arc<Link>>,
    /// How often we, as the arbiter, have decided for a connection.
    decisions: u64,
    ended: bool,
}

/// A connection in the making: from the dial, or from the first byte of a newcomer, to the end of admission.
struct Attempt {
    side: Side,
    address: Box<str>,
    host: Option<IpAddr>,
    since: Instant,
}

impl Attempt {
    fn new(side: Side, address: Box<str>, host: Option<IpAddr>) -> Self {
        Self { side, address, host, since: Instant::now() }
    }
}

fn host(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(host) => Some(host.into()),
        Protocol::Ip6(host) => Some(host.into()),
        _name => None,
    })
}
