//! Asking members for what is not here, and what their answers mean for the waiters.

use crate::{
    AskId, Entry, Failure, FetchError, Message, Name, Offence, Outcome, PeerId, Served, StaleReason,
    Timestamp,
    engine::{Engine, fleet::DEPUTIES_MAX},
    flights::{FlightId, Keep, Stage},
    message::{Answer, Parcel, Role, Verdict},
    sharing::{Asker, Turn},
};
use alloc::{boxed::Box, sync::Arc};
use core::{ops::ControlFlow, time::Duration};

impl Engine {
    /// Asks a member that may have the answer of flight `id`, or may grant its lease; breaks if the flight now waits.
    ///
    /// Returns `Continue` if there is no member to ask, or we hold the lease: then this node fetches.
    pub(super) fn consult(&mut self, id: FlightId) -> ControlFlow<()> {
        let now = self.now;
        let flight = self.flights.flight(id);
        let renews = flight.renews();
        let directives = |request: &_| self.flights.waiter(*request).directives;
        let wants = |request: &_| !directives(request).no_cache;
        // A request that may not ask the origin has no use for a lease.
        let may_fetch = |request: &_| !directives(request).only_if_cached;
        let fetches = renews || self.flights.waiting(id).iter().any(may_fetch);
        let shares = flight.keep() == Keep::Yes
            && flight.consulted().lease.is_none()
            && (renews || self.flights.waiting(id).iter().any(wants));
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| shares && !fleet.is_alone()) else {
            return ControlFlow::Continue(());
        };
        if flight.consulted().asks >= fleet.sharing.limits.asks_max {
            return ControlFlow::Continue(());
        }
        let name = fleet.name(flight.key());
        let coordinator = fleet.coordinator_for_us(&name, now, &self.flights.passed_over(id));
        let is_local = coordinator == fleet.local();
        let missed = &flight.consulted().missed;
        let is_hedged = self.flights.is_hedged(id);
        let may_be_held = !flight.consulted().holder_asked && !is_hedged;
        let announced = if may_be_held { fleet.holder(flight.key(), now) } else { None };
        // A new member coordinates what others did before it, which may have it.
        let has_deputy = is_local && !is_hedged && missed.len() < DEPUTIES_MAX;
        let deputy = || has_deputy.then(|| fleet.deputy(&name, now, missed)).flatten();
        let holder = announced.or_else(|| deputy().map(|peer| (peer, name)));
        if let Some((holder, name)) = holder.filter(|(peer, _)| *peer != fleet.local()) {
            self.ask(id, (holder, Role::Holder), name, None);
            return ControlFlow::Break(());
        }
        if !fetches && (is_local || flight.consulted().asks > 0) {
            return ControlFlow::Continue(());
        }
        let kin_wait = self.kin_wait(id);
        if is_local {
            return self.ask_ourselves(id, name, kin_wait);
        }
        self.ask_coordinator(id, (coordinator, fetches), name, kin_wait);
        ControlFlow::Break(())
    }

    /// Asks another member for the answer of flight `id`, and for its lease if the flight `fetches`.
    fn ask_coordinator(
        &mut self,
        id: FlightId,
        (coordinator, fetches): (PeerId, bool),
        name: Name,
        kin_wait: Option<Duration>,
    ) {
        if !fetches {
            return self.ask(id, (coordinator, Role::Holder), name, None);
        }
        if let Some(fleet) = self.fleet.as_mut().filter(|fleet| fleet.is_on_the_way()) {
            let local = fleet.local();
            fleet.leases.claim(self.now, name, local, &fleet.sharing.limits);
            self.flights.flight_mut(id).claim();
        }
        self.ask(id, (coordinator, Role::Coordinator), name, kin_wait);
    }

    /// Grants flight `id` the lease of `name`, which this node coordinates, or lets it wait; breaks in that case.
    fn ask_ourselves(&mut self, id: FlightId, name: Name, kin_wait: Option<Duration>) -> ControlFlow<()> {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return ControlFlow::Continue(()) };
        let (local, limits) = (fleet.local(), &fleet.sharing.limits);
        let wait_until = now.saturating_add(limits.wait_timeout);
        let kin_until = kin_wait.map(|wait| now.saturating_add(wait.min(limits.kin_wait_max)));
        let ask = self.flights.begin_ask(id, (local, Role::Coordinator), (now, wait_until));
        match fleet.leases.ask(now, name, (Asker { peer: local, ask }, kin_until), limits) {
            Turn::Granted if !self.puts_off(name, local, None) => {
                self.flights.end_ask(ask, local);
                self.counters.leases += 1;
                self.flights.flight_mut(id).hold_lease_of(local);
                ControlFlow::Continue(())
            }
            Turn::Full => {
                self.flights.end_ask(ask, local);
                ControlFlow::Continue(())
            }
            Turn::Granted | Turn::Waits => {
                self.wait(id, ask, wait_until);
                ControlFlow::Break(())
            }
        }
    }

    fn ask(&mut self, id: FlightId, (peer, role): (PeerId, Role), name: Name, kin_wait: Option<Duration>) {
        let Some(fleet) = &self.fleet else { return };
        let until = self.now.saturating_add(fleet.time_for(peer));
        let ask = self.flights.begin_ask(id, (peer, role), (self.now, until));
        self.counters.asks += 1;
        if role == Role::Coordinator {
            self.prepare_hedge(id, (ask, peer), &name);
        }
        self.say_linked(peer, Message::Ask { ask, name, role, kin_wait });
    }

    /// Waits for another member's fetch, with all requests that it may serve; or for what a holder is looking for,
    /// with all.
    pub(super) fn wait(&mut self, id: FlightId, ask: AskId, until: Timestamp) {
        self.flights.begin_wait(ask, until);
        if self.flights.flight(id).consulted().role == Some(Role::Holder) {
            return;
        }
        for request in self.flights.waiting(id) {
            if self.flights.waiter(request).directives.only_if_cached {
                self.complete(request, Outcome::Absent);
            }
        }
    }

    pub(in crate::engine) fn on_answer(&mut self, from: PeerId, ask: AskId, answer: Answer) {
        let Some(answer) = self.on_errand_answered(from, ask, answer) else { return };
        let Some(answer) = self.on_search_answered(from, ask, answer) else { return };
        let Some(answer) = self.on_inquiry_answered(from, ask, answer) else { return };
        self.on_prompt(from, ask);
        self.on_lead(from, ask);
        if answer == Answer::Wait {
            let Some(fleet) = &self.fleet else { return };
            let until = self.now.saturating_add(fleet.sharing.limits.wait_timeout);
            if let Some(id) = self.flights.by_ask(ask).filter(|id| self.flights.asked(*id) == Some(from)) {
                self.wait(id, ask, until);
            }
            return;
        }
        let Some(id) = self.flights.end_ask(ask, from) else {
            return self.on_late_answer(from, answer);
        };
        match answer {
            Answer::Failed => {
                self.fail_claimants(id);
                self.stand_in(id, StaleReason::Failed(FetchError::FleetFailed));
                self.fail_in_fleet(id);
            }
            Answer::Hit(parcel) => self.on_hit(id, from, *parcel),
            Answer::Lease { name: _, stale } => {
                self.flights.flight_mut(id).hold_lease_of(from);
                self.take_stale(id, from, stale);
                self.depart(id);
            }
            Answer::Miss => self.take_off_again(id, from),
            Answer::Wait => unreachable!("dealt with above"),
        }
    }

    /// Notes how long `from` took to say the first thing to what a flight asked it.
    fn on_prompt(&mut self, from: PeerId, ask: AskId) {
        let Some(id) = self.flights.by_ask(ask) else { return };
        let flight = self.flights.flight(id);
        if matches!(flight.stage(), Stage::Asking { peer, .. } if peer == from) {
            let asked_at = flight.consulted().asked_at;
            self.note_promptness(from, asked_at);
        }
    }

    pub(super) fn on_hit(&mut self, id: FlightId, from: PeerId, parcel: Parcel) {
        if parcel.key != *self.flights.flight(id).key() {
            self.on_offence(from, Offence::BadEntry);
            return self.depart(id);
        }
        // Invalidated since it was sent: the next fetch is for all again.
        if !self.is_credible(from, &parcel) {
            self.counters.entries_refused += 1;
            return self.take_off(id);
        }
        if parcel.draft.is_for_waiters_alone() {
            let entry = self.told(parcel);
            if self.flights.flight(id).consulted().claims {
                self.conclude_leases(&entry);
            }
            return self.relay_told(id, entry.content());
        }
        if let Some(entry) = self.accept(from, parcel) {
            if self.flights.flight(id).consulted().claims {
                self.conclude_leases(&entry);
            }
            self.flights.flight_mut(id).learn(Arc::clone(&entry));
            if self.serve_loaded(id, &entry, Served::Peer).is_break() {
                return;
            }
            if self.flights.waiting(id).is_empty() {
                return self.close(id);
            }
        }
        self.depart(id);
    }

    /// After a miss: a holder's sends us on to the coordinator, a coordinator's to the origin.
    pub(super) fn take_off_again(&mut self, id: FlightId, from: PeerId) {
        let flight = self.flights.flight_mut(id);
        match flight.consulted().role {
            Some(Role::Holder) => {
                flight.note_missed(from);
                self.take_off(id);
            }
            Some(Role::Coordinator) | None => self.depart(id),
        }
    }

    /// No request here waits for this answer any more, but it need not be lost.
    pub(super) fn on_late_answer(&mut self, from: PeerId, answer: Answer) {
        match answer {
            Answer::Hit(parcel) => self.on_announced(from, *parcel),
            Answer::Lease { name, .. } => {
                self.say(from, Message::Release { name, verdict: Verdict::Unused });
            }
            Answer::Failed | Answer::Miss | Answer::Wait => {}
        }
    }

    pub(in crate::engine) fn fail_in_fleet(&mut self, id: FlightId) {
        let held = self.ledger.held(self.purse(id), self.now);
        self.fail(id, held.unwrap_or(Failure::Fetch(FetchError::FleetFailed)));
    }

    /// Takes what the coordinator knew of old, or another domain was given, as something to ask the origin about.
    fn take_stale(&mut self, id: FlightId, from: PeerId, stale: Option<Box<Parcel>>) {
        let Some(parcel) = stale.filter(|_| self.flights.flight(id).stale().is_none()) else { return };
        if parcel.key != *self.flights.flight(id).key() {
            return self.take_lent(id, from, *parcel);
        }
        if let Some(entry) = self.open_parcel(*parcel) {
            self.flights.flight_mut(id).learn(Arc::new(entry));
        }
    }

    pub(in crate::engine) fn on_ask_timed_out(&mut self, ask: AskId) {
        let Some(id) = self.flights.by_ask(ask) else { return self.on_overtaken_timed_out(ask) };
        let (stage, key) = (self.flights.flight(id).stage(), self.flights.flight(id).key().clone());
        let Some(peer) = self.flights.asked(id) else { return };
        self.flights.end_ask(ask, peer);
        let Some(fleet) = &mut self.fleet else { return };
        let name = fleet.name(&key);
        if peer == fleet.local() {
            fleet.leases.withdraw(&name, Asker { peer, ask });
        } else if matches!(stage, Stage::Asking { .. }) {
            self.flights.flight_mut(id).note_silent(peer);
            self.blame_silence(peer);
            return self.go_on(id);
        }
        self.depart(id);
    }

    /// The number and the peer under which flight `id` asks or waits.
    pub(in crate::engine) fn consulting(&self, id: FlightId) -> Option<(FlightId, AskId, PeerId)> {
        match self.flights.flight(id).stage() {
            Stage::Asking { ask, peer, .. } | Stage::Waiting { ask, peer, .. } => Some((id, ask, peer)),
            Stage::Begun
            | Stage::Gathering
            | Stage::Affording { .. }
            | Stage::Kin { .. }
            | Stage::Loading { .. }
            | Stage::Fetching { .. } => None,
        }
    }

    pub(in crate::engine) fn on_brought(&mut self, id: FlightId, entry: &Arc<Entry>) {
        self.on_brought_as(id, entry, Served::Peer);
    }

    /// The entry of flight `id` has come, by which requests that it answers are `served`.
    pub(super) fn on_brought_as(&mut self, id: FlightId, entry: &Arc<Entry>, served: Served) {
        if entry.is_for_waiters_alone() {
            return self.relay_told(id, entry.content());
        }
        self.flights.flight_mut(id).learn(Arc::clone(entry));
        if self.serve_loaded(id, entry, served).is_break() {
            return;
        }
        if self.flights.waiting(id).is_empty() { self.close(id) } else { self.depart(id) }
    }
}
