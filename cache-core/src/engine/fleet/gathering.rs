//! The first moments of a node: look-ups wait a little for the fleet to be found.
//!
//! A node that has just started and knows its contacts is connected within milliseconds. What is asked of it before
//! would be fetched although a member has it. And what it finds on its disk may have been invalidated while it was
//! down: that is withheld until the first peer has told what it knows.

use crate::{
    AskId, Domain, Entry, Message, PeerId, Scope, Timestamp, engine::Engine, flights::FlightId,
    settings::Disk,
};
use alloc::{sync::Arc, vec::Vec};
use core::{mem, time::Duration};

/// Whether the fleet is being looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gathering {
    /// Nothing has happened yet.
    NotBegun,
    /// A contact, or a member remembered from the last run, is being dialled for the first time.
    Until(Timestamp),
    /// The first peer is there, and was asked something. What it tells of comes before its answer.
    Hearing { from: PeerId, token: AskId, until: Timestamp },
    /// It was found, or it was not.
    Over,
}

impl Engine {
    /// Whether look-ups wait for the first peer: at most `GATHERING_MAX` from the first input on, while a contact or a
    /// remembered member is being dialled for the first time, and then until that peer has told what was invalidated, and
    /// in which district of the fleet it is.
    pub fn is_gathering(&self) -> bool {
        let gathering = self.fleet.as_ref().map(|fleet| fleet.gathering);
        matches!(gathering, Some(Gathering::NotBegun | Gathering::Until(_) | Gathering::Hearing { .. }))
    }

    pub(in crate::engine) fn begin_gathering(&mut self) {
        let until = self.now.saturating_add(GATHERING_MAX);
        if let Some(fleet) = &mut self.fleet {
            fleet.guests.begin(self.now);
        }
        if let Some(fleet) = &mut self.fleet
            && fleet.gathering == Gathering::NotBegun
        {
            let has_contacts = fleet.peers.awaits_first_contact();
            fleet.gathering = if has_contacts { Gathering::Until(until) } else { Gathering::Over };
        }
    }

    /// Ends the search once the first peer is there, or once there is none to wait for.
    pub(in crate::engine) fn end_gathering(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        let Gathering::Until(until) = fleet.gathering else { return };
        match fleet.peers.connected().keys().next().copied() {
            Some(from) => {
                let token = self.flights.ask_number();
                fleet.gathering = Gathering::Hearing { from, token, until };
                self.say(from, Message::Ping { token: token.0 });
            }
            None if !fleet.ring.is_alone() || !fleet.peers.awaits_first_contact() => self.stop_gathering(),
            None => {}
        }
    }

    /// `from` has answered what it was asked under `ask`, and so has told before what it knows.
    pub(super) fn on_first_heard(&mut self, from: PeerId, ask: AskId) {
        let gathering = self.fleet.as_ref().map(|fleet| fleet.gathering);
        let is_it = |gathering| matches!(gathering, Gathering::Hearing { from: first, token, .. } if (first, token) == (from, ask));
        if gathering.is_some_and(is_it) {
            self.stop_gathering();
        }
    }

    /// Whether something that is withheld and `counts` begins so and belongs to `domain`.
    pub(in crate::engine) fn withholds(
        &self,
        prefix: &str,
        domain: Domain,
        counts: fn(&Entry) -> bool,
    ) -> bool {
        let scope = Scope::Prefix { prefix: prefix.into(), domain: Some(domain) };
        self.withheld.iter().any(|entry| scope.covers_key(entry.key()) && counts(entry))
    }

    pub(in crate::engine) fn stop_gathering(&mut self) {
        if let Some(fleet) = &mut self.fleet {
            fleet.gathering = Gathering::Over;
        }
        let withheld = mem::take(&mut self.withheld);
        self.take_in(withheld);
        self.shelve_catalogued();
        self.consider_writes();
        let waiting: Vec<FlightId> = self.flights.end_gathering();
        for id in waiting {
            if !self.flights.is_open(id) {
                continue;
            }
            // Neither memory nor disk was looked at with what is known now.
            if self.settings.disk == Disk::Present && !self.flights.flight(id).renews() {
                self.ask_anew(id);
            } else {
                self.take_off(id);
            }
        }
    }

    /// Takes in what was restored, the most recently stored first, except for what is there already.
    pub(in crate::engine) fn take_in(&mut self, restored: Vec<Entry>) {
        // The most recently stored ends at the head of the eviction order.
        for entry in restored.into_iter().rev() {
            if self.is_useful(&entry) && self.cache.lookup(entry.key()).is_none() {
                self.admit(Arc::new(entry));
            }
        }
    }
}

/// Longest that look-ups wait for the first peer: several times what a connection takes within one region.
const GATHERING_MAX: Duration = Duration::from_millis(250);
