//! Events that wait for the driver: a queue per peer, taken in turns.
//!
//! Owns the order of events and its fairness: a peer that sends much fills its own queue and waits, and
//! every other peer's events come no later than one of its own. Frames are bounded by the charge that
//! their reader paid (see [`crate::budget`]); the rest is bounded here.

use crate::{budget::Charge, ending::Ending, link::LinkId};
use bytes::Bytes;
use cache_core::{PeerId, port::TransportEvent};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::Notify;

/// The one way by which events leave a transport.
#[derive(Debug)]
pub struct Inbox {
    /// Most peers whose events are kept apart.
    peers_max: usize,
    state: Mutex<State>,
    news: Notify,
}

impl Inbox {
    /// An inbox for connections with `links_max` peers, so that events of as many that have left can wait beside
    /// theirs.
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

    /// Reports the beginning of the connection `link` with `peer`; its frames count from now on.
    pub(crate) fn connected(&self, peer: PeerId, link: LinkId, event: TransportEvent) {
        self.push_to_peer(peer, |queue| {
            queue.link = Some(link);
            queue.turns_of_life += 1;
            queue.waiting.push_back(Waiting { event, _charge: None });
        });
    }

    /// Reports the end of the connection that counts for `peer`; frames that come later are dropped.
    pub(crate) fn disconnected(&self, peer: PeerId, ending: &Ending) {
        self.push_to_peer(peer, |queue| {
            queue.link = None;
            let event = TransportEvent::Disconnected { peer, reason: ending.to_string().into() };
            queue.waiting.push_back(Waiting { event, _charge: None });
        });
    }

    /// Hands on a frame that came over `link`; `charge` is given back when the driver takes it.
    pub(crate) fn deliver(&self, peer: PeerId, link: LinkId, frame: Bytes, charge: Charge) {
        self.push_to_peer(peer, |queue| {
            if queue.link == Some(link) {
                let event = TransportEvent::Received { peer, frame };
                queue.waiting.push_back(Waiting { event, _charge: Some(charge) });
            }
        });
    }

    /// Reports that the dial of `address` failed.
    pub fn dial_failed(&self, address: Box<str>, ending: &Ending) {
        let (error, reason) = (ending.dial_error(), ending.to_string().into());
        self.state.lock().push_node(TransportEvent::DialFailed { address, error, reason });
        self.news.notify_one();
    }

    /// Reports that a newcomer was not let in, if that is worth reporting, and unless 64 of these wait: any stranger
    /// can cause them.
    pub fn refused(&self, address: Box<str>, ending: &Ending) {
        let Some(refusal) = ending.refusal() else { return };
        let mut state = self.state.lock();
        if state.refusals < REFUSALS_MAX {
            state.push_node(TransportEvent::Refused { address, refusal, reason: ending.to_string().into() });
            drop(state);
            self.news.notify_one();
        }
    }

    /// The next event; `None` when none will follow.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no event.
    pub async fn next(&self) -> Option<TransportEvent> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(event) = state.pop() {
                    return Some(event);
                }
                if state.ended {
                    // The next call is to return as well.
                    self.news.notify_one();
                    return None;
                }
            }
            self.news.notified().await;
        }
    }

    /// Lets what waits be the last.
    pub fn end(&self) {
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
    /// How many of `node` are refusals.
    refusals: usize,
    /// The peers that are connected, and those whose events wait.
    peers: BTreeMap<PeerId, PeerQueue>,
    /// Every queue that is not empty, once.
    turns: VecDeque<Turn>,
    ended: bool,
}

impl State {
    /// Queues what concerns no connection. Dropped if [`NODE_EVENTS_MAX`] wait: the driver has stopped.
    fn push_node(&mut self, event: TransportEvent) {
        if self.node.len() >= NODE_EVENTS_MAX {
            tracing::debug!(?event, "the driver takes no events; one is dropped");
            return;
        }
        if self.node.is_empty() {
            self.turns.push_back(Turn::Node);
        }
        self.refusals += usize::from(matches!(event, TransportEvent::Refused { .. }));
        self.node.push_back(event);
    }

    fn pop(&mut self) -> Option<TransportEvent> {
        let turn = self.turns.pop_front()?;
        let (event, more) = match turn {
            Turn::Node => {
                let event = self.node.pop_front()?;
                self.refusals -= usize::from(matches!(event, TransportEvent::Refused { .. }));
                (Some(event), !self.node.is_empty())
            }
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
    link: Option<LinkId>,
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
    /// The charge, which is given back when the event is taken.
    _charge: Option<Charge>,
}

/// Connections with one peer that may come and go before the driver looks.
const TURNS_OF_LIFE_MAX: usize = 8;

/// Refusals that may wait: a sample of the newcomers, not a record.
const REFUSALS_MAX: usize = 64;

/// Failed dials and refusals that may wait: more come only when the driver has stopped.
const NODE_EVENTS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::Budget, silent::Silent};
    use cache_core::port::{Refused, Side};
    use futures::{FutureExt as _, executor::block_on};

