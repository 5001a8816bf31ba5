//! What a fetch came back with, and what that means for the waiters.

use crate::{
    Audience, Content, Draft, Entry, Failure, FetchError, FetchId, Fetched, Forward, ForwardReason, Outcome,
    Payer, Reached, Reader, RequestId, Served, StaleReason,
    engine::{Engine, fleet::News},
    flights::{FlightId, Keep, LastResort},
    freshness::{self, Directives},
    message::{Verdict, is_signpost},
};
use alloc::{sync::Arc, vec::Vec};

impl Engine {
    pub(in crate::engine) fn on_fetched(&mut self, fetch: FetchId, fetched: Fetched, reached: Reached) {
        let Some((id, leader, until)) = self.flights.end_fetch(fetch) else {
            return;
        };
        self.ledger.end(self.purse(id));
        if self.calls_origin(id) {
            self.note_reached(reached, until.saturating_sub(self.settings.fetch_timeout));
        }
        match fetched {
            Fetched::Fresh(draft) => self.land(id, leader, draft, Whence::Sent),
            Fetched::NotModified(draft) if self.flights.flight(id).stale().is_some() => {
                self.counters.revalidated += 1;
                self.land(id, leader, draft, Whence::Own);
            }
            Fetched::Proven(draft) if self.flights.flight(id).borrows() => {
                self.counters.revalidated += 1;
                self.counters.proofs += 1;
                self.land(id, leader, draft, Whence::Borrowed);
            }
            Fetched::NotModified(_) | Fetched::Proven(_) => {
                self.on_fetch_failed(id, FetchError::Malformed);
            }
            Fetched::Unstorable { content, audience: audience @ (Audience::Domain | Audience::Fleet) } => {
                if audience == Audience::Fleet {
                    self.counters.fetches_failed += u64::from(content.status >= 500);
                    self.tell_waiting_members(id, &content);
                }
                self.flights.flight_mut(id).conclude(Verdict::Unshareable);
                self.drop_superseded(id);
                self.relay(id, leader, &content);
            }
            Fetched::Unstorable { content, audience: Audience::Leader } => {
                self.flights.flight_mut(id).conclude(Verdict::Unshareable);
                self.relay_to(id, leader, leader, &content);
                self.hand_over_or(id, LastResort::Pass);
            }
            Fetched::Oversize => {
                self.flights.flight_mut(id).conclude(Verdict::Unshareable);
                self.drop_superseded(id);
                self.pass(id);
            }
            Fetched::Fault { content } => {
                self.counters.fetches_failed += 1;
                self.hold_off(id);
                self.stand_in(id, StaleReason::Fault { status: content.status });
                self.hand_over_or(id, LastResort::Relay { leader, content });
            }
            Fetched::Throttled { content, retry_after, shortage } => {
                let purse = self.purse(id);
                let verdict = self.verdict_of_pause(id);
                self.flights.flight_mut(id).conclude(verdict);
                self.pause(purse, retry_after, shortage);
                self.stand_in(id, StaleReason::Throttled);
                self.relay(id, leader, &content);
            }
            Fetched::Failed(error) => self.on_fetch_failed(id, error),
            Fetched::Spent(error, told) => {
                self.counters.fetches_failed += 1;
                self.tell_waiting_members(id, &told);
                self.flights.flight_mut(id).conclude(Verdict::Failed);
                self.fail(id, Failure::Fetch(error));
            }
        }
    }

    pub(super) fn on_fetch_failed(&mut self, id: FlightId, error: FetchError) {
        self.counters.fetches_failed += 1;
        self.hold_off(id);
        self.stand_in(id, StaleReason::Failed(error));
        self.hand_over_or(id, LastResort::Fail(error));
    }

