//! The way of a request: memory, disk, the fleet, and then the origin.

use super::{boarding::Newcomer, proving::Patience};
use crate::{
    Entry, Failure, FetchError, ForwardReason, Key, LoadId, Outcome, Output, Reader, RequestId, Served,
    StaleReason, Timestamp,
    engine::Engine,
    flights::{Caller, FlightId, Keep, Stage},
    freshness::{self, Directives, Usable},
    message::Verdict,
    settings::Disk,
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::ops::ControlFlow;

impl Engine {
    pub(in crate::engine) fn on_get(
        &mut self,
        request: RequestId,
        key: Key,
        directives: Directives,
        caller: Caller,
    ) {
        let until = self.now.saturating_add(self.settings.request_timeout);
        self.look_up(request, key, directives, caller, until);
    }

    pub(super) fn look_up(
        &mut self,
        request: RequestId,
        key: Key,
        mut directives: Directives,
        caller: Caller,
        until: Timestamp,
    ) {
        directives.no_cache |= self.is_settling(&key);
        if let Reader::Unproven(payer) = caller.reader {
            return self.prove(request, (key, payer), directives, (caller, Patience::Whole), until);
        }
        let found = self.cache.lookup(&key).cloned();
        let reason = match &found {
            None => ForwardReason::UriMiss,
            Some(entry) => match self.serve(request, entry, &directives, Served::Hit) {
                Ok(Usable::WhileRevalidating) => return self.renew(request, entry, caller),
                Ok(Usable::Fresh | Usable::AcceptedStale | Usable::AfterRevalidation) => return,
                Err(reason) => reason,
            },
        };
        let joinable = self.flights.joinable(&key);
        let stage = joinable.map(|id| self.flights.flight(id).stage());
        let fetching = matches!(stage, Some(Stage::Fetching { .. }));
        let is_asked = fetching
            || matches!(stage, Some(Stage::Waiting { .. } | Stage::Kin { .. } | Stage::Affording { .. }));
        let disk_unasked = self.settings.disk == Disk::Present && found.is_none() && !is_asked;
        let peers_unasked = (self.shares() || self.is_gathering()) && !is_asked;
        if directives.only_if_cached && !disk_unasked && !peers_unasked {
            return self.complete(request, Outcome::Absent);
        }
        let newcomer = Newcomer { request, directives, caller, until };
        if let Some(id) = joinable {
            return self.board(id, newcomer, fetching && directives.no_cache);
        }
        if let Some(id) = self.open(key, newcomer, reason, found) {
            self.take_off(id);
        }
    }

    /// Whether what is kept under `key`, or what the origin would say, was written lately. Then neither what is here nor
    /// what a member has or fetches answers a request, but a call that is made after it came.
    fn is_settling(&self, key: &Key) -> bool {
        let status = self.cache.lookup(key).map_or(200, |entry| entry.content().status);
        self.settling.means(key, status, self.now)
    }

    /// Answers `request` with `entry` if it may be served as it is, and returns how; else why it may not.
    ///
    /// An entry to be served while it is revalidated is left to the caller to complete, unless the request
    /// forbids asking the origin: then it is served, and renewed for one that does not.
    pub(super) fn serve(
        &mut self,
        request: RequestId,
        entry: &Arc<Entry>,
        directives: &Directives,
        fresh_as: Served,
    ) -> Result<Usable, ForwardReason> {
        let refused = self.refused(entry);
        self.counters.expirations += u64::from(refused == ForwardReason::Stale);
        entry.mark_visited();
        let usable = freshness::usable(entry, directives, self.now);
        match usable {
            Usable::Fresh => self.answer(request, entry, fresh_as),
            Usable::AcceptedStale => self.answer(request, entry, Served::Stale(StaleReason::Accepted)),
            Usable::WhileRevalidating if directives.only_if_cached => {
                self.answer(request, entry, Served::Stale(StaleReason::WhileRevalidating));
                return Ok(Usable::AcceptedStale);
            }
            Usable::WhileRevalidating => {}
            Usable::AfterRevalidation => return Err(refused),
        }
        Ok(usable)
    }

    /// Why the origin is asked about `entry`, if it is.
    pub(super) fn refused(&self, entry: &Entry) -> ForwardReason {
        if freshness::remaining(entry, self.now).is_zero() {
            ForwardReason::Stale
        } else {
            ForwardReason::Request
        }
    }

    /// Serves a stale entry and has it renewed without the client, unless that is under way.
    pub(super) fn renew(&mut self, request: RequestId, entry: &Arc<Entry>, caller: Caller) {
        let key = entry.key();
        let held = self.cache.is_held_off(key, self.now)
            || self.is_out_of_reach(key)
            || self.is_refused((caller.reader.payer(key.domain()), caller.bucket), caller.priority)
            || self.flights.len() >= self.settings.flights_max;
        if !held && self.flights.joinable(key).is_none() {
            let stale = Some(Arc::clone(entry));
            let id = self.flights.open(key.clone(), caller, ForwardReason::Stale, stale, self.generation);
            // Before the answer: the driver forgets how a request fetches once it is complete.
            if self.shares() {
                self.flights.flight_mut(id).renew_by(request);
                self.outputs.push_back(Output::Retain { request });
                self.answer(request, entry, Served::Stale(StaleReason::WhileRevalidating));
                return self.take_off(id);
            }
            self.fetch(id, request);
        }
        self.answer(request, entry, Served::Stale(StaleReason::WhileRevalidating));
    }

    /// Asks the fleet, and failing that the origin, for a flight that neither memory nor disk could answer.
    pub(in crate::engine) fn take_off(&mut self, id: FlightId) {
        if self.flights.waiting(id).is_empty() && !self.flights.flight(id).renews() {
            return self.close(id);
        }
        if self.is_gathering() {
            return self.flights.gather(id);
        }
        if self.consult(id).is_continue() {
            self.depart(id);
        }
    }

    /// Calls the origin for a flight that no member could answer either, if it may be called now.
    ///
    /// A flight whose key was written while it asked begins again: what it fetched would not be kept.
    pub(in crate::engine) fn depart(&mut self, id: FlightId) {
        if self.flights.flight(id).keep() == Keep::No {
            return self.ask_anew(id);
        }
        for request in self.flights.waiting(id) {
            if self.flights.waiter(request).directives.only_if_cached {
                self.complete(request, Outcome::Absent);
            }
        }
        if self.flights.waiting(id).is_empty() && !self.flights.flight(id).renews() {
            return self.close(id);
        }
        if self.afford(id).is_break() {
            return;
        }
        let key = self.flights.flight(id).key().clone();
        if self.cache.is_held_off(&key, self.now) {
            self.stand_in(id, StaleReason::HeldOff);
            // What would only be renewed can wait as well.
            if self.flights.waiting(id).is_empty() {
                return self.close(id);
            }
        }
        if self.awaits_kin(id) {
            return;
        }
        let leader = self.flights.next_leader(id, self.settings.leaders_max.max(1));
        match leader.or_else(|| self.flights.flight_mut(id).take_renewer()) {
            Some(leader) => self.fetch(id, leader),
            None => self.end_without_leader(id),
        }
    }

    pub(super) fn fetch(&mut self, id: FlightId, leader: RequestId) {
        let until = self.now.saturating_add(self.settings.fetch_timeout);
        let fetch = self.flights.begin_fetch(id, leader, until);
        let candidate = self.candidate(id);
        self.flights.flight_mut(id).ask_about(candidate.as_ref());
        self.counters.fetches += 1;
        if self.calls_origin(id) {
            self.note_call();
        }
        self.ledger.begin(self.purse(id), self.now);
        self.outputs.push_back(Output::Fetch { fetch, leader, candidate });
    }

    pub(in crate::engine) fn on_loaded(&mut self, load: LoadId, entry: Option<Box<Entry>>) {
        let Some(id) = self.flights.end_load(load) else {
            return self.on_search_loaded(load, entry.as_deref());
        };
        if self.flights.flight(id).keep() == Keep::No {
            return self.ask_anew(id);
        }
        let key = self.flights.flight(id).key().clone();
        // A member may have brought it meanwhile; the younger one counts.
        let brought = self.cache.lookup(&key).cloned();
        let is_younger = |entry: &Entry| brought.as_ref().is_none_or(|brought| brought.born() < entry.born());
        let is_usable = |entry: &Entry| *entry.key() == key && is_younger(entry);
        let loaded = entry.filter(|entry| is_usable(entry)).map(|entry| Arc::new(*entry));
        if let Some(entry) = &loaded {
            self.admit(Arc::clone(entry));
        }
        if let Some(entry) = loaded.or(brought) {
            self.flights.flight_mut(id).learn(Arc::clone(&entry));
            if self.serve_loaded(id, &entry, Served::Hit).is_break() {
                return;
            }
        }
        self.take_off(id);
    }

    /// Begins again for the waiters of a flight whose key was invalidated or put, with their deadlines.
    ///
    /// What was put is in memory, and a request that came after an invalidation may be fetching already.
    pub(in crate::engine) fn ask_anew(&mut self, id: FlightId) {
        let flight = self.flights.flight(id);
        let key = flight.key().clone();
        let waiting = self.flights.waiting(id).into_iter();
        let mut waiters: Vec<_> = waiting.filter_map(|it| Some((it, self.flights.leave(it)?))).collect();
        // A request that has fetched already cannot do so again, and leads only if no other is left.
        waiters.sort_by_key(|(_, waiter)| waiter.has_led);
        self.close(id);
        for (request, waiter) in waiters {
            self.look_up(request, key.clone(), waiter.directives, waiter.caller, waiter.until);
        }
    }

    /// Answers the waiters of flight `id` that are content with `entry`, the fresh ones as `fresh_as`; breaks if that
    /// ended the flight.
    pub(super) fn serve_loaded(
        &mut self,
        id: FlightId,
        entry: &Arc<Entry>,
        fresh_as: Served,
    ) -> ControlFlow<()> {
        let caller = self.flights.flight(id).caller();
        if self.flights.flight(id).is_proving() {
            let reason = self.refused(entry);
            self.flights.flight_mut(id).ask_because(reason);
            return ControlFlow::Continue(());
        }
        let mut lagging = Vec::new();
        for request in self.flights.waiting(id) {
            let directives = self.flights.waiter(request).directives;
            match self.serve(request, entry, &directives, fresh_as) {
                Ok(Usable::WhileRevalidating) => {
                    self.flights.leave(request);
                    lagging.push(request);
                }
                Ok(Usable::Fresh | Usable::AcceptedStale | Usable::AfterRevalidation) => {}
                Err(reason) => self.flights.flight_mut(id).ask_because(reason),
            }
        }
        let renewing = if self.flights.waiting(id).is_empty() { lagging.pop() } else { None };
        for request in lagging {
            self.answer(request, entry, Served::Stale(StaleReason::WhileRevalidating));
        }
        let Some(request) = renewing else {
            return ControlFlow::Continue(());
        };
        self.close(id);
        self.renew(request, entry, caller);
        ControlFlow::Break(())
    }

    pub(in crate::engine) fn on_request_timed_out(&mut self, request: RequestId) {
        let flight = self.flights.waiter(request).flight;
        let Directives { no_cache, grant, .. } = self.flights.waiter(request).directives;
        let accepts_stale = !self.flights.flight(flight).is_proving() && !no_cache;
        let stale = self.flights.flight(flight).stale().cloned();
        let stale = stale.filter(|entry| freshness::stands_in(entry, &grant, self.now));
        match stale {
            Some(entry) if accepts_stale => {
                self.answer(request, &entry, Served::Stale(StaleReason::Failed(FetchError::TimedOut)));
            }
            Some(_) | None => self.complete(request, Outcome::Failed(Failure::TimedOut)),
        }
    }

    /// Ends a flight in which nobody waits any more. Its followers take off together.
    pub(super) fn close(&mut self, id: FlightId) {
        let verdict = self.flights.flight(id).consulted().verdict.unwrap_or(Verdict::Unused);
        self.give_back_lease(id, verdict);
        let (mut flight, followers) = self.flights.close(id);
        if let Some(request) = flight.take_renewer() {
            self.outputs.push_back(Output::Forget { request });
        }
        if followers.is_empty() {
            return;
        }
        if flight.is_proving() {
            return self.prove_anew(flight.key(), followers);
        }
        let id = self.flights.joinable(flight.key()).unwrap_or_else(|| {
            let stale = self.cache.lookup(flight.key()).cloned();
            let reason = stale.as_deref().map_or(ForwardReason::UriMiss, |entry| self.refused(entry));
            self.flights.open(flight.key().clone(), flight.caller(), reason, stale, self.generation)
        });
        for (request, waiter) in followers {
            let own = (waiter.caller.priority, waiter.directives);
            self.flights.join(id, request, own, waiter.until, self.generation);
        }
        if self.flights.flight(id).stage() == Stage::Begun {
            self.take_off(id);
        }
    }
}
