//! What is checked of how much nodes ask one another, and send unasked.

use super::World;
use crate::ledger::Rule;
use cache_core::{PeerId, message::Parcel};
use std::collections::BTreeSet;

impl World {
    /// Checks that `number` sends `peer` no entry unasked that it sent it before.
    ///
    /// So what a node sends for what it reads is bounded: nothing for what it has, and else each entry that it brings
    /// into the fleet, at most once to each member. A member that wants to be warmed up again has it all sent again.
    pub(super) fn check_share(&mut self, number: usize, peer: usize, parcel: &Parcel) {
        if self.plan.goes_on || self.liars.contains(&number) {
            return;
        }
        let Some((fact, known)) = self.ledger.fact(&parcel.draft.content) else { return };
        let (sent, most) = self.watch.on_shared(number, peer, fact);
        if sent > most {
            let text = format!("n{number} sends n{peer} {known:?} {sent} times unasked, {most} at most");
            self.violate(Rule::Share, text);
        }
    }

    /// How many nodes ask `number` as the one to ask first: those of its district, and its guests.
    pub(super) fn askers_count(&self, number: usize) -> usize {
        let engine = &self.nodes[number].engine;
        let hosted = || engine.guests().map_or(0, |guests| guests.guests.len());
        let guests = if self.plan.guests.0.is_empty() { 0 } else { hosted() };
        engine.members_count() + guests
    }

    /// Checks that no node takes a guest for a member, and that a guest has few connections if that is demanded.
    pub(super) fn check_guests(&mut self, number: usize) {
        if self.plan.guests.0.is_empty() {
            return;
        }
        let report = self.nodes[number].engine.guests();
        let is_guest = report.as_ref().is_some_and(|guests| guests.is_guest);
        self.nodes[number].was_member |= !is_guest;
        let most = report.map_or(0, |guests| guests.guests_max);
        let engine = &self.nodes[number].engine;
        let hosted = engine.guests().map_or(0, |guests| guests.guests.len());
        if hosted > most && !is_guest {
            return self.violate(Rule::Guests, format!("n{number} hosts {hosted} guests, {most} at most"));
        }
        let told = engine.fleet_members().into_iter().map(|member| member.peer());
        let members = engine.members().into_iter().chain(told);
        let mut members = members.filter_map(|peer| self.numbers.get(&peer).copied());
        let guest = members.find(|other| {
            self.plan.guests.0.contains(other) && !self.nodes[*other].was_member && *other != number
        });
        if let Some(guest) = guest {
            return self.violate(Rule::Guests, format!("n{number} takes n{guest}, a guest, for a member"));
        }
        let handshakes = self.meter.loads()[number].handshakes - self.nodes[number].handshakes_before;
        let most = self.plan.demands.handshakes_max.filter(|_| !self.nodes[number].was_member);
        if let Some(most) = most.filter(|most| handshakes > *most) {
            let text = format!("n{number}, a guest, makes {handshakes} connections, {most} at most");
            self.violate(Rule::Guests, text);
        }
    }

    /// Checks how many nodes asked `number` for one name within a second, which are `askers` now: those of its district,
    /// which had so many `members` at most in that second, and one of each other district, since that asks on behalf of
    /// its own.
    pub(super) fn check_fan_in(&mut self, number: usize, askers: usize, members: usize) {
        if self.plan.goes_on || askers <= members + FAN_IN_SLACK {
            return;
        }
        let districts = self.districts();
        let largest = districts.iter().map(BTreeSet::len).max().unwrap_or(0).max(members);
        let most = largest + districts.len() + FAN_IN_SLACK;
        if askers > most {
            let text = format!("{askers} nodes ask n{number} for one name in a second, {most} at most");
            self.violate(Rule::FanIn, text);
        }
    }

    /// The members that nodes which are up share names out with, themselves among them: as many sets as there are
    /// districts, or more while nodes are of different minds.
    fn districts(&self) -> BTreeSet<BTreeSet<PeerId>> {
        let up = self.nodes.iter().filter(|node| self.is_up(node.number));
        up.map(|node| node.engine.members().into_iter().chain([node.peer]).collect()).collect()
    }
}

/// Nodes that may ask one node for one name in a second, beyond those of its district and one of each other: those that
/// have yet to hear how the fleet has changed.
const FAN_IN_SLACK: usize = 6;
