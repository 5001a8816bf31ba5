//! What a node can tell about its peers, and how to look into them.

use crate::{
    AskPeerError, Closed, DiscoveryReport, Node, PingError,
    command::{Command, PeerStats},
    shared::SharingState,
};
use cache_core::{
    Outcome, PeerId, PeerSource, Served, Timestamp,
    port::{DialError, PeerFigures},
};
use serde::{Serialize, Serializer};
use std::{
    fmt,
    time::{Duration, Instant},
};

impl Node {
    /// The identity of this node among peers; `None` if it does not share.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// assert!(node.peer_id().is_none(), "it was given no secret and keeps to itself");
    /// # Ok(()) }
    /// ```
    pub fn peer_id(&self) -> Option<PeerId> {
        match &self.shared().sharing {
            SharingState::NoSecret | SharingState::NoTransport => None,
            SharingState::Shared { local, .. } => Some(*local),
        }
    }

    /// Where others can reach this node: multiaddrs that end in its peer id, those that other hosts can dial first.
    /// Empty if it does not share.
    ///
    /// ```
    /// use fleet_cache::{FleetSecret, GitHub, Node, Quic};
    ///
    /// # #[cfg(not(feature = "quic"))]
    /// # fn main() {}
    /// # #[cfg(feature = "quic")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Node::builder(FleetSecret::generate()?, GitHub::builder().build()?);
    /// let node = builder.transport(Quic::listen("127.0.0.1:0")).start().await?;
    /// for address in node.addresses() {
    ///     println!("others reach this node at {address}");
    ///     assert!(address.starts_with("/ip4/127.0.0.1/udp/"));
    /// }
    /// # Ok(()) }
    /// ```
    pub fn addresses(&self) -> Vec<String> {
        match &self.shared().sharing {
            SharingState::NoSecret | SharingState::NoTransport => Vec::new(),
            SharingState::Shared { addresses, .. } => addresses.iter().map(ToString::to_string).collect(),
        }
    }

    /// The peers that this node knows, connected or not, contacts among them. Empty if it does not share.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// for peer in node.peers().await? {
    ///     println!("{} is {}", peer.address.as_deref().unwrap_or("somewhere"), peer.state);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    ///
    /// # Cancellation
    ///
    /// Dropping the future changes nothing.
    pub async fn peers(&self) -> Result<Vec<Peer>, Closed> {
        let peers = self.shared().order(|done| Command::Peers { done }).await?;
        let ways = match &self.shared().sharing {
            SharingState::NoSecret | SharingState::NoTransport => &[][..],
            SharingState::Shared { ways, .. } => ways,
        };
        let named = |peer: Peer| {
            let PeerSource::Found(way) = peer.source else { return peer };
            Peer { found_by: ways.get(usize::from(way.0)).map(|way| way.name.to_string()), ..peer }
        };
        Ok(peers.into_iter().map(Peer::from).map(named).collect())
    }

    /// How the ways do by which this node finds others, in the order in which they were given. Empty if it does not share.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// for way in node.discovery() {
    ///     println!("{} found {} addresses", way.way, way.found);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn discovery(&self) -> Vec<DiscoveryReport> {
        match &self.shared().sharing {
            SharingState::NoSecret | SharingState::NoTransport => Vec::new(),
            SharingState::Shared { ways, .. } => ways.iter().map(|way| way.report()).collect(),
        }
    }

    /// Asks `peer` whether it answers, and how soon.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// for peer in node.peers().await?.into_iter().filter_map(|peer| peer.id) {
    ///     match node.ping(peer).await {
    ///         Ok(pong) => println!("{peer} answered after {:?}", pong.round_trip),
    ///         Err(error) => println!("{peer}: {error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PingError::NotConnected`]; [`PingError::TimedOut`] after three seconds, or when the connection ends;
    /// [`PingError::Busy`] while 64 such questions are under way; [`PingError::Closed`] after a shutdown.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up waiting; the peer may have been asked.
    pub async fn ping(&self, peer: PeerId) -> Result<Pong, PingError> {
        let (sent, began) = (self.shared().clock.now(), Instant::now());
        let clock =
            self.shared().order(|done| Command::Ping { peer, done }).await?.map_err(PingError::from)?;
        let round_trip = began.elapsed();
        Ok(Pong { round_trip, skew_millis: skew(sent, round_trip, clock) })
    }

    /// Asks `peer`, and it alone, for the application's value under `key`, and keeps it. Returns whether it had it.
    ///
    /// For diagnosis: [`Values::get`](crate::Values::get) asks every peer that may have it.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// for peer in node.peers().await?.into_iter().filter_map(|peer| peer.id) {
    ///     println!("{peer} has it: {}", node.ask_peer_for_value(peer, "greeting").await?);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AskPeerError::Fetch`] when the peer gave something else, which counts against it, and
    /// [`AskPeerError::KeyTooLong`]; the others as for [`ping`](Self::ping).
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up waiting; a value that comes later is kept all the same.
    pub async fn ask_peer_for_value(&self, peer: PeerId, key: &str) -> Result<bool, AskPeerError> {
        let key = crate::values::application_key(key)?;
        let request = self.shared().number();
        let completion = self.shared().order(|done| Command::AskPeer { request, peer, key, done }).await?;
        match completion.outcome {
            Outcome::Answered { served, .. } => Ok(served == Served::Peer),
            // A peer's answer is an entry or nothing.
            Outcome::Absent | Outcome::Pass | Outcome::Relayed { .. } => Ok(false),
            Outcome::Failed(failure) => Err(failure.into()),
        }
    }
}

