//! Which member has which entry, by what they announced without sending it.

#[cfg(test)]
mod tests;

use crate::{Name, PeerId, Timestamp};
use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

/// Entries that other members have, by name. At most [`HOLDERS_MAX`]; the one that is stale first goes first.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    holders: BTreeMap<Name, (PeerId, Timestamp)>,
    ends: BTreeSet<(Timestamp, Name)>,
}

impl Holders {
    /// Takes note that `peer` has the entry, which is fresh for `remaining` from now.
    pub(crate) fn insert(&mut self, now: Timestamp, name: Name, peer: PeerId, remaining: Duration) {
        self.take(&name);
        let until = now.saturating_add(remaining);
        self.holders.insert(name, (peer, until));
        self.ends.insert((until, name));
        if self.holders.len() > HOLDERS_MAX
            && let Some((_, first)) = self.ends.first().copied()
        {
            self.take(&first);
        }
    }

    /// The members to ask for the entry. Forgets it, since asking either brings the entry or proves it gone.
    pub(crate) fn take_fresh(&mut self, now: Timestamp, name: &Name) -> Option<PeerId> {
        self.take(name).filter(|(_, until)| *until > now).map(|(peer, _)| peer)
    }

    /// The member to ask for the entry, of which no note is taken.
    pub(crate) fn fresh(&self, now: Timestamp, name: &Name) -> Option<PeerId> {
        self.holders.get(name).filter(|(_, until)| *until > now).map(|(peer, _)| *peer)
    }

    /// Forgets everything: what was announced before an invalidation may be what was invalidated.
    pub(crate) fn clear(&mut self) {
        self.holders.clear();
        self.ends.clear();
    }

    fn take(&mut self, name: &Name) -> Option<(PeerId, Timestamp)> {
        let held = self.holders.remove(name)?;
        self.ends.remove(&(held.1, *name));
        Some(held)
    }
}

/// Most entries of others that are remembered: four thousand names, in some 400 kB. One that is forgotten is
/// asked for at its coordinator.
const HOLDERS_MAX: usize = 4096;
