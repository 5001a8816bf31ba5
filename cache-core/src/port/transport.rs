//! The contract of transports: opaque frames between peers that were let in.

use crate::PeerId;
use alloc::{boxed::Box, vec::Vec};
use async_trait::async_trait;
use bytes::Bytes;
use core::{fmt, time::Duration};

/// Moves opaque frames between authenticated peers.
///
/// A transport proves identities by its own handshake, then runs the [`Gate`] before it moves or reads
/// anything else, and keeps at most one connection with each peer (see [`Side::keeps`]). Frames arrive whole,
/// once, and in order per [`Lane`]; between lanes in any order. A peer that is slow, silent or hostile costs
/// bounded memory and delays nobody else.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Whose key proves itself to others.
    fn local_peer(&self) -> PeerId;

    /// Where others can reach this node: multiaddrs that end in `/p2p/` and the peer id.
    fn addresses(&self) -> Vec<Box<str>>;

    /// Begins to connect. Ends in [`TransportEvent::Connected`] or [`TransportEvent::DialFailed`] within
    /// [`DIAL_TIMEOUT`]. An address with a peer id connects to that peer or fails.
    fn dial(&self, address: &str);

    /// Queues `frame` for `peer`. Never waits.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the frame is dropped then, and nothing else is affected.
    fn send(&self, peer: PeerId, lane: Lane, frame: Bytes) -> Result<(), SendError>;

    /// Ends the connection with `peer`, if there is one. [`TransportEvent::Disconnected`] follows.
    fn disconnect(&self, peer: PeerId);

    /// What happened next; `None` once shut down. One caller at a time.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no event.
    async fn next_event(&self) -> Option<TransportEvent>;

    /// What is known of the connection with `peer`.
    fn figures(&self, peer: PeerId) -> Option<PeerFigures>;

    /// Ends all connections in an orderly way and frees the ports. Idempotent.
    async fn shutdown(&self);
}

/// Something that happened on a transport.
#[derive(Debug)]
pub enum TransportEvent {
    /// A peer was let in, whoever dialled.
    Connected {
        /// Whom the handshake proved.
        peer: PeerId,
        /// Where it is.
        address: Box<str>,
        /// Who dialled.
        side: Side,
        /// What seals and opens this connection's frames.
        session: Box<dyn Session>,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The address as it was given.
        address: Box<str>,
        /// Why, for people to read.
        reason: Box<str>,
    },
    /// A connection that was [`TransportEvent::Connected`] is no more.
    Disconnected {
        /// With whom.
        peer: PeerId,
        /// Why, for people to read.
        reason: Box<str>,
    },
    /// A frame came from a peer that was let in.
    Received {
        /// From whom.
        peer: PeerId,
        /// The frame, at most [`FRAME_BYTES_MAX`] long.
        frame: Bytes,
    },
    /// Somebody who connected was not let in.
    Refused {
        /// From where.
        address: Box<str>,
        /// Why, for people to read. The other side is told nothing.
        reason: Box<str>,
    },
}

/// Which of a connection's streams a frame takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// The one long-lived stream, in order: everything short.
    Control,
    /// A stream of its own: bodies over [`BULK_BYTES_MIN`], so that short frames do not wait behind them.
    Bulk,
}

impl Lane {
    /// The lane for a frame of this length.
    pub const fn for_bytes(frame_bytes: usize) -> Self {
        if frame_bytes > BULK_BYTES_MIN { Self::Bulk } else { Self::Control }
    }
}

/// Which side of a connection we are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The one who dialled.
    Dialer,
    /// The one who was dialled.
    Listener,
}

