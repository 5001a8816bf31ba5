//! Frames in a stream of bytes: four bytes of length, most significant first, then as many bytes.
//!
//! Owns the form only. Memory grows with the bytes that came, never with those that were promised.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{AsyncRead, AsyncReadExt as _};
use std::io;
use thiserror::Error;

/// Reads frame after frame from a stream, and holds no more than what has arrived and one chunk.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    /// Zeroed beyond `filled`.
    buffer: BytesMut,
    filled: usize,
    /// Length of the next chunk, at least.
    chunk_bytes: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader at the beginning of `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: BytesMut::new(), filled: 0, chunk_bytes: IDLE_CHUNK_BYTES }
    }

    /// The next frame, or `None` where the stream ends between two.
    ///
    /// # Errors
    ///
    /// [`FrameError`]; the stream is of no use afterwards.
    pub async fn next(&mut self, frame_bytes_max: usize) -> Result<Option<Bytes>, FrameError> {
        match self.header(frame_bytes_max).await? {
            Some(frame_bytes) => self.body(frame_bytes).await.map(Some),
            None => Ok(None),
        }
    }

    /// The length of the next frame, at most `frame_bytes_max`; `None` where the stream ends between two frames.
    ///
    /// # Errors
    ///
    /// [`FrameError`]; nothing was reserved for the frame.
    pub async fn header(&mut self, frame_bytes_max: usize) -> Result<Option<usize>, FrameError> {
        let prefix = self.prefix().await?;
        prefix.map(|prefix| checked(prefix, frame_bytes_max)).transpose()
    }

    /// The bytes where the length of the next frame stands, whatever they say; `None` where the stream ends instead.
    ///
    /// # Errors
    ///
    /// [`FrameError::Io`] and [`FrameError::Truncated`].
    pub async fn prefix(&mut self) -> Result<Option<[u8; PREFIX_BYTES]>, FrameError> {
        while self.filled < PREFIX_BYTES {
            if !self.fill(PREFIX_BYTES).await? {
                return if self.filled == 0 { Ok(None) } else { Err(FrameError::Truncated) };
            }
        }
        self.array().await.map(Some)
    }

    /// The frame whose length [`Self::header`] has just returned.
    ///
    /// # Errors
    ///
    /// [`FrameError::Io`] and [`FrameError::Truncated`].
    pub async fn body(&mut self, frame_bytes: usize) -> Result<Bytes, FrameError> {
        while self.filled < frame_bytes {
            if !self.fill(frame_bytes).await? {
                return Err(FrameError::Truncated);
            }
        }
        Ok(self.take(frame_bytes))
    }

    /// The next `N` bytes, which are not a frame.
    ///
    /// # Errors
    ///
    /// [`FrameError::Io`] and [`FrameError::Truncated`].
    pub async fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let mut array = [0; N];
        array.copy_from_slice(&self.body(N).await?);
        Ok(array)
    }

    /// Whether the stream ends here. Waits until that is known.
    ///
    /// # Errors
    ///
    /// [`FrameError::Io`].
    pub async fn has_ended(&mut self) -> Result<bool, FrameError> {
        Ok(self.filled == 0 && !self.fill(1).await?)
    }

    /// Reads on to the end of the stream, which must come next.
    ///
    /// # Errors
    ///
    /// [`FrameError::Io`] and [`FrameError::Trailing`].
    pub async fn end(&mut self) -> Result<(), FrameError> {
        if self.has_ended().await? { Ok(()) } else { Err(FrameError::Trailing) }
    }

    /// The stream. What was read ahead is lost.
    pub fn into_stream(self) -> R {
        self.stream
    }

    fn take(&mut self, count: usize) -> Bytes {
        self.filled -= count;
        self.buffer.split_to(count).freeze()
    }

    /// Reads what is there; returns whether anything came before the end.
    async fn fill(&mut self, wanted: usize) -> Result<bool, FrameError> {
        self.make_room(wanted);
        let room = self.buffer.len() - self.filled;
        let read = self.stream.read(&mut self.buffer[self.filled..]).await?;
        self.filled += read;
        // More is there than was asked for.
        self.chunk_bytes = if read == room { CHUNK_BYTES } else { IDLE_CHUNK_BYTES };
        Ok(read > 0)
    }

    /// Makes sure that a read is worth while. Grows with what has arrived, never with what is claimed.
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

/// The length that `prefix` claims.
///
/// # Errors
///
/// [`FrameError::TooLong`] beyond `frame_bytes_max`.
pub fn checked(prefix: [u8; PREFIX_BYTES], frame_bytes_max: usize) -> Result<usize, FrameError> {
    let frame_bytes = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if frame_bytes > frame_bytes_max {
        return Err(FrameError::TooLong { frame_bytes, frame_bytes_max });
    }
    Ok(frame_bytes)
}

/// What goes before `frame`.
///
/// # Panics
///
/// When `frame` has 4 GiB or more; transports refuse what is longer than [`cache_core::port::FRAME_BYTES_MAX`].
pub fn prefix(frame: &[u8]) -> [u8; PREFIX_BYTES] {
    u32::try_from(frame.len()).expect("a frame is at most FRAME_BYTES_MAX long").to_be_bytes()
}

/// Puts frames one behind the other: short ones copied together, long ones as they are.
pub fn join(frames: Vec<Bytes>) -> Vec<Bytes> {
    let copied = |frame: &Bytes| if frame.len() <= COPIED_BYTES_MAX { frame.len() } else { 0 };
    let mut chunks = Vec::new();
    let mut short = BytesMut::with_capacity(frames.iter().map(|frame| PREFIX_BYTES + copied(frame)).sum());
    for frame in frames {
        short.put_slice(&prefix(&frame));
        if frame.len() <= COPIED_BYTES_MAX {
            short.put_slice(&frame);
        } else {
            chunks.push(short.split().freeze());
            chunks.push(frame);
        }
    }
    if !short.is_empty() {
        chunks.push(short.freeze());
    }
    chunks
}

/// Why a stream's bytes are not frames. The connection ends.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The stream broke off or was reset.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A frame is announced that is longer than what is accepted. Nothing was reserved for it.
    #[error("a frame of {frame_bytes} bytes, the limit is {frame_bytes_max}")]
    TooLong {
        /// Length that was announced, in bytes.
        frame_bytes: usize,
        /// Longest frame accepted, in bytes.
        frame_bytes_max: usize,
    },
    /// More follows where the stream should end.
    #[error("more bytes than announced")]
    Trailing,
    /// The stream ends where more was to come.
    #[error("the stream ended within a frame")]
    Truncated,
}

/// Bytes of the length that precedes each frame.
pub const PREFIX_BYTES: usize = 4;
/// Bytes asked of a stream that has little to say, and held for it meanwhile.
const IDLE_CHUNK_BYTES: usize = 4 * 1024;
/// Bytes asked of a busy stream at once; two of yamux's frames.
const CHUNK_BYTES: usize = 32 * 1024;
/// With less room than this, a new chunk is begun.
const READ_BYTES_MIN: usize = 2 * 1024;
/// Up to here a copy costs less than one more piece to write.
const COPIED_BYTES_MAX: usize = 8 * 1024;

const _: () = assert!(cache_core::port::FRAME_BYTES_MAX < u32::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{TryStreamExt as _, executor::block_on, io::Cursor, stream};

    #[test]
    fn frames_of_all_lengths_that_were_joined_come_apart_again() {
        let lengths =
            [0, 1, 0, 5, 4096, COPIED_BYTES_MAX, COPIED_BYTES_MAX + 1, CHUNK_BYTES - 3, 1_000_000, 0, 3];
        let frames: Vec<Bytes> =
            lengths.iter().enumerate().map(|(at, length)| Bytes::from(vec![at as u8; *length])).collect();
        let wire = join(frames.clone()).concat();
        for piece_bytes in [1, 3, 1000, 1 << 20] {
            let mut reader = FrameReader::new(in_pieces(&wire, piece_bytes));
            for frame in &frames {
                assert_eq!(block_on(reader.next(1_000_000)).unwrap().as_ref(), Some(frame));
            }
            assert_eq!(block_on(reader.next(1_000_000)).unwrap(), None);
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_told_from_one_that_ends_between_two() {
        let wire = join(vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")]).concat();
        for cut in 1..wire.len() {
            let mut reader = FrameReader::new(Cursor::new(&wire[..cut]));
            let mut frames = 0;
            let end = loop {
                match block_on(reader.next(3)) {
                    Ok(Some(_)) => frames += 1,
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            match end {
                Ok(()) => assert_eq!((cut, frames), (7, 1)),
                Err(FrameError::Truncated) => assert_ne!(cut, 7),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_claim_beyond_the_limit_is_refused_before_anything_is_held() {
        for claimed in [1001u32, 1 << 30, u32::MAX] {
            let mut reader = FrameReader::new(Cursor::new(claimed.to_be_bytes().to_vec()));
            let refused = block_on(reader.next(1000)).unwrap_err();
            assert!(matches!(refused, FrameError::TooLong { frame_bytes_max: 1000, .. }), "{refused}");
            assert!(reader.buffer.len() <= CHUNK_BYTES);
        }
    }

    #[test]
    fn memory_follows_what_arrives_and_not_what_is_claimed() {
        let mut wire = (8u32 << 20).to_be_bytes().to_vec();
        wire.resize(100_000, 0);
        let mut reader = FrameReader::new(Cursor::new(wire));
        let refused = block_on(reader.next(8 << 20)).unwrap_err();
        assert!(matches!(refused, FrameError::Truncated), "{refused}");
        assert!(reader.buffer.len() <= 2 * 100_000, "{} bytes held", reader.buffer.len());
    }

    #[test]
    fn bytes_behind_the_last_frame_are_told_from_an_end() {
        let wire = join(vec![Bytes::from_static(b"one")]).concat();
        for (tail, is_end) in [(&b""[..], true), (b"x", false)] {
            let mut reader = FrameReader::new(Cursor::new([&wire, tail].concat()));
            assert!(block_on(reader.next(3)).unwrap().is_some());
            assert_eq!(block_on(reader.end()).is_ok(), is_end);
        }
    }

    fn in_pieces(bytes: &[u8], piece_bytes: usize) -> impl AsyncRead + Unpin {
        let pieces: Vec<_> =
            bytes.chunks(piece_bytes).map(|piece| Ok::<_, io::Error>(piece.to_vec())).collect();
        stream::iter(pieces).into_async_read()
    }
}
