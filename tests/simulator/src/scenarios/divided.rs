//! Situations of fleets that are divided into districts.

use super::{get, herd_while_origin_is_down, millis};
use crate::plan::{Deed, Plan};
use cache_core::freshness::Freshness;
use std::time::Duration;

/// All nodes of several districts want the same thing while the origin is down: one district makes two calls in vain, and
/// several make up to four together, not two each.
pub fn failures_elsewhere(seed: u64, nodes: usize) -> Plan {
    let mut plan = herd_while_origin_is_down(seed, nodes.max(NODES_MIN));
    plan.limits.district_max = DISTRICT_MAX;
    plan.demands.calls_percent_max = Some(400);
    plan
}

/// Nodes come within a minute, one after the other, and know three that stay. A minute later, all agree in which of some twenty districts each
/// name is at home.
pub fn districts_form(seed: u64, nodes: usize) -> Plan {
    let nodes = nodes.max(FORMING_MIN);
    let mut plan = Plan::calm(seed, nodes, NAMES);
    plan.limits.district_max = FORMING_DISTRICT_MAX;
    (plan.contacts, plan.nodes_at_start, plan.heals) = (CONTACTS, CONTACTS, false);
    plan.demands.one_home = true;
    for node in CONTACTS..nodes {
        plan = plan.with(Duration::from_secs(60) * node as u32 / nodes as u32, Deed::Join { node });
    }
    // It ends with its last event.
    plan.with(Duration::from_secs(120), get(0, 0))
}

/// All nodes of several districts have read everything; one ends each resource, and after some seconds all read it again.
pub fn writes_elsewhere(seed: u64, nodes: usize) -> Plan {
    let nodes = nodes.max(NODES_MIN);
    let mut plan = Plan::calm(seed, nodes, RESOURCES);
    plan.limits.district_max = DISTRICT_MAX;
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(3600), ..Freshness::default() };
    plan.ceiling = plan.origin.freshness;
    // Longer than any round of reads takes, and shorter than what lies between two of them.
    plan.demands.age_max = Some(BETWEEN / 2);
    plan.demands.unconfirmed_max = Some(0);
    let read_all = |mut plan: Plan, at: Duration| {
        for step in 0..nodes * RESOURCES {
            plan = plan.with(at + millis(50 * step as u64), get(step % nodes, step / nodes));
        }
        plan
    };
    plan = read_all(plan, FORMED);
    for key in 0..RESOURCES {
        let node = (seed as usize + 5 * key) % nodes;
        plan = plan.with(FORMED + BETWEEN, Deed::Invalidate { node, key });
    }
    read_all(plan, FORMED + BETWEEN + HEARD_WITHIN)
}

const CONTACTS: usize = 3;

/// Enough for more districts than a node would hear of from a neighbour at a time.
const FORMING_MIN: usize = 120;

const FORMING_DISTRICT_MAX: usize = 8;

/// Enough for several to be at home in each district.
const NAMES: usize = 200;

/// Enough for some five districts.
const NODES_MIN: usize = 20;

const DISTRICT_MAX: usize = 4;

const RESOURCES: usize = 4;

/// When the districts have settled.
const FORMED: Duration = Duration::from_secs(90);

const BETWEEN: Duration = Duration::from_secs(60);

/// Time in which all members hear of a write, wherever they are.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
