//! What a fleet costs, for each size of fleet: calls, announcements, and peaks.

#[cfg(test)]
mod tests;

use crate::{
    figures::Figures,
    plan::{Deed, Event, Plan, Victim},
    random::Random,
    scenarios::{Ranks, get},
    world::{STARTING, World},
};
use cache_core::freshness::Freshness;
use std::time::Duration;

/// What a fleet of one size costs.
#[derive(Clone, Debug)]
pub struct Economy {
    /// How many nodes the fleet has.
    pub nodes: usize,
    /// Calls for each distinct resource and lifetime, where nothing fails.
    pub calls_calm: f64,
    /// The same where frames are lost and nodes come and go, as [`rough`] has it.
    pub calls_rough: f64,
    /// Messages by which others learn of a new entry.
    pub announcements: f64,
    /// Bytes of an announcement by name, as it is sent for long bodies, with its frame and seal.
    pub announcement_bytes: f64,
    /// Most calls in one second when all want what has just ceased to be fresh, for each call that one node alone
    /// would make.
    pub peak_at_expiry: f64,
    /// The same when the quota returns.
    pub peak_at_reset: f64,
}

impl Economy {
    /// Measures a fleet of `nodes`.
    ///
    /// # Panics
    ///
    /// If an engine breaks a rule.
    pub fn measure(seed: u64, nodes: usize) -> Self {
        let (calm, rough) = (sum(seed, nodes, calm), sum(seed, nodes, rough));
        let count = |name| calm.messages.get(name).copied().unwrap_or_default();
        let [whole, passed, named, pushed] =
            ["announce whole", "announce to pass on", "announce named", "answer hit"].map(count);
        let reset = STARTING + QUOTA_WINDOW;
        let (expiry, quota) = (figures(herd_at_expiry(seed, nodes)), figures(herd_at_reset(seed, nodes)));
        Self {
            nodes,
            calls_calm: ratio(calm.calls, calm.calls_ideal),
            calls_rough: ratio(rough.calls, rough.calls_ideal),
            announcements: ratio(whole.0 + passed.0 + named.0 + pushed.0, calm.calls),
            announcement_bytes: ratio(named.1, named.0) + FRAME_OVERHEAD_BYTES,
            peak_at_expiry: ratio(expiry.calls_peak(STARTING + LIFETIME), HERD_RESOURCES as u64),
            peak_at_reset: ratio(quota.calls_peak(reset), HERD_RESOURCES as u64),
        }
    }
}

/// Five minutes of requests by Zipf's law, fifty in a second from any node, for answers that live a minute.
pub fn calm(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (plan(seed, nodes, RESOURCES), Random::new(seed, ECONOMY_STREAM));
    let ranks = Ranks::new(RESOURCES);
    for at in (0..RUN.as_millis() as u64).step_by(20).map(Duration::from_millis) {
        let (node, key) = (random.below(nodes as u64) as usize, ranks.pick(&mut random));
        plan.events.push(Event { at, deed: get(node, key) });
    }
    plan
}

/// The same, with one frame in twenty lost, and in every minute one node in ten gone for some seconds: half of
/// them say goodbye, half crash.
pub fn rough(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (calm(seed, nodes), Random::new(seed, ECONOMY_STREAM + 1));
    plan.network.loss_per_mille = 50;
    let gone = (nodes as u64 * RUN.as_secs()).div_ceil(600);
    for _node in 0..gone {
        let (node, at) = (random.below(nodes as u64) as usize, random.up_to(RUN));
        let down_for = Duration::from_secs(5) + random.up_to(Duration::from_secs(10));
        if random.below(2) == 0 {
            plan.events.push(Event { at, deed: Deed::Leave { node } });
            plan.events.push(Event { at: at + down_for, deed: Deed::Join { node } });
        } else {
            let victim = Victim::Node(node);
            plan.events.push(Event { at, deed: Deed::Crash { victim, down_for, keeps_disk: false } });
        }
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// All nodes want all of [`HERD_RESOURCES`] resources within 50 ms, and again when their time is up.
pub fn herd_at_expiry(seed: u64, nodes: usize) -> Plan {
    let mut plan = plan(seed, nodes, HERD_RESOURCES);
    for at in [Duration::ZERO, LIFETIME + Duration::from_millis(500)] {
        for key in 0..HERD_RESOURCES {
            plan.events.push(Event { at, deed: Deed::Herd { key, within: Duration::from_millis(50) } });
        }
    }
    ended(plan, LIFETIME + Duration::from_secs(10))
}

/// The quota is spent on other things; all nodes want all of [`HERD_RESOURCES`] resources, again and again, each
/// every four seconds, until the quota has returned.
pub fn herd_at_reset(seed: u64, nodes: usize) -> Plan {
    let mut plan = plan(seed, nodes, 2 * HERD_RESOURCES);
    plan.origin.quota = Some((HERD_RESOURCES as u64, QUOTA_WINDOW));
    for key in HERD_RESOURCES..2 * HERD_RESOURCES {
        plan.events.push(Event { at: Duration::ZERO, deed: get(0, key) });
    }
    let again = Duration::from_secs(4);
    for round in 1..=(QUOTA_WINDOW.as_secs() / again.as_secs() + 2) as u32 {
        for key in 0..HERD_RESOURCES {
            plan.events.push(Event { at: again * round, deed: Deed::Herd { key, within: again } });
        }
    }
    ended(plan, QUOTA_WINDOW + Duration::from_secs(20))
}

fn plan(seed: u64, nodes: usize, resources: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, resources);
    plan.origin.freshness = Freshness { lifetime: LIFETIME, ..Freshness::default() };
    plan.origin.body_bytes_max = 100_000;
    plan.heals = false;
    plan.encodes = false;
    plan
}

/// Goes on to `at`, so that what was begun before comes to its end.
fn ended(mut plan: Plan, at: Duration) -> Plan {
    plan.events.push(Event { at, deed: Deed::Count { node: 0 } });
    plan
}

/// Small fleets have few faults in five minutes: there are ten of them.
fn sum(seed: u64, nodes: usize, make: fn(u64, usize) -> Plan) -> Figures {
    let seeds = if nodes < 100 { 10 } else { 1 };
    let mut sum = Figures::default();
    (seed..seed + seeds).for_each(|seed| sum.add(&figures(make(seed, nodes))));
    sum
}

fn figures(plan: Plan) -> Figures {
    let mut world = World::new(plan, false);
    world.run();
    let report = world.report();
    assert_eq!(report.violation, None, "an engine broke a rule");
    report.figures
}

fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of.max(1) as f64
}

/// How long the figures of calls and announcements are taken.
const RUN: Duration = Duration::from_secs(300);

const LIFETIME: Duration = Duration::from_secs(60);
const RESOURCES: usize = 200;

/// How many resources a herd wants.
pub const HERD_RESOURCES: usize = 20;

/// When the quota returns that was spent at once.
const QUOTA_WINDOW: Duration = Duration::from_secs(60);

/// What seal and frame add to a message.
const FRAME_OVERHEAD_BYTES: f64 = 64.0;

const ECONOMY_STREAM: u64 = 26;
