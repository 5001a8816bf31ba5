//! Signs of life, which stand between the frames of the control lane.

use crate::ending::Ending;
use bytes::Bytes;
use cache_core::port::FRAME_BYTES_MAX;
use cache_transport::frame::{self, FrameReader, PREFIX_BYTES};
use futures::AsyncRead;

/// What comes on the control lane.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Frame(Bytes),
    Sign(Sign),
}

/// The next frame or sign of life, or `None` where the stream ends between two.
pub(crate) async fn next_said<R: AsyncRead + Unpin>(
    reader: &mut FrameReader<R>,
) -> Result<Option<Said>, Ending> {
    let Some(prefix) = reader.prefix().await? else { return Ok(None) };
    if let Some(sign) = Sign::of(prefix) {
        return Ok(Some(Said::Sign(sign)));
    }
    let frame_bytes = frame::checked(prefix, FRAME_BYTES_MAX)?;
    Ok(Some(Said::Frame(reader.body(frame_bytes).await?)))
}

/// A sign of life: a length that no frame has, and nothing behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
}

impl Sign {
    pub(crate) fn to_bytes(self) -> [u8; PREFIX_BYTES] {
        match self {
            Self::Ping => u32::MAX.to_be_bytes(),
            Self::Pong => (u32::MAX - 1).to_be_bytes(),
        }
    }

    fn of(prefix: [u8; PREFIX_BYTES]) -> Option<Self> {
        [Self::Ping, Self::Pong].into_iter().find(|sign| sign.to_bytes() == prefix)
    }
}

const _: () = assert!(FRAME_BYTES_MAX < u32::MAX as usize - 1);

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{executor::block_on, io::Cursor};

    #[test]
    fn signs_of_life_stand_between_frames_where_there_are_any() {
        let frame = Bytes::from_static(b"frame");
        let wire =
            [&Sign::Ping.to_bytes()[..], &frame::prefix(&frame), &frame, &Sign::Pong.to_bytes()].concat();
        let mut reader = FrameReader::new(Cursor::new(wire.clone()));
        let said = std::iter::from_fn(|| block_on(next_said(&mut reader)).unwrap());
        let expected = [Said::Sign(Sign::Ping), Said::Frame(frame), Said::Sign(Sign::Pong)];
        assert_eq!(said.collect::<Vec<_>>(), expected);
        assert!(block_on(FrameReader::new(Cursor::new(wire)).next(1000)).is_err());
    }
}
