//! Lookups in progress, and the requests that wait for them.
//!
//! Owns flights, waiters and all their deadlines. Decides which requests may join and which leads next; the engine
//! decides what a result means for the waiters.

mod affording;
mod flight;
mod hedged;
mod overtaken;

pub(crate) use flight::{Caller, Consulted, Flight, Keep, LastResort, Stage};

use overtaken::Overtaken;

use crate::{
    AskId, Deadline, Entry, FetchId, ForwardReason, Key, LoadId, Manner, Payer, PeerId, Priority, Reader,
    RequestId, Scope, Timestamp, cache::keys_in, freshness::Directives, kin::Kin, message::Role,
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

/// All flights. A key has at most one that new requests may join, or one for each reader that has yet to prove
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    flights: BTreeMap<FlightId, Flight>,
    joinable: BTreeMap<Key, FlightId>,
    proving: BTreeMap<Key, BTreeMap<Payer, FlightId>>,
    by_ask: BTreeMap<AskId, FlightId>,
    overtaken: Overtaken,
    by_fetch: BTreeMap<FetchId, FlightId>,
    by_load: BTreeMap<LoadId, FlightId>,
    waiters: BTreeMap<RequestId, Waiter>,
    deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Which flights wait for calls for the same resource on behalf of other domains.
    kin: Kin<Box<str>, FlightId>,
    number_last: u64,
}

/// A look-up in progress. Numbers are used once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlightId(u64);

/// A request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) flight: FlightId,
    pub(crate) caller: Caller,
    pub(crate) directives: Directives,
    pub(crate) until: Timestamp,
    /// Whether it has fetched; its driver can do so once.
    pub(crate) has_led: bool,
    /// The engine's count of invalidations when it came.
    pub(crate) generation: u64,
}

impl Flights {
    /// Opens a flight that new requests for `key` may join, those of the same reader at least.
    pub(crate) fn open(
        &mut self,
        key: Key,
        caller: Caller,
        reason: ForwardReason,
        stale: Option<Arc<Entry>>,
        generation: u64,
    ) -> FlightId {
        let id = FlightId(self.number());
        match caller.reader {
            Reader::Admitted => _ = self.joinable.insert(key.clone(), id),
            Reader::Unproven(payer) => {
                self.proving.entry(key.clone()).or_default().insert(payer, id);
            }
        }
        let flight = Flight {
            key,
            caller,
            stage: Stage::Begun,
            reason,
            stale,
            borrows: false,
            generation,
            keep: Keep::Yes,
            consulted: Consulted::default(),
            renewer: None,
            waiting: Vec::new(),
            followers: Vec::new(),
            leaders_count: 0,
            last_resort: LastResort::default(),
        };
        self.flights.insert(id, flight);
        id
    }

    /// Lets `request` wait for flight `id`.
    pub(crate) fn join(
        &mut self,
        id: FlightId,
        request: RequestId,
        (priority, directives): (Priority, Directives),
        until: Timestamp,
        generation: u64,
    ) {
        let caller = Caller { priority, ..self.flight(id).caller };
        self.wait(id, request, (caller, directives), until, generation);
        self.flight_mut(id).waiting.push(request);
    }

    /// Lets `request` of `caller` wait for the flight after `id`.
    pub(crate) fn follow(
        &mut self,
        id: FlightId,
        request: RequestId,
        (caller, directives): (Caller, Directives),
        until: Timestamp,
        generation: u64,
    ) {
        self.wait(id, request, (caller, directives), until, generation);
        self.flight_mut(id).followers.push(request);
    }

    /// Enters the stage of asking the disk.
    pub(crate) fn begin_load(&mut self, id: FlightId, until: Timestamp) -> LoadId {
        let load = LoadId(self.number());
        self.flight_mut(id).stage = Stage::Loading { load, until };
        self.by_load.insert(load, id);
        self.deadlines.insert((until, Deadline::Load(load)));
        load
    }

    /// Ends the stage of asking the disk; `None` if that has ended before.
    pub(crate) fn end_load(&mut self, load: LoadId) -> Option<FlightId> {
        let id = self.by_load.remove(&load)?;
        self.leave_stage(id);
        Some(id)
    }

    /// Enters the stage of asking `peer`, which may be this node, as `role`.
    pub(crate) fn begin_ask(
        &mut self,
        id: FlightId,
        (peer, role): (PeerId, Role),
        (now, until): (Timestamp, Timestamp),
    ) -> AskId {
        let ask = self.ask_number();
        let flight = self.flight_mut(id);
        flight.stage = Stage::Asking { ask, peer, until, hedge_at: None };
        flight.consulted.begin(role, now);
        self.by_ask.insert(ask, id);
        self.deadlines.insert((until, Deadline::Ask(ask)));
        ask
    }