/// How a peer answered a ping.
#[derive(Clone, Copy, Debug)]
pub struct Pong {
    /// Time from the call to its end.
    pub round_trip: Duration,
    /// How far the peer's wall clock is ahead of ours, in milliseconds, give or take half the round trip and a tick
    /// of either clock (10 ms). This is for people: no decision rests on another's clock.
    pub skew_millis: i64,
}

/// How things stand with a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PeerState {
    /// It could not be reached, and is tried again after [`Peer::seconds`].
    #[serde(rename = "backing off")]
    BackingOff,
    /// It did what no member does, and is refused for [`Peer::seconds`].
    Banned,
    /// The peer is connected now.
    Connected,
    /// A connection with it is being made.
    Dialing,
    /// It is known, and not tried at present.
    Known,
    /// It is connected, but did not answer lately.
    Silent,
}

impl PeerState {
    /// Whether there is a connection with the peer.
    pub fn is_connected(self) -> bool {
        matches!(self, Self::Connected | Self::Silent)
    }
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackingOff => "backing off",
            Self::Banned => "banned",
            Self::Connected => "connected",
            Self::Dialing => "dialing",
            Self::Known => "known",
            Self::Silent => "silent",
        })
    }
}

/// A peer that this node knows, and the state of the connection with it.
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), fleet_cache::Closed> {
/// let peers = node.peers().await?;
/// let connected = peers.iter().filter(|peer| peer.state.is_connected()).count();
/// println!("{connected} of {} peers are connected", peers.len());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Peer {
    /// The peer; `None` for a contact that names no peer and has not answered yet.
    #[serde(serialize_with = "id_text")]
    pub id: Option<PeerId>,
    /// Where it is connected, or else where it is tried next.
    pub address: Option<String>,
    /// How things stand with it.
    pub state: PeerState,
    /// How it came to be known.
    #[serde(serialize_with = "source_text")]
    pub source: PeerSource,
    /// The way by which it was found, such as `dns:fleet.example`, if that is how it came to be known.
    pub found_by: Option<String>,
    /// Seconds for which it has been connected, or until it is tried again or its ban ends.
    pub seconds: Option<u64>,
    /// Zero for a peer without fault; at -100 it is banned.
    pub score: i32,
    /// How often in a row it could not be reached.
    pub failures: u32,
    /// Why it is banned, or could not be reached last.
    pub reason: Option<String>,
    /// Why it could not be reached last, for programs.
    #[serde(skip)]
    pub failure: Option<DialError>,
    /// Whether two nodes seem to use its identity: lately, the two displaced each other.
    pub is_twin: bool,
    /// Bytes of frames received from it.
    pub received_bytes: u64,
    /// Bytes of frames sent to it.
    pub sent_bytes: u64,
    /// Frames that were not sent because its queue was full.
    pub dropped_frames: u64,
    /// Round trip in microseconds, as the transport measured it last.
    pub round_trip_micros: Option<u64>,
}

impl From<PeerStats> for Peer {
    fn from(PeerStats { report, figures, is_twin, now }: PeerStats) -> Self {
        let PeerFigures { received_bytes, sent_bytes, dropped_frames, round_trip } = figures;
        let left = |until: Timestamp| Some(until.saturating_since(now).as_secs());
        let mut reason = report.last_failure.map(|failure| failure.to_string());
        if is_twin {
            reason = Some("two nodes have this identity: remove identity.key on one".to_owned());
        }
        let (state, seconds) = match report.state {
            cache_core::PeerState::BackingOff { until } => (PeerState::BackingOff, left(until)),
            cache_core::PeerState::Banned(ban) => {
                reason = Some(ban.offence.to_string());
                (PeerState::Banned, left(ban.until))
            }
            cache_core::PeerState::Connected { since, is_silent, .. } => {
                let state = if is_silent { PeerState::Silent } else { PeerState::Connected };
                (state, Some(now.saturating_since(since).as_secs()))
            }
            cache_core::PeerState::Dialing { .. } => (PeerState::Dialing, None),
            cache_core::PeerState::Known => (PeerState::Known, None),
        };
        Self {
            id: report.peer,
            address: report.address.map(String::from),
            state,
            source: report.source,
            found_by: None,
            seconds,
            score: report.score,
            failures: report.failures,
            reason,
            failure: report.last_failure,
            is_twin,
            received_bytes,
            sent_bytes,
            dropped_frames,
            round_trip_micros: round_trip.map(|it| u64::try_from(it.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}

/// A peer's id as people write it.
fn id_text<S: Serializer>(id: &Option<PeerId>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

fn source_text<S: Serializer>(source: &PeerSource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match source {
        PeerSource::Contact => "contact",
        PeerSource::Found(_way) => "found",
        PeerSource::Itself => "itself",
        PeerSource::Membership => "membership",
        PeerSource::Remembered => "remembered",
    })
}

/// How far `clock`, read half a round trip after `sent`, is ahead, in milliseconds.
fn skew(sent: Timestamp, round_trip: Duration, clock: Timestamp) -> i64 {
    let ours = sent.saturating_add(round_trip / 2);
    let ahead = i64::try_from(clock.saturating_since(ours).as_millis()).unwrap_or(i64::MAX);
    let behind = i64::try_from(ours.saturating_since(clock).as_millis()).unwrap_or(i64::MAX);
    ahead - behind
}
