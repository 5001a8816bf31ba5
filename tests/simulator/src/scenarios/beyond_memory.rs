//! Situations in which a fleet has more than one memory holds, and than each member may be told of.

use super::{Scenario, get, millis, runners_as_members};
use crate::{
    plan::{Deed, Plan, Victim},
    random::Random,
};
use cache_core::{Disk, freshness::Freshness};
use std::time::Duration;

/// Scenarios that take too long to be among those that are always run.
pub const LARGE: &[(&str, Scenario)] = &[
    ("beyond-a-thousand-entries", |seed, nodes| beyond_one_memory(seed, nodes, 1_000)),
    ("runners-as-members", runners_as_members),
    ("late-joiners-to-20000", |seed, nodes| late_joiners(seed, nodes, 20_000, 1_000)),
];

/// A quarter as many resources as all memories together hold, each of which has room for `entries_max`, are read at random
/// nodes, each a dozen times. There are no disks.
pub fn beyond_one_memory(seed: u64, nodes: usize, entries_max: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, nodes * entries_max / 4);
    plan.settings.budget.entries_max = entries_max;
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(3600), ..Freshness::default() };
    plan.ceiling = plan.origin.freshness;
    plan.demands.calls_percent_max = Some(125);
    let mut random = Random::new(seed, STREAM);
    for step in 0..12 * plan.resources {
        let (node, key) = (random.below(nodes as u64) as usize, random.below(plan.resources as u64) as usize);
        plan = plan.with(millis(5 * step as u64), get(node, key));
    }
    plan
}

/// Every node reads four resources twice in each of ten lifetimes, and may tell no other of what it has not asked for.
pub fn readers(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 4);
    plan.limits.unasked_bytes_per_second = 0;
    plan.origin.freshness.lifetime = LIFETIME;
    // One that asks is not told the next time only, so every second lifetime costs it a question.
    plan.demands.hits_percent_min = Some(72);
    let mut random = Random::new(seed, STREAM);
    for half in 0..2 * LIFETIMES {
        for node in 0..nodes {
            for key in 0..plan.resources {
                plan = plan.with(LIFETIME / 2 * half + random.up_to(LIFETIME / 2), get(node, key));
            }
        }
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// All but one node have read everything, most of which only their disks still hold; the last one comes and reads it all.
pub fn late_joiner(seed: u64, nodes: usize, resources: usize, entries_max: usize) -> Plan {
    let mut plan = with_disks(seed, nodes, resources, entries_max);
    plan.nodes_at_start = nodes - 1;
    plan.demands.calls_percent_max = Some(101);
    let mut at = Duration::ZERO;
    for key in 0..resources {
        for node in 0..nodes - 1 {
            plan = plan.with(at, get((key + node) % (nodes - 1), key));
            at += millis(3);
        }
    }
    at += Duration::from_secs(5);
    plan = plan.with(at, Deed::Join { node: nodes - 1 });
    at += Duration::from_secs(12);
    for step in 0..resources {
        // Not in the order in which they left the others' memory.
        let key = step * 7919 % resources;
        plan = plan.with(at, get(nodes - 1, key));
        at += millis(3);
    }
    plan
}

/// All but the two last nodes have read everything between them, each resource at two of them, and each memory holds
/// `entries_max`. Then those two come and read everything, the second when another has just left for good.
pub fn late_joiners(seed: u64, nodes: usize, resources: usize, entries_max: usize) -> Plan {
    let mut plan = with_disks(seed, nodes, resources, entries_max);
    if !seed.is_multiple_of(2) {
        plan.limits.unasked_bytes_per_second = 0;
    }
    let veterans = nodes.saturating_sub(2).max(1);
    plan.nodes_at_start = veterans;
    // One in a hundred for each that comes.
    plan.demands.calls_percent_max = Some(103);
    let mut at = Duration::ZERO;
    for key in 0..resources {
        for reader in [key, key + 1 + key / veterans] {
            plan = plan.with(at, get(reader % veterans, key));
            at += STEP;
        }
    }
    let read_all = |mut plan: Plan, node: usize, mut at: Duration| {
        at += Duration::from_secs(12);
        for step in 0..resources {
            // Not in the order in which they left the others' memory.
            plan = plan.with(at, get(node, step * 7919 % resources));
            at += STEP;
        }
        (plan, at + Duration::from_secs(5))
    };
    at += Duration::from_secs(5);
    (plan, at) = read_all(plan.with(at, Deed::Join { node: nodes - 2 }), nodes - 2, at);
    let (victim, down_for) = (Victim::Node(0), Duration::from_secs(5));
    plan = plan.with(at, Deed::Crash { victim, down_for, keeps_disk: true });
    (plan, at) = read_all(plan, 0, at + down_for);
    plan = plan.with(at, Deed::Leave { node: 1 });
    at += Duration::from_secs(5);
    read_all(plan.with(at, Deed::Join { node: nodes - 1 }), nodes - 1, at).0
}

/// Nodes whose memories hold `entries_max`, and whose disks hold all.
fn with_disks(seed: u64, nodes: usize, resources: usize, entries_max: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, resources);
    plan.settings.disk = Disk::Present;
    plan.settings.budget.entries_max = entries_max;
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(3600), ..Freshness::default() };
    plan.ceiling = plan.origin.freshness;
    plan.disk_stuck_one_in = u64::MAX;
    plan
}

const LIFETIME: Duration = Duration::from_secs(60);

const LIFETIMES: u32 = 10;

/// Time between two requests.
const STEP: Duration = Duration::from_millis(3);

const STREAM: u64 = 41;
