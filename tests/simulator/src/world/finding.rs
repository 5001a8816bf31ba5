//! Discovery: what a name leads to, which nodes look up when they seek contacts.

use super::World;
use crate::node::{Arrival, State, address};
use cache_core::{Contact, Input, Way};
use std::time::Duration;

impl World {
    /// A node looks for others. It finds those that are up, itself too, and some that are gone, as a name whose records lag
    /// behind has it. No address has an id.
    pub(super) fn look_for(&mut self, number: usize) {
        let is_listed = |world: &mut Self, other: usize| {
            world.nodes[other].state != State::Down
                || (world.nodes[other].run > 0 && world.random.below(4) == 0)
        };
        let mut contacts = Vec::new();
        for other in 0..self.nodes.len() {
            if is_listed(self, other) {
                contacts.push(Contact::new(address(other)));
            }
        }
        let after = self.random.up_to(LOOK_LATENCY);
        let found = Arrival::Input(Input::Found { way: Way(0), contacts });
        self.schedule_arrival(self.now + after, number, found);
    }
}

/// Longest that a look takes.
const LOOK_LATENCY: Duration = Duration::from_millis(50);
