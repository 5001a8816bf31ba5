//! Asking members, answering them, and telling them what is new.

use super::{Engine, fleet::Warmth};
use crate::{
    AskId, Bucket, Domain, Entry, Failure, FetchError, Message, Name, Offence, Outcome, Output, PeerId,
    Served, Source, StaleReason, Timestamp,
    flight::{FlightId, Keep, Stage},
    freshness,
    message::{Announced, Answer, Invalidation, Parcel, Role, Scope, Verdict, clamped},
    sharing::{Asker, Next, Turn},
};
use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};
use core::{ops::ControlFlow, time::Duration};

impl Engine {
    /// Asks whoever may have the answer of flight `id`, or may grant its lease; breaks if the flight now waits.
    ///
    /// Continues when there is nobody to ask, or we hold the lease: then it is for us to fetch.
    pub(super) fn consult(&mut self, id: FlightId) -> ControlFlow<()> {
        let now = self.now;
        let flight = self.flights.flight(id);
        let renews = flight.renewer.is_some();
        let directives = |request: &_| self.flights.waiter(*request).directives;
        let wants = |request: &_| !directives(request).no_cache;
        // Who may not ask the origin has no use for a lease.
        let may_fetch = |request: &_| !directives(request).only_if_cached;
        let fetches = renews || self.flights.waiting(id).iter().any(may_fetch);
        let shares = flight.keep == Keep::Yes
            && flight.consulted.lease.is_none()
            && (renews || self.flights.waiting(id).iter().any(wants));
        let Some(fleet) = self.fleet.as_mut().filter(|fleet| shares && !fleet.ring.is_alone()) else {
            return ControlFlow::Continue(());
        };
        let limits = &fleet.sharing.limits;
        if flight.consulted.asks >= limits.asks_max {
            return ControlFlow::Continue(());
        }
        let name = fleet.name(&flight.key);
        let coordinator = fleet.coordinator(&name, now, &flight.consulted.silent);
        let is_local = coordinator == fleet.local();
        if !flight.consulted.holder_asked {
            let announced = fleet.holders.take_fresh(now, &name).filter(|peer| fleet.ring.contains(*peer));
            // A newcomer coordinates what another did before it, who may have it.
            let is_cold = is_local && fleet.warmth != Warmth::Warm;
            let former = is_cold.then(|| fleet.coordinator(&name, now, &[coordinator]));
            if let Some(holder) = announced.or(former).filter(|peer| *peer != fleet.local()) {
                self.ask(id, holder, name, Role::Holder);
                return ControlFlow::Break(());
            }
        }
        if !fetches && (is_local || flight.consulted.asks > 0) {
            return ControlFlow::Continue(());
        }
        if !is_local {
            let role = if fetches { Role::Coordinator } else { Role::Holder };
            self.ask(id, coordinator, name, role);
            return ControlFlow::Break(());
        }
        let wait_until = now.saturating_add(limits.wait_timeout);
        let ask = self.flights.begin_ask(id, coordinator, wait_until);
        match fleet.leases.ask(now, name, Asker { peer: coordinator, ask }, limits) {
            Turn::Full => {
                self.flights.end_ask(ask, coordinator);
                ControlFlow::Continue(())
            }
            Turn::Granted => {
                self.flights.end_ask(ask, coordinator);
                self.counters.leases += 1;
                self.flights.flight_mut(id).consulted.lease = Some(coordinator);
                ControlFlow::Continue(())
            }
            Turn::Waits => {
                self.wait(id, ask, wait_until);
                ControlFlow::Break(())
            }
        }
    }

    fn ask(&mut self, id: FlightId, peer: PeerId, name: Name, role: Role) {
        let Some(fleet) = &self.fleet else { return };
        let until = self.now.saturating_add(fleet.sharing.limits.ask_timeout);
        let ask = self.flights.begin_ask(id, peer, until);
        self.flights.flight_mut(id).consulted.holder_asked |= role == Role::Holder;
        self.counters.asks += 1;
        self.say(peer, Message::Ask { ask, name, role });
    }

