//! Situations with a name.
//!
//! Each is a plan for a seed and a number of nodes. What is demanded of it beyond what is demanded always, such as
//! how many calls it may cost, is in this package's tests.

mod beyond_memory;
mod divided;
mod found;
mod hour;
mod kin;
mod outage;
mod pacing;
mod returning;
mod runners;
mod spending;

pub use beyond_memory::{LARGE, beyond_one_memory, late_joiner, late_joiners, readers};
pub use divided::{districts_form, failures_elsewhere, writes_elsewhere};
pub use found::found_and_replaced;
pub use hour::hour_of_autoscaling;
pub use kin::{kin_at_once, kin_in_turn, kin_while_resources_change, rights_change};
pub use outage::{line_dead, lines_dead, origin_dead, origin_silent};
pub use pacing::{calls_at_once, calls_return};
pub use returning::{contact_is_gone, doubts, returns_after_writes, slow_disks};
pub use runners::{guests_at_once, runners, runners_as_members, runners_lose_hosts, writes_of_guests};
pub use spending::{spending, spending_elsewhere};

use crate::{
    plan::{Deed, Event, Lie, OutageKind, Plan, Victim},
    random::Random,
};
use cache_core::{
    Disk,
    freshness::{Directives, Freshness},
};
use std::{ops::Range, time::Duration};

/// Makes a plan from a seed and a number of nodes.
pub type Scenario = fn(u64, usize) -> Plan;

/// Every scenario by its name.
pub const ALL: &[(&str, Scenario)] = &[
    ("asker-gives-up", asker_gives_up),
    ("autoscaler", autoscaler),
    ("beyond-one-memory", |seed, nodes| beyond_one_memory(seed, nodes, 40)),
    ("calls-at-once", calls_at_once),
    ("calls-return", calls_return),
    ("cold-at-once", |seed, nodes| cold_at_once(seed, nodes, 3)),
    ("cold-in-turn", |seed, nodes| cold_in_turn(seed, nodes, 3)),
    ("contact-is-gone", contact_is_gone),
    ("coordinator-alone-crashes", coordinator_alone_crashes),
    ("coordinator-answers-late", coordinator_answers_late),
    ("coordinator-crashes", |seed, nodes| herd_with(seed, nodes, crash(Victim::Coordinator(0)))),
    ("coordinator-pauses", |seed, nodes| herd_with(seed, nodes, pause(Victim::Coordinator(0)))),
    ("crowd-while-origin-is-down", crowd_while_origin_is_down),
    ("districts-form", districts_form),
    ("doubts", doubts),
    ("failures-elsewhere", failures_elsewhere),
    ("few-connections", |seed, nodes| few_connections(seed, nodes, 10, (nodes / 2).clamp(3, 8))),
    ("few-connections-at-once", |seed, nodes| few_connections_at_once(seed, nodes.max(20), 1, 8)),
    ("few-connections-in-haste", |seed, nodes| few_connections_in_haste(seed, nodes.clamp(10, 12), 10, 8)),
    ("found-and-replaced", found_and_replaced),
    ("guests-at-once", guests_at_once),
    ("herd", herd),
    ("herd-at-expiry", herd_at_expiry),
    ("herd-at-quota-reset", herd_at_quota_reset),
    ("herd-while-origin-fails", herd_while_origin_fails),
    ("herd-while-origin-is-down", herd_while_origin_is_down),
    ("holder-crashes", |seed, nodes| herd_with(seed, nodes, crash(Victim::Holder(0)))),
    ("holder-is-overdue", holder_is_overdue),
    ("holder-pauses", |seed, nodes| herd_with(seed, nodes, pause(Victim::Holder(0)))),
    ("hour-of-autoscaling", hour_of_autoscaling),
    ("insisting", insisting),
    ("kin-at-once", kin_at_once),
    ("kin-in-turn", kin_in_turn),
    ("kin-while-resources-change", kin_while_resources_change),
    ("late-joiner", |seed, nodes| late_joiner(seed, nodes, 200, 40)),
    ("late-joiners", |seed, nodes| late_joiners(seed, nodes, 400, 20)),
    ("liar-answers", liar_answers),
    ("liar-lets-wait", liar_lets_wait),
    ("liar-offends", liar_offends),
    ("line-dead", line_dead),
    ("lines-dead", lines_dead),
    ("member-pauses", member_pauses),
    ("newcomer-coordinates", newcomer_coordinates),
    ("newcomers-take-over", newcomers_take_over),
    ("origin-dead", origin_dead),
    ("origin-silent", origin_silent),
    ("peers-are-clamped", peers_are_clamped),
    ("puts-overtake-puts", puts_overtake_puts),
    ("readers", readers),
    ("renewals", renewals),
    ("returns-after-writes", returns_after_writes),
    ("rights-change", rights_change),
    ("runners", runners),
    ("runners-lose-hosts", runners_lose_hosts),
    ("slow-disks", slow_disks),
    ("spending", spending),
    ("spending-elsewhere", spending_elsewhere),
    ("split", split),
    ("writes", writes),
    ("writes-elsewhere", writes_elsewhere),
    ("writes-of-guests", writes_of_guests),
    ("writes-overtake-answers", writes_overtake_answers),
    ("writes-while-disks-are-asked", writes_while_disks_are_asked),
    ("zipf", zipf),
];

