//! What is demanded of nodes that start again: of what they find on their disks, and of the members they remember.

use super::{STARTING, World, watching::ALONE_MAX};
use crate::{
    ledger::{Floor, ROUNDING, Rule},
    plan::{Deed, Dialing, Event},
};
use cache_core::{Doubts, Entry, Outcome, Served, Source};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What one process found when it started.
pub(super) struct Returning {
    since: Duration,
    /// The facts on its disk.
    facts: BTreeSet<u64>,
    /// Whether the first member has yet to speak, and may.
    is_waiting: bool,
    /// How many dials are under way.
    dials: usize,
    /// Since when facts must be that it finds as if they were certain: what it confirmed to have doubted before.
    floors: BTreeMap<usize, Floor>,
    /// The peers that it was connected with when it stopped, and had been for long enough to remember.
    remembered: Vec<usize>,
}

impl World {
    /// `number` starts with these.
    pub(super) fn on_returned(&mut self, number: usize, entries: &[Entry], doubts: &Doubts) {
        let floors = self.ledger.durable.take(number);
        self.check_durable(number, &floors, entries, doubts);
        let facts = entries.iter().filter_map(|entry| Some(self.ledger.fact(entry.content())?.0)).collect();
        let remembered = self.watch.take_remembered(number);
        let returning = Returning { since: self.now, facts, is_waiting: true, dials: 0, floors, remembered };
        self.returning.insert(number, returning);
    }

    /// What the last process confirmed to have forgotten must not be back, nor as certain as before what it doubted.
    fn check_durable(
        &mut self,
        number: usize,
        floors: &BTreeMap<usize, Floor>,
        entries: &[Entry],
        doubts: &Doubts,
    ) {
        if !self.liars.is_empty() {
            return;
        }
        for entry in entries {
            let Some((_, fact)) = self.ledger.fact(entry.content()) else { continue };
            let Some(floor) = floors.get(&fact.key) else { continue };
            let is_doubted = doubts.mean(entry) || fact.at + self.ledger.misdated >= floor.doubted;
            if !is_doubted || (fact.at < floor.forgotten && !doubts.mean(entry)) {
                self.violate(Rule::Durable, format!("n{number} finds {entry:?} on its disk again"));
            }
        }
    }

    /// `number` has heard all that its first peer had to tell.
    pub(super) fn on_first_heard(&mut self, number: usize) {
        if let Some(returning) = self.returning.get_mut(&number) {
            returning.is_waiting = false;
        }
    }

    pub(super) fn on_dial(&mut self, number: usize) {
        if let Some(returning) = self.returning.get_mut(&number) {
            returning.dials += 1;
        }
    }

    /// A dial of `number` failed. If no other is under way, there is no peer to wait for.
    pub(super) fn on_dial_failed(&mut self, number: usize) {
        if let Some(returning) = self.returning.get_mut(&number) {
            returning.dials = returning.dials.saturating_sub(1);
            returning.is_waiting &= returning.dials > 0;
        }
    }

    /// Checks that an answer is not what the fleet has ended while the node was down, once that could be known: while
    /// the node waits for its first peer, no client gets anything from its disk, and then nothing that the peer told
    /// it of.
    pub(super) fn check_returned(&mut self, number: usize, outcome: &Outcome) {
        let Outcome::Answered { entry, served: Served::Hit } = outcome else { return };
        let (Some((fact, known)), Some(returning)) =
            (self.ledger.fact(entry.content()), self.returning.get(&number))
        else {
            return;
        };
        if !returning.facts.contains(&fact) {
            return;
        }
        // The node's clock has a grain, by which its wait may end early.
        let is_waiting =
            returning.is_waiting && returning.dials > 0 && self.now + ROUNDING < returning.since + GATHERING;
        let honest = self.honest();
        let knowing = honest.into_iter().filter(|node| *node == number || is_waiting);
        let ends =
            |floor: Floor| known.at < floor.forgotten || known.at + self.ledger.misdated < floor.doubted;
        let ended = |node: &usize| ends(self.ledger.floor(*node, known.key, self.now));
        let before = returning.floors.get(&known.key).copied().unwrap_or_default();
        if entry.source() == Source::Own && known.at + self.ledger.misdated < before.doubted {
            let text = format!("n{number} serves {known:?} of its disk, which it doubted before it ended");
            return self.violate(Rule::Doubted, text);
        }
        if let Some(node) = knowing.into_iter().find(ended) {
            let text = format!("n{number} serves {known:?} of its disk, which n{node} knows to be ended");
            self.violate(Rule::Restored, text);
        }
    }

    /// Checks that `number`, which has been alone for so long, has no contact and remembers no member that it could have
    /// found.
    pub(super) fn check_found(&mut self, number: usize, alone_for: Duration) {
        if alone_for <= ALONE_MAX || self.plan.goes_on || !self.is_calm_but_for_restarts() {
            return;
        }
        let Some(returning) = self.returning.get(&number) else { return };
        let is_up_since = |other: usize, since: Duration| {
            self.is_up(other) && self.returning.get(&other).is_some_and(|it| it.since <= since)
        };
        let is_near = self.plan.network.latency < Duration::from_millis(50);
        let mut contacts =
            (0..self.plan.contacts.min(self.nodes.len())).filter(|contact| *contact != number && is_near);
        if let Some(contact) = contacts.find(|contact| is_up_since(*contact, self.now - alone_for)) {
            let text = format!("n{number} is alone for {alone_for:?} though its contact n{contact} is up");
            return self.violate(Rule::Links, text);
        }
        if alone_for < FOUND_WITHIN {
            return;
        }
        let mut remembered = returning.remembered.iter();
        if let Some(other) = remembered.find(|other| is_up_since(**other, returning.since)) {
            let text = format!("n{number} is alone for {alone_for:?} and remembers n{other}, who is up");
            self.violate(Rule::Links, text);
        }
    }

    /// Whether nothing has happened so far that could keep two nodes that are up from one another.
    fn is_calm_but_for_restarts(&self) -> bool {
        let begun = |event: &&Event| STARTING + event.at <= self.now;
        let restarts = |deed: &Deed| {
            matches!(
                deed,
                Deed::ClockStep { .. } | Deed::Crash { .. } | Deed::Join { .. } | Deed::Leave { .. }
            )
        };
        let disturbs = |event: &Event| event.deed.is_fault() && !restarts(&event.deed);
        self.plan.dialing == Dialing::Ordered
            && self.plan.network.loss_per_mille == 0
            && !self.plan.events.iter().filter(begun).any(disturbs)
    }
}

/// Longest that a node waits for the first of its fleet to speak, as the core has it.
const GATHERING: Duration = Duration::from_millis(250);

/// Time in which a node that gets no answer has tried all that it remembers: two rounds of dials that all run out of
/// time, and the pauses between.
const FOUND_WITHIN: Duration = Duration::from_secs(40);
