//! The leases that this node grants as coordinator, and the waiters of each.
//!
//! A lease is the right to fetch one name for all. It ends when the entry comes, when its holder gives it back or
//! goes, or when its term is over; then the next waiter may have it. While the same resource is being fetched for
//! another domain, a lease may be put off: its holder hears that it has it when that fetch has come to an end. This
//! module only returns decisions.

#[cfg(test)]
mod tests;

use crate::{AskId, Kinship, Name, PeerId, SharingLimits, Timestamp, kin::Kin, message::Verdict};
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use core::mem;

/// All leases granted, by name.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    leases: BTreeMap<Name, Lease>,
    terms: BTreeSet<(Timestamp, Name)>,
    /// Names in whose lease a peer has a part, so that a peer that goes is found without a search.
    parts: BTreeSet<(PeerId, Name)>,
    /// Which leases are put off, and until which others have ended.
    kin: Kin<Kinship, Name>,
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
    /// The holder has waited long enough for a call for another domain.
    Due(Asker),
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
    /// Until when its askers would wait for a call for another domain; `None` if they have no use for what one brings.
    kin_until: Option<Timestamp>,
    /// Whether the holder has not heard yet that it has it.
    is_put_off: bool,
}

impl Lease {
    fn new(holder: Asker, until: Timestamp) -> Self {
        Self {
            holder,
            until,
            waiting: VecDeque::new(),
            failures: 0,
            overdue: VecDeque::new(),
            kin_until: None,
            is_put_off: false,
        }
    }
}

impl Leases {
    /// Grants `asker` the lease of `name`, or lets it wait for the one that has it.
    ///
    /// A holder of the lease that asks again, under another number, still has it. `kin_until` is until when the asker
    /// would wait for a call for another domain, if it can use what one brings.
    pub(crate) fn ask(
        &mut self,
        now: Timestamp,
        name: Name,
        (asker, kin_until): (Asker, Option<Timestamp>),
        limits: &SharingLimits,
    ) -> Turn {
        if let Some(lease) = self.leases.get_mut(&name) {
            if !lease.is_put_off {
                lease.kin_until = lease.kin_until.max(kin_until);
            }
            let has_room = lease.waiting.len() < limits.lease_waiters_max;
            if lease.holder.peer == asker.peer && (has_room || !lease.is_put_off) {
                let before = mem::replace(&mut lease.holder, asker);
                if lease.is_put_off && before != asker {
                    lease.waiting.push_front(before);
                }
                return Turn::Granted;
            }
            if !has_room {
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
        self.grant(name, Lease { kin_until, ..Lease::new(asker, until) });
        Turn::Granted
    }

    /// Puts the lease of `name` off, which has just been granted, if its resource is being fetched for another domain and
    /// the asker would wait for that.
    pub(crate) fn put_off(&mut self, now: Timestamp, name: Name) -> bool {
        let lease = self.leases.get(&name).filter(|lease| lease.kin_until.is_some_and(|until| until > now));
        let Some(kin_until) = lease.and_then(|lease| lease.kin_until) else { return false };
        let was_put_off = lease.is_some_and(|lease| lease.is_put_off);
        if !was_put_off && !self.kin.put_off(&name.kinship(), name) {
            return false;
        }
        if let Some(lease) = self.leases.get_mut(&name) {
            self.terms.remove(&(lease.until, name));
            (lease.is_put_off, lease.until) = (true, kin_until);
            self.terms.insert((kin_until, name));
        }
        true
    }

    /// The kinship of names of which one has been fetched, or not, while others were put off.
    pub(crate) fn take_kin_ended(&mut self) -> Option<Kinship> {
        self.kin.take_ended()
    }

    /// The leases that need not be put off any more, since a call for one of their kin has ended, and perhaps `brought`
    /// what they can use; with their holders.
    pub(crate) fn freed_kin(&mut self, kinship: &Kinship, brought: bool) -> Vec<(Name, Asker)> {
        let freed = self.kin.free(kinship, brought).into_iter();
        freed.filter_map(|name| Some((name, self.leases.get(&name)?.holder))).collect()
    }

    /// The lease of `name` is put off no longer: its holder hears of it now. Returns the holder.
    pub(crate) fn take_up(&mut self, now: Timestamp, name: &Name, limits: &SharingLimits) -> Option<Asker> {
        self.leases.get(name).filter(|lease| lease.is_put_off)?;
        let lease = self.end(name)?;
        let holder = lease.holder;
        let until = now.saturating_add(limits.lease_term);
        self.grant(*name, Lease { until, is_put_off: false, ..lease });
        Some(holder)
    }

    /// Until when the askers for `name` would wait for a call for another domain, if they can use what one brings.
    pub(crate) fn kin_until(&self, name: &Name) -> Option<Timestamp> {
        self.leases.get(name)?.kin_until
    }

    /// The peers that hold a lease or wait for one.
    pub(crate) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.parts.iter().map(|(peer, _name)| *peer)
    }

    /// The peers that hold a lease.
    pub(crate) fn holders(&self) -> impl Iterator<Item = PeerId> {
        self.leases.values().map(|lease| lease.holder.peer)
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
        let Some(lease) = self.end(name) else { return Vec::new() };
        let holder = lease.is_put_off.then_some(lease.holder);
        holder.into_iter().chain(lease.waiting).collect()
    }

    /// Ends the lease that `peer` gives back, if it holds one of `name`.
    ///
    /// If its term was over before, it holds none, but what cannot be shared is still nothing to wait for. Nor does it hold
    /// one of which it has not heard yet.
    pub(crate) fn release(
        &mut self,
        now: Timestamp,
        name: &Name,
        peer: PeerId,
        verdict: Verdict,
        limits: &SharingLimits,
    ) -> Next {
        let Some(lease) = self.leases.get_mut(name).filter(|lease| !lease.is_put_off) else {
            return Next::Nobody;
        };
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
        if self.leases.get(&name).is_some_and(|lease| lease.is_put_off) {
            return Some((name, self.take_up(now, &name, limits).map_or(Next::Nobody, Next::Due)));
        }
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
        self.grant(*name, Lease { holder: next, until, is_put_off: false, ..lease });
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
        if !lease.is_put_off {
            self.kin.call(name.kinship(), name);
        }
        self.leases.insert(name, lease);
    }

    fn end(&mut self, name: &Name) -> Option<Lease> {
        let lease = self.leases.remove(name)?;
        self.terms.remove(&(lease.until, *name));
        self.parts.remove(&(lease.holder.peer, *name));
        for asker in &lease.waiting {
            self.parts.remove(&(asker.peer, *name));
        }
        self.kin.leave(&name.kinship(), *name);
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
