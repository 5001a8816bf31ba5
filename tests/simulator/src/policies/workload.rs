//! The world in which policies are compared.

use crate::{
    plan::{Deed, Event, OutageKind, Plan, SecondaryPlan},
    random::Random,
    scenarios::{Ranks, get},
};
use cache_core::freshness::Freshness;
use std::{ops::Range, time::Duration};

/// A quarter of an hour of `nodes` nodes that poll one API with one credential.
///
/// Four fifths of the nodes start together, each asking for the same few resources at once, and the others
/// [`LATE_AT`] later. From then on each asks once in every second, at a moment of its own, for one of [`RESOURCES`]
/// resources. By Zipf's law, the second is wanted half as often as the first, the third a third as often. Answers
/// live for [`LIFETIME`] and resources change three times as seldom. The origin refuses all connections in
/// [`OUTAGE`].
pub fn workload(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, RESOURCES);
    plan.nodes_at_start = nodes - nodes / LATE_ONE_IN;
    plan.heals = false;
    // Messages are measured as bytes, but handed over as they are: a thousand copies of each body need the room.
    plan.encodes = false;
    plan.origin.freshness = Freshness { lifetime: LIFETIME, if_error: IF_ERROR, ..Freshness::default() };
    plan.origin.change_period = 3 * LIFETIME;
    plan.origin.body_bytes_max = BODY_BYTES_MAX;
    plan.origin.quota = Some((QUOTA, Duration::from_secs(3600)));
    plan.origin.secondary = Some(SecondaryPlan { concurrent_max: 100, minute_max: 900, pause: PAUSE });
    plan.events = requests(seed, nodes, plan.nodes_at_start);
    for node in plan.nodes_at_start..nodes {
        plan.events.push(Event { at: LATE_AT, deed: Deed::Join { node } });
    }
    let outage = Deed::Outage { kind: OutageKind::Refused, lasts: OUTAGE.end - OUTAGE.start };
    plan.events.push(Event { at: OUTAGE.start, deed: outage });
    plan.events.push(Event { at: RUN, deed: Deed::Count { node: 0 } });
    plan.events.sort_by_key(|event| event.at);
    plan
}

fn requests(seed: u64, nodes: usize, nodes_at_start: usize) -> Vec<Event> {
    let (mut random, ranks) = (Random::new(seed, WORKLOAD_STREAM), Ranks::new(RESOURCES));
    let mut events = Vec::new();
    for node in 0..nodes {
        let begins = if node < nodes_at_start {
            let herd = (0..HERD_RESOURCES).map(|key| Event { at: random.up_to(HERD), deed: get(node, key) });
            events.extend(herd);
            HERD
        } else {
            LATE_AT + LATE_PREPARES
        };
        let seconds = begins.as_secs()..RUN.as_secs();
        events.extend(seconds.filter_map(|second| {
            let at = Duration::from_secs(second) + random.up_to(Duration::from_millis(999));
            let key = ranks.pick(&mut random);
            (at >= begins).then(|| Event { at, deed: get(node, key) })
        }));
    }
    events
}

/// How many resources are asked for.
pub const RESOURCES: usize = 500;

/// For how long answers live: the default for GitHub.
pub const LIFETIME: Duration = Duration::from_secs(300);

/// For how long the comparison lasts.
pub const RUN: Duration = Duration::from_secs(900);

/// When late nodes start.
pub const LATE_AT: Duration = Duration::from_secs(240);

/// When the origin is down: later than the second lifetime begins, and past the end of it for much of what is kept.
pub const OUTAGE: Range<Duration> = Duration::from_secs(580)..Duration::from_secs(640);

/// One node in this many starts late.
const LATE_ONE_IN: usize = 5;

/// Time from a process's start to its first request.
const LATE_PREPARES: Duration = Duration::from_secs(2);

/// "At once".
const HERD: Duration = Duration::from_millis(50);

/// How many resources every node asks for when it starts.
const HERD_RESOURCES: usize = 10;

/// For how long a stale answer may stand in when there is no other: the default for GitHub.
const IF_ERROR: Duration = Duration::from_secs(24 * 3600);

/// Longest bodies: a long page of a list.
const BODY_BYTES_MAX: usize = 200_000;

/// Calls in an hour that GitHub grants a user, and the pause that it asks for at a secondary limit.
const QUOTA: u64 = 5_000;
const PAUSE: Duration = Duration::from_secs(60);

const WORKLOAD_STREAM: u64 = 25;
