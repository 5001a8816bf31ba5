//! What one peer's frames may occupy before the driver takes them.
//!
//! The reader of a lane charges each frame to that lane's budget before it goes on, and the driver gives the charge
//! back by taking the frame. So if a peer's frames are not taken, no more are read from it, its sender runs into the
//! flow control below, and the lanes do not wait for each other.

use cache_core::port::FRAME_BYTES_MAX;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes that frames of one lane of one connection may occupy.
#[derive(Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// A frame's share of what a lane may occupy; dropping it gives the share back.
#[derive(Debug)]
pub struct Charge {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    /// A budget of this many bytes, or of [`CHARGE_BYTES_MAX`], if that is more: the longest frame must fit.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.clamp(CHARGE_BYTES_MAX, Semaphore::MAX_PERMITS))))
    }

    /// Waits until a frame of this length, at most [`FRAME_BYTES_MAX`], may be kept; `None` once closed.
    pub(crate) async fn charge(&self, frame_bytes: usize) -> Option<Charge> {
        let charged =
            u32::try_from(frame_bytes + FRAME_OVERHEAD_BYTES).expect("frames are shorter than 4 GiB");
        let permit = Arc::clone(&self.0).acquire_many_owned(charged).await.ok()?;
        Some(Charge { _permit: permit })
    }

    /// Keeps no further frame.
    pub(crate) fn close(&self) {
        self.0.close();
    }
}

/// What the longest frame is charged, in bytes.
pub const CHARGE_BYTES_MAX: usize = FRAME_BYTES_MAX + FRAME_OVERHEAD_BYTES;

/// Bytes charged for each frame besides its length, so that a budget bounds empty frames too.
const FRAME_OVERHEAD_BYTES: usize = 256;

const _: () = assert!(CHARGE_BYTES_MAX <= u32::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn empty_frames_are_bounded_and_room_comes_back_when_they_are_taken() {
        let budget = Budget::new(CHARGE_BYTES_MAX);
        let mut kept = Vec::new();
        while let Some(charge) = budget.charge(0).now_or_never() {
            kept.push(charge.expect("it is open"));
        }
        assert_eq!(kept.len(), CHARGE_BYTES_MAX / FRAME_OVERHEAD_BYTES);
        kept.pop();
        assert!(budget.charge(0).now_or_never().is_some());
    }

    #[test]
    fn whoever_waits_hears_when_the_budget_is_closed() {
        let budget = Budget::new(2 * CHARGE_BYTES_MAX);
        let kept = [(); 2].map(|()| budget.charge(FRAME_BYTES_MAX).now_or_never().flatten().expect("room"));
        let mut waiting = Box::pin(budget.charge(1));
        assert!((&mut waiting).now_or_never().is_none());
        budget.close();
        assert!(waiting.now_or_never().expect("it is closed").is_none());
        drop(kept);
    }

    #[test]
    fn the_longest_frame_fits_into_any_budget() {
        assert!(Budget::new(0).charge(FRAME_BYTES_MAX).now_or_never().flatten().is_some());
    }
}
