//! One admitted connection: frames from its outboxes to the other side, and from there into the inbox.
//!
//! Control frames share the stream of the admission. A bulk frame has a stream of its own; several are on
//! their way at once, and they are handed on in the order in which their streams were opened. The reader of
//! a lane charges each frame to that lane's budget before it reads the frame, and the driver gives the
//! charge back by taking the frame. So a peer whose frames nobody takes is read no further, its sender
//! runs into QUIC's flow control, and the lanes do not wait for each other.

use crate::{
    admission::{self, Stream},
    outbox::Outbox,
    shared::Shared,
};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{FRAME_BYTES_MAX, Lane, PeerFigures, SendError, Side, Stance, Tenure},
};
use cache_transport::frame::{self, FrameError, FrameReader};
use futures::{
    StreamExt as _,
    stream::{FuturesOrdered, FuturesUnordered},
};
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt, WriteError};
use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// Moves frames until the connection ends.
pub(crate) async fn run(shared: &Arc<Shared>, running: Running) {
    let Running { link, stream, verdict } = running;
    let mut lanes = JoinSet::new();
    lanes.spawn(write_control(Arc::clone(&link), stream.sender, verdict));
    lanes.spawn(read_control(Arc::clone(&link), Arc::clone(shared), stream.reader));
    lanes.spawn(read_bulk(Arc::clone(&link), Arc::clone(shared)));
    lanes.spawn(write_bulk(Arc::clone(&link)));
    let end = match lanes.join_next().await {
        Some(Ok(end)) => end,
        // Nobody but us aborts a lane, and then we are not here any more: it has panicked.
        Some(Err(_)) | None => End::Fault,
    };
    tracing::debug!(peer = ?link.peer, %end, "connection ended");
    shared.peers.remove(&link, &end);
    // What the lanes hold keeps the socket open.
    lanes.shutdown().await;
}

/// A connection that counts and whose frames do not move yet.
pub(crate) struct Running {
    pub(crate) link: Arc<Link>,
    pub(crate) stream: Stream,
    /// Our stance, still to be sent, where we are the arbiter.
    pub(crate) verdict: Option<Stance>,
}

/// What the sender, the lanes and the table of peers share.
#[derive(Debug)]
pub(crate) struct Link {
    /// Unlike that of any other connection of this transport.
    pub(crate) id: u64,
    pub(crate) peer: PeerId,
    pub(crate) side: Side,
    pub(crate) since: Instant,
    pub(crate) tenure: Tenure,
    pub(crate) connection: Connection,
    control: Outbox,
    bulk: Outbox,
    control_budget: Arc<Semaphore>,
    bulk_budget: Arc<Semaphore>,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    dropped_frames: AtomicU64,
}

impl Link {
    pub(crate) fn new(
        shared: &Shared,
        connection: Connection,
        peer: PeerId,
        side: Side,
        tenure: Tenure,
    ) -> Self {
        let outbox = || Outbox::new(shared.settings.queue_frames_max, shared.settings.queue_bytes_max);
        Self {
            id: shared.next_link_id(),
            peer,
            side,
            since: Instant::now(),
            tenure,
            connection,
            control: outbox(),
            bulk: outbox(),
            control_budget: Arc::new(Semaphore::new(CONTROL_BUDGET_BYTES)),
            bulk_budget: Arc::new(Semaphore::new(BULK_BUDGET_BYTES)),
            received_bytes: AtomicU64::new(0),
            sent_bytes: AtomicU64::new(0),
            dropped_frames: AtomicU64::new(0),
        }
    }

    /// Grants the other side what only a member may have.
    pub(crate) fn open(&self) {
        self.connection.set_receive_window(RECEIVE_WINDOW_BYTES);
        self.connection.set_max_concurrent_uni_streams(BULK_STREAMS);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.connection.close_reason().is_some()
    }

    /// Queues a frame that is not too long.
    pub(crate) fn send(&self, lane: Lane, frame: Bytes) -> Result<(), SendError> {
        let queued = match lane {
            Lane::Bulk => self.bulk.push(frame),
            Lane::Control => self.control.push(frame),
        };
        if queued == Err(SendError::QueueFull) {
            self.dropped_frames.fetch_add(1, Relaxed);
        }
        queued
    }

