//! What time it is, at the price of a few nanoseconds.

use cache_core::Timestamp;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// A clock for freshness: never runs backwards, makes no system call, and is right to a few milliseconds.
///
/// It counts by the kernel's coarse monotonic clock, which Linux keeps readable without a system call. So a wall
/// clock that is set back makes no entry younger. A monotonic clock stands still while the machine sleeps. Therefore
/// each reading also looks at the wall clock, and if that has run ahead, this clock catches up before it returns a
/// time. So no reader is told a time from before a sleep.
///
/// ```
/// use {cache_store::{CoarseClock, HandClock}, core::time::Duration, std::sync::Arc};
///
/// let hand = Arc::new(HandClock::default());
/// let clock = CoarseClock::by_hand(Arc::clone(&hand));
/// let before = clock.now();
/// hand.sleep(Duration::from_secs(8 * 3600));
/// assert_eq!(clock.now().saturating_since(before), Duration::from_secs(8 * 3600));
/// ```
#[derive(Debug)]
pub struct CoarseClock {
    source: Source,
    /// Milliseconds since the Unix epoch at the monotonic clock's zero. Only ever grows.
    base_millis: AtomicU64,
    /// By how much the wall clock led the monotonic one when that was looked at last.
    lead_millis: AtomicU64,
    /// How long the machine is known to have slept.
    slept_millis: AtomicU64,
}

impl CoarseClock {
    /// Begins at the wall clock's time.
    pub fn start() -> Self {
        Self::of(Source::System)
    }

    /// Counts by clocks that a test moves.
    pub fn by_hand(hand: Arc<HandClock>) -> Self {
        Self::of(Source::Hand(hand))
    }

    /// The time now, at the resolution of the coarse clock.
    pub fn now(&self) -> Timestamp {
        let Reading { monotonic_millis, wall_millis } = self.source.read();
        let lead_millis = wall_millis.saturating_sub(monotonic_millis);
        if lead_millis.abs_diff(self.lead_millis.load(Ordering::Relaxed)) > LEAD_TOLERANCE_MILLIS {
            self.catch_up();
        }
        let base_millis = self.base_millis.load(Ordering::Relaxed);
        Timestamp::from_unix_millis(base_millis.saturating_add(monotonic_millis))
    }

    /// Counts what the machine slept, and moves forward to the wall clock if this clock is behind it.
    ///
    /// [`now`](Self::now) does so by itself where the wall clock shows that it slept. Called now and then, this also
    /// finds a sleep that a wall clock set back at the same time would hide.
    #[cold]
    pub fn catch_up(&self) {
        let slept_millis = self.source.slept_millis();
        let known_millis = self.slept_millis.fetch_max(slept_millis, Ordering::Relaxed);
        self.base_millis.fetch_add(slept_millis.saturating_sub(known_millis), Ordering::Relaxed);
        let Reading { monotonic_millis, wall_millis } = self.source.read();
        let lead_millis = wall_millis.saturating_sub(monotonic_millis);
        self.base_millis.fetch_max(lead_millis, Ordering::Relaxed);
        self.lead_millis.store(lead_millis, Ordering::Relaxed);
    }

    fn of(source: Source) -> Self {
        let Reading { monotonic_millis, wall_millis } = source.read();
        let lead_millis = wall_millis.saturating_sub(monotonic_millis);
        let slept_millis = source.slept_millis();
        Self {
            source,
            base_millis: AtomicU64::new(lead_millis),
            lead_millis: AtomicU64::new(lead_millis),
            slept_millis: AtomicU64::new(slept_millis),
        }
    }
}

/// Clocks that stand still until a test moves them.
#[derive(Debug)]
pub struct HandClock {
    monotonic_millis: AtomicU64,
    wall_millis: AtomicU64,
    slept_millis: AtomicU64,
}

impl HandClock {
    /// Moves the clock on by `time`.
    pub fn advance(&self, time: Duration) {
        self.monotonic_millis.fetch_add(millis(time), Ordering::Relaxed);
        self.wall_millis.fetch_add(millis(time), Ordering::Relaxed);
    }

    /// Lets time pass while the machine sleeps, when the monotonic clock stands still.
    pub fn sleep(&self, time: Duration) {
        self.wall_millis.fetch_add(millis(time), Ordering::Relaxed);
        self.slept_millis.fetch_add(millis(time), Ordering::Relaxed);
    }

    /// Sets the wall clock back.
    pub fn set_back(&self, time: Duration) {
        self.wall_millis.fetch_sub(millis(time), Ordering::Relaxed);
    }
}

impl Default for HandClock {
    /// Some time in 2023.
    fn default() -> Self {
        Self {
            monotonic_millis: AtomicU64::new(1_000_000),
            wall_millis: AtomicU64::new(1_700_000_000_000),
            slept_millis: AtomicU64::new(0),
        }
    }
}

