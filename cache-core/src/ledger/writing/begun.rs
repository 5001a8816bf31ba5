//! When the writes of one member for one payer were begun.

use super::pace::{HOUR, MINUTE};
use crate::{Payer, PeerId, Timestamp, message::Writes};
use alloc::collections::VecDeque;
use core::time::Duration;

/// What one member has begun.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// How many in all, from a number on that no earlier run of the member has come to.
    pub(super) total: u64,
    /// When the member told of it last.
    pub(super) heard: Timestamp,
    /// When, and how many, for the last hour; the earliest first, and each no earlier than it was. Beyond [`FINE_MAX`], what was
    /// begun before the last minute is known by [`COARSE`] only, so there are [`LOG_MAX`] at most.
    log: VecDeque<(Timestamp, u64)>,
}

impl Begun {
    pub(super) fn note(&mut self, at: Timestamp, count: u64, now: Timestamp) {
        while self.log.front().is_some_and(|(first, _)| !is_within(*first, HOUR, now)) {
            self.log.pop_front();
        }
        self.insert(at, count);
        if self.log.len() > FINE_MAX {
            self.coarsen(now);
        }
        while self.log.len() > LOG_MAX
            && let Some((_, first)) = self.log.pop_front()
            && let Some((_, second)) = self.log.front_mut()
        {
            *second = second.saturating_add(first);
        }
    }

    /// Takes back one of those that were noted `at`. Returns whether there was one.
    pub(super) fn take_back(&mut self, at: Timestamp) -> bool {
        let found = self.log.iter_mut().find(|(begun, count)| *begun == at && *count > 0);
        found.map(|(_, count)| *count -= 1).is_some()
    }

    /// Takes what was told of the member. Returns whether it was news.
    pub(super) fn hear(&mut self, told: &Writes, now: Timestamp) -> bool {
        let told_count: u64 = told.by_age.iter().map(|count| u64::from(*count)).sum();
        let is_first = self.heard == Timestamp::default();
        let is_news = is_first || told.total > self.total;
        if is_news {
            let mut new =
                if is_first { told_count } else { told.total.saturating_sub(self.total).min(told_count) };
            // The youngest are those that were not known.
            for (count, age) in told.by_age.iter().zip(Writes::AGES) {
                let count = u64::from(*count).min(new);
                new -= count;
                if count > 0 {
                    self.note(rounded_up(now.saturating_sub(age)), count, now);
                }
            }
            self.total = told.total;
        }
        self.heard = now;
        is_news
    }

    fn insert(&mut self, at: Timestamp, count: u64) {
        let behind = self.log.partition_point(|(before, _)| *before < at);
        match self.log.get_mut(behind) {
            Some((same, all)) if *same == at => *all = all.saturating_add(count),
            _ => self.log.insert(behind, (at, count)),
        }
    }

    /// Counts what was begun before the last minute as begun at the next of a few moments.
    fn coarsen(&mut self, now: Timestamp) {
        let fine = core::mem::take(&mut self.log);
        for (at, count) in fine {
            // Nothing is to be of the last minute again.
            let later = rounded_up_to(at, COARSE);
            self.insert(if is_within(later, MINUTE, now) { at } else { later }, count);
        }
    }
}

impl Begun {
    pub(super) fn log(&self) -> impl Iterator<Item = (Timestamp, u64)> + Clone {
        self.log.iter().copied()
    }

    pub(super) fn is_of_last_hour(&self, now: Timestamp) -> bool {
        self.log.iter().any(|(at, count)| *count > 0 && is_within(*at, HOUR, now))
    }

    pub(super) fn told(&self, payer: Payer, writer: PeerId, now: Timestamp) -> Writes {
        let mut by_age = [0_u32; Writes::AGES.len()];
        for (at, count) in &self.log {
            let age = now.saturating_since(*at);
            let slice = Writes::AGES.iter().rposition(|from| age >= *from).unwrap_or(0);
            if age < HOUR {
                by_age[slice] = by_age[slice].saturating_add(u32::try_from(*count).unwrap_or(u32::MAX));
            }
        }
        Writes { payer, writer, total: self.total, by_age }
    }
}

/// Whether `at` is less than `time` ago, or to come.
pub(super) fn is_within(at: Timestamp, time: Duration, now: Timestamp) -> bool {
    now.saturating_since(at) < time
}

/// The next moment at which writes are noted: what is begun between two counts as begun at the later.
pub(super) fn rounded_up(at: Timestamp) -> Timestamp {
    rounded_up_to(at, GRAIN)
}

/// How many writes there are in all; others may have told of any number.
pub(super) fn sum(writes: impl Iterator<Item = (Timestamp, u64)>) -> u64 {
    writes.fold(0, |sum, (_, count)| sum.saturating_add(count))
}

fn rounded_up_to(at: Timestamp, grain: Duration) -> Timestamp {
    let grain = u64::try_from(grain.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(at.as_unix_millis().div_ceil(grain).saturating_mul(grain))
}

/// How exactly the moments of writes are known.
pub(super) const GRAIN: Duration = Duration::from_millis(50);

/// How exactly those are known that are more than a minute ago, where there are many.
const COARSE: Duration = Duration::from_secs(10);

/// Up to so many moments, all are known exactly: more than GitHub bears writes in an hour.
const FINE_MAX: usize = 512;

/// Most moments that are noted of one member's writes for one payer: there are more only if a clock is set back.
pub(super) const LOG_MAX: usize = ((MINUTE.as_millis() + COARSE.as_millis()) / GRAIN.as_millis()
    + HOUR.as_millis() / COARSE.as_millis()) as usize
    + 4;
