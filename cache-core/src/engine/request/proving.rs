//! The way of a request whose credential has yet to prove, for this very answer, what it may read.
//!
//! Where several credentials share a domain, the origin alone knows which of them may read what. So each asks for
//! itself, and nothing that is kept, or that others fetch, is ever its answer. What is kept spares the origin sending
//! it again: it is asked whether that still holds, under the credential at hand, which costs nothing if it does.

use super::boarding::Newcomer;
use crate::{
    ForwardReason, Key, Outcome, Payer, RequestId, Timestamp,
    engine::Engine,
    flights::{Caller, Waiter},
    freshness::Directives,
};
use alloc::vec::Vec;

/// Whether a request may yet wait for the call of another reader, which may bring something to ask about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Patience {
    Spent,
    Whole,
}

impl Engine {
    /// Asks the origin on behalf of `payer`, with the domain's entry as something to ask about.
    ///
    /// Without one, a request waits for the first call of another reader, once: a herd of credentials costs one
    /// whole answer, and one "unchanged" each.
    pub(super) fn prove(
        &mut self,
        request: RequestId,
        (key, payer): (Key, Payer),
        directives: Directives,
        (caller, patience): (Caller, Patience),
        until: Timestamp,
    ) {
        if directives.only_if_cached {
            return self.complete(request, Outcome::Absent);
        }
        let newcomer = Newcomer { request, directives, caller, until };
        let found = self.cache.lookup(&key).cloned();
        let own = self.flights.proving(&key).find(|(other, _)| *other == payer);
        let may_wait = patience == Patience::Whole && found.is_none();
        let other = if may_wait { self.flights.proving(&key).next() } else { None };
        if let Some((whose, id)) = own.or(other) {
            let follows = whose != payer || (directives.no_cache && self.flights.flight(id).is_fetching());
            return self.board(id, newcomer, follows);
        }
        let reason = found.as_deref().map_or(ForwardReason::UriMiss, |entry| self.refused(entry));
        let is_fresh = reason == ForwardReason::Request;
        let Some(id) = self.open(key, newcomer, reason, found) else { return };
        if is_fresh {
            // No member has anything newer to ask about.
            self.depart(id);
        } else {
            self.take_off(id);
        }
    }

    /// Lets the requests that waited for another reader's call ask for themselves, all at once.
    pub(super) fn prove_anew(&mut self, key: &Key, followers: Vec<(RequestId, Waiter)>) {
        for (request, waiter) in followers {
            let payer = waiter.caller.reader.payer(key.domain());
            let (caller, until) = (waiter.caller, waiter.until);
            self.prove(request, (key.clone(), payer), waiter.directives, (caller, Patience::Spent), until);
        }
    }
}
