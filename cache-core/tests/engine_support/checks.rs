//! What each output must satisfy. Every rule is written down without a look at the engine's own code.

use super::world::{Asked, Fact, Source, State, World};
use cache_core::{
    Candidate, Content, Engine, Entry, Key, Outcome, Output, RequestId, Served, StaleReason,
    freshness::Directives,
};
use std::time::Duration;

impl World {
    pub(super) fn check(&self, output: &Output) {
        match output {
            Output::Complete { request, outcome } => self.check_outcome(*request, outcome),
            Output::Removed { order, .. } | Output::Stored { order } => {
                let asked = self.check_waiting(RequestId(order.0));
                assert!(asked.key.is_none(), "{order:?} is a get");
            }
            Output::Fetch { leader, candidate, .. } => self.check_call(*leader, candidate.as_ref()),
            Output::Persist { entry } => self.check_kept(entry),
            Output::Publish { entry } => {
                self.check_kept(entry);
                if let Some(old) = self.published.get(entry.key()) {
                    let (old, new) = (self.fact(old.content()), self.fact(entry.content()));
                    assert!(old.step <= new.step, "{new:?} takes the place of {old:?}");
                }
            }
            Output::CancelFetch { .. }
            | Output::Load { .. }
            | Output::Remove { .. }
            | Output::Retract { .. } => {}
            Output::Depart { .. }
            | Output::Withheld { .. }
            | Output::Dial { .. }
            | Output::Disconnect { .. }
            | Output::Forget { .. }
            | Output::Ponged { .. }
            | Output::Joined { .. }
            | Output::Retain { .. }
            | Output::Send { .. }
            | Output::Remember { .. }
            | Output::Seek
            | Output::Twins { .. } => {
                panic!("a node that keeps to itself has nobody to deal with: {output:?}")
            }
        }
    }

    pub(super) fn check_engine(&self, engine: &Engine) {
        let bytes: usize = self.published.values().map(|entry| entry.weight_bytes()).sum();
        assert_eq!(engine.entries_count(), self.published.len(), "readers see something else");
        assert_eq!(engine.entries_bytes(), bytes, "the books are wrong");
        assert!(engine.flights_count() <= self.settings.flights_max, "too many flights");
    }

    pub(super) fn check_published(&self) {
        let bytes: usize = self.published.values().map(|entry| entry.weight_bytes()).sum();
        assert!(self.published.len() <= self.settings.budget.entries_max, "too many entries");
        assert!(bytes <= self.settings.budget.bytes_max, "too many bytes");
    }

    fn check_waiting(&self, request: RequestId) -> &Asked {
        let asked = self.requests.get(&request).expect("only requests are answered");
        assert_eq!(asked.state, State::Waiting, "{request:?} is answered again");
        asked
    }

    fn check_outcome(&self, request: RequestId, outcome: &Outcome) {
        let asked = self.check_waiting(request);
        let key = asked.key.as_ref().expect("only gets are answered so");
        let directives = &asked.directives;
        match outcome {
            Outcome::Answered { entry, served } => {
                self.check_answer(request, entry.key(), entry.content());
                match served {
                    Served::Hit => assert!(is_welcome(entry, directives, self), "{entry:?}"),
                    Served::Stale(reason) => self.check_stale(entry, directives, *reason),
                    Served::Forwarded(_) => assert!(!directives.only_if_cached),
                    Served::Peer => panic!("there is no peer"),
                }
                if directives.no_cache {
                    let fact = self.fact(entry.content());
                    assert!(matches!(fact.source, Source::Origin { .. }), "{fact:?} answers no-cache");
                    assert!(fact.step >= asked.step, "{fact:?} is from before {request:?}");
                }
            }
            Outcome::Relayed { content, .. } => {
                assert!(!directives.only_if_cached);
                self.check_answer(request, key, content);
                let fact = self.fact(content);
                assert!(!directives.no_cache || fact.step >= asked.step, "{fact:?} is too old");
            }
            Outcome::Pass => assert!(!directives.only_if_cached),
            Outcome::Absent => assert!(directives.only_if_cached),
            Outcome::Failed(_) => {}
        }
    }

