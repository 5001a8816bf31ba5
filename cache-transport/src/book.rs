//! The book of connections: which peers are connected, and which of several connections with one peer stays.
//!
//! Owns the links, their order in time, and what the [`Arbiter`] decides. Beginnings and ends of connections become
//! events here and nowhere else. A transport dials, proves and closes; the book says what is kept.

use crate::{
    budget::Charge,
    ending::Ending,
    inbox::Inbox,
    link::{Link, LinkId, Queues},
};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Arbiter, Session, Side, Stance, Tenure, TransportEvent},
};
use parking_lot::RwLock;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The connections of one transport that count. `T` is what the transport keeps of each.
#[derive(Debug)]
pub struct Book<T> {
    local: PeerId,
    /// Tells this run of the process from others with the same identity.
    run: u64,
    peers_max: usize,
    queues: Queues,
    inbox: Inbox,
    /// Locked before the inbox, and held while a change is reported, so that changes are reported in order.
    links: RwLock<Links<T>>,
}

/// A connection whose other side has proved itself, and that the book would keep.
#[derive(Debug)]
pub struct Candidate<T> {
    /// The peer that the handshake proved.
    pub peer: PeerId,
    /// Which side this node is of.
    pub side: Side,
    /// Where the other side is.
    pub address: Box<str>,
    /// What the other side says of itself; if this node is the arbiter, the book numbers the decision.
    pub tenure: Tenure,
    /// What seals and opens the connection's frames.
    pub session: Box<dyn Session>,
    /// What the transport keeps of the connection.
    pub own: T,
}

/// A connection that is kept, and the one that it replaces, which the transport must close.
#[derive(Debug)]
pub struct Admitted<T> {
    /// The connection that is kept.
    pub link: Arc<Link<T>>,
    /// Our stance, still to be sent, if this node is the arbiter.
    pub verdict: Option<Stance>,
    /// The connection with the same peer that was kept so far.
    pub replaced: Option<Arc<Link<T>>>,
}

impl<T> Book<T> {
    /// An empty book of the transport whose own key is `local`.
    pub fn new(local: PeerId, peers_max: usize, queues: Queues) -> Self {
        // No two runs of one identity begin in the same nanosecond.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            local,
            run: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            peers_max,
            queues,
            inbox: Inbox::new(peers_max),
            links: RwLock::default(),
        }
    }

    /// The id of this node.
    pub fn local(&self) -> PeerId {
        self.local
    }

    /// What waits for the driver.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Whether one more connection with `peer` could count.
    pub fn has_room_for(&self, peer: PeerId) -> bool {
        let links = self.links.read();
        let is_known = links.of_peer.contains_key(&peer);
        (is_known || links.of_peer.len() < self.peers_max) && self.inbox.has_room_for(peer)
    }

    /// What this node says first to a `peer` that has proved itself; nothing, if this node decides.
    pub fn stance(&self, peer: PeerId) -> Option<Stance> {
        match Arbiter::between(self.local, peer) {
            Arbiter::Local => None,
            Arbiter::Remote if self.has_room_for(peer) => Some(self.keep(0)),
            Arbiter::Remote => Some(Stance::TooMany),
        }
    }

    /// What this node says to a `peer` whose connection it does not keep for this reason; nothing if the peer
    /// decides, or has lost the connection as well.
    pub fn refusal(&self, peer: PeerId, ending: &Ending) -> Option<Stance> {
        match (Arbiter::between(self.local, peer), ending) {
            (Arbiter::Local, Ending::AlreadyConnected(_)) => Some(Stance::KeepAnother),
            (Arbiter::Local, Ending::TooMany(_)) => Some(Stance::TooMany),
            _unsaid => None,
        }
    }

    /// Makes `candidate` the connection that counts for its peer, or says why not.
    ///
    /// # Errors
    ///
    /// [`Ending::AlreadyConnected`] if another connection stays, [`Ending::TooMany`], and [`Ending::ByUs`] once
    /// ended.
    pub fn admit(&self, candidate: Candidate<T>) -> Result<Admitted<T>, Ending> {
        let Candidate { peer, side, address, mut tenure, session, own } = candidate;
        let arbiter = Arbiter::between(self.local, peer);
        let mut links = self.links.write();
        if links.ended {
            return Err(Ending::ByUs);
        }
        match links.of_peer.get(&peer) {
            Some(held) if !arbiter.replaces(held.tenure, held.since.elapsed(), tenure) => {
                return Err(Ending::AlreadyConnected(peer));
            }
            Some(_replaced) => {}
            None if links.of_peer.len() >= self.peers_max => return Err(Ending::TooMany("peers")),
            None => {}
        }
        if !self.inbox.has_room_for(peer) {
            return Err(Ending::TooMany("connections in a short time"));
        }
        let verdict = (arbiter == Arbiter::Local).then(|| {
            links.decisions += 1;
            tenure.number = links.decisions;
            self.keep(tenure.number)
        });
        links.admitted += 1;
        let link = Arc::new(Link::new(LinkId(links.admitted), peer, side, tenure, self.queues, own));
        let replaced = links.of_peer.insert(peer, Arc::clone(&link));
        if let Some(replaced) = &replaced {
            replaced.close();
            self.inbox.disconnected(peer, &Ending::Replaced);
        }
        self.inbox.connected(peer, link.id, TransportEvent::Connected { peer, address, side, session });
        Ok(Admitted { link, verdict, replaced })
    }

    /// Hands on a frame that came over `link`, if that still counts.
    pub fn deliver(&self, link: &Link<T>, frame: Bytes, charge: Charge) {
        link.received(&frame);
        tracing::trace!(peer = ?link.peer, frame_bytes = frame.len(), "received");
        self.inbox.deliver(link.peer, link.id, frame, charge);
    }

    /// Ends `link`, and reports why if it still counted. The transport must close it.
    pub fn remove(&self, link: &Link<T>, ending: &Ending) {
        let mut links = self.links.write();
        if links.of_peer.get(&link.peer).is_some_and(|current| current.id == link.id) {
            links.of_peer.remove(&link.peer);
            self.inbox.disconnected(link.peer, ending);
        }
        link.close();
    }

    /// The connection that counts for `peer`.
    pub fn get(&self, peer: PeerId) -> Option<Arc<Link<T>>> {
        self.links.read().of_peer.get(&peer).cloned()
    }

    /// The connections that count.
    pub fn all(&self) -> Vec<Arc<Link<T>>> {
        self.links.read().of_peer.values().cloned().collect()
    }

    /// Lets no further connection count. Those that count still do.
    pub fn end(&self) {
        self.links.write().ended = true;
    }

    /// Whether [`Self::end`] was called.
    pub fn has_ended(&self) -> bool {
        self.links.read().ended
    }

    fn keep(&self, number: u64) -> Stance {
        Stance::Keep(Tenure { run: self.run, number })
    }
}

