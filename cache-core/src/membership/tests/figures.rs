//! Figures: how long things take in fleets of several sizes, and what they cost.
//!
//! Printed by `cargo test --release -p cache-core --lib membership::tests::figures -- --ignored --nocapture`.

extern crate std;

use super::{super::*, Fleet, peer};
use std::eprintln;

/// The longest of several times, all of which must come to an end.
pub(super) fn longest_millis(seeds: u64, measure: impl Fn(u64) -> Option<u64>) -> u64 {
    sorted_millis(seeds, measure).pop().unwrap()
}

/// From the moment of dialling until all know the newcomer and it knows all.
pub(super) fn join(size: usize, seed: u64) -> Option<u64> {
    let mut fleet = Fleet::formed(size, seed);
    let newcomer = fleet.add();
    fleet.connect(newcomer, usize::try_from(seed).unwrap() % size);
    fleet.until(30_000, Fleet::is_complete)
}

/// Time from the farewell until no member knows the one that left.
pub(super) fn leave(size: usize, seed: u64) -> Option<u64> {
    let mut fleet = Fleet::formed(size, seed);
    fleet.run(2_000 + seed * 37);
    fleet.leave(size - 1);
    fleet.until(30_000, |fleet| fleet.nobody_knows(size - 1))
}

/// Time from a loss of power until no member knows the one that lost it.
pub(super) fn crash(size: usize, seed: u64) -> Option<u64> {
    let mut fleet = Fleet::formed(size, seed);
    fleet.run(2_000 + seed * 37);
    fleet.crash(size - 1);
    fleet.until(30_000, |fleet| fleet.nobody_knows(size - 1))
}

/// From a start right after a crash until all know the new boot number.
pub(super) fn restart(size: usize, seed: u64) -> Option<u64> {
    let mut fleet = Fleet::formed(size, seed);
    fleet.run(2_000 + seed * 37);
    fleet.crash(size - 1);
    fleet.start(size - 1);
    fleet.connect(size - 1, 0);
    let boot = fleet.membership(size - 1).local().boot();
    fleet.until(30_000, |fleet| {
        let known = |node: &Membership| node.member(peer(size - 1)).is_some_and(|it| it.boot() == boot);
        fleet.is_complete() && fleet.up().take(size - 1).all(known)
    })
}

#[test]
#[ignore = "prints figures"]
fn times_of_many_fleets() {
    for (size, seeds) in [(2, 1000), (5, 1000), (20, 300), (100, 30)] {
        print("join", size, seeds, |seed| join(size, seed));
        print("leave", size, seeds, |seed| leave(size, seed));
        print("crash", size, seeds, |seed| crash(size, seed));
        print("restart", size, seeds, |seed| restart(size, seed));
    }
}

#[test]
#[ignore = "prints figures"]
fn times_of_a_fleet_of_a_thousand() {
    let size = 1000;
    let mut fleet = Fleet::new(size, 1);
    for number in 1..size {
        fleet.connect(number, 0);
    }
    for _second in 0..30 {
        fleet.run(1_000);
        let fewest = fleet.up().map(|node| node.members().count()).min();
        eprintln!("{size} nodes start at once: after {}, each knows at least {fewest:?}", fleet.now());
        fleet.report("so far", 0, 0);
        if fleet.is_complete() {
            break;
        }
    }
    fleet.report("a start at once", 0, 0);
    for round in 0..5 {
        fleet.run(5_000);
        let newcomer = fleet.add();
        fleet.connect(newcomer, round);
        eprintln!("join: {:?} ms", fleet.until(60_000, Fleet::is_complete));
        fleet.run(5_000);
        fleet.crash(500 + round);
        eprintln!("crash: {:?} ms", fleet.until(60_000, |fleet| fleet.nobody_knows(500 + round)));
        fleet.run(5_000);
        fleet.leave(700 + round);
        eprintln!("leave: {:?} ms", fleet.until(60_000, |fleet| fleet.nobody_knows(700 + round)));
    }
    let (messages, bytes) = fleet.sent();
    let (downs, renewals) = fleet.mistakes();
    fleet.run(60_000);
    fleet.report("a quiet minute", messages, bytes);
    let now = fleet.mistakes();
    eprintln!("in it, {} false downs, {} renewals seen", now.0 - downs, now.1 - renewals);
}

#[test]
#[ignore = "prints figures"]
fn costs_of_quiet_fleets() {
    for size in [2, 5, 20, 100] {
        let mut fleet = Fleet::formed(size, 1);
        fleet.run(20_000);
        let (messages, bytes) = fleet.sent();
        fleet.run(60_000);
        fleet.report("a quiet minute", messages, bytes);
    }
}

#[test]
#[ignore = "prints figures"]
fn mistakes_in_ten_minutes() {
    for loss_percent in [0, 2, 5, 10, 20] {
        for size in [2, 5, 20, 100] {
            let mut fleet = Fleet::formed(size, 1);
            fleet.loss_percent = loss_percent;
            fleet.run(600_000);
            let (downs, renewals) = fleet.mistakes();
            eprintln!("{loss_percent} % lost, {size} nodes: {downs} false downs, {renewals} renewals seen");
        }
    }
}

#[test]
#[ignore = "prints figures"]
fn mistakes_of_members_far_apart() {
    for millis in [50, 100, 150, 200, 300] {
        for size in [2, 5, 20, 100] {
            let mut fleet = Fleet::new(size, 1);
            fleet.delay = Duration::from_millis(millis);
            (1..size).for_each(|number| fleet.connect(number, 0));
            let formed = fleet.until(120_000, Fleet::is_complete);
            fleet.run(300_000);
            let (downs, renewals) = fleet.mistakes();
            eprintln!(
                "{millis} ms away, {size} nodes: complete after {formed:?} ms, in five minutes {downs} false downs, {renewals} renewals seen"
            );
        }
    }
}

fn sorted_millis(seeds: u64, measure: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
    let mut times: Vec<u64> = (0..seeds).map(|seed| measure(seed).expect("it comes to an end")).collect();
    times.sort_unstable();
    times
}

fn print(what: &str, size: usize, seeds: u64, measure: impl Fn(u64) -> Option<u64>) {
    let times = sorted_millis(seeds, measure);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    eprintln!(
        "{what}, {size} nodes, {seeds} runs: p50 {} ms, p99 {} ms, longest {} ms",
        at(50),
        at(99),
        at(100)
    );
}

impl Fleet {
    fn sent(&self) -> (u64, u64) {
        self.nodes.iter().fold((0, 0), |sum, node| (sum.0 + node.sent_messages, sum.1 + node.sent_bytes))
    }

    fn mistakes(&self) -> (usize, u64) {
        self.nodes.iter().fold((0, 0), |sum, node| (sum.0 + node.downs.len(), sum.1 + node.renewals))
    }

    /// What was sent since `messages` and `bytes`, for each node; by the second if that took a minute.
    fn report(&self, what: &str, messages: u64, bytes: u64) {
        let size = self.up().count();
        let now = self.sent();
        let each = |sum: u64| sum / size as u64;
        let (messages, bytes) = (each(now.0 - messages), each(now.1 - bytes));
        eprintln!("{what}, {size} nodes, for each: {messages} messages, {bytes} bytes");
    }
}