    /// Enters the stage of waiting for another member's fetch, from that of asking for it.
    pub(crate) fn begin_wait(&mut self, ask: AskId, until: Timestamp) {
        let Some(id) = self.by_ask.get(&ask).copied() else { return };
        if let Stage::Asking { peer, until: asked_until, .. } = self.flight(id).stage {
            self.forget_hedge(id);
            self.deadlines.remove(&(asked_until, Deadline::Ask(ask)));
            self.deadlines.insert((until, Deadline::Ask(ask)));
            self.flight_mut(id).stage = Stage::Waiting { ask, peer, until };
        }
    }

    /// Ends the stage of asking or waiting; `None` if that has ended before, or if it is not `peer` that is asked.
    pub(crate) fn end_ask(&mut self, ask: AskId, peer: PeerId) -> Option<FlightId> {
        let id = self.by_ask.get(&ask).copied()?;
        (self.asked(id) == Some(peer)).then(|| self.leave_stage(id))?;
        Some(id)
    }

    /// The peer that flight `id` asks or waits for.
    pub(crate) fn asked(&self, id: FlightId) -> Option<PeerId> {
        match self.flight(id).stage {
            Stage::Asking { peer, .. } | Stage::Waiting { peer, .. } => Some(peer),
            Stage::Begun
            | Stage::Affording { .. }
            | Stage::Gathering
            | Stage::Kin { .. }
            | Stage::Loading { .. }
            | Stage::Fetching { .. } => None,
        }
    }

    /// The peers that any flight asks or waits for.
    pub(crate) fn all_asked(&self) -> impl Iterator<Item = PeerId> {
        self.by_ask.values().filter_map(|id| self.asked(*id)).chain(self.overtaken.peers())
    }

    /// The flight that asks or waits under this number.
    pub(crate) fn by_ask(&self, ask: AskId) -> Option<FlightId> {
        self.by_ask.get(&ask).copied()
    }

    /// Flights that ask or wait for `peer`, with their numbers.
    pub(crate) fn asking(&self, peer: PeerId) -> Vec<AskId> {
        let by_ask = self.by_ask.iter().filter(|(_, id)| self.asked(**id) == Some(peer));
        by_ask.map(|(ask, _)| *ask).collect()
    }

    /// Flights that fetch under a lease.
    pub(crate) fn leased(&self) -> Vec<FlightId> {
        let leased = self.flights.iter().filter(|(_, flight)| flight.consulted.lease.is_some());
        leased.map(|(id, _)| *id).collect()
    }

    /// Flights for which this node lets other members wait while it asks for itself.
    pub(crate) fn claiming(&self) -> Vec<FlightId> {
        let claiming = self.flights.iter().filter(|(_, flight)| flight.consulted.claims);
        claiming.map(|(id, _)| *id).collect()
    }

    /// Lets flight `id` wait until the fleet is found or not.
    pub(crate) fn gather(&mut self, id: FlightId) {
        self.flight_mut(id).stage = Stage::Gathering;
    }

    /// Flights that wait for the fleet, from now on no longer.
    pub(crate) fn end_gathering(&mut self) -> Vec<FlightId> {
        let gathering = self.flights.iter_mut().filter(|(_, flight)| flight.stage == Stage::Gathering);
        gathering
            .map(|(id, flight)| {
                flight.stage = Stage::Begun;
                *id
            })
            .collect()
    }

    /// A number for a look-up on disk that no flight makes.
    pub(crate) fn load_number(&mut self) -> LoadId {
        LoadId(self.number())
    }

    /// A number for an ask that no flight makes.
    pub(crate) fn ask_number(&mut self) -> AskId {
        AskId(self.number())
    }

    /// Enters the stage of calling the origin.
    pub(crate) fn begin_fetch(&mut self, id: FlightId, leader: RequestId, until: Timestamp) -> FetchId {
        let fetch = FetchId(self.number());
        self.overtaken.settle(id);
        let flight = self.flight_mut(id);
        flight.stage = Stage::Fetching { fetch, leader, until };
        flight.leaders_count += 1;
        let kept_for = (flight.keep == Keep::Yes).then(|| flight.key.resource().into());
        if let Some(waiter) = self.waiters.get_mut(&leader) {
            waiter.has_led = true;
        }
        if let Some(resource) = kept_for {
            self.kin.call(resource, id);
        }
        self.by_fetch.insert(fetch, id);
        self.deadlines.insert((until, Deadline::Fetch(fetch)));
        fetch
    }

    /// Lets flight `id` wait until `until` for the calls for its resource on behalf of other domains. Returns whether there
    /// are any.
    pub(crate) fn await_kin(&mut self, id: FlightId, until: Timestamp) -> bool {
        let resource = Box::from(self.flight(id).key.resource());
        let awaits = self.kin.wait(&resource, id);
        if awaits {
            self.overtaken.settle(id);
            self.flight_mut(id).stage = Stage::Kin { until };
            self.deadlines.insert((until, Deadline::Kin(id)));
        }
        awaits
    }

