//! Frames on a stream that is no connection's. No API.

use crate::frame::{FrameError, FrameReader};
use bytes::Bytes;
use tokio::io::AsyncRead;

/// Every frame of `stream`, to its end or to the first fault, which is put into words.
pub async fn read_frames(stream: impl AsyncRead + Unpin) -> (Vec<Bytes>, Result<(), String>) {
    let mut reader = FrameReader::new(stream);
    let mut frames = Vec::new();
    let read = async {
        while let Some(frame_bytes) = reader.header().await? {
            frames.push(reader.body(frame_bytes).await?);
        }
        Ok::<(), FrameError>(())
    };
    let ended = read.await.map_err(|error| error.to_string());
    (frames, ended)
}
