//! The places for tunnels, and which tunnel gives way where there are none left.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

/// Places for a number of tunnels.
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Taken>,
}

#[derive(Default)]
struct Taken {
    next: AtomicU64,
    movements: Mutex<BTreeMap<u64, Arc<Movement>>>,
}

/// A tunnel's place, until it is dropped.
pub(super) struct Place {
    number: u64,
    movement: Arc<Movement>,
    taken: Arc<Taken>,
    _permit: OwnedSemaphorePermit,
}

/// When bytes last moved in a tunnel. It reads the clock itself: the door's own stands still while connections drain.
pub(super) struct Movement {
    begun: Instant,
    /// In milliseconds since then.
    last: AtomicU64,
    half_closed: AtomicBool,
    gives_way: Notify,
}

impl Places {
    /// As many as `count`.
    pub(super) fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)), taken: Arc::default() }
    }

    /// Takes a place; if none is free, that of the tunnel which has been silent longest, and long enough.
    pub(super) async fn take(&self) -> Option<Place> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(self.placed(permit));
        }
        self.taken.longest_silent()?.gives_way.notify_one();
        let permit = timeout(GIVEN_WITHIN, Arc::clone(&self.free).acquire_owned()).await;
        Some(self.placed(permit.ok()?.ok()?))
    }

    fn placed(&self, permit: OwnedSemaphorePermit) -> Place {
        let number = self.taken.next.fetch_add(1, Ordering::Relaxed);
        let movement = Arc::new(Movement {
            begun: Instant::now(),
            last: AtomicU64::new(0),
            half_closed: AtomicBool::new(false),
            gives_way: Notify::new(),
        });
        self.taken.lock().insert(number, Arc::clone(&movement));
        Place { number, movement, taken: Arc::clone(&self.taken), _permit: permit }
    }
}

impl Taken {
    fn longest_silent(&self) -> Option<Arc<Movement>> {
        let movements = self.lock();
        let silent = movements.values().max_by_key(|movement| movement.silence())?;
        (silent.silence() >= GIVES_WAY_AFTER).then(|| Arc::clone(silent))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Movement>>> {
        // A panic elsewhere leaves nothing half done here.
        self.movements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(super) fn movement(&self) -> Arc<Movement> {
        Arc::clone(&self.movement)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.lock().remove(&self.number);
    }
}

impl Movement {
    /// Notes that bytes moved just now, in either direction.
    pub(super) fn note(&self) {
        self.last.store(self.millis(), Ordering::Relaxed);
    }

    /// One side sends no more.
    pub(super) fn note_half_closed(&self) {
        self.half_closed.store(true, Ordering::Relaxed);
    }

    /// Whether nothing has moved for too long, or for `most` if that is shorter.
    pub(super) fn is_silent(&self, most: Duration) -> bool {
        let half_closed = self.half_closed.load(Ordering::Relaxed);
        let most = most.min(if half_closed { SILENT_HALF_CLOSED_MAX } else { SILENT_MAX });
        self.silence() > most
    }

    /// Waits until the tunnel is to give way to another.
    pub(super) async fn gives_way(&self) {
        self.gives_way.notified().await;
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(self.millis().saturating_sub(self.last.load(Ordering::Relaxed)))
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Longest time in which nothing moves in a tunnel: more than servers keep idle connections.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(10 * 60);
/// The same once one side sends no more. Most such clients are gone, which TCP tells only when something is sent to them.
const SILENT_HALF_CLOSED_MAX: Duration = Duration::from_secs(30);
/// How long a tunnel must have been silent to give way: packets of an honest client are seldom further apart.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(5);
/// How long one that gives way may take.
const GIVEN_WITHIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_place_the_tunnel_that_is_silent_longest_gives_way_and_no_busy_one() {
        let places = Places::new(2);
        let one = places.take().await.unwrap();
        advance(Duration::from_secs(1)).await;
        let two = places.take().await.unwrap();
        advance(Duration::from_secs(3)).await;
        assert!(places.take().await.is_none(), "neither has been silent for long");
        advance(Duration::from_secs(2)).await;
        two.movement().note();
        let ends = async {
            one.movement().gives_way().await;
            drop(one);
        };
        let (three, ()) = tokio::join!(places.take(), ends);
        assert!(three.is_some());
        assert!(places.take().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_tunnel_that_one_side_has_closed_may_be_silent_for_a_shorter_time() {
        let movement = Places::new(1).take().await.unwrap().movement();
        advance(Duration::from_secs(31)).await;
        assert!(!movement.is_silent(SILENT_MAX));
        assert!(movement.is_silent(Duration::from_secs(1)));
        movement.note_half_closed();
        assert!(movement.is_silent(SILENT_MAX));
        movement.note();
        assert!(!movement.is_silent(SILENT_MAX));
    }
}
