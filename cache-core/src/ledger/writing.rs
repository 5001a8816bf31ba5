//! At what pace the writes of a payer are made over the fleet.
//!
//! An origin bears so many writes of a payer in a minute and in an hour, whichever member makes them. So each member tells how
//! many it has begun, and counts those of all. What others have begun in the last half second it cannot know yet. So of what is
//! left, a member begins no more than its part among those that write before all of it must have been heard and answered for by
//! the others; and where less is left than there are of them, they take turns.

mod begun;
mod pace;

pub use pace::{WRITES_WAITING_MAX, WritePace, WritesReport};

use super::Payer;
use crate::{PeerId, Timestamp, message::Writes};
use alloc::{collections::BTreeMap, vec::Vec};
use begun::{Begun, is_within, rounded_up, sum};
use core::time::Duration;
use pace::{HOUR, MINUTE};

/// Whether a write may be begun.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// Not before this moment, at which it is to be asked again.
    At(Timestamp),
    /// It is its turn, for as long as nothing else is begun or heard.
    Now,
}

/// The writes of all payers.
#[derive(Debug)]
pub(super) struct Writing {
    pace: WritePace,
    /// This member, by which others know what it has begun.
    local: PeerId,
    /// At most [`PAYERS_MAX`].
    payers: BTreeMap<Payer, Of>,
}

/// The writes of one payer.
#[derive(Debug, Default)]
struct Of {
    /// What each member has begun, this one too, in this run; at most [`WRITERS_MAX`], and [`LOGS_MAX`] of all payers.
    begun: BTreeMap<PeerId, Begun>,
    /// What earlier runs of this member had begun, as others tell.
    earlier: Begun,
    /// From which number on this run counts; `None` if it has begun none.
    first: Option<u64>,
    /// To which number this member has told of its writes.
    told_total: u64,
    /// Since when this member has told of it again and again.
    since: Option<Timestamp>,
    /// When it told last.
    told: Option<Timestamp>,
    /// When it is to tell again.
    tell_at: Option<Timestamp>,
}

impl Default for Writing {
    fn default() -> Self {
        Self::new(WritePace::default(), None)
    }
}

impl Writing {
    pub(super) fn new(pace: WritePace, local: Option<PeerId>) -> Self {
        let local = local.unwrap_or(PeerId::from_public_key([0; 32]));
        Self { pace, local, payers: BTreeMap::new() }
    }

    /// Bounds writes by `pace` from now on. What was begun before counts.
    pub(super) fn set_pace(&mut self, pace: WritePace) {
        self.pace = pace;
    }

    /// A write for `payer` is begun. Returns when it counts as begun, by which it can be taken back.
    pub(super) fn begin(&mut self, payer: Payer, now: Timestamp) -> Timestamp {
        let (at, local) = (rounded_up(now), self.local);
        let of = self.of(payer, now);
        let own = of.begun.entry(local).or_default();
        if of.first.is_none() {
            own.total = now.as_unix_millis().max(of.earlier.total);
            (of.first, of.told_total) = (Some(own.total), own.total);
        }
        own.total = own.total.saturating_add(1);
        own.note(at, 1, now);
        let tell_at = now.saturating_add(TELL_WITHIN);
        of.tell_at = Some(of.tell_at.map_or(tell_at, |before| before.min(tell_at)));
        at
    }

    /// The write for `payer` that was begun `at` was not made after all. Others count it if they have heard of it.
    pub(super) fn take_back(&mut self, payer: Payer, at: Timestamp) {
        let Some(of) = self.payers.get_mut(&payer) else { return };
        let Some(own) = of.begun.get_mut(&self.local) else { return };
        if own.take_back(at) && own.total > of.told_total {
            own.total -= 1;
        }
    }

    /// A write for `payer` waits: if others have not heard for a while that this member writes, they are to hear it now. Returns
    /// whether they are.
    pub(super) fn announce(&mut self, payer: Payer, now: Timestamp) -> bool {
        let of = self.of(payer, now);
        let is_due = of.told.is_none_or(|told| !is_within(told, HEARD_EVERY, now));
        if is_due {
            of.tell_at = Some(now);
        }
        is_due
    }

