//! Two nodes that share over a transport of the program's own: a pair of channels within the process.
//!
//! `cargo run --example own_transport` shows that the second node is served by the first: one call in all.
//! What a transport owes is written down at [`Transport`]; sealing and admission are not its business.

use bytes::Bytes;
use cache_model_origin::ModelOrigin;
use fleet_cache::{
    FleetSecret, GitHub, Node, OpenTransport, PeerId, TransportError,
    transport::{
        DialError, Gate, Lane, PeerFigures, SendError, Side, Transport, TransportEvent, Zeroizing,
        async_trait,
    },
};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = ModelOrigin::start();
    let github = GitHub::builder().origin(&origin.url()).build()?;
    let secret = FleetSecret::generate()?;
    let pair: Pair = Arc::default();
    let start = |number| {
        let end = End { number, pair: Arc::clone(&pair) };
        Node::builder(secret.clone(), github.clone()).transport(end).bootstrap(["/pair/0"]).start()
    };
    let (first, second) = (start(0).await?, start(1).await?);
    while second.stats().await?.connected_peers == 0 {
        tokio::task::yield_now().await;
    }
    for node in [&first, &second] {
        let reply = node.get("/repos/acme/widget-1").await?;
        println!("{} {:?}", reply.status(), reply.provenance());
    }
    println!("{} call", origin.calls_total());
    first.shutdown().await;
    second.shutdown().await;
    Ok(())
}

/// The two ends, as far as they were opened.
type Pair = Arc<[OnceLock<Arc<Opened>>; 2]>;

/// One end, chosen but not opened.
#[derive(Debug)]
struct End {
    number: usize,
    pair: Pair,
}

#[async_trait]
impl OpenTransport for End {
    async fn open(
        &self,
        _seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        _peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let (events, inbox) = mpsc::channel(EVENTS_MAX);
        let opened = Opened {
            // Within a process no node can pretend to be another. Elsewhere the key is proved by a handshake.
            peer: PeerId::from_public_key([self.number as u8 + 1; 32]),
            gate,
            events: Mutex::new(Some(events)),
        };
        self.pair[self.number]
            .set(Arc::new(opened))
            .map_err(|_taken| TransportError::new("this end is open already"))?;
        let (number, pair) = (self.number, Arc::clone(&self.pair));
        Ok(Arc::new(Channel { number, pair, inbox: AsyncMutex::new(inbox) }))
    }
}

/// What the other end must know of an end.
struct Opened {
    peer: PeerId,
    gate: Arc<dyn Gate>,
    /// Where events for this end go; `None` once it is shut down.
    events: Mutex<Option<mpsc::Sender<TransportEvent>>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.peer.fmt(f)
    }
}

impl Opened {
    /// Queues an event for this end, unless its queue is full or it is gone.
    fn tell(&self, event: TransportEvent) -> Result<(), SendError> {
        let events = self.events.lock().expect("nobody panics with it");
        let events = events.as_ref().ok_or(SendError::NotConnected)?;
        events.try_send(event).map_err(|_full| SendError::QueueFull)
    }
}

/// An end that is open.
struct Channel {
    number: usize,
    pair: Pair,
    inbox: AsyncMutex<mpsc::Receiver<TransportEvent>>,
}

impl Channel {
    fn own(&self) -> &Opened {
        self.pair[self.number].get().expect("it was opened before it was made")
    }

    fn other(&self) -> Option<&Opened> {
        self.pair[1 - self.number].get().map(|other| &**other)
    }

    /// Lets both sides prove that they know the secret, and tells both that they are connected.
    fn connect(&self) -> Result<(), DialError> {
        let (own, other) = (self.own(), self.other().ok_or(DialError::Unreachable)?);
        let mut dialer = own.gate.begin(Side::Dialer, own.peer, other.peer, b"pair");
        let mut listener = other.gate.begin(Side::Listener, other.peer, own.peer, b"pair");
        for _round in 0..ROUNDS_MAX {
            while let Some(message) = dialer.poll_transmit() {
                listener.handle(&message).map_err(|_refused| DialError::Refused)?;
            }
            while let Some(message) = listener.poll_transmit() {
                dialer.handle(&message).map_err(|_refused| DialError::Refused)?;
            }
        }
        let sessions = dialer.poll_session().zip(listener.poll_session());
        let (ours, theirs) = sessions.ok_or(DialError::Refused)?;
        let connected =
            |peer, side, session| TransportEvent::Connected { peer, address: "/pair".into(), side, session };
        let told = other.tell(connected(own.peer, Side::Listener, theirs));
        told.and_then(|()| own.tell(connected(other.peer, Side::Dialer, ours)))
            .map_err(|_full_or_gone| DialError::Unreachable)
    }

    fn part(&self, reason: &str) {
        let Some(other) = self.other() else { return };
        for (end, peer) in [(self.own(), other.peer), (other, self.own().peer)] {
            // An end that is gone need not be told.
            let _gone = end.tell(TransportEvent::Disconnected { peer, reason: reason.into() });
        }
    }
}

#[async_trait]
impl Transport for Channel {
    fn local_peer(&self) -> PeerId {
        self.own().peer
    }

    fn addresses(&self) -> Vec<Box<str>> {
        vec![format!("/pair/{}", self.number).into()]
    }

    fn dial(&self, address: &str) {
        if let Err(error) = self.connect() {
            let (address, reason) = (address.into(), error.to_string().into());
            let _full = self.own().tell(TransportEvent::DialFailed { address, error, reason });
        }
    }

    fn send(&self, _peer: PeerId, _lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let other = self.other().ok_or(SendError::NotConnected)?;
        other.tell(TransportEvent::Received { peer: self.own().peer, frame })
    }

    fn disconnect(&self, _peer: PeerId) {
        self.part("told to");
    }

    async fn next_event(&self) -> Option<TransportEvent> {
        self.inbox.lock().await.recv().await
    }

    fn figures(&self, _peer: PeerId) -> Option<PeerFigures> {
        Some(PeerFigures::default())
    }

    async fn shutdown(&self) {
        self.part("the other node ends");
        self.own().events.lock().expect("nobody panics with it").take();
    }
}

/// Most events that wait for a node. One more frame is dropped, as the contract allows.
const EVENTS_MAX: usize = 1024;

/// Messages of the proof go back and forth twice.
const ROUNDS_MAX: usize = 2;
