//! Answering members: entries from here, and leases where this node is the coordinator.

use crate::{
    Entry, FetchError, Message, Name, PeerId, StaleReason,
    engine::Engine,
    flights::FlightId,
    freshness,
    message::{Answer, Parcel, Role, Verdict},
    sharing::{Asker, Next, Query, Turn},
};
use alloc::{boxed::Box, collections::BTreeSet, sync::Arc, vec::Vec};

impl Engine {
    /// A member asks. What is fresh here is the answer in whatever role we are asked. What may be on disk, or with a
    /// former coordinator, is looked for.
    pub(super) fn on_ask(&mut self, query: Query, name: Name) {
        let now = self.now;
        let Query { asker, role, kin_until } = query;
        self.end_waiting_round(&query, &name);
        let Some(fleet) = &mut self.fleet else { return };
        if role == Role::Coordinator {
            fleet.readers.note(now, name, asker.peer);
        }
        let entry = fleet.names.get(&name).and_then(|key| self.cache.lookup(key)).cloned();
        let is_leased = role == Role::Coordinator && fleet.leases.contains(&name);
        let is_fresh = entry.as_ref().is_some_and(|entry| !freshness::remaining(entry, now).is_zero());
        if role == Role::Coordinator
            && fleet.inquiries.take_failure(now, &name, asker.peer)
            && !is_leased
            && !is_fresh
        {
            return self.say(asker.peer, Message::Answer { ask: asker.ask, answer: Answer::Failed });
        }
        if entry.is_none() && !is_leased && self.search(query, name) {
            return;
        }
        let Some(fleet) = &mut self.fleet else { return };
        let fresh = entry.as_ref().filter(|entry| !freshness::remaining(entry, now).is_zero());
        let answer = match (fresh, role) {
            (Some(entry), Role::Coordinator | Role::Holder) => {
                entry.mark_visited();
                self.counters.answers += 1;
                Answer::Hit(Box::new(self.parcel(entry)))
            }
            (None, Role::Holder) => Answer::Miss,
            (None, Role::Coordinator) => {
                match fleet.leases.ask(now, name, (asker, kin_until), &fleet.sharing.limits) {
                    Turn::Full => Answer::Miss,
                    Turn::Granted => self.entrust(name, asker, None).unwrap_or(Answer::Wait),
                    Turn::Waits => Answer::Wait,
                }
            }
        };
        // What is long takes a while on its way, and does not count as silence.
        if answer.body_bytes() > self.attached_bytes_max() {
            self.say(asker.peer, Message::Answer { ask: asker.ask, answer: Answer::Wait });
        }
        self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
    }

    /// What to tell `asker`, which has just been granted the lease of `name`, of which an entry may have been `found` on
    /// disk. `None` if it waits: for a call for another domain, or for what a heavier member says.
    pub(super) fn entrust(&mut self, name: Name, asker: Asker, found: Option<&Entry>) -> Option<Answer> {
        self.counters.leases += 1;
        if self.puts_off(name, asker.peer, found) || self.inquire(name, asker) {
            return None;
        }
        Some(self.lease_answer(name, asker.peer, found))
    }

    /// Puts off the lease of `name`, which has just been granted to `peer`, if a call for another domain is under way that
    /// may bring what it can use, and nothing better is `found` here.
    pub(in crate::engine) fn puts_off(&mut self, name: Name, peer: PeerId, found: Option<&Entry>) -> bool {
        let now = self.now;
        let held = self.fleet.as_ref().and_then(|fleet| fleet.names.get(&name));
        let is_old = found.is_some() || held.is_some_and(|key| self.cache.lookup(key).is_some());
        let lent = self.fresh_lent_by(&name);
        let is_at_hand = lent.is_some_and(|lent| !self.is_being_handed(&lent, &name, peer));
        let Some(fleet) = &mut self.fleet else { return false };
        if is_old || is_at_hand {
            fleet.leases.take_up(now, &name, &fleet.sharing.limits);
            return false;
        }
        fleet.leases.put_off(now, name)
    }

    /// Whether `peer` is being sent `lent`, which is long, with the lease of another name: what is said meanwhile overtakes
    /// it.
    fn is_being_handed(&self, lent: &Entry, name: &Name, peer: PeerId) -> bool {
        let Some(fleet) = &self.fleet else { return false };
        let is_long = lent.content().body.len() > fleet.sharing.limits.attached_bytes_max;
        let first = fleet.handed.with(self.now, name.kinship(), peer).filter(|first| first != name);
        is_long && first.is_some_and(|first| fleet.leases.holder(&first) == Some(peer))
    }

