//! An allowance that is used up and grows again with time.
//!
//! Owns only the arithmetic, in whole numbers: allowances grow by the millisecond.

use crate::Timestamp;

/// How fast an allowance grows, and how far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Rate {
    /// The most that can be taken at once.
    pub(crate) burst: u64,
    pub(crate) per_second: u64,
}

/// What is left of one allowance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    left: u64,
    at: Timestamp,
}

impl TokenBucket {
    pub(crate) fn full(now: Timestamp, rate: Rate) -> Self {
        Self { left: rate.burst, at: now }
    }

    /// Takes `amount`, or returns false and takes nothing.
    pub(crate) fn take(&mut self, now: Timestamp, amount: u64, rate: Rate) -> bool {
        self.left = self.left(now, rate);
        self.at = self.at.max(now);
        let rest = self.left.checked_sub(amount);
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }

    /// What can be taken at `now`.
    pub(crate) fn left(&self, now: Timestamp, rate: Rate) -> u64 {
        let millis = u64::try_from(now.saturating_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let grown = millis.saturating_mul(rate.per_second) / 1000;
        self.left.saturating_add(grown).min(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + millis)
    }

    #[test]
    fn what_is_not_left_is_not_taken_and_grows_again_up_to_the_burst() {
        let rate = Rate { burst: 100, per_second: 50 };
        let mut bucket = TokenBucket::full(at(0), rate);
        assert!(bucket.take(at(0), 100, rate) && !bucket.take(at(0), 1, rate));
        assert!(!bucket.take(at(1_000), 51, rate) && bucket.take(at(1_000), 50, rate));
        assert_eq!(bucket.left(at(60_000), rate), 100);
        assert_eq!(bucket.left(at(0), rate), 0, "time does not run back");
    }
}
