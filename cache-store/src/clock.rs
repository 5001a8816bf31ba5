//! What time it is, at the price of a few nanoseconds.

use cache_core::Timestamp;
use coarsetime::Instant;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// A clock for freshness: never runs backwards, makes no system call, and is right to a few milliseconds.
///
/// The wall clock is read once; from there on the kernel's coarse monotonic clock counts, which Linux keeps
/// readable without a system call. So a wall clock that is set back makes no entry younger. One that has run
/// on while the machine slept is caught up with by [`CoarseClock::rebase_if_behind`].
///
/// ```
/// use {cache_store::CoarseClock, core::time::Duration};
///
/// let clock = CoarseClock::start();
/// let before = clock.now();
/// clock.rebase_if_behind(before.saturating_add(Duration::from_secs(3600)));
/// assert!(clock.now().saturating_since(before) >= Duration::from_secs(3600));
/// ```
#[derive(Debug)]
pub struct CoarseClock {
    started: Instant,
    /// Milliseconds since the Unix epoch at `started`. Only ever grows.
    base_millis: AtomicU64,
}

impl CoarseClock {
    /// Begins at the wall clock's time.
    pub fn start() -> Self {
        Self::starting_at(Self::wall())
    }

    /// Begins at `now`.
    pub fn starting_at(now: Timestamp) -> Self {
        Self {
            started: Instant::now_without_cache_update(),
            base_millis: AtomicU64::new(now.as_unix_millis()),
        }
    }

    /// The wall clock's time, asked of the system; the epoch if the clock is set before it.
    pub fn wall() -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::default().saturating_add(since_epoch)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        let base_millis = self.base_millis.load(Ordering::Relaxed);
        Timestamp::from_unix_millis(base_millis.saturating_add(self.elapsed_millis()))
    }

    /// Moves forward to `wall`, which the caller read with [`CoarseClock::wall`], if this clock is behind it.
    ///
    /// Monotonic clocks stand still while a machine sleeps. Called now and then, this ages entries by the
    /// sleep. A `wall` that is behind changes nothing.
    pub fn rebase_if_behind(&self, wall: Timestamp) {
        let base_millis = wall.as_unix_millis().saturating_sub(self.elapsed_millis());
        self.base_millis.fetch_max(base_millis, Ordering::Relaxed);
    }

    fn elapsed_millis(&self) -> u64 {
        // The variant that updates the crate's global instant would make all readers contend for it.
        Instant::now_without_cache_update().duration_since(self.started).as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_back_changes_nothing() {
        let start = Timestamp::from_unix_millis(1_000_000_000);
        let clock = CoarseClock::starting_at(start);
        clock.rebase_if_behind(Timestamp::from_unix_millis(1));
        assert!(clock.now() >= start);
        assert!(clock.now().saturating_since(start) < Duration::from_secs(60));
    }

    #[test]
    fn time_never_runs_backwards_while_others_rebase() {
        let clock = CoarseClock::start();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for step in 0..10_000 {
                    clock.rebase_if_behind(clock.now().saturating_add(Duration::from_millis(step % 3)));
                }
            });
            let mut last = clock.now();
            for _ in 0..10_000 {
                let now = clock.now();
                assert!(now >= last);
                last = now;
            }
        });
    }

    #[test]
    fn it_agrees_with_the_wall_clock_at_the_start() {
        let clock = CoarseClock::start();
        let (wall, now) = (CoarseClock::wall(), clock.now());
        let apart = wall.saturating_since(now).max(now.saturating_since(wall));
        assert!(apart < Duration::from_secs(1), "{apart:?}");
    }
}
