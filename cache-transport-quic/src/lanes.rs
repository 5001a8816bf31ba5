//! The lanes of one admitted connection: frames from its outboxes to the other side, and from there into the inbox.
//!
//! Control frames share the stream of the admission. A bulk frame has a stream of its own; several are on
//! their way at once, and they are handed on in the order in which their streams were opened. The reader of
//! a lane charges each frame to that lane's budget before it reads the frame.

use crate::{
    admission::{self, Stream},
    code,
    shared::{Link, Shared},
};
use bytes::Bytes;
use cache_core::port::{FRAME_BYTES_MAX, Lane, Stance};
use cache_transport::{
    ending::Ending,
    frame::{self, FrameError, FrameReader},
};
use futures::{
    StreamExt as _,
    stream::{FuturesOrdered, FuturesUnordered},
};
use quinn::{RecvStream, SendStream, VarInt, WriteError};
use std::{pin::pin, sync::Arc};
use tokio::task::JoinSet;

/// Moves frames until the connection ends.
pub(crate) async fn run(shared: &Arc<Shared>, running: Running) {
    let Running { link, stream, verdict } = running;
    let mut lanes = JoinSet::new();
    lanes.spawn(write_control(Arc::clone(&link), stream.sender, verdict));
    lanes.spawn(read_control(Arc::clone(&link), Arc::clone(shared), stream.reader));
    lanes.spawn(read_bulk(Arc::clone(&link), Arc::clone(shared)));
    lanes.spawn(write_bulk(Arc::clone(&link)));
    let ending = match lanes.join_next().await {
        Some(Ok(ending)) => ending,
        // A lane is aborted by this function alone, further below: it has panicked.
        Some(Err(_)) | None => Ending::Fault,
    };
    tracing::debug!(peer = ?link.peer, %ending, "connection ended");
    shared.end_link(&link, &ending);
    // What the lanes hold keeps the socket open.
    lanes.shutdown().await;
}

/// A connection that is in the book and whose frames do not move yet.
pub(crate) struct Running {
    pub(crate) link: Arc<Link>,
    pub(crate) stream: Stream,
    /// Our stance, still to be sent, if we are the arbiter.
    pub(crate) verdict: Option<Stance>,
}

/// Grants the other side what only a member may have.
pub(crate) fn open(link: &Link) {
    link.own.set_receive_window(RECEIVE_WINDOW_BYTES);
    link.own.set_max_concurrent_uni_streams(BULK_STREAMS);
}

async fn read_control(link: Arc<Link>, shared: Arc<Shared>, mut reader: FrameReader<RecvStream>) -> Ending {
    loop {
        let frame_bytes = match reader.header(FRAME_BYTES_MAX).await {
            Ok(Some(frame_bytes)) => frame_bytes,
            Ok(None) => return Ending::ByPeer,
            Err(error) => return ending_of(&link, error),
        };
        let Some(charge) = link.charge(Lane::Control, frame_bytes).await else { return closed(&link).await };
        match reader.body(frame_bytes).await {
            Ok(frame) => shared.book.deliver(&link, frame, charge),
            Err(error) => return ending_of(&link, error),
        }
    }
}

async fn read_bulk(link: Arc<Link>, shared: Arc<Shared>) -> Ending {
    let begin = async || {
        let receiver = link.own.accept_uni().await.map_err(|error| code::ending(&error))?;
        let mut reader = FrameReader::new(receiver);
        let frame_bytes = match reader.header(FRAME_BYTES_MAX).await {
            Ok(Some(frame_bytes)) => frame_bytes,
            Ok(None) => return Err(ending_of(&link, FrameError::Truncated)),
            Err(error) => return Err(ending_of(&link, error)),
        };
        match link.charge(Lane::Bulk, frame_bytes).await {
            Some(charge) => Ok((reader, frame_bytes, charge)),
            None => Err(closed(&link).await),
        }
    };
    let mut next = pin!(begin());
    let mut bodies = FuturesOrdered::new();
    loop {
        tokio::select! {
            begun = &mut next, if bodies.len() < BULK_STREAMS_MAX => match begun {
                Ok((reader, frame_bytes, charge)) => {
                    bodies.push_back(async move { (read_body(reader, frame_bytes).await, charge) });
                    next.set(begin());
                }
                Err(ending) => return ending,
            },
            Some((frame, charge)) = bodies.next() => match frame {
                Ok(frame) => shared.book.deliver(&link, frame, charge),
                Err(error) => return ending_of(&link, error),
            },
        }
    }
}

