//! Frames on a stream that is no connection's. No API.

use crate::frame::FrameReader;
use bytes::Bytes;
use cache_core::port::FRAME_BYTES_MAX;
use futures::AsyncRead;

/// Every frame of `stream`, to its end or to the first fault, which is put into words.
pub async fn read_frames(stream: impl AsyncRead + Unpin) -> (Vec<Bytes>, Result<(), String>) {
    let mut reader = FrameReader::new(stream);
    let mut frames = Vec::new();
    loop {
        match reader.next(FRAME_BYTES_MAX).await {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, Ok(())),
            Err(ending) => return (frames, Err(ending.to_string())),
        }
    }
}
