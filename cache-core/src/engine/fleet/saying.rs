//! What is said to members.

use crate::{Figures, Message, Output, PeerId, engine::Engine};
use alloc::vec::Vec;

impl Engine {
    pub(in crate::engine) fn on_counted(&mut self, figures: Figures) {
        let members = self.fleet.as_ref().map(|fleet| fleet.ring.others().collect());
        self.say_to(members.unwrap_or_default(), Message::Figures(figures));
    }

    pub(in crate::engine) fn say(&mut self, to: PeerId, message: Message) {
        if let Some(fleet) = self.fleet.as_mut().filter(|_fleet| is_of_lookup(&message)) {
            fleet.peers.on_used(self.now, to);
        }
        self.say_to(Vec::from([to]), message);
    }

    /// Says `message` to the members that this node shares names out with, and to the guests that it hosts.
    pub(super) fn say_all(&mut self, message: Message) {
        let Some(fleet) = &self.fleet else { return };
        self.say_to(fleet.listeners(), message);
    }

    /// Says `message` to those among `to` that understand it, and what the others understand of it to them. The only place
    /// where anything is said.
    pub(in crate::engine) fn say_to(&mut self, to: Vec<PeerId>, message: Message) {
        let Some(fleet) = &self.fleet else { return };
        let needed = message.needs();
        let (able, others): (Vec<PeerId>, Vec<PeerId>) =
            to.into_iter().partition(|peer| fleet.understands(*peer, needed));
        if let Message::Invalidate(notice) = &message
            && !others.is_empty()
        {
            let message = Message::Invalidate(notice.clone().without_settling());
            self.outputs.push_back(Output::Send { to: others, message });
        }
        if !able.is_empty() {
            self.outputs.push_back(Output::Send { to: able, message });
        }
    }
}

/// Whether `message` is part of looking something up, which makes a connection worth keeping.
pub(super) fn is_of_lookup(message: &Message) -> bool {
    matches!(
        message,
        Message::Answer { .. } | Message::Ask { .. } | Message::Claim { .. } | Message::Release { .. }
    )
}
