//! The contract of transports: opaque frames between peers that were let in.

use crate::{PeerId, Protocol};
use alloc::{boxed::Box, vec::Vec};
use async_trait::async_trait;
use bytes::Bytes;
use core::{fmt, time::Duration};

/// Moves opaque frames between authenticated peers.
///
/// A transport proves identities by its own handshake, then runs the [`Gate`] before it moves or reads anything else,
/// and keeps at most one connection with each peer (see [`Arbiter`]). Frames arrive whole, once, and in the order in
/// which they were sent on their [`Lane`], either of them; between lanes in any order. Those that were queued when a
/// connection ended may be lost, the last ones first. A peer that is slow, silent or hostile costs bounded memory and
/// delays no other peer; one that answers nothing at all is [`TransportEvent::Disconnected`] within
/// [`SILENCE_TIMEOUT`].
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// The identity that this node proves to others.
    fn local_peer(&self) -> PeerId;

    /// Where others can reach this node: multiaddrs that end in `/p2p/` and the peer id.
    fn addresses(&self) -> Vec<Box<str>>;

    /// Begins to connect. Ends in [`TransportEvent::Connected`] or [`TransportEvent::DialFailed`] within
    /// [`DIAL_TIMEOUT`]. An address with a peer id connects to that peer or fails. Towards a peer that is
    /// connected nothing changes: the dial fails with [`DialError::AlreadyConnected`].
    fn dial(&self, address: &str);

    /// Queues `frame` for `peer`. Never waits.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the frame is dropped then, and nothing else is affected.
    fn send(&self, peer: PeerId, lane: Lane, frame: Bytes) -> Result<(), SendError>;

    /// Ends the connection with `peer`, if there is one. [`TransportEvent::Disconnected`] follows, on both
    /// sides. A dial within [`TIE_WINDOW`] that gets there before the news does still fails with
    /// [`DialError::AlreadyConnected`].
    fn disconnect(&self, peer: PeerId);

    /// What happened next; `None` once shut down. One caller at a time.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no event.
    async fn next_event(&self) -> Option<TransportEvent>;

    /// What is known of the connection with `peer`.
    fn figures(&self, peer: PeerId) -> Option<PeerFigures>;

    /// Ends all connections in an orderly way, so that the others hear of it at once, and frees the ports.
    /// Idempotent.
    async fn shutdown(&self);
}

/// Something that happened on a transport.
#[derive(Debug)]
pub enum TransportEvent {
    /// A peer was let in, whichever side dialed.
    Connected {
        /// The peer that the handshake proved.
        peer: PeerId,
        /// The address of the peer.
        address: Box<str>,
        /// The side of the connection that this node is.
        side: Side,
        /// What seals and opens this connection's frames.
        session: Box<dyn Session>,
    },
    /// A dial failed, and there is no connection.
    DialFailed {
        /// The address as it was given.
        address: Box<str>,
        /// Why, for the code that decides when to dial again.
        error: DialError,
        /// What exactly went wrong, for people to read, in words of the transport's own.
        reason: Box<str>,
    },
    /// A connection that was [`TransportEvent::Connected`] has ended.
    Disconnected {
        /// The peer that is gone.
        peer: PeerId,
        /// Which side ended it, or what broke, for people to read, in words of the transport's own. It cannot be a
        /// basis for decisions: a peer that leaves in order and one whose host is gone can look alike.
        reason: Box<str>,
    },
    /// A frame came from a peer that was let in.
    Received {
        /// The peer that sent it.
        peer: PeerId,
        /// The frame, at most [`FRAME_BYTES_MAX`] long.
        frame: Bytes,
    },
    /// A node that connected was not let in. How many of these events wait at once is bounded; more are dropped.
    Refused {
        /// The address that it came from. Nothing proves it, and on UDP it is easily forged.
        address: Box<str>,
        /// Why, for the code that decides what to make of it.
        refusal: Rejection,
        /// What exactly went wrong, for people to read, in words of the transport's own. The other side hears none of
        /// it before it has proved that it knows the secret.
        reason: Box<str>,
    },
}