    /// Lets the control frames that wait be the last; the other side ends the connection once it has them.
    pub(crate) fn finish(&self) {
        self.bulk.finish();
        self.control.finish();
    }

    /// Ends the connection at once.
    pub(crate) fn close(&self, end: &End) {
        self.finish();
        let code = match end {
            End::Breach(_) => CODE_BREACH,
            End::ByPeer | End::ByUs | End::Fault | End::Lost(_) | End::ShutDown => CODE_ENDED,
            End::Replaced => CODE_REPLACED,
        };
        self.connection.close(code, b"");
    }

    pub(crate) fn figures(&self) -> PeerFigures {
        PeerFigures {
            received_bytes: self.received_bytes.load(Relaxed),
            sent_bytes: self.sent_bytes.load(Relaxed),
            dropped_frames: self.dropped_frames.load(Relaxed),
            round_trip: Some(self.connection.rtt()),
        }
    }

    fn count_sent<'a>(&self, frames: impl IntoIterator<Item = &'a Bytes>) {
        let bytes: usize = frames.into_iter().map(Bytes::len).sum();
        self.sent_bytes.fetch_add(bytes as u64, Relaxed);
    }

    fn hand_on(&self, shared: &Shared, frame: Bytes, charge: OwnedSemaphorePermit) {
        self.received_bytes.fetch_add(frame.len() as u64, Relaxed);
        tracing::trace!(peer = ?self.peer, frame_bytes = frame.len(), "received");
        shared.inbox.push_frame(self.peer, self.id, frame, charge);
    }

    /// The end of a lane whose stream broke: the connection's own, if it has one.
    fn end_of(&self, error: FrameError) -> End {
        match self.connection.close_reason() {
            Some(reason) => reason.into(),
            None => End::Breach(error),
        }
    }
}

async fn read_control(link: Arc<Link>, shared: Arc<Shared>, mut reader: FrameReader<RecvStream>) -> End {
    loop {
        let frame_bytes = match reader.header(FRAME_BYTES_MAX).await {
            Ok(Some(frame_bytes)) => frame_bytes,
            Ok(None) => return End::ByPeer,
            Err(error) => return link.end_of(error),
        };
        let charge = charge(&link.control_budget, frame_bytes).await;
        match reader.body(frame_bytes).await {
            Ok(frame) => link.hand_on(&shared, frame, charge),
            Err(error) => return link.end_of(error),
        }
    }
}