/// The one frame of a bulk stream, behind which the stream must end.
async fn read_body(mut reader: FrameReader<RecvStream>, frame_bytes: usize) -> Result<Bytes, FrameError> {
    let frame = reader.body(frame_bytes).await?;
    reader.end().await?;
    Ok(frame)
}

async fn write_control(link: Arc<Link>, mut sender: SendStream, verdict: Option<Stance>) -> Ending {
    // Ahead of bodies, whatever was written first.
    if sender.set_priority(CONTROL_PRIORITY).is_err() {
        return closed(&link).await;
    }
    if let Some(verdict) = verdict
        && let Err(error) = sender.write_all(&admission::stance_message(verdict)).await
    {
        return code::ending_of_write(error);
    }
    while let Some(frames) = link.control.take_batch().await {
        link.sent(frames.iter().map(Bytes::len).sum());
        if let Err(error) = sender.write_all_chunks(&mut frame::join(frames)).await {
            return code::ending_of_write(error);
        }
    }
    // The other side reads to the end of the stream, and then ends the connection. If finishing fails, the
    // connection has ended already.
    let _closed = sender.finish();
    closed(&link).await
}

async fn write_bulk(link: Arc<Link>) -> Ending {
    let begin = async || {
        let Some(frame) = link.bulk.take().await else { return Err(closed(&link).await) };
        // QUIC bounds what is on its way.
        link.bulk.release(frame.len());
        let sender = link.own.open_uni().await.map_err(|error| code::ending(&error))?;
        Ok((sender, frame))
    };
    let mut next = pin!(begin());
    let mut writes = FuturesUnordered::new();
    loop {
        tokio::select! {
            begun = &mut next, if writes.len() < BULK_STREAMS_MAX => match begun {
                Ok((sender, frame)) => {
                    link.sent(frame.len());
                    writes.push(write_body(sender, frame));
                    next.set(begin());
                }
                Err(ending) => return ending,
            },
            Some(written) = writes.next() => if let Err(error) = written {
                return code::ending_of_write(error);
            },
        }
    }
}

async fn write_body(mut sender: SendStream, frame: Bytes) -> Result<(), WriteError> {
    let prefix = Bytes::copy_from_slice(&frame::prefix(&frame));
    sender.write_all_chunks(&mut [prefix, frame]).await?;
    sender.finish().map_err(|_closed| WriteError::ClosedStream)
}

/// Why the connection of `link` ends, once it does.
async fn closed(link: &Link) -> Ending {
    code::ending(&link.own.closed().await)
}

/// The ending of a lane whose stream broke: the connection's own ending, if it has one.
fn ending_of(link: &Link, error: FrameError) -> Ending {
    link.own.close_reason().map_or_else(|| error.into(), |reason| code::ending(&reason))
}

/// Bulk frames on their way at once, in either direction.
const BULK_STREAMS_MAX: usize = 4;
const BULK_STREAMS: VarInt = VarInt::from_u32(BULK_STREAMS_MAX as u32);

/// What a sender may have under way on one stream: enough for 400 Mbit/s at a round trip of 20 ms.
pub(crate) const STREAM_WINDOW_BYTES: VarInt = VarInt::from_u32(STREAM_WINDOW);
const STREAM_WINDOW: u32 = 1024 * 1024;

/// The same for all streams of a connection: room for each, so that none that waits for the driver can
/// hold up one that is read.
const RECEIVE_WINDOW_BYTES: VarInt = VarInt::from_u32((BULK_STREAMS_MAX as u32 + 1) * STREAM_WINDOW);

/// Bytes that QUIC keeps for sending again, per connection.
pub(crate) const SEND_WINDOW_BYTES: u64 = RECEIVE_WINDOW_BYTES.into_inner();

const CONTROL_PRIORITY: i32 = 1;