    /// Keeps what was fetched, and answers all waiters with it.
    pub(super) fn land(&mut self, id: FlightId, leader: RequestId, draft: Draft, whence: Whence) {
        let flight = self.flights.flight(id);
        let (reason, flight_proves) = (flight.reason(), flight.is_proving());
        let status = if whence == Whence::Sent { draft.content.status } else { NOT_MODIFIED };
        let (key, generation) = (flight.key().clone(), flight.generation());
        // What is renewed unchanged is the same content still.
        let own = flight.stale().filter(|_| whence == Whence::Own);
        let renewed = own.and_then(|own| own.edition());
        let edition = renewed.or_else(|| self.issue_edition(&key));
        let entry = Arc::new(Entry::new(key, draft, self.now, generation).of_edition(edition));
        let is_outdated = self.is_outdated_signpost(id, entry.content().status);
        let is_ended = self.is_known_to_be_gone(&entry);
        let may_keep = self.flights.flight(id).keep() == Keep::Yes && !is_outdated && !is_ended;
        let stored = may_keep && self.keep(Arc::clone(&entry));
        // That one reader more was told what all members know is no news to them.
        let is_news = !flight_proves || status != NOT_MODIFIED || reason != ForwardReason::Request;
        if stored && is_news {
            let flight = self.flights.flight_mut(id);
            flight.take_claim();
            let lease = flight.take_lease();
            let news = match whence {
                Whence::Borrowed => News::Borrowed,
                Whence::Own | Whence::Sent => News::Fetched,
            };
            self.announce(&entry, lease, news);
        } else if may_keep && !stored {
            self.flights.flight_mut(id).conclude(Verdict::Unshareable);
        }
        let reason = if flight_proves && whence == Whence::Sent { ForwardReason::UriMiss } else { reason };
        let settling = self.settling.means(entry.key(), entry.content().status, self.now);
        for request in self.contented(id, is_outdated) {
            let forward = Forward { reason, status, collapsed: request != leader, stored, settling };
            self.answer(request, &entry, Served::Forwarded(forward));
        }
        self.ask_anew(id);
    }

    /// Answers all waiters with what is not kept.
    pub(super) fn relay(&mut self, id: FlightId, leader: RequestId, content: &Content) {
        let is_outdated = self.is_outdated_signpost(id, content.status);
        for request in self.contented(id, is_outdated) {
            self.relay_to(id, request, leader, content);
        }
        self.ask_anew(id);
    }

    /// Whether a member has told meanwhile that what `entry` shows is not there, as it was said after that was asked for.
    fn is_known_to_be_gone(&self, entry: &Entry) -> bool {
        let is_gone = |held: &Arc<Entry>| held.is_absence() && entry.born() <= held.born();
        !entry.is_absence() && self.cache.lookup(entry.key()).is_some_and(is_gone)
    }

    /// Whether an answer of flight `id` with `status` says that something is not there, or is elsewhere, and a write
    /// may have ended that since the flight began.
    fn is_outdated_signpost(&self, id: FlightId, status: u16) -> bool {
        is_signpost(status) && self.flights.flight(id).generation() < self.signposts_ended
    }

    /// The waiters that may have the answer: all, unless it `is_outdated`; then those that came before it was.
    fn contented(&self, id: FlightId, is_outdated: bool) -> Vec<RequestId> {
        let came_before =
            |request: &RequestId| self.flights.waiter(*request).generation < self.signposts_ended;
        let waiting = self.flights.waiting(id).into_iter();
        waiting.filter(|request| !is_outdated || came_before(request)).collect()
    }

    pub(super) fn relay_to(
        &mut self,
        id: FlightId,
        request: RequestId,
        leader: RequestId,
        content: &Content,
    ) {
        if !self.flights.waiting(id).contains(&request) {
            return;
        }
        let collapsed = request != leader;
        let flight = self.flights.flight(id);
        // What others were given is nothing to a reader that has proven nothing.
        let reason = if flight.is_proving() { ForwardReason::UriMiss } else { flight.reason() };
        let settling = self.settling.means(flight.key(), content.status, self.now);
        let forward = Forward { reason, status: content.status, collapsed, stored: false, settling };
        self.complete(request, Outcome::Relayed { content: content.clone(), forward });
    }

