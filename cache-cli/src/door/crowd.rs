//! The connections of a door, and which of them gives way to a newcomer.

use super::vitals::{DoorClock, Phase, Vitals};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// All connections of one door.
pub(super) struct Crowd {
    clock: Arc<DoorClock>,
    members: BTreeMap<u64, Arc<Vitals>>,
    next: u64,
}

impl Crowd {
    /// A crowd without connections.
    pub(super) fn new() -> Self {
        Self { clock: DoorClock::new(), members: BTreeMap::new(), next: 0 }
    }

    /// A newcomer's number and vitals.
    pub(super) fn admit(&mut self) -> (u64, Arc<Vitals>) {
        self.clock.tick();
        let (number, vitals) = (self.next, Vitals::new(&self.clock));
        self.next += 1;
        self.members.insert(number, Arc::clone(&vitals));
        (number, vitals)
    }

    /// Forgets the connection with this number, which has ended.
    pub(super) fn leave(&mut self, number: u64) {
        self.members.remove(&number);
    }

    /// Forgets connections whose tasks have ended without saying so.
    pub(super) fn leave_lost(&mut self) {
        self.members.retain(|_number, vitals| Arc::strong_count(vitals) > 1);
    }

    /// How many are not on their way out.
    pub(super) fn staying(&self) -> usize {
        self.members.values().filter(|vitals| vitals.phase() != Phase::Closing).count()
    }

    /// Closes every connection whose client takes too long.
    pub(super) fn close_overdue(&self) {
        let now = self.clock.tick();
        for vitals in self.members.values() {
            let life = vitals.life();
            if vitals.is_overdue(now) {
                vitals.order_close(life);
            }
        }
    }

    /// Closes the connection that is the least loss; false if all are being answered.
    ///
    /// Of the connections that wait for their client, an idle one goes first, then one whose head is not complete,
    /// then one whose client sends no more, then one that stands still in a body; among equals the one that has
    /// waited longest.
    pub(super) fn give_way(&self) -> bool {
        let now = self.clock.tick();
        let waiting = self.members.iter().filter_map(|(number, vitals)| {
            let life = vitals.life();
            let (rank, patience) = rank(life.0)?;
            let has_waited = u128::from(now.saturating_sub(life.1)) >= patience.as_millis();
            has_waited.then_some(((rank, life.1, *number), vitals, life))
        });
        // One that moves on at this very moment keeps its place; the next attempt finds another.
        waiting
            .min_by_key(|(order, ..)| *order)
            .is_some_and(|(_order, vitals, life)| vitals.order_close(life))
    }
}

/// Whose turn it is in a phase, and how long it must have lasted: packets of an honest client are seldom further apart.
fn rank(phase: Phase) -> Option<(u8, Duration)> {
    match phase {
        Phase::Idle => Some((0, Duration::ZERO)),
        Phase::Head => Some((1, Duration::from_secs(1))),
        Phase::HalfClosed => Some((2, Duration::from_secs(5))),
        Phase::Receiving | Phase::Sending => Some((3, Duration::from_secs(5))),
        Phase::Busy | Phase::Closing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::vitals::IDLE_MAX, *};

    #[tokio::test(start_paused = true)]
    async fn who_has_been_idle_longest_gives_way_and_who_is_answered_never() {
        let mut crowd = Crowd::new();
        let mut admitted = Vec::new();
        let phases = [Phase::Busy, Phase::Sending, Phase::Idle, Phase::Head, Phase::Idle, Phase::HalfClosed];
        for phase in phases {
            let (_number, vitals) = crowd.admit();
            vitals.enter(phase);
            admitted.push(vitals);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert!(crowd.give_way() && admitted[2].phase() == Phase::Closing);
        tokio::time::advance(Duration::from_secs(10)).await;
        let mut order = vec![2];
        while crowd.give_way() {
            let gone = |at: &usize| admitted[*at].phase() == Phase::Closing && !order.contains(at);
            let at = (0..phases.len()).find(gone).unwrap();
            order.push(at);
        }
        assert_eq!(order, [2, 4, 3, 5, 1]);
        assert_eq!(crowd.staying(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_just_come_is_not_overdue_however_long_the_door_has_been_open() {
        let mut crowd = Crowd::new();
        tokio::time::advance(IDLE_MAX * 10).await;
        let (_number, newcomer) = crowd.admit();
        crowd.close_overdue();
        assert_eq!(newcomer.phase(), Phase::Idle);
        let (_number, later) = crowd.admit();
        tokio::time::advance(IDLE_MAX).await;
        crowd.close_overdue();
        assert_eq!((newcomer.phase(), later.phase()), (Phase::Idle, Phase::Idle));
        tokio::time::advance(Duration::from_millis(1)).await;
        crowd.close_overdue();
        assert_eq!((newcomer.phase(), later.phase()), (Phase::Closing, Phase::Closing));
    }

    #[test]
    fn connections_that_ended_are_forgotten_even_when_they_did_not_say_so() {
        let mut crowd = Crowd::new();
        let (said, vitals) = crowd.admit();
        drop(vitals);
        crowd.leave(said);
        let (_lost, vitals) = crowd.admit();
        crowd.leave_lost();
        assert_eq!(crowd.staying(), 1);
        drop(vitals);
        crowd.leave_lost();
        assert_eq!(crowd.staying(), 0);
    }
}