impl Side {
    /// Whether, of two connections with the same peer, the new one is kept.
    ///
    /// Peers that dial each other at once must agree: the connection dialled by the smaller id stays. That
    /// only settles a tie: once the old one is older than [`TIE_WINDOW`], the new one replaces it, since a
    /// peer that dials again has most likely restarted.
    pub fn keeps(self, local: PeerId, remote: PeerId, old: Self, old_age: Duration) -> bool {
        if old_age > TIE_WINDOW || old == self {
            return true;
        }
        let wanted = if local < remote { Self::Dialer } else { Self::Listener };
        self == wanted
    }
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SendError {
    /// There is no connection with that peer.
    NotConnected,
    /// The peer takes frames more slowly than they come: its queue is full.
    QueueFull,
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    TooLong,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("not connected"),
            Self::QueueFull => f.write_str("the peer's queue is full"),
            Self::TooLong => write!(f, "frame is longer than {FRAME_BYTES_MAX} bytes"),
        }
    }
}

impl core::error::Error for SendError {}

/// What is known of one connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PeerFigures {
    /// Bytes of frames received.
    pub received_bytes: u64,
    /// Bytes of frames sent.
    pub sent_bytes: u64,
    /// Frames dropped because the queue was full.
    pub dropped_frames: u64,
    /// Round trip, as the transport measured it last.
    pub round_trip: Option<Duration>,
}

/// Decides who is let in: a proof, in both directions, that the other side knows the fleet's secret.
///
/// Called by transports for every connection, before they move anything else. Must not block.
pub trait Gate: Send + Sync {
    /// Begins the proof on a fresh connection between `local` and `remote`, whom the handshake has proved.
    ///
    /// `channel` is what both sides, and nobody else, know of this very connection, such as a TLS exporter;
    /// empty where the transport has none.
    fn begin(&self, side: Side, local: PeerId, remote: PeerId, channel: &[u8]) -> Box<dyn Admission>;
}

/// One proof in progress, free of input and output.
pub trait Admission: Send {
    /// The next message to send, if one is due. Never empty: transports mark the end of the proof so.
    fn poll_transmit(&mut self) -> Option<Bytes>;

    /// Takes the other side's next message, at most [`ADMISSION_BYTES_MAX`] long.
    ///
    /// # Errors
    ///
    /// [`Refused`], whatever is wrong. The connection ends without another byte.
    fn handle(&mut self, message: &[u8]) -> Result<(), Refused>;

    /// The session, once both sides have proved themselves and nothing is left to transmit.
    fn poll_session(&mut self) -> Option<Box<dyn Session>>;
}

/// Seals and opens the frames of one admitted connection.
pub trait Session: Send + fmt::Debug {
    /// Encrypts `plain` for the other side and binds it to this connection and to its place in the sequence.
    ///
    /// # Errors
    ///
    /// When the sequence is used up or there is no entropy; the connection must end.
    fn seal(&mut self, plain: &[u8]) -> Result<Bytes, super::SealError>;

    /// Verifies and decrypts a frame of the other side; each opens once, in nearly any order.
    ///
    /// # Errors
    ///
    /// One opaque error: a wrong key, a flipped bit, a replay. Nothing was changed.
    fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, super::SealError>;
}

/// The other side was not let in. Says no more on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl core::error::Error for Refused {}

/// Longest frame: one body, its headers and key, and the seal.
pub const FRAME_BYTES_MAX: usize = crate::codec::RECORD_BYTES_MAX + SEAL_BYTES_MAX;

/// Frames longer than this take a stream of their own. Measured: at 64 KiB a stream's set-up costs less
/// than what waits behind the body.
pub const BULK_BYTES_MIN: usize = 64 * 1024;

/// Longest message of the admission, in bytes.
pub const ADMISSION_BYTES_MAX: usize = 512;

/// Time for the whole admission, from the end of the transport's handshake.
pub const ADMISSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for one dial, from the address to an admitted peer. The specification's figure.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Two connections this close together are the two sides dialling each other at once.
pub const TIE_WINDOW: Duration = Duration::from_secs(5);

/// Bytes that sealing may add to a frame.
const SEAL_BYTES_MAX: usize = 256;
