//! One admitted connection: what its sender, its lanes and the book share.

use crate::{
    budget::{Budget, Charge},
    outbox::{Limits, Outbox},
};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{FRAME_BYTES_MAX, Lane, PeerFigures, SendError, Side, Tenure},
};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// An admitted connection; `own` is what a transport of this kind needs besides.
#[derive(Debug)]
pub struct Link<T> {
    /// A number that no other connection of this transport has.
    pub id: LinkId,
    /// The peer that the handshake proved.
    pub peer: PeerId,
    /// Which side this node is of.
    pub side: Side,
    /// When the connection was admitted.
    pub since: Instant,
    /// What [`cache_core::port::Arbiter::replaces`] has to know of the connection.
    pub tenure: Tenure,
    /// What the transport keeps of the connection.
    pub own: T,
    /// What waits for the control lane.
    pub control: Outbox,
    /// What waits for the bulk lane.
    pub bulk: Outbox,
    control_budget: Budget,
    bulk_budget: Budget,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    dropped_frames: AtomicU64,
}

/// Names a connection of one transport, in the order of their beginnings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub(crate) u64);

/// How many of one connection's frames may wait, in either direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Queues {
    /// What may wait for the peer, on the bulk lane.
    pub bulk: Limits,
    /// Bytes of bulk frames that are being read or wait for the driver; at least
    /// [`crate::budget::CHARGE_BYTES_MAX`].
    pub bulk_budget_bytes: usize,
    /// What may wait for the peer, on the control lane.
    pub control: Limits,
    /// As [`Self::bulk_budget_bytes`], of control frames.
    pub control_budget_bytes: usize,
}

impl<T> Link<T> {
    pub(crate) fn new(id: LinkId, peer: PeerId, side: Side, tenure: Tenure, queues: Queues, own: T) -> Self {
        Self {
            id,
            peer,
            side,
            since: Instant::now(),
            tenure,
            own,
            control: Outbox::new(queues.control),
            bulk: Outbox::new(queues.bulk),
            control_budget: Budget::new(queues.control_budget_bytes),
            bulk_budget: Budget::new(queues.bulk_budget_bytes),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            dropped_frames: AtomicU64::new(0),
        }
    }

    /// Queues a frame.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the frame is dropped, and counted if its queue was full.
    pub fn send(&self, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        let queued = match lane {
            Lane::Bulk => self.bulk.push(frame),
            Lane::Control => self.control.push(frame),
        };
        if queued == Err(SendError::QueueFull) {
            self.dropped_frames.fetch_add(1, Relaxed);
        }
        queued
    }

    /// Waits until a frame of this length that comes on `lane` may be kept; `None` once the connection has ended.
    pub async fn charge(&self, lane: Lane, frame_bytes: usize) -> Option<Charge> {
        match lane {
            Lane::Bulk => self.bulk_budget.charge(frame_bytes).await,
            Lane::Control => self.control_budget.charge(frame_bytes).await,
        }
    }

    /// Lets the control frames that wait be the last to go out.
    pub fn finish(&self) {
        self.bulk.discard();
        self.control.finish();
    }

    /// Counts bytes of frames that went out.
    pub fn sent(&self, frames_bytes: usize) {
        self.sent_bytes.fetch_add(frames_bytes as u64, Relaxed);
    }

    /// What is known of the connection, with a `round_trip` that the transport has measured.
    pub fn figures(&self, round_trip: Option<Duration>) -> PeerFigures {
        PeerFigures {
            received_bytes: self.received_bytes.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            dropped_frames: self.dropped_frames.load(Relaxed),
            round_trip,
        }
    }

    pub(crate) fn received(&self, frame: &[u8]) {
        self.received_bytes.fetch_add(frame.len() as u64, Relaxed);
    }

    /// Takes no further frame in either direction, except for the control frames that wait.
    pub(crate) fn close(&self) {
        self.finish();
        self.bulk_budget.close();
        self.control_budget.close();
    }
}
