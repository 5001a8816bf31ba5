//! Two nodes that meet and part, whatever they remember, whatever arrives first and whatever is lost: each comes to know what
//! the other knows, or doubts what is from before.

use super::{Acquaintances, Greeting, Invalidations};
use crate::{
    Message, PeerId, Timestamp, codec,
    digest::Salts,
    message::{Digest, InvalidationId, Notice, Reach, Scope},
};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::time::Duration;
use proptest::{collection, prelude::*};

/// Something that happens to the two.
#[derive(Clone, Debug)]
enum Event {
    /// The next thing arrives that one has said.
    Arrive(usize),
    /// They are no longer connected, and what was on its way is lost.
    Break,
    Connect,
    /// A node issues so many invalidations.
    Issue(usize, u16),
    /// Seconds pass, in which everything arrives.
    Pass(u16),
}

#[derive(Clone, Debug)]
enum Said {
    Digest(Digest),
    Forgotten(u64),
    Invalidate(Notice),
}

impl Said {
    fn bytes(&self) -> usize {
        let message = match self {
            Self::Digest(digest) => Message::Digest(digest.clone()),
            Self::Forgotten(receipt) => Message::Forgotten { receipt: *receipt },
            Self::Invalidate(notice) => Message::Invalidate(notice.clone()),
        };
        codec::encode_message(&message).len()
    }
}

struct Node {
    invalidations: Invalidations,
    acquaintances: Acquaintances,
    last_number: u64,
    /// All that it ever heard of.
    known: BTreeSet<InvalidationId>,
    /// What is from before this is in doubt.
    doubted: Timestamp,
    /// What it knew when it met the other.
    known_at_meeting: BTreeSet<InvalidationId>,
    /// What it said and the other has not heard yet.
    said: VecDeque<Said>,
}

struct World {
    nodes: [Node; 2],
    now: Timestamp,
    is_connected: bool,
    issued: BTreeMap<InvalidationId, Timestamp>,
    /// Bytes of all that arrived.
    said_bytes: usize,
}

impl Node {
    fn new(number: u64) -> Self {
        Self {
            invalidations: Invalidations::new(number),
            acquaintances: Acquaintances::default(),
            last_number: 0,
            known: BTreeSet::new(),
            doubted: Timestamp::default(),
            known_at_meeting: BTreeSet::new(),
            said: VecDeque::new(),
        }
    }

    /// What the engine does when it meets a peer.
    fn meet(&mut self, now: Timestamp, other: PeerId) {
        self.last_number += 1;
        let receipt = self.last_number;
        let digest = self.invalidations.digest(now, receipt, Salts::new(7).salt(receipt));
        let is_of_nothing = digest.is_of_nothing();
        let greeting = if is_of_nothing { Greeting::Nothing } else { Greeting::Digest(receipt) };
        self.acquaintances.on_met(now, other, greeting);
        self.acquaintances.begin_exchange(other, receipt, self.invalidations.mark());
        self.known_at_meeting = self.known.clone();
        self.said.push_back(Said::Digest(digest));
    }

    /// What the engine does when it hears of something.
    fn hear(&mut self, now: Timestamp, other: PeerId, said: Said) {
        match said {
            Said::Digest(digest) => {
                let mark = self.acquaintances.on_digest(other).expect("it says one");
                let Self { invalidations, last_number, .. } = self;
                let notices = invalidations.notices_beyond(now, &digest, mark, || {
                    *last_number += 1;
                    *last_number
                });
                self.acquaintances.on_compared(other, notices.last().map(|notice| notice.receipt));
                self.said.extend(notices.into_iter().map(Said::Invalidate));
                let Digest { receipt, mark, .. } = digest;
                self.hear(now, other, Said::Invalidate(Notice { receipt, mark, invalidations: Vec::new() }));
            }
            Said::Forgotten(receipt) => self.acquaintances.on_forgotten(now, other, receipt),
            Said::Invalidate(Notice { receipt, mark, invalidations }) => {
                for news in &invalidations {
                    if self.invalidations.learn(now, news) {
                        self.known.insert(news.id);
                    }
                }
                let mark = mark.map(|mark| now.saturating_sub(mark));
                if let Some(mark) = mark.filter(|mark| self.acquaintances.heard_until(other) < *mark) {
                    self.doubted = self.doubted.max(mark);
                }
                self.said.push_back(Said::Forgotten(receipt));
            }
        }
    }
}

impl World {
    fn new() -> Self {
        Self {
            nodes: [Node::new(1), Node::new(2)],
            now: Timestamp::from_unix_millis(1_000_000),
            is_connected: false,
            issued: BTreeMap::new(),
            said_bytes: 0,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive(from) => self.arrive(*from),
            Event::Break => self.part(),
            Event::Connect => self.connect(),
            Event::Issue(node, count) => self.issue(*node, *count),
            Event::Pass(seconds) => {
                self.arrive_all();
                self.now = self.now.saturating_add(Duration::from_secs((*seconds).into()));
            }
        }
        self.check_settled();
    }

    fn connect(&mut self) {
        if !self.is_connected {
            self.is_connected = true;
            for (number, node) in self.nodes.iter_mut().enumerate() {
                node.meet(self.now, peer(1 - number));
            }
        }
    }

