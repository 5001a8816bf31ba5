//! The leases that this node grants as coordinator, and the waiters of each.
//!
//! A lease is the right to fetch one name for all. It ends when the entry comes, when its holder gives it back or
//! goes, or when its term is over; then the next waiter may have it. This module only returns decisions.

#[cfg(test)]
mod tests;

use crate::{AskId, Name, PeerId, SharingLimits, Timestamp, message::Verdict};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};

/// All leases granted, by name.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<Name, Lease>,
    terms: BTreeSet<(Timestamp, Name)>,
    /// Names in whose lease a peer has a part, so that a peer that goes is found without a search.
    parts: BTreeSet<(PeerId, Name)>,
}

/// The peer that asked, and the number of its ask. This node asks itself too.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Asker {
    pub(crate) peer: PeerId,
    pub(crate) ask: AskId,
}

/// What an asker gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// The right to fetch.
    Granted,
    /// Nothing: there are too many leases, or too many wait for this one.
    Full,
    /// A place among the waiters.
    Waits,
}

/// What becomes of the waiters for a lease that is given back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Next {
    /// None of them gets it; each must be told.
    Dismissed(Vec<Asker>),
    /// Nothing changes for any waiter.
    Nobody,
    /// The first of them has it now.
    Passed(Asker),
}

#[derive(Debug)]
struct Lease {
    holder: Asker,
    until: Timestamp,
    waiting: VecDeque<Asker>,
    failures: u8,
    /// Former holders whose terms are over while their calls may go on, at most [`OVERDUE_MAX`].
    overdue: VecDeque<PeerId>,
}

impl Lease {
    fn new(holder: Asker, until: Timestamp) -> Self {
        Self { holder, until, waiting: VecDeque::new(), failures: 0, overdue: VecDeque::new() }
    }
}

impl Leases {
    /// Grants `asker` the lease of `name`, or lets it wait for the one that has it.
    ///
    /// A holder of the lease that asks again, under another number, still has it.
    pub(crate) fn ask(&mut self, now: Timestamp, name: Name, asker: Asker, limits: &SharingLimits) -> Turn {
        if let Some(lease) = self.leases.get_mut(&name) {
            if lease.holder.peer == asker.peer {
                lease.holder = asker;
                return Turn::Granted;
            }
            if lease.waiting.len() >= limits.lease_waiters_max {
                return Turn::Full;
            }
            lease.waiting.push_back(asker);
            self.parts.insert((asker.peer, name));
            return Turn::Waits;
        }
        if self.leases.len() >= limits.leases_max {
            return Turn::Full;
        }
        let until = now.saturating_add(limits.lease_term);
        self.grant(name, Lease::new(asker, until));
        Turn::Granted
    }

