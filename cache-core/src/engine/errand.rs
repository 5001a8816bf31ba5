//! Diagnosis: asking one peer something on behalf of a request.

use super::Engine;
use crate::{
    AskId, Failure, FetchError, Key, Message, Outcome, PeerId, RequestId, Served, Timestamp,
    message::{Answer, Parcel, Role},
};
use core::time::Duration;

/// A request that waits for what one peer says.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) request: RequestId,
    pub(super) peer: PeerId,
    until: Timestamp,
}

impl Engine {
    pub(super) fn on_ping_wanted(&mut self, request: RequestId, peer: PeerId) {
        if let Some(ask) = self.begin_errand(request, peer) {
            self.say(peer, Message::Ping { token: ask.0 });
        }
    }

    pub(super) fn on_ask_peer(&mut self, request: RequestId, peer: PeerId, key: &Key) {
        if let Some(ask) = self.begin_errand(request, peer)
            && let Some(fleet) = &self.fleet
        {
            let name = fleet.name(key);
            self.say(peer, Message::Ask { ask, name, role: Role::Holder });
        }
    }

    pub(super) fn on_pong(&mut self, from: PeerId, ask: AskId, clock: Timestamp) {
        if let Some(errand) = self.end_errand(ask, from) {
            self.complete(errand.request, Outcome::Ponged { clock });
        }
    }

    /// Ends an errand with what the peer answered; gives the answer back if no errand asked for it.
    pub(super) fn on_errand_answered(&mut self, from: PeerId, ask: AskId, answer: Answer) -> Option<Answer> {
        let Some(errand) = self.end_errand(ask, from) else {
            return Some(answer);
        };
        match answer {
            Answer::Hit(parcel) => self.complete_errand(from, errand.request, *parcel),
            Answer::Failed | Answer::Lease { .. } | Answer::Miss | Answer::Wait => {
                self.complete(errand.request, Outcome::Absent);
            }
        }
        None
    }

    pub(super) fn on_errand_timed_out(&mut self, ask: AskId) {
        let peer = self.fleet.as_ref().and_then(|fleet| fleet.errands.get(&ask)).map(|errand| errand.peer);
        if let Some(errand) = peer.and_then(|peer| self.end_errand(ask, peer)) {
            self.complete(errand.request, Outcome::Failed(Failure::TimedOut));
        }
    }

    fn complete_errand(&mut self, from: PeerId, request: RequestId, parcel: Parcel) {
        match self.accept(from, parcel) {
            Some(entry) => self.answer(request, &entry, Served::Peer),
            None => self.complete(request, Outcome::Failed(Failure::Fetch(FetchError::Malformed))),
        }
    }

    fn begin_errand(&mut self, request: RequestId, peer: PeerId) -> Option<AskId> {
        let until = self.now.saturating_add(ERRAND_TIMEOUT);
        let ask = self.flights.ask_number();
        let fleet = self.fleet.as_mut().filter(|fleet| fleet.ring.contains(peer) && peer != fleet.local());
        let Some(fleet) = fleet else {
            self.complete(request, Outcome::Failed(Failure::NotConnected));
            return None;
        };
        if fleet.errands.len() >= ERRANDS_MAX {
            self.complete(request, Outcome::Failed(Failure::Busy));
            return None;
        }
        fleet.errands.insert(ask, Errand { request, peer, until });
        fleet.errand_dates.insert((until, ask));
        Some(ask)
    }

    fn end_errand(&mut self, ask: AskId, peer: PeerId) -> Option<Errand> {
        let fleet = self.fleet.as_mut()?;
        fleet.errands.get(&ask).filter(|errand| errand.peer == peer)?;
        let errand = fleet.errands.remove(&ask)?;
        fleet.errand_dates.remove(&(errand.until, ask));
        Some(errand)
    }
}

/// Time that a peer has to answer a diagnosis.
const ERRAND_TIMEOUT: Duration = Duration::from_secs(3);

/// Most diagnoses at once.
const ERRANDS_MAX: usize = 64;
