//! Connections between nodes and how long frames take on them.
//!
//! Owns which nodes are connected, which are cut off, and when a frame arrives. Frames are reliable and in order as
//! [`cache_core::port::Transport`] promises: one that is lost comes later, or never if the connection breaks. Long
//! frames take a lane of their own and may be overtaken. The engines decide which node dials which.

use crate::{plan::NetworkPlan, random::Random};
use bytes::Bytes;
use cache_core::{Message, port::Lane};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// All connections there are.
pub(crate) struct Network {
    plan: NetworkPlan,
    nodes: usize,
    seed: u64,
    /// For each node, its pairs with nodes of higher numbers.
    pairs: Vec<BTreeMap<usize, Pair>>,
    partitions: BTreeMap<usize, Partition>,
    connection_last: u64,
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) connection: u64,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) sent: Duration,
    pub(crate) payload: Arc<Payload>,
}

/// What is in a frame: the message as bytes if the plan says so, else as it is.
#[derive(Debug)]
pub(crate) enum Payload {
    Encoded {
        bytes: Bytes,
        message: Message,
    },
    /// This many bytes that are not a message.
    Garbage(usize),
    /// A message that would take this many bytes.
    Plain {
        message: Message,
        message_bytes: usize,
    },
}

/// A connection that has just been made.
pub(crate) struct Made {
    pub(crate) connection: u64,
    /// When the dialler knows.
    pub(crate) dialer_at: Duration,
    /// When the other one knows.
    pub(crate) listener_at: Duration,
}

struct Pair {
    /// Its number, while nothing has broken it.
    connection: Option<u64>,
    /// From the lower node to the higher, and back.
    directions: [Direction; 2],
}

struct Direction {
    random: Random,
    /// When the receiver knows of the connection; it hears nothing before.
    opens_at: Duration,
    /// When the link has sent all that was given to it.
    free_at: Duration,
    /// When the last frame of the control lane arrives.
    ordered_until: Duration,
    /// What waits for a partition to end.
    held: VecDeque<(Frame, usize)>,
}

#[derive(Clone, Copy)]
struct Partition {
    side: u64,
    one_way: bool,
}

impl Network {
    pub(crate) fn new(plan: NetworkPlan, nodes: usize, seed: u64) -> Self {
        let (pairs, partitions) = ((0..nodes).map(|_| BTreeMap::new()).collect(), BTreeMap::new());
        Self { plan, nodes, seed, pairs, partitions, connection_last: 0 }
    }

    /// Connects two nodes that are not, at `now`.
    pub(crate) fn connect(&mut self, now: Duration, dialer: usize, listener: usize) -> Option<Made> {
        if self.is_blocked(dialer, listener) || self.is_blocked(listener, dialer) {
            return None;
        }
        let connection = self.connection_last + 1;
        let pair = self.pair_mut(dialer, listener);
        if pair.connection.is_some() {
            return None;
        }
        pair.connection = Some(connection);
        self.connection_last = connection;
        let trip = |network: &mut Self, from, to| {
            let (latency, jitter) = (network.plan.latency, network.plan.jitter);
            let direction = network.direction_mut(from, to);
            direction.held.clear();
            direction.free_at = now;
            direction.ordered_until = now;
            direction.random.long_tailed(latency, jitter)
        };
        let there = trip(self, dialer, listener);
        let back = trip(self, listener, dialer);
        let dialer_at = now + 2 * (there + back);
        let listener_at = dialer_at + there;
        self.direction_mut(dialer, listener).opens_at = listener_at;
        self.direction_mut(listener, dialer).opens_at = dialer_at;
        Some(Made { connection, dialer_at, listener_at })
    }

    /// Breaks the connection of two nodes. Returns its number if there was one.
    pub(crate) fn cut(&mut self, a: usize, b: usize) -> Option<u64> {
        let pair = self.pair_mut(a, b);
        for direction in &mut pair.directions {
            direction.held.clear();
        }
        pair.connection.take()
    }

    /// When `frame` arrives; `None` if it is kept back or lost.
    pub(crate) fn send(
        &mut self,
        now: Duration,
        frame: Frame,
        frame_bytes: usize,
    ) -> Option<(Duration, Frame)> {
        if !self.is_current(&frame) {
            return None;
        }
        if self.is_blocked(frame.from, frame.to) {
            self.direction_mut(frame.from, frame.to).held.push_back((frame, frame_bytes));
            return None;
        }
        let NetworkPlan { latency, jitter, bandwidth, loss_per_mille, .. } = self.plan;
        let direction = self.direction_mut(frame.from, frame.to);
        let transmission = Duration::from_nanos(frame_bytes as u64 * 1_000_000_000 / bandwidth.max(1));
        direction.free_at = direction.free_at.max(now) + transmission;
        let mut at = direction.free_at + direction.random.long_tailed(latency, jitter);
        let mut wait = RETRANSMISSION + 2 * latency;
        while direction.random.happens(loss_per_mille) && wait < RETRANSMISSION_MAX {
            at += wait;
            wait *= 2;
        }
        at = at.max(direction.opens_at);
        match Lane::for_bytes(frame_bytes) {
            Lane::Bulk => {}
            Lane::Control => {
                at = at.max(direction.ordered_until);
                direction.ordered_until = at;
            }
        }
        Some((at, frame))
    }