    /// Takes what members are to be told by now.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Writes> {
        let local = self.local;
        let due = self.payers.iter_mut().filter(|(_, of)| of.tell_at.is_some_and(|at| at <= now));
        due.map(|(payer, of)| {
            of.tell_at = None;
            if of.told.is_none_or(|told| !is_within(told, COUNTED_IN_FOR, now)) {
                of.since = Some(now);
            }
            of.told = Some(now);
            let own = of.begun.entry(local).or_default();
            of.told_total = own.total;
            own.told(*payer, local, now)
        })
        .filter(|told| told.payer != Payer::HOST)
        .collect()
    }

    /// Nobody is there to be told.
    pub(super) fn tell_nobody(&mut self) {
        self.payers.values_mut().for_each(|of| of.tell_at = None);
    }

    /// Takes what a member told, of itself or of another. Returns whether it was news.
    pub(super) fn hear(&mut self, told: &Writes, now: Timestamp) -> bool {
        if told.payer == Payer::HOST || self.pace.is_free() {
            return false;
        }
        let (local, logs) = (self.local, self.payers.values().map(|of| of.begun.len()).sum::<usize>());
        let of = self.of(told.payer, now);
        if told.writer == local {
            // What this very run has begun it knows better.
            let is_earlier = of.first.is_none_or(|first| told.total <= first);
            return is_earlier && of.earlier.hear(told, now);
        }
        let is_full = |of: &Of| of.begun.len() >= WRITERS_MAX || logs >= LOGS_MAX;
        if !of.begun.contains_key(&told.writer) && is_full(of) {
            of.begun.retain(|writer, begun| *writer == local || is_within(begun.heard, HOUR, now));
            if is_full(of) {
                return false;
            }
        }
        of.begun.entry(told.writer).or_default().hear(told, now)
    }

    /// Beyond [`PAYERS_MAX`], the one whose last write is the longest ago is forgotten.
    fn of(&mut self, payer: Payer, now: Timestamp) -> &mut Of {
        if self.payers.len() >= PAYERS_MAX && !self.payers.contains_key(&payer) {
            let last = |of: &Of| of.known().map(|(at, _)| at).max();
            self.payers.retain(|_, of| last(of).is_some_and(|at| is_within(at, HOUR, now)));
            let first = self.payers.iter().min_by_key(|(_, of)| last(of)).map(|(payer, _)| *payer);
            if let Some(first) = first.filter(|_| self.payers.len() >= PAYERS_MAX) {
                self.payers.remove(&first);
            }
        }
        self.payers.entry(payer).or_default()
    }
}

impl Writing {
    /// The bounds in force.
    pub(super) fn pace(&self) -> WritePace {
        self.pace
    }

    /// Whether a write for one of `payers`, which are one, may be begun in a fleet of so many `members`.
    pub(super) fn turn(&self, payers: &[Payer], members: u64, now: Timestamp) -> Turn {
        let Some(left) = self.left(payers, now) else { return Turn::Now };
        if left == 0 {
            return Turn::At(self.free_at(payers, 0, now));
        }
        if members <= 1 || payers.contains(&Payer::HOST) {
            return Turn::Now;
        }
        let own: Vec<_> = self.own(payers).filter(|(at, _)| is_within(*at, SHARED_OVER, now)).collect();
        match self.counted_in_at(payers, now) {
            Some(at) if at <= now => self.turn_among(&self.writers(payers, now), members, left, &own, now),
            // Others do not count it in yet, but leave one write for it where so many are left.
            _ if own.is_empty() && left >= members => Turn::Now,
            at => Turn::At(at.unwrap_or(now.saturating_add(HEARD_AFTER))),
        }
    }

