//! What happens to writes at one node, as chance has it.

use super::*;
use crate::{Bucket, Input, Output, Reach, Reached, Settings, Shortage};
use alloc::{collections::BTreeSet, vec::Vec};
use core::num::NonZeroU32;
use proptest::{collection::vec, prelude::*};

/// What may happen. Orders are taken modulo the number of those that wait or are under way.
#[derive(Clone, Debug)]
enum Event {
    Ends { order: usize, pauses: bool },
    Goes { order: usize },
    Paces { per_minute: Option<u32> },
    Wants { payer: u8, priority: Priority, kind: PassKind },
}

fn event() -> impl Strategy<Value = Event> {
    let priority = prop_oneof![Just(Priority::Batch), Just(Priority::Normal), Just(Priority::Critical)];
    let kind =
        prop_oneof![1 => Just(PassKind::Change), 1 => Just(PassKind::Read), 8 => Just(PassKind::Write)];
    prop_oneof![
        6 => (0..2_u8, priority, kind).prop_map(|(payer, priority, kind)| Event::Wants { payer, priority, kind }),
        3 => (0..9_usize, prop::bool::weighted(0.05)).prop_map(|(order, pauses)| Event::Ends { order, pauses }),
        1 => (0..9_usize).prop_map(|order| Event::Goes { order }),
        1 => prop::option::of(1..4_u32).prop_map(|per_minute| Event::Paces { per_minute }),
    ]
}

fn pace(per_minute: Option<u32>, wait: u64) -> WritePace {
    let per_minute = per_minute.and_then(NonZeroU32::new);
    WritePace { per_minute, per_hour: None, wait: Duration::from_secs(wait) }
}

struct Node {
    engine: Engine,
    now: u64,
    /// What waits, with its payer, whether it is a write, and since when.
    waiting: BTreeMap<u64, (u8, bool, u64)>,
    under_way: BTreeMap<u64, u8>,
    ended: BTreeSet<u64>,
    /// When each payer's writes were begun.
    begun: Vec<(u64, u8)>,
}

impl Node {
    fn new() -> Self {
        let settings = Settings { writes: pace(Some(2), 100), ..Settings::default() };
        let (waiting, under_way) = (BTreeMap::new(), BTreeMap::new());
        let (ended, begun) = (BTreeSet::new(), Vec::new());
        Self { engine: Engine::new(settings), now: 0, waiting, under_way, ended, begun }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000_000_000 + self.now)
    }

    fn handle(&mut self, input: Input) {
        self.engine.handle(self.at(), input);
        self.take_outputs();
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Depart { order: OrderId(order) } => {
                    let (payer, is_write, _) = self.waiting.remove(&order).expect("only what waits is made");
                    self.under_way.insert(order, payer);
                    if is_write {
                        self.begun.push((self.now, payer));
                    }
                }
                Output::Withheld { order: OrderId(order), failure } => {
                    assert!(self.waiting.remove(&order).is_some(), "only what waits is refused: {failure:?}");
                    assert!(self.ended.insert(order));
                }
                _ => {}
            }
        }
    }

    /// Lets time pass, and has the engine do what is due on the way.
    fn pass(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some((due, _)) = self.engine.poll_timeout() {
            let due = due.as_unix_millis().saturating_sub(1_000_000_000_000).max(self.now);
            if due > until {
                break;
            }
            self.now = due;
            self.handle(Input::Tick);
        }
        self.now = until;
    }
}

proptest! {
    #[test]
    fn each_is_made_or_refused_once_and_no_payer_s_writes_are_more_than_may_be_nor_wait_for_another_s(
        happens in vec((event(), prop_oneof![2 => Just(0_u64), 2 => 0..30_000_u64]), 1..60),
    ) {
        let mut node = Node::new();
        let (mut most, mut has_paused) = (2, false);
        for (order, (event, pause)) in happens.into_iter().enumerate() {
            let order = order as u64;
            match event {
                Event::Wants { payer, priority, kind } => {
                    node.waiting.insert(order, (payer, kind == PassKind::Write, node.now));
                    let (order, payer) = (OrderId(order), Payer::from_bytes([payer + 1; 16]));
                    node.handle(Input::Pass { order, payer, bucket: Bucket(0), kind, priority });
                }
                Event::Ends { order, pauses } => {
                    let Some(order) = node.under_way.keys().nth(order % node.under_way.len().max(1)).copied() else { continue };
                    node.under_way.remove(&order);
                    node.ended.insert(order);
                    has_paused |= pauses;
                    let pause = pauses.then_some((Duration::from_secs(20), Shortage::Pace));
                    let (order, reach, reached) = (OrderId(order), Reach::default(), Reached::Yes);
                    node.handle(Input::Passed { order, reach, reached, refused: None, allowance: None, is_counted: false, pause });
                }
                Event::Goes { order } => {
                    let Some(order) = node.waiting.keys().nth(order % node.waiting.len().max(1)).copied() else { continue };
                    node.waiting.remove(&order);
                    node.ended.insert(order);
                    node.handle(Input::GivenUp { order: OrderId(order) });
                }
                Event::Paces { per_minute } => {
                    most = per_minute.map_or(usize::MAX, |most_now| if most == usize::MAX { most } else { most.max(most_now as usize) });
                    node.handle(Input::PaceWrites { pace: pace(per_minute, 100) });
                }
            }
            node.pass(pause);
            for (payer, is_write, since) in node.waiting.values().copied() {
                prop_assert!(
                    !is_write || node.now - since <= 100_000, "{} waits since {since} at {}", payer, node.now);
                let lately = node.begun.iter().filter(|(at, by)| *by == payer && *at + 60_050 > node.now);
                prop_assert!(!is_write || lately.count() > 0 || has_paused, "{payer} has none of its own to wait for");
            }
            for payer in 0..2 {
                let begun = node.begun.iter().filter(|(at, by)| *by == payer && *at + 60_000 > node.now).count();
                prop_assert!(begun <= most, "{begun} of {payer}");
            }
        }
        node.pass(200_000);
        prop_assert!(node.waiting.is_empty(), "{:?}", node.waiting);
    }
}

#[test]
fn one_payer_s_queue_leaves_room_for_others() {
    let mut node = Node::new();
    node.handle(Input::PaceWrites {
        pace: WritePace { wait: Duration::from_secs(1_000_000), ..pace(Some(1), 0) },
    });
    let want = |node: &mut Node, order: u64, payer: u8| {
        node.waiting.insert(order, (payer, true, 0));
        let (order, payer) = (OrderId(order), Payer::from_bytes([payer; 16]));
        node.handle(Input::Pass {
            order,
            payer,
            bucket: Bucket(0),
            kind: PassKind::Write,
            priority: Priority::Normal,
        });
    };
    for order in 0..1_000 {
        want(&mut node, order, 1);
    }
    assert_eq!(node.engine.writes_waiting(), WAITING_OF_PAYER_MAX);
    for order in 1_000..10_000 {
        want(&mut node, order, 2 + (order % 10) as u8);
    }
    assert_eq!(node.engine.writes_waiting(), WRITES_WAITING_MAX);
}
