//! Counters that many threads bump without getting in one another's way.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Hits, spread over cache lines.
///
/// Each thread counts on a stripe of its own, as long as there are no more threads than stripes; a reader adds up the
/// stripes.
#[derive(Debug, Default)]
pub(crate) struct HitCounters {
    stripes: [Stripe; STRIPES],
}

impl HitCounters {
    pub(crate) fn count_hit(&self) {
        self.stripes[own_stripe()].hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_peer_hit(&self) {
        self.stripes[own_stripe()].peer_hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hits(&self) -> u64 {
        self.stripes.iter().map(|stripe| stripe.hits.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn peer_hits(&self) -> u64 {
        self.stripes.iter().map(|stripe| stripe.peer_hits.load(Ordering::Relaxed)).sum()
    }
}

/// Two lines of 64 bytes: processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    hits: AtomicU64,
    peer_hits: AtomicU64,
}

/// More threads than this share stripes, which costs time but no count.
const STRIPES: usize = 32;

const _: () = assert!(STRIPES.is_power_of_two());

fn own_stripe() -> usize {
    OWN_STRIPE.with(|own| {
        let stripe = own.get();
        if stripe < STRIPES {
            return stripe;
        }
        let stripe = NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES;
        own.set(stripe);
        stripe
    })
}

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The stripe of this thread; none yet while out of range.
    static OWN_STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_many_threads_count() {
        let counters = HitCounters::default();
        std::thread::scope(|scope| {
            for _ in 0..STRIPES + 8 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counters.count_hit();
                    }
                    counters.count_peer_hit();
                });
            }
        });
        let threads = STRIPES as u64 + 8;
        assert_eq!((counters.hits(), counters.peer_hits()), (threads * 1000, threads));
    }
}
