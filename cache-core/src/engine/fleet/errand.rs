//! Diagnosis: asking one peer something on behalf of a request.
//!
//! Nothing of it is counted as a look-up: it saves no call.

use crate::{
    AskId, Failure, FetchError, Key, Message, Offence, OrderId, Outcome, Output, PeerId, RequestId, Served,
    Timestamp,
    engine::Engine,
    message::{Answer, Role},
};
use alloc::vec::Vec;
use core::time::Duration;

/// A request that waits for what one peer says.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) peer: PeerId,
    purpose: Purpose,
    until: Timestamp,
}

/// The order or request that the errand is for.
#[derive(Clone, Debug)]
enum Purpose {
    /// A request for whether the peer has the entry under a key.
    Entry(RequestId, Key),
    /// An order for whether the peer answers.
    Ping(OrderId),
}

impl Engine {
    pub(in crate::engine) fn on_ping_wanted(&mut self, order: OrderId, peer: PeerId) {
        if let Some(ask) = self.begin_errand(peer, Purpose::Ping(order)) {
            self.say(peer, Message::Ping { token: ask.0 });
        }
    }

    pub(in crate::engine) fn on_ask_peer(&mut self, request: RequestId, peer: PeerId, key: &Key) {
        if let Some(ask) = self.begin_errand(peer, Purpose::Entry(request, key.clone()))
            && let Some(fleet) = &self.fleet
        {
            let name = fleet.name_for(peer, key);
            self.say(peer, Message::Ask { ask, name, role: Role::Holder, kin_wait: None });
        }
    }

    pub(super) fn on_pong(&mut self, from: PeerId, ask: AskId, clock: Timestamp) {
        self.on_first_heard(from, ask);
        if let Some(&Errand { purpose: Purpose::Ping(order), .. }) = self.errand(ask)
            && self.end_errand(ask, from).is_some()
        {
            self.outputs.push_back(Output::Ponged { order, clock: Ok(clock) });
        }
    }

    /// Ends an errand with what the peer answered; gives the answer back if no errand asked for it.
    pub(in crate::engine) fn on_errand_answered(
        &mut self,
        from: PeerId,
        ask: AskId,
        answer: Answer,
    ) -> Option<Answer> {
        let Some(Errand { purpose: Purpose::Entry(request, wanted), .. }) = self.errand(ask).cloned() else {
            return Some(answer);
        };
        // It looks for the entry on its disk, and will say more.
        if answer == Answer::Wait {
            return None;
        }
        if self.end_errand(ask, from).is_none() {
            return Some(answer);
        }
        match answer {
            Answer::Hit(parcel) if parcel.key != wanted => {
                self.on_offence(from, Offence::BadEntry);
                self.conclude(request, Outcome::Failed(Failure::Fetch(FetchError::Malformed)));
            }
            Answer::Hit(parcel) => match self.accept(from, *parcel) {
                Some(entry) => {
                    self.conclude(request, Outcome::Answered { entry, served: Served::Peer });
                }
                None => self.conclude(request, Outcome::Absent),
            },
            Answer::Failed | Answer::Lease { .. } | Answer::Miss | Answer::Wait => {
                self.conclude(request, Outcome::Absent);
            }
        }
        None
    }

    pub(in crate::engine) fn on_errand_timed_out(&mut self, ask: AskId) {
        let peer = self.errand(ask).map(|errand| errand.peer);
        if let Some(errand) = peer.and_then(|peer| self.end_errand(ask, peer)) {
            self.fail_errand(errand.purpose, Failure::TimedOut);
        }
    }

    fn begin_errand(&mut self, peer: PeerId, purpose: Purpose) -> Option<AskId> {
        let until = self.now.saturating_add(ERRAND_TIMEOUT);
        let ask = self.flights.ask_number();
        let fleet = self
            .fleet
            .as_deref_mut()
            .filter(|fleet| peer != fleet.local() && (fleet.ring.contains(peer) || fleet.guests.hosts(peer)));
        let Some(fleet) = fleet else {
            self.fail_errand(purpose, Failure::NotConnected);
            return None;
        };
        if fleet.errands.len() >= ERRANDS_MAX {
            self.fail_errand(purpose, Failure::Busy);
            return None;
        }
        fleet.errands.insert(ask, Errand { peer, purpose, until });
        fleet.errand_dates.insert((until, ask));
        Some(ask)
    }

    fn fail_errand(&mut self, purpose: Purpose, failure: Failure) {
        match purpose {
            Purpose::Entry(request, _key) => self.conclude(request, Outcome::Failed(failure)),
            Purpose::Ping(order) => self.outputs.push_back(Output::Ponged { order, clock: Err(failure) }),
        }
    }

    /// Completes with a failure what was asked of `peer` for diagnosis.
    pub(in crate::engine) fn fail_errands(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        let asks: Vec<AskId> =
            fleet.errands.iter().filter(|(_, errand)| errand.peer == peer).map(|(ask, _)| *ask).collect();
        for ask in asks {
            self.on_errand_timed_out(ask);
        }
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
