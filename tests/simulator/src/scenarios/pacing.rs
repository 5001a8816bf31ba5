//! Situations in which an origin bears no more than so many calls at once, or wants to be left alone for a while.

use super::{get, millis};
use crate::{
    plan::{Plan, SecondaryPlan},
    random::Random,
};
use std::time::Duration;

/// All nodes want thirty resources each in the same moment, and others a little later, of an origin that bears a hundred calls
/// at once.
pub fn calls_at_once(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 2 * EACH * nodes);
    plan.origin.quota = Some((1_000_000, Duration::from_secs(3600)));
    plan.origin.secondary =
        Some(SecondaryPlan { concurrent_max: 100, minute_max: usize::MAX, pause: Duration::from_secs(60) });
    plan.demands.excess_max = Some(0);
    for key in 0..2 * EACH * nodes {
        let at = if key < EACH * nodes { FORMED } else { FORMED + Duration::from_secs(10) };
        plan = plan.with(at + millis(key as u64 % 7), get(key % nodes, key));
    }
    plan
}

/// Nodes ask for a hundred resources over and over until the origin wants to be left alone for a minute, and go on.
///
/// Some eighteen calls a second are made before. In the seconds after, no more are than twice as many, then 3.3 times.
pub fn calls_return(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, RESOURCES);
    plan.origin.freshness.lifetime = Duration::from_secs(5);
    plan.origin.revalidates = false;
    plan.origin.quota = Some((1_000_000, Duration::from_secs(3600)));
    let pause = Duration::from_secs(60);
    plan.origin.secondary = Some(SecondaryPlan { concurrent_max: usize::MAX, minute_max: 360, pause });
    // Of many members few have something to call for when their turn comes.
    let least = if nodes > 100 { 1 } else { 18 };
    plan.demands.returning = vec![(1, 36), (least, 60), (1, 60)];
    let mut random = Random::new(seed, PACING_STREAM);
    for step in 0..100 * PER_SECOND {
        let (node, key) = (random.below(nodes as u64) as usize, random.below(RESOURCES as u64) as usize);
        plan = plan.with(FORMED + Duration::from_secs(1) * step / PER_SECOND, get(node, key));
    }
    plan
}

/// When districts have settled.
const FORMED: Duration = Duration::from_secs(90);

/// How many resources each node wants at once.
const EACH: usize = 30;

const RESOURCES: usize = 100;

const PER_SECOND: u32 = 200;

const PACING_STREAM: u64 = 0x7061_6365;
