//! A member that says whatever a test makes it say: a real transport, the fleet's real gate and seals.
//!
//! By itself it says one thing alone: that it has nothing, to a newcomer and to a node that takes it for a holder.

use crate::support::Over;
use cache_core::{
    Message, PeerId, Protocol, codec,
    message::{Answer, Role},
    port::{Lane, SendError, Session, Transport, TransportEvent},
};
use cache_crypto::{FleetGate, Keyring};
use cache_tests::until;
use fleet_cache::{FleetSecret, Node, OpenTransport as _, PeerState};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// A malicious node that knows the fleet's secret.
pub(crate) struct Member {
    pub(crate) peer: PeerId,
    transport: Arc<dyn Transport>,
    ears: Arc<Mutex<Ears>>,
    listening: JoinHandle<()>,
}

/// The events that came in.
#[derive(Default)]
struct Ears {
    sessions: BTreeMap<PeerId, Box<dyn Session>>,
    heard: Vec<Message>,
    refused: usize,
}

impl Member {
    /// Listens, and is not connected yet.
    pub(crate) async fn new(over: Over, secret: &FleetSecret) -> Self {
        Self::speaking(over, secret, Protocol::OURS).await
    }

    /// The same of another release.
    pub(crate) async fn speaking(over: Over, secret: &FleetSecret, protocol: Protocol) -> Self {
        let gate = FleetGate::speaking(Keyring::new(secret), protocol);
        let seed = Zeroizing::new(rand::random());
        let opened = over.open(seed, Arc::new(gate), 256).await;
        let transport = opened.expect("a port is free");
        let ears = Arc::new(Mutex::new(Ears::default()));
        let listening = tokio::spawn(listen(Arc::clone(&transport), Arc::clone(&ears)));
        Self { peer: transport.local_peer(), transport, ears, listening }
    }

    /// Connects with `node`, and returns the id of that.
    pub(crate) async fn meet(&self, node: &Node) -> PeerId {
        let peer = node.peer_id().expect("the node shares");
        let mut dialed = None;
        until("the member is let in", async || {
            // Strangers may have taken all places for newcomers.
            if dialed.is_none_or(|at: Instant| at.elapsed() > REDIAL_PAUSE) {
                self.transport.dial(&node.addresses()[0]);
                dialed = Some(Instant::now());
            }
            self.is_connected(peer)
        })
        .await;
        let of_node = |known: &fleet_cache::Peer| known.id == Some(self.peer);
        until("the node knows of it", async || {
            let peers = node.peers().await.expect("the node runs");
            peers.iter().any(|known| of_node(known) && known.state == PeerState::Connected)
        })
        .await;
        peer
    }

    /// Dials `address`, whatever comes of it.
    pub(crate) fn call(&self, address: &str) {
        self.transport.dial(address);
    }

    /// Says `message`, sealed as it should be. `false` if there is no connection.
    pub(crate) fn say(&self, to: PeerId, message: &Message) -> bool {
        self.say_bytes(to, &codec::encode_message(message)).is_ok()
    }

    /// Says `plain`, sealed as it should be, whatever it is.
    pub(crate) fn say_bytes(&self, to: PeerId, plain: &[u8]) -> Result<(), SendError> {
        let mut ears = self.ears.lock();
        let session = ears.sessions.get_mut(&to).ok_or(SendError::NotConnected)?;
        let frame = session.seal(plain).expect("the sequence is long");
        self.transport.send(to, Lane::for_bytes(frame.len()), frame)
    }

    /// Sends `frame` as it is.
    pub(crate) fn send(&self, to: PeerId, frame: Vec<u8>) -> Result<(), SendError> {
        self.transport.send(to, Lane::for_bytes(frame.len()), frame.into())
    }

    /// Seals `plain` and does not send it.
    pub(crate) fn seal(&self, to: PeerId, plain: &[u8]) -> Vec<u8> {
        let mut ears = self.ears.lock();
        let session = ears.sessions.get_mut(&to).expect("there is a connection");
        session.seal(plain).expect("the sequence is long").to_vec()
    }

    /// Whether it is connected with `peer`.
    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.ears.lock().sessions.contains_key(&peer)
    }

    /// What was heard since the last time.
    pub(crate) fn heard(&self) -> Vec<Message> {
        std::mem::take(&mut self.ears.lock().heard)
    }

    /// How often it did not let a node in.
    pub(crate) fn refused(&self) -> usize {
        self.ears.lock().refused
    }

    /// Goes deaf: connections stay, but nothing that comes is taken off them any more.
    pub(crate) fn stop_reading(&self) {
        self.listening.abort();
    }

    /// Where it can be reached.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.transport.addresses().into_iter().map(String::from).collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(transport: Arc<dyn Transport>, ears: Arc<Mutex<Ears>>) {
    while let Some(event) = transport.next_event().await {
        let mut ears = ears.lock();
        match event {
            TransportEvent::Connected { peer, session, .. } => {
                ears.sessions.insert(peer, session);
            }
            TransportEvent::Disconnected { peer, .. } => {
                ears.sessions.remove(&peer);
            }
            TransportEvent::Received { peer, frame } => {
                let Some(session) = ears.sessions.get_mut(&peer) else { continue };
                let opened = session.open(&frame).ok();
                let message = opened.and_then(|plain| codec::decode_message(&plain).ok());
                if let Some(nothing) = message.as_ref().and_then(nothing_to) {
                    let frame = session.seal(&codec::encode_message(&nothing)).expect("the sequence is long");
                    // Lost with the connection, and then there is no peer to tell.
                    let _sent = transport.send(peer, Lane::for_bytes(frame.len()), frame);
                }
                ears.heard.extend(message);
            }
            TransportEvent::Refused { .. } => ears.refused += 1,
            TransportEvent::DialFailed { .. } => {}
        }
    }
}

/// What a member that has nothing answers, so as not to be passed over for silence.
fn nothing_to(message: &Message) -> Option<Message> {
    match message {
        Message::Ask { ask, role: Role::Holder, .. } => {
            Some(Message::Answer { ask: *ask, answer: Answer::Miss })
        }
        Message::WarmUp { .. } => Some(Message::WarmedUp { next: None }),
        _other => None,
    }
}

/// Time between two dials.
const REDIAL_PAUSE: Duration = Duration::from_secs(1);
