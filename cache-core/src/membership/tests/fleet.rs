//! A fleet in virtual time: members in one thread, and a network between them that delays, loses and divides.
//!
//! Stands in for the engine as well: a message to a peer without a connection makes the two connect, which takes one
//! and a half round trips, and waits for that.

use super::super::{Decision, Member, Membership, MembershipSettings};
use crate::{PeerId, Timestamp};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format, vec,
    vec::Vec,
};
use bytes::Bytes;
use core::time::Duration;
use rand_pcg::{
    Pcg64Mcg,
    rand_core::{Rng as _, SeedableRng as _},
};

pub(super) struct Fleet {
    pub(super) nodes: Vec<Node>,
    pub(super) loss_percent: u64,
    pub(super) delay: Duration,
    /// Which side of a divided network a node is on.
    pub(super) side: fn(usize) -> usize,
    /// A digest of everything delivered, and when.
    pub(super) trace: u64,
    now: u64,
    rng: Pcg64Mcg,
    events: BTreeMap<(u64, u64), Event>,
    event_count: u64,
    connected: BTreeSet<(usize, usize)>,
    /// What waits for a connection.
    waiting: BTreeMap<(usize, usize), Vec<Bytes>>,
    numbers: BTreeMap<PeerId, usize>,
}

#[derive(Default)]
pub(super) struct Node {
    /// `None` while the node is down.
    pub(super) membership: Option<Membership>,
    pub(super) sent_messages: u64,
    pub(super) sent_bytes: u64,
    /// The members that were said to be down, in order.
    pub(super) downs: Vec<PeerId>,
    pub(super) renewals: u64,
    /// How often it took itself or another for two.
    pub(super) twins: u64,
    wakes_at: Option<u64>,
}

enum Event {
    Connect { from: usize, to: usize },
    Deliver { from: usize, to: usize, bytes: Bytes },
    Wake { node: usize },
}

impl Fleet {
    /// `size` nodes that do not know one another; 20 ms away from each other, with 2 % of messages lost.
    pub(super) fn new(size: usize, seed: u64) -> Self {
        let mut fleet = Self {
            nodes: Vec::new(),
            loss_percent: 2,
            delay: Duration::from_millis(20),
            side: |_node| 0,
            trace: 0,
            now: 1_700_000_000_000,
            rng: Pcg64Mcg::seed_from_u64(seed),
            events: BTreeMap::new(),
            event_count: 0,
            connected: BTreeSet::new(),
            waiting: BTreeMap::new(),
            numbers: BTreeMap::new(),
        };
        for _number in 0..size {
            fleet.add();
        }
        fleet
    }

    /// Starts one node more and tells its number.
    pub(super) fn add(&mut self) -> usize {
        let number = self.nodes.len();
        self.nodes.push(Node::default());
        self.numbers.insert(peer(number), number);
        self.start(number);
        number
    }

    /// A fleet whose nodes have all found one another through the first.
    pub(super) fn formed(size: usize, seed: u64) -> Self {
        let mut fleet = Self::new(size, seed);
        for number in 1..size {
            fleet.connect(number, 0);
        }
        fleet.until(120_000, Self::is_complete).expect("a fleet forms");
        fleet
    }

    /// Starts a node, or starts it again, with a boot number that is its wall clock.
    pub(super) fn start(&mut self, number: usize) {
        self.start_with_boot(number, self.now);
    }

    pub(super) fn start_with_boot(&mut self, number: usize, boot: u64) {
        let address = format!("/ip4/10.0.{}.{}/udp/9100/quic-v1", number / 250, number % 250);
        let member = Member::new(peer(number), boot, [address]);
        let seed = self.rng.next_u64();
        self.nodes[number].membership = Some(Membership::new(member, seed, &MembershipSettings::default()));
        self.nodes[number].wakes_at = None;
    }

    /// The node vanishes without a word, as if it lost power.
    pub(super) fn crash(&mut self, number: usize) {
        self.nodes[number].membership = None;
        self.connected.retain(|(a, b)| *a != number && *b != number);
    }

    /// The node says farewell and ends.
    pub(super) fn leave(&mut self, number: usize) {
        let now = Timestamp::from_unix_millis(self.now);
        self.nodes[number].membership.as_mut().unwrap().leave(now);
        self.settle(number);
        self.crash(number);
    }

    pub(super) fn connect(&mut self, from: usize, to: usize) {
        let after = 3 * self.travel_millis();
        self.push(after, Event::Connect { from, to });
    }

    /// Connects two nodes whose connection broke unnoticed.
    pub(super) fn reconnect(&mut self, from: usize, to: usize) {
        self.connected.remove(&(from.min(to), from.max(to)));
        self.connect(from, to);
    }

