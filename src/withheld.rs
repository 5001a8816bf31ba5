//! Calls that are not made because the origin wants to be left alone, as users and operators hear of them.

use crate::RequestError;
use cache_core::{Bucket, Payer, Shortage, Timestamp, Window};
use cache_origin_github::{Quota, resource_name};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use tracing::info;

/// The pauses that the log reports already.
#[derive(Debug, Default)]
pub(crate) struct Withheld(Mutex<BTreeMap<(Payer, Bucket), Timestamp>>);

impl Withheld {
    /// The error for a call that is not made. The log reports it once for each pause.
    pub(crate) fn error(
        &self,
        (payer, bucket): (Payer, Bucket),
        (until, shortage, seen): (Timestamp, Shortage, Option<Window>),
    ) -> RequestError {
        let resource = resource_name(bucket);
        if self.is_news(payer, bucket, until) {
            let seconds = until.as_unix_millis() / 1000;
            info!(%payer, resource, until_unix_seconds = seconds, ?shortage, "calls of this payer wait: it has spent an allowance");
        }
        let quota = seen.map(|window| Quota::seen(resource, window));
        RequestError::Throttled { until, shortage, resource, quota }
    }

    fn is_news(&self, payer: Payer, bucket: Bucket, until: Timestamp) -> bool {
        let mut told = self.0.lock();
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
        assert!(withheld.0.lock().len() <= TOLD_MAX);
    }
}
