//! An hour of a fleet that an autoscaler sizes.

use super::{Ranks, get};
use crate::{
    plan::{Deed, Event, Plan, Victim},
    random::Random,
};
use std::time::Duration;

/// One hour in which the fleet follows its load: from half of the nodes to all of them and back, twice, a few more or
/// fewer every half a minute. One leaving node in fifty crashes. The nodes that are there ask for resources by Zipf's
/// law, fifty times a second in all.
pub fn hour_of_autoscaling(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (Plan::calm(seed, nodes, RESOURCES), Random::new(seed, HOUR_STREAM));
    let ranks = Ranks::new(RESOURCES);
    plan.nodes_at_start = (nodes / 2).max(1);
    plan.heals = false;
    plan.encodes = false;
    let mut fleet = plan.nodes_at_start;
    for step in 0..HOUR.as_secs() / STEP.as_secs() {
        let at = STEP * step as u32;
        let wanted = wanted(nodes, step);
        plan.events
            .extend((fleet..wanted).map(|node| event(at + random.up_to(STEP / 2), Deed::Join { node })));
        for node in wanted..fleet {
            let crashes = random.below(50) == 0;
            // A node that is wanted again before that is started then.
            let (victim, down_for) = (Victim::Node(node), HOUR - at);
            let crash = Deed::Crash { victim, down_for, keeps_disk: false };
            let deed = if crashes { crash } else { Deed::Leave { node } };
            plan.events.push(event(at + random.up_to(STEP / 2), deed));
        }
        // Nodes that are going, or still coming, are asked nothing.
        let asked = fleet.min(wanted) as u64;
        fleet = wanted;
        for request in 0..STEP.as_secs() * REQUESTS_EACH_SECOND {
            let at = at + Duration::from_secs(1) * request as u32 / REQUESTS_EACH_SECOND as u32;
            let node = random.below(asked) as usize;
            plan.events.push(event(at, get(node, ranks.pick(&mut random))));
        }
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// How many nodes there are to be in a step: up for a quarter of an hour, down for the next.
fn wanted(nodes: usize, step: u64) -> usize {
    let (half, quarter) = (nodes as u64 / 2, 900 / STEP.as_secs());
    let place = step % (2 * quarter);
    let height = place.min(2 * quarter - place);
    ((nodes as u64 - half) + half * height / quarter).max(1) as usize
}

fn event(at: Duration, deed: Deed) -> Event {
    Event { at, deed }
}

const HOUR: Duration = Duration::from_secs(3600);

/// How often an autoscaler looks at the load.
const STEP: Duration = Duration::from_secs(30);

const RESOURCES: usize = 500;
const REQUESTS_EACH_SECOND: u64 = 50;

const HOUR_STREAM: u64 = 27;
