//! A gate that lets in peers that know the word, and nodes behind it.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod raw;

use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{
        Admission, Gate, Lane, Refused, Rejection, SealError, SendError, Session, Side, Transport,
        TransportEvent,
    },
};
use cache_transport_libp2p::{Carrier, Libp2p, Libp2pAddress, Libp2pSettings};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Both carriers, for tests that hold on either.
pub(crate) const CARRIERS: [Carrier; 2] = [Carrier::Quic, Carrier::Tcp];

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Lets in a peer that says `word`; says it first when dialing.
pub(crate) struct Word(pub(crate) &'static str);

impl Gate for Word {
    fn begin(&self, side: Side, _local: PeerId, _remote: PeerId, _channel: &[u8]) -> Box<dyn Admission> {
        Box::new(Saying { word: self.0, side, is_due: side == Side::Dialer, is_heard: false })
    }
}

struct Saying {
    word: &'static str,
    side: Side,
    is_due: bool,
    is_heard: bool,
}

impl Admission for Saying {
    fn poll_transmit(&mut self) -> Option<Bytes> {
        std::mem::take(&mut self.is_due).then(|| Bytes::from_static(self.word.as_bytes()))
    }

    fn handle(&mut self, message: &[u8]) -> Result<(), Refused> {
        if self.is_heard || message != self.word.as_bytes() {
            return Err(Refused::Unproved);
        }
        self.is_heard = true;
        self.is_due = self.side == Side::Listener;
        Ok(())
    }

    fn poll_session(&mut self) -> Option<Box<dyn Session>> {
        (self.is_heard && !self.is_due).then(|| Box::new(Plain) as Box<dyn Session>)
    }
}

#[derive(Debug)]
struct Plain;

impl Session for Plain {
    fn seal(&mut self, plain: &[u8]) -> Result<Bytes, SealError> {
        Ok(Bytes::copy_from_slice(plain))
    }

    fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(frame.to_vec())
    }
}

/// A transport under test.
pub(crate) struct Node(pub(crate) Libp2p);

impl Node {
    pub(crate) async fn new(seed: u8, carrier: Carrier) -> Self {
        Self::with(seed, carrier, "friend", Libp2pSettings::default()).await
    }

    pub(crate) async fn with(
        seed: u8,
        carrier: Carrier,
        word: &'static str,
        settings: Libp2pSettings,
    ) -> Self {
        let address = match carrier {
            Carrier::Quic => "/ip4/127.0.0.1/udp/0/quic-v1",
            Carrier::Tcp => "/ip4/127.0.0.1/tcp/0",
        };
        let address: Libp2pAddress = address.parse().expect("a good address");
        let transport =
            Libp2p::listen(Zeroizing::new([seed; 32]), &[address], Arc::new(Word(word)), settings).await;
        Self(transport.expect("a free port"))
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.0.local_peer()
    }

    pub(crate) fn address(&self) -> Box<str> {
        self.0.addresses().swap_remove(0)
    }

    pub(crate) async fn event(&self) -> TransportEvent {
        timeout(PATIENCE, self.0.next_event()).await.expect("an event in time").expect("a running transport")
    }

    /// The next frame; nothing else may happen before.
    pub(crate) async fn frame(&self) -> Bytes {
        match self.event().await {
            TransportEvent::Received { frame, .. } => frame,
            other => panic!("instead of a frame: {other:?}"),
        }
    }

    /// The next peer that is let in; nothing else may happen before.
    pub(crate) async fn connected(&self) -> PeerId {
        match self.event().await {
            TransportEvent::Connected { peer, .. } => peer,
            other => panic!("instead of a connection: {other:?}"),
        }
    }

    /// Why the next peer is lost; frames may come before.
    pub(crate) async fn disconnected(&self) -> Box<str> {
        loop {
            match self.event().await {
                TransportEvent::Disconnected { reason, .. } => return reason,
                TransportEvent::Received { .. } => {}
                other => panic!("instead of an end: {other:?}"),
            }
        }
    }

    /// Why the next newcomer is refused; nothing else may happen before.
    pub(crate) async fn refusal(&self) -> Rejection {
        match self.event().await {
            TransportEvent::Refused { refusal, .. } => refusal,
            other => panic!("instead of a refusal: {other:?}"),
        }
    }

    /// The same in words.
    pub(crate) async fn refused(&self) -> Box<str> {
        match self.event().await {
            TransportEvent::Refused { reason, .. } => reason,
            other => panic!("instead of a refusal: {other:?}"),
        }
    }

    /// Why the next dial fails; nothing else may happen before.
    pub(crate) async fn dial_failed(&self) -> Box<str> {
        match self.event().await {
            TransportEvent::DialFailed { reason, .. } => reason,
            other => panic!("instead of a failed dial: {other:?}"),
        }
    }

    /// Connects to `other`, both sides having heard of it.
    pub(crate) async fn meet(&self, other: &Self) {
        self.0.dial(&other.address());
        assert_eq!(self.connected().await, other.peer());
        assert_eq!(other.connected().await, self.peer());
    }

    /// Sends, and again while the queue is full.
    pub(crate) async fn send(&self, peer: PeerId, lane: Lane, frame: Bytes) {
        let sent = async {
            while let Err(error) = self.0.send(peer, lane, frame.clone()) {
                assert_eq!(error, SendError::QueueFull);
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, sent).await.expect("room in time");
    }
}
