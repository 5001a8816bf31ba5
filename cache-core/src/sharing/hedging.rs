//! How many asks may be hedged: sent to another member as well, since the first one says nothing.
//!
//! On a busy machine all members are slow. What helps when a member is dead would then only add to the load, so hedges
//! in vain are a small share of the asks.

/// What is left of the allowance of hedges.
#[derive(Debug)]
pub(crate) struct Hedging {
    /// In hundredths of a hedge.
    credit: u32,
}

impl Default for Hedging {
    fn default() -> Self {
        Self { credit: CREDIT_MAX }
    }
}

impl Hedging {
    /// A member is asked.
    pub(crate) fn on_ask(&mut self) {
        self.earn(HEDGES_PERCENT);
    }

    /// Takes one hedge out of the allowance. Returns whether there was one left.
    pub(crate) fn take(&mut self) -> bool {
        let left = self.credit.checked_sub(HEDGE);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    /// A member that was hedged against is gone, or has kept silent to the end: that hedge does not count.
    pub(crate) fn on_needed(&mut self) {
        self.earn(HEDGE);
    }

    fn earn(&mut self, credit: u32) {
        self.credit = (self.credit + credit).min(CREDIT_MAX);
    }
}

/// One hedge, in the unit of the credit.
const HEDGE: u32 = 100;

/// Of a hundred asks, how many may be hedged in vain, beyond [`HEDGES_AT_ONCE_MAX`]: as many as take longer than the
/// time after which they are hedged, if nothing is amiss.
const HEDGES_PERCENT: u32 = 5;

/// Most hedges at once, before it is known whether they were needed: a client that makes twenty requests side by side,
/// while a third of the members and of their deputies are dead, needs nine.
const HEDGES_AT_ONCE_MAX: u32 = 16;

/// The most credit that is kept.
const CREDIT_MAX: u32 = HEDGES_AT_ONCE_MAX * HEDGE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_those_at_once_five_of_a_hundred_asks_are_hedged_in_vain() {
        let mut hedging = Hedging::default();
        let taken = (0..1_000).filter(|_| {
            hedging.on_ask();
            hedging.take()
        });
        // The first ask finds the allowance full.
        assert_eq!(taken.count(), 49 + usize::try_from(HEDGES_AT_ONCE_MAX).unwrap());
    }

    #[test]
    fn a_hedge_that_was_needed_does_not_count() {
        let mut hedging = Hedging::default();
        for _ in 0..1_000 {
            assert!(hedging.take());
            hedging.on_needed();
        }
        let left = (0..100).filter(|_| hedging.take());
        assert_eq!(left.count(), usize::try_from(HEDGES_AT_ONCE_MAX).unwrap());
    }

    #[test]
    fn what_is_not_used_is_not_saved_beyond_those_at_once() {
        let mut hedging = Hedging::default();
        (0..1_000).for_each(|_| hedging.on_ask());
        assert_eq!(hedging.credit, CREDIT_MAX);
    }
}