    /// Runs until `holds`, and tells after how many milliseconds that was; `None` after `limit_millis`.
    pub(super) fn until(&mut self, limit_millis: u64, holds: impl Fn(&Self) -> bool) -> Option<u64> {
        let start = self.now;
        while self.now - start <= limit_millis {
            if holds(self) {
                return Some(self.now - start);
            }
            self.run(10);
        }
        None
    }

    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(first) = self.events.first_entry()
            && first.key().0 <= end
        {
            self.now = first.key().0;
            let event = first.remove();
            self.perform(event);
        }
        self.now = end;
    }

    pub(super) fn is_complete(&self) -> bool {
        let up = self.up().count();
        self.up().all(|node| node.effects.alive.len() == up - 1)
    }

    pub(super) fn nobody_knows(&self, number: usize) -> bool {
        self.up().all(|node| node.member(peer(number)).is_none())
    }

    pub(super) fn up(&self) -> impl Iterator<Item = &Membership> {
        self.nodes.iter().filter_map(|node| node.membership.as_ref())
    }

    pub(super) fn membership(&self, number: usize) -> &Membership {
        self.nodes[number].membership.as_ref().unwrap()
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.now)
    }

    fn perform(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Connect { from, to } => {
                let possible = self.can_reach(from, to);
                if possible && self.connected.insert((from.min(to), from.max(to))) {
                    for (here, there) in [(from, to), (to, from)] {
                        self.nodes[here].membership.as_mut().unwrap().on_connected(now, peer(there));
                        self.settle(here);
                    }
                }
                for bytes in self.waiting.remove(&(from, to)).unwrap_or_default() {
                    self.carry(from, to, bytes);
                }
            }
            Event::Deliver { from, to, bytes } => {
                if self.nodes[to].membership.is_some() && (self.side)(from) == (self.side)(to) {
                    for byte in bytes.iter().chain(&self.now.to_be_bytes()) {
                        self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
                    }
                    let membership = self.nodes[to].membership.as_mut().unwrap();
                    membership.on_message(now, peer(from), &bytes).expect("members write sound messages");
                    self.settle(to);
                }
            }
            Event::Wake { node } => {
                self.nodes[node].wakes_at = None;
                if let Some(membership) = &mut self.nodes[node].membership {
                    membership.on_due(now);
                    self.settle(node);
                }
            }
        }
    }

    /// Performs what a node decides.
    fn settle(&mut self, number: usize) {
        while let Some(decision) = self.nodes[number].membership.as_mut().unwrap().poll_decision() {
            match decision {
                Decision::Doubted(member) => self.meet(number, member.peer()),
                Decision::Down { peer } => self.nodes[number].downs.push(peer),
                Decision::Renewed(_) => self.nodes[number].renewals += 1,
                Decision::Send { to, bytes } => self.send(number, to, bytes),
                Decision::Forgotten { .. } => {}
                Decision::Twins { .. } => self.nodes[number].twins += 1,
                Decision::Up(member) => self.meet(number, member.peer()),
            }
        }
        let node = &mut self.nodes[number];
        let due = node.membership.as_ref().unwrap().next_deadline().map(Timestamp::as_unix_millis);
        if let Some(due) = due.filter(|due| node.wakes_at.is_none_or(|wakes_at| *due < wakes_at)) {
            node.wakes_at = Some(due);
            self.push(due.saturating_sub(self.now), Event::Wake { node: number });
        }
    }

    fn send(&mut self, from: usize, to: PeerId, bytes: Bytes) {
        self.nodes[from].sent_messages += 1;
        self.nodes[from].sent_bytes += bytes.len() as u64;
        let Some(to) = self.numbers.get(&to).copied() else { return };
        let is_alive = self.membership(from).member(peer(to)).is_some();
        if self.connected.contains(&(from.min(to), from.max(to))) {
            self.carry(from, to, bytes);
        } else if let Some(waiting) = self.waiting.get_mut(&(from, to)) {
            waiting.push(bytes);
        } else if is_alive {
            // Whose connection is lost is dialled again, as long as it counts as a member.
            self.waiting.insert((from, to), vec![bytes]);
            self.connect(from, to);
        }
    }

    fn meet(&mut self, from: usize, to: PeerId) {
        let Some(to) = self.numbers.get(&to).copied() else { return };
        if !self.connected.contains(&(from.min(to), from.max(to))) {
            self.connect(from, to);
        }
    }

    fn carry(&mut self, from: usize, to: usize, bytes: Bytes) {
        if self.rng.next_u64() % 100 >= self.loss_percent {
            let after = self.travel_millis();
            self.push(after, Event::Deliver { from, to, bytes });
        }
    }

    fn can_reach(&self, from: usize, to: usize) -> bool {
        let both_up = self.nodes[from].membership.is_some() && self.nodes[to].membership.is_some();
        both_up && (self.side)(from) == (self.side)(to)
    }

    /// The delay, and up to a quarter more.
    fn travel_millis(&mut self) -> u64 {
        let delay = u64::try_from(self.delay.as_millis()).unwrap();
        delay + self.rng.next_u64() % (delay / 4 + 1)
    }

    fn push(&mut self, after_millis: u64, event: Event) {
        self.event_count += 1;
        self.events.insert((self.now + after_millis, self.event_count), event);
    }
}

/// The key of a node; their order is not that of their numbers.
pub(super) fn peer(number: usize) -> PeerId {
    let mut key = [0; 32];
    Pcg64Mcg::seed_from_u64(number as u64).fill_bytes(&mut key);
    PeerId::from_public_key(key)
}