/// Why a dial failed. Existing connections stay.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DialError {
    /// There is a connection with that peer, and it stays.
    #[error("already connected with {peer}")]
    AlreadyConnected {
        /// The peer that is connected.
        peer: PeerId,
    },
    /// This transport cannot dial such an address, whatever may be there.
    #[error("no address that can be dialled")]
    BadAddress,
    /// This node's own key is there.
    #[error("that is this node itself")]
    Itself,
    /// The peer speaks another major version of the protocol: one of the two nodes must be upgraded.
    #[error("another major version of the protocol is spoken there; upgrade the older of the two nodes")]
    OtherVersion,
    /// The admission failed on one side or the other: most likely another secret.
    #[error("refused; does the other side have the same secret?")]
    Refused,
    /// This node shuts down.
    #[error("this node shuts down")]
    ShutDown,
    /// No answer came, or the peer answered and then took too long.
    #[error("no answer in time")]
    TimedOut,
    /// One of the two sides has as many peers or dials as it may have at once.
    #[error("too many peers or dials at once")]
    TooMany,
    /// The host is not found or refuses, or what is there does not speak our protocol or broke off.
    #[error("unreachable")]
    Unreachable,
    /// Another peer is there than the address names.
    #[error("another peer is there")]
    WrongPeer,
}

/// Why a node that connected was not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rejection {
    /// One side did not take the other's proof: most likely another secret.
    Admission,
    /// They went away before the admission was over.
    Left,
    /// They did not speak our protocol.
    Malformed,
    /// They speak another major version of the protocol: one of the two is to be upgraded.
    OtherVersion,
    /// They did not finish in time.
    TimedOut,
    /// As many peers are connected, or on their way in, as may be at once.
    TooMany,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admission => "no proof that both sides know the same secret",
            Self::Left => "gone before the admission was over",
            Self::Malformed => "not our protocol",
            Self::OtherVersion => "another major version of the protocol; upgrade the older of the two nodes",
            Self::TimedOut => "no admission in time",
            Self::TooMany => "too many peers or newcomers at once",
        })
    }
}

/// Which of a connection's streams a frame takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lane {
    /// The one long-lived stream, in order, for everything short.
    Control,
    /// A stream of its own: bodies over [`BULK_BYTES_MIN`], so that short frames do not wait behind them.
    /// Several are on their way at once, and are handed on in order all the same.
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
    /// The side that dialed.
    Dialer,
    /// The side that was dialed.
    Listener,
}

/// The peer that decides which of several connections between two peers stays: the one with the smaller id.
///
/// Two peers may dial each other at once, or one the other by two of its addresses, or one has restarted and
/// the other not noticed. If each side chose for itself, each could keep what the other closes. So, once an
/// admission has succeeded, and within its time:
///
/// 1. The other side sends a [`Stance`]: that it has room, and which run of its process it is.
/// 2. The arbiter decides by [`Self::replaces`], one connection after the other, and answers with a stance of its
///    own: its run and the number of the decision, or that another connection stays.
/// 3. The other side follows, in the order of the numbers, whatever order they come in.
///
/// Either side calls the peer connected once it has decided or followed, and closes what was replaced. It does not
/// matter which side dialed. But a dialer that finds that the peer is connected gives up before the admission, so a
/// connection that gets here was begun by a side that knew of no other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arbiter {
    /// This node decides, and the peer follows.
    Local,
    /// The peer decides, and this node follows.
    Remote,
}

impl Arbiter {
    /// The arbiter between this node and a peer.
    pub fn between(local: PeerId, remote: PeerId) -> Self {
        if local < remote { Self::Local } else { Self::Remote }
    }