    /// Whether the connection that `frame` was sent on is unbroken.
    pub(crate) fn is_current(&self, frame: &Frame) -> bool {
        self.connection(frame.from, frame.to) == Some(frame.connection)
    }

    /// The number of the unbroken connection of two nodes.
    pub(crate) fn connection(&self, a: usize, b: usize) -> Option<u64> {
        self.pairs[a.min(b)].get(&a.max(b))?.connection
    }

    /// Cuts some nodes off under the number of an event. Returns which connections that blocks.
    pub(crate) fn part(&mut self, number: usize, side: u64, one_way: bool) -> Vec<(usize, usize, u64)> {
        self.partitions.insert(number, Partition { side, one_way });
        let pairs = self.pairs.iter().enumerate();
        let pairs = pairs.flat_map(|(a, pairs)| pairs.iter().map(move |(b, pair)| (a, *b, pair.connection)));
        let connected = pairs.filter_map(|(a, b, connection)| Some((a, b, connection?)));
        connected.filter(|(a, b, _)| self.is_blocked(*a, *b) || self.is_blocked(*b, *a)).collect()
    }

    /// Ends a partition; what it kept back and is not kept back by another arrives as told.
    pub(crate) fn heal(&mut self, now: Duration, number: usize) -> Vec<(Duration, Frame)> {
        self.partitions.remove(&number);
        let mut held = Vec::new();
        for pair in self.pairs.iter_mut().flat_map(BTreeMap::values_mut) {
            for direction in &mut pair.directions {
                held.extend(direction.held.drain(..));
            }
        }
        let again = |(frame, frame_bytes)| self.send(now + RETRANSMISSION, frame, frame_bytes);
        held.into_iter().filter_map(again).collect()
    }

    /// No frame is lost from now on.
    pub(crate) fn stop_losing(&mut self) {
        self.plan.loss_per_mille = 0;
    }

    /// Whether nothing comes through between two nodes, in one direction at least.
    pub(crate) fn is_parted(&self, a: usize, b: usize) -> bool {
        self.is_blocked(a, b) || self.is_blocked(b, a)
    }

    fn is_blocked(&self, from: usize, to: usize) -> bool {
        let is_inside = |side: u64, node: usize| side >> (node % 64) & 1 == 1;
        self.partitions.values().any(|partition| {
            let (from, to) = (is_inside(partition.side, from), is_inside(partition.side, to));
            if partition.one_way { !from && to } else { from != to }
        })
    }

    fn pair_mut(&mut self, a: usize, b: usize) -> &mut Pair {
        let (low, high) = (a.min(b), a.max(b));
        let (seed, number) = (self.seed, (low * self.nodes + high) as u64);
        self.pairs[low].entry(high).or_insert_with(|| Pair {
            connection: None,
            directions: [0, 1].map(|way| Direction {
                random: Random::new(seed, NETWORK_STREAMS + number * 2 + way),
                opens_at: Duration::ZERO,
                free_at: Duration::ZERO,
                ordered_until: Duration::ZERO,
                held: VecDeque::new(),
            }),
        })
    }

    fn direction_mut(&mut self, from: usize, to: usize) -> &mut Direction {
        &mut self.pair_mut(from, to).directions[usize::from(from > to)]
    }
}

impl Payload {
    pub(crate) fn message(&self) -> Option<&Message> {
        match self {
            Self::Encoded { message, .. } | Self::Plain { message, .. } => Some(message),
            Self::Garbage(_) => None,
        }
    }

    /// Bytes on the wire, with the frame and the seal.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.payload_bytes() + FRAME_OVERHEAD_BYTES
    }

    /// Bytes of the message alone.
    pub(crate) fn payload_bytes(&self) -> usize {
        match self {
            Self::Encoded { bytes, .. } => bytes.len(),
            Self::Garbage(bytes) => *bytes,
            Self::Plain { message_bytes, .. } => *message_bytes,
        }
    }
}

/// What the seal and the frame add to a message.
const FRAME_OVERHEAD_BYTES: usize = 64;

/// Time after which a frame that was lost is sent again, in addition to the round trip: TCP's least (RFC 6298 asks
/// for a second, Linux takes 200 ms).
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// A frame is not lost for longer than this.
const RETRANSMISSION_MAX: Duration = Duration::from_secs(4);

const NETWORK_STREAMS: u64 = 1 << 40;
