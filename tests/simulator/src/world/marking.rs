//! What is counted up to a moment of a run.

use super::World;
use crate::meter::Load;
use std::time::Duration;

/// The counts at one moment: what two of them differ by is what happened between.
pub(crate) struct Mark {
    pub(crate) at: Duration,
    pub(crate) calls: u64,
    pub(crate) calls_ideal: u64,
    /// How many requests have ended.
    pub(crate) waits: usize,
    pub(crate) loads: Vec<Load>,
    /// Connections of each node that is up.
    pub(crate) connections: Vec<usize>,
    /// Nodes that were alone for too long so far.
    pub(crate) alone: usize,
}

impl World {
    /// What is counted so far.
    pub(crate) fn mark(&self) -> Mark {
        let up = self.nodes.iter().filter(|node| self.is_up(node.number));
        Mark {
            at: self.now,
            calls: self.origin.calls,
            calls_ideal: self.figures.calls_ideal,
            waits: self.figures.waits.len(),
            loads: self.meter.loads().to_vec(),
            connections: up.map(|node| node.connected.len()).collect(),
            alone: self.meter.alone_count(),
        }
    }

    /// Looks for the most askers anew.
    pub(crate) fn forget_fan_in(&mut self) {
        self.meter.forget_fan_in();
    }

    /// Most nodes that asked one node for one name within one second of the clock.
    pub(crate) fn fan_in_most(&self) -> usize {
        self.meter.fan_in_most()
    }
}
