//! A transport of queues within the process: the suite's own touchstone.
//!
//! It keeps every rule, unless it is told to break one in a certain way. Its two sides are one state under
//! one lock, so nothing is ever half connected.

use super::{Factory, Plan};
use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{
        Admission, DialError, FRAME_BYTES_MAX, Gate, Lane, PeerFigures, Rejection, SILENCE_TIMEOUT,
        SendError, Session, Side, Transport, TransportEvent,
    },
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use tokio::{
    sync::Notify,
    time::{interval, timeout},
};

/// Starts memory transports that find each other, and that all break the same rule, if any.
pub(super) struct MemoryFactory {
    world: Arc<World>,
    patience: Duration,
}

impl MemoryFactory {
    pub(super) fn correct() -> Self {
        Self { world: Arc::default(), patience: Duration::from_secs(20) }
    }

    /// Patience is short: what a fault prevents does not come later either.
    pub(super) fn with(fault: Fault) -> Self {
        let world = Arc::new(World { fault: Some(fault), ..World::default() });
        Self { world, patience: Duration::from_millis(500) }
    }
}

#[async_trait]
impl Factory for MemoryFactory {
    async fn start(&self, plan: Plan) -> anyhow::Result<Arc<dyn Transport>> {
        let local = PeerId::from_public_key(plan.seed);
        let mut places = self.world.places.lock();
        let place = match plan.listen.as_deref() {
            Some(address) => parse(address)?.0,
            None => places.last_key_value().map_or(0, |(place, _node)| place + 1),
        };
        let is_taken = places.get(&place).is_some_and(|node| node.state.lock().phase == Phase::Open);
        ensure!(!is_taken, "/memory/{place} is taken");
        let node = Arc::new(Node {
            world: Arc::clone(&self.world),
            local,
            place,
            plan,
            state: Mutex::default(),
            news: Notify::new(),
            last_beat: Mutex::new(Instant::now()),
            started: Instant::now(),
        });
        // Ends with the node.
        drop(tokio::spawn(beat(Arc::downgrade(&node))));
        places.insert(place, Arc::clone(&node));
        Ok(Arc::new(Memory(node)))
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

/// A way of breaking one rule.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// Says nothing of a dial that fails.
    AnswersNoDial,
    /// An admission takes as long as the other side likes.
    AwaitsAdmission,
    /// Connects with any peer that is there.
    BelievesEveryPeer,
    /// Reports every dial that fails as refused.
    CallsEverythingRefused,
    /// Frames over 40 kB end there.
    CutsLongFrames,
    /// An idle connection ends.
    CutsIdle,
    /// Each frame comes twice.
    Doubles,
    /// Connects with its own address.
    DialsItself,
    /// What is dropped is not counted.
    ForgetsDrops,
    /// Lets in more than it has room for.
    HasAlwaysRoom,
    /// A peer that says nothing is as good as any.
    IgnoresSilence,
    /// Admission is for show.
    IgnoresTheGate,
    /// A second dial makes a second connection.
    KeepsBoth,
    /// A peer that has restarted is still connected.
    KeepsTheDead,
    /// A node that has shut down still has the place.
    KeepsThePlace,
    /// One in a thousand frames is lost.
    Loses,
    /// A full queue takes frames, and drops them.
    NeverFull,
    /// A queue has no end.
    NoLimit,
    /// Frames pass from the dialer to the listener only.
    OneWay,
    /// All peers' events wait in one queue.
    OneQueue,
    /// All peers share the one queue that is full.
    OneLimit,
    /// The latest frame comes first.
    Reverses,
    /// Only the side that ends a connection hears of the end.
    TellsNobodyOfTheEnd,
    /// The end of a node is told late.
    TellsLate,
    /// A frame has no longest length.
    TakesEveryLength,
}

#[derive(Default)]
struct World {
    fault: Option<Fault>,
    /// Every node there was. One that has ended leaves its place to the next.
    places: Mutex<BTreeMap<u64, Arc<Node>>>,
    /// Held while two nodes change at once.
    meeting: Mutex<()>,
}

struct Memory(Arc<Node>);

struct Node {
    world: Arc<World>,
    local: PeerId,
    place: u64,
    plan: Plan,
    state: Mutex<State>,
    news: Notify,
    /// When its runtime last moved.
    last_beat: Mutex<Instant>,
    started: Instant,
}

#[derive(Default)]
struct State {
    phase: Phase,
    events: BTreeMap<Option<PeerId>, VecDeque<TransportEvent>>,
    turns: VecDeque<Option<PeerId>>,
    peers: BTreeMap<PeerId, Peer>,
}

#[derive(Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Open,
    Ended,
}