    /// Whether this member may begin a write beside `others`, which write too, in a fleet of so many `members`, where so many are
    /// `left` and it has begun its `own` a short while ago.
    ///
    /// What was begun longer ago than [`HEARD_AFTER`] all know. Each stays, in any time of twice that, within its part of what was
    /// left before it, less one for each member that does not write yet and may begin to. So all together stay within what was left.
    fn turn_among(
        &self,
        others: &[PeerId],
        members: u64,
        left: u64,
        own: &[(Timestamp, u64)],
        now: Timestamp,
    ) -> Turn {
        let (writers, own_count) = (others.len() as u64 + 1, sum(own.iter().copied()));
        let before = left.saturating_add(own_count);
        let kept_for_others = if before >= members { members.saturating_sub(writers) } else { 0 };
        if own_count < (before - kept_for_others) / writers {
            return Turn::Now;
        }
        if let Some((first, _)) = own.first() {
            return Turn::At(first.saturating_add(SHARED_OVER));
        }
        // Less is left than there are of those that write: each has the slots of its own.
        let rank = others.iter().filter(|other| **other < self.local).count() as u64;
        let (slot, into) = (now.as_unix_millis() / SLOT_MILLIS, now.as_unix_millis() % SLOT_MILLIS);
        if (rank + slot).is_multiple_of(writers) && into < SLOT_MILLIS / 2 {
            return Turn::Now;
        }
        Turn::At(Timestamp::from_unix_millis((slot + 1) * SLOT_MILLIS))
    }

    /// When a write for one of `payers` has its turn behind `ahead` others, if nothing is begun before it but those.
    pub(super) fn free_at(&self, payers: &[Payer], ahead: u64, now: Timestamp) -> Timestamp {
        let mut all: Vec<_> = self.known(payers).filter(|(at, _)| is_within(*at, HOUR, now)).collect();
        all.sort_unstable();
        let free_at = |(most, time): (u64, Duration)| {
            let within = all.iter().copied().filter(|(at, _)| is_within(*at, time, now));
            let count = sum(within.clone());
            let behind = count.saturating_add(ahead);
            if behind < most {
                return now;
            }
            // So many have to be out of sight before. Each that is makes room for one, which is out of sight that much later.
            let over = behind - most;
            let (rounds, mut over) = (over / count.max(most), over % count.max(most));
            let first = within.chain([(now, most.saturating_sub(count))]).find(|(_, count)| {
                let is_found = over < *count;
                over = over.saturating_sub(*count);
                is_found
            });
            let rounds = u32::try_from(rounds).unwrap_or(u32::MAX).saturating_add(1);
            first.map_or(now, |(at, _)| at).saturating_add(time.saturating_mul(rounds))
        };
        self.pace.bounds().map(free_at).max().unwrap_or(now)
    }

    /// When members are to be told something.
    pub(super) fn next_telling(&self) -> Option<Timestamp> {
        self.payers.values().filter_map(|of| of.tell_at).min()
    }

    /// What a member that connects is told: what this member has begun.
    pub(super) fn introduce(&self, now: Timestamp) -> Vec<Writes> {
        let all = self.payers.iter().flat_map(|(payer, of)| {
            // Earlier runs first, since the numbers of this one are higher.
            [Some(&of.earlier), of.begun.get(&self.local)].map(|it| (*payer, self.local, it))
        });
        presented(all.filter_map(|(payer, local, begun)| Some((payer, local, begun?))), now)
    }

    /// What `newcomer` is told besides: what `is_away` says that its writer cannot tell itself, and what an earlier run of the
    /// newcomer had.
    pub(super) fn present(
        &self,
        newcomer: PeerId,
        is_away: impl Fn(PeerId) -> bool,
        now: Timestamp,
    ) -> Vec<Writes> {
        let all = self.payers.iter().flat_map(|(payer, of)| of.begun.iter().map(|it| (*payer, *it.0, it.1)));
        let is_told = |writer| writer == newcomer || (writer != self.local && is_away(writer));
        presented(all.filter(|(_, writer, _)| is_told(*writer)), now)
    }

    /// What the writes of `payers`, which are one, come to.
    pub(super) fn report(&self, payers: &[Payer], now: Timestamp) -> WritesReport {
        let within = |time| sum(self.known(payers).filter(|(at, _)| is_within(*at, time, now)));
        WritesReport { in_minute: within(MINUTE), in_hour: within(HOUR), waiting: 0 }
    }

    /// How many more may be begun, as far as is known; `None` without any bound.
    fn left(&self, payers: &[Payer], now: Timestamp) -> Option<u64> {
        let left = |(most, time): (u64, Duration)| {
            most.saturating_sub(sum(self.known(payers).filter(|(at, _)| is_within(*at, time, now))))
        };
        self.pace.bounds().map(left).min()
    }

