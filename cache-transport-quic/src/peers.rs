//! Who is connected, with one connection each.

use crate::{
    denial::Denial,
    inbox::Inbox,
    link::{End, Link},
};
use cache_core::{
    PeerId,
    port::{Arbiter, Session, TransportEvent},
};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc};

/// The connections that count. Beginnings and ends of connections become events here and nowhere else.
#[derive(Debug)]
pub(crate) struct Peers {
    links_max: usize,
    inbox: Arc<Inbox>,
    links: RwLock<Links>,
}

impl Peers {
    pub(crate) fn new(links_max: usize, inbox: Arc<Inbox>) -> Self {
        Self { links_max, inbox, links: RwLock::default() }
    }

    /// Makes `link` the one that counts for its peer, or says why not. A replaced one is closed.
    ///
    /// Its tenure is the other side's; where we are the arbiter, the number is decided here.
    pub(crate) fn insert(
        &self,
        arbiter: Arbiter,
        mut link: Link,
        address: Box<str>,
        session: Box<dyn Session>,
    ) -> Result<Arc<Link>, Denial> {
        let peer = link.peer;
        let mut links = self.links.write();
        match links.of_peer.get(&peer) {
            // One that has ended already stands in nobody's way, though its task may not have noticed.
            Some(held) if held.has_ended() => {}
            Some(held) if !arbiter.replaces(held.tenure, held.since.elapsed(), link.tenure) => {
                return Err(Denial::AlreadyConnected);
            }
            Some(_replaced) => {}
            None if links.of_peer.len() >= self.links_max => return Err(Denial::TooMany),
            None => {}
        }
        if !self.inbox.has_room_for(peer) {
            return Err(Denial::TooMany);
        }
        if arbiter == Arbiter::Local {
            links.decisions += 1;
            link.tenure.number = links.decisions;
        }
        let (id, side, link) = (link.id, link.side, Arc::new(link));
        link.open();
        if let Some(old) = links.of_peer.insert(peer, Arc::clone(&link)) {
            old.close(&End::Replaced);
            self.inbox.push_disconnected(peer, End::Replaced.to_string().into());
        }
        self.inbox.push_connected(peer, id, TransportEvent::Connected { peer, address, side, session });
        Ok(link)
    }

    /// Whether one more connection with `peer` could count.
    pub(crate) fn has_room_for(&self, peer: PeerId) -> bool {
        let links = self.links.read();
        let is_known = links.of_peer.contains_key(&peer);
        (is_known || links.of_peer.len() < self.links_max) && self.inbox.has_room_for(peer)
    }

    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.links.read().of_peer.get(&peer).is_some_and(|held| !held.has_ended())
    }

    /// Ends `link`, if it is still the one that counts.
    pub(crate) fn remove(&self, link: &Link, end: &End) {
        let mut links = self.links.write();
        if links.of_peer.get(&link.peer).is_some_and(|current| current.id == link.id) {
            links.of_peer.remove(&link.peer);
            self.inbox.push_disconnected(link.peer, end.to_string().into());
        }
        link.close(end);
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<Arc<Link>> {
        self.links.read().of_peer.get(&peer).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.links.read().of_peer.values().cloned().collect()
    }
}

#[derive(Debug, Default)]
struct Links {
    of_peer: BTreeMap<PeerId, Arc<Link>>,
    /// How often we, as the arbiter, have decided for a connection.
    decisions: u64,
}