/// What the other side's `stance` on a connection says of the connection.
///
/// # Errors
///
/// If the other side does not keep the connection, or sends what is not a stance.
pub fn heard(peer: PeerId, stance: Option<Stance>) -> Result<Tenure, Ending> {
    match stance {
        Some(Stance::Keep(tenure)) => Ok(tenure),
        Some(Stance::KeepAnother) => Err(Ending::AlreadyConnected(peer)),
        Some(Stance::TooMany) => Err(Ending::TooMany("peers")),
        None => Err(Ending::Protocol("no stance")),
    }
}

#[derive(Debug)]
struct Links<T> {
    of_peer: BTreeMap<PeerId, Arc<Link<T>>>,
    /// How many connections have counted.
    admitted: u64,
    /// How often this node, as the arbiter, has decided for a connection.
    decisions: u64,
    ended: bool,
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self { of_peer: BTreeMap::new(), admitted: 0, decisions: 0, ended: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outbox::Limits, silent::Silent};
    use cache_core::port::{Lane, SendError};
    use futures::{FutureExt as _, executor::block_on};

    #[test]
    fn one_connection_with_each_peer_counts_and_the_arbiter_numbers_its_decisions() {
        let book = book(peer(1));
        let first = admit(&book, peer(2), 7, 0).unwrap();
        assert_eq!(first.verdict.map(number), Some(1));
        assert!(
            matches!(admit(&book, peer(2), 7, 0), Err(Ending::AlreadyConnected(other)) if other == peer(2))
        );
        let restarted = admit(&book, peer(2), 8, 0).unwrap();
        assert_eq!(restarted.verdict.map(number), Some(2));
        assert_eq!(restarted.replaced.map(|link| link.id), Some(first.link.id));
        assert_eq!(book.get(peer(2)).map(|link| link.id), Some(restarted.link.id));
        assert_eq!(told(&book), ["connected", "replaced by a newer connection", "connected"]);
    }

    #[test]
    fn whoever_is_no_arbiter_follows_the_latest_decision_in_whatever_order_they_come() {
        let book = book(peer(2));
        let third = admit(&book, peer(1), 7, 3).unwrap();
        assert_eq!(third.verdict, None);
        assert!(matches!(admit(&book, peer(1), 7, 2), Err(Ending::AlreadyConnected(_))));
        let fourth = admit(&book, peer(1), 7, 4).unwrap();
        assert_eq!(fourth.replaced.map(|link| link.id), Some(third.link.id));
    }

    #[test]
    fn both_sides_of_crossing_connections_keep_the_same_one() {
        let (one, two) = (book(peer(1)), book(peer(2)));
        let mut kept = Vec::new();
        for connection in 0..3 {
            // The side that follows speaks first, then the arbiter.
            let stance = two.stance(peer(1)).expect("it follows");
            let tenure = heard(peer(2), Some(stance)).unwrap();
            match admit(&one, peer(2), tenure.run, tenure.number) {
                Ok(Admitted { verdict, .. }) => {
                    let tenure = heard(peer(1), verdict).unwrap();
                    admit(&two, peer(1), tenure.run, tenure.number).unwrap();
                    kept.push(connection);
                }
                Err(ending) => {
                    let refusal = one.refusal(peer(2), &ending);
                    assert!(matches!(heard(peer(1), refusal), Err(Ending::AlreadyConnected(_))), "{ending}");
                }
            }
        }
        assert_eq!(kept, [0]);
        assert_eq!([one.all().len(), two.all().len()], [1, 1]);
    }

