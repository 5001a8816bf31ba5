//! Who is connected, with one connection each.

use crate::{
    inbox::{self, Inbox},
    link::{End, Link},
};
use cache_core::{
    PeerId,
    port::{Session, Side, TIE_WINDOW, TransportEvent},
};
use parking_lot::RwLock;
use std::{collections::BTreeMap, sync::Arc};

/// The connections that count. Beginnings and ends of connections become events here and nowhere else.
#[derive(Debug)]
pub(crate) struct Peers {
    local: PeerId,
    inbox: Arc<Inbox>,
    links: RwLock<BTreeMap<PeerId, Arc<Link>>>,
}

impl Peers {
    pub(crate) fn new(local: PeerId, inbox: Arc<Inbox>) -> Self {
        Self { local, inbox, links: RwLock::default() }
    }

    /// Makes `link` the one that counts for its peer, or says why not. A replaced one is closed.
    pub(crate) fn insert(
        &self,
        link: &Arc<Link>,
        address: Box<str>,
        session: Box<dyn Session>,
    ) -> Result<(), &'static str> {
        let peer = link.peer;
        let mut links = self.links.write();
        if let Some(old) = links.get(&peer) {
            // One that has ended already settles no tie, though its task may not have noticed.
            let ended = old.connection.close_reason().is_some();
            if !ended && !link.side.keeps(self.local, peer, old.side, old.since.elapsed()) {
                return Err(ALREADY_CONNECTED);
            }
        } else if links.len() >= LINKS_MAX {
            return Err("too many peers are connected");
        }
        if !self.inbox.has_room_for(peer) {
            return Err("events of too many connections wait");
        }
        if let Some(old) = links.insert(peer, Arc::clone(link)) {
            old.close(&End::Replaced);
            self.inbox.push_disconnected(peer, End::Replaced.to_string().into());
        }
        let event = TransportEvent::Connected { peer, address, side: link.side, session };
        self.inbox.push_connected(peer, link.id, event);
        Ok(())
    }

    /// Whether to go on with a connection that we have dialled to `peer`, before it is admitted.
    ///
    /// Only a young connection that the other side has dialled can still tie with it.
    pub(crate) fn allows_dial(&self, peer: PeerId) -> Result<(), &'static str> {
        match self.links.read().get(&peer) {
            Some(old) if old.connection.close_reason().is_some() => Ok(()),
            Some(old) if old.side == Side::Dialer || old.since.elapsed() > TIE_WINDOW => {
                Err(ALREADY_CONNECTED)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Ends `link`, if it is still the one that counts.
    pub(crate) fn remove(&self, link: &Link, end: &End) {
        let mut links = self.links.write();
        if links.get(&link.peer).is_some_and(|current| current.id == link.id) {
            links.remove(&link.peer);
            self.inbox.push_disconnected(link.peer, end.to_string().into());
        }
        link.close(end);
    }

    pub(crate) fn get(&self, peer: PeerId) -> Option<Arc<Link>> {
        self.links.read().get(&peer).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.links.read().values().cloned().collect()
    }
}

const ALREADY_CONNECTED: &str = "already connected with that peer";

/// Connected peers, so that events of some that have left can wait beside theirs.
const LINKS_MAX: usize = inbox::PEERS_MAX / 2;
