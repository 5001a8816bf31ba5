//! Events that wait for our consumer: a mailbox for each peer, emptied in turn.

use crate::{
    ending::Ending,
    settings::{INBOX_BYTES_MAX, INBOX_CHANGES_MAX, INBOX_FRAMES_MAX, INBOX_REFUSALS_MAX},
};
use bytes::Bytes;
use cache_core::{PeerId, port::TransportEvent};
use libp2p::swarm::ConnectionId;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    mem,
    task::{Poll, Waker},
};
use tokio::sync::Notify;

/// Everything that happened and was not heard yet. What a peer sends waits in its own mailbox, and full ones
/// hold up nobody but their peer.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    due: Notify,
}

impl Inbox {
    /// What happened next; `None` once [`Self::end`] was called and everything was heard.
    pub(crate) async fn next(&self) -> Option<TransportEvent> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(event) = state.take() {
                    return Some(event);
                }
                if state.ended {
                    return None;
                }
            }
            self.due.notified().await;
        }
    }

    /// Whether `peer` came and went so often, unheard, that it must wait.
    pub(crate) fn is_dizzy(&self, peer: PeerId) -> bool {
        self.state.lock().mailboxes.get(&peer).is_some_and(|mailbox| mailbox.changes >= INBOX_CHANGES_MAX)
    }

    /// Tells that `connection` with `peer` has come to be.
    pub(crate) fn connected(&self, peer: PeerId, connection: ConnectionId, event: TransportEvent) {
        let mut state = self.state.lock();
        let mailbox = state.mailboxes.entry(peer).or_default();
        mailbox.connection = Some(connection);
        mailbox.changes += 1;
        state.put(peer, event);
        self.due.notify_one();
    }

    /// Tells that the connection with `peer` is no more; what it delivered before is heard first.
    pub(crate) fn disconnected(&self, peer: PeerId, ending: &Ending) {
        let mut state = self.state.lock();
        let Some(mailbox) = state.mailboxes.get_mut(&peer) else { return };
        mailbox.connection = None;
        mailbox.changes += 1;
        mailbox.wake();
        state.put(peer, TransportEvent::Disconnected { peer, reason: ending.to_string().into() });
        self.due.notify_one();
    }

    /// Delivers a frame when there is room; answers whether its connection was still the one with its peer.
    pub(crate) async fn deliver(&self, peer: PeerId, connection: ConnectionId, frame: Bytes) -> bool {
        let mut frame = Some(frame);
        poll_fn(|context| {
            let mut state = self.state.lock();
            let mailbox =
                state.mailboxes.get_mut(&peer).filter(|mailbox| mailbox.connection == Some(connection));
            let (Some(mailbox), Some(length)) = (mailbox, frame.as_ref().map(Bytes::len)) else {
                return Poll::Ready(false);
            };
            if !mailbox.has_room(length) {
                mailbox.await_room(context.waker());
                return Poll::Pending;
            }
            mailbox.frames += 1;
            mailbox.bytes += length;
            let frame = frame.take().unwrap_or_default();
            state.put(peer, TransportEvent::Received { peer, frame });
            self.due.notify_one();
            Poll::Ready(true)
        })
        .await
    }

    /// Tells of a failed dial.
    pub(crate) fn dial_failed(&self, address: Box<str>, ending: &Ending) {
        let (error, reason) = (ending.dial_error(), ending.to_string().into());
        self.note(TransportEvent::DialFailed { address, error, reason });
    }

    /// Tells of somebody who was not let in, if that is worth it and not too many such tales wait already.
    pub(crate) fn refused(&self, address: Box<str>, ending: &Ending) {
        let Some(refusal) = ending.refusal() else { return };
        {
            let mut state = self.state.lock();
            if state.refusals >= INBOX_REFUSALS_MAX {
                return;
            }
            state.refusals += 1;
        }
        self.note(TransportEvent::Refused { address, refusal, reason: ending.to_string().into() });
    }

    /// Lets [`Self::next`] end once everything was heard.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.due.notify_one();
    }

    fn note(&self, event: TransportEvent) {
        let mut state = self.state.lock();
        if state.notices.is_empty() {
            state.turns.push_back(Turn::Notices);
        }
        state.notices.push_back(event);
        self.due.notify_one();
    }
}

#[derive(Default)]
struct State {
    mailboxes: BTreeMap<PeerId, Mailbox>,
    notices: VecDeque<TransportEvent>,
    /// How many of `notices` tell of somebody refused.
    refusals: usize,
    /// Whose turn it is: everyone who has something to tell, once.
    turns: VecDeque<Turn>,
    ended: bool,
}

impl State {
    fn put(&mut self, peer: PeerId, event: TransportEvent) {
        let mailbox = self.mailboxes.entry(peer).or_default();
        if mailbox.events.is_empty() {
            self.turns.push_back(Turn::Peer(peer));
        }
        mailbox.events.push_back(event);
    }

    fn take(&mut self) -> Option<TransportEvent> {
        let turn = self.turns.pop_front()?;
        let (event, is_empty) = match turn {
            Turn::Notices => {
                let event = self.notices.pop_front()?;
                if matches!(event, TransportEvent::Refused { .. }) {
                    self.refusals -= 1;
                }
                (event, self.notices.is_empty())
            }
            Turn::Peer(peer) => {
                let mailbox = self.mailboxes.get_mut(&peer)?;
                let event = mailbox.take()?;
                let is_empty = mailbox.events.is_empty();
                if is_empty && mailbox.connection.is_none() {
                    self.mailboxes.remove(&peer);
                }
                (event, is_empty)
            }
        };
        if !is_empty {
            self.turns.push_back(turn);
        }
        Some(event)
    }
}

