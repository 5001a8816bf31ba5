//! What all connections of one transport share: the book of those admitted, and the attempts at more.

use crate::{
    address::Libp2pAddress,
    line::Line,
    settings::{
        BULK_QUEUE_BYTES_MAX, BULK_QUEUE_FRAMES_MAX, CONTROL_QUEUE_BYTES_MAX, CONTROL_QUEUE_FRAMES_MAX,
        INBOX_BYTES_MAX, Libp2pSettings,
    },
};
use cache_core::{
    PeerId,
    port::{Gate, Session, Side, Tenure},
};
use cache_transport::{
    book::{Admitted, Book, Candidate},
    ending::Ending,
    entrance::{Entrance, Ticket},
    link::Queues,
    outbox::Limits,
};
use libp2p::{Multiaddr, swarm::ConnectionId};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

/// A connection that was admitted, with its line.
pub(crate) type Link = cache_transport::link::Link<Line>;

/// The book of connections, and the attempts at some. A function that takes an attempt out, or a link, tells the driver
/// how it ended; so each is told once.
pub(crate) struct Shared {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) settings: Libp2pSettings,
    pub(crate) book: Book<Line>,
    entrance: Arc<Entrance>,
    attempts: Mutex<BTreeMap<ConnectionId, Attempt>>,
    addresses: RwLock<Vec<Multiaddr>>,
}

impl Shared {
    pub(crate) fn new(local: PeerId, gate: Arc<dyn Gate>, settings: Libp2pSettings) -> Self {
        let entrance = Entrance::new(settings.unadmitted_max, settings.unadmitted_per_address_max);
        Self {
            gate,
            settings,
            book: Book::new(local, settings.peers_max, QUEUES),
            entrance: Arc::new(entrance),
            attempts: Mutex::default(),
            addresses: RwLock::default(),
        }
    }

    /// Enters a dial into the book.
    pub(crate) fn dialing(&self, id: ConnectionId, address: &str, dials_max: usize) -> Result<(), Ending> {
        let mut attempts = self.attempts.lock();
        if attempts.values().filter(|attempt| attempt.side() == Side::Dialer).count() >= dials_max {
            return Err(Ending::TooMany("dials"));
        }
        attempts.insert(id, Attempt::new(address.into(), None));
        Ok(())
    }

    /// Enters a newcomer, if there is room.
    pub(crate) fn coming(&self, id: ConnectionId, remote: &Multiaddr) -> Result<(), Ending> {
        if self.book.has_ended() {
            return Err(Ending::ByUs);
        }
        let remote = remote.to_string();
        let ticket = Ticket::take(&self.entrance, source(&remote)).ok_or(Ending::TooMany("newcomers"))?;
        self.attempts.lock().insert(id, Attempt::new(remote.into(), Some(ticket)));
        Ok(())
    }

    /// Reports how an attempt failed; returns false if there is no such attempt, or no longer.
    pub(crate) fn failed(&self, id: ConnectionId, ending: &Ending) -> bool {
        let Some(attempt) = self.attempts.lock().remove(&id) else { return false };
        tracing::debug!(address = %attempt.address, %ending, "no connection");
        match attempt.side() {
            Side::Dialer => self.book.inbox().dial_failed(attempt.address, ending),
            Side::Listener => self.book.inbox().refused(attempt.address, ending),
        }
        true
    }

    /// For how long there has been an attempt.
    pub(crate) fn age(&self, id: ConnectionId) -> Option<Duration> {
        self.attempts.lock().get(&id).map(|attempt| attempt.since.elapsed())
    }

    /// Makes a link of an attempt whose admission has succeeded. On an error it remains an attempt.
    pub(crate) fn admitted(
        &self,
        id: ConnectionId,
        peer: PeerId,
        tenure: Tenure,
        session: Box<dyn Session>,
    ) -> Result<Admitted<Line>, Ending> {
        let attempt = self.attempts.lock().remove(&id).ok_or(Ending::ByUs)?;
        let (side, address) = (attempt.side(), attempt.address.clone());
        let candidate = Candidate { peer, side, address, tenure, session, own: Line::new(id) };
        let admitted = self.book.admit(candidate);
        match &admitted {
            Ok(Admitted { replaced, .. }) => {
                if let Some(replaced) = replaced {
                    replaced.own.close();
                }
            }
            Err(_told_later) => {
                self.attempts.lock().insert(id, attempt);
            }
        }
        admitted
    }

    /// Ends `link`, if it has not ended yet, and reports why.
    pub(crate) fn end_link(&self, link: &Link, ending: &Ending) {
        self.book.remove(link, ending);
        link.own.close();
    }

    /// Ends every link, lets no more begin, and fails every attempt.
    pub(crate) fn end(&self) {
        self.book.end();
        for link in self.book.all() {
            self.end_link(&link, &Ending::ByUs);
        }
        let attempts: Vec<_> = self.attempts.lock().keys().copied().collect();
        for id in attempts {
            self.failed(id, &Ending::ByUs);
        }
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

/// A connection in the making: from the dial, or from the first byte of a newcomer, to the end of admission.
struct Attempt {
    address: Box<str>,
    /// A newcomer's place; a dial has none.
    ticket: Option<Ticket>,
    since: Instant,
}

impl Attempt {
    fn new(address: Box<str>, ticket: Option<Ticket>) -> Self {
        Self { address, ticket, since: Instant::now() }
    }

    fn side(&self) -> Side {
        if self.ticket.is_some() { Side::Listener } else { Side::Dialer }
    }
}

/// The address that a newcomer comes from. Newcomers whose address says nothing count as one.
fn source(remote: &str) -> IpAddr {
    let socket = remote.parse::<Libp2pAddress>().ok().and_then(|address| address.socket());
    socket.map_or(Ipv4Addr::UNSPECIFIED.into(), |socket| socket.ip())
}

/// What may wait in either direction.
const QUEUES: Queues = Queues {
    bulk: Limits { frames_max: BULK_QUEUE_FRAMES_MAX, bytes_max: BULK_QUEUE_BYTES_MAX },
    bulk_budget_bytes: INBOX_BYTES_MAX,
    control: Limits { frames_max: CONTROL_QUEUE_FRAMES_MAX, bytes_max: CONTROL_QUEUE_BYTES_MAX },
    control_budget_bytes: INBOX_BYTES_MAX,
};