    /// Answers the waiters of flight `id` with what another member was told for them. Those that demand a call of their
    /// own go on.
    pub(super) fn relay_told(&mut self, id: FlightId, content: &Content) {
        let flight = self.flights.flight(id);
        let reason = flight.reason();
        let settling = self.settling.means(flight.key(), content.status, self.now);
        for request in self.flights.waiting(id) {
            if self.flights.flight(id).is_proving() || self.flights.waiter(request).directives.no_cache {
                continue;
            }
            let forward =
                Forward { reason, status: content.status, collapsed: true, stored: false, settling };
            self.complete(request, Outcome::Relayed { content: content.clone(), forward });
        }
        if self.flights.waiting(id).is_empty() { self.close(id) } else { self.depart(id) }
    }

    pub(super) fn pass(&mut self, id: FlightId) {
        for request in self.flights.waiting(id) {
            self.complete(request, Outcome::Pass);
        }
        self.close(id);
    }

    pub(super) fn fail(&mut self, id: FlightId, failure: Failure) {
        for request in self.flights.waiting(id) {
            self.complete(request, Outcome::Failed(failure));
        }
        self.close(id);
    }

    /// Lets the next waiter fetch, if the origin may be called. Without one, now or after having waited for that, the
    /// flight ends with the `last_resort`.
    fn hand_over_or(&mut self, id: FlightId, last_resort: LastResort) {
        self.flights.flight_mut(id).fall_back_on(last_resort);
        match self.flights.next_leader(id, self.settings.leaders_max.max(1)) {
            Some(_) => self.depart(id),
            None => self.end_without_leader(id),
        }
    }

    /// Ends flight `id`, of whose waiters, if any, none can call the origin.
    pub(super) fn end_without_leader(&mut self, id: FlightId) {
        match self.flights.flight_mut(id).take_last_resort() {
            LastResort::Pass => self.pass(id),
            LastResort::Relay { leader, content } => self.relay(id, leader, &content),
            LastResort::Fail(error) => self.fail(id, Failure::Fetch(error)),
        }
    }

    /// Answers with the stale entry all waiters that accept it, if it may stand in for the origin.
    pub(in crate::engine) fn stand_in(&mut self, id: FlightId, reason: StaleReason) {
        let Some(entry) = self.flights.flight(id).stale().cloned() else {
            return;
        };
        if self.flights.flight(id).caller().reader != Reader::Admitted {
            return;
        }
        for request in self.flights.waiting(id) {
            let Directives { no_cache, grant, .. } = self.flights.waiter(request).directives;
            if !no_cache && freshness::stands_in(&entry, &grant, self.now) {
                self.answer(request, &entry, Served::Stale(reason));
            }
        }
    }

    /// What a pause of the payer of flight `id` means for members that wait for its result: nothing, if they pay for
    /// themselves.
    pub(super) fn verdict_of_pause(&self, id: FlightId) -> Verdict {
        let flight = self.flights.flight(id);
        match flight.caller().reader {
            Reader::Admitted if flight.payer() != Payer::HOST => Verdict::Failed,
            Reader::Admitted | Reader::Unproven(_) => Verdict::Unused,
        }
    }

    pub(super) fn hold_off(&mut self, id: FlightId) {
        self.flights.flight_mut(id).conclude(Verdict::Failed);
        let until = self.now.saturating_add(self.settings.hold_off);
        self.cache.hold_off(self.flights.flight(id).key(), until);
    }
}

/// Whence the content is that a flight lands with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whence {
    /// It was the key's own before.
    Own,
    /// Another domain had it.
    Borrowed,
    /// The origin has sent it.
    Sent,
}

/// The status by which an origin says that an entry still holds (RFC 9110, section 15.4.5).
const NOT_MODIFIED: u16 = 304;
