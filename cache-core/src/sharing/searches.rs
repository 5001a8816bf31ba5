//! What this node is looking for on behalf of members that asked it: on its own disk, and at those that may have the
//! entry because they coordinated it before.
//!
//! Owns which askers wait and how far each search is. The engine decides what becomes of them, whether the search
//! finds something or not.

use super::Asker;
use crate::{AskId, LoadId, Name, PeerId, Timestamp, message::Role};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// All searches, by name.
#[derive(Debug, Default)]
pub(crate) struct Searches {
    searches: BTreeMap<Name, Search>,
    by_load: BTreeMap<LoadId, Name>,
    by_ask: BTreeMap<AskId, Name>,
    deadlines: BTreeSet<(Timestamp, Name)>,
}

/// What a member wants to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Query {
    pub(crate) asker: Asker,
    /// The role in which it asked this node.
    pub(crate) role: Role,
    /// Until when it would wait for a call for another domain, if it can use what one brings.
    pub(crate) kin_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Search {
    waiting: Vec<Query>,
    step: Step,
    /// Whether the disk was asked.
    is_loaded: bool,
    /// The peers that were asked.
    asked: Vec<PeerId>,
}

/// How far a search has got; silence until then counts as nothing found.
#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Begun,
    Loading {
        load: LoadId,
        until: Timestamp,
    },
    Asking {
        ask: AskId,
        peer: PeerId,
        until: Timestamp,
    },
}

impl Searches {
    /// Lets one more wait for the search for `name`. Returns whether there is room; `None` if there is no search.
    pub(crate) fn join(&mut self, name: &Name, query: Query, waiters_max: usize) -> Option<bool> {
        let search = self.searches.get_mut(name)?;
        let has_room = search.waiting.len() < waiters_max;
        if has_room {
            search.waiting.push(query);
        }
        Some(has_room)
    }

    /// Begins a search; `false` if there are too many.
    pub(crate) fn begin(&mut self, name: Name, query: Query) -> bool {
        let has_room = self.searches.len() < SEARCHES_MAX;
        if has_room {
            self.searches.insert(name, Search { waiting: Vec::from([query]), ..Search::default() });
        }
        has_room
    }

    /// Enters the step of asking the disk.
    pub(crate) fn load(&mut self, name: Name, load: LoadId, until: Timestamp) {
        self.leave_step(&name);
        if let Some(search) = self.searches.get_mut(&name) {
            (search.step, search.is_loaded) = (Step::Loading { load, until }, true);
            self.by_load.insert(load, name);
            self.deadlines.insert((until, name));
        }
    }

    /// Enters the step of asking `peer`.
    pub(crate) fn ask(&mut self, name: Name, ask: AskId, peer: PeerId, until: Timestamp) {
        self.leave_step(&name);
        if let Some(search) = self.searches.get_mut(&name) {
            search.step = Step::Asking { ask, peer, until };
            search.asked.push(peer);
            self.by_ask.insert(ask, name);
            self.deadlines.insert((until, name));
        }
    }

    /// Gives `peer`, which looks for it in turn, time until then.
    pub(crate) fn wait(&mut self, ask: AskId, from: PeerId, until: Timestamp) {
        let Some(name) = self.by_ask.get(&ask).copied() else { return };
        let Some(Search { step: Step::Asking { peer, until: old, .. }, .. }) = self.searches.get_mut(&name)
        else {
            return;
        };
        if *peer == from {
            self.deadlines.remove(&(*old, name));
            *old = until;
            self.deadlines.insert((until, name));
        }
    }

    /// The search that asked the disk under this number; its step is over.
    pub(crate) fn loaded(&mut self, load: LoadId) -> Option<Name> {
        let name = self.by_load.get(&load).copied()?;
        self.leave_step(&name);
        Some(name)
    }

    /// The search that asked `from` under this number, whose step is not over yet.
    pub(crate) fn asked(&self, ask: AskId, from: PeerId) -> Option<Name> {
        let name = self.by_ask.get(&ask)?;
        let is_asked = |search: &Search| matches!(search.step, Step::Asking { peer, .. } if peer == from);
        self.searches.get(name).is_some_and(is_asked).then_some(*name)
    }

    /// Whether the disk is still to be asked for `name`; `None` if no search looks for it.
    pub(crate) fn is_disk_unasked(&self, name: &Name) -> Option<bool> {
        self.searches.get(name).map(|search| !search.is_loaded)
    }

    /// The peers that need not be asked for `name`: those that were, and those that wait. `None` if no other is to be
    /// asked at all: enough were, or none of the waiters would fetch.
    pub(crate) fn spared(&self, name: &Name, asks_max: usize) -> Option<Vec<PeerId>> {
        let search = self.searches.get(name).filter(|search| search.asked.len() < asks_max)?;
        let would_fetch = |query: &Query| query.role == Role::Coordinator;
        let waiting = search.waiting.iter().map(|query| query.asker.peer);
        let spared = search.asked.iter().copied().chain(waiting).collect();
        search.waiting.iter().any(would_fetch).then_some(spared)
    }

    /// Ends a search. Returns what waits for it.
    pub(crate) fn end(&mut self, name: &Name) -> Vec<Query> {
        self.leave_step(name);
        self.searches.remove(name).map(|search| search.waiting).unwrap_or_default()
    }

    /// Removes `peer` from all searches. Returns the searches that asked it and are to go on.
    pub(crate) fn on_gone(&mut self, peer: PeerId) -> Vec<Name> {
        for search in self.searches.values_mut() {
            search.waiting.retain(|query| query.asker.peer != peer);
        }
        let asked = |step: Step| matches!(step, Step::Asking { peer: asked, .. } if asked == peer);
        let names: Vec<Name> =
            self.searches.iter().filter(|(_, search)| asked(search.step)).map(|(name, _)| *name).collect();
        for name in &names {
            self.leave_step(name);
        }
        names
    }

    /// Ends the step of the first search whose time is over at `now`. Returns that search, and the peer that did not
    /// answer it.
    pub(crate) fn on_due(&mut self, now: Timestamp) -> Option<(Name, Option<PeerId>)> {
        let (_, name) = self.deadlines.first().copied().filter(|(until, _)| *until <= now)?;
        let silent = match self.searches.get(&name)?.step {
            Step::Asking { peer, .. } => Some(peer),
            Step::Begun | Step::Loading { .. } => None,
        };
        self.leave_step(&name);
        Some((name, silent))
    }

    /// When the first time is over.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// The peers that wait for a search, and those that are asked.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.searches.values().flat_map(|search| {
            let asked = match search.step {
                Step::Asking { peer, .. } => Some(peer),
                Step::Begun | Step::Loading { .. } => None,
            };
            search.waiting.iter().map(|query| query.asker.peer).chain(asked)
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.searches.len()
    }

    fn leave_step(&mut self, name: &Name) {
        let Some(search) = self.searches.get_mut(name) else { return };
        match core::mem::take(&mut search.step) {
            Step::Begun => {}
            Step::Loading { load, until } => {
                self.by_load.remove(&load);
                self.deadlines.remove(&(until, *name));
            }
            Step::Asking { ask, until, .. } => {
                self.by_ask.remove(&ask);
                self.deadlines.remove(&(until, *name));
            }
        }
    }
}

/// Most searches at a time: as many as a newcomer's share of a fleet's working set that is asked for at once. One more
/// is answered by what is in memory.
const SEARCHES_MAX: usize = 1024;
