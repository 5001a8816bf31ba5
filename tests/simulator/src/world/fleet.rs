//! How nodes start and end, meet and lose one another.

use super::{Happening, STARTING, World};
use crate::{
    ledger::Rule,
    network::Made,
    node::{Arrival, State, number_at},
    plan::Dialing,
};
use cache_core::{
    Input,
    port::{DIAL_TIMEOUT, DialError},
};
use std::time::Duration;

impl World {
    pub(super) fn start(&mut self, number: usize) {
        if self.is_up(number) {
            return;
        }
        self.transcript.note(format_args!("{:?} n{number} starts", self.now));
        self.figures.joins += u64::from(self.now >= STARTING);
        let node = &mut self.nodes[number];
        node.handshakes_before = self.meter.loads()[number].handshakes;
        let (entries, doubts) = node.start(&self.plan, self.now);
        self.ledger.misdated = self.nodes.iter().map(|node| node.misdated).sum();
        self.on_returned(number, &entries, &doubts);
        let mut entries = entries;
        let keys = entries.iter().map(|entry| entry.key().clone()).collect();
        // As stores have it: no more than memory has room for.
        entries.truncate(self.plan.settings.budget.entries_max);
        self.handle(number, Input::Restored { doubts, entries });
        self.handle(number, Input::Catalogued { keys });
    }

    /// Ends the process of a node without notice. Its peers notice when their connections have been silent for too
    /// long, or before.
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
        self.watch.on_stopped(number, self.now);
        self.heard.on_stopped(number);
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
        self.nodes[number].flush();
        self.nodes[number].stop();
        self.watch.on_stopped(number, self.now);
        self.heard.on_stopped(number);
        self.figures.lost += self.ledger.on_stopped(number);
    }

    fn on_made(&mut self, dialer: usize, listener: usize, made: &Made) {
        self.figures.connections += 1;
        let connection = made.connection;
        let connected = |peer, dialed| Arrival::Connected { peer, connection, dialed };
        self.schedule_arrival(made.dialer_at, dialer, connected(listener, true));
        self.schedule_arrival(made.listener_at, listener, connected(dialer, false));
    }

    /// An engine orders a dial.
    pub(super) fn dial_ordered(&mut self, dialer: usize, address: Box<str>) {
        let listener = number_at(&address).filter(|listener| *listener < self.nodes.len());
        let Some(listener) = listener.filter(|_| self.plan.dialing == Dialing::Ordered) else {
            let text = format!("n{dialer} dials {address}, which nobody told it");
            return self.violate(Rule::Dialing, text);
        };
        if listener == dialer {
            return self.violate(Rule::Dialing, format!("n{dialer} dials itself"));
        }
        let peer = self.nodes[listener].peer;
        let trip = 2 * self.plan.network.latency;
        let (failure, after) = match self.nodes[listener].state {
            State::Down => (DialError::Unreachable, trip),
            State::Paused => (DialError::TimedOut, DIAL_TIMEOUT),
            State::Up if self.network.connection(dialer, listener).is_some() => {
                (DialError::AlreadyConnected { peer }, trip)
            }
            State::Up => match self.network.connect(self.now, dialer, listener) {
                Some(made) => return self.on_made(dialer, listener, &made),
                None => (DialError::TimedOut, DIAL_TIMEOUT),
            },
        };
        if !matches!(failure, DialError::AlreadyConnected { .. })
            && let Err((rule, text)) = self.watch.on_dial_failed(dialer, listener, self.now)
        {
            return self.violate(rule, text);
        }
        let failed = Arrival::Input(Input::DialFailed { address, failure });
        self.schedule_arrival(self.now + after, dialer, failed);
    }

    /// Breaks the connection of two nodes, which notice within `notice_max`.
    pub(super) fn break_off(&mut self, a: usize, b: usize, notice_max: Duration) {
        let Some(connection) = self.network.cut(a, b) else { return };
        for (node, peer) in [(a, b), (b, a)] {
            let notice = self.random.up_to(notice_max);
            self.schedule_arrival(self.now + notice, node, Arrival::Disconnected { peer, connection });
        }
    }

    pub(super) fn on_idle(&mut self, a: usize, b: usize, connection: u64) {
        let is_silent = self.network.is_parted(a, b)
            || [a, b].iter().any(|node| self.nodes[*node].state == State::Paused);
        if is_silent && self.network.connection(a, b) == Some(connection) {
            self.break_off(a, b, self.plan.network.idle_timeout / 4);
        }
    }

    /// Has the given connections checked when they have been silent for as long as they may.
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
}

/// Time after its goodbye at which the connections of a node close.
const CLOSING: Duration = Duration::from_millis(100);
