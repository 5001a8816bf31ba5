//! What a connection does at the moment and for how long, so that the door knows whose turn it is to go.
//!
//! Written by the connection's own task at a few turns of every request, read by the door every
//! [`TICK`]. Time is the door's, as coarse as its ticks.

use super::scanner::Framing;
use fleet_cache::Withdrawal;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// The time of a door, in milliseconds since it opened.
#[derive(Debug)]
pub(super) struct DoorClock {
    opened: Instant,
    millis: AtomicU64,
}

impl DoorClock {
    /// A clock that counts from this moment.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { opened: Instant::now(), millis: AtomicU64::new(0) })
    }

    /// Looks at the system's clock.
    pub(super) fn tick(&self) -> u64 {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
        millis
    }

    /// The time at the last tick.
    pub(super) fn now(&self) -> u64 {
        self.millis.load(Ordering::Relaxed)
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The client, to begin a request.
    Idle,
    /// The client, to end a head that it began.
    Head,
    /// An answer, or nothing.
    Busy,
    /// The client, to send more of a body.
    Receiving,
    /// The client, to take more of an answer.
    Sending,
    /// An answer, for a client that sends no more and may be gone.
    HalfClosed,
    /// The end of the connection.
    Closing,
}

impl Phase {
    const ALL: [Self; 7] =
        [Self::Idle, Self::Head, Self::Busy, Self::Receiving, Self::Sending, Self::HalfClosed, Self::Closing];
}

/// The state of one connection, shared by its task and the door.
#[derive(Debug)]
pub(super) struct Vitals {
    clock: Arc<DoorClock>,
    /// The phase in the lowest bits, above it the time since when; of a closing one, the phase that it was in.
    life: AtomicU64,
    /// How long a body may keep the connection waiting, in milliseconds.
    allowance: AtomicU64,
    framing: AtomicU64,
    in_flight: AtomicBool,
    close: Notify,
    withdrawal: Withdrawal,
}

impl Vitals {
    /// A connection that has just been accepted.
    pub(super) fn new(clock: &Arc<DoorClock>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            life: AtomicU64::new(Self::joined(Phase::Idle, clock.now())),
            allowance: AtomicU64::new(0),
            framing: AtomicU64::new(UNTOLD),
            in_flight: AtomicBool::new(false),
            close: Notify::new(),
            withdrawal: Withdrawal::default(),
        })
    }

    /// The door's time.
    pub(super) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Begins `phase` now, unless it is the present one.
    pub(super) fn enter(&self, phase: Phase) {
        if self.phase() != phase {
            self.life.store(Self::joined(phase, self.now()), Ordering::Relaxed);
        }
    }

    /// Begins to wait for a client that may take until `allowance` is over to move a body on.
    pub(super) fn wait(&self, phase: Phase, allowance: Duration) {
        let millis = u64::try_from(allowance.as_millis()).unwrap_or(u64::MAX);
        self.allowance.store(millis, Ordering::Relaxed);
        self.enter(phase);
    }

    pub(super) fn phase(&self) -> Phase {
        Self::split(self.life.load(Ordering::Relaxed)).0
    }

    fn joined(phase: Phase, since: u64) -> u64 {
        since << PHASE_BITS | phase as u64
    }

    fn split(life: u64) -> (Phase, u64) {
        let number = usize::try_from(life & PHASE_MASK).unwrap_or_default();
        (Phase::ALL.get(number).copied().unwrap_or(Phase::Closing), life >> PHASE_BITS)
    }

    /// The phase and when it began.
    pub(super) fn life(&self) -> (Phase, u64) {
        Self::split(self.life.load(Ordering::Relaxed))
    }

    /// Whether the client has taken longer than it may by `now`.
    pub(super) fn is_overdue(&self, now: u64) -> bool {
        let (phase, since) = self.life();
        let most = match phase {
            Phase::Busy | Phase::Closing => return false,
            Phase::HalfClosed => millis(HALF_CLOSED_MAX),
            Phase::Head => millis(HEAD_MAX),
            Phase::Idle => millis(IDLE_MAX),
            Phase::Receiving | Phase::Sending => self.allowance.load(Ordering::Relaxed),
        };
        now.saturating_sub(since) > most
    }

    /// Orders the connection's end, unless it has moved on from `life`.
    pub(super) fn order_close(&self, life: (Phase, u64)) -> bool {
        let (phase, since) = life;
        let seen = Self::joined(phase, since);
        let closing = Self::joined(Phase::Closing, phase as u64);
        let ordered = self.life.compare_exchange(seen, closing, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if ordered {
            self.close.notify_one();
        }
        ordered
    }

    /// Waits for the order to end. Returns the phase in which it came.
    pub(super) async fn close_ordered(&self) -> Phase {
        self.close.notified().await;
        match self.life() {
            (Phase::Closing, phase) => Self::split(phase).0,
            (moved_on, _since) => moved_on,
        }
    }

    /// Tells that a request came whose body is framed so; it is in flight until what is given back is dropped.
    pub(super) fn begin(self: &Arc<Self>, framing: Framing) -> InFlight {
        let told = match framing {
            Framing::Chunked => CHUNKED,
            Framing::Length(length) => length.min(UNKNOWN - 1),
            Framing::Unknown => UNKNOWN,
        };
        self.framing.store(told, Ordering::Relaxed);
        self.in_flight.store(true, Ordering::Relaxed);
        self.enter(Phase::Busy);
        InFlight(Arc::clone(self))
    }

    /// What was told of the last request's body, once.
    pub(super) fn take_framing(&self) -> Option<Framing> {
        match self.framing.swap(UNTOLD, Ordering::Relaxed) {
            UNTOLD => None,
            CHUNKED => Some(Framing::Chunked),
            UNKNOWN => Some(Framing::Unknown),
            length => Some(Framing::Length(length)),
        }
    }

    /// What takes the connection's requests back; what has begun goes on.
    pub(super) fn withdrawal(&self) -> Withdrawal {
        self.withdrawal.clone()
    }

    /// Whether a request came and its answer is not all rendered.
    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Vitals>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.store(false, Ordering::Relaxed);
    }
}