    /// From when on others know that this member writes for `payers`, and what they began before they did is known; `None` if it
    /// has not told them lately.
    fn counted_in_at(&self, payers: &[Payer], now: Timestamp) -> Option<Timestamp> {
        let known = payers.iter().filter_map(|payer| self.payers.get(payer));
        let told = known.filter(|of| of.told.is_some_and(|told| is_within(told, COUNTED_IN_FOR, now)));
        told.filter_map(|of| Some(of.since?.saturating_add(SHARED_OVER))).min()
    }

    /// The other members that write for `payers`, in order.
    fn writers(&self, payers: &[Payer], now: Timestamp) -> Vec<PeerId> {
        let known = payers.iter().filter_map(|payer| self.payers.get(payer)).flat_map(|of| &of.begun);
        let is_one = |begun: &Begun| is_within(begun.heard, WRITES_FOR, now);
        let others = known.filter(|(writer, begun)| **writer != self.local && is_one(begun));
        let mut writers: Vec<_> = others.map(|(writer, _)| *writer).collect();
        writers.sort_unstable();
        writers.dedup();
        writers
    }

    /// What is known to have been begun for `payers`.
    fn known(&self, payers: &[Payer]) -> impl Iterator<Item = (Timestamp, u64)> + Clone {
        payers.iter().filter_map(|payer| self.payers.get(payer)).flat_map(Of::known)
    }

    /// What this run of this member has begun for `payers`.
    fn own(&self, payers: &[Payer]) -> impl Iterator<Item = (Timestamp, u64)> {
        let known = payers.iter().filter_map(|payer| self.payers.get(payer));
        known.filter_map(|of| of.begun.get(&self.local)).flat_map(Begun::log)
    }
}

impl Of {
    fn known(&self) -> impl Iterator<Item = (Timestamp, u64)> + Clone {
        self.begun.values().chain([&self.earlier]).flat_map(Begun::log)
    }
}

/// What is told of those of `all` that were begun in the last hour.
fn presented<'a>(all: impl Iterator<Item = (Payer, PeerId, &'a Begun)>, now: Timestamp) -> Vec<Writes> {
    let told = all.filter(|(payer, _, begun)| *payer != Payer::HOST && begun.is_of_last_hour(now));
    told.map(|(payer, writer, begun)| begun.told(payer, writer, now)).take(PRESENTED_MAX).collect()
}

/// Members are told of a write within this time, and of those that follow it together with it.
const TELL_WITHIN: Duration = Duration::from_millis(50);

/// By this time what is begun has been heard of: half a second is more than any two members are apart.
const HEARD_AFTER: Duration = Duration::from_millis(500);

/// For this time what a member begins counts against its part of what is left: until all have heard of it, and what they began
/// before has been heard of too.
const SHARED_OVER: Duration = Duration::from_millis(1_000);

const _: () = assert!(HEARD_AFTER.as_millis() * 2 <= SHARED_OVER.as_millis());

/// How long a turn is where members take turns: a write is begun in its first half, and heard of by all in its second.
const SLOT_MILLIS: u64 = 1_000;

const _: () = assert!(HEARD_AFTER.as_millis() * 2 <= SLOT_MILLIS as u128);

/// A member that has told of no write of a payer for this time makes none.
const WRITES_FOR: Duration = Duration::from_secs(60);

/// For so long a member that has told that it writes is sure to be counted in by others.
const COUNTED_IN_FOR: Duration = Duration::from_secs(40);

/// A member that writes says so twice at least before others count it out.
const HEARD_EVERY: Duration = Duration::from_secs(20);

/// Most payers whose writes are counted; forgetting one lets as many writes go again.
const PAYERS_MAX: usize = 256;

/// Most members whose writes for one payer are counted: all neighbours that there can be. Those of more are not.
const WRITERS_MAX: usize = 256;

/// Most members' writes that are counted, each payer's apart. Those of more are not.
const LOGS_MAX: usize = 4096;

/// Most that a member is told of writes at once: all payers', of one member.
const PRESENTED_MAX: usize = 256;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod worlds;
