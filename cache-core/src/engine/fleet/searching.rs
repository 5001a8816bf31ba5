//! Looking, for members that ask, where an entry may be that is not in memory: on this node's disk, at the members that
//! announced it by name or were given it here, and, while this node is new as a coordinator, at those that coordinated
//! before it.

use crate::{
    AskId, Entry, LoadId, Message, Name, Offence, Output, PeerId, Scope,
    engine::Engine,
    message::{Answer, Role},
    settings::Disk,
    sharing::{Query, Turn},
};
use alloc::{boxed::Box, vec::Vec};

impl Engine {
    /// Lets `asker` wait while we look for `name`; `false` if there is nowhere to look.
    pub(super) fn search(&mut self, query: Query, name: Name) -> bool {
        let Query { asker, role, .. } = query;
        let Some(fleet) = &mut self.fleet else { return false };
        let waiters_max = fleet.sharing.limits.lease_waiters_max;
        let joined = fleet.searches.join(&name, query, waiters_max);
        let waits = joined.unwrap_or_else(|| {
            let spared = [asker.peer];
            let has_source = || {
                fleet.elsewhere(&name, self.now, &spared).is_some()
                    || fleet.deputy(&name, self.now, &spared).is_some()
            };
            let has_place = fleet.shelf.key(&name).is_some() || role == Role::Coordinator && has_source();
            has_place && fleet.searches.begin(name, query)
        });
        if waits {
            self.say(asker.peer, Message::Answer { ask: asker.ask, answer: Answer::Wait });
        }
        if waits && joined.is_none() {
            self.search_on(name);
        }
        waits
    }

