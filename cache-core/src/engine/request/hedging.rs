//! Hedges: asking the next coordinator as well when the first says nothing for longer than nearly all answers take.
//!
//! The first one is not given up. Whichever answers first counts, and a lease that comes second is given back unused.

use crate::{
    AskId, Name, PeerId, Timestamp,
    engine::Engine,
    flights::{FlightId, Keep},
};
use core::time::Duration;

impl Engine {
    /// Sees to it that another member is asked beside `peer`, which has just been asked as coordinator, if it says
    /// nothing.
    ///
    /// If that other is this node, its lease comes at once, so it is given the time in which another's would come, and as
    /// long as nobody has answered, that is unknown.
    pub(super) fn prepare_hedge(&mut self, id: FlightId, (ask, peer): (AskId, PeerId), name: &Name) {
        let Some(fleet) = &mut self.fleet else { return };
        fleet.hedging.on_ask();
        let Some(after) = fleet.hedge_after(peer) else { return };
        let mut passed_over = self.flights.passed_over(id);
        passed_over.push(peer);
        let is_ours = fleet.coordinator_for_us(name, self.now, &passed_over) == fleet.local();
        if is_ours && !fleet.knows_promptness(peer) {
            return;
        }
        let after = if is_ours { after * 2 } else { after };
        if after < fleet.time_for(peer) {
            self.flights.hedge_at(ask, self.now.saturating_add(after));
        }
    }

    /// The member that was asked under `ask` has said nothing by `due`: the next one is asked as well.
    pub(in crate::engine) fn on_hedge_due(&mut self, ask: AskId, due: Timestamp) {
        let Some(id) = self.flights.end_hedge(ask) else { return };
        let Some(fleet) = &mut self.fleet else { return };
        if self.now.saturating_since(due) >= HELD_UP_MIN {
            let asked_at = self.flights.flight(id).consulted().asked_at;
            let after = due.saturating_since(asked_at);
            return self.flights.hedge_at(ask, self.now.saturating_add(after));
        }
        let flight = self.flights.flight(id);
        let is_exhausted = flight.consulted().asks >= fleet.sharing.limits.asks_max;
        if is_exhausted || flight.keep() == Keep::No || !fleet.hedging.take() {
            return;
        }
        self.counters.hedges += 1;
        self.flights.overtake(id);
        self.take_off(id);
    }

    /// `from` answers `ask`, so of all members that were asked for the same it is the one that counts.
    pub(super) fn on_lead(&mut self, from: PeerId, ask: AskId) {
        if let Some(asked_at) = self.flights.lead(ask, from) {
            self.note_promptness(from, asked_at);
        }
    }

    /// Notes that `peer` has answered what it was asked at `asked_at`.
    pub(super) fn note_promptness(&mut self, peer: PeerId, asked_at: Timestamp) {
        let Some(fleet) = &mut self.fleet else { return };
        fleet.patience.entry(peer).or_default().on_answer(asked_at, self.now);
        fleet.promptness.on_answer(asked_at, self.now);
    }

    /// A member that was hedged against has kept silent to the end.
    pub(super) fn on_overtaken_timed_out(&mut self, ask: AskId) {
        let Some(overtaken) = self.flights.end_overtaken(ask) else { return };
        if let Some(fleet) = &mut self.fleet {
            fleet.hedging.on_needed();
        }
        if let Some(id) = overtaken.flight.filter(|id| self.flights.is_open(*id)) {
            self.flights.flight_mut(id).note_silent(overtaken.peer);
        }
        self.blame_silence(overtaken.peer);
    }

    /// `peer` is gone: what was asked of it beside others needs no answer.
    pub(in crate::engine) fn lose_overtaken(&mut self, peer: PeerId) {
        for ask in self.flights.overtaken_of(peer) {
            self.flights.end_overtaken(ask);
            if let Some(fleet) = &mut self.fleet {
                fleet.hedging.on_needed();
            }
        }
    }

    /// The member that flight `id` asked last is silent or gone: asks the next, or waits for those asked before.
    pub(in crate::engine) fn go_on(&mut self, id: FlightId) {
        let asks_max = self.fleet.as_ref().map_or(0, |fleet| fleet.sharing.limits.asks_max);
        let is_exhausted = self.flights.flight(id).consulted().asks >= asks_max;
        if !is_exhausted || !self.flights.resume(id) {
            self.take_off(id);
        }
    }
}

/// A node that comes so late to ask another was held up itself, and the answer may be among what it has not read yet.
const HELD_UP_MIN: Duration = Duration::from_millis(20);
