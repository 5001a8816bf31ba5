//! What each node sends, hears and holds, and how many nodes ask one for one name at once.
//!
//! Counts and judges nothing. To learn what happened between two moments of a run, take the counts at both.

use cache_core::{Message, Name};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The counts of all nodes since the run began.
pub(crate) struct Meter {
    loads: Vec<Load>,
    /// What each node was asked for by each name in [`Meter::second`].
    asked: BTreeMap<(usize, Name), Asked>,
    /// The second of the run that asks are counted in.
    second: u64,
    fan_in_most: usize,
    alone: BTreeSet<usize>,
}

/// The nodes that ask one node for one name within a second of the clock, and the most members that its district had meanwhile.
#[derive(Clone, Debug, Default)]
struct Asked {
    by: BTreeSet<usize>,
    members_most: usize,
}

/// What one node has had to do, whichever of its runs it was in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    /// Bytes that it sent, with frames and seals.
    pub(crate) sent_bytes: u64,
    /// Messages that it sent, one for each receiver.
    pub(crate) sent_messages: u64,
    /// Bytes that it heard, with frames and seals.
    pub(crate) heard_bytes: u64,
    /// Connections that were made with it, by either side.
    pub(crate) handshakes: u64,
    /// Most connections that it had at one moment.
    pub(crate) connections_most: usize,
}

impl Meter {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            loads: vec![Load::default(); nodes],
            asked: BTreeMap::new(),
            second: 0,
            fan_in_most: 0,
            alone: BTreeSet::new(),
        }
    }

    /// `node` sends a message to one other.
    pub(crate) fn on_sent(&mut self, node: usize, frame_bytes: usize) {
        self.loads[node].sent_bytes += frame_bytes as u64;
        self.loads[node].sent_messages += 1;
    }

    /// `node`, whose district has so many `members`, hears a message of another. If that is an ask, returns how many nodes
    /// have asked it for the same name in this second, and the most members that its district had at any of these asks.
    pub(crate) fn on_heard(
        &mut self,
        (from, node, members): (usize, usize, usize),
        frame_bytes: usize,
        message: &Message,
        now: Duration,
    ) -> (usize, usize) {
        self.loads[node].heard_bytes += frame_bytes as u64;
        let Message::Ask { name, .. } = message else { return (0, members) };
        if self.second != now.as_secs() {
            self.second = now.as_secs();
            self.asked.clear();
        }
        let asked = self.asked.entry((node, *name)).or_default();
        asked.by.insert(from);
        asked.members_most = asked.members_most.max(members);
        self.fan_in_most = self.fan_in_most.max(asked.by.len());
        (asked.by.len(), asked.members_most)
    }

    /// `node` knows of a connection more, and now has so many.
    pub(crate) fn on_connected(&mut self, node: usize, connections: usize) {
        let load = &mut self.loads[node];
        load.handshakes += 1;
        load.connections_most = load.connections_most.max(connections);
    }

    /// `node` has been alone for longer than a node may be.
    pub(crate) fn on_alone(&mut self, node: usize) {
        self.alone.insert(node);
    }

    /// From now on, looks for the most asks anew.
    pub(crate) fn forget_fan_in(&mut self) {
        self.asked.clear();
        self.fan_in_most = 0;
    }

    /// Most nodes that asked one node for one name within one second of the clock.
    pub(crate) fn fan_in_most(&self) -> usize {
        self.fan_in_most
    }

    /// How many nodes were alone for too long at some time.
    pub(crate) fn alone_count(&self) -> usize {
        self.alone.len()
    }

    pub(crate) fn loads(&self) -> &[Load] {
        &self.loads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{AskId, message::Role};

    fn ask(name: u8) -> Message {
        let name = Name::of([name; 32], [name; 32]);
        Message::Ask { ask: AskId(1), name, role: Role::Coordinator, kin_wait: None }
    }

    #[test]
    fn only_nodes_that_ask_one_node_for_one_name_in_one_second_count_together() {
        let mut meter = Meter::new(2);
        let at = Duration::from_millis;
        let mut hear = |from, to, members, name, at| meter.on_heard((from, to, members), 10, &ask(name), at);
        assert_eq!(hear(2, 0, 9, 1, at(1_000)), (1, 9));
        assert_eq!(hear(3, 0, 4, 1, at(1_999)), (2, 9), "the district was larger within this second");
        assert_eq!(hear(3, 0, 4, 1, at(1_999)), (2, 9));
        assert_eq!(hear(4, 0, 4, 2, at(1_999)), (1, 4));
        assert_eq!(hear(4, 1, 4, 1, at(1_999)), (1, 4));
        assert_eq!(hear(4, 0, 4, 1, at(2_000)), (1, 4));
        assert_eq!(meter.fan_in_most(), 2);
        meter.forget_fan_in();
        assert_eq!(meter.fan_in_most(), 0);
        assert_eq!(meter.loads()[0].heard_bytes, 50);
    }
}
