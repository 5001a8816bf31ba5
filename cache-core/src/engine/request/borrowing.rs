//! Sharing between domains: what one was given may be what the origin would give to another as well.
//!
//! Whether it is, the origin alone knows. So the entry of another domain answers nobody, nor stands in for an answer. It is
//! what the origin is asked about on behalf of a reader that has nothing of its own, or something older: if the origin says that
//! this reader would be given the same, the call costs no quota, and the reader has an entry of its own from then on.

use crate::{
    Candidate, Entry, FlightId, PeerId, Served,
    engine::Engine,
    flights::{Keep, Stage},
    freshness,
    message::Parcel,
};
use alloc::sync::Arc;
use core::time::Duration;

impl Engine {
    /// What the origin is asked about for flight `id`.
    pub(super) fn candidate(&self, id: FlightId) -> Option<Candidate> {
        let flight = self.flights.flight(id);
        let candidate = Candidate::of(flight.stale(), self.lent_to(id));
        if let Some(kin) = candidate.as_ref().and_then(Candidate::borrowed) {
            kin.mark_visited();
        }
        candidate
    }

    /// What another domain was given that the origin may be asked about for flight `id`: the youngest that is known.
    fn lent_to(&self, id: FlightId) -> Option<&Arc<Entry>> {
        let flight = self.flights.flight(id);
        flight.caller().kin_until?;
        self.cache.kin(flight.key().resource(), Some(flight.key().domain()))
    }

    /// For how long flight `id` would wait for a call for another domain; `None` if it has no use for what one brings: it
    /// may not borrow, or has something at least as good.
    pub(super) fn kin_wait(&self, id: FlightId) -> Option<Duration> {
        let flight = self.flights.flight(id);
        let until = flight.caller().kin_until.filter(|_| flight.stale().is_none())?;
        let is_fresh = |kin: &Arc<Entry>| !freshness::remaining(kin, self.now).is_zero();
        let has_fresh = self.lent_to(id).is_some_and(is_fresh);
        (!has_fresh).then(|| until.saturating_since(self.now))
    }

    /// Takes in what `from` sent of another domain with the lease of flight `id`, as if it had been announced: the origin is
    /// asked about it for this flight, and for others to come.
    pub(super) fn take_lent(&mut self, id: FlightId, from: PeerId, parcel: Parcel) {
        let flight = self.flights.flight(id);
        let (key, caller) = (flight.key(), flight.caller());
        let is_kin = parcel.key.resource() == key.resource() && parcel.key.domain() != key.domain();
        if is_kin && caller.kin_until.is_some() {
            self.accept(from, parcel);
        }
    }

    /// Lets flight `id`, which no member lets wait, wait here for a call for another domain that may bring what it can
    /// use. Returns whether it does.
    ///
    /// So of many readers to which a resource is new at once, one pays. The others ask all at once when its answer is
    /// there.
    pub(super) fn awaits_kin(&mut self, id: FlightId) -> bool {
        if self.flights.flight(id).consulted().lease.is_some() {
            return false;
        }
        match self.kin_wait(id) {
            None | Some(Duration::ZERO) => false,
            Some(wait) => self.flights.await_kin(id, self.now.saturating_add(wait)),
        }
    }

    /// As [`Self::free_kin`], for what waits on this node alone. Returns whether there was anything to do.
    pub(in crate::engine) fn free_kin_here(&mut self) -> bool {
        let Some(resource) = self.flights.take_kin_ended() else { return false };
        let lent = self.cache.kin(&resource, None);
        let brought = lent.is_some_and(|kin| !freshness::remaining(kin, self.now).is_zero());
        for id in self.flights.freed_kin(&resource, brought) {
            self.on_kin_due(id);
        }
        self.flights.settle_kin(&resource);
        true
    }

    /// Flight `id` waits for other domains no longer.
    pub(in crate::engine) fn on_kin_due(&mut self, id: FlightId) {
        if !self.flights.is_open(id) || !matches!(self.flights.flight(id).stage(), Stage::Kin { .. }) {
            return;
        }
        self.flights.end_kin(id);
        self.resume(id);
    }

    /// Goes on with flight `id`, which had to wait before it called the origin. Its own entry may have come meanwhile.
    pub(super) fn resume(&mut self, id: FlightId) {
        let flight = self.flights.flight(id);
        let own = self.cache.lookup(flight.key()).filter(|_| flight.keep() == Keep::Yes).cloned();
        match own {
            Some(own) => self.on_brought_as(id, &own, Served::Hit),
            None => self.depart(id),
        }
    }
}
