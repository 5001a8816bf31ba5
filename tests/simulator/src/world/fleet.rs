//! How nodes start and end, meet and lose one another.

use super::{Happening, World};
use crate::{
    mesh::Dial,
    node::{Arrival, State},
};
use cache_core::Input;
use std::time::Duration;

impl World {
    pub(super) fn start(&mut self, number: usize) {
        if self.is_up(number) {
            return;
        }
        self.transcript.note(format_args!("{:?} n{number} starts", self.now));
        let node = &mut self.nodes[number];
        let entries = node.start(&self.plan);
        self.ledger.misdated = self.nodes.iter().map(|node| node.misdated).sum();
        self.handle(number, Input::Restored { entries });
        let is_met = |other: &usize| self.plan.connects && *other != number && self.is_up(*other);
        let up: Vec<usize> = (0..self.nodes.len()).filter(is_met).collect();
        let dials = self.mesh.on_started(number, up.into_iter());
        dials.into_iter().for_each(|dial| self.plan_dial(&dial));
    }

    /// Ends the process of a node without a word. Its peers notice when their connections have been silent for
    /// too long, or before.
    pub(super) fn crash(&mut self, number: usize) {
        self.transcript.note(format_args!("{:?} n{number} ends", self.now));
        for (peer, _) in self.connections(number) {
            let notice = self.random.up_to(self.plan.network.idle_timeout);
            self.network.cut(number, peer).into_iter().for_each(|connection| {
                let gone = Arrival::Disconnected { peer: number, connection };
                self.schedule_arrival(self.now + notice, peer, gone);
            });
        }
        self.nodes[number].stop();
        self.figures.lost += self.ledger.on_stopped(number);
    }

    /// Ends the process of a node after it has said goodbye.
    pub(super) fn leave(&mut self, number: usize) {
        if !self.is_up(number) {
            return;
        }
        self.handle(number, Input::Leave);
        let connections = self.connections(number);
        let connections =
            connections.into_iter().map(|(peer, connection)| (number, peer, connection)).collect();
        self.schedule(self.now + CLOSING, Happening::Close(connections));
        self.nodes[number].stop();
        self.figures.lost += self.ledger.on_stopped(number);
    }

    pub(super) fn dial(&mut self, dialer: usize, listener: usize) {
        let are_up = [dialer, listener].map(|node| self.nodes[node].state);
        if are_up.contains(&State::Down) || self.network.connection(dialer, listener).is_some() {
            return;
        }
        let made = if are_up.contains(&State::Paused) {
            None
        } else {
            self.network.connect(self.now, dialer, listener)
        };
        let Some(made) = made else {
            let again = self.mesh.on_missing(dialer, listener);
            return self.plan_dial(&again);
        };
        self.figures.connections += 1;
        let connection = made.connection;
        let connected = |peer, dialed| Arrival::Connected { peer, connection, dialed };
        self.schedule_arrival(made.dialer_at, dialer, connected(listener, true));
        self.schedule_arrival(made.listener_at, listener, connected(dialer, false));
    }

    /// Breaks the connection of two nodes, which notice within `notice_max`, and has it made again.
    pub(super) fn break_off(&mut self, a: usize, b: usize, notice_max: Duration) {
        let Some(connection) = self.network.cut(a, b) else { return };
        for (node, peer) in [(a, b), (b, a)] {
            let notice = self.random.up_to(notice_max);
            self.schedule_arrival(self.now + notice, node, Arrival::Disconnected { peer, connection });
        }
        let again = self.mesh.on_missing(a, b);
        self.plan_dial(&again);
    }

    pub(super) fn on_idle(&mut self, a: usize, b: usize, connection: u64) {
        let is_silent = self.network.is_parted(a, b)
            || [a, b].iter().any(|node| self.nodes[*node].state == State::Paused);
        if is_silent && self.network.connection(a, b) == Some(connection) {
            self.break_off(a, b, self.plan.network.idle_timeout / 4);
        }
    }

    /// Has the given connections looked at when they have been silent for as long as they may.
    pub(super) fn expect_idle(&mut self, connections: Vec<(usize, usize, u64)>) {
        for (a, b, connection) in connections {
            self.schedule(self.now + self.plan.network.idle_timeout, Happening::Idle { a, b, connection });
        }
    }

    /// The unbroken connections of a node.
    pub(super) fn connections(&self, number: usize) -> Vec<(usize, u64)> {
        let others = (0..self.nodes.len()).filter(|other| *other != number);
        others.filter_map(|other| Some((other, self.network.connection(number, other)?))).collect()
    }

    fn plan_dial(&mut self, dial: &Dial) {
        let Dial { after, dialer, listener } = *dial;
        self.schedule(self.now + after, Happening::Dial { dialer, listener });
    }
}

/// Time after its goodbye at which the connections of a node close.
const CLOSING: Duration = Duration::from_millis(100);