/// Every node asks for every resource, one request after the other.
pub fn cold_in_turn(seed: u64, nodes: usize, resources: usize) -> Plan {
    let requests = (0..nodes).flat_map(|node| (0..resources).map(move |key| (node, key)));
    requests.zip(0..).fold(ideal(Plan::calm(seed, nodes, resources)), |plan, ((node, key), step)| {
        plan.with(millis(500 * step), get(node, key))
    })
}

/// Once all know of one another, every node asks for every resource, one after the other. None may be connected with
/// more than `connections_max` others.
pub fn few_connections(seed: u64, nodes: usize, resources: usize, connections_max: usize) -> Plan {
    once_formed(cold_in_turn(seed, nodes, resources), connections_max)
}

/// As [`few_connections`], a hundred times as fast: most requests come while what others asked for is on its way.
pub fn few_connections_in_haste(seed: u64, nodes: usize, resources: usize, connections_max: usize) -> Plan {
    let mut plan = few_connections(seed, nodes, resources, connections_max);
    for event in &mut plan.events {
        event.at = FORMING + (event.at - FORMING) / 100;
    }
    plan
}

/// Once all know of one another, every node asks for every resource within 50 ms. None may be connected with more than
/// `connections_max` others. Each seed has other resources, since which member coordinates them depends on their names.
pub fn few_connections_at_once(seed: u64, nodes: usize, resources: usize, connections_max: usize) -> Plan {
    let first = resources * (seed as usize % 100);
    once_formed(herds(seed, nodes, first..first + resources), connections_max)
}

/// Every node asks for every resource within 50 ms.
pub fn cold_at_once(seed: u64, nodes: usize, resources: usize) -> Plan {
    herds(seed, nodes, 0..resources)
}

fn herds(seed: u64, nodes: usize, resources: Range<usize>) -> Plan {
    let plan = ideal(Plan::calm(seed, nodes, resources.end));
    resources.fold(plan, |plan, key| plan.with(Duration::ZERO, Deed::Herd { key, within: HERD }))
}

/// Every node asks for one resource within 50 ms.
pub fn herd(seed: u64, nodes: usize) -> Plan {
    cold_at_once(seed, nodes, 1)
}

/// Every node asks for one resource, and again when its time is up.
pub fn herd_at_expiry(seed: u64, nodes: usize) -> Plan {
    let again = Plan::calm(seed, nodes, 1).origin.freshness.lifetime + millis(500);
    herd(seed, nodes).with(again, Deed::Herd { key: 0, within: HERD })
}