/// How fast a body moves where only the client can move it.
///
/// A pause costs what is left of [`BODY_GRACE`]; every byte earns a little back, so that a slow but honest line may
/// take as long as it needs.
#[derive(Debug, Default)]
pub(super) struct Pace {
    bytes: u64,
    waited_millis: u64,
    waits_since: Option<u64>,
}

impl Pace {
    /// The client lets the connection wait as of `now`. Returns how long it may go on.
    pub(super) fn wait(&mut self, now: u64) -> Duration {
        self.waits_since.get_or_insert(now);
        let earned = self.bytes.saturating_mul(1000) / BODY_BYTES_PER_SECOND_MIN;
        let allowed = millis(BODY_GRACE).saturating_add(earned).saturating_sub(self.waited_millis);
        Duration::from_millis(allowed)
    }

    /// `bytes` moved at `now`. Returns whether the connection was waiting for them.
    pub(super) fn moved(&mut self, now: u64, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let since = self.waits_since.take();
        self.waited_millis += since.map_or(0, |since| now.saturating_sub(since));
        since.is_some()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How often the door looks at its connections.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// Longest wait of an idle connection for the next request: more than the minute for which most clients keep one.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(75);
/// Longest time from the first byte of a head to its last; clients send it in one piece.
pub(super) const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long a body may keep the connection waiting in all before it must show a pace.
pub(super) const BODY_GRACE: Duration = Duration::from_secs(30);
/// The pace, in bytes for each second of waiting.
pub(super) const BODY_BYTES_PER_SECOND_MIN: u64 = 500;
/// Longest wait for the beginning of an answer to a client that sends no more: twice what the origin may take by
/// default. Most such clients are gone, which TCP tells only when something is sent to them.
pub(super) const HALF_CLOSED_MAX: Duration = Duration::from_secs(30);

const PHASE_BITS: u32 = 3;
const PHASE_MASK: u64 = (1 << PHASE_BITS) - 1;
const UNTOLD: u64 = u64::MAX;
const CHUNKED: u64 = u64::MAX - 1;
const UNKNOWN: u64 = u64::MAX - 2;

const _: () = assert!(Phase::ALL.len() <= 1 << PHASE_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_overdue_when_its_time_is_over_and_a_busy_one_never() {
        let clock = DoorClock::new();
        let table = [
            (Phase::Idle, Some(IDLE_MAX)),
            (Phase::Head, Some(HEAD_MAX)),
            (Phase::HalfClosed, Some(HALF_CLOSED_MAX)),
            (Phase::Busy, None),
            (Phase::Closing, None),
        ];
        for (phase, most) in table {
            let vitals = Vitals::new(&clock);
            vitals.enter(phase);
            let most = most.map_or(1 << 40, millis);
            assert!(!vitals.is_overdue(most), "{phase:?}");
            assert_eq!(
                vitals.is_overdue(1 << 41),
                !matches!(phase, Phase::Busy | Phase::Closing),
                "{phase:?}"
            );
        }
    }

    #[test]
    fn a_body_that_moves_at_the_least_pace_may_take_for_ever_and_a_slower_one_may_not() {
        let lasts = |bytes_each_second: usize| {
            let mut pace = Pace::default();
            for second in 0..10_000 {
                if pace.wait(second * 1000) < Duration::from_secs(1) {
                    return Some(second);
                }
                pace.moved((second + 1) * 1000, bytes_each_second);
            }
            None
        };
        assert_eq!(lasts(500), None);
        assert!(lasts(400).is_some_and(|seconds| seconds < 200));
        assert_eq!(lasts(1), Some(30));
    }

    #[tokio::test]
    async fn an_order_to_close_is_for_the_life_that_was_seen() {
        let clock = DoorClock::new();
        let vitals = Vitals::new(&clock);
        let seen = vitals.life();
        vitals.enter(Phase::Head);
        assert!(!vitals.order_close(seen), "it went on");
        assert!(vitals.order_close(vitals.life()));
        assert_eq!(vitals.close_ordered().await, Phase::Head);
    }
}
