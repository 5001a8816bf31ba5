//! What is to come, in order of time and, at one moment, of when it was decided.

use std::{cmp::Reverse, collections::BTreeMap, collections::BinaryHeap, time::Duration};

/// A queue of steps to come.
pub(super) struct Agenda<T> {
    order: BinaryHeap<Reverse<(Duration, u64)>>,
    steps: BTreeMap<u64, T>,
    last: u64,
}

impl<T> Agenda<T> {
    pub(super) fn new() -> Self {
        Self { order: BinaryHeap::new(), steps: BTreeMap::new(), last: 0 }
    }

    pub(super) fn push(&mut self, at: Duration, step: T) {
        self.last += 1;
        self.order.push(Reverse((at, self.last)));
        self.steps.insert(self.last, step);
    }

    /// The next step and its moment, unless that is after `end`.
    pub(super) fn pop(&mut self, end: Duration) -> Option<(Duration, T)> {
        let Reverse((at, number)) = *self.order.peek().filter(|Reverse((at, _))| *at <= end)?;
        self.order.pop();
        Some((at, self.steps.remove(&number)?))
    }
}