/// The quota is spent by one call; every node asks for another resource, and again when the quota returns.
pub fn herd_at_quota_reset(seed: u64, nodes: usize) -> Plan {
    let (mut plan, window) = (Plan::calm(seed, nodes, 2), Duration::from_secs(60));
    plan.origin.quota = Some((1, window));
    // One spends the quota, one or two are refused, and one brings what all want.
    plan.demands.calls_percent_max = Some(200);
    plan.with(Duration::ZERO, get(0, 0))
        .with(millis(2_000), Deed::Herd { key: 1, within: HERD })
        .with(window + millis(2_000), Deed::Herd { key: 1, within: HERD })
}

/// Every node asks for one resource of an origin that answers with faults, and again a little later.
pub fn herd_while_origin_fails(seed: u64, nodes: usize) -> Plan {
    let outage = Deed::Outage { kind: OutageKind::Fault, lasts: Duration::from_secs(60) };
    let mut plan = herd(seed, nodes);
    plan.origin.freshness.if_error = Duration::from_secs(3600);
    // Two try when it is stale, and two of the others a little later: a node that was only told of the fault does not
    // hold off.
    plan.demands.calls_percent_max = Some(300);
    let again = plan.origin.freshness.lifetime + millis(500);
    plan.with(again - millis(100), outage)
        .with(again, Deed::Herd { key: 0, within: HERD })
        .with(again + millis(5_000), Deed::Herd { key: 0, within: HERD })
}

/// Every node asks for one resource, and something happens while it is fetched.
pub fn herd_with(seed: u64, nodes: usize, deed: Deed) -> Plan {
    let mut plan = herd(seed, nodes);
    plan.origin.latency = millis(300);
    // A holder that was stopped makes its own call again when it goes on.
    plan.demands.calls_percent_max = Some(200);
    plan.demands.wait_max = Some(plan.network.idle_timeout + Duration::from_secs(2));
    plan.with(millis(150), deed)
}

/// Requests by Zipf's law over a thousand resources, at 50 a second for a minute.
pub fn zipf(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (Plan::calm(seed, nodes, 1_000), Random::new(seed, SCENARIO_STREAM));
    plan = ideal(plan);
    let ranks = Ranks::new(plan.resources);
    for step in 0..3_000 {
        let (node, key) = (random.below(nodes as u64) as usize, ranks.pick(&mut random));
        plan = plan.with(millis(20 * step), get(node, key));
    }
    plan
}

/// The same with a write among twenty requests: most forget one key, some a prefix, some put a value.
pub fn writes(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (zipf(seed, nodes), Random::new(seed, SCENARIO_STREAM + 1));
    (plan.demands.calls_percent_max, plan.demands.unconfirmed_max) = (Some(102), Some(0));
    for event in &mut plan.events {
        let Deed::Get { node, key, .. } = event.deed else { continue };
        event.deed = match random.below(60) {
            0 => Deed::Put { node, key },
            1 | 2 => Deed::Invalidate { node, key },
            3 => Deed::InvalidatePrefix { node, key, letters: 2, every_domain: true },
            _request => continue,
        };
    }
    plan
}

