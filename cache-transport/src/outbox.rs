//! Frames that wait for one peer on one lane, bounded in number and in bytes.

use bytes::Bytes;
use cache_core::port::SendError;
use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// A queue with one taker. Pushing never waits; a full queue refuses.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    state: Mutex<State>,
    news: Notify,
}

/// What may wait for one peer on one lane.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Most frames that wait.
    pub frames_max: usize,
    /// Most bytes of frames that wait or were taken and not released. A single longer frame may wait alone.
    pub bytes_max: usize,
}

impl Outbox {
    /// An empty queue with these limits.
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), news: Notify::new() }
    }

    /// Queues `frame`, unless the limits are reached or the queue is finished: it is dropped then.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        let mut state = self.state.lock();
        if state.finished {
            return Err(SendError::NotConnected);
        }
        let too_many = state.frames.len() >= self.limits.frames_max;
        let too_long = state.bytes > 0 && state.bytes + frame.len() > self.limits.bytes_max;
        if too_many || too_long {
            return Err(SendError::QueueFull);
        }
        state.bytes += frame.len();
        state.frames.push_back(frame);
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// The oldest frames, at least one and otherwise up to 64 KiB; `None` when none will follow.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no frame.
    pub async fn take_batch(&self) -> Option<Vec<Bytes>> {
        loop {
            let (batch, finished) = self.state.lock().batch();
            if !batch.is_empty() {
                return Some(batch);
            }
            if finished {
                return None;
            }
            self.news.notified().await;
        }
    }

    /// The oldest frame, whose bytes count as waiting until [`Self::release`]; `None` when none will follow.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no frame.
    pub async fn take(&self) -> Option<Bytes> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(frame) = state.frames.pop_front() {
                    return Some(frame);
                }
                if state.finished {
                    return None;
                }
            }
            self.news.notified().await;
        }
    }

    /// Stops counting the bytes of a frame that [`Self::take`] returned.
    pub fn release(&self, frame_bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(frame_bytes);
    }

    /// Refuses further frames; those that wait may still be taken.
    pub(crate) fn finish(&self) {
        self.state.lock().finished = true;
        self.news.notify_one();
    }

    /// Refuses further frames, and drops those that wait.
    pub(crate) fn discard(&self) {
        let mut state = self.state.lock();
        let waiting_bytes: usize = state.frames.drain(..).map(|frame| frame.len()).sum();
        state.bytes -= waiting_bytes;
        state.finished = true;
        drop(state);
        self.news.notify_one();
    }
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// Of `frames`, and of those taken one by one and not released.
    bytes: usize,
    finished: bool,
}

impl State {
    /// Takes frames until a batch is full, one at least; and whether none will follow.
    fn batch(&mut self) -> (Vec<Bytes>, bool) {
        let (mut batch, mut batch_bytes) = (Vec::new(), 0);
        while let Some(next) = self.frames.front()
            && (batch.is_empty() || batch_bytes + next.len() <= BATCH_BYTES)
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
    use futures::FutureExt as _;

    fn outbox(frames_max: usize, bytes_max: usize) -> Outbox {
        Outbox::new(Limits { frames_max, bytes_max })
    }

    fn frame(frame_bytes: usize) -> Bytes {
        vec![b'x'; frame_bytes].into()
    }

    #[test]
    fn a_queue_is_full_by_number_or_by_bytes_and_takes_one_frame_of_any_length() {
        let by_number = outbox(2, 100);
        assert_eq!([(); 3].map(|()| by_number.push(frame(0))), [Ok(()), Ok(()), Err(SendError::QueueFull)]);
        let by_bytes = outbox(10, 100);
        assert_eq!(by_bytes.push(frame(1000)), Ok(()));
        assert_eq!(by_bytes.push(frame(1)), Err(SendError::QueueFull));
        assert_eq!(by_bytes.take_batch().now_or_never().flatten().map(|batch| batch.len()), Some(1));
        assert_eq!(by_bytes.push(frame(1)), Ok(()));
    }

    #[test]
    fn a_batch_keeps_the_order_and_ends_before_it_grows_too_long() {
        let outbox = outbox(10, usize::MAX);
        for length in [1, 2, BATCH_BYTES - 3, 4] {
            outbox.push(frame(length)).unwrap();
        }
        outbox.finish();
        assert_eq!(outbox.push(frame(1)), Err(SendError::NotConnected));
        let lengths = |batch: Vec<Bytes>| batch.iter().map(Bytes::len).collect::<Vec<_>>();
        assert_eq!(
            outbox.take_batch().now_or_never().unwrap().map(lengths),
            Some(vec![1, 2, BATCH_BYTES - 3])
        );
        assert_eq!(outbox.take().now_or_never().unwrap().map(|frame| frame.len()), Some(4));
        assert_eq!(outbox.take_batch().now_or_never().unwrap(), None);
    }

    #[test]
    fn frames_taken_one_by_one_count_until_they_are_released() {
        let outbox = outbox(10, 40);
        for _ in 0..4 {
            assert_eq!(outbox.push(frame(10)), Ok(()));
        }
        let taken = outbox.take().now_or_never().unwrap().unwrap();
        assert_eq!(outbox.push(frame(10)), Err(SendError::QueueFull));
        outbox.release(taken.len());
        assert_eq!(outbox.push(frame(10)), Ok(()));
    }

    #[test]
    fn what_is_discarded_is_taken_by_nobody_and_what_was_taken_may_still_be_released() {
        let outbox = outbox(10, 40);
        outbox.push(frame(10)).unwrap();
        outbox.push(frame(20)).unwrap();
        let taken = outbox.take().now_or_never().unwrap().unwrap();
        outbox.discard();
        assert_eq!(outbox.take().now_or_never().unwrap(), None);
        assert_eq!(outbox.push(frame(1)), Err(SendError::NotConnected));
        outbox.release(taken.len());
        assert_eq!(outbox.state.lock().bytes, 0);
    }
}
