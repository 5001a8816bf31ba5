//! Frames that wait for one peer on one lane, bounded in number and in bytes.

use bytes::Bytes;
use cache_core::port::SendError;
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// A queue with one taker. Whoever puts in never waits; a full queue refuses.
#[derive(Debug)]
pub(crate) struct Outbox {
    bytes_max: usize,
    frames_max: usize,
    state: Mutex<State>,
    news: Notify,
}

impl Outbox {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> Self {
        Self { bytes_max, frames_max, state: Mutex::default(), news: Notify::new() }
    }

    /// Queues `frame`. Into an empty queue every frame fits.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.state.lock();
        if state.finished {
            return Err(SendError::NotConnected);
        }
        let too_many = state.frames.len() >= self.frames_max;
        let too_long = !state.frames.is_empty() && state.bytes + frame.len() > self.bytes_max;
        if too_many || too_long {
            return Err(SendError::QueueFull);
        }
        state.bytes += frame.len();
        state.frames.push_back(frame);
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// The oldest frames, at least one and otherwise up to [`BATCH_BYTES`]; `None` when none will follow.
    pub(crate) async fn take_batch(&self) -> Option<Vec<Bytes>> {
        loop {
            let (batch, finished) = self.state.lock().batch(BATCH_BYTES);
            if !batch.is_empty() {
                return Some(batch);
            }
            if finished {
                return None;
            }
            self.news.notified().await;
        }
    }

    /// The oldest frame; `None` when none will follow.
    pub(crate) async fn take(&self) -> Option<Bytes> {
        loop {
            let (batch, finished) = self.state.lock().batch(0);
            if let Some(frame) = batch.into_iter().next() {
                return Some(frame);
            }
            if finished {
                return None;
            }
            self.news.notified().await;
        }
    }

    /// Refuses further frames; those that wait may still be taken.
    pub(crate) fn finish(&self) {
        self.state.lock().finished = true;
        self.news.notify_one();
    }
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    bytes: usize,
    finished: bool,
}

impl State {
    /// Takes frames until `bytes_max` is reached, one at least; and whether none will follow.
    fn batch(&mut self, bytes_max: usize) -> (Vec<Bytes>, bool) {
        let (mut batch, mut batch_bytes) = (Vec::new(), 0);
        while let Some(next) = self.frames.front()
            && (batch.is_empty() || batch_bytes + next.len() <= bytes_max)
            && batch.len() < BATCH_FRAMES_MAX
        {
            batch_bytes += next.len();
            batch.extend(self.frames.pop_front());
        }
        self.bytes -= batch_bytes;
        (batch, self.finished)
    }
}

/// What is written in one go. More would hold short frames back behind long ones that came later.
const BATCH_BYTES: usize = 64 * 1024;

/// Bounds a batch of empty frames.
const BATCH_FRAMES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(frame_bytes: usize) -> Bytes {
        vec![b'x'; frame_bytes].into()
    }

    #[test]
    fn a_queue_is_full_by_number_or_by_bytes_and_takes_one_frame_of_any_length() {
        let by_number = Outbox::new(2, 100);
        assert_eq!([(); 3].map(|()| by_number.push(frame(0))), [Ok(()), Ok(()), Err(SendError::QueueFull)]);
        let by_bytes = Outbox::new(10, 100);
        assert_eq!(by_bytes.push(frame(1000)), Ok(()));
        assert_eq!(by_bytes.push(frame(1)), Err(SendError::QueueFull));
    }

    #[tokio::test]
    async fn a_batch_keeps_the_order_and_ends_before_it_grows_too_long() {
        let outbox = Outbox::new(10, usize::MAX);
        for length in [1, 2, BATCH_BYTES - 3, 4] {
            outbox.push(frame(length)).unwrap();
        }
        outbox.finish();
        assert_eq!(outbox.push(frame(1)), Err(SendError::NotConnected));
        let lengths = |batch: Vec<Bytes>| batch.iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(outbox.take_batch().await.map(lengths), Some(vec![1, 2, BATCH_BYTES - 3]));
        assert_eq!(outbox.take().await.map(|frame| frame.len()), Some(4));
        assert_eq!(outbox.take_batch().await, None);
    }
}
