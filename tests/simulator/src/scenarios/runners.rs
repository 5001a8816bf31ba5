//! Nodes that live for a minute or two, over a small set that stays.

use super::{get, millis};
use crate::{
    plan::{Deed, Plan, Victim},
    random::Random,
};
use cache_core::{Guest, freshness::Freshness};
use std::time::Duration;

/// All nodes but a few come one after the other as guests, each reads some resources from its first millisecond on, and goes
/// after a while, every second one without notice.
pub fn runners(seed: u64, nodes: usize) -> Plan {
    let mut plan = coming(seed, nodes);
    plan.guests = (STAYERS..plan.nodes, Guest::Always);
    plan.demands.handshakes_max = Some(2);
    plan
}

/// The same, and one of the nodes that stay goes and comes back.
pub fn runners_lose_hosts(seed: u64, nodes: usize) -> Plan {
    let mut plan = runners(seed, nodes);
    let end = plan.events.last().map_or(Duration::ZERO, |event| event.at);
    let (victim, down_for) = (Victim::Node(seed as usize % STAYERS), Duration::from_secs(20));
    let down = Deed::Crash { victim, down_for, keeps_disk: false };
    plan = plan.with(FORMED + (end - FORMED) / 2, down);
    plan.events.sort_by_key(|event| event.at);
    plan.demands.handshakes_max = Some(3);
    // What a host was granted on behalf of its guests is lost with it.
    plan.demands.calls_percent_max = Some(105);
    plan
}

/// The same as [`runners`], but all are members.
pub fn runners_as_members(seed: u64, nodes: usize) -> Plan {
    coming(seed, nodes)
}

/// As many members as guests, and all guests want the same resources at the same moments, a lifetime after the last of them.
pub fn guests_at_once(seed: u64, nodes: usize) -> Plan {
    let nodes = nodes.max(AT_ONCE_MIN);
    let mut plan = Plan::calm(seed, nodes, AT_ONCE_RESOURCES);
    plan.guests = (nodes / 2..nodes, Guest::Always);
    plan.demands.calls_percent_max = Some(100);
    for key in 0..AT_ONCE_RESOURCES {
        let at = FORMED + Duration::from_secs(2) * key as u32;
        for node in nodes / 2..nodes {
            plan = plan.with(at, get(node, key));
        }
    }
    plan
}

/// Members and guests have read everything; each resource is ended at another of them, and a second later all read it again.
pub fn writes_of_guests(seed: u64, nodes: usize) -> Plan {
    let nodes = nodes.max(2 * STAYERS);
    let mut plan = Plan::calm(seed, nodes, nodes);
    plan.guests = (STAYERS..nodes, Guest::Always);
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(3600), ..Freshness::default() };
    plan.ceiling = plan.origin.freshness;
    // Longer than any round of reads takes, and shorter than what lies between two of them.
    plan.demands.age_max = Some(Duration::from_secs(100));
    plan.demands.unconfirmed_max = Some(0);
    for (round, key) in (0..2).flat_map(|round| (0..nodes).map(move |key| (round, key))) {
        let at = FORMED + Duration::from_secs(200) * round;
        for node in 0..nodes {
            plan = plan.with(at + millis(20 * (key * nodes + node) as u64), get(node, key));
        }
        if round == 0 {
            let node = (seed as usize + 5 * key) % nodes;
            plan = plan.with(FORMED + Duration::from_secs(199), Deed::Invalidate { node, key });
        }
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

fn coming(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes.max(NODES_MIN), RESOURCES);
    plan.nodes_at_start = STAYERS;
    // It ends with the last that goes.
    plan.heals = false;
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(3600), ..Freshness::default() };
    plan.ceiling = plan.origin.freshness;
    plan.demands.calls_percent_max = Some(102);
    let mut random = Random::new(seed, STREAM);
    let span = LIFE_MAX * u32::try_from(plan.nodes / ALIVE + 1).unwrap_or(u32::MAX);
    let end = FORMED + span + 2 * LIFE_MAX;
    for node in STAYERS..plan.nodes {
        let at = FORMED + random.up_to(span);
        let life = LIFE_MAX / 3 + random.up_to(LIFE_MAX * 2 / 3);
        plan = plan.with(at, Deed::Join { node });
        for read in 0..READS {
            let key = random.below(RESOURCES as u64) as usize;
            let reads_at = if read == 0 { at + millis(1) } else { at + random.up_to(life) };
            plan = plan.with(reads_at, get(node, key));
        }
        let goes = if node % 2 == 0 {
            Deed::Leave { node }
        } else {
            Deed::Crash { victim: Victim::Node(node), down_for: end - at - life, keeps_disk: false }
        };
        plan = plan.with(at + life + millis(1), goes);
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// Nodes that stay, which all others have for contacts.
const STAYERS: usize = 3;

/// Enough for guests to want what others have read.
const NODES_MIN: usize = 40;

const RESOURCES: usize = 300;

/// Nodes whose guests have hosts of which few coordinate what they want.
const AT_ONCE_MIN: usize = 24;

const AT_ONCE_RESOURCES: usize = 12;

/// Resources that each runner reads.
const READS: usize = 20;

/// How many runners are alive at a time.
const ALIVE: usize = 25;

/// Longest that a runner lives; the shortest is a third of it.
const LIFE_MAX: Duration = Duration::from_secs(180);

/// When those that stay know one another.
const FORMED: Duration = Duration::from_secs(30);

const STREAM: u64 = 47;