struct Peer {
    node: Arc<Node>,
    side: Side,
    figures: PeerFigures,
    sent_frames: u64,
}

impl Node {
    fn has(&self, fault: Fault) -> bool {
        self.world.fault == Some(fault)
    }

    fn push(&self, state: &mut State, of: Option<PeerId>, event: TransportEvent) {
        let of = if self.has(Fault::OneQueue) { None } else { of };
        let queue = state.events.entry(of).or_default();
        if queue.is_empty() {
            state.turns.push_back(of);
        }
        match &event {
            TransportEvent::Received { .. } if self.has(Fault::Reverses) => queue.push_front(event),
            _in_order => queue.push_back(event),
        }
        self.news.notify_one();
    }

    async fn dial(self: Arc<Self>, address: Box<str>) {
        let Err(error) = self.connect(&address).await else { return };
        if self.has(Fault::AnswersNoDial) {
            return;
        }
        let reason = format!("{error:#}").into();
        let error = match error.downcast_ref() {
            _any if self.has(Fault::CallsEverythingRefused) => DialError::Refused,
            Some(error) => *error,
            None => DialError::BadAddress,
        };
        self.push(&mut self.state.lock(), None, TransportEvent::DialFailed { address, error, reason });
    }

    async fn connect(self: &Arc<Self>, address: &str) -> anyhow::Result<()> {
        let (place, expected) = parse(address)?;
        let other = self.world.places.lock().get(&place).cloned().context(DialError::Unreachable)?;
        ensure!(other.state.lock().phase == Phase::Open, DialError::Unreachable);
        let is_expected = expected.is_none_or(|peer| peer == other.local);
        ensure!(is_expected || self.has(Fault::BelievesEveryPeer), DialError::WrongPeer);
        ensure!(other.local != self.local || self.has(Fault::DialsItself), DialError::Itself);
        let within = match self.has(Fault::AwaitsAdmission) {
            true => Duration::MAX,
            false => self.plan.admission_timeout.min(other.plan.admission_timeout),
        };
        let admitted = timeout(within, admit(self, &other)).await;
        let (ours, theirs) = match admitted {
            Ok(Ok(sessions)) => sessions,
            Ok(Err(_refused)) => return other.refuse(address, Rejection::Admission, DialError::Refused),
            Err(_elapsed) => return other.refuse(address, Rejection::TimedOut, DialError::TimedOut),
        };
        let _meeting = self.world.meeting.lock();
        let held = self.state.lock().peers.contains_key(&other.local);
        let theirs_of = other.state.lock().peers.get(&self.local).map(|held| Arc::clone(&held.node));
        if let Some(node) =
            theirs_of.filter(|node| !Arc::ptr_eq(node, self) && !self.has(Fault::KeepsTheDead))
        {
            other.forget(&node, "restarted");
        } else if !self.has(Fault::KeepsBoth) {
            ensure!(!held && !other.is_with(self.local), DialError::AlreadyConnected { peer: other.local });
        }
        if (self.is_full() || other.is_full()) && !self.has(Fault::HasAlwaysRoom) {
            return other.refuse(address, Rejection::TooMany, DialError::TooMany);
        }
        self.meet(&other, Side::Dialer, ours);
        other.meet(self, Side::Listener, theirs);
        Ok(())
    }

    /// Reports the refusal, and returns what the dial has come to.
    fn refuse(&self, address: &str, refusal: Rejection, error: DialError) -> anyhow::Result<()> {
        let reason = refusal.to_string().into();
        let event = TransportEvent::Refused { address: address.into(), refusal, reason };
        self.push(&mut self.state.lock(), None, event);
        Err(error.into())
    }

    fn is_full(&self) -> bool {
        self.state.lock().peers.len() >= self.plan.peers_max
    }

    fn is_with(&self, peer: PeerId) -> bool {
        self.state.lock().peers.contains_key(&peer)
    }

    /// Ends the connection with `other` on this side alone.
    fn forget(&self, other: &Arc<Self>, reason: &str) {
        let mut state = self.state.lock();
        if state.peers.get(&other.local).is_some_and(|held| Arc::ptr_eq(&held.node, other)) {
            state.peers.remove(&other.local);
            let event = TransportEvent::Disconnected { peer: other.local, reason: reason.into() };
            self.push(&mut state, Some(other.local), event);
        }
    }

