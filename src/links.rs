//! The way between the driver and its peers: what is sealed on the way out and opened on the way in.
//!
//! Owns the transport and one session for each peer. Knows bytes and messages; the engine decides what they mean.

use crate::{notices::Notices, recollection::Recollection, twins::Twins};
use bytes::Bytes;
use cache_core::{
    Input, Key, Member, Message, Name, Naming, Offence, PeerId, codec,
    port::{DialError, Lane, PeerFigures, Rejection, SendError, Session, Side, Transport, TransportEvent},
};
use cache_crypto::FleetNames;
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Instant,
};
use tracing::{debug, info, warn};

/// All connections with peers.
pub(crate) struct Links {
    transport: Arc<dyn Transport>,
    sessions: BTreeMap<PeerId, Box<dyn Session>>,
    counts: LinkCounts,
    notices: Notices,
    twins: Twins,
    /// Without a directory no member is remembered over a restart.
    recollection: Option<Recollection>,
}

/// What the links counted since the node started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LinkCounts {
    /// Connections that were not let in.
    pub(crate) refused: u64,
    /// Those among them that speak another major version of the protocol.
    pub(crate) refused_version: u64,
    /// Those among them without proof that both sides know the same secret.
    pub(crate) refused_unproved: u64,
    /// Frames that did not open or decode.
    pub(crate) rejected: u64,
    /// Frames that say what this version does not know.
    pub(crate) skipped: u64,
    /// Frames that were not sent, because there was no connection or no room in its queue.
    pub(crate) dropped: u64,
}

impl Links {
    /// All connections over `transport`. The log reports on those with `contacts`.
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        contacts: Vec<String>,
        recollection: Option<Recollection>,
    ) -> Self {
        Self {
            transport,
            sessions: BTreeMap::new(),
            counts: LinkCounts::default(),
            notices: Notices::new(contacts, Instant::now()),
            twins: Twins::default(),
            recollection,
        }
    }

    /// What an event of the transport means for the engine, if anything.
    pub(crate) fn on_event(&mut self, event: TransportEvent) -> Option<Input> {
        match event {
            TransportEvent::Connected { peer, address, side, session } => {
                if session.is_revoked() {
                    // The peer was let in by a secret that was given up meanwhile.
                    self.transport.disconnect(peer);
                    let failure = DialError::Refused;
                    return (side == Side::Dialer).then_some(Input::DialFailed { address, failure });
                }
                let protocol = session.protocol();
                info!(%peer, %address, ?side, %protocol, "connected");
                self.notices.on_connected(&address);
                if self.twins.on_connected(peer, Instant::now()) {
                    warn_of_twins(peer);
                }
                self.sessions.insert(peer, session);
                Some(Input::Connected { peer, address, side, features: protocol.features })
            }
            TransportEvent::DialFailed { address, error, reason } => {
                self.notices.on_dial_failed(&address, error, &reason, Instant::now());
                Some(Input::DialFailed { address, failure: error })
            }
            TransportEvent::Disconnected { peer, reason } => {
                info!(%peer, %reason, "disconnected");
                self.twins.on_disconnected(peer, Instant::now());
                self.sessions.remove(&peer);
                Some(Input::Disconnected { peer })
            }
            TransportEvent::Received { peer, frame } => self.open(peer, &frame),
            TransportEvent::Refused { address, refusal, reason } => {
                self.counts.refused += 1;
                self.counts.refused_version += u64::from(refusal == Rejection::OtherVersion);
                self.counts.refused_unproved += u64::from(refusal == Rejection::Admission);
                self.notices.on_refused(&address, refusal, &reason, Instant::now());
                None
            }
        }
    }

    /// Seals `message` for each of `to` and hands it to the transport.
    pub(crate) fn send(&mut self, to: &[PeerId], message: &Message) {
        let plain = codec::encode_message(message);
        for peer in to {
            let Some(session) = self.sessions.get_mut(peer) else { continue };
            let Ok(frame) = session.seal(&plain) else {
                warn!(%peer, "cannot seal for a peer any more; the connection ends");
                self.transport.disconnect(*peer);
                continue;
            };
            let lane = Lane::for_bytes(frame.len());
            match self.transport.send(*peer, lane, frame) {
                Ok(()) => {}
                Err(error @ (SendError::QueueFull | SendError::NotConnected | SendError::TooLong)) => {
                    self.counts.dropped += 1;
                    debug!(%peer, %error, "a frame was dropped");
                }
            }
        }
    }

    /// Ends the connections that were let in by a secret that counts no more: nothing goes over them from here on.
    pub(crate) fn end_revoked(&mut self) {
        let revoked: Vec<_> = self.sessions.extract_if(.., |_, session| session.is_revoked()).collect();
        for (peer, _session) in revoked {
            info!(%peer, "the secret that let it in is not accepted any more; the connection ends");
            self.transport.disconnect(peer);
        }
    }

    /// Two nodes use the identity of `peer`, which may be this node.
    pub(crate) fn on_twins(&mut self, peer: PeerId) {
        if self.twins.tell(peer, Instant::now()) {
            warn_of_twins(peer);
        }
    }

    /// Keeps `members` to look for after a restart.
    pub(crate) fn remember(&self, members: Vec<Member>) {
        if let Some(recollection) = &self.recollection {
            recollection.keep(members);
        }
    }

    /// Ends all connections, and keeps the members to look for after a restart.
    pub(crate) async fn shutdown(&mut self) {
        self.transport.shutdown().await;
        if let Some(recollection) = self.recollection.take() {
            recollection.finish().await;
        }
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    pub(crate) fn counts(&self) -> LinkCounts {
        self.counts
    }

    /// Whether two nodes seem to use the identity of `peer`.
    pub(crate) fn are_twins(&self, peer: PeerId) -> bool {
        self.twins.are(peer, Instant::now())
    }

    pub(crate) fn figures(&self, peer: PeerId) -> PeerFigures {
        self.transport.figures(peer).unwrap_or_default()
    }

    fn open(&mut self, peer: PeerId, frame: &Bytes) -> Option<Input> {
        let session = self.sessions.get_mut(&peer)?;
        let Ok(plain) = session.open(frame) else {
            self.counts.rejected += 1;
            warn!(%peer, "a peer sent what does not open");
            return Some(Input::Misbehaved { peer, offence: Offence::Unopened });
        };
        Some(match codec::decode_message(&plain) {
            Ok(message) => Input::Received { from: peer, message, bytes: frame.len() },
            Err(error) if error.is_unknown() => {
                self.counts.skipped += 1;
                debug!(%peer, %error, "skipped what a later version has added");
                Input::Skipped { from: peer, bytes: frame.len() }
            }
            Err(error) => {
                self.counts.rejected += 1;
                warn!(%peer, %error, "a peer sent a frame that is not a message");
                Input::Misbehaved { peer, offence: Offence::Malformed }
            }
        })
    }
}

