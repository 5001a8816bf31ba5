//! Frames in a stream of bytes: each behind its length.

use crate::ending::Ending;
use bytes::{Buf, Bytes, BytesMut};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Reads frames, holding no more than has arrived and a chunk.
pub(crate) struct FrameReader<R> {
    stream: R,
    /// Zeroed beyond `filled`.
    buffer: BytesMut,
    filled: usize,
    /// Length of the next chunk, at least.
    chunk_bytes: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new(), filled: 0, chunk_bytes: IDLE_CHUNK_BYTES }
    }

    /// The next frame, or `None` where the stream ends between two.
    pub(crate) async fn next(&mut self, frame_bytes_max: usize) -> Result<Option<Bytes>, Ending> {
        match self.next_said(frame_bytes_max).await? {
            Some(Said::Frame(frame)) => Ok(Some(frame)),
            Some(Said::Sign(_)) => Err(Ending::Protocol("a sign of life where there is none")),
            None => Ok(None),
        }
    }

    /// The next frame or sign of life, or `None` where the stream ends between two.
    pub(crate) async fn next_said(&mut self, frame_bytes_max: usize) -> Result<Option<Said>, Ending> {
        loop {
            let mut wanted = LENGTH_BYTES;
            if let Some((length, _rest)) = self.buffer[..self.filled].split_first_chunk() {
                if let Some(sign) = Sign::of(*length) {
                    self.take(LENGTH_BYTES);
                    return Ok(Some(Said::Sign(sign)));
                }
                let frame_bytes = u32::from_be_bytes(*length) as usize;
                if frame_bytes > frame_bytes_max {
                    return Err(Ending::TooLong { frame_bytes, frame_bytes_max });
                }
                wanted += frame_bytes;
                if self.filled >= wanted {
                    let mut frame = self.take(wanted);
                    frame.advance(LENGTH_BYTES);
                    return Ok(Some(Said::Frame(frame)));
                }
            }
            if !self.fill(wanted).await? {
                return if self.filled == 0 { Ok(None) } else { Err(Ending::Protocol("ended amid a frame")) };
            }
        }
    }

    /// The next `N` bytes.
    pub(crate) async fn array<const N: usize>(&mut self) -> Result<[u8; N], Ending> {
        while self.filled < N {
            if !self.fill(N).await? {
                return Err(Ending::Protocol("ended amid a header"));
            }
        }
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N));
        Ok(array)
    }

    /// Whether the stream ends here. Waits until that is known.
    pub(crate) async fn has_ended(&mut self) -> Result<bool, Ending> {
        Ok(self.filled == 0 && !self.fill(1).await?)
    }

    /// Reads on to the end of the stream, which must come next.
    pub(crate) async fn end(&mut self) -> Result<(), Ending> {
        if self.filled > 0 || self.fill(1).await? {
            return Err(Ending::Protocol("more bytes than announced"));
        }
        Ok(())
    }

    pub(crate) fn into_stream(self) -> R {
        self.stream
    }

    fn take(&mut self, count: usize) -> Bytes {
        self.filled -= count;
        self.buffer.split_to(count).freeze()
    }

    /// Reads what is there; answers whether anything came before the end.
    async fn fill(&mut self, wanted: usize) -> Result<bool, Ending> {
        self.make_room(wanted);
        let room = self.buffer.len() - self.filled;
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        self.filled += read;
        // More is there than was asked for.
        self.chunk_bytes = if read == room { CHUNK_BYTES } else { IDLE_CHUNK_BYTES };
        Ok(read > 0)
    }

    /// Sees to it that reading is worth while. Grows with what has arrived, never with what is claimed.
    fn make_room(&mut self, wanted: usize) {
        if self.buffer.len() >= wanted || self.buffer.len() - self.filled >= READ_BYTES_MIN {
            return;
        }
        let room = wanted.min(2 * self.filled).max(self.chunk_bytes);
        let mut buffer = BytesMut::zeroed(room);
        buffer[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
        self.buffer = buffer;
    }
}

/// What comes on the control lane.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Frame(Bytes),
    Sign(Sign),
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
    pub(crate) fn to_bytes(self) -> [u8; LENGTH_BYTES] {
        match self {
            Self::Ping => u32::MAX.to_be_bytes(),
            Self::Pong => (u32::MAX - 1).to_be_bytes(),
        }
    }

    fn of(length: [u8; LENGTH_BYTES]) -> Option<Self> {
        [Self::Ping, Self::Pong].into_iter().find(|sign| sign.to_bytes() == length)
    }
}

