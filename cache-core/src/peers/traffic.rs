//! How much a peer may send: a token bucket over messages and one over bytes.

use crate::{
    Timestamp,
    token_bucket::{Rate, TokenBucket},
};

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

impl TrafficLimits {
    fn bytes(&self) -> Rate {
        Rate { burst: self.burst_bytes, per_second: self.bytes_per_milli.saturating_mul(1000) }
    }

    fn messages(&self) -> Rate {
        Rate { burst: self.burst_messages, per_second: self.messages_per_milli.saturating_mul(1000) }
    }
}

/// What is left of one peer's allowance.
#[derive(Debug)]
pub(super) struct Remainder {
    bytes: TokenBucket,
    messages: TokenBucket,
}

impl Remainder {
    pub(super) fn full(now: Timestamp, limits: &TrafficLimits) -> Self {
        Self {
            bytes: TokenBucket::full(now, limits.bytes()),
            messages: TokenBucket::full(now, limits.messages()),
        }
    }

    /// Takes one message of `bytes`, or returns false and takes nothing.
    pub(super) fn take(&mut self, now: Timestamp, bytes: usize, limits: &TrafficLimits) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.messages.left(now, limits.messages()) > 0
            && self.bytes.take(now, bytes, limits.bytes())
            && self.messages.take(now, 1, limits.messages())
    }

    pub(super) fn is_full(&self, now: Timestamp, limits: &TrafficLimits) -> bool {
        let (bytes, messages) = (limits.bytes(), limits.messages());
        self.bytes.left(now, bytes) == bytes.burst && self.messages.left(now, messages) == messages.burst
    }
}
