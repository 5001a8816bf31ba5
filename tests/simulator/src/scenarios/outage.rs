//! Situations in which the origin cannot be reached, by anybody or by some.

use super::{Ranks, get};
use crate::{
    plan::{Deed, OutageKind, Plan},
    random::Random,
};
use cache_core::freshness::Freshness;
use std::time::Duration;

/// Each node asks for one of many resources in each second. For a minute the origin refuses connections, just as most of what
/// is kept is stale.
pub fn origin_dead(seed: u64, nodes: usize) -> Plan {
    let mut plan = dead(seed, nodes, OutageKind::Refused);
    plan.demands.vain_max = Some(if nodes <= DISTRICT { VAIN_MAX } else { VAIN_MAX_DIVIDED });
    plan.demands.back_within = Some(BACK_WITHIN);
    plan
}

/// The same with an origin that accepts connections and never answers.
pub fn origin_silent(seed: u64, nodes: usize) -> Plan {
    dead(seed, nodes, OutageKind::Silent)
}

/// The same where the line of one node is broken for that minute: no other node is concerned.
pub fn line_dead(seed: u64, nodes: usize) -> Plan {
    let mut plan = asking(seed, nodes);
    plan.demands.stopped_max = Some(0);
    with_broken_lines(plan, 1)
}

/// The same where the lines of as many nodes are broken as are believed, or of a tenth: others may be held up for a moment.
pub fn lines_dead(seed: u64, nodes: usize) -> Plan {
    let mut plan = asking(seed, nodes);
    let count = (nodes / 10).max(3).min(nodes.saturating_sub(1));
    plan.demands.stopped_max = Some(STOPPED_MAX);
    with_broken_lines(plan, count)
}

fn dead(seed: u64, nodes: usize, kind: OutageKind) -> Plan {
    let mut plan = asking(seed, nodes).with(DIES_AT, Deed::Outage { kind, lasts: DEAD });
    plan.events.sort_by_key(|event| event.at);
    plan
}

fn with_broken_lines(mut plan: Plan, count: usize) -> Plan {
    for node in 0..count {
        plan = plan.with(DIES_AT, Deed::CutOff { node, lasts: DEAD });
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

fn asking(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (Plan::calm(seed, nodes, RESOURCES), Random::new(seed, OUTAGE_STREAM));
    plan.encodes = nodes <= ENCODES_MAX;
    plan.heals = nodes <= ENCODES_MAX;
    plan.origin.freshness = Freshness { lifetime: LIFETIME, if_error: IF_ERROR, ..Freshness::default() };
    plan.ceiling = plan.origin.freshness;
    let ranks = Ranks::new(RESOURCES);
    for second in FORMED.as_secs()..ENDS_AT.as_secs() {
        for node in 0..nodes {
            let at = Duration::from_secs(second) + random.up_to(Duration::from_millis(999));
            plan = plan.with(at, get(node, ranks.pick(&mut random)));
        }
    }
    plan
}

/// Most calls in a minute in which the origin refuses connections: one district makes 15 to 21.
const VAIN_MAX: u64 = 30;

/// The same in several districts, each of which finds out for itself.
const VAIN_MAX_DIVIDED: u64 = 200;

/// Nodes of the largest fleet that does not divide.
const DISTRICT: usize = 192;

/// Most requests of other nodes that broken lines hold up, all together, until one that gets through says so.
const STOPPED_MAX: u64 = 6;

/// How soon all know that it is back, since all ask for something in each second.
const BACK_WITHIN: Duration = Duration::from_secs(12);

const RESOURCES: usize = 500;

/// What is kept is stale when the origin dies.
const LIFETIME: Duration = Duration::from_secs(50);

const IF_ERROR: Duration = Duration::from_secs(24 * 3600);

/// When districts have settled.
const FORMED: Duration = Duration::from_secs(90);

const DIES_AT: Duration = Duration::from_secs(150);

const DEAD: Duration = Duration::from_secs(60);

/// Half a minute after it is back.
const ENDS_AT: Duration = Duration::from_secs(240);

/// Nodes of the largest fleet whose messages are tried as bytes, and whose ending is judged.
const ENCODES_MAX: usize = 100;

const OUTAGE_STREAM: u64 = 0x6f75_7461;