/// Writes `frames`, small ones together, and flushes.
pub(crate) async fn write_frames(
    stream: &mut (impl AsyncWrite + Unpin),
    frames: impl IntoIterator<Item = Bytes>,
) -> Result<(), Ending> {
    let mut batch = Vec::with_capacity(CHUNK_BYTES);
    for frame in frames {
        batch.extend_from_slice(&length(&frame));
        if frame.len() > COPIED_BYTES_MAX {
            stream.write_all(&batch).await?;
            stream.write_all(&frame).await?;
            batch.clear();
        } else {
            batch.extend_from_slice(&frame);
        }
        if batch.len() >= CHUNK_BYTES {
            stream.write_all(&batch).await?;
            batch.clear();
        }
    }
    stream.write_all(&batch).await?;
    stream.flush().await?;
    Ok(())
}

/// Writes `bytes` as they are, and flushes.
pub(crate) async fn write_all(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Ending> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(())
}

/// What goes in front of `frame`.
pub(crate) fn length(frame: &[u8]) -> [u8; LENGTH_BYTES] {
    u32::try_from(frame.len()).expect("frames are at most FRAME_BYTES_MAX long").to_be_bytes()
}

/// Bytes of a length.
pub(crate) const LENGTH_BYTES: usize = 4;
/// Bytes asked of a stream that has little to say, and held for it meanwhile.
const IDLE_CHUNK_BYTES: usize = 4 * 1024;
/// Bytes asked of a busy stream at once; two of yamux's frames.
const CHUNK_BYTES: usize = 32 * 1024;
/// With less room than this, a new chunk is begun.
const READ_BYTES_MIN: usize = 2 * 1024;
/// Longer frames are written from where they are.
const COPIED_BYTES_MAX: usize = 16 * 1024;

const _: () = assert!(cache_core::port::FRAME_BYTES_MAX < u32::MAX as usize - 1);

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{TryStreamExt, executor::block_on, io::Cursor, stream};
    use std::io;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let lengths = [0, 1, 5, 4096, 16_384, 16_385, 40_000, 1_000_000, 0, 3];
        let frames: Vec<Bytes> =
            lengths.iter().enumerate().map(|(at, length)| Bytes::from(vec![at as u8; *length])).collect();
        let mut wire = Cursor::new(Vec::new());
        block_on(write_frames(&mut wire, frames.clone())).unwrap();
        for piece_bytes in [1, 3, 1000, 1 << 20] {
            let mut reader = FrameReader::new(in_pieces(wire.get_ref(), piece_bytes));
            for frame in &frames {
                assert_eq!(block_on(reader.next(1_000_000)).unwrap().as_ref(), Some(frame));
            }
            assert_eq!(block_on(reader.next(1_000_000)).unwrap(), None);
        }
    }

    #[test]
    fn signs_of_life_stand_between_frames_where_there_are_any() {
        let frame = Bytes::from_static(b"frame");
        let mut wire = Sign::Ping.to_bytes().to_vec();
        wire.extend_from_slice(&length(&frame));
        wire.extend_from_slice(&frame);
        wire.extend_from_slice(&Sign::Pong.to_bytes());
        let mut reader = FrameReader::new(Cursor::new(wire.clone()));
        let said = std::iter::from_fn(|| block_on(reader.next_said(1000)).unwrap());
        let expected = [Said::Sign(Sign::Ping), Said::Frame(frame), Said::Sign(Sign::Pong)];
        assert_eq!(said.collect::<Vec<_>>(), expected);
        let refused = block_on(FrameReader::new(Cursor::new(wire)).next(1000)).unwrap_err();
        assert!(matches!(refused, Ending::Protocol(_)), "{refused}");
    }

    #[test]
    fn a_claim_beyond_the_limit_is_refused_before_anything_is_held() {
        let mut reader = FrameReader::new(Cursor::new((1u32 << 30).to_be_bytes().to_vec()));
        let refused = block_on(reader.next(1000)).unwrap_err();
        assert!(matches!(refused, Ending::TooLong { frame_bytes: 0x4000_0000, frame_bytes_max: 1000 }));
        assert!(reader.buffer.len() <= CHUNK_BYTES);
    }

    #[test]
    fn memory_follows_what_arrives_and_not_what_is_claimed() {
        let mut wire = (8u32 << 20).to_be_bytes().to_vec();
        wire.resize(100_000, 0);
        let mut reader = FrameReader::new(Cursor::new(wire));
        let refused = block_on(reader.next(8 << 20)).unwrap_err();
        assert!(matches!(refused, Ending::Protocol(_)), "{refused}");
        assert!(reader.buffer.len() <= 2 * 100_000, "{} bytes held", reader.buffer.len());
    }

    fn in_pieces(bytes: &[u8], piece_bytes: usize) -> impl AsyncRead + Unpin {
        let pieces: Vec<_> =
            bytes.chunks(piece_bytes).map(|piece| Ok::<_, io::Error>(piece.to_vec())).collect();
        stream::iter(pieces).into_async_read()
    }
}