    #[test]
    fn a_peer_that_sends_much_delays_no_other_by_more_than_one_event() {
        let inbox = Inbox::new(256);
        begin(&inbox, peer(1), 1);
        begin(&inbox, peer(2), 2);
        for _ in 0..3 {
            frame(&inbox, peer(1), 1, "much");
        }
        frame(&inbox, peer(2), 2, "little");
        assert_eq!(texts(&inbox), ["begins", "begins", "much", "little", "much", "much"]);
    }

    #[test]
    fn frames_of_a_connection_that_was_replaced_or_ended_are_dropped() {
        let inbox = Inbox::new(256);
        begin(&inbox, peer(1), 1);
        frame(&inbox, peer(1), 1, "first");
        inbox.disconnected(peer(1), &Ending::Replaced);
        begin(&inbox, peer(1), 2);
        frame(&inbox, peer(1), 1, "late");
        frame(&inbox, peer(1), 2, "second");
        inbox.disconnected(peer(1), &Ending::ByUs);
        frame(&inbox, peer(1), 2, "too late");
        let (replaced, ended) = (Ending::Replaced.to_string(), Ending::ByUs.to_string());
        assert_eq!(texts(&inbox), ["begins", "first", &replaced, "begins", "second", &ended]);
    }

    #[test]
    fn connections_that_nobody_hears_of_are_bounded() {
        let inbox = Inbox::new(256);
        let mut begun = 0;
        while inbox.has_room_for(peer(1)) {
            begin(&inbox, peer(1), begun);
            inbox.disconnected(peer(1), &Ending::ByPeer);
            begun += 1;
        }
        assert_eq!(begun, u64::try_from(TURNS_OF_LIFE_MAX).unwrap());
        assert!(inbox.has_room_for(peer(2)));
        assert_eq!(texts(&inbox).len(), 2 * TURNS_OF_LIFE_MAX);
        assert!(inbox.has_room_for(peer(1)));
        assert!(inbox.state.lock().peers.is_empty());
    }

    #[test]
    fn peers_that_came_and_went_unheard_are_bounded() {
        let inbox = Inbox::new(2);
        let come_and_go = |number| {
            begin(&inbox, peer(number), number.into());
            inbox.disconnected(peer(number), &Ending::ByPeer);
        };
        (1..=4).for_each(come_and_go);
        assert!(!inbox.has_room_for(peer(5)));
        assert!(inbox.has_room_for(peer(4)));
    }

    #[test]
    fn refusals_and_failed_dials_that_nobody_hears_of_are_bounded() {
        let inbox = Inbox::new(256);
        for _ in 0..NODE_EVENTS_MAX {
            inbox.refused("".into(), &Ending::NotLetIn(Refused::Unproved));
        }
        assert_eq!(inbox.state.lock().node.len(), REFUSALS_MAX);
        for _ in 0..NODE_EVENTS_MAX {
            inbox.dial_failed("".into(), &Ending::Itself);
        }
        assert_eq!(texts(&inbox).len(), NODE_EVENTS_MAX);
        inbox.refused("".into(), &Ending::NotLetIn(Refused::Unproved));
        assert_eq!(texts(&inbox).len(), 1);
    }

    fn peer(number: u8) -> PeerId {
        PeerId::from_public_key([number; 32])
    }

    fn begin(inbox: &Inbox, peer: PeerId, link: u64) {
        let (address, session) = ("".into(), Box::new(Silent));
        let event = TransportEvent::Connected { peer, address, side: Side::Dialer, session };
        inbox.connected(peer, LinkId(link), event);
    }

    fn frame(inbox: &Inbox, peer: PeerId, link: u64, text: &'static str) {
        let charge = Budget::new(0).charge(text.len()).now_or_never().flatten().expect("there is room");
        inbox.deliver(peer, LinkId(link), Bytes::from_static(text.as_bytes()), charge);
    }

    /// Everything that waits, in words.
    fn texts(inbox: &Inbox) -> Vec<String> {
        inbox.end();
        let text = |event| match event {
            TransportEvent::Connected { .. } => "begins".into(),
            TransportEvent::Received { frame, .. } => String::from_utf8(frame.into()).unwrap(),
            TransportEvent::DialFailed { reason, .. }
            | TransportEvent::Disconnected { reason, .. }
            | TransportEvent::Refused { reason, .. } => reason.into(),
        };
        std::iter::from_fn(|| block_on(inbox.next())).map(text).collect()
    }
}
