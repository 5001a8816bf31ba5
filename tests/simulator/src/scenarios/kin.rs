//! Many credentials that read the same: what one is given spares the others a paid call, though each asks for itself.

use super::{HERD, get, millis};
use crate::{
    plan::{Deed, OutageKind, Plan},
    random::Random,
};
use std::time::Duration;

/// Each of fifty credentials asks for each resource at some node, all within 50 ms.
pub fn kin_at_once(seed: u64, nodes: usize) -> Plan {
    (0..RESOURCES)
        .fold(with_kin(seed, nodes), |plan, key| plan.with(Duration::ZERO, Deed::Kin { key, within: HERD }))
}

/// One credential asks for each resource. Then fifty ask for all of them, each twice in each lifetime, at any nodes.
pub fn kin_in_turn(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (with_kin(seed, nodes), Random::new(seed, STREAM));
    for key in 0..RESOURCES {
        plan = plan.with(millis(100 * key as u64), get(0, key));
    }
    let begun = millis(5_000);
    for key in 0..RESOURCES * CREDENTIALS {
        for half in 0..2 * LIFETIMES {
            let node = random.below(nodes as u64) as usize;
            plan = plan.with(begun + LIFETIME / 2 * half + random.up_to(LIFETIME / 2), get(node, key));
        }
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// The same, while each resource changes once in each lifetime.
pub fn kin_while_resources_change(seed: u64, nodes: usize) -> Plan {
    let mut plan = kin_in_turn(seed, nodes);
    plan.origin.change_period = LIFETIME;
    plan
}

/// Six credentials read four resources, in domains of their own or three to a domain, while what each may read changes and
/// the origin fails now and then.
pub fn rights_change(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 4);
    (plan.domains, plan.credentials) = [(6, 1), (2, 3)][seed as usize % 2];
    plan.origin.freshness.lifetime = Duration::from_secs(10);
    plan.origin.freshness.if_error = Duration::from_secs(60);
    plan.origin.change_period = Duration::from_secs(30);
    plan.origin.withheld_per_mille = 200;
    let mut random = Random::new(seed, STREAM);
    for step in 0..1_500 {
        let mut below = |most: u64| random.below(most) as usize;
        let (node, key, credential) = (below(nodes as u64), below(24), below(6));
        let deed = match below(100) {
            0..=7 => Deed::Grant { credential, key, is_given: step % 4 != 0 },
            8 if step % 4 == 0 => Deed::Restrict { credential, key },
            9 => Deed::Outage { kind: OutageKind::Fault, lasts: millis(2_000) },
            10 | 11 => Deed::Kin { key, within: HERD },
            12 => Deed::Put { node, key },
            13 if step > 1_000 => Deed::Revoke { credential },
            _request => get(node, key),
        };
        plan = plan.with(millis(50 * step), deed);
    }
    plan
}

fn with_kin(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, RESOURCES);
    plan.domains = CREDENTIALS;
    plan.origin.freshness.lifetime = LIFETIME;
    plan
}

/// Credentials, each with a domain of its own.
const CREDENTIALS: usize = 50;

const RESOURCES: usize = 10;

const LIFETIME: Duration = Duration::from_secs(60);

/// Lifetimes in which all read again.
const LIFETIMES: u32 = 5;

const STREAM: u64 = 34;
