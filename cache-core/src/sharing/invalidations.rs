//! What was invalidated lately, here or anywhere in the fleet.
//!
//! Every entry that a node holds was fetched after every invalidation of its key that the node knows. So a
//! parcel need only name the invalidations of its key that its sender knows, and a receiver that knows one
//! more drops it: it may be what was invalidated. No clock and no order of arrival comes into this, unless there are
//! more than a parcel may name: then the latest count.

#[cfg(test)]
mod tests;

use crate::{
    Key, Reach, Timestamp,
    message::{
        AFTER_MAX, Digest, INVALIDATIONS_MAX, Invalidation, InvalidationId, NOTICE_BYTES_MAX, Notice, Salt,
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// The invalidations of the last [`REMEMBERED_FOR`], at most [`REMEMBERED_MAX`].
#[derive(Debug)]
pub(crate) struct Invalidations {
    issuer: u64,
    count_max: u64,
    remembered: BTreeMap<InvalidationId, (Reach, Timestamp)>,
    dates: BTreeSet<(Timestamp, InvalidationId)>,
    /// Bytes of text in what is remembered.
    text_bytes: usize,
    /// When the latest invalidation happened that is no longer remembered.
    mark: Option<Timestamp>,
}

impl Invalidations {
    /// Remembers nothing yet. `issuer` sets the invalidations of this run apart from all others.
    pub(crate) fn new(issuer: u64) -> Self {
        Self {
            issuer,
            count_max: 0,
            remembered: BTreeMap::new(),
            dates: BTreeSet::new(),
            text_bytes: 0,
            mark: None,
        }
    }

    /// Issues an invalidation of this node.
    pub(crate) fn issue(&mut self, now: Timestamp, reach: Reach) -> Invalidation {
        let id = InvalidationId { count: self.count_max.saturating_add(1), issuer: self.issuer };
        self.remember(id, reach.clone(), now);
        Invalidation { id, reach, age: Duration::ZERO }
    }

    /// Takes note of another's. `false` if it is known or too old to matter.
    ///
    /// What happened before the mark is news, but not remembered: it may be what there was no room for before, and members
    /// that tell one another would go on for ever.
    pub(crate) fn learn(&mut self, now: Timestamp, invalidation: &Invalidation) -> bool {
        self.forget_old(now);
        let is_new = invalidation.age < REMEMBERED_FOR && !self.remembers(invalidation.id);
        let date = now.saturating_sub(invalidation.age);
        let is_marked = self.mark.is_some_and(|mark| date <= mark.saturating_add(MARK_SLACK));
        if is_new && !is_marked {
            self.remember(invalidation.id, invalidation.reach.clone(), date);
        }
        is_new
    }

    /// Whether the invalidation of this number is remembered.
    pub(crate) fn remembers(&self, id: InvalidationId) -> bool {
        self.remembered.contains_key(&id)
    }

    /// The latest invalidations that mean an entry under `key` with `status`, at most [`AFTER_MAX`].
    pub(crate) fn covering(&self, now: Timestamp, key: &Key, status: u16) -> Vec<InvalidationId> {
        self.younger_than(REMEMBERED_FOR, now, key, status).take(AFTER_MAX).collect()
    }

    /// Whether what was fetched after `after` was fetched after the latest that we know, at most [`DEMANDED_MAX`],
    /// and that others cannot have forgotten.
    pub(crate) fn permit(&self, now: Timestamp, key: &Key, status: u16, after: &[InvalidationId]) -> bool {
        self.younger_than(DEMANDED_FOR, now, key, status).take(DEMANDED_MAX).all(|id| after.contains(&id))
    }

    /// The latest first. By date and not by number, since a member that lies could take all numbers to come, and hide
    /// what others invalidate for as long as its own are remembered.
    fn younger_than(
        &self,
        age: Duration,
        now: Timestamp,
        key: &Key,
        status: u16,
    ) -> impl Iterator<Item = InvalidationId> {
        let latest_first = self.dates.iter().rev();
        let young = latest_first.take_while(move |(date, _)| now.saturating_since(*date) < age);
        let covers = move |id: &InvalidationId| {
            self.remembered.get(id).is_some_and(|(reach, _)| reach.covers(key, status))
        };
        young.map(|(_, id)| *id).filter(covers)
    }

    /// Everything remembered, in few bytes, for a peer that may have missed some of it.
    pub(crate) fn digest(&mut self, now: Timestamp, receipt: u64, salt: Salt) -> Digest {
        self.forget_old(now);
        let mark = self.mark.map(|mark| now.saturating_since(mark));
        Digest::of(self.remembered.keys().copied(), receipt, mark, salt)
    }

    /// Everything remembered, for a peer that may have missed it, in messages, each under a number of its own; nothing if
    /// nothing was ever known.
    pub(crate) fn notices(&mut self, now: Timestamp, number: impl FnMut() -> u64) -> Vec<Notice> {
        self.forget_old(now);
        let all: Vec<InvalidationId> = self.remembered.keys().copied().collect();
        self.told_of(&all, self.mark, now, number)
    }

    /// The same, but only what the sender of `digest` may lack, and the mark if it is not `mark_told`, which that was told
    /// before.
    pub(crate) fn notices_beyond(
        &mut self,
        now: Timestamp,
        digest: &Digest,
        mark_told: Option<Timestamp>,
        number: impl FnMut() -> u64,
    ) -> Vec<Notice> {
        self.forget_old(now);
        let lacking = digest.lacks(self.remembered.keys().copied());
        self.told_of(&lacking, self.mark.filter(|mark| Some(*mark) != mark_told), now, number)
    }

    fn told_of(
        &self,
        ids: &[InvalidationId],
        mark: Option<Timestamp>,
        now: Timestamp,
        mut number: impl FnMut() -> u64,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut text_bytes = usize::MAX;
        for invalidation in ids.iter().filter_map(|id| self.of(*id, now)) {
            text_bytes = text_bytes.saturating_add(invalidation.reach.text_bytes());
            let last = notices.last_mut().map(|notice: &mut Notice| &mut notice.invalidations);
            match last.filter(|list| list.len() < INVALIDATIONS_MAX && text_bytes <= NOTICE_BYTES_MAX) {
                Some(list) => list.push(invalidation),
                None => {
                    text_bytes = invalidation.reach.text_bytes();
                    let invalidations = Vec::from([invalidation]);
                    notices.push(Notice { receipt: number(), mark: None, invalidations });
                }
            }
        }
        let mark = mark.map(|mark| now.saturating_since(mark));
        match notices.last_mut() {
            Some(last) => last.mark = mark,
            None if mark.is_some() => {
                notices.push(Notice { receipt: number(), mark, invalidations: Vec::new() });
            }
            None => {}
        }
        notices
    }

    fn of(&self, id: InvalidationId, now: Timestamp) -> Option<Invalidation> {
        let (reach, date) = self.remembered.get(&id)?;
        Some(Invalidation { id, reach: reach.clone(), age: now.saturating_since(*date) })
    }

    /// When the latest invalidation happened that was known and is no longer remembered. A member that was away then
    /// may not know of it.
    pub(crate) fn mark(&self) -> Option<Timestamp> {
        self.mark
    }

    fn remember(&mut self, id: InvalidationId, reach: Reach, date: Timestamp) {
        // A count from afar may not carry ours to its end.
        self.count_max = self.count_max.max(id.count.min(self.count_max.saturating_add(COUNT_STEP_MAX)));
        self.text_bytes += reach.text_bytes();
        self.remembered.insert(id, (reach, date));
        self.dates.insert((date, id));
        while self.remembered.len() > REMEMBERED_MAX || self.text_bytes > REMEMBERED_BYTES_MAX {
            self.forget_oldest();
        }
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some((date, _)) = self.dates.first()
            && now.saturating_since(*date) >= REMEMBERED_FOR
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((date, oldest)) = self.dates.pop_first() else { return };
        self.mark = self.mark.max(Some(date));
        if let Some((reach, _)) = self.remembered.remove(&oldest) {
            self.text_bytes -= reach.text_bytes();
        }
    }
}

/// How much later than it was dated before an invalidation may seem when it is heard of again: ages do not count the time
/// on the way.
const MARK_SLACK: Duration = Duration::from_secs(1);

/// How long an invalidation is remembered: longer than any fetch, and long enough for a member that was cut
/// off for some minutes to hear of it when it is back.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

/// How long a parcel is dropped for not naming an invalidation. Shorter than they are remembered, by more than a
/// message takes: two members do not forget at the same moment.
const DEMANDED_FOR: Duration = Duration::from_secs(540);

const _: () = assert!(DEMANDED_FOR.as_secs() < REMEMBERED_FOR.as_secs());

/// Most invalidations that a parcel must name. Fewer than it does name: what was invalidated at nearly the same moment
/// is in another order at members that are told of it by other ways.
const DEMANDED_MAX: usize = 12;

const _: () = assert!(DEMANDED_MAX < AFTER_MAX);

/// Most invalidations remembered: nearly two writes a second for as long as they are. With more, the oldest is
/// forgotten first, and the mark moves.
const REMEMBERED_MAX: usize = 1024;

/// Most bytes of text in them: as many as [`REMEMBERED_MAX`] writes that touch fifty resources each.
const REMEMBERED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Farthest that one message may carry the count.
const COUNT_STEP_MAX: u64 = 1 << 20;
