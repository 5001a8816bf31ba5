//! Nodes that know no contact, and find one another by what discovery tells them.

use super::{get, millis};
use crate::plan::{Deed, Plan};
use std::time::Duration;

/// Half of the nodes start at once, and are then replaced by the other half, one after the other. All are asked for the same
/// before and after.
pub fn found_and_replaced(seed: u64, nodes: usize) -> Plan {
    let (half, resources) = (nodes.div_ceil(2), 4);
    let mut plan = Plan::calm(seed, 2 * half, resources);
    plan.contacts = 0;
    plan.peers.ways = 1;
    plan.nodes_at_start = half;
    plan.demands.calls_percent_max = Some(100);
    let mut at = Duration::from_secs(10);
    let ask_all = |mut plan: Plan, nodes: std::ops::Range<usize>, at: &mut Duration| {
        for (node, key) in nodes.flat_map(|node| (0..resources).map(move |key| (node, key))) {
            plan = plan.with(*at, get(node, key));
            *at += millis(100);
        }
        plan
    };
    plan = ask_all(plan, 0..half, &mut at);
    for old in 0..half {
        at += millis(2_000);
        plan = plan.with(at, Deed::Join { node: half + old });
        at += millis(2_000);
        plan = plan.with(at, Deed::Leave { node: old });
    }
    at += millis(3_000);
    ask_all(plan, half..2 * half, &mut at)
}
