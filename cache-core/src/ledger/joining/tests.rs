//! When payers are joined and parted, at one node. Whole fleets are in `ledger/worlds.rs`.

use super::*;
use crate::{
    Bucket, Domain, PeerId, Reserves,
    ledger::{Ledger, Spenders},
};

const CORE: Bucket = Bucket(0);

fn payer(number: u64) -> Payer {
    Payer::from_bytes((u128::from(number) << 64).to_be_bytes())
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000_000 + seconds * 1_000)
}

/// A node, which makes a call each second.
struct Node {
    ledger: Ledger,
    now: u64,
}

impl Node {
    fn alone() -> Self {
        Self { ledger: Ledger::new(Reserves::NONE, 80, None), now: 0 }
    }

    fn member() -> Self {
        let local = PeerId::from_public_key([1; 32]);
        Self { ledger: Ledger::new(Reserves::NONE, 80, Some(local)), now: 0 }
    }

    /// A call of payer `number` is answered, and shows `used` of a window that ends in second `reset`.
    fn calls(&mut self, number: u64, used: u64, reset: u64) {
        self.ledger.begin((payer(number), CORE), at(self.now));
        self.is_shown(number, used, reset);
        self.ledger.count(&shown(number, used, reset), at(self.now));
        self.ledger.end((payer(number), CORE));
    }

    /// The same of a call that costs nothing.
    fn is_shown(&mut self, number: u64, used: u64, reset: u64) {
        self.now += 1;
        let (now, members) = (at(self.now), Spenders { members: 1, districts: 1 });
        self.ledger.note(shown(number, used, reset), (now, now), members);
    }

    fn hears(&mut self, number: u64, used: u64, reset: u64) {
        self.ledger.hear(shown(number, used, reset), at(self.now));
    }

    fn are_one(&self, one: u64, other: u64) -> bool {
        self.ledger.one_with(payer(one)).contains(&payer(other))
    }
}

fn shown(number: u64, used: u64, reset: u64) -> Allowance {
    let window = Window { limit: 5_000, remaining: 5_000 - used, used, reset: at(reset) };
    let resource = "core".into();
    Allowance { payer: payer(number), domain: Domain::ANONYMOUS, resource, bucket: Some(CORE), window }
}

/// A node to which payers 1 and 2 are one, as one took over at 21.
fn joined(reset: u64) -> Node {
    let mut node = Node::alone();
    (1..=20).for_each(|used| node.calls(1, used, reset));
    (21..=23).for_each(|used| node.calls(2, used, reset));
    assert!(node.are_one(1, 2));
    node
}

#[test]
fn payers_whose_calls_fill_one_count_in_turn_are_one() {
    let mut node = Node::alone();
    for used in 1..=40 {
        assert!(!node.are_one(1, 2), "{used}");
        node.calls(1 + used % 2, used, 3_600);
    }
    assert!(node.are_one(1, 2) && node.are_one(2, 1));
    assert_eq!(node.ledger.one_with(payer(3)), [payer(3)]);
}

#[test]
fn three_tokens_of_one_user_are_one() {
    let mut node = Node::alone();
    (1..=70).for_each(|used| node.calls(1 + used * 7 / 5 % 3, used, 3_600));
    assert_eq!(node.ledger.one_with(payer(1)), [payer(1), payer(2), payer(3)]);
}

#[test]
fn a_member_joins_payers_once_others_had_time_to_tell_of_the_contrary() {
    let mut node = Node::member();
    (1..=40).for_each(|used| node.calls(1 + used % 2, used, 3_600));
    let due = node.ledger.next_due();
    assert!(due.is_some() && !node.are_one(1, 2));
    node.ledger.settle(at(42));
    assert!(!node.are_one(1, 2));
    node.ledger.settle(at(43));
    assert!(node.are_one(1, 2));

    let mut node = Node::member();
    (1..=40).for_each(|used| node.calls(1 + used % 2, used, 3_600));
    let mut told = node.ledger.present_numbers(at(40)).next().expect("two payers have the same window");
    told.numbers = crate::Numbers::from_words(20, &[0b11]).expect("they are numbers");
    assert!(
        node.ledger.hear_numbers(&told, at(41)),
        "another member made two calls, one of which has a number that is taken"
    );
    node.ledger.settle(at(43));
    assert!(!node.are_one(1, 2));
}

#[test]
fn payers_that_are_counted_apart_are_not_one_though_they_begin_together_and_take_turns() {
    for (one, other) in [(1, 1), (1, 2), (2, 3), (3, 1), (9, 9), (30, 30)] {
        // The second is some calls ahead.
        for ahead in [0, 1, 2, 5, 30] {
            let (mut node, mut used) = (Node::alone(), [0, ahead]);
            for _ in 0..100 {
                for (which, calls) in [(0, one), (1, other)] {
                    for _ in 0..calls {
                        used[which] += 1;
                        node.calls(which as u64 + 1, used[which], 360_000);
                    }
                    // After the first turn of both, what was a chance is refuted.
                    let is_begun = used[0] > 2 * one.max(ahead);
                    assert!(!is_begun || !node.are_one(1, 2), "{one} and {other}: {used:?}");
                }
            }
        }
    }
}