    fn fresh_lent_by(&self, name: &Name) -> Option<Arc<Entry>> {
        self.lent_by(name).filter(|lent| !freshness::remaining(lent, self.now).is_zero())
    }

    /// What another domain was given of the resource of `name`, if it is in memory here.
    fn lent_by(&self, name: &Name) -> Option<Arc<Entry>> {
        let fleet = self.fleet.as_ref()?;
        let kin = fleet.names.range(Name::first_of(name.kinship())..).next();
        let (_, key) = kin.filter(|(kin, _)| kin.kinship() == name.kinship())?;
        self.cache.kin(key.resource(), None).cloned()
    }

    /// Lets those go on that waited for a call for another domain which has come to an end.
    pub(in crate::engine) fn free_kin(&mut self) {
        let now = self.now;
        loop {
            if let Some(kinship) = self.fleet.as_mut().and_then(|fleet| fleet.leases.take_kin_ended()) {
                let lent = self.fresh_lent_by(&Name::first_of(kinship));
                let Some(fleet) = &mut self.fleet else { return };
                for (name, asker) in fleet.leases.freed_kin(&kinship, lent.is_some()) {
                    // The end of its first call is heard of, and then its others are granted.
                    if lent.as_ref().is_some_and(|lent| self.is_being_handed(lent, &name, asker.peer)) {
                        continue;
                    }
                    let Some(fleet) = &mut self.fleet else { return };
                    if fleet.leases.take_up(now, &name, &fleet.sharing.limits).is_some() {
                        self.grant_put_off(name, asker);
                    }
                }
            } else if !self.free_kin_here() {
                return;
            }
        }
    }

    /// Lets `asker`, which waited, fetch `name` for all.
    pub(super) fn grant(&mut self, name: Name, asker: Asker) {
        if !self.waits_for_inquiry(&name, asker) {
            self.grant_with(name, asker, None);
        }
    }

    /// Lets `asker`, whose lease of `name` was put off, fetch it for all, unless a heavier member is asked first.
    fn grant_put_off(&mut self, name: Name, asker: Asker) {
        let is_ours = self.fleet.as_ref().is_some_and(|fleet| fleet.local() == asker.peer);
        if is_ours || !self.inquire(name, asker) {
            self.grant(name, asker);
        }
    }

    /// As [`Self::grant`], with what another knows of old.
    pub(super) fn grant_with(&mut self, name: Name, asker: Asker, stale: Option<Box<Parcel>>) {
        let local = self.fleet.as_ref().map(|fleet| fleet.local());
        if local != Some(asker.peer) {
            let answer = match stale {
                Some(stale) => Answer::Lease { name, stale: Some(stale) },
                None => self.lease_answer(name, asker.peer, None),
            };
            return self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
        }
        match self.flights.end_ask(asker.ask, asker.peer) {
            Some(id) => {
                self.flights.flight_mut(id).hold_lease_of(asker.peer);
                self.depart(id);
            }
            None => self.on_release(asker.peer, name, Verdict::Unused),
        }
    }

