//! What nodes confirmed to have forgotten or doubted, and so must not be back after a crash as if nothing had been.

use super::floors::Floor;
use cache_core::{RequestId, message::Manner};
use std::{collections::BTreeMap, time::Duration};

/// For each node, since when facts must be that a crash leaves on its disk.
pub(crate) struct Durable(Vec<Promises>);

/// What was forgotten or doubted of a key, and when.
pub(super) type Ended = (usize, Manner, Duration);

#[derive(Default)]
struct Promises {
    /// Since when a fact about a key must be.
    floors: BTreeMap<usize, Floor>,
    /// What it will be once the node confirms it.
    unconfirmed: BTreeMap<Occasion, Vec<Ended>>,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Occasion {
    /// A request of the node's own.
    Asked(RequestId),
    /// A member told it, under a number of that member's.
    Told(usize, u64),
}

impl Durable {
    pub(super) fn new(nodes: usize) -> Self {
        Self((0..nodes).map(|_| Promises::default()).collect())
    }

    pub(super) fn on_asked(&mut self, node: usize, request: RequestId, ended: Vec<Ended>) {
        self.0[node].unconfirmed.entry(Occasion::Asked(request)).or_default().extend(ended);
    }

    pub(super) fn on_told(&mut self, node: usize, (from, receipt): (usize, u64), ended: Vec<Ended>) {
        self.0[node].unconfirmed.entry(Occasion::Told(from, receipt)).or_default().extend(ended);
    }

    /// `node` answers `request`.
    pub(crate) fn on_answered(&mut self, node: usize, request: RequestId) {
        self.confirm(node, Occasion::Asked(request));
    }

    /// `node` says to `to` that it has forgotten what that told it under `receipt`.
    pub(crate) fn on_confirmed(&mut self, node: usize, to: usize, receipt: u64) {
        self.confirm(node, Occasion::Told(to, receipt));
    }

    /// Nothing is known of `node` any more.
    pub(crate) fn forget(&mut self, node: usize) {
        self.0[node] = Promises::default();
    }

    /// Since when facts must be that `node` finds on its disk, now that it starts. What it does with them is another run.
    pub(crate) fn take(&mut self, node: usize) -> BTreeMap<usize, Floor> {
        std::mem::take(&mut self.0[node]).floors
    }

    fn confirm(&mut self, node: usize, occasion: Occasion) {
        let Promises { floors, unconfirmed } = &mut self.0[node];
        for (key, manner, at) in unconfirmed.remove(&occasion).into_iter().flatten() {
            floors.entry(key).or_default().raise(manner, at);
        }
    }
}
