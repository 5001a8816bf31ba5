//! Situations with a name.
//!
//! Each is a plan for a seed and a number of nodes. What is demanded of it beyond what is demanded always, such as
//! how many calls it may cost, is in this package's tests.

mod hour;

pub use hour::hour_of_autoscaling;

use crate::{
    plan::{Deed, OutageKind, Plan, Victim},
    random::Random,
};
use cache_core::freshness::{Directives, Freshness};
use std::time::Duration;

/// Makes a plan from a seed and a number of nodes.
pub type Scenario = fn(u64, usize) -> Plan;

/// Every scenario by its name.
pub const ALL: &[(&str, Scenario)] = &[
    ("autoscaler", autoscaler),
    ("cold-at-once", |seed, nodes| cold_at_once(seed, nodes, 3)),
    ("cold-in-turn", |seed, nodes| cold_in_turn(seed, nodes, 3)),
    ("coordinator-crashes", |seed, nodes| herd_with(seed, nodes, crash(Victim::Coordinator(0)))),
    ("coordinator-pauses", |seed, nodes| herd_with(seed, nodes, pause(Victim::Coordinator(0)))),
    ("herd", herd),
    ("herd-at-expiry", herd_at_expiry),
    ("herd-at-quota-reset", herd_at_quota_reset),
    ("herd-while-origin-fails", herd_while_origin_fails),
    ("holder-crashes", |seed, nodes| herd_with(seed, nodes, crash(Victim::Holder(0)))),
    ("holder-pauses", |seed, nodes| herd_with(seed, nodes, pause(Victim::Holder(0)))),
    ("hour-of-autoscaling", hour_of_autoscaling),
    ("split", split),
    ("writes", writes),
    ("zipf", zipf),
];

/// Every node asks for every resource, one request after the other.
pub fn cold_in_turn(seed: u64, nodes: usize, resources: usize) -> Plan {
    let requests = (0..nodes).flat_map(|node| (0..resources).map(move |key| (node, key)));
    requests.zip(0..).fold(Plan::calm(seed, nodes, resources), |plan, ((node, key), step)| {
        plan.with(millis(500 * step), get(node, key))
    })
}

/// Every node asks for every resource within 50 ms.
pub fn cold_at_once(seed: u64, nodes: usize, resources: usize) -> Plan {
    (0..resources).fold(Plan::calm(seed, nodes, resources), |plan, key| {
        plan.with(Duration::ZERO, Deed::Herd { key, within: HERD })
    })
}

/// Every node asks for one resource within 50 ms.
pub fn herd(seed: u64, nodes: usize) -> Plan {
    cold_at_once(seed, nodes, 1)
}

/// Every node asks for one resource, and again when its time is up.
pub fn herd_at_expiry(seed: u64, nodes: usize) -> Plan {
    let again = Plan::calm(seed, nodes, 1).origin.freshness.lifetime + millis(500);
    herd(seed, nodes).with(again, Deed::Herd { key: 0, within: HERD })
}

/// The quota is spent by one call; every node asks for another resource, and again when the quota returns.
pub fn herd_at_quota_reset(seed: u64, nodes: usize) -> Plan {
    let (mut plan, window) = (Plan::calm(seed, nodes, 2), Duration::from_secs(60));
    plan.origin.quota = Some((1, window));
    plan.with(Duration::ZERO, get(0, 0))
        .with(millis(2_000), Deed::Herd { key: 1, within: HERD })
        .with(window + millis(2_000), Deed::Herd { key: 1, within: HERD })
}

/// Every node asks for one resource of an origin that answers with faults, and again a little later.
pub fn herd_while_origin_fails(seed: u64, nodes: usize) -> Plan {
    let outage = Deed::Outage { kind: OutageKind::Fault, lasts: Duration::from_secs(60) };
    let mut plan = herd(seed, nodes);
    plan.origin.freshness.if_error = Duration::from_secs(3600);
    let again = plan.origin.freshness.lifetime + millis(500);
    plan.with(again - millis(100), outage)
        .with(again, Deed::Herd { key: 0, within: HERD })
        .with(again + millis(5_000), Deed::Herd { key: 0, within: HERD })
}