    /// Ends the wait of flight `id` for other domains.
    pub(crate) fn end_kin(&mut self, id: FlightId) {
        if matches!(self.flight(id).stage, Stage::Kin { .. }) {
            self.leave_stage(id);
        }
    }

    /// A resource that was being fetched while others waited for that.
    pub(crate) fn take_kin_ended(&mut self) -> Option<Box<str>> {
        self.kin.take_ended()
    }

    /// Flights that were freed call for `resource` or do not; in that case others are freed.
    pub(crate) fn settle_kin(&mut self, resource: &str) {
        self.kin.settle(&resource.into());
    }

    /// The flights that need not wait any more for a call for `resource`, one of which has ended and perhaps `brought`
    /// what they can use.
    pub(crate) fn freed_kin(&mut self, resource: &str, brought: bool) -> Vec<FlightId> {
        self.kin.free(&resource.into(), brought)
    }

    /// The flight that `fetch` is under way for.
    pub(crate) fn of_fetch(&self, fetch: FetchId) -> Option<FlightId> {
        self.by_fetch.get(&fetch).copied()
    }

    /// Ends the stage of calling the origin and names its leader, and until when there was time for it; `None` if that has
    /// ended before.
    pub(crate) fn end_fetch(&mut self, fetch: FetchId) -> Option<(FlightId, RequestId, Timestamp)> {
        let id = self.by_fetch.remove(&fetch)?;
        let Stage::Fetching { leader, until, .. } = self.flight(id).stage else {
            unreachable!("by_fetch names flights that fetch");
        };
        self.leave_stage(id);
        Some((id, leader, until))
    }

    /// Ends the wait of `request`; `None` if it does not wait. The flight goes on.
    pub(crate) fn leave(&mut self, request: RequestId) -> Option<Waiter> {
        let waiter = self.waiters.remove(&request)?;
        self.deadlines.remove(&(waiter.until, Deadline::Request(request)));
        if let Some(flight) = self.flights.get_mut(&waiter.flight) {
            flight.waiting.retain(|waiting| *waiting != request);
            flight.followers.retain(|following| *following != request);
        }
        Some(waiter)
    }

    /// Ends the flight. Its followers, if any, come back as they waited.
    ///
    /// Every waiter must have been answered before.
    pub(crate) fn close(&mut self, id: FlightId) -> (Flight, Vec<(RequestId, Waiter)>) {
        self.leave_stage(id);
        self.overtaken.settle(id);
        let flight = self.flights.remove(&id).expect("only open flights are closed");
        debug_assert!(flight.waiting.is_empty(), "a waiter would be lost");
        self.close_to_others(&flight.key, id);
        let followers = flight.followers.iter().map(|request| {
            let waiter = self.waiters.remove(request).expect("a follower waits");
            self.deadlines.remove(&(waiter.until, Deadline::Request(*request)));
            (*request, waiter)
        });
        let followers = followers.collect();
        (flight, followers)
    }

    /// Lets no request join the flights for `key` any more, and keeps their results from becoming entries.
    pub(crate) fn detach(&mut self, key: &Key) -> Vec<FlightId> {
        let ids = self.under_way(key);
        for id in &ids {
            self.detach_one(key, *id);
        }
        ids
    }

    /// Makes the flights for what `scope` means forget what was invalidated. Returns those that this detached.
    ///
    /// A flight that asks or waits for another has fetched nothing yet, and goes on under the new `generation`. So does
    /// the one that is `spared`.
    pub(crate) fn invalidate(
        &mut self,
        scope: &Scope,
        manner: Manner,
        generation: u64,
        spared: Option<FlightId>,
    ) -> Vec<FlightId> {
        let keys: BTreeSet<Key> =
            keys_in(&self.joinable, scope).chain(keys_in(&self.proving, scope)).cloned().collect();
        let under_way: Vec<_> = keys.iter().flat_map(|key| self.under_way(key)).collect();
        under_way.into_iter().filter(|id| self.invalidate_one(*id, manner, generation, spared)).collect()
    }

    /// Returns whether flight `id` is detached.
    fn invalidate_one(
        &mut self,
        id: FlightId,
        manner: Manner,
        generation: u64,
        spared: Option<FlightId>,
    ) -> bool {
        let flight = self.flight(id);
        if !flight.waits_for_another() && spared != Some(id) {
            let key = flight.key().clone();
            self.detach_one(&key, id);
            return true;
        }
        let flight = self.flight_mut(id);
        flight.generation = generation;
        match manner {
            Manner::Doubt => flight.stale.iter().for_each(|stale| stale.doubt()),
            Manner::Forget => flight.stale = None,
        }
        false
    }