#[derive(Debug)]
enum Source {
    Hand(Arc<HandClock>),
    System,
}

/// Two clocks at the same moment.
struct Reading {
    monotonic_millis: u64,
    wall_millis: u64,
}

impl Source {
    fn read(&self) -> Reading {
        match self {
            Self::Hand(hand) => Reading {
                monotonic_millis: hand.monotonic_millis.load(Ordering::Relaxed),
                wall_millis: hand.wall_millis.load(Ordering::Relaxed),
            },
            Self::System => system::read(),
        }
    }

    fn slept_millis(&self) -> u64 {
        match self {
            Self::Hand(hand) => hand.slept_millis.load(Ordering::Relaxed),
            Self::System => system::slept_millis(),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Linux's coarse clocks cost no system call and some nanoseconds.
#[cfg(any(target_os = "android", target_os = "linux"))]
mod system {
    use super::Reading;
    use nix::time::{ClockId, clock_gettime};

    pub(super) fn read() -> Reading {
        Reading {
            monotonic_millis: read_clock(ClockId::CLOCK_MONOTONIC_COARSE),
            wall_millis: read_clock(ClockId::CLOCK_REALTIME_COARSE),
        }
    }

    /// By how much the clock that counts sleep leads the one that does not, in milliseconds.
    pub(super) fn slept_millis() -> u64 {
        let awake_millis = read_clock(ClockId::CLOCK_MONOTONIC);
        read_clock(ClockId::CLOCK_BOOTTIME).saturating_sub(awake_millis)
    }

    fn read_clock(clock: ClockId) -> u64 {
        // These clocks exist on every kernel that is supported; a date before the epoch counts as the epoch.
        clock_gettime(clock).map_or(0, |time| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
            seconds * 1000 + u64::try_from(time.tv_nsec()).unwrap_or_default() / 1_000_000
        })
    }
}

/// Elsewhere the wall clock alone tells of sleep.
#[cfg(not(any(target_os = "android", target_os = "linux")))]
mod system {
    use super::{Reading, millis};
    use std::{
        sync::LazyLock,
        time::{Instant, SystemTime},
    };

    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn read() -> Reading {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Reading { monotonic_millis: millis(STARTED.elapsed()), wall_millis: millis(since_epoch) }
    }

    pub(super) fn slept_millis() -> u64 {
        0
    }
}

/// By how much the lead of the wall clock may differ between two readings before it is looked into: the grain of two
/// coarse clocks, and a thread that was held up between them, differ by less.
const LEAD_TOLERANCE_MILLIS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn clock() -> (Arc<HandClock>, CoarseClock) {
        let hand = Arc::new(HandClock::default());
        (Arc::clone(&hand), CoarseClock::by_hand(hand))
    }

    #[test]
    fn a_wall_clock_that_is_set_back_changes_nothing() {
        let (hand, clock) = clock();
        let start = clock.now();
        hand.set_back(HOUR);
        assert_eq!(clock.now(), start);
        hand.advance(HOUR);
        assert_eq!(clock.now().saturating_since(start), HOUR);
    }

    #[test]
    fn the_first_reading_after_a_sleep_counts_it() {
        let (hand, clock) = clock();
        let start = clock.now();
        for slept in 1..5 {
            hand.sleep(HOUR);
            assert_eq!(clock.now().saturating_since(start), HOUR * slept);
        }
    }

    #[test]
    fn a_sleep_counts_even_if_the_wall_clock_was_set_back_before_it() {
        let (hand, clock) = clock();
        let start = clock.now();
        hand.set_back(3 * HOUR);
        clock.now();
        hand.sleep(HOUR);
        assert_eq!(clock.now().saturating_since(start), HOUR);
    }

    #[test]
    fn a_sleep_that_the_wall_clock_hides_is_found_when_it_is_looked_for() {
        let (hand, clock) = clock();
        let start = clock.now();
        hand.sleep(HOUR);
        hand.set_back(HOUR);
        clock.catch_up();
        assert_eq!(clock.now().saturating_since(start), HOUR);
        clock.catch_up();
        assert_eq!(clock.now().saturating_since(start), HOUR, "it counts once");
    }

    #[test]
    fn time_never_runs_backwards_while_the_machine_sleeps_and_others_read() {
        let (hand, clock) = clock();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for step in 0..10_000 {
                    hand.sleep(Duration::from_millis(step % 300));
                    hand.set_back(Duration::from_millis(step % 200));
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
        let since_epoch = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is past 1970");
        let apart = CoarseClock::start().now().as_unix_millis().abs_diff(millis(since_epoch));
        assert!(apart < 1000, "{apart} ms");
    }
}
