//! Signs of life, which stand between the frames of the control lane.

use cache_core::port::FRAME_BYTES_MAX;
use cache_transport::frame::{self, FrameError, FrameReader, PREFIX_BYTES};
use futures::AsyncRead;

/// What comes on the control lane.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Said {
    /// The length of a frame, which follows.
    Frame {
        frame_bytes: usize,
    },
    Sign(Sign),
}

/// The length of the next frame, or the next sign of life, or `None` where the stream ends between two.
pub(crate) async fn next_said<R: AsyncRead + Unpin>(
    reader: &mut FrameReader<R>,
) -> Result<Option<Said>, FrameError> {
    let Some(prefix) = reader.prefix().await? else { return Ok(None) };
    if let Some(sign) = Sign::of(prefix) {
        return Ok(Some(Said::Sign(sign)));
    }
    let frame_bytes = frame::checked(prefix, FRAME_BYTES_MAX)?;
    Ok(Some(Said::Frame { frame_bytes }))
}

/// A sign of life: a length that no frame has, and nothing behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// Asks the peer whether it is there.
    Ping,
    /// The answer to a ping.
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
        let frame = b"frame";
        let wire =
            [&Sign::Ping.to_bytes()[..], &frame::prefix(frame), frame, &Sign::Pong.to_bytes()].concat();
        let mut reader = FrameReader::new(Cursor::new(wire.clone()));
        let mut next = || block_on(next_said(&mut reader)).unwrap();
        assert_eq!(next(), Some(Said::Sign(Sign::Ping)));
        assert_eq!(next(), Some(Said::Frame { frame_bytes: 5 }));
        assert_eq!(block_on(reader.body(5)).unwrap(), &frame[..]);
        let mut next = || block_on(next_said(&mut reader)).unwrap();
        assert_eq!(next(), Some(Said::Sign(Sign::Pong)));
        assert_eq!(next(), None);
        assert!(block_on(FrameReader::new(Cursor::new(wire)).next(1000)).is_err());
    }
}
