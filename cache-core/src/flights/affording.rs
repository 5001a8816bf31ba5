//! Flights that may not call the origin yet, since too many calls are under way for what is left of an allowance.

use super::{FlightId, Flights, Stage};
use crate::{Deadline, Priority, Timestamp};

impl Flights {
    /// How much flight `id` matters: as much as the most important request that waits for it, or that it began for.
    pub(crate) fn priority(&self, id: FlightId) -> Priority {
        let flight = self.flight(id);
        let waiting = flight.waiting.iter().map(|request| self.waiter(*request).caller.priority);
        waiting.max().unwrap_or(flight.caller.priority)
    }

    /// Lets flight `id` wait until `until`.
    pub(crate) fn begin_affording(&mut self, id: FlightId, until: Timestamp) {
        self.overtaken.settle(id);
        self.flight_mut(id).stage = Stage::Affording { until };
        self.deadlines.insert((until, Deadline::Affording(id)));
    }

    /// Lets flight `id` go on, if it waits for other calls.
    pub(crate) fn end_affording(&mut self, id: FlightId) {
        if matches!(self.flight(id).stage, Stage::Affording { .. }) {
            self.leave_stage(id);
        }
    }
}
