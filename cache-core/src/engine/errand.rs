//! Diagnosis: asking one peer something on behalf of a request.
//!
//! Nothing of it is counted as a look-up: it spares nobody a call.

use super::Engine;
use crate::{
    AskId, Failure, FetchError, Key, Message, Offence, Outcome, PeerId, RequestId, Served, Timestamp,
    message::{Answer, Role},
};
use core::time::Duration;

/// A request that waits for what one peer says.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) request: RequestId,
    pub(super) peer: PeerId,
    /// What the peer was asked for; `None` for a ping.
    wanted: Option<Key>,
    until: Timestamp,
}

impl Engine {
    pub(super) fn on_ping_wanted(&mut self, request: RequestId, peer: PeerId) {
        if let Some(ask) = self.begin_errand(request, peer, None) {
            self.say(peer, Message::Ping { token: ask.0 });
        }
    }

    pub(super) fn on_ask_peer(&mut self, request: RequestId, peer: PeerId, key: &Key) {
        if let Some(ask) = self.begin_errand(request, peer, Some(key.clone()))
            && let Some(fleet) = &self.fleet
        {
            let name = fleet.name(key);
            self.say(peer, Message::Ask { ask, name, role: Role::Holder });
        }
    }

    pub(super) fn on_pong(&mut self, from: PeerId, ask: AskId, clock: Timestamp) {
        self.on_first_heard(from, ask);
        if self.errand(ask).is_some_and(|errand| errand.wanted.is_none())
            && let Some(errand) = self.end_errand(ask, from)
        {
            self.conclude(errand.request, Outcome::Ponged { clock });
        }
    }

    /// Ends an errand with what the peer answered; gives the answer back if no errand asked for it.
    pub(super) fn on_errand_answered(&mut self, from: PeerId, ask: AskId, answer: Answer) -> Option<Answer> {
        let Some(wanted) = self.errand(ask).and_then(|errand| errand.wanted.clone()) else {
            return Some(answer);
        };
        // It looks for the entry on its disk, and will say more.
        if answer == Answer::Wait {
            return None;
        }
        let Some(errand) = self.end_errand(ask, from) else {
            return Some(answer);
        };
        match answer {
            Answer::Hit(parcel) if parcel.key != wanted => {
                self.on_offence(from, Offence::BadEntry);
                self.conclude(errand.request, Outcome::Failed(Failure::Fetch(FetchError::Malformed)));
            }
            Answer::Hit(parcel) => match self.accept(from, *parcel) {
                Some(entry) => {
                    self.conclude(errand.request, Outcome::Answered { entry, served: Served::Peer });
                }
                None => self.conclude(errand.request, Outcome::Absent),
            },
            Answer::Failed | Answer::Lease { .. } | Answer::Miss | Answer::Wait => {
                self.conclude(errand.request, Outcome::Absent);
            }
        }
        None
    }

    pub(super) fn on_errand_timed_out(&mut self, ask: AskId) {
        let peer = self.errand(ask).map(|errand| errand.peer);
        if let Some(errand) = peer.and_then(|peer| self.end_errand(ask, peer)) {
            self.conclude(errand.request, Outcome::Failed(Failure::TimedOut));
        }
    }

    fn begin_errand(&mut self, request: RequestId, peer: PeerId, wanted: Option<Key>) -> Option<AskId> {
        let until = self.now.saturating_add(ERRAND_TIMEOUT);
        let ask = self.flights.ask_number();
        let fleet = self.fleet.as_mut().filter(|fleet| fleet.ring.contains(peer) && peer != fleet.local());
        let Some(fleet) = fleet else {
            self.conclude(request, Outcome::Failed(Failure::NotConnected));
            return None;
        };
        if fleet.errands.len() >= ERRANDS_MAX {
            self.conclude(request, Outcome::Failed(Failure::Busy));
            return None;
        }
        fleet.errands.insert(ask, Errand { request, peer, wanted, until });
        fleet.errand_dates.insert((until, ask));
        Some(ask)
    }

    fn errand(&self, ask: AskId) -> Option<&Errand> {
        self.fleet.as_ref()?.errands.get(&ask)
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