#[test]
fn even_turns_with_as_many_calls_outside_of_the_fleet_join_nobody() {
    // A query of five points each, or a call outside of the fleet between any two.
    for (steps, ahead) in [([5, 5], 2), ([3, 3], 1), ([2, 2], 0), ([2, 3], 1), ([3, 2], 1), ([2, 1], 1)] {
        let (mut node, mut used) = (Node::alone(), [0, ahead]);
        for _ in 0..200 {
            for which in [0, 1] {
                used[which] += steps[which];
                node.calls(which as u64 + 1, used[which], 3_600);
            }
        }
        assert!(!node.are_one(1, 2), "{steps:?}");
    }
}

#[test]
fn bots_that_call_in_step_at_nodes_of_which_others_tell_nothing_are_not_one() {
    for nodes in [2, 3, 5] {
        for turn in [1, 2, 3, 4, 7] {
            for ahead in [0, 1, 2] {
                let (mut node, mut used) = (Node::alone(), [0, ahead]);
                for call in 0..2_000 {
                    let which = call / turn % 2;
                    used[which] += 1;
                    if call % nodes == 0 {
                        node.calls(which as u64 + 1, used[which], 36_000);
                    }
                    // Every other call of each, one ahead: nothing tells these from calls in turn.
                    let is_like_turns = (nodes, turn, ahead) == (2, 2, 1);
                    let context = alloc::format!("{nodes} nodes, turns of {turn}, {ahead}: {used:?}");
                    assert!(is_like_turns || !node.are_one(1, 2), "{context}");
                }
            }
        }
    }
}

#[test]
fn calls_that_cost_nothing_neither_join_nor_part() {
    let mut node = Node::alone();
    (0..50).for_each(|call| node.is_shown(1 + call % 2, 7, 3_600));
    assert!(!node.are_one(1, 2));
    let mut node = joined(3_600);
    (0..50).for_each(|call| node.is_shown(1 + call % 2, 23, 3_600));
    assert!(node.are_one(1, 2));
}

#[test]
fn a_token_that_goes_on_where_another_has_left_off_is_the_same_payer() {
    assert!(joined(3_600).are_one(2, 1));
    // Another end of the window, another use.
    for (first, reset) in [(21, 3_590), (22, 3_600), (20, 3_600), (1, 3_600)] {
        let mut node = Node::alone();
        (1..=20).for_each(|used| node.calls(1, used, 3_600));
        (first..first + 30).for_each(|used| node.calls(2, used, reset));
        assert!(!node.are_one(1, 2), "{first} until {reset}");
    }
}

#[test]
fn payers_that_are_shown_one_number_each_are_parted_and_stay_so_until_the_window_ends() {
    let mut node = joined(3_600);
    node.calls(1, 21, 3_600);
    assert!(!node.are_one(1, 2));
    (24..200).for_each(|used| node.calls(1 + used % 2, used, 3_600));
    assert!(!node.are_one(1, 2));
    node.now = 3_600;
    (1..=40).for_each(|used| node.calls(1 + used % 2, used, 7_200));
    assert!(node.are_one(1, 2));
}

#[test]
fn a_call_that_shows_no_more_than_was_used_of_the_other_when_it_began_parts_them() {
    let mut node = joined(3_600);
    node.hears(2, 30, 3_600);
    node.calls(1, 30, 3_600);
    assert!(!node.are_one(1, 2));
    // One that was under way by then says nothing.
    let mut node = joined(3_600);
    node.ledger.begin((payer(1), CORE), at(node.now));
    node.hears(2, 30, 3_600);
    node.calls(1, 29, 3_600);
    assert!(node.are_one(1, 2));
}

#[test]
fn payers_whose_use_or_windows_part_are_parted() {
    let mut node = joined(3_600);
    node.hears(1, 900, 3_600);
    node.hears(2, 650, 3_600);
    assert!(node.are_one(1, 2), "an answer was overtaken");
    node.hears(1, 902, 3_600);
    node.hears(2, 651, 3_600);
    assert!(!node.are_one(1, 2));
    let mut node = joined(3_600);
    node.is_shown(2, 1, 7_200);
    assert!(!node.are_one(1, 2));
}

#[test]
fn what_belongs_together_does_so_in_the_next_window() {
    let mut node = joined(200);
    node.now = 201;
    node.calls(2, 1, 3_700);
    node.calls(1, 2, 3_700);
    assert!(node.are_one(1, 2));
}

#[test]
fn beyond_the_bound_no_pair_is_known_until_windows_end() {
    let mut joining = Joining::new(false);
    for number in 0..PAIRS_MAX as u64 + 1 {
        joining.contradict((payer(0), payer(number + 1)), at(200), at(0));
    }
    assert_eq!(joining.pairs.len(), PAIRS_MAX);
    joining.contradict((payer(0), payer(1)), at(300), at(199));
    joining.contradict((payer(0), payer(2_000)), at(300), at(200));
    assert_eq!(joining.pairs.len(), 2);
}

/// Where each answer had all pairs of them looked at, this would take hours.
#[test]
fn hundreds_of_payers_whose_windows_end_in_one_second_are_told_apart_in_no_time() {
    let mut node = Node::alone();
    for used in 1..=12 {
        (0..250).for_each(|number| node.calls(number, used, 3_600));
        node.now = 0;
    }
    assert!((1..250).all(|number| !node.are_one(0, number)));
    // And two that are one are joined all the same.
    for used in 1..=40 {
        node.calls(1_000 + used % 2, used, 1_800);
    }
    assert!(node.are_one(1_000, 1_001));
}