/// The same while a third of the nodes come and go.
pub fn autoscaler(seed: u64, nodes: usize) -> Plan {
    let (mut plan, mut random) = (zipf(seed, nodes), Random::new(seed, SCENARIO_STREAM + 2));
    let third = (nodes / 3).max(1);
    plan.demands.calls_percent_max = Some(110);
    for step in 0..60 {
        let node = nodes - 1 - random.below(third as u64) as usize;
        let deed = match random.below(3) {
            0 => Deed::Leave { node },
            1 => Deed::Crash { victim: Victim::Node(node), down_for: millis(3_000), keeps_disk: true },
            _join => Deed::Join { node },
        };
        plan = plan.with(millis(1_000 * step), deed);
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// The same while half of the nodes are cut off from the others for twenty seconds.
pub fn split(seed: u64, nodes: usize) -> Plan {
    let lasts = Duration::from_secs(20);
    let side = 0x5555_5555_5555_5555;
    let mut plan = zipf(seed, nodes).with(lasts, Deed::Partition { side, one_way: false, lasts });
    plan.events.sort_by_key(|event| event.at);
    plan.demands.calls_percent_max = Some(120);
    plan
}

/// Every node asks for one resource that no node has, while the origin answers with faults.
pub fn herd_while_origin_is_down(seed: u64, nodes: usize) -> Plan {
    let mut plan = herd(seed, nodes);
    // The call is repeated once, with another's credential.
    plan.demands.calls_percent_max = Some(200);
    plan.demands.wait_max = Some(Duration::from_secs(3));
    let outage = Deed::Outage { kind: OutageKind::Fault, lasts: Duration::from_secs(60) };
    plan.events.insert(0, Event { at: Duration::ZERO, deed: outage });
    plan
}

/// Many clients of one node ask for one resource, while the origin answers with faults.
pub fn crowd_while_origin_is_down(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 1);
    // The call is repeated once, on behalf of another client.
    plan.demands.calls_percent_max = Some(200);
    plan.with(Duration::ZERO, Deed::Outage { kind: OutageKind::Fault, lasts: Duration::from_secs(60) })
        .with(Duration::ZERO, Deed::Crowd { node: seed as usize % nodes, key: 0, clients: 10 })
}

/// A client gives up while its node is asking, and others want the same a moment later.
pub fn asker_gives_up(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 20);
    plan.demands.wait_max = Some(Duration::from_secs(3));
    (0..20).fold(plan, |plan, key| {
        let at = millis(1_000 * key);
        let key = key as usize;
        plan.with(at, get(0, key))
            .with(at + Duration::from_micros(100), Deed::Cancel { node: 0, pick: 0 })
            .with(at + millis(5), Deed::Herd { key, within: millis(5) })
    })
}

/// A node crashes that coordinates some of what another one is fetching for all.
pub fn coordinator_alone_crashes(seed: u64, nodes: usize) -> Plan {
    let resources = 12;
    let mut plan = ideal(Plan::calm(seed, nodes, resources));
    (plan.origin.latency, plan.network.idle_timeout) = (Duration::from_secs(8), Duration::from_secs(2));
    for key in 0..resources {
        plan = plan.with(Duration::ZERO, get(0, key));
        for node in 2..nodes {
            // All have noticed by then, and the answer is not there yet.
            plan = plan.with(millis(5_000), get(node, key));
        }
    }
    let down_for = Duration::from_secs(30);
    plan.events.push(Event {
        at: millis(1_000),
        deed: Deed::Crash { victim: Victim::Node(1), down_for, keeps_disk: false },
    });
    plan
}

/// A client insists on a new answer while one is on its way that was true before it asked.
pub fn insisting(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 20);
    plan.origin.jitter = Duration::ZERO;
    let directives = Directives { no_cache: true, ..Directives::default() };
    (0..20).fold(plan, |plan, key| {
        let at = millis(1_000 * key);
        let key = key as usize;
        plan.with(at, get(0, key)).with(at + millis(65), Deed::Get { node: 0, key, directives })
    })
}

/// A member answers all asks with what was not asked for.
pub fn liar_answers(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 200);
    plan.ceiling = plan.origin.freshness;
    plan = plan.with(Duration::ZERO, get(1, 0)).with(Duration::ZERO, get(1, 1));
    plan = plan.with(millis(1_000), Deed::Lie { liar: 1, victim: 0, lie: Lie::Keys });
    if seed.is_multiple_of(2) {
        // Whatever stale entry there is stands in, if it is the right one.
        plan.origin.freshness.if_error = Duration::from_secs(3600);
        plan.ceiling = plan.origin.freshness;
        let outage = Deed::Outage { kind: OutageKind::Fault, lasts: Duration::from_secs(10) };
        plan = plan.with(millis(1_000), outage);
    }
    (2..200).fold(plan, |plan, key| plan.with(millis(1_000 + 50 * key as u64), get(0, key)))
}