    /// An answer is for the key, and so the domain, that was asked for; newer than what was invalidated or
    /// put before; and not what another credential alone was told.
    fn check_answer(&self, request: RequestId, key: &Key, content: &Content) {
        let asked = &self.requests[&request];
        let fact = self.fact(content);
        assert_eq!(Some(key), asked.key.as_ref(), "another key's entry");
        assert_eq!(Some(&fact.key), asked.key.as_ref(), "another key's content");
        assert!(is_after(fact, asked.written), "{fact:?} was written over at {:?}", asked.written);
        if let Source::Origin { only_for: Some(leader) } = fact.source {
            assert_eq!(request, leader, "a refusal that concerns {leader:?} alone");
        }
    }

    fn check_stale(&self, entry: &Entry, directives: &Directives, reason: StaleReason) {
        assert!(!directives.no_cache, "served without asking");
        let allowed = entry.freshness().within(directives.grant.most);
        let fresh_until = entry.born().saturating_add(allowed.lifetime);
        let overdue = self.now.saturating_since(fresh_until);
        let is_fresh = self.now < fresh_until;
        match reason {
            StaleReason::Accepted => {
                let is_unlimited = directives.max_stale == Duration::MAX;
                assert!(is_unlimited || overdue < allowed.if_error);
                assert!(!is_fresh && overdue <= directives.max_stale);
            }
            StaleReason::WhileRevalidating => {
                assert!(!is_fresh && overdue < allowed.while_revalidating);
            }
            StaleReason::Failed(_)
            | StaleReason::Fault { .. }
            | StaleReason::HeldOff
            | StaleReason::Reserved
            | StaleReason::Throttled => {
                assert!(!directives.only_if_cached, "a request that must not ask waited for the origin");
                // A fresh entry that the request refused may stand in for an origin that is down, too.
                assert!(is_fresh || overdue < allowed.if_error);
            }
        }
    }

    /// A call is made for a waiter that allows it, and only if no other would bring the same.
    fn check_call(&self, leader: RequestId, candidate: Option<&Candidate>) {
        let asked = self.requests.get(&leader).expect("only requests lead");
        let key = asked.key.as_ref().expect("only gets lead");
        assert_eq!(asked.state, State::Waiting, "{leader:?} is gone");
        assert!(!asked.directives.only_if_cached, "{leader:?} forbids asking");
        if let Some(own) = candidate.and_then(Candidate::own) {
            assert_eq!(own.key(), key);
        }
        if let Some(borrowed) = candidate.and_then(Candidate::borrowed) {
            assert_eq!(borrowed.key().resource(), key.resource());
            assert_ne!(borrowed.key().domain(), key.domain());
        }
        let written = self.written.get(key).copied();
        for call in self.calls.values().filter(|call| call.key == *key) {
            assert!(written.is_some_and(|written| call.step < written), "two calls for {key:?}");
        }
    }

    /// Nothing is kept that was asked for before its key was last invalidated or put.
    fn check_kept(&self, entry: &Entry) {
        let fact = self.fact(entry.content());
        assert_eq!(&fact.key, entry.key());
        assert!(is_after(fact, self.written.get(entry.key()).copied()), "{fact:?} is kept");
        assert!(!matches!(fact.source, Source::Origin { only_for: Some(_) }));
    }

    fn fact(&self, content: &Content) -> &Fact {
        let number = std::str::from_utf8(&content.body[..8]).expect("bodies begin with digits");
        &self.facts[number.parse::<usize>().expect("bodies begin with a number")]
    }
}

/// Whether `fact` came about after its key was written at `written`, or is what was written.
fn is_after(fact: &Fact, written: Option<u64>) -> bool {
    written.is_none_or(|written| fact.step >= written)
}

/// Whether a fresh entry satisfies the request.
fn is_welcome(entry: &Entry, directives: &Directives, world: &World) -> bool {
    let age = world.now.saturating_since(entry.born());
    let lifetime = entry.freshness().within(directives.grant.most).lifetime;
    let left = lifetime.checked_sub(age).unwrap_or(Duration::ZERO);
    left > Duration::ZERO
        && left >= directives.min_fresh
        && directives.max_age.is_none_or(|max_age| age <= max_age)
        && !directives.no_cache
}
