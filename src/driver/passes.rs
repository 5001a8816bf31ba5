//! What passes the cache by, and what it leaves behind however it ends.

use super::Driver;
use crate::command::{BrokenOff, Departing, Passed};
use cache_core::{Bucket, Failure, Input, OrderId, Output, PassKind, Payer, Priority, Reach, Reached};
use std::mem;
use tokio::task::{Id, JoinError};
use tracing::warn;

impl Driver {
    /// Asks the engine whether `call` may be made; what is free is made at once.
    pub(super) fn on_pass(
        &mut self,
        purse: Option<(Payer, Bucket)>,
        (kind, priority): (PassKind, Priority),
        call: Departing,
    ) {
        let order = self.orders.number();
        self.departing.insert(order, call);
        match purse {
            Some((payer, bucket)) => self.handle(Input::Pass { order, payer, bucket, kind, priority }),
            None => self.depart(order),
        }
    }

    /// Makes the call of `order`, unless its caller has gone while it waited: what has not begun is not begun for nobody, a
    /// write least of all, which a client that gave up may repeat.
    pub(super) fn depart(&mut self, order: OrderId) {
        let Some(Departing { call, broken_off, withheld }) = self.departing.remove(&order) else { return };
        if withheld.is_closed() {
            return self.handle(Input::GivenUp { order });
        }
        let pass = self.passes.spawn(call).id();
        self.under_way.insert(pass, (order, broken_off));
    }

    /// Gives up the calls that wait and whose clients have gone, so that none takes another's place in the queue.
    pub(super) fn give_up_left(&mut self) {
        let left = self.departing.iter().filter(|(_, waiting)| waiting.withheld.is_closed());
        let mut left: Vec<_> = left.map(|(order, _)| *order).collect();
        left.sort_unstable();
        for order in left {
            self.departing.remove(&order);
            self.handle(Input::GivenUp { order });
        }
    }

    pub(super) fn withhold(&mut self, order: OrderId, failure: Failure) {
        if let Some(Departing { call, withheld, .. }) = self.departing.remove(&order) {
            // The caller looks for the reason once its call is dropped.
            let _gone = withheld.send(failure);
            drop(call);
        }
    }

    pub(super) fn on_pass_ended(&mut self, ended: Result<(Id, Passed), JoinError>) {
        match ended {
            Ok((pass, Passed { answer, reached, refused, reach, allowance, is_counted, pause, done })) => {
                let Some((order, _broken_off)) = self.under_way.remove(&pass) else { return };
                // A client that has gone needs no answer; what it changed is forgotten all the same.
                self.orders.passed(order, answer, done);
                self.handle(Input::Passed { order, reach, reached, refused, allowance, is_counted, pause });
            }
            // The body that the caller streams is the caller's code, and may panic.
            Err(error) => {
                warn!(%error, "a call that passes the cache by ended without a result");
                if let Some(broken_off) = self.under_way.remove(&error.id()) {
                    self.on_broken_off(broken_off);
                }
            }
        }
    }

    /// A call that passes the cache by breaks off, and its end will not be known.
    fn on_broken_off(&mut self, (order, broken_off): (OrderId, BrokenOff)) {
        let reach = broken_off();
        self.handle(ended_unknown(order, reach));
    }

    /// Breaks off what passes the cache by, and has what it leaves behind doubted while the disk and the members can
    /// still hear it.
    pub(super) async fn break_off(&mut self) {
        while let Some(ended) = self.passes.try_join_next_with_id() {
            self.on_pass_ended(ended);
        }
        self.passes.shutdown().await;
        for broken_off in mem::take(&mut self.under_way).into_values() {
            self.on_broken_off(broken_off);
        }
    }
}

/// The end of a call of which nothing is known but what it may leave behind.
fn ended_unknown(order: OrderId, reach: Reach) -> Input {
    let reached = Reached::Unknown;
    Input::Passed { order, reach, reached, refused: None, allowance: None, is_counted: false, pause: None }
}

impl Drop for Driver {
    /// However the driver ends, nothing is left to keep the index true, or to hear how a write ends that is under
    /// way. The disk outlives the driver.
    fn drop(&mut self) {
        self.index.clear();
        if std::thread::panicking() {
            return;
        }
        for (order, broken_off) in mem::take(&mut self.under_way).into_values() {
            let reach = broken_off();
            self.engine.handle(self.clock.now(), ended_unknown(order, reach));
        }
        while let Some(output) = self.engine.poll_output() {
            if let Output::Remove { removal, scopes, doubted } = output {
                self.remove(removal, scopes, doubted);
            }
        }
    }
}
