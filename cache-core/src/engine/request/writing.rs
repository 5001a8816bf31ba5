//! Writes that wait for their turn, so that no more are made for a payer than its origin bears.

use crate::{
    Failure, OrderId, PassKind, Payer, Priority, Timestamp,
    engine::Engine,
    ledger::{Decision, Purse, Turn, WRITES_WAITING_MAX, WritePace},
};
use alloc::{collections::BTreeMap, vec::Vec};
use core::{cmp::Reverse, mem, time::Duration};

/// Writes that wait: those that matter more first, and of these the one that came first.
#[derive(Debug, Default)]
pub(in crate::engine) struct WriteQueue {
    /// At most [`WRITES_WAITING_MAX`], and [`WAITING_OF_PAYER_MAX`] of one payer.
    waiting: BTreeMap<Place, Waiting>,
    /// When they are to be considered again.
    look_at: Option<Timestamp>,
    /// Those under way that count as begun, each with the moment that it does.
    begun: BTreeMap<OrderId, (Payer, Timestamp)>,
}

/// Where a write stands in the queue.
type Place = (Reverse<Priority>, OrderId);

#[derive(Clone, Copy, Debug)]
struct Waiting {
    purse: Purse,
    /// Since when it waits.
    since: Timestamp,
}

impl WriteQueue {
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.look_at
    }

    /// How many wait for `payers`.
    fn count(&self, payers: &[Payer]) -> usize {
        self.waiting.values().filter(|waiting| payers.contains(&waiting.purse.0)).count()
    }

    /// How many of those wait ahead of `place`.
    fn ahead(&self, place: Place, payers: &[Payer]) -> u64 {
        let before = self.waiting.range(..place);
        before.filter(|(_, waiting)| payers.contains(&waiting.purse.0)).count() as u64
    }
}

/// What one look at a waiting write comes to.
enum Look {
    /// It is made, or was refused.
    Gone,
    /// It waits until then at least, and all behind it for the same payer wait for it.
    Waits(Timestamp),
}

impl Engine {
    /// A client wants a write to be made.
    pub(super) fn on_write(&mut self, order: OrderId, purse: Purse, priority: Priority) {
        if let Decision::Refused(failure) = self.permit(purse, priority, PassKind::Write) {
            return self.withhold(order, failure);
        }
        let payers = self.ledger.one_with(purse.0);
        let (place, queue) = ((Reverse(priority), order), &self.passing.writes);
        let ahead = queue.ahead(place, &payers);
        let is_full =
            queue.waiting.len() >= WRITES_WAITING_MAX || queue.count(&payers) >= WAITING_OF_PAYER_MAX;
        let until = self.now.saturating_add(self.ledger.write_pace().wait);
        if is_full || self.ledger.writes_free_at(&payers, ahead, self.now) > until {
            return self.refuse_write(order, purse, &payers, ahead);
        }
        self.passing.writes.waiting.insert(place, Waiting { purse, since: self.now });
        self.consider_writes();
    }

    /// Makes the writes whose turn it is, and refuses those whose time is up.
    pub(in crate::engine) fn consider_writes(&mut self) {
        self.passing.writes.look_at = None;
        if self.is_gathering() {
            // What was written before this member came will be told, and then they are considered.
            return;
        }
        let mut ahead: BTreeMap<Payer, u64> = BTreeMap::new();
        let waiting: Vec<_> = self.passing.writes.waiting.iter().map(|(place, it)| (*place, *it)).collect();
        for (place, waiting) in waiting {
            let payers = self.ledger.one_with(waiting.purse.0);
            let ahead = ahead.entry(payers[0]).or_default();
            match self.look_at_write(place, waiting, &payers, *ahead) {
                Look::Gone => _ = self.passing.writes.waiting.remove(&place),
                Look::Waits(at) => {
                    *ahead += 1;
                    let look_at = &mut self.passing.writes.look_at;
                    *look_at = Some(look_at.map_or(at, |before| before.min(at)));
                }
            }
        }
    }

