//! One admitted connection, as the rest of the transport sees it.

use crate::{outbox::Outbox, sign::Sign};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Lane, PeerFigures, SendError, Side, Tenure},
};
use libp2p::swarm::ConnectionId;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// One admitted connection: its queues and figures. Its streams live with its [`crate::handler::Handler`].
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) peer: PeerId,
    pub(crate) side: Side,
    pub(crate) tenure: Tenure,
    pub(crate) since: Instant,
    pub(crate) outbox: Outbox,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    dropped_frames: AtomicU64,
    /// Zero before the first answer.
    round_trip_nanos: AtomicU64,
    /// When the peer was last asked whether it is there, in nanoseconds after `since`; zero once it has answered.
    pinged_nanos: AtomicU64,
    /// When the peer last showed that it lives, in nanoseconds after `since`.
    heard_nanos: AtomicU64,
}

impl Link {
    pub(crate) fn new(id: ConnectionId, peer: PeerId, side: Side, tenure: Tenure) -> Self {
        Self {
            id,
            peer,
            side,
            tenure,
            since: Instant::now(),
            outbox: Outbox::default(),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            dropped_frames: AtomicU64::new(0),
            round_trip_nanos: AtomicU64::new(0),
            pinged_nanos: AtomicU64::new(0),
            heard_nanos: AtomicU64::new(0),
        }
    }

    pub(crate) fn send(&self, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let pushed = self.outbox.push(lane, frame);
        if pushed == Err(SendError::QueueFull) {
            self.dropped_frames.fetch_add(1, Relaxed);
        }
        pushed
    }

    pub(crate) fn received(&self, frame: &[u8]) {
        self.heard();
        self.received_bytes.fetch_add(frame.len() as u64, Relaxed);
    }

    pub(crate) fn sent(&self, frames_bytes: usize) {
        self.sent_bytes.fetch_add(frames_bytes as u64, Relaxed);
    }

    /// Asks the peer whether it is there.
    pub(crate) fn ping(&self) {
        self.pinged_nanos.store(self.age_nanos().max(1), Relaxed);
        self.outbox.sign(Sign::Ping);
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

    fn age_nanos(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// When the peer last showed that it lives.
    pub(crate) fn last_heard(&self) -> Instant {
        self.since + Duration::from_nanos(self.heard_nanos.load(Relaxed))
    }

    pub(crate) fn figures(&self) -> PeerFigures {
        let round_trip_nanos = self.round_trip_nanos.load(Relaxed);
        PeerFigures {
            received_bytes: self.received_bytes.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            dropped_frames: self.dropped_frames.load(Relaxed),
            round_trip: (round_trip_nanos > 0).then(|| Duration::from_nanos(round_trip_nanos)),
        }
    }
}
