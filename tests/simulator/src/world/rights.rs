//! What credentials are served, and what follows from what the origin refuses to them.

use super::World;
use crate::{
    desk::{Asker, Refused},
    ledger::{Asked, Fact, Means, OK, ROUNDING, Rule, Wanted, longest_age},
    node::{Arrival, Wish},
    origin::Call,
    plan::Deed,
    rights::Right,
};
use cache_core::{
    Candidate, Entry, FetchId, Fetched, Input, Outcome, Payer, Refusal,
    freshness::Directives,
    message::{Reach, Scope},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What nodes have heard of the rights of credentials.
#[derive(Default)]
pub(super) struct Heard {
    /// When the origin last gave a credential this version of what is under a key, by the node that asked.
    proofs: BTreeMap<(usize, usize, usize, u64), Duration>,
    /// What a node was told that a credential may not read: a resource, or anything.
    refusals: BTreeMap<(usize, usize, Option<usize>), Told>,
}

#[derive(Clone, Copy)]
struct Told {
    said: Duration,
    heard: Duration,
}

impl Heard {
    /// The process of `node` has ended.
    pub(super) fn on_stopped(&mut self, node: usize) {
        self.refusals.retain(|(told, ..), _| *told != node);
    }

    fn on_granted(&mut self, node: usize, asker: Asker, (version, said): (u64, Duration)) {
        self.proofs.insert((node, asker.credential, asker.key, version), said);
        for about in [None, Some(asker.resource)] {
            let place = (node, asker.credential, about);
            if self.refusals.get(&place).is_some_and(|told| told.said < said) {
                self.refusals.remove(&place);
            }
        }
    }
}

impl World {
    /// Changes what credentials may read, or has all of them read.
    pub(super) fn perform_deed_of_rights(&mut self, deed: &Deed) {
        let credentials = self.plan.domains.max(1) * self.plan.credentials.max(1);
        match *deed {
            Deed::Grant { credential, key, is_given } => {
                let right = if is_given { Right::Given } else { Right::Withheld };
                let resource = self.origin.resource(self.key(key));
                self.origin.rights.change(credential % credentials, resource, self.now, right);
            }
            Deed::Kin { key, within } => {
                let resource = key % self.plan.resources.max(1);
                for credential in 0..credentials {
                    let at = self.now + self.random.up_to(within);
                    let node = self.random.below(self.nodes.len() as u64) as usize;
                    self.schedule_arrival(at, node, Arrival::Wish(self.reading_as(resource, credential)));
                }
            }
            Deed::Restrict { credential, key } => {
                let resource = self.origin.resource(self.key(key));
                for other in 0..credentials {
                    let right =
                        if other == credential % credentials { Right::Given } else { Right::Withheld };
                    self.origin.rights.change(other, resource, self.now, right);
                }
            }
            Deed::Revoke { credential } => self.origin.rights.revoke(credential % credentials, self.now),
            ref other => unreachable!("{other:?} is about no right"),
        }
    }

    /// The wish of one credential for a resource.
    fn reading_as(&self, resource: usize, credential: usize) -> Wish {
        let key = credential / self.plan.credentials.max(1) * (self.plan.resources + 1) + resource;
        Wish::Get { key, credential, directives: Directives::default() }
    }

    /// The asker that `credential` is for what is under `key`.
    pub(super) fn asker(&self, key: usize, credential: usize) -> Asker {
        let resource = self.origin.resource(key);
        Asker { credential, key, resource, is_alone: !self.ledger.has_shared_domains() }
    }

    /// What pays for the calls of `asker`.
    pub(super) fn payer(&self, asker: Asker) -> Payer {
        let domain = self.ledger.keys[asker.key].domain();
        if asker.is_alone {
            Payer::from(domain)
        } else {
            Payer::from_bytes([asker.credential as u8 + FIRST_PAYER; 16])
        }
    }

    /// A node hears how a call ended, just before its engine does.
    pub(super) fn on_judged(&mut self, number: usize, call: &Call, fetched: &Fetched) {
        let asker = self.asker(call.key, call.credential);
        let clock = self.nodes[number].timestamp(self.now);
        let refused = self.nodes[number].desk.note(asker, (call, fetched), (self.now, clock));
        let content = match fetched {
            Fetched::Fresh(draft) | Fetched::NotModified(draft) | Fetched::Proven(draft) => &draft.content,
            Fetched::Unstorable { content, .. } => content,
            Fetched::Failed(_)
            | Fetched::Fault { .. }
            | Fetched::Oversize
            | Fetched::Spent(..)
            | Fetched::Throttled { .. } => return,
        };
        let Some((_, fact)) = self.ledger.fact(content) else { return };
        if fact.means == Means::Entry {
            self.heard.on_granted(number, asker, (fact.version, fact.at));
        }
        let Some(refused) = refused else { return };
        let about = (refused == Refused::Resource).then_some(asker.resource);
        let told = Told { said: fact.at, heard: self.now };
        self.heard.refusals.insert((number, asker.credential, about), told);
        if asker.is_alone {
            self.refuse_reading(number, asker, (refused, call.fetch));
        }
    }

    /// The domain of one credential ends where its right does.
    fn refuse_reading(&mut self, number: usize, asker: Asker, (refused, fetch): (Refused, FetchId)) {
        let key = &self.ledger.keys[asker.key];
        let domain = key.domain();
        let (prefix, refusal): (Box<str>, _) = match refused {
            Refused::Credential => ("".into(), Refusal::Credential),
            Refused::Resource => {
                (key.resource().into(), Refusal::Read { prefixes: vec![key.resource().into()] })
            }
        };
        let reach = Reach::forget([Scope::Prefix { prefix, domain: Some(domain) }]);
        // A node that shows nothing of it has told the members before, or has nothing to tell.
        if self.nodes[number].shows(&reach) {
            self.issue(number, None, &reach);
        }
        self.handle(number, Input::Refused { domain, refusal, fetch: Some(fetch) });
    }

    /// Checks what a call is about.
    pub(super) fn check_lent(&mut self, number: usize, key: usize, candidate: Option<&Candidate>) {
        let asked = &self.ledger.keys[key];
        let (own, borrowed) = (candidate.and_then(Candidate::own), candidate.and_then(Candidate::borrowed));
        let is_lent = |entry: &Arc<Entry>| {
            let is_whole = entry.content().status == OK && entry.validators().etag.is_some();
            entry.key() != asked && entry.key().resource() == asked.resource() && is_whole
        };
        if own.is_some_and(|own| own.key() != asked) || !borrowed.is_none_or(is_lent) {
            self.violate(Rule::Lent, format!("n{number} asks for {asked:?} about {candidate:?}"));
        }
    }

    /// Checks that a credential is served nothing but what the origin gave to it, for as long as that may be served.
    pub(super) fn check_rights(&mut self, number: usize, asked: &Asked, outcome: &Outcome) {
        self.check_told(number, asked, outcome);
        let (Outcome::Answered { entry, served }, Wanted::Entry { key, credential, .. }) =
            (outcome, asked.wanted)
        else {
            return;
        };
        let Some((fact_number, fact)) = self.ledger.fact(entry.content()) else { return };
        if fact.means == Means::Put {
            return;
        }
        let resource = self.origin.resource(key);
        let proof = || self.heard.proofs.get(&(number, credential, key, fact.version)).copied();
        let proven = if fact.credential == credential { Some(fact.at) } else { proof() };
        let broken = |why: &str| {
            let text = format!("n{number} serves {fact:?} by {served:?} to credential {credential}, {why}");
            Some((Rule::Rights, text))
        };
        let error = self.ledger.error(number, fact_number) + self.ledger.misdated + 2 * ROUNDING;
        let most =
            longest_age(&fact.freshness, &Directives { max_age: None, ..self.directives(asked) }, *served);
        let is_refused = |proven: Duration| {
            let told =
                [None, Some(resource)].map(|about| self.heard.refusals.get(&(number, credential, about)));
            told.into_iter().flatten().any(|told| told.heard <= asked.at && proven < told.said)
        };
        let found = match proven {
            _ if fact.source != self.origin.source(key, credential) => {
                broken("which is given something else")
            }
            None => broken("which never was given that"),
            Some(at) if self.origin.rights.at(credential, resource, at) != Right::Given => {
                broken("which may not read it")
            }
            Some(at) if most.is_some_and(|most| self.now - at > most.saturating_add(error)) => {
                broken("which was given it too long ago")
            }
            Some(at) if is_refused(at) => broken("which was refused it since"),
            Some(_) => None,
        };
        if let Some((rule, text)) = found {
            self.violate(rule, text);
        }
    }

    /// Checks that what was not kept goes to the credential that it was said to.
    fn check_told(&mut self, number: usize, asked: &Asked, outcome: &Outcome) {
        let (Outcome::Relayed { content, .. }, Wanted::Entry { credential, .. }) = (outcome, asked.wanted)
        else {
            return;
        };
        // What a program puts is for every credential, and if it lasts for no time it is told like what nobody keeps.
        let is_for_another = |fact: &Fact| fact.credential != credential && fact.means != Means::Put;
        let said = self.ledger.fact(content).filter(|(_, fact)| is_for_another(fact));
        if let Some((_, fact)) = said {
            let text = format!("n{number} hands {fact:?} on to credential {credential}");
            self.violate(Rule::Rights, text);
        }
    }

    fn directives(&self, asked: &Asked) -> Directives {
        match asked.wanted {
            Wanted::Entry { directives, .. } => directives,
            Wanted::PeersEntry { .. } | Wanted::Pong | Wanted::Written => Directives::default(),
        }
    }
}

/// What the first credential of a domain with several pays as; no domain is called so.
const FIRST_PAYER: u8 = 100;
