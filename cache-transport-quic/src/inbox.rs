//! Events that wait for the driver: a queue per peer, taken in turns.
//!
//! Owns the order of events and its fairness: a peer that sends much fills its own queue and waits, and
//! every other peer's events come no later than one of its own. Frames are bounded by the charge that
//! their reader paid before it read them (see [`crate::link`]); the rest is bounded here.

use bytes::Bytes;
use cache_core::{PeerId, port::TransportEvent};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// The one way by which events leave the transport.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Peers whose events are kept apart.
    peers_max: usize,
    state: Mutex<State>,
    news: Notify,
}

impl Inbox {
    /// For connections with `links_max` peers, so that events of as many that have left can wait beside theirs.
    pub(crate) fn new(links_max: usize) -> Self {
        Self { peers_max: links_max.saturating_mul(2), state: Mutex::default(), news: Notify::new() }
    }

    /// Whether events of one more connection with `peer` may wait.
    pub(crate) fn has_room_for(&self, peer: PeerId) -> bool {
        let state = self.state.lock();
        match state.peers.get(&peer) {
            Some(queue) => queue.turns_of_life < TURNS_OF_LIFE_MAX,
            None => state.peers.len() < self.peers_max,
        }
    }

    /// Queues the beginning of the connection `link` with `peer`; frames of it count from now on.
    pub(crate) fn push_connected(&self, peer: PeerId, link: u64, event: TransportEvent) {
        self.push_to_peer(peer, |queue| {
            queue.link = Some(link);
            queue.turns_of_life += 1;
            queue.waiting.push_back(Waiting { event, _charge: None });
        });
    }

    /// Queues the end of the connection that counts for `peer`; frames that come later are dropped.
    pub(crate) fn push_disconnected(&self, peer: PeerId, reason: Box<str>) {
        self.push_to_peer(peer, |queue| {
            queue.link = None;
            let event = TransportEvent::Disconnected { peer, reason };
            queue.waiting.push_back(Waiting { event, _charge: None });
        });
    }

    /// Queues a frame that came over `link`; `charge` is given back when the driver takes it.
    pub(crate) fn push_frame(&self, peer: PeerId, link: u64, frame: Bytes, charge: OwnedSemaphorePermit) {
        self.push_to_peer(peer, |queue| {
            if queue.link == Some(link) {
                let event = TransportEvent::Received { peer, frame };
                queue.waiting.push_back(Waiting { event, _charge: Some(charge) });
            }
        });
    }

    /// Queues what concerns no connection. Dropped if [`NODE_EVENTS_MAX`] wait: the driver has stopped.
    pub(crate) fn push_node(&self, event: TransportEvent) {
        let mut state = self.state.lock();
        if state.node.len() >= NODE_EVENTS_MAX {
            tracing::debug!(?event, "nobody takes events; one is dropped");
            return;
        }
        if state.node.is_empty() {
            state.turns.push_back(Turn::Node);
        }
        state.node.push_back(event);
        drop(state);
        self.news.notify_one();
    }

    /// Queues that somebody was refused, unless [`REFUSALS_MAX`] of these wait: anybody can bring them about.
    pub(crate) fn push_refusal(&self, event: TransportEvent) {
        let waiting = self.state.lock().refusals();
        if waiting < REFUSALS_MAX {
            self.push_node(event);
        }
    }

