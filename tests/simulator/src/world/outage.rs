//! Whether nodes find out together that the origin cannot be reached, and that it can be again.

use super::{Happening, World};
use crate::{ledger::Rule, node::Arrival};
use cache_core::{Outcome, Served, StaleReason};

impl World {
    /// A call reaches the origin, which carries it out even if nothing waits for the answer any more.
    pub(super) fn on_call(&mut self, number: u64) {
        let Some(call) = self.calls.remove(&number) else { return };
        let travel = self.origin.travel();
        let fetched = self.origin.answer(self.now, &call, &mut self.ledger);
        self.transcript.note(format_args!("{:?} origin n{} k{} {fetched:?}", self.now, call.node, call.key));
        if let Some(fetched) = fetched.filter(|_| self.is_awaited(&call)) {
            let (node, run) = (call.node, call.run);
            let allowance = self.origin.shown(&call, &self.ledger);
            let arrival = Box::new(Arrival::Fetched { fetched, call, allowance });
            self.schedule(self.now + travel, Happening::Arrive { node, run, arrival });
        }
    }

    /// Notes whether a node takes it that the origin cannot be reached.
    pub(super) fn note_outage(&mut self, number: usize) {
        let is_held = self.nodes[number].engine.outage().is_some();
        if is_held == self.held.contains(&number) {
            return;
        }
        if is_held {
            self.held.insert(number);
        } else {
            self.held.remove(&number);
            self.figures.back_after = self.origin.recovered.map(|recovered| self.now - recovered);
        }
    }

    /// Checks that a node whose own line to the origin works goes on as if all others' did.
    pub(super) fn check_line(&mut self, number: usize, outcome: &Outcome) {
        if self.broken_lines.is_empty() || self.broken_lines.contains(&number) {
            return;
        }
        let is_stopped = match outcome {
            Outcome::Failed(_) => true,
            Outcome::Answered { served: Served::Stale(StaleReason::HeldOff), .. } => true,
            Outcome::Absent | Outcome::Answered { .. } | Outcome::Pass | Outcome::Relayed { .. } => false,
        };
        self.figures.stopped += u64::from(is_stopped);
    }

    /// Checks how often the origin was called in vain, how soon all knew that it is back, and how many requests broken lines stopped.
    pub(super) fn check_outage(&mut self) {
        let (vain, stopped) = (self.origin.calls_vain, self.figures.stopped);
        if let Some(most) = self.plan.demands.vain_max.filter(|most| vain > *most) {
            self.violate(Rule::Outage, format!("{vain} calls in vain, and {most} at most demanded"));
        }
        if let Some(most) = self.plan.demands.stopped_max.filter(|most| stopped > *most) {
            let text =
                format!("broken lines stop {stopped} requests of other nodes, and {most} at most demanded");
            self.violate(Rule::Outage, text);
        }
        if self.plan.demands.back_within.is_none() {
            return;
        }
        if let Some(number) = self.held.iter().copied().find(|number| self.is_up(*number)) {
            let text = format!("n{number} still takes it that the origin cannot be reached");
            return self.violate(Rule::Outage, text);
        }
        let back = self.figures.back_after;
        if let Some(most) = self.plan.demands.back_within.filter(|most| back.is_none_or(|back| back > *most))
        {
            let text = format!("all know after {back:?} that the origin is back, and {most:?} demanded");
            self.violate(Rule::Outage, text);
        }
    }
}