    /// Waits for another member's fetch, with all whom that may serve.
    fn wait(&mut self, id: FlightId, ask: AskId, until: Timestamp) {
        self.flights.begin_wait(ask, until);
        for request in self.flights.waiting(id) {
            if self.flights.waiter(request).directives.only_if_cached {
                self.complete(request, Outcome::Absent);
            }
        }
    }

    /// A member asks. What is fresh here is the answer whatever we are asked as.
    pub(super) fn on_ask(&mut self, from: PeerId, ask: AskId, name: Name, role: Role) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let entry = fleet.names.get(&name).and_then(|key| self.cache.lookup(key)).cloned();
        let fresh = entry.as_ref().filter(|entry| !freshness::remaining(entry, now).is_zero());
        let answer = match (fresh, role) {
            (Some(entry), Role::Coordinator | Role::Holder) => {
                entry.mark_visited();
                self.counters.answers += 1;
                Answer::Hit(Box::new(self.parcel(entry)))
            }
            (None, Role::Holder) => Answer::Miss,
            (None, Role::Coordinator) => {
                match fleet.leases.ask(now, name, Asker { peer: from, ask }, &fleet.sharing.limits) {
                    Turn::Full => Answer::Miss,
                    Turn::Granted => {
                        self.counters.leases += 1;
                        self.lease_answer(name)
                    }
                    Turn::Waits => Answer::Wait,
                }
            }
        };
        self.say(from, Message::Answer { ask, answer });
    }

    pub(super) fn on_answer(&mut self, from: PeerId, ask: AskId, answer: Answer) {
        let Some(answer) = self.on_errand_answered(from, ask, answer) else { return };
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
                self.stand_in(id, StaleReason::Failed(FetchError::FleetFailed));
                self.fail_in_fleet(id);
            }
            Answer::Hit(parcel) => self.on_hit(id, from, *parcel),
            Answer::Lease { name: _, stale } => {
                self.flights.flight_mut(id).consulted.lease = Some(from);
                self.take_stale(id, stale);
                self.depart(id);
            }
            Answer::Miss => self.take_off_again(id),
            Answer::Wait => unreachable!("dealt with above"),
        }
    }

    fn on_hit(&mut self, id: FlightId, from: PeerId, parcel: Parcel) {
        if parcel.key != self.flights.flight(id).key {
            self.on_offence(from, Offence::BadEntry);
            return self.depart(id);
        }
        // Invalidated since it was sent: whoever fetches now fetches for all again.
        if self
            .fleet
            .as_ref()
            .is_some_and(|fleet| !fleet.invalidations.permit(self.now, &parcel.key, &parcel.after))
        {
            self.counters.entries_refused += 1;
            return self.take_off(id);
        }
        if let Some(entry) = self.accept(from, parcel) {
            self.flights.flight_mut(id).stale = Some(Arc::clone(&entry));
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
    fn take_off_again(&mut self, id: FlightId) {
        let consulted = &self.flights.flight(id).consulted;
        if consulted.holder_asked && consulted.asks == 1 { self.take_off(id) } else { self.depart(id) }
    }

    /// Nobody here waits for this answer any more, but it need not be lost.
    fn on_late_answer(&mut self, from: PeerId, answer: Answer) {
        match answer {
            Answer::Hit(parcel) => self.on_announced(from, *parcel),
            Answer::Lease { name, .. } => {
                self.say(from, Message::Release { name, verdict: Verdict::Unused });
            }
            Answer::Failed | Answer::Miss | Answer::Wait => {}
        }
    }

    fn fail_in_fleet(&mut self, id: FlightId) {
        let flight = self.flights.flight(id);
        let held = self.quotas.held_until(flight.key.domain(), flight.bucket, self.now);
        let failure =
            held.map_or(Failure::Fetch(FetchError::FleetFailed), |until| Failure::Throttled { until });
        self.fail(id, failure);
    }

    /// Takes what the coordinator knew of old as something to ask the origin about.
    fn take_stale(&mut self, id: FlightId, stale: Option<Box<Parcel>>) {
        let Some(parcel) = stale.filter(|parcel| parcel.key == self.flights.flight(id).key) else { return };
        if self.flights.flight(id).stale.is_some() {
            return;
        }
        if let Some(entry) = self.open_parcel(*parcel) {
            self.flights.flight_mut(id).stale = Some(Arc::new(entry));
        }
    }

    pub(super) fn on_ask_timed_out(&mut self, ask: AskId) {
        let Some(id) = self.flights.by_ask(ask) else { return };
        let (stage, key) = (self.flights.flight(id).stage, self.flights.flight(id).key.clone());
        let Some(peer) = self.flights.asked(id) else { return };
        self.flights.end_ask(ask, peer);
        let Some(fleet) = &mut self.fleet else { return };
        let name = fleet.name(&key);
        if peer == fleet.local() {
            fleet.leases.withdraw(&name, Asker { peer, ask });
        } else if matches!(stage, Stage::Asking { .. }) {
            self.counters.asks_unanswered += 1;
            self.flights.flight_mut(id).consulted.silent.push(peer);
            self.on_offence(peer, Offence::Silent);
            return self.take_off(id);
        }
        self.depart(id);
    }

    pub(super) fn on_announced(&mut self, from: PeerId, parcel: Parcel) {
        let key = parcel.key.clone();
        // What is stale on arrival will be so from the next fetcher too: those who wait need not do so in turn.
        let is_stale = parcel.draft.age >= parcel.draft.freshness.lifetime;
        let refusal = if is_stale { Verdict::Unshareable } else { Verdict::Unused };
        let kept = self.accept(from, parcel);
        let Some(fleet) = &mut self.fleet else { return };
        let names = fleet.sharing.naming.names(&key);
        match kept {
            Some(entry) => {
                let joinable = self.flights.joinable(&key);
                if let Some((id, ask, peer)) = joinable.and_then(|id| self.consulting(id)) {
                    self.flights.end_ask(ask, peer);
                    self.on_brought(id, &entry);
                }
                self.conclude_leases(&entry);
            }
            None => {
                for name in names {
                    self.on_release(from, name, refusal);
                }
            }
        }
    }

    /// The number and the peer under which flight `id` asks or waits.
    pub(super) fn consulting(&self, id: FlightId) -> Option<(FlightId, AskId, PeerId)> {
        match self.flights.flight(id).stage {
            Stage::Asking { ask, peer, .. } | Stage::Waiting { ask, peer, .. } => Some((id, ask, peer)),
            Stage::Begun | Stage::Loading { .. } | Stage::Fetching { .. } => None,
        }
    }

    fn on_brought(&mut self, id: FlightId, entry: &Arc<Entry>) {
        self.flights.flight_mut(id).stale = Some(Arc::clone(entry));
        if self.serve_loaded(id, entry, Served::Peer).is_break() {
            return;
        }
        if self.flights.waiting(id).is_empty() { self.close(id) } else { self.depart(id) }
    }

    pub(super) fn on_announced_elsewhere(&mut self, from: PeerId, name: Name, remaining: Duration) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let remaining = remaining.min(fleet.sharing.limits.freshness_max.lifetime);
        fleet.holders.insert(now, name, from, remaining);
    }

    /// Takes an entry from a peer in, unless ours is as young or it may be what was invalidated. Answers what is
    /// held under its key now, if that is of any use.
    pub(super) fn accept(&mut self, from: PeerId, parcel: Parcel) -> Option<Arc<Entry>> {
        let now = self.now;
        let Some(entry) = self.open_parcel(parcel) else {
            self.counters.entries_refused += 1;
            return None;
        };
        let held = self.cache.lookup(entry.key()).cloned();
        // Of two that seem to be of one age the later is the newer, as far as links keep order.
        if let Some(held) = held.filter(|held| held.born() > entry.born() || **held == entry) {
            self.counters.entries_refused += 1;
            return (!freshness::remaining(&held, self.now).is_zero()).then_some(held);
        }
        if freshness::remaining(&entry, self.now).is_zero() {
            self.counters.entries_refused += 1;
            return None;
        }
        self.counters.entries_received += 1;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_heard(now, from);
        }
        let entry = Arc::new(entry.from_source(Source::Peer));
        self.keep(Arc::clone(&entry));
        Some(entry)
    }

    /// The entry in `parcel`, within what we grant; `None` if it may be what was invalidated, or our own rules
    /// do not let it be kept.
    fn open_parcel(&self, parcel: Parcel) -> Option<Entry> {
        let fleet = self.fleet.as_ref()?;
        if !fleet.invalidations.permit(self.now, &parcel.key, &parcel.after) {
            return None;
        }
        let most = fleet.sharing.ceiling.most(&parcel.key)?;
        let draft = clamped(clamped(parcel.draft, most), fleet.sharing.limits.freshness_max);
        Some(Entry::new(parcel.key, draft, self.now, self.generation))
    }

    pub(super) fn parcel(&self, entry: &Entry) -> Parcel {
        let invalidations = self.fleet.as_ref().map(|fleet| &fleet.invalidations);
        let after = invalidations.map(|known| known.covering(self.now, entry.key())).unwrap_or_default();
        Parcel::of(entry, after, self.now)
    }

    /// Tells the fleet of a new entry: its coordinator, and who granted the lease for it, have it whole.
    pub(super) fn announce(&mut self, entry: &Arc<Entry>, lease: Option<PeerId>) {
        let told = self.conclude_leases(entry);
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| !fleet.ring.is_alone()) else { return };
        let local = fleet.local();
        let name = fleet.name(entry.key());
        let remaining = freshness::remaining(entry, self.now);
        let is_short = entry.content().body.len() <= fleet.sharing.limits.attached_bytes_max;
        let coordinators = [Some(fleet.coordinator(&name, self.now, &[])), lease];
        let whole = |peer: &PeerId| is_short || coordinators.contains(&Some(*peer));
        let others = fleet.ring.others().filter(|peer| *peer != local && !told.contains(peer));
        let (whole, named): (Vec<PeerId>, Vec<PeerId>) = others.partition(whole);
        if !whole.is_empty() {
            let parcel = Box::new(self.parcel(entry));
            self.outputs
                .push_back(Output::Send { to: whole, message: Message::Announce(Announced::Whole(parcel)) });
        }
        if !named.is_empty() {
            let message = Message::Announce(Announced::Named { name, remaining });
            self.outputs.push_back(Output::Send { to: named, message });
        }
    }

    /// Sends `entry` to all who wait for it here; answers who they are.
    fn conclude_leases(&mut self, entry: &Arc<Entry>) -> Vec<PeerId> {
        let Some(fleet) = &mut self.fleet else { return Vec::new() };
        let local = fleet.local();
        let names = fleet.sharing.naming.names(entry.key());
        let askers: Vec<Asker> = names.iter().flat_map(|name| fleet.leases.conclude(name)).collect();
        let mut told = Vec::new();
        for asker in askers {
            if asker.peer == local {
                if let Some(id) = self.flights.end_ask(asker.ask, local) {
                    self.on_brought(id, entry);
                }
            } else {
                let answer = Answer::Hit(Box::new(self.parcel(entry)));
                self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
                told.push(asker.peer);
            }
        }
        told
    }

    /// Gives the lease of flight `id` back, if it has one: to whoever granted it, and to a newcomer who coordinates it
    /// by now and was told of it.
    pub(super) fn give_back_lease(&mut self, id: FlightId, verdict: Verdict) {
        let flight = self.flights.flight_mut(id);
        let Some(coordinator) = flight.consulted.lease.take() else { return };
        let key = flight.key.clone();
        let Some(fleet) = &self.fleet else { return };
        let (name, local) = (fleet.name(&key), fleet.local());
        let present = Some(fleet.coordinator(&name, self.now, &[])).filter(|present| *present != coordinator);
        for coordinator in present.into_iter().chain([coordinator]) {
            if coordinator == local {
                self.on_release(local, name, verdict);
            } else {
                self.say(coordinator, Message::Release { name, verdict });
            }
        }
    }

    pub(super) fn on_release(&mut self, from: PeerId, name: Name, verdict: Verdict) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let next = fleet.leases.release(now, &name, from, verdict, &fleet.sharing.limits);
        self.on_next(name, next, verdict);
    }

    pub(super) fn on_lease_due(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if let Some((name, next)) = fleet.leases.on_due(now, &fleet.sharing.limits) {
            self.on_next(name, next, Verdict::Unused);
        }
    }

    fn on_next(&mut self, name: Name, next: Next, verdict: Verdict) {
        match next {
            Next::Dismissed(askers) => {
                for asker in askers {
                    self.dismiss(asker, verdict);
                }
            }
            Next::Nobody => {}
            Next::Passed(asker) => {
                self.counters.leases_passed += 1;
                self.grant(name, asker);
            }
        }
    }

    /// Lets `asker`, who waited, fetch `name` for all.
    pub(super) fn grant(&mut self, name: Name, asker: Asker) {
        let local = self.fleet.as_ref().map(|fleet| fleet.local());
        if local != Some(asker.peer) {
            let answer = self.lease_answer(name);
            return self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
        }
        match self.flights.end_ask(asker.ask, asker.peer) {
            Some(id) => {
                self.flights.flight_mut(id).consulted.lease = local;
                self.depart(id);
            }
            None => self.on_release(asker.peer, name, Verdict::Unused),
        }
    }

    fn dismiss(&mut self, asker: Asker, verdict: Verdict) {
        let local = self.fleet.as_ref().map(|fleet| fleet.local());
        if local == Some(asker.peer) {
            if let Some(id) = self.flights.end_ask(asker.ask, asker.peer) {
                match verdict {
                    Verdict::Failed => {
                        self.stand_in(id, StaleReason::Failed(FetchError::FleetFailed));
                        self.fail_in_fleet(id);
                    }
                    Verdict::Unshareable | Verdict::Unused => self.depart(id),
                }
            }
            return;
        }
        let answer = match verdict {
            Verdict::Failed => Answer::Failed,
            Verdict::Unshareable | Verdict::Unused => Answer::Miss,
        };
        self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
    }

    /// The right to fetch `name`, with what we know of old if that is short.
    fn lease_answer(&self, name: Name) -> Answer {
        let stale = self.fleet.as_ref().and_then(|fleet| {
            let entry = self.cache.lookup(fleet.names.get(&name)?)?;
            let is_short = entry.content().body.len() <= fleet.sharing.limits.attached_bytes_max;
            is_short.then(|| Box::new(self.parcel(entry)))
        });
        Answer::Lease { name, stale }
    }

    /// Tells the fleet that what `scope` means was forgotten here.
    pub(super) fn tell_invalidated(&mut self, scope: Scope) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        fleet.holders.clear();
        let invalidation = fleet.invalidations.issue(now, scope);
        self.say_all(Message::Invalidate(vec![invalidation]));
    }

    pub(super) fn on_invalidated(&mut self, invalidations: &[Invalidation]) {
        for invalidation in invalidations {
            let now = self.now;
            let Some(fleet) = &mut self.fleet else { return };
            if fleet.invalidations.learn(now, invalidation) {
                fleet.holders.clear();
                self.forget(invalidation.scope.clone());
            }
        }
    }

    pub(super) fn tell_quota(&mut self, domain: Domain, bucket: Bucket, pause: Duration) {
        self.say_all(Message::Quota { domain, bucket, pause });
    }
}