    /// The flight that a new request for `key` may join, if its reader is admitted.
    pub(crate) fn joinable(&self, key: &Key) -> Option<FlightId> {
        self.joinable.get(key).copied()
    }

    /// The flights for `key` of readers that have yet to prove themselves, with their payers.
    pub(crate) fn proving(&self, key: &Key) -> impl Iterator<Item = (Payer, FlightId)> {
        self.proving.get(key).into_iter().flatten().map(|(payer, id)| (*payer, *id))
    }

    /// All flights for `key` but those whose result is not kept.
    pub(crate) fn under_way(&self, key: &Key) -> Vec<FlightId> {
        self.joinable(key).into_iter().chain(self.proving(key).map(|(_, id)| id)).collect()
    }

    pub(crate) fn is_open(&self, id: FlightId) -> bool {
        self.flights.contains_key(&id)
    }

    /// The first waiter that has not led yet and lets the origin be asked, if another leader is allowed.
    pub(crate) fn next_leader(&self, id: FlightId, leaders_max: usize) -> Option<RequestId> {
        let flight = self.flight(id);
        if flight.leaders_count >= leaders_max {
            return None;
        }
        flight.waiting.iter().copied().find(|request| !self.waiter(*request).has_led)
    }

    pub(crate) fn flight(&self, id: FlightId) -> &Flight {
        self.flights.get(&id).expect("ids are of open flights")
    }

    pub(crate) fn flight_mut(&mut self, id: FlightId) -> &mut Flight {
        self.flights.get_mut(&id).expect("ids are of open flights")
    }

    pub(crate) fn waiter(&self, request: RequestId) -> Waiter {
        *self.waiters.get(&request).expect("whoever is listed in a flight waits")
    }

    /// All requests that wait for flight `id`, in the order in which they came.
    pub(crate) fn waiting(&self, id: FlightId) -> Vec<RequestId> {
        self.flight(id).waiting.clone()
    }

    /// How many wait for flight `id` or the one after it.
    pub(crate) fn waiting_count(&self, id: FlightId) -> usize {
        let flight = self.flight(id);
        flight.waiting.len() + flight.followers.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    /// What is due first.
    pub(crate) fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        self.deadlines.first().copied()
    }

    fn detach_one(&mut self, key: &Key, id: FlightId) {
        self.close_to_others(key, id);
        self.flight_mut(id).keep = Keep::No;
        if self.flight(id).is_fetching() {
            self.kin.leave(&key.resource().into(), id);
        }
    }

    fn close_to_others(&mut self, key: &Key, id: FlightId) {
        if self.joinable.get(key) == Some(&id) {
            self.joinable.remove(key);
        }
        if let Some(proving) = self.proving.get_mut(key) {
            proving.retain(|_, other| *other != id);
            if proving.is_empty() {
                self.proving.remove(key);
            }
        }
    }

    fn wait(
        &mut self,
        flight: FlightId,
        request: RequestId,
        (caller, directives): (Caller, Directives),
        until: Timestamp,
        generation: u64,
    ) {
        self.deadlines.insert((until, Deadline::Request(request)));
        let waiter = Waiter { flight, caller, directives, until, has_led: false, generation };
        let old = self.waiters.insert(request, waiter);
        debug_assert!(old.is_none(), "the driver used {request:?} twice");
    }

    fn leave_stage(&mut self, id: FlightId) {
        self.forget_hedge(id);
        let flight = self.flights.get_mut(&id).expect("ids are of open flights");
        match core::mem::replace(&mut flight.stage, Stage::Begun) {
            Stage::Begun | Stage::Gathering => {}
            Stage::Affording { until } => {
                self.deadlines.remove(&(until, Deadline::Affording(id)));
            }
            Stage::Kin { until } => {
                self.kin.leave(&flight.key.resource().into(), id);
                self.deadlines.remove(&(until, Deadline::Kin(id)));
            }
            Stage::Asking { ask, until, .. } | Stage::Waiting { ask, until, .. } => {
                self.by_ask.remove(&ask);
                self.deadlines.remove(&(until, Deadline::Ask(ask)));
            }
            Stage::Loading { load, until } => {
                self.by_load.remove(&load);
                self.deadlines.remove(&(until, Deadline::Load(load)));
            }
            Stage::Fetching { fetch, until, .. } => {
                self.kin.leave(&flight.key.resource().into(), id);
                self.by_fetch.remove(&fetch);
                self.deadlines.remove(&(until, Deadline::Fetch(fetch)));
            }
        }
    }

    fn number(&mut self) -> u64 {
        self.number_last += 1;
        self.number_last
    }
}
