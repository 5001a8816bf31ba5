//! Whether a call may be made: what the ledger says of it, for look-ups and for what passes the cache by.

use super::writing::WriteQueue;
use crate::{
    Failure, FetchError, OrderId, Output, PassKind, Priority, Reached, Shortage, StaleReason, Timestamp,
    engine::Engine,
    flights::{FlightId, Stage},
    ledger::{Decision, Purse, Spenders},
    message::Verdict,
    outage::Passage,
};
use alloc::collections::{BTreeMap, BTreeSet};
use core::{ops::ControlFlow, time::Duration};

/// Calls that pass the cache by.
#[derive(Debug, Default)]
pub(in crate::engine) struct Passing {
    /// Those that wait until fewer are under way.
    waiting: BTreeMap<OrderId, Waiting>,
    /// When each of them is to be considered again.
    dates: BTreeSet<(Timestamp, OrderId)>,
    /// What those draw on that are under way.
    under_way: BTreeMap<OrderId, UnderWay>,
    /// Writes that wait for their turn.
    pub(super) writes: WriteQueue,
}

#[derive(Clone, Copy, Debug)]
struct UnderWay {
    purse: Purse,
    begun: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    purse: Purse,
    priority: Priority,
    kind: PassKind,
    look_at: Timestamp,
    /// When its time is up.
    until: Timestamp,
}

impl Passing {
    pub(in crate::engine) fn next_deadline(&self) -> Option<Timestamp> {
        self.dates.first().map(|(date, _)| *date).into_iter().chain(self.writes.next_deadline()).min()
    }
}

impl Engine {
    /// Considers whether flight `id` may call the origin; breaks if it may not, or not yet. Then nobody may wait for it any
    /// more, or it goes on by itself.
    pub(super) fn afford(&mut self, id: FlightId) -> ControlFlow<()> {
        self.reach_out(id)?;
        let (purse, priority) = (self.purse(id), self.flights.priority(id));
        let spenders = self.spenders();
        match self.ledger.decide(purse, priority, self.now, spenders) {
            Decision::Go => ControlFlow::Continue(()),
            Decision::Wait(until) => {
                self.flights.begin_affording(id, until);
                ControlFlow::Break(())
            }
            Decision::Return(until) => {
                self.stand_in(id, StaleReason::Throttled);
                if self.flights.waiting(id).is_empty() {
                    self.close(id);
                } else {
                    self.flights.begin_affording(id, until);
                }
                ControlFlow::Break(())
            }
            Decision::Refused(failure) => {
                self.counters.fetches_withheld += 1;
                // What is kept from this request another may spend.
                let (verdict, reason) = match failure {
                    Failure::Reserved { .. } => (Verdict::Unused, StaleReason::Reserved),
                    Failure::Busy
                    | Failure::Fetch(_)
                    | Failure::NotConnected
                    | Failure::Paced { .. }
                    | Failure::Throttled { .. }
                    | Failure::TimedOut => (self.verdict_of_pause(id), StaleReason::Throttled),
                };
                self.flights.flight_mut(id).conclude(verdict);
                self.stand_in(id, reason);
                self.fail(id, failure);
                ControlFlow::Break(())
            }
        }
    }

    /// Flight `id` may call the origin now, perhaps.
    pub(in crate::engine) fn on_affording_due(&mut self, id: FlightId) {
        if self.flights.is_open(id) && matches!(self.flights.flight(id).stage(), Stage::Affording { .. }) {
            self.flights.end_affording(id);
            self.resume(id);
        }
    }

    /// Whether a call that draws on `purse` would be refused.
    pub(super) fn is_refused(&mut self, purse: Purse, priority: Priority) -> bool {
        let spenders = self.spenders();
        matches!(self.ledger.decide(purse, priority, self.now, spenders), Decision::Refused(_))
    }

    /// What a call of flight `id` draws on.
    pub(in crate::engine) fn purse(&self, id: FlightId) -> Purse {
        let flight = self.flights.flight(id);
        (flight.payer(), flight.caller().bucket)
    }

    /// How many may spend one allowance: all members, as far as this node can tell.
    pub(in crate::engine) fn spenders(&self) -> Spenders {
        self.fleet.as_ref().map_or(Spenders { members: 1, districts: 1 }, |fleet| {
            let neighbours = u64::try_from(fleet.ring.others_count()).unwrap_or(u64::MAX).saturating_add(1);
            if let Some(members) = fleet.guests.fleet_members() {
                return Spenders { members: members.saturating_add(1), districts: 1 };
            }
            let districts = 1 << fleet.districts.depth().min(32);
            Spenders { members: neighbours.saturating_mul(districts), districts }
        })
    }