    fn part(&mut self) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            node.said.clear();
            node.acquaintances.on_gone(self.now, peer(1 - number));
            node.acquaintances.on_disconnected(peer(1 - number));
        }
        self.is_connected = false;
        // What happens in the same millisecond counts as heard.
        self.now = self.now.saturating_add(Duration::from_millis(1));
    }

    /// What is issued while the two are connected is heard at once: that it may be lost with the connection is another matter.
    fn issue(&mut self, number: usize, count: u16) {
        for _ in 0..count {
            let news = self.nodes[number].invalidations.issue(self.now, reach());
            self.nodes[number].known.insert(news.id);
            self.issued.insert(news.id, self.now);
            if self.is_connected {
                let notice = Notice { receipt: 0, mark: None, invalidations: Vec::from([news]) };
                self.nodes[1 - number].hear(self.now, peer(number), Said::Invalidate(notice));
            }
        }
    }

    fn arrive(&mut self, from: usize) {
        if let Some(said) = self.nodes[from].said.pop_front() {
            self.said_bytes += said.bytes();
            self.nodes[1 - from].hear(self.now, peer(from), said);
        }
    }

    fn arrive_all(&mut self) {
        while let Some(from) = self.nodes.iter().position(|node| !node.said.is_empty()) {
            self.arrive(from);
        }
    }

    /// Whether `number` has heard of all of `known`, or doubts what is from before.
    fn covers(&self, number: usize, known: &BTreeSet<InvalidationId>) -> bool {
        let Node { known: heard, doubted, .. } = &self.nodes[number];
        known.iter().all(|id| heard.contains(id) || self.issued[id] <= *doubted)
    }

    fn check_settled(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let later = self.now.saturating_add(Duration::from_secs(60));
            let is_settled = node.acquaintances.is_settled(later, peer(1 - number));
            assert!(!is_settled || self.covers(1 - number, &node.known_at_meeting), "{number} is mistaken");
        }
    }

    /// Once they have met and heard all: each knows what the other does or doubts what is from before, and they remember the
    /// same, as far as they may.
    fn check_end(&mut self) {
        self.connect();
        self.arrive_all();
        self.check_settled();
        for number in 0..2 {
            let [here, there] = [&self.nodes[number], &self.nodes[1 - number]];
            assert!(
                here.acquaintances
                    .is_settled(self.now.saturating_add(Duration::from_secs(60)), peer(1 - number))
            );
            assert!(self.covers(1 - number, &here.known), "{number} knew what the other missed");
            let mark = there.invalidations.mark().map(|mark| mark.saturating_add(Duration::from_secs(1)));
            let lacking = self.issued.iter().filter(|(id, issued)| {
                let is_past = mark.is_some_and(|mark| **issued <= mark);
                here.invalidations.remembers(**id) && !there.invalidations.remembers(**id) && !is_past
            });
            assert_eq!(lacking.count(), 0, "the two remember the same");
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (0..2_usize).prop_map(Event::Arrive),
        3 => Just(Event::Break),
        4 => Just(Event::Connect),
        3 => (0..2_usize, 1..4_u16).prop_map(|(node, count)| Event::Issue(node, count)),
        1 => (0..2_usize, 300..900_u16).prop_map(|(node, count)| Event::Issue(node, count)),
        1 => (1..20_u16).prop_map(Event::Pass),
        1 => (100..700_u16).prop_map(Event::Pass),
    ];
    collection::vec(event, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn two_that_meet_know_the_same_or_doubt_it_whatever_arrives_first_and_whatever_is_lost(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        world.check_end();
    }
}

/// Bytes of all messages of a meeting of two that remember `common`, and of which one remembers `more` besides: now, and
/// as two tell each other that know no digests.
fn bytes(common: u16, more: u16) -> [usize; 2] {
    let mut world = World::new();
    world.connect();
    world.issue(0, common);
    world.arrive_all();
    world.part();
    world.issue(1, more);
    let lists = world.nodes.each_mut().map(|node| node.invalidations.notices(world.now, || 1));
    let receipts = lists.iter().map(Vec::len).sum::<usize>();
    let receipt = codec::encode_message(&Message::Forgotten { receipt: 1 }).len();
    let lists: usize =
        lists.into_iter().flatten().map(|it| codec::encode_message(&Message::Invalidate(it)).len()).sum();
    world.said_bytes = 0;
    world.connect();
    world.arrive_all();
    [world.said_bytes, lists + receipts * receipt]
}

#[test]
fn a_meeting_costs_the_more_the_more_the_two_differ() {
    assert_eq!(bytes(0, 0), [48, 0]);
    assert_eq!(bytes(10, 0), [304, 1_196]);
    assert_eq!(bytes(1_024, 0), [2_096, 124_184], "both know the same");
    assert_eq!(bytes(1_021, 3), [5_077, 124_001], "they differ by three");
    assert_eq!(bytes(0, 10), [774, 598], "one knows nothing");
    assert_eq!(bytes(0, 1_024), [63_164, 62_092]);
}

/// As long as those of a write in a repository.
fn reach() -> Reach {
    Reach::forget([Scope::Prefix {
        prefix: "api.github.com/repos/octo-org/octo-repo/issues/1347".into(),
        domain: None,
    }])
}

fn peer(number: usize) -> PeerId {
    PeerId::from_public_key([u8::try_from(number).unwrap_or(u8::MAX); 32])
}