#[derive(Clone, Copy)]
enum Turn {
    Notices,
    Peer(PeerId),
}

/// What one peer did.
#[derive(Default)]
struct Mailbox {
    events: VecDeque<TransportEvent>,
    /// How many of `events` are frames, and their bytes.
    frames: usize,
    bytes: usize,
    /// How many of `events` are not.
    changes: usize,
    /// Whose frames are taken.
    connection: Option<ConnectionId>,
    /// Who waits for room: at most a control and a bulk receiver for each connection that is ending.
    waiting: Vec<Waker>,
}

impl Mailbox {
    fn has_room(&self, frame_bytes: usize) -> bool {
        self.frames < INBOX_FRAMES_MAX && (self.bytes == 0 || self.bytes + frame_bytes <= INBOX_BYTES_MAX)
    }

    fn await_room(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    fn take(&mut self) -> Option<TransportEvent> {
        let event = self.events.pop_front()?;
        if let TransportEvent::Received { frame, .. } = &event {
            self.frames -= 1;
            self.bytes -= frame.len();
            self.wake();
        } else {
            self.changes -= 1;
        }
        Some(event)
    }

    fn wake(&mut self) {
        mem::take(&mut self.waiting).into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::port::Refusal;
    use futures::{FutureExt, executor::block_on};
    use std::pin::pin;

    #[test]
    fn a_peer_that_floods_waits_and_the_others_are_heard_in_turn() {
        let inbox = Inbox::default();
        let (loud, quiet) = (peer(1), peer(2));
        connect(&inbox, loud, 1);
        connect(&inbox, quiet, 2);
        let mut delivered = 0;
        while deliver(&inbox, loud, 1, b"noise").is_some() {
            delivered += 1;
        }
        assert_eq!(delivered, INBOX_FRAMES_MAX);
        assert_eq!(deliver(&inbox, quiet, 2, b"word"), Some(true));
        let heard: Vec<_> = (0..6).map(|_| name(&block_on(inbox.next()).unwrap())).collect();
        assert_eq!(heard, ["refused", "refused", "noise", "word", "noise", "noise"]);
        assert_eq!(deliver(&inbox, loud, 1, b"noise"), Some(true));
    }

    #[test]
    fn whoever_waits_for_room_goes_on_when_there_is_some_or_the_connection_ends() {
        let inbox = Inbox::default();
        connect(&inbox, peer(1), 1);
        while deliver(&inbox, peer(1), 1, b"noise").is_some() {}
        let mut waiting = pin!(inbox.deliver(peer(1), id(1), Bytes::from_static(b"late")));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        block_on(inbox.next());
        block_on(inbox.next());
        assert!(block_on(waiting));
        let mut waiting = pin!(inbox.deliver(peer(1), id(1), Bytes::from_static(b"late")));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        inbox.disconnected(peer(1), &Ending::ByUs);
        assert!(!block_on(waiting));
    }

    #[test]
    fn frames_of_a_connection_that_was_replaced_are_not_heard() {
        let inbox = Inbox::default();
        connect(&inbox, peer(1), 1);
        inbox.disconnected(peer(1), &Ending::Replaced);
        connect(&inbox, peer(1), 2);
        assert_eq!(deliver(&inbox, peer(1), 1, b"old"), Some(false));
        assert_eq!(deliver(&inbox, peer(1), 2, b"new"), Some(true));
    }

    #[test]
    fn comings_goings_and_refusals_that_nobody_hears_are_bounded() {
        let inbox = Inbox::default();
        let mut comings = 0;
        while !inbox.is_dizzy(peer(1)) {
            connect(&inbox, peer(1), comings);
            inbox.disconnected(peer(1), &Ending::ByPeer);
            comings += 1;
        }
        assert_eq!(2 * comings, INBOX_CHANGES_MAX);
        for _ in 0..1000 {
            inbox.refused("somewhere".into(), &Ending::NotLetIn(cache_core::port::Refused::Unproved));
        }
        inbox.end();
        let mut heard = 0;
        while block_on(inbox.next()).is_some() {
            heard += 1;
        }
        assert_eq!(heard, INBOX_CHANGES_MAX + INBOX_REFUSALS_MAX);
        assert!(inbox.state.lock().mailboxes.is_empty());
    }

    fn connect(inbox: &Inbox, peer: PeerId, connection: usize) {
        let (refusal, reason) = (Refusal::Left, "stands for connected".into());
        let event = TransportEvent::Refused { address: "".into(), refusal, reason };
        inbox.connected(peer, id(connection), event);
    }

    fn deliver(inbox: &Inbox, peer: PeerId, connection: usize, frame: &'static [u8]) -> Option<bool> {
        inbox.deliver(peer, id(connection), Bytes::from_static(frame)).now_or_never()
    }

    fn name(event: &TransportEvent) -> String {
        match event {
            TransportEvent::Received { frame, .. } => String::from_utf8_lossy(frame).into_owned(),
            TransportEvent::Refused { .. } => "refused".into(),
            other => format!("{other:?}"),
        }
    }

    fn peer(byte: u8) -> PeerId {
        PeerId::from_public_key([byte; 32])
    }

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }
}
