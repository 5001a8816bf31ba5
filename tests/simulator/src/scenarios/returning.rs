//! Situations in which it matters what outlives a process: its disk, what is in doubt there, and the members that it
//! remembers.

use super::{Ranks, get, millis};
use crate::{
    plan::{Deed, Plan, Victim},
    random::Random,
};
use cache_core::Disk;
use std::time::Duration;

/// Requests by Zipf's law over forty resources, with a write among ten that is refused or has an unknown end, while
/// nodes end without notice and come back with their disks.
pub fn doubts(seed: u64, nodes: usize) -> Plan {
    let mut plan = with_disks(seed, nodes, 40);
    // Memory has no room for all: what is in doubt comes from the disk as well.
    plan.settings.budget.entries_max = 20;
    let mut random = Random::new(seed, STREAM);
    let ranks = Ranks::new(plan.resources);
    for step in 0..1_500 {
        let (node, key) = (random.below(nodes as u64) as usize, ranks.pick(&mut random));
        let letters = 2 + random.below(3) as usize;
        let deed = match random.below(60) {
            0..=2 => Deed::Doubt { node, key, letters, every_domain: true },
            3..=5 => Deed::Refuse { node, key, letters },
            6 => crash(node, millis(1_000)),
            _request => get(node, key),
        };
        plan = plan.with(millis(40 * step), deed);
    }
    plan
}

/// As [`doubts`], and every third removal takes seconds: a write may no longer wait for it, or its node end before.
pub fn slow_disks(seed: u64, nodes: usize) -> Plan {
    Plan { disk_stuck_one_in: 3, ..doubts(seed, nodes) }
}

/// A node is down for a while, in which others write what it has on its disk. It is asked for that as soon as it is
/// back, except for one thing, of which it is only told, and is asked for all when it has started once more. In later
/// rounds members no longer remember the first writes; in the last one all start again.
pub fn returns_after_writes(seed: u64, nodes: usize) -> Plan {
    let (resources, untold) = (8, 7);
    let mut plan = with_disks(seed, nodes, resources);
    // All its contacts answer within the time for which it waits for the first.
    plan.network.latency = [Duration::from_micros(200), millis(2), millis(15)][seed as usize % 3];
    let (victim, writer) = (nodes - 1, 0);
    for round in 0..ROUNDS {
        let is_last = round + 1 == ROUNDS;
        let at = millis(20_000 * round) + if round < EARLY_ROUNDS { Duration::ZERO } else { FORGOTTEN_AFTER };
        for key in 0..resources {
            plan = plan.with(at + millis(10 * key as u64), get(victim, key));
        }
        let (down, down_for) = (at + millis(3_000), millis(2_000));
        plan = plan.with(down, crash(victim, down_for));
        for key in 0..resources {
            let deed = match key % 3 {
                0 => Deed::Invalidate { node: writer, key },
                1 => Deed::Doubt { node: writer, key, letters: 4, every_domain: true },
                _untouched => continue,
            };
            plan = plan.with(down + millis(1_000), deed);
        }
        let back = down + down_for;
        for key in (0..resources).filter(|key| *key != untold) {
            // The later ones come while it is being told, or a little after.
            let after = Duration::from_micros(1 + 300 * key as u64 * (1 + round));
            plan = plan.with(back + after, get(victim, key));
        }
        let again = back + millis(2_000);
        let victims = if is_last { 0 } else { victim }..nodes;
        plan = victims.fold(plan, |plan, node| plan.with(again, crash(node, millis(500))));
        for key in 0..resources {
            plan = plan.with(again + millis(501), get(victim, key));
        }
    }
    plan
}

/// The only contact goes for good, and then others start again: one of them, or all but one.
pub fn contact_is_gone(seed: u64, nodes: usize) -> Plan {
    let mut plan = with_disks(seed, nodes, 3);
    plan.contacts = 1;
    // Long enough for the list of members to be kept.
    let gone = millis(15_000);
    plan = plan.with(Duration::ZERO, get(0, 0)).with(gone, Deed::Leave { node: 0 });
    let others = 1..nodes;
    let stays = others.clone().nth(seed as usize % others.len().max(1));
    let restarts =
        |node: &usize| if seed.is_multiple_of(2) { Some(*node) != stays } else { Some(*node) == stays };
    let victims: Vec<usize> = others.filter(restarts).collect();
    for (step, victim) in (0..).zip(&victims) {
        plan = plan.with(gone + millis(5_000 + 100 * step), crash(*victim, millis(2_000)));
    }
    for step in 0..10 {
        for victim in &victims {
            plan = plan.with(gone + millis(12_000 + 5_000 * step), get(*victim, step as usize % 3));
        }
    }
    plan
}

fn with_disks(seed: u64, nodes: usize, resources: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, resources);
    plan.settings.disk = Disk::Present;
    plan.origin.freshness.if_error = Duration::from_secs(60);
    plan
}

fn crash(node: usize, down_for: Duration) -> Deed {
    Deed::Crash { victim: Victim::Node(node), down_for, keeps_disk: true }
}

/// Rounds, and how many of them come before [`FORGOTTEN_AFTER`].
const ROUNDS: u64 = 6;
const EARLY_ROUNDS: u64 = 4;

/// Time after which no member remembers a write.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(620);

const STREAM: u64 = 32;
