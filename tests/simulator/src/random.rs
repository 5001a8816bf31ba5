//! Random numbers that are the same everywhere.
//!
//! Every part that needs chance has a stream of its own, so that leaving one event out of a plan changes as
//! little as possible elsewhere.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg32;
use std::time::Duration;

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(Pcg32);

impl Random {
    /// The stream of `purpose` in the run with `seed`.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(Pcg32::seed_from_u64(mix(seed ^ mix(purpose))))
    }

    /// A number below `end`; zero if `end` is.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.random_range(0..end) }
    }

    /// Whether something happens that does so `per_mille` times in a thousand.
    pub(crate) fn happens(&mut self, per_mille: u16) -> bool {
        self.below(1000) < u64::from(per_mille)
    }

    /// Between nothing and `most`, all alike.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.below(micros(most) + 1))
    }

    /// `least`, and on top of it `mean` on average: mostly less, seldom many times as much.
    ///
    /// The sum of a geometric series in steps of `mean`, so that no floating point comes into it.
    pub(crate) fn long_tailed(&mut self, least: Duration, mean: Duration) -> Duration {
        let mut whole = 0;
        while whole < TAIL_MAX && self.below(2) == 1 {
            whole += 1;
        }
        least + mean / 2 * whole + self.up_to(mean)
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The finalizer of SplitMix64: neighbouring seeds give unrelated streams.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Longest tail, in half means.
const TAIL_MAX: u32 = 12;
