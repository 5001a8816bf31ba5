//! Asks that were hedged: another member was asked as well, and their own answers are still welcome.
//!
//! Of all the members that a flight asks, one leads: the one asked last. This module keeps the others, and those that
//! say nothing although the flight has gone on with what another said, until it is known whether they are silent.

use crate::{AskId, FlightId, PeerId, Timestamp, message::Role};
use alloc::{collections::BTreeMap, vec::Vec};

/// All of them. Each was a hedge, and ends with its time to answer.
#[derive(Debug, Default)]
pub(super) struct Overtaken {
    asks: BTreeMap<AskId, OvertakenAsk>,
}

/// An ask beside which another member was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OvertakenAsk {
    /// The flight that still waits for the answer.
    pub(crate) flight: Option<FlightId>,
    pub(crate) peer: PeerId,
    pub(crate) role: Role,
    pub(crate) asked_at: Timestamp,
    /// When silence counts as absence.
    pub(crate) until: Timestamp,
}

impl Overtaken {
    pub(super) fn insert(&mut self, ask: AskId, overtaken: OvertakenAsk) {
        self.asks.insert(ask, overtaken);
    }

    pub(super) fn get(&self, ask: AskId) -> Option<OvertakenAsk> {
        self.asks.get(&ask).copied()
    }

    pub(super) fn remove(&mut self, ask: AskId) -> Option<OvertakenAsk> {
        self.asks.remove(&ask)
    }

    /// Flight `id` goes on with what one member said; the others can only be late.
    pub(super) fn settle(&mut self, id: FlightId) {
        for overtaken in self.asks.values_mut().filter(|overtaken| overtaken.flight == Some(id)) {
            overtaken.flight = None;
        }
    }

    /// The asks whose answers flight `id` waits for, the oldest first.
    pub(super) fn of(&self, id: FlightId) -> impl Iterator<Item = (AskId, OvertakenAsk)> {
        let of_flight = self.asks.iter().filter(move |(_, overtaken)| overtaken.flight == Some(id));
        of_flight.map(|(ask, overtaken)| (*ask, *overtaken))
    }

    pub(super) fn of_peer(&self, peer: PeerId) -> Vec<AskId> {
        let of_peer = self.asks.iter().filter(|(_, overtaken)| overtaken.peer == peer);
        of_peer.map(|(ask, _)| *ask).collect()
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.asks.values().map(|overtaken| overtaken.peer)
    }
}