    #[test]
    fn a_full_book_says_so_and_has_room_for_whom_it_knows() {
        let book = book(peer(1));
        for number in 2..2 + PEERS_MAX as u8 {
            admit(&book, peer(number), 7, 0).unwrap();
        }
        assert!(!book.has_room_for(peer(100)));
        assert!(book.has_room_for(peer(2)));
        let ending = admit(&book, peer(100), 7, 0).unwrap_err();
        assert!(matches!(ending, Ending::TooMany("peers")), "{ending}");
        assert_eq!(book.refusal(peer(100), &ending), Some(Stance::TooMany));
        let full = self::book(peer(200));
        for number in 2..2 + PEERS_MAX as u8 {
            admit(&full, peer(number), 7, 1).unwrap();
        }
        assert_eq!(full.stance(peer(100)), Some(Stance::TooMany));
        assert!(matches!(heard(peer(200), full.stance(peer(100))), Err(Ending::TooMany("peers"))));
    }

    #[test]
    fn a_peer_that_comes_and_goes_unheard_waits_until_it_is_heard() {
        let book = book(peer(1));
        let ending = loop {
            match admit(&book, peer(2), 7, 0) {
                Ok(Admitted { link, .. }) => book.remove(&link, &Ending::ByPeer),
                Err(ending) => break ending,
            }
        };
        assert!(matches!(ending, Ending::TooMany(_)), "{ending}");
        while book.inbox().next().now_or_never().is_some() {}
        assert!(admit(&book, peer(2), 7, 0).is_ok());
    }

    #[test]
    fn an_end_is_told_once_and_of_the_connection_that_counts() {
        let book = book(peer(1));
        let first = admit(&book, peer(2), 7, 0).unwrap().link;
        let second = admit(&book, peer(2), 8, 0).unwrap().link;
        book.remove(&first, &Ending::ByPeer);
        assert!(book.get(peer(2)).is_some());
        book.remove(&second, &Ending::ByPeer);
        book.remove(&second, &Ending::ByUs);
        assert!(book.get(peer(2)).is_none());
        assert_eq!(
            told(&book),
            ["connected", "replaced by a newer connection", "connected", "closed by the peer"]
        );
    }

    #[test]
    fn a_link_that_has_ended_takes_and_charges_no_frame() {
        let book = book(peer(1));
        let link = admit(&book, peer(2), 7, 0).unwrap().link;
        assert_eq!(link.send(Lane::Control, Bytes::from_static(b"frame")), Ok(()));
        assert_eq!(link.send(Lane::Control, Bytes::from_static(b"frame")), Err(SendError::QueueFull));
        assert_eq!(link.figures(None).dropped_frames, 1);
        book.remove(&link, &Ending::ByUs);
        assert_eq!(link.send(Lane::Bulk, Bytes::from_static(b"frame")), Err(SendError::NotConnected));
        assert!(link.charge(Lane::Control, 5).now_or_never().expect("it is closed").is_none());
        assert!(link.control.take_batch().now_or_never().expect("the last ones wait").is_some());
    }

    #[test]
    fn a_book_that_has_ended_admits_nobody() {
        let book = book(peer(1));
        admit(&book, peer(2), 7, 0).unwrap();
        book.end();
        assert!(book.has_ended());
        assert!(matches!(admit(&book, peer(3), 7, 0), Err(Ending::ByUs)));
        assert_eq!(book.all().len(), 1);
    }

    fn book(local: PeerId) -> Book<()> {
        let limits = Limits { frames_max: 1, bytes_max: 1000 };
        Book::new(
            local,
            PEERS_MAX,
            Queues { bulk: limits, bulk_budget_bytes: 0, control: limits, control_budget_bytes: 0 },
        )
    }

    fn admit(book: &Book<()>, peer: PeerId, run: u64, number: u64) -> Result<Admitted<()>, Ending> {
        let (address, tenure) = ("somewhere".into(), Tenure { run, number });
        book.admit(Candidate {
            peer,
            side: Side::Dialer,
            address,
            tenure,
            session: Box::new(Silent),
            own: (),
        })
    }

    /// What the driver hears of connections, in words.
    fn told(book: &Book<()>) -> Vec<String> {
        book.inbox().end();
        let word = |event| match event {
            TransportEvent::Connected { .. } => "connected".into(),
            TransportEvent::Disconnected { reason, .. } => reason.into(),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| block_on(book.inbox().next())).map(word).collect()
    }

    fn number(stance: Stance) -> u64 {
        match stance {
            Stance::Keep(tenure) => tenure.number,
            Stance::KeepAnother | Stance::TooMany => panic!("{stance:?}"),
        }
    }

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    const PEERS_MAX: usize = 3;
}
