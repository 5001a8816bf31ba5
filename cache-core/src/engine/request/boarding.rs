//! How a request comes to wait in a flight: one that is under way, the one behind it, or a new one.

use crate::{
    Entry, Failure, ForwardReason, Key, Outcome, Output, RequestId, Timestamp,
    engine::Engine,
    flights::{Caller, FlightId},
    freshness::Directives,
    settings::Disk,
};
use alloc::sync::Arc;

/// A request that memory could not answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer {
    pub(super) request: RequestId,
    pub(super) directives: Directives,
    pub(super) caller: Caller,
    /// When its time is up.
    pub(super) until: Timestamp,
}

impl Engine {
    /// Lets `newcomer` wait in flight `id`, or in the next one if it `follows`, unless too many wait.
    pub(super) fn board(&mut self, id: FlightId, newcomer: Newcomer, follows: bool) {
        let Newcomer { request, directives, caller, until } = newcomer;
        if self.flights.waiting_count(id) >= self.settings.waiters_max {
            self.complete(request, Outcome::Failed(Failure::Busy));
        } else if follows {
            self.flights.follow(id, request, (caller, directives), until, self.generation);
        } else {
            self.flights.join(id, request, (caller.priority, directives), until, self.generation);
        }
    }

    /// Opens a flight for `newcomer`, with what was `found` in memory, unless too many are open. Returns it if it is
    /// to go on at once: if nothing was found, the disk is asked first, but not for what is still withheld from all.
    pub(super) fn open(
        &mut self,
        key: Key,
        newcomer: Newcomer,
        reason: ForwardReason,
        found: Option<Arc<Entry>>,
    ) -> Option<FlightId> {
        let Newcomer { request, directives, caller, until } = newcomer;
        if self.flights.len() >= self.settings.flights_max {
            self.complete(request, Outcome::Failed(Failure::Busy));
            return None;
        }
        let asks_disk = self.settings.disk == Disk::Present && found.is_none() && !self.is_gathering();
        let id = self.flights.open(key.clone(), caller, reason, found, self.generation);
        self.flights.join(id, request, (caller.priority, directives), until, self.generation);
        if !asks_disk {
            return Some(id);
        }
        let load = self.flights.begin_load(id, self.now.saturating_add(self.settings.load_timeout));
        self.outputs.push_back(Output::Load { load, key });
        None
    }
}
