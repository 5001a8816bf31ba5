//! What passes the cache by, and what it leaves behind however it ends.

use super::Driver;
use crate::command::{BrokenOff, Passed};
use cache_core::{Input, Output};
use std::mem;
use tokio::task::{Id, JoinError};
use tracing::warn;

impl Driver {
    pub(super) fn on_pass_ended(&mut self, ended: Result<(Id, Passed), JoinError>) {
        match ended {
            Ok((pass, Passed { answer, refused, reach, allowance, done })) => {
                self.under_way.remove(&pass);
                // A client that has gone needs no answer; what it changed is forgotten all the same.
                let order = self.orders.passed(answer, done);
                self.handle(Input::Passed { order, reach, refused, allowance });
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
    fn on_broken_off(&mut self, broken_off: BrokenOff) {
        let (order, reach) = (self.orders.number(), broken_off());
        self.handle(Input::Passed { order, reach, refused: None, allowance: None });
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

impl Drop for Driver {
    /// However the driver ends, nothing is left to keep the index true, or to hear how a write ends that is under
    /// way. The disk outlives the driver.
    fn drop(&mut self) {
        self.index.clear();
        if std::thread::panicking() {
            return;
        }
        for broken_off in mem::take(&mut self.under_way).into_values() {
            let (order, reach) = (self.orders.number(), broken_off());
            self.engine
                .handle(self.clock.now(), Input::Passed { order, reach, refused: None, allowance: None });
        }
        while let Some(output) = self.engine.poll_output() {
            if let Output::Remove { removal, scopes, doubted } = output {
                self.remove(removal, scopes, doubted);
            }
        }
    }
}
