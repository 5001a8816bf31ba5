//! Why a connection ends, or never began, in words for people and as an error for the engine.

use crate::frame::FrameError;
use cache_core::{
    PeerId, Protocol,
    port::{DialError, Refused, Rejection},
};
use std::{io, time::Duration};
use thiserror::Error;

/// Why a connection ends, or never began. The connection is of no use afterwards; others are not affected.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Ending {
    /// Another connection with the same peer was kept instead.
    #[error("another connection with that peer stays")]
    AlreadyConnected(PeerId),
    /// The text is not an address to dial.
    #[error("{0}")]
    BadAddress(String),
    /// The other side ended the connection in an orderly way.
    #[error("closed by the peer")]
    ByPeer,
    /// This node ended the connection.
    #[error("closed by this node")]
    ByUs,
    /// The other side did not let this node in, for which it gives no reason.
    #[error("the other side does not let this node in")]
    Denied,
    /// A part of this node has failed.
    #[error("fault in this node")]
    Fault,
    /// The other side sent what is not a frame.
    #[error("broke the protocol: {0}")]
    Frame(#[source] FrameError),
    /// The handshake of a newcomer failed.
    #[error("handshake: {0}")]
    Handshake(String),
    /// This node has dialled itself.
    #[error("that is this node itself")]
    Itself,
    /// The connection broke, or was ended without a reason.
    #[error("lost: {0}")]
    Lost(String),
    /// The gate did not let the other side in.
    #[error("not let in: {0}")]
    NotLetIn(Refused),
    /// The other side says that this node speaks another major version of the protocol than it does.
    #[error("the other side does not speak version {} of the protocol, as this node does", Protocol::OURS.major)]
    OtherVersion,
    /// The other side broke the rules of the wire.
    #[error("broke the protocol: {0}")]
    Protocol(&'static str),
    /// A newer connection with the same peer took over.
    #[error("replaced by a newer connection")]
    Replaced,
    /// The whole transport ends.
    #[error("this node shuts down")]
    ShutDown,
    /// Nothing came from the peer for a while, not even an answer to a ping.
    #[error("silent for {0:?}")]
    Silent(Duration),
    /// The stream broke off or was reset.
    #[error("broken: {0}")]
    Stream(#[from] io::Error),
    /// The handshake or the admission took too long for this side or the other.
    #[error("took too long: {0}")]
    TimedOut(String),
    /// There are as many of these as can be held.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Nothing that can be connected with is there.
    #[error("{0}")]
    Unreachable(String),
    /// The other side does not speak the protocol, or gave no stream for it.
    #[error("no stream for {0}")]
    Unsupported(&'static str),
    /// Another peer is there than the address names.
    #[error("another peer answers there: {0}")]
    WrongPeer(String),
}

impl Ending {
    /// What it means for a dial.
    pub fn dial_error(&self) -> DialError {
        match self {
            Self::AlreadyConnected(peer) => DialError::AlreadyConnected { peer: *peer },
            Self::BadAddress(_) => DialError::BadAddress,
            Self::ByUs | Self::ShutDown => DialError::ShutDown,
            Self::Denied | Self::NotLetIn(Refused::Unproved) => DialError::Refused,
            Self::Itself => DialError::Itself,
            Self::NotLetIn(Refused::OtherVersion { .. }) | Self::OtherVersion => DialError::OtherVersion,
            Self::Silent(_) | Self::TimedOut(_) => DialError::TimedOut,
            Self::TooMany(_) => DialError::TooMany,
            Self::ByPeer
            | Self::Fault
            | Self::Frame(_)
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

    /// What it means for a newcomer; `None` if there is no newcomer to report.
    pub fn refusal(&self) -> Option<Rejection> {
        match self {
            Self::AlreadyConnected(_)
            | Self::ByUs
            | Self::Fault
            | Self::Itself
            | Self::Replaced
            | Self::ShutDown => None,
            Self::Denied | Self::NotLetIn(Refused::Unproved) => Some(Rejection::Admission),
            Self::ByPeer | Self::Lost(_) | Self::Stream(_) | Self::Unreachable(_) => Some(Rejection::Left),
            Self::BadAddress(_)
            | Self::Frame(_)
            | Self::Handshake(_)
            | Self::Protocol(_)
            | Self::Unsupported(_)
            | Self::WrongPeer(_) => Some(Rejection::Malformed),
            Self::NotLetIn(Refused::OtherVersion { .. }) | Self::OtherVersion => {
                Some(Rejection::OtherVersion)
            }
            Self::Silent(_) | Self::TimedOut(_) => Some(Rejection::TimedOut),
            Self::TooMany(_) => Some(Rejection::TooMany),
        }
    }
}

impl From<FrameError> for Ending {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Stream(error),
            FrameError::TooLong { .. } | FrameError::Trailing | FrameError::Truncated => Self::Frame(error),
        }
    }
}

impl From<Refused> for Ending {
    fn from(refused: Refused) -> Self {
        Self::NotLetIn(refused)
    }
}