    /// The peers that hold a lease or wait for one.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.parts.iter().map(|(peer, _name)| *peer)
    }

    /// Whether `name` is being fetched.
    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.leases.contains_key(name)
    }

    /// The peer that fetches `name`.
    pub(crate) fn holder(&self, name: &Name) -> Option<PeerId> {
        self.leases.get(name).map(|lease| lease.holder.peer)
    }

    /// Takes note that `peer` holds the lease of `name` from another coordinator, unless there is one.
    pub(crate) fn claim(&mut self, now: Timestamp, name: Name, peer: PeerId, limits: &SharingLimits) {
        if !self.leases.contains_key(&name) && self.leases.len() < limits.leases_max {
            let until = now.saturating_add(limits.lease_term);
            let holder = Asker { peer, ask: AskId(0) };
            self.grant(name, Lease::new(holder, until));
        }
    }

    /// Ends the lease of `name`, whose entry has come; all waiters are to be sent it.
    pub(crate) fn conclude(&mut self, name: &Name) -> Vec<Asker> {
        self.end(name).map(|lease| lease.waiting.into()).unwrap_or_default()
    }

    /// Ends the lease that `peer` gives back, if it holds one of `name`.
    ///
    /// If its term was over before, it holds none, but what cannot be shared is still nothing to wait for.
    pub(crate) fn release(
        &mut self,
        now: Timestamp,
        name: &Name,
        peer: PeerId,
        verdict: Verdict,
        limits: &SharingLimits,
    ) -> Next {
        let Some(lease) = self.leases.get_mut(name) else { return Next::Nobody };
        if lease.holder.peer != peer {
            let ends_waiting = verdict == Verdict::Unshareable && lease.overdue.contains(&peer);
            return if ends_waiting { Next::Dismissed(self.dismiss_all(name)) } else { Next::Nobody };
        }
        lease.failures = lease.failures.saturating_add(u8::from(verdict == Verdict::Failed));
        match verdict {
            Verdict::Unshareable => Next::Dismissed(self.conclude(name)),
            Verdict::Failed if lease.failures > limits.lease_failures_max => {
                Next::Dismissed(self.conclude(name))
            }
            Verdict::Failed | Verdict::Unused => self.pass_on(now, name, limits),
        }
    }

    /// Removes `asker` from the waiters.
    pub(crate) fn withdraw(&mut self, name: &Name, asker: Asker) {
        if let Some(lease) = self.leases.get_mut(name) {
            lease.waiting.retain(|waiting| *waiting != asker);
            self.mend_parts(name, asker.peer);
        }
    }

    /// Removes `peer` from all leases. Returns the new holders of its names.
    pub(crate) fn on_gone(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        limits: &SharingLimits,
    ) -> Vec<(Name, Asker)> {
        let first = (peer, Name::from_bytes([0; 32]));
        let parts = self.parts.range(first..).take_while(|(part, _)| *part == peer);
        let names: Vec<Name> = parts.map(|(_, name)| *name).collect();
        let mut passed = Vec::new();
        for name in names {
            self.parts.remove(&(peer, name));
            let Some(lease) = self.leases.get_mut(&name) else { continue };
            lease.waiting.retain(|waiting| waiting.peer != peer);
            if lease.holder.peer == peer
                && let Next::Passed(asker) = self.pass_on(now, &name, limits)
            {
                passed.push((name, asker));
            }
        }
        passed
    }

    /// Ends one lease whose term is over at `now`. Returns its new holder; `None` when no term is over.
    ///
    /// The former holder may still bring the entry, and then all waiters have it.
    pub(crate) fn on_due(&mut self, now: Timestamp, limits: &SharingLimits) -> Option<(Name, Next)> {
        let (_, name) = self.terms.first().copied().filter(|(until, _)| *until <= now)?;
        if let Some(lease) = self.leases.get_mut(&name) {
            lease.overdue.push_back(lease.holder.peer);
            if lease.overdue.len() > OVERDUE_MAX {
                lease.overdue.pop_front();
            }
        }
        Some((name, self.pass_on(now, &name, limits)))
    }

    /// When the first term is over.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.terms.first().map(|(until, _)| *until)
    }

    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    fn pass_on(&mut self, now: Timestamp, name: &Name, limits: &SharingLimits) -> Next {
        let Some(mut lease) = self.end(name) else { return Next::Nobody };
        let Some(next) = lease.waiting.pop_front() else { return Next::Nobody };
        let until = now.saturating_add(limits.lease_term);
        self.grant(*name, Lease { holder: next, until, ..lease });
        Next::Passed(next)
    }

    /// Removes all waiters for `name`, and leaves the lease to its holder.
    fn dismiss_all(&mut self, name: &Name) -> Vec<Asker> {
        let Some(lease) = self.end(name) else { return Vec::new() };
        let (waiting, lease) = (lease.waiting, Lease { waiting: VecDeque::new(), ..lease });
        self.grant(*name, lease);
        waiting.into()
    }

    fn grant(&mut self, name: Name, lease: Lease) {
        self.terms.insert((lease.until, name));
        self.parts.insert((lease.holder.peer, name));
        self.parts.extend(lease.waiting.iter().map(|asker| (asker.peer, name)));
        self.leases.insert(name, lease);
    }

    fn end(&mut self, name: &Name) -> Option<Lease> {
        let lease = self.leases.remove(name)?;
        self.terms.remove(&(lease.until, *name));
        self.parts.remove(&(lease.holder.peer, *name));
        for asker in &lease.waiting {
            self.parts.remove(&(asker.peer, *name));
        }
        Some(lease)
    }

    fn mend_parts(&mut self, name: &Name, peer: PeerId) {
        let has_part = self.leases.get(name).is_some_and(|lease| {
            lease.holder.peer == peer || lease.waiting.iter().any(|waiting| waiting.peer == peer)
        });
        if !has_part {
            self.parts.remove(&(peer, *name));
        }
    }
}

/// Most former holders of one lease that are remembered. By default a call ends before its lease has passed on twice;
/// where terms are far shorter than calls, the oldest are forgotten.
const OVERDUE_MAX: usize = 8;
