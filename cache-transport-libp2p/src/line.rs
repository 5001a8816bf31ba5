//! What this transport keeps of each admitted connection: its name in libp2p, and its signs of life.
//!
//! The signs are this transport's own, since neither yamux nor libp2p's QUIC tells within the time that is allowed.

use crate::sign::Sign;
use libp2p::swarm::ConnectionId;
use parking_lot::Mutex;
use std::{
    mem,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// One admitted connection. Its streams live with its [`crate::handler::Handler`].
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    since: Instant,
    /// Zero before the first answer.
    round_trip_nanos: AtomicU64,
    /// When the peer was last asked whether it is there, in nanoseconds after `since`; zero once it has answered.
    pinged_nanos: AtomicU64,
    /// When the peer last showed that it lives, in nanoseconds after `since`.
    heard_nanos: AtomicU64,
    /// Signs that are to go out, each kind once at most; `None` once closed.
    signs: Mutex<Option<Vec<Sign>>>,
    signs_due: Notify,
    closing: Notify,
}

impl Line {
    pub(crate) fn new(id: ConnectionId) -> Self {
        Self {
            id,
            since: Instant::now(),
            round_trip_nanos: AtomicU64::new(0),
            pinged_nanos: AtomicU64::new(0),
            heard_nanos: AtomicU64::new(0),
            signs: Mutex::new(Some(Vec::new())),
            signs_due: Notify::new(),
            closing: Notify::new(),
        }
    }

    /// Asks the peer whether it is there.
    pub(crate) fn ping(&self) {
        self.pinged_nanos.store(self.age_nanos().max(1), Relaxed);
        self.sign(Sign::Ping);
    }

    /// Answers a ping of the peer.
    pub(crate) fn pinged(&self) {
        self.heard();
        self.sign(Sign::Pong);
    }

    /// Notes the peer's answer to a ping, if it was asked.
    pub(crate) fn pong(&self) {
        let pinged = self.pinged_nanos.swap(0, Relaxed);
        if pinged > 0 {
            self.round_trip_nanos.store(self.age_nanos().saturating_sub(pinged).max(1), Relaxed);
        }
        self.heard();
    }

    /// Notes that the peer lives.
    pub(crate) fn heard(&self) {
        self.heard_nanos.fetch_max(self.age_nanos(), Relaxed);
    }

    /// When the peer last showed that it lives.
    pub(crate) fn last_heard(&self) -> Instant {
        self.since + Duration::from_nanos(self.heard_nanos.load(Relaxed))
    }

    /// The round trip, as the last answer to a ping has shown it.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let nanos = self.round_trip_nanos.load(Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    /// The signs that are to go out, in front of what else waits. Loses none when dropped.
    pub(crate) async fn signs(&self) -> Vec<Sign> {
        loop {
            let signs = self.signs.lock().as_mut().map(mem::take).unwrap_or_default();
            if !signs.is_empty() {
                return signs;
            }
            self.signs_due.notified().await;
        }
    }

    /// Gives no further sign, and ends the connection once it had time to close.
    pub(crate) fn close(&self) {
        *self.signs.lock() = None;
        self.closing.notify_one();
    }

    /// Returns once [`Self::close`] was called. Meant for one caller.
    pub(crate) async fn closed(&self) {
        self.closing.notified().await;
    }

    fn sign(&self, sign: Sign) {
        if let Some(signs) = &mut *self.signs.lock()
            && !signs.contains(&sign)
        {
            signs.push(sign);
            self.signs_due.notify_one();
        }
    }

    fn age_nanos(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn signs_go_out_once_each_and_none_after_closing() {
        let line = Line::new(ConnectionId::new_unchecked(1));
        line.ping();
        line.ping();
        line.pinged();
        assert_eq!(line.signs().now_or_never(), Some(vec![Sign::Ping, Sign::Pong]));
        assert_eq!(line.signs().now_or_never(), None);
        line.close();
        line.ping();
        assert_eq!(line.signs().now_or_never(), None);
        assert!(line.closed().now_or_never().is_some());
    }

    #[test]
    fn a_round_trip_is_known_once_a_ping_was_answered() {
        let line = Line::new(ConnectionId::new_unchecked(1));
        line.pong();
        assert_eq!(line.round_trip(), None);
        line.ping();
        line.pong();
        assert!(line.round_trip().is_some());
        assert!(line.last_heard() >= line.since);
    }
}
