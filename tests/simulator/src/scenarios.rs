//! Situations with a name.

use crate::plan::{Deed, Plan};
use cache_core::freshness::Directives;
use std::time::Duration;

/// A node asks for a key.
pub fn get(node: usize, key: usize) -> Deed {
    Deed::Get { node, key, directives: Directives::default() }
}

/// Every node asks for every resource, one request after the other.
pub fn all_ask_in_turn(seed: u64, nodes: usize, resources: usize) -> Plan {
    let requests = (0..nodes).flat_map(|node| (0..resources).map(move |key| (node, key)));
    requests.zip(0..).fold(Plan::calm(seed, nodes, resources), |plan, ((node, key), step)| {
        plan.with(Duration::from_millis(500 * step), get(node, key))
    })
}

/// Every node asks for every resource within 50 ms.
pub fn all_ask_at_once(seed: u64, nodes: usize, resources: usize) -> Plan {
    let within = Duration::from_millis(50);
    (0..resources).fold(Plan::calm(seed, nodes, resources), |plan, key| {
        plan.with(Duration::ZERO, Deed::Herd { key, within })
    })
}

/// Makes a plan from a seed and a number of nodes.
pub type Scenario = fn(u64, usize) -> Plan;

/// Every scenario by its name.
pub const ALL: &[(&str, Scenario)] = &[
    ("cold-in-turn", |seed, nodes| all_ask_in_turn(seed, nodes, 3)),
    ("cold-at-once", |seed, nodes| all_ask_at_once(seed, nodes, 3)),
];