fn warn_of_twins(peer: PeerId) {
    warn!(%peer, "two nodes with the same identity displace each other: identity.key of one machine was copied to \
                  another; remove it from the cache directory of one and start that anew");
}

/// The names by which the fleet's secrets call entries, as the engine asks for them.
#[derive(Debug)]
pub(crate) struct FleetNaming(RwLock<Called>);

#[derive(Debug)]
struct Called {
    names: FleetNames,
    /// The names before the last change of secrets: what was asked by them may still be on its way.
    former: Option<FleetNames>,
}

impl FleetNaming {
    pub(crate) fn new(names: FleetNames) -> Self {
        Self(RwLock::new(Called { names, former: None }))
    }

    /// What the fleet is called on `day` where others read, by each secret that is in force.
    pub(crate) fn beacons(&self, day: u64) -> Vec<[u8; 32]> {
        self.0.read().names.beacons(day).collect()
    }

    /// Calls entries by `names` from now on, and knows the former ones.
    pub(crate) fn go_by(&self, names: FleetNames) {
        let mut called = self.0.write();
        called.former = Some(mem::replace(&mut called.names, names));
    }
}

impl Naming for FleetNaming {
    fn names(&self, key: &Key) -> Vec<Name> {
        let called = self.0.read();
        let mut names = Vec::new();
        for known in [Some(&called.names), called.former.as_ref()].into_iter().flatten() {
            let of_keys: Vec<_> = known.accepted(key.as_str()).collect();
            let of_resources = known.accepted(key.resource());
            names.extend(of_resources.zip(&of_keys).map(|(resource, key)| Name::of(resource, *key)));
            names.extend(of_keys.into_iter().map(Name::from_bytes));
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        names
    }

    fn earlier(&self, key: &Key) -> Option<Name> {
        Some(Name::from_bytes(self.0.read().names.name(key.as_str())))
    }
}
