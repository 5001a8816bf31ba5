//! Frames that wait for one peer.

use crate::{
    settings::{
        BULK_QUEUE_BYTES_MAX, BULK_QUEUE_FRAMES_MAX, CONTROL_QUEUE_BYTES_MAX, CONTROL_QUEUE_FRAMES_MAX,
    },
    sign::Sign,
};
use bytes::Bytes;
use cache_core::port::{FRAME_BYTES_MAX, Lane, SendError};
use parking_lot::Mutex;
use std::{collections::VecDeque, mem};
use tokio::sync::Notify;

/// The queues towards one peer: bounded in frames and in bytes, closed once.
#[derive(Default)]
pub(crate) struct Outbox {
    queues: Mutex<Queues>,
    control_due: Notify,
    bulk_due: Notify,
    closing: Notify,
}

impl Outbox {
    pub(crate) fn push(&self, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        let mut queues = self.queues.lock();
        if queues.closed {
            return Err(SendError::NotConnected);
        }
        match lane {
            Lane::Bulk => {
                queues.bulk.push(frame, BULK_QUEUE_FRAMES_MAX, BULK_QUEUE_BYTES_MAX)?;
                drop(queues);
                self.bulk_due.notify_one();
            }
            Lane::Control => {
                queues.control.push(frame, CONTROL_QUEUE_FRAMES_MAX, CONTROL_QUEUE_BYTES_MAX)?;
                drop(queues);
                self.control_due.notify_one();
            }
        }
        Ok(())
    }

    /// Takes no further frame, and lets those of the control lane that wait go out.
    pub(crate) fn close(&self) {
        self.queues.lock().closed = true;
        self.control_due.notify_one();
        self.bulk_due.notify_one();
        self.closing.notify_one();
    }

    /// Has a sign of life go out, in front of what waits.
    pub(crate) fn sign(&self, sign: Sign) {
        let mut queues = self.queues.lock();
        if !queues.closed && !queues.signs.contains(&sign) {
            queues.signs.push(sign);
            drop(queues);
            self.control_due.notify_one();
        }
    }

    /// Everything that waits in the control lane; `None` once closed and empty.
    pub(crate) async fn control(&self) -> Option<(Vec<Sign>, VecDeque<Bytes>)> {
        loop {
            {
                let mut queues = self.queues.lock();
                if !queues.control.frames.is_empty() || !queues.signs.is_empty() {
                    let batch = mem::take(&mut queues.control);
                    return Some((mem::take(&mut queues.signs), batch.frames));
                }
                if queues.closed {
                    return None;
                }
            }
            self.control_due.notified().await;
        }
    }

    /// The next frame of the bulk lane; `None` once closed. It counts as waiting until [`Self::bulk_sent`].
    pub(crate) async fn bulk(&self) -> Option<Bytes> {
        loop {
            {
                let mut queues = self.queues.lock();
                if queues.closed {
                    return None;
                }
                if let Some(frame) = queues.bulk.frames.pop_front() {
                    return Some(frame);
                }
            }
            self.bulk_due.notified().await;
        }
    }

    pub(crate) fn bulk_sent(&self, frame_bytes: usize) {
        self.queues.lock().bulk.bytes -= frame_bytes;
    }

    /// Comes back once [`Self::close`] was called. For one caller.
    pub(crate) async fn closed(&self) {
        self.closing.notified().await;
    }
}

#[derive(Default)]
struct Queues {
    bulk: Queue,
    control: Queue,
    /// Each kind once at most.
    signs: Vec<Sign>,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    /// Of `frames` and, in the bulk lane, of those on their way.
    bytes: usize,
}

impl Queue {
    fn push(&mut self, frame: Bytes, frames_max: usize, bytes_max: usize) -> Result<(), SendError> {
        let fits = self.bytes == 0 || self.bytes + frame.len() <= bytes_max;
        if self.frames.len() >= frames_max || !fits {
            return Err(SendError::QueueFull);
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_queue_is_full_by_frames_and_by_bytes_and_takes_any_single_frame() {
        let outbox = Outbox::default();
        let push = |length: usize| outbox.push(Lane::Control, Bytes::from(vec![0; length]));
        assert_eq!(push(FRAME_BYTES_MAX + 1), Err(SendError::TooLong));
        assert_eq!(push(FRAME_BYTES_MAX), Ok(()));
        assert_eq!(push(1), Err(SendError::QueueFull));
        assert_eq!(outbox.control().now_or_never().unwrap().unwrap().1.len(), 1);
        for _ in 0..CONTROL_QUEUE_FRAMES_MAX {
            assert_eq!(push(1), Ok(()));
        }
        assert_eq!(push(1), Err(SendError::QueueFull));
    }

    #[test]
    fn empty_frames_are_bounded_too() {
        let outbox = Outbox::default();
        let pushed = (0..10_000).filter(|_| outbox.push(Lane::Control, Bytes::new()).is_ok()).count();
        assert_eq!(pushed, CONTROL_QUEUE_FRAMES_MAX);
    }

    #[test]
    fn bulk_frames_on_their_way_still_count() {
        let outbox = Outbox::default();
        let frame = Bytes::from(vec![0; FRAME_BYTES_MAX]);
        for _ in 0..4 {
            assert_eq!(outbox.push(Lane::Bulk, frame.clone()), Ok(()));
        }
        outbox.bulk().now_or_never().unwrap().unwrap();
        assert_eq!(outbox.push(Lane::Bulk, frame.clone()), Err(SendError::QueueFull));
        outbox.bulk_sent(frame.len());
        assert_eq!(outbox.push(Lane::Bulk, frame), Ok(()));
    }

    #[test]
    fn what_waits_in_the_control_lane_still_goes_out_after_closing() {
        let outbox = Outbox::default();
        outbox.push(Lane::Control, Bytes::from_static(b"bye")).unwrap();
        outbox.close();
        assert_eq!(outbox.push(Lane::Control, Bytes::new()), Err(SendError::NotConnected));
        assert!(outbox.control().now_or_never().unwrap().is_some());
        assert!(outbox.control().now_or_never().unwrap().is_none());
        assert!(outbox.bulk().now_or_never().unwrap().is_none());
    }
}