    /// The next event; `None` when none will follow. Loses nothing when dropped.
    pub(crate) async fn next(&self) -> Option<TransportEvent> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(event) = state.pop() {
                    return Some(event);
                }
                if state.ended {
                    // Whoever asks again is answered again.
                    self.news.notify_one();
                    return None;
                }
            }
            self.news.notified().await;
        }
    }

    /// Lets what waits be the last.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.news.notify_one();
    }

    fn push_to_peer(&self, peer: PeerId, push: impl FnOnce(&mut PeerQueue)) {
        let mut state = self.state.lock();
        let queue = state.peers.entry(peer).or_default();
        let was_empty = queue.waiting.is_empty();
        push(queue);
        let is_empty = queue.waiting.is_empty();
        if is_empty && queue.link.is_none() {
            state.peers.remove(&peer);
        }
        if was_empty && !is_empty {
            state.turns.push_back(Turn::Peer(peer));
            drop(state);
            self.news.notify_one();
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Failed dials and refusals.
    node: VecDeque<TransportEvent>,
    /// Those connected, and those whose events wait.
    peers: BTreeMap<PeerId, PeerQueue>,
    /// Every queue that is not empty, once.
    turns: VecDeque<Turn>,
    ended: bool,
}

impl State {
    fn refusals(&self) -> usize {
        self.node.iter().filter(|event| matches!(event, TransportEvent::Refused { .. })).count()
    }

    fn pop(&mut self) -> Option<TransportEvent> {
        let turn = self.turns.pop_front()?;
        let (event, more) = match turn {
            Turn::Node => (self.node.pop_front(), !self.node.is_empty()),
            Turn::Peer(peer) => {
                let queue = self.peers.get_mut(&peer)?;
                let event = queue.pop();
                let more = !queue.waiting.is_empty();
                if !more && queue.link.is_none() {
                    self.peers.remove(&peer);
                }
                (event, more)
            }
        };
        if more {
            self.turns.push_back(turn);
        }
        event
    }
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Node,
    Peer(PeerId),
}

#[derive(Debug, Default)]
struct PeerQueue {
    /// The connection whose frames count.
    link: Option<u64>,
    waiting: VecDeque<Waiting>,
    /// How many beginnings of connections wait.
    turns_of_life: usize,
}

impl PeerQueue {
    fn pop(&mut self) -> Option<TransportEvent> {
        let event = self.waiting.pop_front()?.event;
        if matches!(event, TransportEvent::Connected { .. }) {
            self.turns_of_life -= 1;
        }
        Some(event)
    }
}

#[derive(Debug)]
struct Waiting {
    event: TransportEvent,
    /// Given back when the event is taken.
    _charge: Option<OwnedSemaphorePermit>,
}

/// Connections with one peer that may come and go before the driver looks.
const TURNS_OF_LIFE_MAX: usize = 8;

/// Refusals that may wait: a look at who knocks, not a record of it.
const REFUSALS_MAX: usize = 64;

/// Failed dials and refusals that may wait: more come only when the driver has stopped.
const NODE_EVENTS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::port::Refusal;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    fn begin(inbox: &Inbox, peer: PeerId, link: u64) {
        // What begins a connection does not matter to its queue.
        inbox.push_connected(peer, link, TransportEvent::Disconnected { peer, reason: "begins".into() });
    }

    fn frame(inbox: &Inbox, peer: PeerId, link: u64, text: &'static str) {
        let charge = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        inbox.push_frame(peer, link, Bytes::from_static(text.as_bytes()), charge);
    }

    async fn texts(inbox: &Inbox) -> Vec<String> {
        inbox.end();
        let mut texts = Vec::new();
        while let Some(event) = inbox.next().await {
            texts.push(match event {
                TransportEvent::Received { frame, .. } => String::from_utf8(frame.into()).unwrap(),
                TransportEvent::Disconnected { reason, .. } | TransportEvent::Refused { reason, .. } => {
                    reason.into()
                }
                other => panic!("{other:?}"),
            });
        }
        texts
    }

    #[tokio::test]
    async fn a_peer_that_sends_much_delays_no_other_by_more_than_one_event() {
        let inbox = Inbox::new(256);
        begin(&inbox, peer(1), 1);
        begin(&inbox, peer(2), 2);
        for _ in 0..3 {
            frame(&inbox, peer(1), 1, "much");
        }
        frame(&inbox, peer(2), 2, "little");
        assert_eq!(texts(&inbox).await, ["begins", "begins", "much", "little", "much", "much"]);
    }

    #[tokio::test]
    async fn frames_of_a_connection_that_was_replaced_or_ended_are_dropped() {
        let inbox = Inbox::new(256);
        begin(&inbox, peer(1), 1);
        frame(&inbox, peer(1), 1, "first");
        inbox.push_disconnected(peer(1), "replaced".into());
        begin(&inbox, peer(1), 2);
        frame(&inbox, peer(1), 1, "late");
        frame(&inbox, peer(1), 2, "second");
        inbox.push_disconnected(peer(1), "ended".into());
        frame(&inbox, peer(1), 2, "too late");
        assert_eq!(texts(&inbox).await, ["begins", "first", "replaced", "begins", "second", "ended"]);
    }

    #[tokio::test]
    async fn connections_that_nobody_hears_of_are_bounded() {
        let inbox = Inbox::new(256);
        let mut begun = 0;
        while inbox.has_room_for(peer(1)) {
            begin(&inbox, peer(1), begun);
            begun += 1;
        }
        assert_eq!(begun, u64::try_from(TURNS_OF_LIFE_MAX).unwrap());
        assert!(inbox.has_room_for(peer(2)));
    }

    #[tokio::test]
    async fn refusals_that_nobody_hears_of_are_bounded() {
        let inbox = Inbox::new(256);
        for _ in 0..NODE_EVENTS_MAX {
            let (address, refusal, reason) = ("".into(), Refusal::Left, "refused".into());
            inbox.push_refusal(TransportEvent::Refused { address, refusal, reason });
        }
        assert_eq!(texts(&inbox).await.len(), REFUSALS_MAX);
    }
}
