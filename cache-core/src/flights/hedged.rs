//! Flights that ask several members, of which the first answer counts.

use super::{Flights, Stage, overtaken::OvertakenAsk};
use crate::{AskId, Deadline, FlightId, PeerId, Timestamp};
use alloc::vec::Vec;

impl Flights {
    /// Lets another member be asked at `at` beside the one that is asked under `ask`, if that has said nothing by then.
    pub(crate) fn hedge_at(&mut self, ask: AskId, at: Timestamp) {
        let Some(id) = self.by_ask(ask) else { return };
        self.forget_hedge(id);
        if let Stage::Asking { hedge_at, .. } = &mut self.flight_mut(id).stage {
            *hedge_at = Some(at);
            self.deadlines.insert((at, Deadline::Hedge(ask)));
        }
    }

    /// No other member is asked beside the one that flight `id` asks.
    pub(super) fn forget_hedge(&mut self, id: FlightId) {
        if let Stage::Asking { ask, hedge_at, .. } = &mut self.flight_mut(id).stage
            && let Some(at) = hedge_at.take()
        {
            let ask = *ask;
            self.deadlines.remove(&(at, Deadline::Hedge(ask)));
        }
    }

    /// The time to hedge `ask` has come, or is of no use. Returns the flight that asks.
    pub(crate) fn end_hedge(&mut self, ask: AskId) -> Option<FlightId> {
        let id = self.by_ask(ask)?;
        self.forget_hedge(id);
        Some(id)
    }

    /// Leaves the stage of asking, so that another member can be asked, without giving the first one up.
    pub(crate) fn overtake(&mut self, id: FlightId) {
        let Stage::Asking { ask, peer, until, .. } = self.flight(id).stage else { return };
        let consulted = self.flight(id).consulted();
        let Some(role) = consulted.role else { return };
        let overtaken = OvertakenAsk { flight: Some(id), peer, role, asked_at: consulted.asked_at, until };
        self.leave_stage(id);
        self.overtaken.insert(ask, overtaken);
        self.deadlines.insert((until, Deadline::Ask(ask)));
    }

    /// `peer` answers `ask`: of all members that its flight asks, this one leads from now on, and others are late.
    ///
    /// Nothing changes for a flight that has gone on meanwhile. Returns when the peer was asked, if it was overtaken.
    pub(crate) fn lead(&mut self, ask: AskId, peer: PeerId) -> Option<Timestamp> {
        let overtaken = self.overtaken.get(ask).filter(|overtaken| overtaken.peer == peer);
        let Some(overtaken) = overtaken else {
            if let Some(id) = self.by_ask(ask).filter(|id| self.asked(*id) == Some(peer)) {
                self.overtaken.settle(id);
            }
            return None;
        };
        self.end_overtaken(ask);
        if let Some(id) = overtaken.flight.filter(|id| self.asked(*id).is_some()) {
            self.overtake(id);
            self.leave_stage(id);
            self.overtaken.settle(id);
            self.resume_one(id, ask, overtaken);
        }
        Some(overtaken.asked_at)
    }

    /// Goes on waiting for the member that flight `id` asked first of those that it asks still. Returns whether there
    /// is one.
    pub(crate) fn resume(&mut self, id: FlightId) -> bool {
        let first = self.overtaken.of(id).next();
        if let Some((ask, overtaken)) = first {
            self.end_overtaken(ask);
            self.resume_one(id, ask, overtaken);
        }
        first.is_some()
    }

    /// The member asked under `ask` is waited for no longer. Returns what it was asked, if it was overtaken.
    pub(crate) fn end_overtaken(&mut self, ask: AskId) -> Option<OvertakenAsk> {
        let overtaken = self.overtaken.remove(ask)?;
        self.deadlines.remove(&(overtaken.until, Deadline::Ask(ask)));
        Some(overtaken)
    }

    /// The asks of `peer` that were overtaken.
    pub(crate) fn overtaken_of(&self, peer: PeerId) -> Vec<AskId> {
        self.overtaken.of_peer(peer)
    }

    /// Whether flight `id` still waits for a member beside which it asked, or is to ask, another.
    pub(crate) fn is_hedged(&self, id: FlightId) -> bool {
        self.overtaken.of(id).next().is_some()
    }

    /// The members that flight `id` need not ask: they were silent, or are being asked.
    pub(crate) fn passed_over(&self, id: FlightId) -> Vec<PeerId> {
        let asked = self.overtaken.of(id).map(|(_, overtaken)| overtaken.peer);
        self.flight(id).consulted().silent.iter().copied().chain(asked).collect()
    }

    fn resume_one(&mut self, id: FlightId, ask: AskId, overtaken: OvertakenAsk) {
        let OvertakenAsk { peer, role, asked_at, until, .. } = overtaken;
        let flight = self.flight_mut(id);
        flight.stage = Stage::Asking { ask, peer, until, hedge_at: None };
        flight.consulted.lead(role, asked_at);
        self.by_ask.insert(ask, id);
        self.deadlines.insert((until, Deadline::Ask(ask)));
    }
}
