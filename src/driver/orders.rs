//! The callers that wait for the end of an order that is not a look-up.

use crate::command::{PassAnswer, Ponged, Removed, Stored};
use cache_core::{Failure, OrderId, Timestamp};
use std::{collections::HashMap, mem};
use tokio::sync::oneshot;

/// The callers that wait, by the number of the order. Telling one that has gone has no effect.
#[derive(Default)]
pub(super) struct Orders {
    number_last: u64,
    removals: HashMap<OrderId, Removed>,
    /// Answers of calls that passed the cache by, until what they left behind is removed.
    passed: HashMap<OrderId, (PassAnswer, oneshot::Sender<PassAnswer>)>,
    pings: HashMap<OrderId, Ponged>,
    puts: HashMap<OrderId, Stored>,
}

impl Orders {
    pub(super) fn removal(&mut self, done: Removed) -> OrderId {
        let order = self.number();
        self.removals.insert(order, done);
        order
    }

    pub(super) fn passed(&mut self, order: OrderId, answer: PassAnswer, done: oneshot::Sender<PassAnswer>) {
        self.passed.insert(order, (answer, done));
    }

    pub(super) fn ping(&mut self, done: Ponged) -> OrderId {
        let order = self.number();
        self.pings.insert(order, done);
        order
    }

    pub(super) fn put(&mut self, done: Stored) -> OrderId {
        let order = self.number();
        self.puts.insert(order, done);
        order
    }

    /// A number for an order that no caller waits for.
    pub(super) fn number(&mut self) -> OrderId {
        self.number_last += 1;
        OrderId(self.number_last)
    }

    pub(super) fn on_removed(&mut self, order: OrderId, entries: usize) {
        if let Some(done) = self.removals.remove(&order) {
            let _gone = done.send(entries);
        }
        if let Some((answer, done)) = self.passed.remove(&order) {
            let _gone = done.send(answer);
        }
    }

    pub(super) fn on_ponged(&mut self, order: OrderId, clock: Result<Timestamp, Failure>) {
        if let Some(done) = self.pings.remove(&order) {
            let _gone = done.send(clock);
        }
    }

    pub(super) fn on_stored(&mut self, order: OrderId) {
        if let Some(done) = self.puts.remove(&order) {
            let _gone = done.send(());
        }
    }

    /// Hands out the answers of calls that passed the cache by, whatever they still wait for.
    pub(super) fn answer_passed(&mut self) {
        for (answer, done) in mem::take(&mut self.passed).into_values() {
            let _gone = done.send(answer);
        }
    }
}
