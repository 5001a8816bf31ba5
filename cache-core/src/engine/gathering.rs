//! The first moments of a node: look-ups wait a little for the fleet to be found.
//!
//! A node that has just started and knows whom to contact is connected within milliseconds. What is asked of it before
//! would be fetched although a member has it.

use super::Engine;
use crate::{Timestamp, flight::FlightId};
use core::time::Duration;

/// Whether the fleet is being looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gathering {
    /// Nothing has happened yet.
    NotBegun,
    /// A contact is being dialled, and none has failed.
    Until(Timestamp),
    /// It was found, or it was not.
    Over,
}

impl Engine {
    /// Whether look-ups wait for the first peer: at most `GATHERING_MAX` from the first input on, while a contact is
    /// being dialled and none has failed.
    pub fn is_gathering(&self) -> bool {
        let gathering = self.fleet.as_ref().map(|fleet| fleet.gathering);
        matches!(gathering, Some(Gathering::NotBegun | Gathering::Until(_)))
    }

    pub(super) fn begin_gathering(&mut self) {
        let until = self.now.saturating_add(GATHERING_MAX);
        if let Some(fleet) = &mut self.fleet
            && fleet.gathering == Gathering::NotBegun
        {
            let has_contacts = fleet.peers.awaits_first_contact();
            fleet.gathering = if has_contacts { Gathering::Until(until) } else { Gathering::Over };
        }
    }

    /// Ends it once the first peer is there, or once there is none to wait for.
    pub(super) fn end_gathering(&mut self) {
        let is_over = |fleet: &super::Fleet| !fleet.ring.is_alone() || !fleet.peers.awaits_first_contact();
        if self.is_gathering() && self.fleet.as_deref().is_some_and(is_over) {
            self.stop_gathering();
        }
    }

    pub(super) fn stop_gathering(&mut self) {
        if let Some(fleet) = &mut self.fleet {
            fleet.gathering = Gathering::Over;
        }
        let waiting: alloc::vec::Vec<FlightId> = self.flights.end_gathering();
        for id in waiting {
            self.take_off(id);
        }
    }
}

/// Longest that look-ups wait for the first peer: several times what a connection takes within one region.
const GATHERING_MAX: Duration = Duration::from_millis(250);