    /// Forgets whose runtime does not move.
    fn forget_the_silent(&self) {
        let nodes: Vec<Arc<Self>> =
            self.state.lock().peers.values().map(|peer| Arc::clone(&peer.node)).collect();
        for node in nodes {
            let silence = node.last_beat.lock().elapsed();
            if silence > SILENCE_TIMEOUT * 3 / 4 && !self.has(Fault::IgnoresSilence)
                || self.started.elapsed() > SILENCE_TIMEOUT && self.has(Fault::CutsIdle)
            {
                self.forget(&node, "silent");
            }
        }
    }

    fn meet(&self, other: &Arc<Self>, side: Side, session: Box<dyn Session>) {
        let mut state = self.state.lock();
        let peer = Peer { node: Arc::clone(other), side, figures: PeerFigures::default(), sent_frames: 0 };
        state.peers.insert(other.local, peer);
        let address = other.address();
        let event = TransportEvent::Connected { peer: other.local, address, side, session };
        self.push(&mut state, Some(other.local), event);
    }

    fn part(&self, peer: PeerId, reason: &str) {
        let _meeting = self.world.meeting.lock();
        let Some(old) = self.state.lock().peers.remove(&peer) else { return };
        let event = |peer| TransportEvent::Disconnected { peer, reason: reason.into() };
        self.push(&mut self.state.lock(), Some(peer), event(peer));
        if !self.has(Fault::TellsNobodyOfTheEnd) {
            let mut theirs = old.node.state.lock();
            if theirs.peers.remove(&self.local).is_some() {
                old.node.push(&mut theirs, Some(self.local), event(self.local));
            }
        }
    }

    /// Takes a frame of `from`, or not because too many wait.
    fn receive(&self, from: PeerId, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.state.lock();
        let waiting = state.events.get(&Some(from)).map_or(0, VecDeque::len);
        if waiting >= WAITING_MAX && !self.has(Fault::NoLimit) {
            return if self.has(Fault::NeverFull) { Ok(()) } else { Err(SendError::QueueFull) };
        }
        let Some(peer) = state.peers.get_mut(&from) else { return Err(SendError::NotConnected) };
        peer.figures.received_bytes += frame.len() as u64;
        peer.figures.round_trip = Some(Duration::ZERO);
        if self.has(Fault::Doubles) {
            self.push(&mut state, Some(from), TransportEvent::Received { peer: from, frame: frame.clone() });
        }
        self.push(&mut state, Some(from), TransportEvent::Received { peer: from, frame });
        Ok(())
    }

    fn address(&self) -> Box<str> {
        format!("/memory/{}/p2p/{}", self.place, self.local).into()
    }
}

/// Shows that the runtime of `node` moves, and looks after the others', until the node is gone.
async fn beat(node: Weak<Node>) {
    let mut ticks = interval(BEAT_INTERVAL);
    while let Some(node) = node.upgrade() {
        *node.last_beat.lock() = Instant::now();
        node.forget_the_silent();
        drop(node);
        ticks.tick().await;
    }
}

/// Carries messages between the two sides' admissions until both have a session.
async fn admit(dialer: &Node, listener: &Node) -> anyhow::Result<(Box<dyn Session>, Box<dyn Session>)> {
    if dialer.has(Fault::IgnoresTheGate) {
        return Ok((Box::new(super::gates::PlainSession), Box::new(super::gates::PlainSession)));
    }
    let begin = |gate: &dyn Gate, side, local, remote| gate.begin(side, local, remote, b"memory");
    let mut ours = begin(&*dialer.plan.gate, Side::Dialer, dialer.local, listener.local);
    let mut theirs = begin(&*listener.plan.gate, Side::Listener, listener.local, dialer.local);
    let (mut our_session, mut their_session) = (None, None);
    loop {
        let moved = carry(&mut *ours, &mut *theirs)? | carry(&mut *theirs, &mut *ours)?;
        our_session = our_session.or_else(|| ours.poll_session());
        their_session = their_session.or_else(|| theirs.poll_session());
        match (our_session.take(), their_session.take()) {
            (Some(ours), Some(theirs)) => return Ok((ours, theirs)),
            unfinished => (our_session, their_session) = unfinished,
        }
        if !moved {
            // Neither side says another word.
            std::future::pending::<()>().await;
        }
    }
}