    pub(super) fn dismiss(&mut self, asker: Asker, verdict: Verdict) {
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

    /// The fleet has failed to fetch what flight `id` asked for, and so it has for the members that wait for the
    /// flight.
    pub(in crate::engine) fn fail_claimants(&mut self, id: FlightId) {
        let flight = self.flights.flight_mut(id);
        let Some(fleet) = self.fleet.as_mut().filter(|_| flight.take_claim()) else { return };
        let name = fleet.name(flight.key());
        if fleet.leases.holder(&name) == Some(fleet.local()) {
            for asker in fleet.leases.conclude(&name) {
                self.dismiss(asker, Verdict::Failed);
            }
        }
    }

    /// The right for `peer` to fetch `name`, with what to ask the origin about: what we know of old, in memory or as `found`
    /// on disk, if that is short; else what another domain was given, if the asker can use that and was not sent it before.
    pub(super) fn lease_answer(&mut self, name: Name, peer: PeerId, found: Option<&Entry>) -> Answer {
        let now = self.now;
        let Some(fleet) = &self.fleet else { return Answer::Lease { name, stale: None } };
        let held = fleet.names.get(&name).and_then(|key| self.cache.lookup(key));
        let old = held.map(|entry| &**entry).or(found);
        let old = old.filter(|entry| entry.content().body.len() <= self.attached_bytes_max());
        let is_wanted = old.is_none()
            && fleet.leases.kin_until(&name).is_some()
            && fleet.handed.with(now, name.kinship(), peer).is_none();
        let lent = if is_wanted { self.fresh_lent_by(&name) } else { None };
        let stale = old.or(lent.as_deref()).map(|entry| Box::new(self.parcel(entry)));
        if let Some(fleet) = self.fleet.as_mut().filter(|_| lent.is_some()) {
            fleet.handed.note(now, name, peer);
        }
        Answer::Lease { name, stale }
    }

    fn attached_bytes_max(&self) -> usize {
        self.fleet.as_ref().map_or(0, |fleet| fleet.sharing.limits.attached_bytes_max)
    }

    /// Sends `entry` to all that wait for it here. Returns which they are.
    pub(in crate::engine) fn conclude_leases(&mut self, entry: &Arc<Entry>) -> Vec<PeerId> {
        let Some(fleet) = &mut self.fleet else { return Vec::new() };
        let local = fleet.local();
        let names = fleet.sharing.naming.names(entry.key());
        let mut askers: Vec<Asker> = names.iter().flat_map(|name| fleet.leases.conclude(name)).collect();
        askers.extend(names.iter().filter_map(|name| self.conclude_inquiry(name)));
        let mut told = self.search_ended(&names, entry);
        told.extend(names.iter().filter_map(|name| self.pay_owed(name, entry)));
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
        self.note_guests_told(&told, entry);
        told
    }

    /// Gives the lease of flight `id` back, if it has one: to the member that granted it, and to a new member that
    /// coordinates the name by now and was told of it.
    pub(in crate::engine) fn give_back_lease(&mut self, id: FlightId, verdict: Verdict) {
        let flight = self.flights.flight_mut(id);
        let (claims, lease) = (flight.take_claim(), flight.take_lease());
        let Some(fleet) = self.fleet.as_ref().filter(|_| claims || lease.is_some()) else { return };
        let (name, local) = (fleet.name(flight.key()), fleet.local());
        let present = lease.map(|_| fleet.coordinator(&name, self.now, &[]));
        let coordinators: BTreeSet<PeerId> = present.into_iter().chain(lease).collect();
        for coordinator in coordinators.iter().filter(|coordinator| **coordinator != local) {
            self.say(*coordinator, Message::Release { name, verdict });
        }
        // Those that wait here may have to ask the others again, which know by then.
        if claims || coordinators.contains(&local) {
            self.on_release(local, name, verdict);
        }
    }

    pub(super) fn on_release(&mut self, from: PeerId, name: Name, verdict: Verdict) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let next = fleet.leases.release(now, &name, from, verdict, &fleet.sharing.limits);
        if verdict == Verdict::Failed && matches!(next, Next::Dismissed(_)) {
            self.note_failure(name, from);
        }
        self.on_next(name, next, verdict);
    }

    pub(in crate::engine) fn on_lease_due(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if let Some((name, next)) = fleet.leases.on_due(now, &fleet.sharing.limits) {
            self.on_next(name, next, Verdict::Unused);
        }
    }

    pub(super) fn on_next(&mut self, name: Name, next: Next, verdict: Verdict) {
        match next {
            Next::Dismissed(askers) => {
                for asker in askers {
                    self.dismiss(asker, verdict);
                }
            }
            Next::Due(asker) => self.grant_put_off(name, asker),
            Next::Nobody => {}
            Next::Passed(asker) => {
                self.counters.leases_passed += 1;
                if verdict != Verdict::Failed || !self.inquire_after_failure(name, asker) {
                    self.grant(name, asker);
                }
            }
        }
        self.give_back_owed(verdict);
    }

    /// Tells the coordinators for which `concerns` holds what this node is fetching for all.
    pub(super) fn claim_leases(&mut self, concerns: impl Fn(PeerId) -> bool) {
        for id in self.flights.leased() {
            let key = self.flights.flight(id).key().clone();
            let Some(fleet) = &self.fleet else { return };
            let name = fleet.name(&key);
            let coordinator = fleet.coordinator(&name, self.now, &[]);
            if concerns(coordinator) {
                self.say(coordinator, Message::Claim { name });
            }
        }
    }

    /// Reports the lease of flight `id`, whose coordinator is gone, to the next coordinator.
    pub(super) fn claim_lease(&mut self, id: FlightId) {
        let now = self.now;
        if !self.flights.flight(id).is_fetching() {
            return;
        }
        let key = self.flights.flight(id).key().clone();
        let Some(fleet) = &mut self.fleet else { return };
        let name = fleet.name(&key);
        let coordinator = fleet.coordinator(&name, now, &[]);
        self.flights.flight_mut(id).hold_lease_of(coordinator);
        if coordinator == fleet.local() {
            fleet.leases.claim(now, name, coordinator, &fleet.sharing.limits);
        } else {
            self.say(coordinator, Message::Claim { name });
        }
    }
}
