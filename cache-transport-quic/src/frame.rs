//! Frames on a stream: four bytes of length, big-endian, then as many bytes.
//!
//! Owns the form only. Memory grows with the bytes that came, never with those that were promised.

use bytes::{BufMut as _, Bytes, BytesMut};
use cache_core::port::FRAME_BYTES_MAX;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Takes frame after frame from a stream that carries many.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    stream: R,
    /// Bytes that came and were not taken yet: `buffer[start..end]`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, buffer: vec![0; BUFFER_BYTES].into(), start: 0, end: 0 }
    }

    /// The length of the next frame, checked; `None` when the stream ends between two frames.
    pub(crate) async fn header(&mut self) -> Result<Option<usize>, FrameError> {
        while self.end - self.start < PREFIX_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            match self.stream.read(&mut self.buffer[self.end..]).await? {
                0 if self.end == 0 => return Ok(None),
                0 => return Err(FrameError::Truncated),
                read_bytes => self.end += read_bytes,
            }
        }
        let mut prefix = [0; PREFIX_BYTES];
        prefix.copy_from_slice(&self.buffer[self.start..self.start + PREFIX_BYTES]);
        self.start += PREFIX_BYTES;
        checked(prefix).map(Some)
    }

    /// The frame whose length [`Self::header`] has just answered.
    pub(crate) async fn body(&mut self, frame_bytes: usize) -> Result<Bytes, FrameError> {
        let taken_bytes = frame_bytes.min(self.end - self.start);
        let begun = &self.buffer[self.start..self.start + taken_bytes];
        self.start += taken_bytes;
        if taken_bytes == frame_bytes {
            return Ok(Bytes::copy_from_slice(begun));
        }
        let begun = begun.to_vec();
        read_rest(&mut self.stream, begun, frame_bytes).await
    }
}

/// The length of the one frame that a stream of its own carries, checked.
pub(crate) async fn read_header<R: AsyncRead + Unpin>(stream: &mut R) -> Result<usize, FrameError> {
    let mut prefix = [0; PREFIX_BYTES];
    stream.read_exact(&mut prefix).await?;
    checked(prefix)
}

/// The rest of a frame of which `frame` has come; reserves as much again as is there, each time it is full.
pub(crate) async fn read_rest<R: AsyncRead + Unpin>(
    stream: &mut R,
    mut frame: Vec<u8>,
    frame_bytes: usize,
) -> Result<Bytes, FrameError> {
    while frame.len() < frame_bytes {
        if frame.len() == frame.capacity() {
            frame.reserve_exact(frame.len().max(BUFFER_BYTES).min(frame_bytes - frame.len()));
        }
        let room_bytes = frame.capacity().min(frame_bytes) - frame.len();
        if stream.read_buf(&mut (&mut frame).limit(room_bytes)).await? == 0 {
            return Err(FrameError::Truncated);
        }
    }
    Ok(frame.into())
}

/// Puts frames one behind the other: short ones copied together, long ones as they are.
pub(crate) fn join(frames: Vec<Bytes>) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let mut short = BytesMut::new();
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

/// What goes before `frame`.
pub(crate) fn prefix(frame: &[u8]) -> [u8; PREFIX_BYTES] {
    u32::try_from(frame.len()).expect("a frame is at most FRAME_BYTES_MAX long").to_be_bytes()
}

fn checked(prefix: [u8; PREFIX_BYTES]) -> Result<usize, FrameError> {
    let claimed_bytes = u32::from_be_bytes(prefix);
    match usize::try_from(claimed_bytes) {
        Ok(frame_bytes) if frame_bytes <= FRAME_BYTES_MAX => Ok(frame_bytes),
        _too_long => Err(FrameError::TooLong { claimed_bytes }),
    }
}

