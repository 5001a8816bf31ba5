//! The body of a delivery, read within bounds.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Memory for the bodies of all deliveries that are being read.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// A whole body, with the room that it takes.
pub(super) struct Read {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unread {
    /// Its sender broke off.
    BrokenOff,
    /// There is no room for it now.
    Crowded,
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLong,
    /// It took longer than [`BODY_TIMEOUT`].
    TooSlow,
}

impl Room {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_BYTES)))
    }

    /// Reads `body`. Room is taken for what has come, not for what is announced.
    ///
    /// # Errors
    ///
    /// [`Unread`]; nothing is held on to.
    pub(super) async fn read<B>(&self, body: B) -> Result<Read, Unread>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
            return Err(Unread::TooLong);
        }
        timeout(BODY_TIMEOUT, self.read_pieces(body)).await.unwrap_or(Err(Unread::TooSlow))
    }

    async fn read_pieces<B>(&self, mut body: B) -> Result<Read, Unread>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (mut bytes, mut room): (Vec<u8>, Option<OwnedSemaphorePermit>) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Err(Unread::BrokenOff) };
            let Ok(piece) = frame.into_data() else { continue };
            if bytes.len() + piece.len() > BODY_BYTES_MAX {
                return Err(Unread::TooLong);
            }
            let Ok(count) = u32::try_from(piece.len()) else { return Err(Unread::TooLong) };
            let taken = Arc::clone(&self.0).try_acquire_many_owned(count).map_err(|_full| Unread::Crowded)?;
            match &mut room {
                Some(room) => room.merge(taken),
                None => room = Some(taken),
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Read { bytes: bytes.into(), _room: room })
    }
}

/// Longest body of a delivery, in bytes: GitHub sends none that is longer than 25 MB.
pub(super) const BODY_BYTES_MAX: usize = 25 * 1024 * 1024;
/// Room for all of them, in bytes: two of the longest, and hundreds of usual ones, which have some twenty thousand.
const ROOM_BYTES: usize = 2 * BODY_BYTES_MAX + 8 * 1024 * 1024;
/// How long a body may take in all. GitHub gives a delivery up after ten seconds.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;
    use std::convert::Infallible;

    fn pieces(count: usize, bytes: usize) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
        let piece = Bytes::from(vec![b'x'; bytes]);
        StreamBody::new(futures::stream::iter((0..count).map(move |_| Ok(Frame::data(piece.clone())))))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_the_longest_of_github() {
        let room = Room::new();
        assert_eq!(
            room.read(pieces(25, 1024 * 1024)).await.map(|read| read.bytes.len()).ok(),
            Some(BODY_BYTES_MAX)
        );
        assert_eq!(room.read(pieces(26, 1024 * 1024)).await.err(), Some(Unread::TooLong));
        let announced = Full::new(Bytes::from(vec![b'x'; BODY_BYTES_MAX + 1]));
        assert_eq!(room.read(announced).await.err(), Some(Unread::TooLong));
    }

    #[tokio::test]
    async fn bodies_beyond_the_room_are_turned_away_until_others_are_done() {
        let room = Room::new();
        let first = room.read(pieces(25, 1024 * 1024)).await.unwrap();
        let second = room.read(pieces(25, 1024 * 1024)).await.unwrap();
        assert_eq!(room.read(pieces(25, 1024 * 1024)).await.err(), Some(Unread::Crowded));
        assert!(room.read(pieces(1, 20_000)).await.is_ok(), "a usual one has room");
        drop((first, second));
        assert!(room.read(pieces(25, 1024 * 1024)).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_given_up() {
        let endless = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert_eq!(Room::new().read(endless).await.err(), Some(Unread::TooSlow));
    }
}