fn carry(from: &mut dyn Admission, to: &mut dyn Admission) -> anyhow::Result<bool> {
    let mut moved = false;
    while let Some(message) = from.poll_transmit() {
        to.handle(&message)?;
        moved = true;
    }
    Ok(moved)
}

fn parse(address: &str) -> anyhow::Result<(u64, Option<PeerId>)> {
    let rest = address.strip_prefix("/memory/").context("not a memory address")?;
    let (place, peer) = match rest.split_once("/p2p/") {
        Some((place, peer)) => (place, Some(peer.parse().context("no peer id")?)),
        None => (rest, None),
    };
    Ok((place.parse().context("no place")?, peer))
}

#[async_trait]
impl Transport for Memory {
    fn local_peer(&self) -> PeerId {
        self.0.local
    }

    fn addresses(&self) -> Vec<Box<str>> {
        vec![self.0.address()]
    }

    fn dial(&self, address: &str) {
        // Ends by itself within the time for an admission.
        drop(tokio::spawn(Arc::clone(&self.0).dial(address.into())));
    }

    fn send(&self, peer: PeerId, _lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let node = &self.0;
        if frame.len() > FRAME_BYTES_MAX && !node.has(Fault::TakesEveryLength) {
            return Err(SendError::TooLong);
        }
        let mut state = node.state.lock();
        let Some(target) = state.peers.get_mut(&peer) else { return Err(SendError::NotConnected) };
        target.sent_frames += 1;
        let is_lost = node.has(Fault::Loses) && target.sent_frames % 1000 == 0
            || node.has(Fault::OneWay) && target.side == Side::Listener;
        let frame_bytes = frame.len() as u64;
        let frame =
            if node.has(Fault::CutsLongFrames) { frame.slice(..frame.len().min(40_000)) } else { frame };
        let other = Arc::clone(&target.node);
        drop(state);
        let is_full = node.has(Fault::OneLimit) && node.somebody_is_full();
        let sent = match (is_lost, is_full) {
            (true, _) => Ok(()),
            (false, true) => Err(SendError::QueueFull),
            (false, false) => other.receive(node.local, frame),
        };
        if let Some(target) = node.state.lock().peers.get_mut(&peer) {
            match sent {
                Ok(()) => target.figures.sent_bytes += frame_bytes,
                Err(_dropped) if node.has(Fault::ForgetsDrops) => {}
                Err(_dropped) => target.figures.dropped_frames += 1,
            }
            target.figures.round_trip = Some(Duration::ZERO);
        }
        sent
    }

    fn disconnect(&self, peer: PeerId) {
        self.0.part(peer, "disconnected");
    }

    async fn next_event(&self) -> Option<TransportEvent> {
        loop {
            {
                let mut state = self.0.state.lock();
                if let Some(turn) = state.turns.pop_front() {
                    let queue = state.events.entry(turn).or_default();
                    let event = queue.pop_front();
                    if !queue.is_empty() {
                        state.turns.push_back(turn);
                    }
                    return event;
                }
                if state.phase == Phase::Ended {
                    self.0.news.notify_one();
                    return None;
                }
            }
            self.0.news.notified().await;
        }
    }

    fn figures(&self, peer: PeerId) -> Option<PeerFigures> {
        self.0.state.lock().peers.get(&peer).map(|peer| peer.figures)
    }

    async fn shutdown(&self) {
        if self.0.has(Fault::TellsLate) {
            let _is_late = timeout(Duration::from_secs(2), std::future::pending::<()>()).await;
        }
        let peers: Vec<PeerId> = self.0.state.lock().peers.keys().copied().collect();
        for peer in peers {
            self.0.part(peer, "shut down");
        }
        if !self.0.has(Fault::KeepsThePlace) {
            self.0.state.lock().phase = Phase::Ended;
            self.0.news.notify_one();
        }
    }
}

impl Node {
    /// Whether any peer's queue for frames of this node is full.
    fn somebody_is_full(&self) -> bool {
        let peers: Vec<Arc<Self>> =
            self.state.lock().peers.values().map(|peer| Arc::clone(&peer.node)).collect();
        peers.iter().any(|peer| {
            let state = peer.state.lock();
            state.events.get(&Some(self.local)).is_some_and(|queue| queue.len() >= WAITING_MAX)
        })
    }
}

/// Between two looks at whose runtime moves.
const BEAT_INTERVAL: Duration = Duration::from_millis(100);

/// Frames of one peer that may wait: more than a flood in the suite, fewer than it sends to fill a queue.
const WAITING_MAX: usize = 1_200;