/// Every node asks for one resource, and something happens while it is fetched.
pub fn herd_with(seed: u64, nodes: usize, deed: Deed) -> Plan {
    let mut plan = herd(seed, nodes);
    plan.origin.latency = millis(300);
    plan.with(millis(150), deed)
}

/// Requests as Zipf has them over a thousand resources, at 50 a second for a minute.
pub fn zipf(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (Plan::calm(seed, nodes, 1_000), Random::new(seed, SCENARIO_STREAM));
    let ranks = Ranks::new(plan.resources);
    for step in 0..3_000 {
        let (node, key) = (random.below(nodes as u64) as usize, ranks.pick(&mut random));
        plan = plan.with(millis(20 * step), get(node, key));
    }
    plan
}

/// The same with a write among twenty requests: most forget one key, some a prefix, some put a value.
pub fn writes(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (zipf(seed, nodes), Random::new(seed, SCENARIO_STREAM + 1));
    for event in &mut plan.events {
        let Deed::Get { node, key, .. } = event.deed else { continue };
        event.deed = match random.below(60) {
            0 => Deed::Put { node, key },
            1 | 2 => Deed::Invalidate { node, key },
            3 => Deed::InvalidatePrefix { node, key, letters: 2, every_domain: true },
            _request => continue,
        };
    }
    plan
}

/// The same while a third of the nodes come and go.
pub fn autoscaler(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (zipf(seed, nodes), Random::new(seed, SCENARIO_STREAM + 2));
    let third = (nodes / 3).max(1);
    for step in 0..60 {
        let node = nodes - 1 - random.below(third as u64) as usize;
        let deed = match random.below(3) {
            0 => Deed::Leave { node },
            1 => Deed::Crash { victim: Victim::Node(node), down_for: millis(3_000), keeps_disk: true },
            _join => Deed::Join { node },
        };
        plan = plan.with(millis(1_000 * step), deed);
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// The same while half of the nodes are cut off from the others for twenty seconds.
pub fn split(seed: u64, nodes: usize) -> Plan {
    let lasts = Duration::from_secs(20);
    let side = 0x5555_5555_5555_5555;
    let mut plan = zipf(seed, nodes).with(lasts, Deed::Partition { side, one_way: false, lasts });
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// One domain's answers live so short that only those who ask together share them.
pub fn short_lived(seed: u64, nodes: usize) -> Plan {
    let mut plan = herd(seed, nodes);
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(1), ..Freshness::default() };
    plan
}

/// A node asks for a key.
pub fn get(node: usize, key: usize) -> Deed {
    Deed::Get { node, key, directives: Directives::default() }
}

fn crash(victim: Victim) -> Deed {
    Deed::Crash { victim, down_for: Duration::from_secs(20), keeps_disk: false }
}

fn pause(victim: Victim) -> Deed {
    Deed::Pause { victim, lasts: Duration::from_secs(40) }
}

/// How often each rank is meant: the second half as often as the first, the third a third as often.
pub(crate) struct Ranks(Vec<u64>);

impl Ranks {
    pub(crate) fn new(count: usize) -> Self {
        let sums = (1..=count as u64).scan(0, |sum, rank| {
            *sum += 1_000_000 / rank;
            Some(*sum)
        });
        Self(sums.collect())
    }

    pub(crate) fn pick(&self, random: &mut Random) -> usize {
        let number = random.below(self.0.last().copied().unwrap_or(0));
        self.0.partition_point(|sum| *sum <= number)
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// "At the same time", as the specification means it.
const HERD: Duration = Duration::from_millis(50);

const SCENARIO_STREAM: u64 = 16;
