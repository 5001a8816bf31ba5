//! Scatter for pauses, repeatable from a seed.
//!
//! Owns one SplitMix64 sequence (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
//! Good enough to keep peers from acting in step; not for secrets. It is written out, though the membership has a
//! generator of `rand_pcg`: its numbers decide which connections a fleet has, and the bounds that the simulator's
//! scenarios hold fleets to, with fewer connections than members, were found with these.

use core::time::Duration;

/// A sequence of numbers that look random and follow from the seed alone.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Between half of `pause` and all of it ("equal jitter"): never hasty, never in step.
    pub(crate) fn scatter(&mut self, pause: Duration) -> Duration {
        let half_millis = u64::try_from(pause.as_millis() / 2).unwrap_or(u64::MAX / 2);
        pause.saturating_sub(Duration::from_millis(self.next() % half_millis.saturating_add(1)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