/// A member commits every offence that nodes ban, against one member each, and then another joins.
pub fn liar_offends(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 3);
    plan.peers.traffic.burst_messages = 2_000;
    plan.peers.traffic.messages_per_milli = 1;
    plan.nodes_at_start = nodes - 1;
    let lies = [Lie::Flood, Lie::Garbage, Lie::Rumours, Lie::WarmUps, Lie::Invalidations];
    plan = plan.with(Duration::ZERO, Deed::Herd { key: 0, within: HERD });
    for (step, lie) in (1..).zip(lies) {
        let victim = [0, 2, 3, 4, 0][step as usize - 1] % nodes;
        plan = plan.with(millis(1_000 * step), Deed::Lie { liar: 1, victim, lie });
    }
    plan.with(Duration::from_secs(20), Deed::Join { node: nodes - 1 })
}

/// A coordinator grants leases to nodes that asked long ago and have gone on without it, for what is not kept.
pub fn coordinator_answers_late(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 20);
    plan.origin.unstorable_per_mille = 1_000;
    plan.demands.wait_max = Some(Duration::from_secs(5));
    plan = plan.with(millis(900), Deed::Pause { victim: Victim::Node(1), lasts: millis(1_400) });
    plan = (0..20).fold(plan, |plan, key| plan.with(millis(1_000), get(0, key)));
    (0..20).fold(plan, |plan, key| plan.with(millis(4_000), get(2 % nodes, key)))
}

/// All want what no node has room for, and calls take longer than a lease holds.
pub fn holder_is_overdue(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 1);
    plan.limits.lease_term = millis(2_000);
    plan.origin.latency = millis(3_000);
    plan.settings.budget.entries_max = 0;
    // The first call, then all others at once.
    plan.demands.wait_max = Some(Duration::from_secs(7));
    plan.with(Duration::ZERO, Deed::Herd { key: 0, within: HERD })
}

/// A member tells all askers to wait.
pub fn liar_lets_wait(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 20);
    plan.limits.wait_timeout = Duration::from_secs(3);
    plan.demands.wait_max = Some(Duration::from_secs(5));
    plan = plan.with(Duration::ZERO, Deed::Lie { liar: 1, victim: 0, lie: Lie::Waits });
    (0..20).fold(plan, |plan, key| plan.with(millis(1_000), get(0, key)))
}

/// What one node is sent by another is invalidated by a third while it is on its way.
pub fn writes_overtake_answers(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 20);
    // Every node is told what there is, and asks those that have it.
    plan.limits.attached_bytes_max = 0;
    (plan.network.latency, plan.network.jitter) = (millis(50), Duration::ZERO);
    (0..20).fold(plan, |plan, key| {
        let at = 2_000 * key as u64;
        let [holder, asker, writer] = [key, key + 1, key + 2].map(|node| node % nodes);
        // Sent 50 ms after it was asked for, and there 50 ms later: the write comes 20 ms after the one, and before the other.
        plan.with(millis(at), get(holder, key))
            .with(millis(at + 1_000), get(asker, key))
            .with(millis(at + 1_020), Deed::Invalidate { node: writer, key })
    })
}

/// Values are put and forgotten while disks are asked for them, since memories hold little.
pub fn writes_while_disks_are_asked(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 6);
    (plan.settings.disk, plan.settings.budget.entries_max) = (Disk::Present, 2);
    let mut random = Random::new(seed, SCENARIO_STREAM + 4);
    for step in 0..200 {
        let (node, key) = (random.below(nodes as u64) as usize, random.below(6) as usize);
        let write = match random.below(3) {
            0 => Deed::Invalidate { node, key },
            _put => Deed::Put { node, key },
        };
        let at = millis(400 * step);
        plan = plan.with(at, Deed::Herd { key, within: millis(2) });
        plan = plan.with(at + Duration::from_micros(random.below(2_000)), write);
    }
    plan
}

