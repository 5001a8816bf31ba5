//! Calls that are not made because the origin wants to be left alone, as users and operators hear of them.

use crate::{RequestError, stats::Refusals};
use cache_core::{Bucket, Payer, Priority, Shortage, Timestamp, Window};
use cache_origin_github::{Quota, resource_name};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};
use tracing::info;

/// Which of them were told to clients, and the pauses that the log reports already.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    told: Mutex<BTreeMap<(Payer, Bucket), Timestamp>>,
    pace: AtomicU64,
    paced: AtomicU64,
    reserve_batch: AtomicU64,
    reserve_normal: AtomicU64,
    window: AtomicU64,
}

impl Withheld {
    /// How many requests were refused so far, by what held them.
    pub(crate) fn refusals(&self) -> Refusals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Refusals {
            pace: read(&self.pace),
            reserve_batch: read(&self.reserve_batch),
            reserve_normal: read(&self.reserve_normal),
            window: read(&self.window),
            writes: read(&self.paced),
        }
    }

    /// The error for a write that would not have its turn in time.
    pub(crate) fn paced(&self, until: Timestamp, bucket: Bucket, seen: Option<Window>) -> RequestError {
        self.paced.fetch_add(1, Ordering::Relaxed);
        RequestError::paced(until, bucket, seen)
    }

    /// The error for a call that is not made since what is left is kept for others.
    pub(crate) fn reserved(
        &self,
        (priority, kept): (Priority, u64),
        bucket: Bucket,
        seen: Window,
    ) -> RequestError {
        let counter = match priority {
            Priority::Batch => &self.reserve_batch,
            // Nothing is kept from critical requests.
            Priority::Normal | Priority::Critical => &self.reserve_normal,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        RequestError::reserved((priority, kept), bucket, seen)
    }

    /// The error for a call that is not made since the payer pauses. The log reports it once for each pause.
    pub(crate) fn error(
        &self,
        (payer, bucket): (Payer, Bucket),
        (until, shortage, seen): (Timestamp, Shortage, Option<Window>),
    ) -> RequestError {
        let resource = resource_name(bucket);
        let counter = match shortage {
            Shortage::Pace => &self.pace,
            Shortage::Window { .. } => &self.window,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if self.is_news(payer, bucket, until) {
            let seconds = until.as_unix_millis() / 1000;
            info!(%payer, resource, until_unix_seconds = seconds, ?shortage, "calls of this payer wait: it has spent an allowance");
        }
        let quota = seen.map(|window| Quota::seen(resource, window));
        RequestError::Throttled { until, shortage, resource, quota }
    }

    fn is_news(&self, payer: Payer, bucket: Bucket, until: Timestamp) -> bool {
        let mut told = self.told.lock();
        let is_news = told.get(&(payer, bucket)) != Some(&until);
        if is_news && told.len() >= TOLD_MAX {
            told.clear();
        }
        told.insert((payer, bucket), until);
        is_news
    }
}

/// Most pauses that are remembered as reported. Beyond it some are reported again.
const TOLD_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_by_what_held_it() {
        let withheld = Withheld::default();
        let purse = (Payer::from_bytes([1; 16]), Bucket(0));
        let until = Timestamp::from_unix_millis(1);
        let seen = Window { limit: 100, remaining: 20, used: 80, reset: until };
        withheld.error(purse, (until, Shortage::Pace, None));
        for _ in 0..2 {
            withheld.error(purse, (until, Shortage::Window { limit: 100, used: 100 }, None));
        }
        for (priority, times) in [(Priority::Batch, 3), (Priority::Normal, 4)] {
            (0..times).for_each(|_| drop(withheld.reserved((priority, 20), Bucket(0), seen)));
        }
        withheld.paced(until, Bucket(0), None);
        let counted = Refusals { pace: 1, reserve_batch: 3, reserve_normal: 4, window: 2, writes: 1 };
        assert_eq!(withheld.refusals(), counted);
    }

    #[test]
    fn each_pause_is_news_once_and_the_memory_of_them_is_bounded() {
        let withheld = Withheld::default();
        let until = Timestamp::from_unix_millis;
        let payer = |number: u8| Payer::from_bytes([number; 16]);
        assert!(withheld.is_news(payer(1), Bucket(0), until(1)));
        assert!(!withheld.is_news(payer(1), Bucket(0), until(1)));
        assert!(withheld.is_news(payer(1), Bucket(0), until(2)));
        assert!(withheld.is_news(payer(2), Bucket(0), until(2)));
        assert!(withheld.is_news(payer(1), Bucket(1), until(2)));
        for moment in 0..1000 {
            withheld.is_news(payer((moment % 250) as u8), Bucket((moment / 250) as u8), until(moment));
        }
        assert!(withheld.told.lock().len() <= TOLD_MAX);
    }
}