async fn read_bulk(link: Arc<Link>, shared: Arc<Shared>) -> End {
    let begin = async || {
        let mut reader = FrameReader::new(link.connection.accept_uni().await?);
        let frame_bytes = match reader.header(FRAME_BYTES_MAX).await {
            Ok(Some(frame_bytes)) => frame_bytes,
            Ok(None) => return Err(link.end_of(FrameError::Truncated)),
            Err(error) => return Err(link.end_of(error)),
        };
        Ok((reader, frame_bytes, charge(&link.bulk_budget, frame_bytes).await))
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
                Err(end) => return end,
            },
            Some((frame, charge)) = bodies.next() => match frame {
                Ok(frame) => link.hand_on(&shared, frame, charge),
                Err(error) => return link.end_of(error),
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

async fn write_control(link: Arc<Link>, mut sender: SendStream, verdict: Option<Stance>) -> End {
    // Ahead of bodies, whatever was written first.
    if sender.set_priority(CONTROL_PRIORITY).is_err() {
        return link.connection.closed().await.into();
    }
    if let Some(verdict) = verdict
        && let Err(error) = sender.write_all(&admission::stance_message(verdict)).await
    {
        return error.into();
    }
    while let Some(frames) = link.control.take_batch().await {
        link.count_sent(&frames);
        if let Err(error) = sender.write_all_chunks(&mut frame::join(frames)).await {
            return error.into();
        }
    }
    // The other side reads to the end of the stream, and then ends the connection. If finishing fails, the
    // connection has ended already.
    let _closed = sender.finish();
    link.connection.closed().await.into()
}

async fn write_bulk(link: Arc<Link>) -> End {
    let begin = async || {
        let Some(frame) = link.bulk.take().await else {
            return Err(link.connection.closed().await.into());
        };
        Ok((link.connection.open_uni().await?, frame))
    };
    let mut next = pin!(begin());
    let mut writes = FuturesUnordered::new();
    loop {
        tokio::select! {
            begun = &mut next, if writes.len() < BULK_STREAMS_MAX => match begun {
                Ok((sender, frame)) => {
                    link.count_sent([&frame]);
                    writes.push(write_body(sender, frame));
                    next.set(begin());
                }
                Err(end) => return end,
            },
            Some(written) = writes.next() => if let Err(error) = written {
                return WriteError::into(error);
            },
        }
    }
}

async fn write_body(mut sender: SendStream, frame: Bytes) -> Result<(), WriteError> {
    let prefix = Bytes::copy_from_slice(&frame::prefix(&frame));
    sender.write_all_chunks(&mut [prefix, frame]).await?;
    sender.finish().map_err(|_closed| WriteError::ClosedStream)
}

/// Waits until a frame of this length may be kept.
async fn charge(budget: &Arc<Semaphore>, frame_bytes: usize) -> OwnedSemaphorePermit {
    let charged = u32::try_from(frame_bytes + FRAME_OVERHEAD_BYTES).expect("frames are shorter than 4 GiB");
    Arc::clone(budget).acquire_many_owned(charged).await.expect("nobody closes a budget")
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The other side sent what is not allowed.
    Breach(FrameError),
    /// The other side ended it in an orderly way.
    ByPeer,
    /// The driver wished it.
    ByUs,
    /// A fault of our own.
    Fault,
    /// QUIC says why.
    Lost(ConnectionError),
    /// Another connection with the same peer is kept.
    Replaced,
    /// The whole transport ends.
    ShutDown,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Breach(error) => write!(f, "breach of protocol: {error}"),
            Self::ByPeer => f.write_str("ended by the peer"),
            Self::ByUs => f.write_str("ended by this node"),
            Self::Fault => f.write_str("fault in this node"),
            Self::Lost(error) => error.fmt(f),
            Self::Replaced => f.write_str("another connection with the same peer is kept"),
            Self::ShutDown => f.write_str("this node shuts down"),
        }
    }
}

impl From<ConnectionError> for End {
    fn from(error: ConnectionError) -> Self {
        match &error {
            ConnectionError::ApplicationClosed(close) if close.error_code == CODE_ENDED => Self::ByPeer,
            ConnectionError::ApplicationClosed(close) if close.error_code == CODE_REPLACED => Self::Replaced,
            ConnectionError::ApplicationClosed(_)
            | ConnectionError::CidsExhausted
            | ConnectionError::ConnectionClosed(_)
            | ConnectionError::LocallyClosed
            | ConnectionError::Reset
            | ConnectionError::TimedOut
            | ConnectionError::TransportError(_)
            | ConnectionError::VersionMismatch => Self::Lost(error),
        }
    }
}

impl From<WriteError> for End {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(error) => error.into(),
            WriteError::ClosedStream | WriteError::Stopped(_) | WriteError::ZeroRttRejected => {
                Self::Breach(FrameError::Io(error.into()))
            }
        }
    }
}

/// All that somebody who is not let in hears.
pub(crate) const CODE_DENIED: VarInt = VarInt::from_u32(0);
pub(crate) const CODE_ENDED: VarInt = VarInt::from_u32(1);
const CODE_REPLACED: VarInt = VarInt::from_u32(2);
const CODE_BREACH: VarInt = VarInt::from_u32(3);

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

/// Bytes of control frames that are being read or wait for the driver, per connection.
const CONTROL_BUDGET_BYTES: usize = FRAME_BYTES_MAX + 1024 * 1024;

/// Bytes of bulk frames that are being read or wait for the driver, per connection.
const BULK_BUDGET_BYTES: usize = 2 * (FRAME_BYTES_MAX + FRAME_OVERHEAD_BYTES);

/// Charged for each frame besides its bytes, so that a budget bounds empty frames too.
const FRAME_OVERHEAD_BYTES: usize = 256;

const CONTROL_PRIORITY: i32 = 1;

const _: () = assert!(FRAME_BYTES_MAX + FRAME_OVERHEAD_BYTES <= CONTROL_BUDGET_BYTES);
const _: () = assert!(BULK_BUDGET_BYTES <= Semaphore::MAX_PERMITS);