    /// Whether the connection `fresh` replaces `held`, which has been held for `held_age`.
    ///
    /// It does if the peer has restarted since. If not, the arbiter keeps the first of those that crossed on
    /// their way, so that nothing on it is lost; past [`TIE_WINDOW`] a peer that knew of no other connection
    /// must have lost it. The arbiter decides before it numbers the decision: `fresh.number` is for the
    /// other side only, which follows the latest.
    pub fn replaces(self, held: Tenure, held_age: Duration, fresh: Tenure) -> bool {
        if held.run != fresh.run {
            return true;
        }
        match self {
            Self::Local => held_age > TIE_WINDOW,
            Self::Remote => fresh.number > held.number,
        }
    }
}

/// What [`Arbiter::replaces`] has to know of a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tenure {
    /// The run of the peer's process: any number that an earlier run has not used.
    pub run: u64,
    /// The number of the arbiter's decision: in one run, the higher the later.
    pub number: u64,
}

/// One side's word on a connection whose admission has succeeded; see [`Arbiter`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stance {
    /// From the side that follows: it would keep this connection. From the arbiter: both sides keep it.
    ///
    /// The sender's run, and the number of the decision; zero before there is one.
    Keep(Tenure),
    /// From the arbiter: another connection between the two stays.
    KeepAnother,
    /// Too many peers are connected with the sender.
    TooMany,
}

impl Stance {
    /// The form on the wire: one byte for the variant, then run and number, most significant byte first.
    pub fn to_bytes(self) -> [u8; STANCE_BYTES] {
        let (variant, tenure) = match self {
            Self::Keep(tenure) => (1, tenure),
            Self::KeepAnother => (2, Tenure::default()),
            Self::TooMany => (3, Tenure::default()),
        };
        let mut bytes = [0; STANCE_BYTES];
        bytes[0] = variant;
        bytes[1..9].copy_from_slice(&tenure.run.to_be_bytes());
        bytes[9..].copy_from_slice(&tenure.number.to_be_bytes());
        bytes
    }

    /// The stance that `bytes` are; `None` for bytes that [`Self::to_bytes`] never returns.
    pub fn from_bytes(bytes: [u8; STANCE_BYTES]) -> Option<Self> {
        let number_at =
            |at: usize| bytes[at..at + 8].iter().fold(0, |all, byte| (all << 8) | u64::from(*byte));
        let tenure = Tenure { run: number_at(1), number: number_at(9) };
        match (bytes[0], tenure == Tenure::default()) {
            (1, _any) => Some(Self::Keep(tenure)),
            (2, true) => Some(Self::KeepAnother),
            (3, true) => Some(Self::TooMany),
            _unknown => None,
        }
    }
}

/// Why a frame was not queued.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// There is no connection with that peer.
    #[error("not connected")]
    NotConnected,
    /// The peer takes frames more slowly than they come: its queue is full.
    #[error("the peer's queue is full")]
    QueueFull,
    /// The frame is longer than [`FRAME_BYTES_MAX`].
    #[error("frame is longer than {FRAME_BYTES_MAX} bytes")]
    TooLong,
}

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

/// Decides which peers are let in: by a proof, in both directions, that the other side knows the fleet's secret.
///
/// Called by transports for every connection, before they move anything else. Must not block.
pub trait Gate: Send + Sync {
    /// Begins the proof on a fresh connection between `local` and `remote`, whose identity the handshake has proved.
    ///
    /// `channel` is what only the two sides know of this very connection, such as a TLS exporter; empty if the
    /// transport has none.
    fn begin(&self, side: Side, local: PeerId, remote: PeerId, channel: &[u8]) -> Box<dyn Admission>;
}

/// One proof in progress, free of input and output.
pub trait Admission: Send {
    /// The next message to send, if one is due. Never empty: transports mark the end of the proof with an empty one.
    fn poll_transmit(&mut self) -> Option<Bytes>;

    /// Takes the other side's next message, at most [`ADMISSION_BYTES_MAX`] long.
    ///
    /// # Errors
    ///
    /// [`Refused`], whatever is wrong. The connection ends without another byte of the admission; a transport tells
    /// the other side in its own words when it was refused for its version, since that depends on no secret.
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

    /// The protocol that both sides speak, as the admission found out.
    fn protocol(&self) -> Protocol {
        Protocol::OURS
    }

