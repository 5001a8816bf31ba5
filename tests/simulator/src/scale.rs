//! What a node of a fleet costs, and what the fleet costs the origin, for fleets of two nodes to ten thousand.
//!
//! Nodes have the settings that a user gets: engines order their dials by themselves, keep to their limit of
//! connections, and know a few contacts.

mod figures;
mod page;
#[cfg(test)]
mod tests;
mod workload;

pub use page::{Extent, ScalePage, Step};
pub use workload::MINUTES_MIN;

use crate::{
    figures::Quantiles,
    world::{Mark, STARTING, World},
};
use std::{ops::Range, time::Duration};
use workload::{Schedule, WATCHED, newcomers, plan, resources};

/// What a fleet of one size costs.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How many nodes the fleet has.
    pub nodes: usize,
    /// Whether messages crossed links as bytes, and the codec was part of the run.
    pub encodes: bool,
    /// Before anything is read.
    pub idle: Phase,
    /// While nodes read and nothing fails.
    pub calm: Phase,
    /// While nodes read, and others go and come.
    pub rough: Phase,
    /// Calls to the origin for the one name that all nodes read within a second.
    pub herd_calls: u64,
    /// Most nodes that asked one node for that name within a second.
    pub herd_asks_most: usize,
    /// Longest that one of these reads took, in milliseconds.
    pub herd_wait_most: u64,
    /// Nodes that had no peer for more than ten seconds while another node was up, until the rough phase; and later.
    pub alone: (usize, usize),
    /// Bytes that a newcomer hears in its first two minutes, on average.
    pub newcomer_bytes: u64,
    /// Connections that are made with it meanwhile, on average.
    pub newcomer_handshakes: f64,
    /// Reads that were made, and those that got no answer from the cache or the origin.
    pub requests: u64,
    /// Reads that ended without an answer.
    pub failed: u64,
    /// Each rule that was broken, and how often.
    pub broken: Vec<(String, u64)>,
}

/// What a phase of a run cost.
#[derive(Clone, Debug, Default)]
pub struct Phase {
    /// Calls to the origin for each that one cache shared by all would have made.
    pub calls: f64,
    /// Connections of a node at the end, on average.
    pub connections: f64,
    /// Most connections that any node has had so far.
    pub connections_most: usize,
    /// Bytes that a node sends in a second, on average, with frames and seals.
    pub bytes: f64,
    /// The same for the node that sends most.
    pub bytes_most: f64,
    /// Messages that a node sends in a second, on average.
    pub messages: f64,
    /// How long half of the reads took at most, in milliseconds; and 99 in a hundred.
    pub waits: (u64, u64),
}

/// Runs a fleet of `nodes` for so many minutes of virtual time, [`MINUTES_MIN`] at least. If it `encodes`, messages
/// cross links as bytes. `on_phase` is told what it does next.
pub fn measure(
    seed: u64,
    nodes: usize,
    minutes: u64,
    encodes: bool,
    on_phase: &mut dyn FnMut(&'static str),
) -> Measured {
    let schedule = Schedule::of(minutes);
    let mut world = World::new(crate::Plan { encodes, ..plan(seed, nodes, minutes) }, false);
    world.begin();
    let mut until = |phase, moment: Duration, world: &mut World| {
        on_phase(phase);
        world.run_until(STARTING + moment);
        world.mark()
    };
    let formed = until("forming", schedule.formed, &mut world);
    let idle = until("idle", schedule.idle, &mut world);
    let before = until("reading", schedule.newcomers, &mut world);
    let watched = until("newcomers", schedule.newcomers + WATCHED, &mut world);
    let calm = until("reading", schedule.calm, &mut world);
    world.forget_fan_in();
    let herd = until("herd", schedule.herd, &mut world);
    let herd_asks_most = world.fan_in_most();
    let rough = until("rough", schedule.rough, &mut world);
    let report = world.report();
    let waits =
        |range: Range<&Mark>| Quantiles::of(&report.figures.waits[range.start.waits..range.end.waits]);
    let phase = |from: &Mark, to: &Mark| Phase::between(from, to, &waits(from..to));
    let late = nodes..nodes + newcomers(nodes);
    let of_late = |count: fn(&crate::meter::Load) -> u64| {
        let heard = |mark: &Mark| mark.loads[late.clone()].iter().map(count).sum::<u64>();
        heard(&watched) - heard(&before)
    };
    let bad = ["absent", "failed", "passed", "relayed"].map(|name| report.figures.outcome(name));
    Measured {
        nodes,
        encodes,
        idle: phase(&formed, &idle),
        calm: phase(&idle, &calm),
        rough: phase(&herd, &rough),
        herd_calls: world.calls_for(resources(nodes)),
        herd_asks_most,
        herd_wait_most: waits(&calm..&herd).most(),
        alone: (herd.alone, rough.alone - herd.alone),
        newcomer_bytes: of_late(|load| load.heard_bytes) / late.len() as u64,
        newcomer_handshakes: of_late(|load| load.handshakes) as f64 / late.len() as f64,
        requests: report.figures.requests,
        failed: bad.iter().sum(),
        broken: report.figures.broken.iter().map(|(rule, count)| (format!("{rule:?}"), *count)).collect(),
    }
}

impl Phase {
    fn between(from: &Mark, to: &Mark, waits: &Quantiles) -> Self {
        let seconds = (to.at - from.at).as_secs_f64();
        let up = to.connections.len().max(1) as f64;
        let sent = from.loads.iter().zip(&to.loads);
        let bytes: Vec<u64> = sent.clone().map(|(from, to)| to.sent_bytes - from.sent_bytes).collect();
        let messages: u64 = sent.map(|(from, to)| to.sent_messages - from.sent_messages).sum();
        Self {
            calls: (to.calls - from.calls) as f64 / (to.calls_ideal - from.calls_ideal).max(1) as f64,
            connections: to.connections.iter().sum::<usize>() as f64 / up,
            connections_most: to.loads.iter().map(|load| load.connections_most).max().unwrap_or(0),
            bytes: bytes.iter().sum::<u64>() as f64 / seconds / up,
            bytes_most: bytes.iter().max().copied().unwrap_or(0) as f64 / seconds,
            messages: messages as f64 / seconds / up,
            waits: (waits.p50(), waits.p99()),
        }
    }
}
