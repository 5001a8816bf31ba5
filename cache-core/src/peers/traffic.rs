//! How much a peer may send: a token bucket over messages and one over bytes.
//!
//! Owns only the arithmetic. Whole numbers throughout: allowances grow by the millisecond.

use crate::Timestamp;

/// What a peer may send before it is taken for a flood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrafficLimits {
    /// Bytes that may come at once.
    pub burst_bytes: u64,
    /// Messages that may come at once.
    pub burst_messages: u64,
    /// Bytes by which the allowance grows in a millisecond.
    pub bytes_per_milli: u64,
    /// Messages by which the allowance grows in a millisecond.
    pub messages_per_milli: u64,
}

impl Default for TrafficLimits {
    /// Generous: a warm-up with the whole of a default cache (64 MiB) passes four times at once, then the
    /// line may be as fast as half a gigabit. Messages: several times what one core can answer.
    fn default() -> Self {
        Self {
            burst_bytes: 256 * 1024 * 1024,
            burst_messages: 200_000,
            bytes_per_milli: 64 * 1024,
            messages_per_milli: 50,
        }
    }
}

/// What is left of one peer's allowance.
#[derive(Debug)]
pub(super) struct TokenBucket {
    bytes: u64,
    messages: u64,
    at: Timestamp,
}

impl TokenBucket {
    pub(super) fn full(now: Timestamp, limits: &TrafficLimits) -> Self {
        Self { bytes: limits.burst_bytes, messages: limits.burst_messages, at: now }
    }

    /// Takes one message of `bytes`, or returns false and takes nothing.
    pub(super) fn take(&mut self, now: Timestamp, bytes: usize, limits: &TrafficLimits) -> bool {
        (self.bytes, self.messages) = self.at(now, limits);
        self.at = self.at.max(now);
        let (Some(messages), Some(bytes)) =
            (self.messages.checked_sub(1), self.bytes.checked_sub(u64::try_from(bytes).unwrap_or(u64::MAX)))
        else {
            return false;
        };
        (self.bytes, self.messages) = (bytes, messages);
        true
    }

    pub(super) fn is_full(&self, now: Timestamp, limits: &TrafficLimits) -> bool {
        self.at(now, limits) == (limits.burst_bytes, limits.burst_messages)
    }

    /// Bytes and messages left at `now`.
    fn at(&self, now: Timestamp, limits: &TrafficLimits) -> (u64, u64) {
        let millis = u64::try_from(now.saturating_since(self.at).as_millis()).unwrap_or(u64::MAX);
        let grown = |left: u64, per_milli: u64, most: u64| {
            left.saturating_add(millis.saturating_mul(per_milli)).min(most)
        };
        let bytes = grown(self.bytes, limits.bytes_per_milli, limits.burst_bytes);
        (bytes, grown(self.messages, limits.messages_per_milli, limits.burst_messages))
    }
}