    /// Goes on with a search whose last step is over.
    fn search_on(&mut self, name: Name) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let Some(disk_unasked) = fleet.searches.is_disk_unasked(&name) else { return };
        if disk_unasked && let Some(key) = fleet.shelf.key(&name).cloned() {
            let load = self.flights.load_number();
            fleet.searches.load(name, load, now.saturating_add(self.settings.load_timeout));
            self.outputs.push_back(Output::Load { load, key });
            return;
        }
        let spared = fleet.searches.spared(&name, DEPUTIES_MAX);
        let source = spared.and_then(|spared| {
            fleet.elsewhere(&name, now, &spared).or_else(|| fleet.deputy(&name, now, &spared))
        });
        match source {
            Some(peer) => {
                let until = now.saturating_add(fleet.time_for(peer));
                let ask = self.flights.ask_number();
                fleet.searches.ask(name, ask, peer, until);
                self.counters.asks += 1;
                self.say(peer, Message::Ask { ask, name, role: Role::Holder, kin_wait: None });
            }
            None => self.search_failed(name, None),
        }
    }

    /// Nothing fresh was found: the askers of the coordinator may fetch, in turn, and be told of what is stale.
    fn search_failed(&mut self, name: Name, stale: Option<&Entry>) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        // Those that were asked for it have it no longer, if they had it.
        fleet.holders.take_fresh(now, &name);
        for Query { asker, role, kin_until } in fleet.searches.end(&name) {
            let Some(fleet) = &mut self.fleet else { return };
            let turn = match role {
                Role::Coordinator => fleet.leases.ask(now, name, (asker, kin_until), &fleet.sharing.limits),
                Role::Holder => Turn::Full,
            };
            let answer = match turn {
                Turn::Full => Answer::Miss,
                // It was told to wait before.
                Turn::Granted => match self.entrust(name, asker, stale) {
                    Some(answer) => answer,
                    None => continue,
                },
                Turn::Waits => continue,
            };
            self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
        }
    }

    /// Gives `entry` to the members that it was looked for. Returns which they are.
    pub(super) fn search_ended(&mut self, names: &[Name], entry: &Entry) -> Vec<PeerId> {
        let Some(fleet) = &mut self.fleet else { return Vec::new() };
        let waiting: Vec<Query> = names.iter().flat_map(|name| fleet.searches.end(name)).collect();
        let mut told = Vec::new();
        for Query { asker, .. } in waiting {
            self.counters.answers += 1;
            let answer = Answer::Hit(Box::new(self.parcel(entry)));
            self.say(asker.peer, Message::Answer { ask: asker.ask, answer });
            told.push(asker.peer);
        }
        told
    }

    /// What the disk held for a search.
    pub(in crate::engine) fn on_search_loaded(&mut self, load: LoadId, entry: Option<&Entry>) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let Some(name) = fleet.searches.loaded(load) else { return };
        let key = fleet.shelf.key(&name).cloned();
        // What was invalidated or brought meanwhile is no longer on the shelf.
        let found = entry.filter(|entry| Some(entry.key()) == key.as_ref());
        if let Some(key) = key.filter(|_| found.is_none()) {
            fleet.shelf.take(&key);
        }
        match found {
            Some(entry) if !crate::freshness::remaining(entry, now).is_zero() => {
                self.search_ended(&[name], entry);
            }
            Some(entry) => self.search_failed(name, Some(entry)),
            None => self.search_on(name),
        }
    }

    /// A deputy answers; gives the answer back if no search asked for it.
    pub(in crate::engine) fn on_search_answered(
        &mut self,
        from: PeerId,
        ask: AskId,
        answer: Answer,
    ) -> Option<Answer> {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return Some(answer) };
        let Some(name) = fleet.searches.asked(ask, from) else { return Some(answer) };
        match answer {
            Answer::Hit(parcel) => {
                if !fleet.sharing.naming.names(&parcel.key).contains(&name) {
                    self.on_offence(from, Offence::BadEntry);
                    self.search_on(name);
                } else if let Some(entry) = self.accept(from, *parcel) {
                    self.conclude_leases(&entry);
                } else {
                    self.search_on(name);
                }
            }
            Answer::Wait => {
                let until = now.saturating_add(self.settings.load_timeout);
                fleet.searches.wait(ask, from, until);
            }
            Answer::Failed | Answer::Lease { .. } | Answer::Miss => self.search_on(name),
        }
        None
    }

    pub(in crate::engine) fn on_search_due(&mut self) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        let Some((name, silent)) = fleet.searches.on_due(now) else { return };
        if let Some(peer) = silent {
            self.counters.asks_unanswered += 1;
            fleet.patience.entry(peer).or_default().on_silence();
            self.on_offence(peer, Offence::Silent);
        }
        self.search_on(name);
    }

    /// A member is gone: what it was asked for is looked for elsewhere.
    pub(super) fn on_search_lost(&mut self, peer: PeerId) {
        let Some(fleet) = &mut self.fleet else { return };
        for name in fleet.searches.on_gone(peer) {
            self.search_on(name);
        }
    }

    /// Notes that what `scope` means is no longer on disk.
    pub(in crate::engine) fn unshelve(&mut self, scope: &Scope) {
        if let Some(fleet) = &mut self.fleet {
            fleet.shelf.take_scope(scope);
        }
    }

    /// Notes what the last process left on disk, except for what is in memory by now.
    pub(in crate::engine) fn shelve_catalogued(&mut self) {
        let catalogued = core::mem::take(&mut self.catalogued);
        let Some(fleet) = &mut self.fleet else { return };
        // Of too many, those put on the shelf first are forgotten first.
        for key in catalogued.iter().rev().filter(|key| self.cache.lookup(key).is_none()) {
            let names = fleet.sharing.naming.names(key);
            fleet.shelf.put(key, names, fleet.ownership(key, self.now));
        }
    }

    /// Notes where `entry`, which leaves memory, is to be found: on disk, or else perhaps at another member.
    pub(in crate::engine) fn shelve(&mut self, entry: &Entry) {
        let Some(fleet) = &mut self.fleet else { return };
        match self.settings.disk {
            Disk::Present => {
                let names = fleet.sharing.naming.names(entry.key());
                fleet.shelf.put(entry.key(), names, fleet.ownership(entry.key(), self.now));
            }
            Disk::Absent => fleet.leave_to_others(self.now, entry),
        }
    }
}

/// Most members that are asked for one name: the coordinator before us, and the one before that if it was as new; or two of
/// those that may have it since they announced it, or were given it.
pub(in crate::engine) const DEPUTIES_MAX: usize = 2;