    pub(in crate::engine) fn on_pass(
        &mut self,
        order: OrderId,
        purse: Purse,
        (kind, priority): (PassKind, Priority),
    ) {
        if kind == PassKind::Write && self.ledger.paces_writes() {
            return self.on_write(order, purse, priority);
        }
        self.on_unpaced(order, purse, (kind, priority));
    }

    /// A client wants a call to be made that waits for no turn among others.
    pub(super) fn on_unpaced(
        &mut self,
        order: OrderId,
        purse: Purse,
        (kind, priority): (PassKind, Priority),
    ) {
        let until = self.now.saturating_add(self.settings.request_timeout);
        self.consider(order, Waiting { purse, priority, kind, look_at: self.now, until });
    }

    pub(in crate::engine) fn on_passes_due(&mut self) {
        while let Some((_, order)) = self.passing.dates.first().filter(|(date, _)| *date <= self.now).copied()
        {
            if let Some(waiting) = self.passing.waiting.remove(&order) {
                self.passing.dates.remove(&(waiting.look_at, order));
                self.consider(order, waiting);
            }
        }
        if self.passing.writes.next_deadline().is_some_and(|date| date <= self.now) {
            self.consider_writes();
        }
    }

    /// The client of a call that was to pass the cache by has gone before it began.
    pub(in crate::engine) fn give_up_pass(&mut self, order: OrderId) {
        self.end_pass(order, Reached::Unknown, None);
        self.give_up_write(order);
    }

    /// A call that passed the cache by has ended.
    ///
    /// It may have `reached` the origin, which may have told it to `pause`.
    pub(in crate::engine) fn end_pass(
        &mut self,
        order: OrderId,
        reached: Reached,
        pause: Option<(Duration, Shortage)>,
    ) {
        if let Some(waiting) = self.passing.waiting.remove(&order) {
            self.passing.dates.remove(&(waiting.look_at, order));
        }
        if let Some(UnderWay { purse, begun }) = self.passing.under_way.remove(&order) {
            self.ledger.end(purse);
            self.note_reached(reached, begun);
            if let Some((time, shortage)) = pause {
                self.pause(purse, time, shortage);
            }
        }
    }

    fn consider(&mut self, order: OrderId, waiting: Waiting) {
        let Waiting { purse, priority, kind, until, .. } = waiting;
        match self.permit(purse, priority, kind) {
            Decision::Go => self.begin_pass(order, purse),
            Decision::Wait(_) | Decision::Return(_) if until <= self.now => {
                self.withhold(order, Failure::TimedOut);
            }
            Decision::Wait(look_at) | Decision::Return(look_at) => {
                self.passing.waiting.insert(order, Waiting { look_at, ..waiting });
                self.passing.dates.insert((look_at, order));
            }
            Decision::Refused(failure) => self.withhold(order, failure),
        }
    }

    /// Whether a call may be made that passes the cache by, as far as the origin can be reached and the allowance goes.
    pub(super) fn permit(&mut self, purse: Purse, priority: Priority, kind: PassKind) -> Decision {
        match self.outage.passage(self.now, kind.changes()) {
            Passage::Open => {
                let spenders = self.spenders();
                self.ledger.decide(purse, priority, self.now, spenders)
            }
            Passage::Tried => Decision::Wait(self.look_at_trial()),
            Passage::Closed => Decision::Refused(Failure::Fetch(FetchError::OriginDown)),
        }
    }

    /// A call that passes the cache by, and that draws on `purse`, is made.
    pub(super) fn begin_pass(&mut self, order: OrderId, purse: Purse) {
        self.note_call();
        self.ledger.begin(purse, self.now);
        self.passing.under_way.insert(order, UnderWay { purse, begun: self.now });
        self.outputs.push_back(Output::Depart { order });
    }

    /// A call that was to pass the cache by is not made.
    pub(super) fn withhold(&mut self, order: OrderId, failure: Failure) {
        match failure {
            Failure::Fetch(_) => self.counters.fetches_held_off += 1,
            Failure::TimedOut => {}
            Failure::Busy
            | Failure::NotConnected
            | Failure::Paced { .. }
            | Failure::Reserved { .. }
            | Failure::Throttled { .. } => self.counters.fetches_withheld += 1,
        }
        self.outputs.push_back(Output::Withheld { order, failure });
    }
}