/// A node says nothing for a while on connections that do not break: members notice by themselves.
pub fn member_pauses(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 20);
    plan.network.idle_timeout = Duration::from_secs(60);
    // One ask without an answer, and one call.
    plan.demands.wait_max = Some(millis(1_900));
    let deed = Deed::Pause { victim: Victim::Node(1), lasts: Duration::from_secs(20) };
    (0..40).fold(plan.with(Duration::from_secs(20), deed), |plan, step| {
        let at = millis(20_050 + 20 * step);
        let node = 2 + step as usize % (nodes - 2).max(1);
        plan.with(at, Deed::Get { node, key: step as usize % 20, directives: Directives::default() })
    })
}

/// A node joins while all others want a resource that it coordinates, perhaps, from then on.
pub fn newcomer_coordinates(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 8);
    (plan.nodes_at_start, plan.origin.latency) = (nodes - 1, Duration::from_secs(2));
    plan.demands.calls_percent_max = Some(100);
    plan = plan.with(millis(1_000), Deed::Join { node: nodes - 1 });
    (0..8).fold(plan, |plan, key| {
        plan.with(Duration::ZERO, get(0, key)).with(millis(1_900), get(1, key)).with(
            Duration::from_secs(10),
            Deed::Get { node: nodes - 1, key, directives: Directives::default() },
        )
    })
}

/// Nodes take the places of others one by one: what was fetched once stays.
pub fn newcomers_take_over(seed: u64, nodes: usize) -> Plan {
    let resources = 80;
    let mut plan = ideal(Plan::calm(seed, nodes, resources));
    let veterans = nodes / 2;
    plan.nodes_at_start = veterans;
    // A newcomer that is not connected with all in time calls for what another one has.
    plan.demands.calls_percent_max = Some(108);
    // Slow enough for requests to come before all is sent.
    (plan.network.latency, plan.network.jitter) = (millis(100), Duration::ZERO);
    for key in 0..resources {
        plan = plan.with(millis(20 * key as u64), get(key % veterans, key));
    }
    // One after the other: of two that know nothing, one may send the other to the origin.
    for (node, step) in (veterans..nodes).zip(0..) {
        plan = plan.with(Duration::from_secs(10 + 5 * step), Deed::Join { node });
    }
    for key in 0..resources {
        plan = plan.with(millis(10_700), get(veterans, key));
    }
    let all_there = Duration::from_secs(10 + 5 * (nodes - veterans) as u64);
    for node in 0..veterans {
        plan = plan.with(all_there, Deed::Leave { node });
    }
    for key in 0..resources {
        let node = veterans + key % (nodes - veterans);
        plan = plan.with(all_there + millis(10_000 + 20 * key as u64), get(node, key));
    }
    plan.events.sort_by_key(|event| event.at);
    plan
}

/// What is granted to entries of peers is less than what the origin grants: they are asked for more often.
pub fn peers_are_clamped(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 2);
    if seed.is_multiple_of(2) {
        plan.limits.freshness_max.lifetime = Duration::from_secs(4);
    } else {
        plan.origin.freshness.lifetime = Duration::from_secs(4);
        plan.ceiling = plan.origin.freshness;
        plan = plan.with(Duration::from_secs(1), Deed::Lie { liar: 1, victim: 0, lie: Lie::Ages });
    }
    (0..60).fold(plan, |plan, step| {
        plan.with(millis(300 * step), get(step as usize % nodes, step as usize / 7 % 2))
    })
}

