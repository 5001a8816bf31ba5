//! What members tell one another of whether the origin can be reached.

use crate::{
    Message, PeerId,
    engine::Engine,
    message::{ORIGIN_BYTES_MAX, OriginWord},
};

impl Engine {
    /// A member has a word to say of the origin at `host`.
    ///
    /// Each district finds out for itself that it cannot be reached, and which member tries. That it can be again, all are
    /// told at once.
    pub(super) fn on_origin_told(&mut self, from: PeerId, host: &str, word: OriginWord) {
        let Some(fleet) = self.fleet.as_ref().filter(|_| *host == *self.settings.origin) else { return };
        let is_neighbour = fleet.ring.contains(from) || fleet.guests.hosts(from);
        let members = fleet.witnesses_count();
        if !is_neighbour && !matches!(word, OriginWord::Reached { .. }) {
            return;
        }
        let is_news = self.outage.on_told(from, word, self.now, members);
        if !is_neighbour {
            if is_news {
                self.tell_on(from, self.of_origin(word));
            }
            return;
        }
        self.tell_on_of_origin(from, word, is_news);
    }

    /// Guests hear what members say of the origin, as this node's word, and of a guest all hear that it reaches the origin.
    fn tell_on_of_origin(&mut self, from: PeerId, word: OriginWord, is_news: bool) {
        let Some(fleet) = &self.fleet else { return };
        let is_reached = matches!(word, OriginWord::Reached { .. });
        let message = self.of_origin(word);
        if is_reached && is_news {
            self.tell_on(from, message);
        } else if !is_reached {
            let mut guests = fleet.guests_hosted();
            guests.retain(|guest| *guest != from);
            self.say_to(guests, message);
        }
    }

    /// Tells `peer`, which is new here, if calls of this node do not get through.
    pub(super) fn tell_outage(&mut self, peer: PeerId) {
        if let Some(word) = self.outage.present(self.now)
            && self.can_tell_of_origin()
        {
            let message = self.of_origin(word);
            self.say(peer, message);
        }
    }

    /// Contradicts those that say that the origin cannot be reached.
    pub(in crate::engine) fn on_outage_due(&mut self) {
        let word = self.outage.take_due(self.now);
        self.say_of_origin(word);
    }

    /// Says `word`, if there is one, to the neighbours.
    pub(in crate::engine) fn say_of_origin(&mut self, word: Option<OriginWord>) {
        if let Some(word) = word.filter(|_| self.can_tell_of_origin()) {
            let message = self.of_origin(word);
            self.say_all(message);
        }
    }

    /// Says `word` to the neighbours and to other districts.
    pub(in crate::engine) fn say_of_origin_to_all(&mut self, word: OriginWord) {
        if self.can_tell_of_origin() {
            let message = self.of_origin(word);
            self.tell_other_districts(None, &message);
            self.say_all(message);
        }
    }

    fn of_origin(&self, word: OriginWord) -> Message {
        Message::Origin { host: self.settings.origin.clone(), word }
    }

    /// Whether what members say has room for the name of the origin.
    fn can_tell_of_origin(&self) -> bool {
        self.fleet.is_some() && self.settings.origin.len() <= ORIGIN_BYTES_MAX
    }
}
