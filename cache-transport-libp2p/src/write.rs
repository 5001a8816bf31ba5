//! Writing to libp2p's streams, which hold back what is not flushed.

use bytes::Bytes;
use cache_transport::{ending::Ending, frame};
use futures::{AsyncWrite, AsyncWriteExt};

/// Writes `frames`, short ones together, and flushes.
pub(crate) async fn write_frames(
    stream: &mut (impl AsyncWrite + Unpin),
    frames: Vec<Bytes>,
) -> Result<(), Ending> {
    for chunk in frame::join(frames) {
        stream.write_all(&chunk).await?;
    }
    stream.flush().await?;
    Ok(())
}

/// Writes `bytes` as they are, and flushes.
pub(crate) async fn write_all(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Ending> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(())
}
