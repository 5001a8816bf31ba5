//! Frames in a stream: the reader of both transports takes the same ones, however it comes, and holds what came.

use crate::memory;
use bytes::Bytes;
use cache_core::port::FRAME_BYTES_MAX;
use cache_transport::frame::{FrameError, FrameReader};
use futures::{AsyncRead, FutureExt as _};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// The first byte says in what pieces the rest comes.
///
/// # Panics
///
/// When it takes other frames than a reader of a few lines, ends otherwise, or holds more memory than
/// came and a fixed amount.
pub fn check(data: &[u8]) {
    let Some((&pieces, wire)) = data.split_first() else { return };
    let piece_bytes = PIECES[usize::from(pieces) % PIECES.len()];
    let (frames, ended_well) = expected(wire);
    // What was taken is kept here too, and each frame in addition to a block of its reader's.
    let bytes_max = FIXED_BYTES_MAX + 8 * wire.len() + 128 * frames.len();
    let (taken, ended) = memory::within(bytes_max, || {
        read_frames(Pieces { left: wire, piece_bytes }).now_or_never().expect("the stream never waits")
    });
    assert!(taken == frames, "it takes {} frames of {}", taken.len(), frames.len());
    assert_eq!(ended.is_ok(), ended_well, "it ends in {ended:?}");
}

/// Every frame of `stream`, to its end or to the first fault.
async fn read_frames(stream: impl AsyncRead + Unpin) -> (Vec<Bytes>, Result<(), FrameError>) {
    let mut reader = FrameReader::new(stream);
    let mut frames = Vec::new();
    loop {
        match reader.next(FRAME_BYTES_MAX).await {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(error) => return (frames, Err(error)),
        }
    }
}

/// Frames of several lengths, and claims.
pub fn seeds() -> Vec<Vec<u8>> {
    let frame = |length: usize| {
        let prefix = u32::try_from(length).expect("a short frame").to_be_bytes();
        [&prefix[..], &vec![b'x'; length]].concat()
    };
    vec![
        [&[0][..], &frame(3), &frame(0), &frame(200)].concat(),
        [&[1][..], &frame(5000), &frame(1)].concat(),
        [&[2][..], &frame(1), &[0xff; 4]].concat(),
        vec![3, 0, 0x80, 0, 0, 1, 2, 3],
        vec![4, 0, 0],
    ]
}

/// What `wire` holds, and whether it ends between two frames.
fn expected(mut wire: &[u8]) -> (Vec<Bytes>, bool) {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = wire.split_first_chunk() {
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > FRAME_BYTES_MAX || length > rest.len() {
            return (frames, false);
        }
        let (frame, rest) = rest.split_at(length);
        frames.push(Bytes::copy_from_slice(frame));
        wire = rest;
    }
    (frames, wire.is_empty())
}

/// Gives bytes in pieces, and is always ready.
struct Pieces<'a> {
    left: &'a [u8],
    piece_bytes: usize,
}

impl Pieces<'_> {
    fn take(&mut self, room_bytes: usize) -> &[u8] {
        let (piece, left) = self.left.split_at(self.piece_bytes.min(room_bytes).min(self.left.len()));
        self.left = left;
        piece
    }
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let piece = self.take(buffer.len());
        buffer[..piece.len()].copy_from_slice(piece);
        Poll::Ready(Ok(piece.len()))
    }
}

const PIECES: [usize; 5] = [1, 3, 100, 4096, usize::MAX];

/// A reader's own buffer, and room for lists of frames.
const FIXED_BYTES_MAX: usize = 64 * 1024;
