//! Why a connection ends.

use cache_core::{
    PeerId, Protocol,
    port::{DialError, Refusal, Refused},
};
use cache_transport::frame::FrameError;
use std::{io, time::Duration};
use thiserror::Error;

/// Why a connection ends, or never began. The connection is of no use afterwards; others are not affected.
#[derive(Debug, Error)]
pub(crate) enum Ending {
    /// Another connection with the same peer was kept instead.
    #[error("another connection with that peer stays")]
    AlreadyConnected(PeerId),
    /// This is no address to dial.
    #[error("{0}")]
    BadAddress(String),
    /// The other side ended the connection in an orderly way; before the end of admission, it refuses us.
    #[error("closed by the peer")]
    ByPeer,
    /// We ended the connection.
    #[error("closed by this node")]
    ByUs,
    /// The handshake of a newcomer failed.
    #[error("handshake: {0}")]
    Handshake(String),
    /// This node has dialled itself.
    #[error("that is this node itself")]
    Itself,
    /// The connection broke, or was ended without a word.
    #[error("lost: {0}")]
    Lost(String),
    /// The other side sent what are no frames.
    #[error("broke the protocol: {0}")]
    Frame(FrameError),
    /// The gate did not let the other side in.
    #[error("not let in: {0}")]
    NotLetIn(Refused),
    /// The other side says that we speak another major version of the protocol than it does.
    #[error("the other side does not speak version {} of the protocol, as this node does", Protocol::OURS.major)]
    OtherVersion,
    /// The other side broke the rules of the wire.
    #[error("broke the protocol: {0}")]
    Protocol(&'static str),
    /// A newer connection with the same peer took over.
    #[error("replaced by a newer connection")]
    Replaced,
    /// The stream broke.
    #[error("broken: {0}")]
    Stream(#[from] io::Error),
    /// Nothing came from the peer for a while, not even an answer to a ping.
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// The handshake or the admission took too long for this side or the other.
    #[error("took too long: {0}")]
    TimedOut(String),
    /// There are as many peers, dials or newcomers as can be held.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// There is nobody to connect with.
    #[error("{0}")]
    Unreachable(String),
    /// The other side does not speak our protocol, or gave no stream for it.
    #[error("no stream for {0}")]
    Unsupported(&'static str),
    /// Another peer is there than the address names.
    #[error("another peer answers there: {0}")]
    WrongPeer(String),
}

impl Ending {
    /// What it means for a dial.
    pub(crate) fn dial_error(&self) -> DialError {
        match self {
            Self::AlreadyConnected(peer) => DialError::AlreadyConnected { peer: *peer },
            Self::BadAddress(_) => DialError::BadAddress,
            Self::ByPeer | Self::NotLetIn(Refused::Unproved) => DialError::Refused,
            Self::ByUs => DialError::ShutDown,
            Self::Itself => DialError::Itself,
            Self::NotLetIn(Refused::OtherVersion { .. }) | Self::OtherVersion => DialError::OtherVersion,
            Self::Silent(_) | Self::TimedOut(_) => DialError::TimedOut,
            Self::TooMany(_) => DialError::TooMany,
            Self::Frame(_)
            | Self::Handshake(_)
            | Self::Lost(_)
            | Self::Protocol(_)
            | Self::Replaced
            | Self::Stream(_)
            | Self::Unreachable(_)
            | Self::Unsupported(_) => DialError::Unreachable,
            Self::WrongPeer(_) => DialError::WrongPeer,
        }
    }

    /// What it means for a newcomer; nothing, if there is nobody to wonder about.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::AlreadyConnected(_) | Self::ByUs | Self::Itself | Self::Replaced => None,
            Self::ByPeer | Self::NotLetIn(Refused::Unproved) => Some(Refusal::Admission),
            Self::Lost(_) | Self::Stream(_) | Self::Unreachable(_) => Some(Refusal::Left),
            Self::BadAddress(_)
            | Self::Frame(_)
            | Self::Handshake(_)
            | Self::Protocol(_)
            | Self::Unsupported(_)
            | Self::WrongPeer(_) => Some(Refusal::Malformed),
            Self::NotLetIn(Refused::OtherVersion { .. }) | Self::OtherVersion => Some(Refusal::OtherVersion),
            Self::Silent(_) | Self::TimedOut(_) => Some(Refusal::TimedOut),
            Self::TooMany(_) => Some(Refusal::TooMany),
        }
    }
}

impl From<FrameError> for Ending {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Stream(error),
            error => Self::Frame(error),
        }
    }
}
