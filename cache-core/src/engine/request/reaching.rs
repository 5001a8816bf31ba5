//! Whether the origin can be reached: no call is made while it cannot, but such as find out whether it can be again.

use crate::{
    Domain, Failure, FetchError, Key, Reached, StaleReason, Timestamp,
    engine::Engine,
    flights::FlightId,
    message::Verdict,
    outage::{Begun, Passage},
};
use core::{ops::ControlFlow, time::Duration};

impl Engine {
    /// Considers whether the origin can be reached for flight `id`; breaks if it cannot. Then nobody may wait for it any more,
    /// or it waits for a call that will tell.
    pub(super) fn reach_out(&mut self, id: FlightId) -> ControlFlow<()> {
        if !self.calls_origin(id) {
            return ControlFlow::Continue(());
        }
        match self.outage.passage(self.now, false) {
            Passage::Open => ControlFlow::Continue(()),
            Passage::Tried => {
                self.stand_in(id, StaleReason::HeldOff);
                if self.flights.waiting(id).is_empty() {
                    self.close(id);
                } else {
                    let until = self.look_at_trial();
                    self.flights.begin_affording(id, until);
                }
                ControlFlow::Break(())
            }
            Passage::Closed => {
                self.counters.fetches_held_off += 1;
                // Others may reach it where this node alone does not.
                let verdict = if self.outage.is_of_all(self.now) { Verdict::Failed } else { Verdict::Unused };
                self.flights.flight_mut(id).conclude(verdict);
                self.stand_in(id, StaleReason::HeldOff);
                self.fail(id, Failure::Fetch(FetchError::OriginDown));
                ControlFlow::Break(())
            }
        }
    }

    /// Whether flight `id` is for what the origin has, and not for what a program computes.
    pub(super) fn calls_origin(&self, id: FlightId) -> bool {
        is_of_origin(self.flights.flight(id).key())
    }

    /// Whether the origin is not to be asked for `key` now, since it cannot be reached.
    pub(super) fn is_out_of_reach(&self, key: &Key) -> bool {
        is_of_origin(key) && self.outage.passage(self.now, false) != Passage::Open
    }

    /// When to look again at what waits for a trial.
    pub(super) fn look_at_trial(&self) -> Timestamp {
        self.now.saturating_add(LOOK_AGAIN)
    }

    /// A call to the origin is made.
    pub(super) fn note_call(&mut self) {
        match self.outage.begin(self.now) {
            Begun::Usual => {}
            Begun::Trial { word } => {
                self.counters.origin_trials += 1;
                self.say_of_origin(Some(word));
            }
        }
    }

    /// A call to the origin that began at `begun` has ended, and may have `reached` it.
    pub(super) fn note_reached(&mut self, reached: Reached, begun: Timestamp) {
        match reached {
            Reached::No => {
                let members = self.fleet.as_ref().map_or(1, |fleet| fleet.witnesses_count());
                let word = self.outage.on_unreached(begun, self.now, members);
                self.say_of_origin(word);
            }
            Reached::Unknown => self.outage.on_unknown(begun, self.now),
            Reached::Yes => {
                if let Some(word) = self.outage.on_reached(begun, self.now) {
                    self.say_of_origin_to_all(word);
                }
            }
        }
    }
}

fn is_of_origin(key: &Key) -> bool {
    key.domain() != Domain::APPLICATION
}

/// About as long as a call takes.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