/// Values of a megabyte and of a few bytes take turns under one key, put by one node within milliseconds: short ones
/// overtake long ones on every link.
pub fn puts_overtake_puts(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 8);
    plan.origin.body_bytes_max = 1024 * 1024;
    plan.demands.last_puts = true;
    let mut random = Random::new(seed, SCENARIO_STREAM + 4);
    for step in 0..30 {
        let (node, key) = (random.below(nodes as u64) as usize, random.below(8) as usize);
        let mut at = millis(700 * step);
        for _ in 0..2 + random.below(2) {
            plan = plan.with(at, Deed::Put { node, key });
            at += millis(random.below(40));
        }
        let reader = random.below(nodes as u64) as usize;
        plan = plan.with(at + millis(random.below(200)), get(reader, random.below(8) as usize));
    }
    plan
}

/// Short lifetimes and long graces: what is stale is served and renewed behind the clients' backs, or stands in.
pub fn renewals(seed: u64, nodes: usize) -> Plan {
    let mut plan = Plan::calm(seed, nodes, 2);
    let second = Duration::from_secs(1);
    plan.origin.freshness =
        Freshness { lifetime: 2 * second, while_revalidating: 3 * second, if_error: 6 * second };
    // Shorter than the graces, or far longer.
    plan.settings.retention = if seed.is_multiple_of(2) { 5 * second } else { 60 * second };
    if seed % 4 > 1 {
        // No node is sent anything unasked.
        plan.limits.attached_bytes_max = 0;
    }
    plan.origin.change_period = second;
    if seed % 2 == 1 {
        (plan.origin.refused_per_mille, plan.origin.unstorable_per_mille) = (300, 100);
    }
    let outage = Deed::Outage { kind: OutageKind::Refused, lasts: 12 * second };
    plan = plan.with(20 * second, outage);
    let mut random = Random::new(seed, SCENARIO_STREAM + 3);
    (0..150).fold(plan, |plan, step| {
        let (node, key) = (random.below(nodes as u64) as usize, random.below(2) as usize);
        let directives = match random.below(8) {
            0 => Directives { max_age: Some(second), ..Directives::default() },
            1 => Directives { only_if_cached: true, ..Directives::default() },
            _plain => Directives::default(),
        };
        plan.with(millis(300 * step), Deed::Get { node, key, directives })
    })
}

/// One domain's answers live so short that only nodes that ask together share them.
pub fn short_lived(seed: u64, nodes: usize) -> Plan {
    let mut plan = herd(seed, nodes);
    plan.origin.freshness = Freshness { lifetime: Duration::from_secs(1), ..Freshness::default() };
    plan
}

/// A node asks for a key.
pub fn get(node: usize, key: usize) -> Deed {
    Deed::Get { node, key, directives: Directives::default() }
}

/// Has all of `plan` happen once all know of one another, with so many connections at most.
fn once_formed(mut plan: Plan, connections_max: usize) -> Plan {
    plan.peers.connections_max = connections_max;
    for event in &mut plan.events {
        event.at += FORMING;
    }
    plan
}

fn ideal(mut plan: Plan) -> Plan {
    plan.demands.calls_percent_max = Some(100);
    plan
}

fn crash(victim: Victim) -> Deed {
    Deed::Crash { victim, down_for: Duration::from_secs(20), keeps_disk: false }
}

fn pause(victim: Victim) -> Deed {
    Deed::Pause { victim, lasts: Duration::from_secs(40) }
}

/// How often each rank is meant: the second half as often as the first, the third a third as often.
pub(crate) struct Ranks(Vec<u64>);

impl Ranks {
    pub(crate) fn new(count: usize) -> Self {
        let sums = (1..=count as u64).scan(0, |sum, rank| {
            *sum += 1_000_000 / rank;
            Some(*sum)
        });
        Self(sums.collect())
    }

    pub(crate) fn pick(&self, random: &mut Random) -> usize {
        let number = random.below(self.0.last().copied().unwrap_or(0));
        self.0.partition_point(|sum| *sum <= number)
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Time in which nodes that may have few connections come to know of one another, as the list of peers of every node
/// shows.
const FORMING: Duration = Duration::from_secs(20);

/// "At the same time", as the specification means it.
const HERD: Duration = Duration::from_millis(50);

const SCENARIO_STREAM: u64 = 16;