    /// Considers one write, with so many of its payer that wait `ahead` of it.
    fn look_at_write(
        &mut self,
        (Reverse(priority), order): Place,
        Waiting { purse, since }: Waiting,
        payers: &[Payer],
        ahead: u64,
    ) -> Look {
        let members = self.spenders().members;
        let least = if members > 1 { SHARING_MAX } else { Duration::ZERO };
        let until = since.saturating_add(self.ledger.write_pace().wait.max(least));
        if ahead > 0 {
            return self.wait_or_refuse((order, purse), payers, (ahead, until), until);
        }
        let decision = self.permit(purse, priority, PassKind::Write);
        if let Decision::Refused(failure) = decision {
            self.withhold(order, failure);
            return Look::Gone;
        }
        if members > 1 && self.ledger.announce_writes(purse.0, self.now) {
            self.on_ledger_due();
        }
        match (self.ledger.write_turn(payers, members, self.now), decision) {
            (Turn::At(at), _) => self.wait_or_refuse((order, purse), payers, (0, until), at),
            (Turn::Now, Decision::Wait(at) | Decision::Return(at)) => {
                if until.saturating_add(self.settings.request_timeout) > self.now {
                    return Look::Waits(at);
                }
                self.withhold(order, Failure::TimedOut);
                Look::Gone
            }
            (Turn::Now, Decision::Go | Decision::Refused(_)) => {
                let begun = self.ledger.begin_write(purse.0, self.now);
                if self.fleet.as_ref().is_none_or(|fleet| fleet.ring.is_alone()) {
                    self.ledger.tell_nobody();
                }
                self.passing.writes.begun.insert(order, (purse.0, begun));
                self.begin_pass(order, purse);
                Look::Gone
            }
        }
    }

    /// A write waits for its turn until `at`, unless its time is up at `until`, or is known to be up before its turn comes.
    fn wait_or_refuse(
        &mut self,
        (order, purse): (OrderId, Purse),
        payers: &[Payer],
        (ahead, until): (u64, Timestamp),
        at: Timestamp,
    ) -> Look {
        if until <= self.now || (ahead == 0 && at > until) {
            self.refuse_write(order, purse, payers, ahead);
            return Look::Gone;
        }
        Look::Waits(at.min(until))
    }

    /// A write that was to be made was not, since its client has gone; or one that waits is given up.
    pub(super) fn give_up_write(&mut self, order: OrderId) {
        if let Some((payer, begun)) = self.passing.writes.begun.remove(&order) {
            self.ledger.take_back_write(payer, begun);
            return self.consider_writes();
        }
        let is_it = |(_, waiting): &Place| *waiting == order;
        let place = self.passing.writes.waiting.keys().copied().find(is_it);
        if let Some(place) = place {
            // The next is considered when this one would have been.
            self.passing.writes.waiting.remove(&place);
        }
    }

    /// A write has ended that was made.
    pub(in crate::engine) fn end_write(&mut self, order: OrderId) {
        self.passing.writes.begun.remove(&order);
    }

    /// Bounds writes by `pace` from now on, those that wait as well.
    pub(in crate::engine) fn on_write_pace(&mut self, pace: WritePace) {
        self.ledger.set_write_pace(pace);
        if pace.is_free() {
            for ((Reverse(priority), order), Waiting { purse, .. }) in
                mem::take(&mut self.passing.writes.waiting)
            {
                self.on_unpaced(order, purse, (PassKind::Write, priority));
            }
        }
        self.consider_writes();
    }

    /// Counts the writes that wait, all payers' together.
    pub fn writes_waiting(&self) -> usize {
        self.passing.writes.waiting.len()
    }

    /// How many writes of `payer`, and of those that are one with it, wait.
    pub(in crate::engine) fn writes_waiting_for(&self, payer: Payer) -> u64 {
        self.passing.writes.count(&self.ledger.one_with(payer)) as u64
    }

    fn refuse_write(&mut self, order: OrderId, purse: Purse, payers: &[Payer], ahead: u64) {
        let until = self.ledger.writes_free_at(payers, ahead, self.now);
        let seen = self.ledger.seen(payers, purse.1);
        self.withhold(order, Failure::Paced { until, seen });
    }
}

/// A write waits for so long at least where members share: what it waits for is to be heard then, and not a minute's end.
const SHARING_MAX: Duration = Duration::from_secs(2);

/// Most writes that wait at one node for one payer: more than an hour's, as GitHub bears them. One beyond is refused at once.
const WAITING_OF_PAYER_MAX: usize = 512;

#[cfg(test)]
mod tests;
