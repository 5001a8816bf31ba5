//! The engine: every input, and every output that follows from it.
//!
//! This is the only file that writes outputs. What it stands on ([`crate::cache`], [`crate::flight`],
//! [`crate::quota`], [`crate::freshness`]) answers with decisions; here they are put together.

use crate::{
    Audience, Bucket, Content, Counters, Deadline, Domain, Draft, Entry, Failure, FetchError, FetchId,
    Fetched, Forward, ForwardReason, Input, Key, LoadId, Outcome, Output, RequestId, Served, Settings,
    StaleReason, Timestamp,
    cache::{Cache, Insertion},
    flight::{FlightId, Flights, Keep, Stage},
    freshness::{self, Directives, Usable},
    quota::Quotas,
    settings::Disk,
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use core::ops::ControlFlow;

/// The state of one node: what is cached, who waits, what the origin allows.
///
/// Sans-IO: [`handle`](Self::handle) puts an event in, [`poll_output`](Self::poll_output) takes orders out
/// until there are none, [`poll_timeout`](Self::poll_timeout) says when to come back with
/// [`Input::Tick`]. Equal inputs at equal moments give equal outputs.
///
/// ```
/// # use cache_core::{*, freshness::Directives};
/// let mut engine = Engine::new(Settings::default());
/// let now = Timestamp::from_unix_millis(1_000);
/// let (request, key) = (RequestId(1), Key::new("api.github.com/user", Domain::ANONYMOUS));
/// engine.handle(now, Input::Get { request, key, directives: Directives::default(), bucket: Bucket(0) });
/// // Nothing is cached, so the origin is called on behalf of the one who asked.
/// let Some(Output::Fetch { leader, revalidate: None, .. }) = engine.poll_output() else { panic!() };
/// assert_eq!(leader, request);
/// assert_eq!(engine.poll_output(), None);
/// ```
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    now: Timestamp,
    cache: Cache,
    flights: Flights,
    quotas: Quotas,
    generation: u64,
    counters: Counters,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine that holds nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            cache: Cache::new(settings.budget, settings.retention),
            settings,
            now: Timestamp::default(),
            flights: Flights::default(),
            quotas: Quotas::default(),
            generation: 0,
            counters: Counters::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes note of `input`, which happens at `now`. Cannot fail.
    ///
    /// What has become due by `now` is dealt with first. A `now` before an earlier one counts as that.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        self.on_due();
        match input {
            Input::Cancel { request } => {
                self.flights.leave(request);
            }
            Input::Clear { request } => self.on_clear(request),
            Input::Fetched { fetch, fetched } => self.on_fetched(fetch, fetched),
            Input::Get { request, key, directives, bucket } => self.on_get(request, key, directives, bucket),
            Input::Invalidate { request, key } => self.on_invalidate(request, key),
            Input::InvalidatePrefix { request, prefix, domain } => {
                self.on_invalidate_prefix(request, prefix, domain);
            }
            Input::Loaded { load, entry } => self.on_loaded(load, entry),
            Input::Put { request, key, draft } => self.on_put(request, key, draft),
            Input::Restored { entries } => self.on_restored(entries),
            Input::Tick => {}
        }
    }

    /// The next thing to do, in order; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back at the latest, and what will be due then.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Deadline)> {
        let removal = self.cache.next_removal().map(|date| (date, Deadline::Removal));
        removal.into_iter().chain(self.flights.next_deadline()).min()
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Number of entries in memory.
    pub fn entries_count(&self) -> usize {
        self.cache.len()
    }

    /// Bytes that the entries in memory weigh.
    pub fn entries_bytes(&self) -> usize {
        self.cache.weight_bytes()
    }

    /// Number of lookups in progress.
    pub fn flights_count(&self) -> usize {
        self.flights.len()
    }

    fn on_due(&mut self) {
        while let Some((_, deadline)) = self.poll_timeout().filter(|(date, _)| *date <= self.now) {
            match deadline {
                Deadline::Fetch(fetch) => {
                    self.outputs.push_back(Output::CancelFetch { fetch });
                    self.on_fetched(fetch, Fetched::Failed(FetchError::TimedOut));
                }
                Deadline::Load(load) => self.on_loaded(load, None),
                Deadline::Removal => {
                    for key in self.cache.remove_outdated(self.now) {
                        self.outputs.push_back(Output::Retract { key });
                    }
                }
                Deadline::Request(request) => self.on_request_timed_out(request),
            }
        }
    }

    fn on_get(&mut self, request: RequestId, key: Key, directives: Directives, bucket: Bucket) {
        let until = self.now.saturating_add(self.settings.request_timeout);
        self.look_up(request, key, directives, bucket, until);
    }

    fn look_up(
        &mut self,
        request: RequestId,
        key: Key,
        directives: Directives,
        bucket: Bucket,
        until: Timestamp,
    ) {
        let found = self.cache.lookup(&key).cloned();
        let reason = match &found {
            None => ForwardReason::UriMiss,
            Some(entry) => match self.serve(request, entry, &directives) {
                Ok(Usable::WhileRevalidating) => return self.renew(request, entry, bucket),
                Ok(Usable::Fresh | Usable::AcceptedStale | Usable::AfterRevalidation) => return,
                Err(reason) => reason,
            },
        };
        let joinable = self.flights.joinable(&key);
        let fetching =
            joinable.is_some_and(|id| matches!(self.flights.flight(id).stage, Stage::Fetching { .. }));
        let disk_unasked = self.settings.disk == Disk::Present && found.is_none() && !fetching;
        if directives.only_if_cached && !disk_unasked {
            return self.complete(request, Outcome::Absent);
        }
        if let Some(id) = joinable {
            if self.flights.waiting_count(id) >= self.settings.waiters_max {
                self.complete(request, Outcome::Failed(Failure::Busy));
            } else if fetching && directives.no_cache {
                self.flights.follow(id, request, directives, until);
            } else {
                self.flights.join(id, request, directives, until);
            }
            return;
        }
        if self.flights.len() >= self.settings.flights_max {
            return self.complete(request, Outcome::Failed(Failure::Busy));
        }
        let id = self.flights.open(key.clone(), bucket, reason, found, self.generation);
        self.flights.join(id, request, directives, until);
        if disk_unasked {
            let load = self.flights.begin_load(id, self.now.saturating_add(self.settings.load_timeout));
            self.outputs.push_back(Output::Load { load, key });
        } else {
            self.take_off(id);
        }
    }

    /// Answers `request` with `entry` if it may be served as it is, and says how; else why it may not.
    ///
    /// An entry to be served while it is revalidated is left to the caller to complete, unless the request
    /// forbids asking the origin: then it is served, and renewed for one that does not.
    fn serve(
        &mut self,
        request: RequestId,
        entry: &Arc<Entry>,
        directives: &Directives,
    ) -> Result<Usable, ForwardReason> {
        let refused = self.refused(entry);
        self.counters.expirations += u64::from(refused == ForwardReason::Stale);
        entry.mark_visited();
        let usable = freshness::usable(entry, directives, self.now);
        match usable {
            Usable::Fresh => self.answer(request, entry, Served::Hit),
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
    fn refused(&self, entry: &Entry) -> ForwardReason {
        if freshness::remaining(entry, self.now).is_zero() {
            ForwardReason::Stale
        } else {
            ForwardReason::Request
        }
    }

    /// Serves a stale entry and has it renewed behind the client's back, unless that is under way.
    fn renew(&mut self, request: RequestId, entry: &Arc<Entry>, bucket: Bucket) {
        let key = entry.key();
        let held = self.cache.is_held_off(key, self.now)
            || self.quotas.held_until(key.domain(), bucket, self.now).is_some()
            || self.flights.len() >= self.settings.flights_max;
        if !held && self.flights.joinable(key).is_none() {
            let stale = Some(Arc::clone(entry));
            let id = self.flights.open(key.clone(), bucket, ForwardReason::Stale, stale, self.generation);
            // Before the answer: the driver forgets how a request fetches once it is complete.
            self.fetch(id, request);
        }
        self.answer(request, entry, Served::Stale(StaleReason::WhileRevalidating));
    }

    /// Calls the origin for a flight that neither memory nor disk could answer, if it may be called now.
    fn take_off(&mut self, id: FlightId) {
        for request in self.flights.waiting(id) {
            if self.flights.waiter(request).directives.only_if_cached {
                self.complete(request, Outcome::Absent);
            }
        }
        if self.flights.waiting(id).is_empty() {
            return self.close(id);
        }
        let flight = self.flights.flight(id);
        let (key, bucket) = (flight.key.clone(), flight.bucket);
        if let Some(until) = self.quotas.held_until(key.domain(), bucket, self.now) {
            self.counters.fetches_withheld += 1;
            self.stand_in(id, StaleReason::Throttled);
            return self.fail(id, Failure::Throttled { until });
        }
        if self.cache.is_held_off(&key, self.now) {
            self.stand_in(id, StaleReason::HeldOff);
        }
        match self.flights.next_leader(id, self.settings.leaders_max.max(1)) {
            Some(leader) => self.fetch(id, leader),
            None => self.close(id),
        }
    }

    fn fetch(&mut self, id: FlightId, leader: RequestId) {
        let until = self.now.saturating_add(self.settings.fetch_timeout);
        let fetch = self.flights.begin_fetch(id, leader, until);
        let revalidate = self.flights.flight(id).stale.clone();
        self.counters.fetches += 1;
        self.outputs.push_back(Output::Fetch { fetch, leader, revalidate });
    }

    fn on_loaded(&mut self, load: LoadId, entry: Option<Box<Entry>>) {
        let Some(id) = self.flights.end_load(load) else {
            return;
        };
        if self.flights.flight(id).keep == Keep::No {
            return self.ask_anew(id);
        }
        let key = self.flights.flight(id).key.clone();
        if let Some(entry) = entry.filter(|entry| *entry.key() == key) {
            let entry = Arc::new(*entry);
            self.admit(Arc::clone(&entry));
            self.flights.flight_mut(id).stale = Some(Arc::clone(&entry));
            if self.serve_loaded(id, &entry).is_break() {
                return;
            }
        }
        self.take_off(id);
    }

    /// Begins again for those who wait in a flight whose key was invalidated or put, with their deadlines.
    ///
    /// What was put is in memory, and whoever came after an invalidation may be fetching already.
    fn ask_anew(&mut self, id: FlightId) {
        let flight = self.flights.flight(id);
        let (key, bucket) = (flight.key.clone(), flight.bucket);
        let waiting = self.flights.waiting(id).into_iter();
        let mut waiters: Vec<_> = waiting.filter_map(|it| Some((it, self.flights.leave(it)?))).collect();
        // Who has fetched already cannot do so again, and leads only if nobody else is left.
        waiters.sort_by_key(|(_, waiter)| waiter.has_led);
        self.close(id);
        for (request, waiter) in waiters {
            self.look_up(request, key.clone(), waiter.directives, bucket, waiter.until);
        }
    }

    /// Answers those who wait for flight `id` and are content with `entry`; breaks if that ended the flight.
    fn serve_loaded(&mut self, id: FlightId, entry: &Arc<Entry>) -> ControlFlow<()> {
        let bucket = self.flights.flight(id).bucket;
        let mut lagging = Vec::new();
        for request in self.flights.waiting(id) {
            let directives = self.flights.waiter(request).directives;
            match self.serve(request, entry, &directives) {
                Ok(Usable::WhileRevalidating) => {
                    self.flights.leave(request);
                    lagging.push(request);
                }
                Ok(Usable::Fresh | Usable::AcceptedStale | Usable::AfterRevalidation) => {}
                Err(reason) => self.flights.flight_mut(id).reason = reason,
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
        self.renew(request, entry, bucket);
        ControlFlow::Break(())
    }

    fn on_fetched(&mut self, fetch: FetchId, fetched: Fetched) {
        let Some((id, leader)) = self.flights.end_fetch(fetch) else {
            return;
        };
        match fetched {
            Fetched::Fresh(draft) => self.land(id, leader, draft, None),
            Fetched::NotModified(draft) if self.flights.flight(id).stale.is_some() => {
                self.counters.revalidated += 1;
                self.land(id, leader, draft, Some(NOT_MODIFIED));
            }
            Fetched::NotModified(_) => self.on_fetch_failed(id, FetchError::Malformed),
            Fetched::Unstorable { content, audience: Audience::Domain } => {
                self.drop_superseded(id);
                self.relay(id, leader, &content);
            }
            Fetched::Unstorable { content, audience: Audience::Leader } => {
                self.relay_to(id, leader, leader, &content);
                self.hand_over_or(id, Self::pass);
            }
            Fetched::Oversize => {
                self.drop_superseded(id);
                self.pass(id);
            }
            Fetched::Fault { content } => {
                self.counters.fetches_failed += 1;
                self.hold_off(id);
                self.stand_in(id, StaleReason::Fault { status: content.status });
                self.hand_over_or(id, |engine, id| engine.relay(id, leader, &content));
            }
            Fetched::Throttled { content, retry_after } => {
                let flight = self.flights.flight(id);
                let (domain, bucket) = (flight.key.domain(), flight.bucket);
                self.quotas.hold(domain, bucket, self.now, retry_after);
                self.stand_in(id, StaleReason::Throttled);
                self.relay(id, leader, &content);
            }
            Fetched::Failed(error) => self.on_fetch_failed(id, error),
        }
    }

    fn on_fetch_failed(&mut self, id: FlightId, error: FetchError) {
        self.counters.fetches_failed += 1;
        self.hold_off(id);
        self.stand_in(id, StaleReason::Failed(error));
        self.hand_over_or(id, |engine, id| engine.fail(id, Failure::Fetch(error)));
    }

    /// Keeps what was fetched and answers all who wait with it.
    fn land(&mut self, id: FlightId, leader: RequestId, draft: Draft, status: Option<u16>) {
        let flight = self.flights.flight(id);
        let reason = flight.reason;
        let status = status.unwrap_or(draft.content.status);
        let entry = Arc::new(Entry::new(flight.key.clone(), draft, self.now, flight.generation));
        let stored = flight.keep == Keep::Yes && self.keep(Arc::clone(&entry));
        for request in self.flights.waiting(id) {
            let forward = Forward { reason, status, collapsed: request != leader, stored };
            self.answer(request, &entry, Served::Forwarded(forward));
        }
        self.close(id);
    }

    /// Answers all who wait with what is not kept.
    fn relay(&mut self, id: FlightId, leader: RequestId, content: &Content) {
        for request in self.flights.waiting(id) {
            self.relay_to(id, request, leader, content);
        }
        self.close(id);
    }

    fn relay_to(&mut self, id: FlightId, request: RequestId, leader: RequestId, content: &Content) {
        if !self.flights.waiting(id).contains(&request) {
            return;
        }
        let collapsed = request != leader;
        let reason = self.flights.flight(id).reason;
        let forward = Forward { reason, status: content.status, collapsed, stored: false };
        self.complete(request, Outcome::Relayed { content: content.clone(), forward });
    }

    fn pass(&mut self, id: FlightId) {
        for request in self.flights.waiting(id) {
            self.complete(request, Outcome::Pass);
        }
        self.close(id);
    }

    fn fail(&mut self, id: FlightId, failure: Failure) {
        for request in self.flights.waiting(id) {
            self.complete(request, Outcome::Failed(failure));
        }
        self.close(id);
    }

    /// Lets the next waiter fetch; without one, does `otherwise`, which must end the flight.
    ///
    /// A flight whose result would not be kept is not repeated: there may be another for its key already.
    fn hand_over_or(&mut self, id: FlightId, otherwise: impl FnOnce(&mut Self, FlightId)) {
        match self.flights.next_leader(id, self.settings.leaders_max.max(1)) {
            Some(_) if self.flights.flight(id).keep == Keep::No => self.ask_anew(id),
            Some(leader) => self.fetch(id, leader),
            None => otherwise(self, id),
        }
    }

    /// Answers with the stale entry all who accept that, if it may stand in for the origin.
    fn stand_in(&mut self, id: FlightId, reason: StaleReason) {
        let Some(entry) = self.flights.flight(id).stale.clone() else {
            return;
        };
        if !freshness::stands_in(&entry, self.now) {
            return;
        }
        for request in self.flights.waiting(id) {
            if !self.flights.waiter(request).directives.no_cache {
                self.answer(request, &entry, Served::Stale(reason));
            }
        }
    }

    fn hold_off(&mut self, id: FlightId) {
        let until = self.now.saturating_add(self.settings.hold_off);
        self.cache.hold_off(&self.flights.flight(id).key, until);
    }

    fn on_request_timed_out(&mut self, request: RequestId) {
        let flight = self.flights.waiter(request).flight;
        let accepts_stale = !self.flights.waiter(request).directives.no_cache;
        let stale =
            self.flights.flight(flight).stale.clone().filter(|entry| freshness::stands_in(entry, self.now));
        match stale {
            Some(entry) if accepts_stale => {
                self.answer(request, &entry, Served::Stale(StaleReason::Failed(FetchError::TimedOut)));
            }
            Some(_) | None => self.complete(request, Outcome::Failed(Failure::TimedOut)),
        }
    }

    /// Ends a flight in which nobody waits any more; its followers take off together.
    fn close(&mut self, id: FlightId) {
        let (flight, followers) = self.flights.close(id);
        if followers.is_empty() {
            return;
        }
        let id = self.flights.joinable(&flight.key).unwrap_or_else(|| {
            let stale = self.cache.lookup(&flight.key).cloned();
            let reason = stale.as_deref().map_or(ForwardReason::UriMiss, |entry| self.refused(entry));
            self.flights.open(flight.key, flight.bucket, reason, stale, self.generation)
        });
        for (request, directives, until) in followers {
            self.flights.join(id, request, directives, until);
        }
        if self.flights.flight(id).stage == Stage::Begun {
            self.take_off(id);
        }
    }

    fn on_put(&mut self, request: RequestId, key: Key, draft: Draft) {
        self.flights.detach(&key);
        let entry = Arc::new(Entry::new(key, draft, self.now, self.generation));
        self.keep(Arc::clone(&entry));
        self.complete(request, Outcome::Stored { entry });
    }

    fn on_restored(&mut self, entries: Vec<Entry>) {
        // They may have been read before an invalidation that meant them; the disk is asked for each instead.
        if self.generation > 0 {
            return;
        }
        // The most recently stored ends at the head of the eviction order.
        for entry in entries.into_iter().rev() {
            if self.cache.lookup(entry.key()).is_none() {
                self.admit(Arc::new(entry));
            }
        }
    }

    fn on_invalidate(&mut self, request: RequestId, key: Key) {
        self.generation += 1;
        self.flights.detach(&key);
        let removed: Vec<Key> =
            self.cache.remove(&key).map(|entry| entry.key().clone()).into_iter().collect();
        self.retract(request, &removed, Output::Remove { key });
    }

    fn on_invalidate_prefix(&mut self, request: RequestId, prefix: Box<str>, domain: Option<Domain>) {
        self.generation += 1;
        self.flights.detach_prefix(&prefix, domain);
        let removed = self.cache.remove_prefix(&prefix, domain);
        self.retract(request, &removed, Output::RemovePrefix { prefix, domain });
    }

    fn on_clear(&mut self, request: RequestId) {
        self.generation += 1;
        self.flights.detach_prefix("", None);
        let removed = self.cache.remove_all();
        self.retract(request, &removed, Output::RemoveAll);
    }

    fn retract(&mut self, request: RequestId, removed: &[Key], from_disk: Output) {
        self.counters.invalidations += removed.len() as u64;
        self.outputs.extend(removed.iter().map(|key| Output::Retract { key: key.clone() }));
        if self.settings.disk == Disk::Present {
            self.outputs.push_back(from_disk);
        }
        self.complete(request, Outcome::Removed { entries: removed.len() });
    }

    /// Drops the entry that an answer which is not kept has proved outdated.
    fn drop_superseded(&mut self, id: FlightId) {
        let flight = self.flights.flight(id);
        let key = flight.key.clone();
        if flight.keep == Keep::Yes && flight.stale.is_some() {
            if self.cache.remove(&key).is_some() {
                self.outputs.push_back(Output::Retract { key: key.clone() });
            }
            if self.settings.disk == Disk::Present {
                self.outputs.push_back(Output::Remove { key });
            }
        }
    }

    /// Takes an entry into memory and onto the disk; answers whether memory has room for it at all.
    fn keep(&mut self, entry: Arc<Entry>) -> bool {
        let kept = self.admit(Arc::clone(&entry));
        if self.settings.disk == Disk::Present {
            self.outputs.push_back(if kept {
                Output::Persist { entry }
            } else {
                Output::Remove { key: entry.key().clone() }
            });
        }
        kept
    }

    fn admit(&mut self, entry: Arc<Entry>) -> bool {
        match self.cache.insert(&entry) {
            Insertion::Kept { evicted } => {
                self.counters.evictions += evicted.len() as u64;
                self.outputs.extend(evicted.into_iter().map(|key| Output::Retract { key }));
                self.outputs.push_back(Output::Publish { entry });
                true
            }
            Insertion::TooHeavy { displaced } => {
                if displaced {
                    self.outputs.push_back(Output::Retract { key: entry.key().clone() });
                }
                false
            }
        }
    }

    fn answer(&mut self, request: RequestId, entry: &Arc<Entry>, served: Served) {
        self.complete(request, Outcome::Answered { entry: Arc::clone(entry), served });
    }

    /// Answers `request`, whether it waited or not. The only place that does.
    fn complete(&mut self, request: RequestId, outcome: Outcome) {
        self.flights.leave(request);
        self.counters.count(&outcome);
        self.outputs.push_back(Output::Complete { request, outcome });
    }
}

/// The status by which an origin says that an entry still holds (RFC 9110, section 15.4.5).
const NOT_MODIFIED: u16 = 304;
