//! Situations in which a fleet spends what it is allowed.

use super::{get, millis};
use crate::plan::Plan;
use cache_core::{Priority, Reserves};
use std::time::Duration;

/// All nodes ask for one resource after another, more than batch requests may; a fifth is kept from those.
pub fn spending(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, RESOURCES);
    plan.origin.quota = Some((LIMIT, Duration::from_secs(3600)));
    plan.settings.reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap_or_default();
    plan.priority = Priority::Batch;
    let may = LIMIT - plan.settings.reserves.kept_from(Priority::Batch, LIMIT);
    plan.demands.spent = Some((may, may + nodes as u64));
    for step in 0..RESOURCES {
        plan = plan.with(FORMED + millis(BETWEEN_MILLIS * step as u64), get(step % nodes, step));
    }
    plan
}

/// The same in several districts.
pub fn spending_elsewhere(seed: u64, nodes: usize) -> Plan {
    let mut plan = spending(seed, nodes.max(20));
    plan.limits.district_max = 4;
    plan
}

const LIMIT: u64 = 300;

const RESOURCES: usize = 400;

/// When districts have settled.
const FORMED: Duration = Duration::from_secs(90);

/// Five hundred calls in a second, of which some fifty are under way: far faster than an hour's allowance lasts.
const BETWEEN_MILLIS: u64 = 2;