/// Why a stream's bytes are no frames. The connection ends.
#[derive(Debug)]
pub(crate) enum FrameError {
    /// The stream broke.
    Io(io::Error),
    /// A frame is announced that is longer than [`FRAME_BYTES_MAX`]. Nothing was reserved for it.
    TooLong { claimed_bytes: u32 },
    /// More follows where the stream should end.
    Trailing,
    /// The stream ends within a frame.
    Truncated,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLong { claimed_bytes } => {
                write!(f, "frame is {claimed_bytes} bytes, the limit is {FRAME_BYTES_MAX}")
            }
            Self::Trailing => f.write_str("more than one frame on a stream for one"),
            Self::Truncated => f.write_str("stream ended within a frame"),
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::TooLong { .. } | Self::Trailing | Self::Truncated => None,
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Truncated } else { Self::Io(error) }
    }
}

/// Bytes of the length that precedes each frame.
pub(crate) const PREFIX_BYTES: usize = 4;

/// What is read ahead: many short frames in one go.
const BUFFER_BYTES: usize = 16 * 1024;

/// Up to here a copy costs less than one more piece for QUIC to keep.
const COPIED_BYTES_MAX: usize = 8 * 1024;

const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };
    use tokio::io::ReadBuf;

    async fn read_all(bytes: &[u8]) -> Result<Vec<Bytes>, FrameError> {
        let mut reader = FrameReader::new(bytes);
        let mut frames = Vec::new();
        while let Some(frame_bytes) = reader.header().await? {
            frames.push(reader.body(frame_bytes).await?);
        }
        Ok(frames)
    }

    fn joined(frames: &[Bytes]) -> Vec<u8> {
        join(frames.to_vec()).concat()
    }

    #[tokio::test]
    async fn frames_of_all_lengths_that_were_joined_come_apart_again() {
        let lengths =
            [0, 1, 0, COPIED_BYTES_MAX, COPIED_BYTES_MAX + 1, BUFFER_BYTES - 3, 3 * BUFFER_BYTES, 7];
        let frames: Vec<Bytes> = lengths.iter().map(|length| vec![b'x'; *length].into()).collect();
        assert_eq!(read_all(&joined(&frames)).await.unwrap(), frames);
    }

    #[tokio::test]
    async fn a_stream_that_ends_within_a_frame_is_told_from_one_that_ends_between_two() {
        let whole = joined(&[Bytes::from_static(b"one"), Bytes::from_static(b"two")]);
        for cut in 1..whole.len() {
            match read_all(&whole[..cut]).await {
                Ok(frames) => assert_eq!((cut, frames.len()), (7, 1)),
                Err(FrameError::Truncated) => assert_ne!(cut, 7),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[tokio::test]
    async fn a_length_beyond_the_limit_is_refused_before_anything_is_reserved() {
        let claimed_bytes = u32::try_from(FRAME_BYTES_MAX + 1).unwrap();
        for claimed_bytes in [claimed_bytes, 1 << 30, u32::MAX] {
            let mut stream = &claimed_bytes.to_be_bytes()[..];
            let refusal = read_header(&mut stream).await;
            assert!(matches!(refusal, Err(FrameError::TooLong { .. })), "{refusal:?}");
        }
    }

    #[tokio::test]
    async fn memory_grows_with_what_came_not_with_what_was_promised() {
        let mut drip = Drip { left_bytes: 100_000, room_bytes_max: 0 };
        let read = read_rest(&mut drip, Vec::new(), FRAME_BYTES_MAX).await;
        assert!(matches!(read, Err(FrameError::Truncated)));
        // Never more reserved ahead than had come.
        assert!(drip.room_bytes_max <= 100_000, "{} bytes reserved ahead", drip.room_bytes_max);
    }

    /// Gives a thousand bytes at a time, and notes how many could have come.
    struct Drip {
        left_bytes: usize,
        room_bytes_max: usize,
    }

    impl AsyncRead for Drip {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            self.room_bytes_max = self.room_bytes_max.max(buffer.remaining());
            let bytes = self.left_bytes.min(1000).min(buffer.remaining());
            buffer.put_slice(&[b'x'; 1000][..bytes]);
            self.left_bytes -= bytes;
            Poll::Ready(Ok(()))
        }
    }
}