    /// Whether what the other side proved no longer counts, so that the connection must end.
    fn is_revoked(&self) -> bool {
        false
    }
}

/// The other side was not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// It speaks another major version of the protocol.
    #[error("speaks version {major} of the protocol, and this node version {}", Protocol::OURS.major)]
    OtherVersion {
        /// The major version that the other side speaks.
        major: u8,
    },
    /// It did not prove that it knows a secret of ours. Says no more on purpose.
    #[error("refused")]
    Unproved,
}

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

/// Two connections this close together may have been begun without knowledge of each other: a dialer looks before the
/// admission, and no admission takes longer.
pub const TIE_WINDOW: Duration = ADMISSION_TIMEOUT;

/// A peer that has answered nothing for this long is gone. Less than the five seconds within which the fleet is to
/// have forgotten a member that crashed; each transport says how many signs of life that leaves room for.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(4);

/// Length of a [`Stance`] on the wire.
pub const STANCE_BYTES: usize = 17;

/// Bytes that sealing may add to a frame.
const SEAL_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    #[test]
    fn two_peers_agree_on_who_decides() {
        let (one, two) = (PeerId::from_public_key([1; 32]), PeerId::from_public_key([2; 32]));
        assert_eq!(Arbiter::between(one, two), Arbiter::Local);
        assert_eq!(Arbiter::between(two, one), Arbiter::Remote);
    }

    #[test]
    fn a_peer_that_restarted_is_believed_at_once_and_one_that_crossed_us_keeps_the_first() {
        let (held, again) = (Tenure { run: 7, number: 1 }, Tenure { run: 8, number: 1 });
        for arbiter in [Arbiter::Local, Arbiter::Remote] {
            assert!(arbiter.replaces(held, Duration::ZERO, again), "{arbiter:?}");
        }
        assert!(!Arbiter::Local.replaces(held, TIE_WINDOW, held));
        assert!(Arbiter::Local.replaces(held, TIE_WINDOW + Duration::from_millis(1), held));
    }

    proptest! {
        #[test]
        fn both_sides_end_up_with_the_same_connection(
            // When each connection is ready, in the order of the arbiter's decisions, in milliseconds; and
            // in which order its answers come through.
            pauses in prop::collection::vec(0u64..8_000, 1..8),
            order in prop::collection::vec(any::<u32>(), 8),
        ) {
            let (mut now, mut held, mut answers) = (0, None::<(usize, u64)>, BTreeMap::new());
            for (connection, pause) in pauses.iter().enumerate() {
                now += pause;
                let tenure = Tenure { run: 7, number: 0 };
                let age = |since| Duration::from_millis(now - since);
                if held.is_none_or(|(_, since)| Arbiter::Local.replaces(tenure, age(since), tenure)) {
                    held = Some((connection, now));
                    let number = answers.len() as u64 + 1;
                    answers.insert((order[connection], number), connection);
                }
            }
            let mut followed = None::<(usize, Tenure)>;
            for ((_place, number), connection) in answers {
                let fresh = Tenure { run: 9, number };
                if followed.is_none_or(|(_, held)| Arbiter::Remote.replaces(held, Duration::ZERO, fresh)) {
                    followed = Some((connection, fresh));
                }
            }
            prop_assert_eq!(held.map(|(connection, _)| connection), followed.map(|(connection, _)| connection));
        }

        #[test]
        fn a_stance_survives_the_wire_and_nothing_else_is_one(
            run: u64, number: u64, mut bytes: [u8; STANCE_BYTES],
        ) {
            for stance in [Stance::Keep(Tenure { run, number }), Stance::KeepAnother, Stance::TooMany] {
                prop_assert_eq!(Stance::from_bytes(stance.to_bytes()), Some(stance));
            }
            bytes[0] %= 5;
            if let Some(stance) = Stance::from_bytes(bytes) {
                prop_assert_eq!(stance.to_bytes(), bytes);
            }
        }
    }
}
