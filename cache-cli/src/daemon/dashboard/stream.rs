//! The stream of events that a page listens to: what it does not know yet, whenever there is something.
//!
//! A stream holds no queue. It looks at the board when its browser has room for more, so a slow one skips what was shown
//! meanwhile.

use super::board::{Board, Told};
use crate::door::Running;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use std::sync::Arc;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// The places for streams, so many and no more.
#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Notify>,
}

impl Places {
    /// [`STREAMS_MAX`] places, all free.
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(STREAMS_MAX)), taken: Arc::new(Notify::new()) }
    }

    /// Takes a place until what is given back is dropped; `None` if there is none.
    pub(super) fn take(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.free).try_acquire_owned().ok()?;
        self.taken.notify_one();
        Some(place)
    }

    /// Waits until a place was taken since this was asked last.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no word.
    pub(super) async fn taken(&self) {
        self.taken.notified().await;
    }

    /// Whether anybody looks, on any of the places.
    pub(super) fn are_taken(&self) -> bool {
        self.free.available_permits() < STREAMS_MAX
    }
}

struct Page {
    board: watch::Receiver<Board>,
    told: Told,
    running: Running,
    _place: OwnedSemaphorePermit,
}

/// Tells a page on `place` what `board` shows, until the daemon stops.
pub(super) fn events(
    board: watch::Receiver<Board>,
    running: Running,
    place: OwnedSemaphorePermit,
) -> BoxStream<'static, Bytes> {
    let page = Page { board, told: Told::default(), running, _place: place };
    let first = stream::iter([Bytes::from_static(RETRY)]);
    first.chain(stream::unfold(page, next)).boxed()
}

async fn next(mut page: Page) -> Option<(Bytes, Page)> {
    loop {
        let news = page.board.borrow_and_update().news(&mut page.told);
        if !news.is_empty() {
            return Some((news, page));
        }
        tokio::select! {
            () = page.running.stopped() => return None,
            changed = page.board.changed() => changed.ok()?,
        }
    }
}

/// Most pages that are open at once: those of a team, and some that were forgotten.
pub(super) const STREAMS_MAX: usize = 16;
/// How long a browser waits before it connects anew, in milliseconds.
const RETRY: &[u8] = b"retry: 2000\n\n";

#[cfg(test)]
mod tests {
    use super::{super::board::Topic, *};

    #[tokio::test]
    async fn a_slow_page_skips_what_was_shown_meanwhile_and_its_stream_ends_with_the_daemon() {
        let (board, told) = watch::channel(Board::default());
        let (stop, running) = Running::new();
        let places = Places::new();
        let mut events = events(told, running, places.take().unwrap());
        assert!(places.are_taken());
        assert_eq!(events.next().await.unwrap(), RETRY);
        for number in 0..100 {
            board.send_modify(|board| board.put(Topic::Tick, &number));
        }
        assert_eq!(events.next().await.unwrap(), "event: tick\ndata: 99\n\n");
        stop.send_replace(true);
        assert_eq!(events.next().await, None);
        drop(events);
        assert!(!places.are_taken());
    }

    #[test]
    fn there_are_so_many_places_and_one_that_is_left_is_free_again() {
        let places = Places::new();
        let mut taken: Vec<_> = (0..STREAMS_MAX).map(|_| places.take().unwrap()).collect();
        assert!(places.take().is_none());
        taken.pop();
        assert!(places.take().is_some());
    }
}
