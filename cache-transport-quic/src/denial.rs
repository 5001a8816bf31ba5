//! Why a connection that came about is not used, and what is made of that on either side.

use crate::link;
use cache_core::{
    PeerId, Protocol,
    port::{DialError, Refusal, Refused},
};
use quinn::{Connection, ConnectionError, VarInt};
use std::fmt;

/// Why the other side was not let in, or did not let us in, or another connection with it stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Denial {
    /// Another connection with the same peer stays, by the arbiter's word.
    AlreadyConnected,
    /// They denied us, for which they give no reason.
    Denied,
    /// The connection ended otherwise.
    Left,
    /// They said what nobody says at that point.
    Malformed,
    /// They speak another major version of the protocol: this one, where it was they who said so.
    OtherVersion { major: Option<u8> },
    /// They did not prove themselves.
    Refused,
    /// Time ran out, theirs or ours.
    TimedOut,
    /// One side has too many peers.
    TooMany,
}

impl Denial {
    /// What it means that a stream of `connection` ended during the admission.
    pub(crate) fn of_end(connection: &Connection) -> Self {
        match connection.close_reason() {
            Some(ConnectionError::ApplicationClosed(close)) if close.error_code == link::CODE_DENIED => {
                Self::Denied
            }
            Some(ConnectionError::ApplicationClosed(close)) if close.error_code == CODE_REDUNDANT => {
                Self::AlreadyConnected
            }
            Some(ConnectionError::ApplicationClosed(close)) if close.error_code == CODE_OTHER_VERSION => {
                Self::OtherVersion { major: None }
            }
            Some(ConnectionError::ApplicationClosed(close)) if close.error_code == CODE_TIMED_OUT => {
                Self::TimedOut
            }
            Some(ConnectionError::TimedOut) => Self::TimedOut,
            // Streams of an honest side end with its connection.
            None => Self::Malformed,
            Some(_otherwise) => Self::Left,
        }
    }

    /// The same as the dialer of `peer` hears it.
    pub(crate) fn dial_error(self, peer: PeerId) -> DialError {
        match self {
            Self::AlreadyConnected => DialError::AlreadyConnected { peer },
            Self::Denied | Self::Refused => DialError::Refused,
            Self::Left | Self::Malformed => DialError::Unreachable,
            Self::OtherVersion { .. } => DialError::OtherVersion,
            Self::TimedOut => DialError::TimedOut,
            Self::TooMany => DialError::TooMany,
        }
    }

    /// The same as the listener hears it; nothing, if there is nobody to wonder about.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::AlreadyConnected => None,
            Self::Denied | Self::Refused => Some(Refusal::Admission),
            Self::Left => Some(Refusal::Left),
            Self::Malformed => Some(Refusal::Malformed),
            Self::OtherVersion { .. } => Some(Refusal::OtherVersion),
            Self::TimedOut => Some(Refusal::TimedOut),
            Self::TooMany => Some(Refusal::TooMany),
        }
    }

    /// Closes `connection`, saying no more than that it was denied, was not needed, took too long, or came from another
    /// version.
    pub(crate) fn close(self, connection: &Connection) {
        let code = match self {
            Self::AlreadyConnected => CODE_REDUNDANT,
            Self::OtherVersion { .. } => CODE_OTHER_VERSION,
            Self::TimedOut => CODE_TIMED_OUT,
            Self::Denied | Self::Left | Self::Malformed | Self::Refused | Self::TooMany => link::CODE_DENIED,
        };
        connection.close(code, b"");
    }
}

impl From<Refused> for Denial {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::OtherVersion { major } => Self::OtherVersion { major: Some(major) },
            Refused::Unproved => Self::Refused,
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherVersion { major: Some(major) } => {
                return Refused::OtherVersion { major: *major }.fmt(f);
            }
            Self::OtherVersion { major: None } => {
                let ours = Protocol::OURS.major;
                return write!(
                    f,
                    "the other side does not speak version {ours} of the protocol, as this node does"
                );
            }
            Self::AlreadyConnected => "another connection with that peer stays",
            Self::Denied => "the other side does not let us in",
            Self::Left => "the other side was gone before the admission was over",
            Self::Malformed => "the other side does not keep to the protocol of the admission",
            Self::Refused => "the other side did not prove that it knows the fleet's secret",
            Self::TimedOut => "the admission took too long",
            Self::TooMany => "too many peers are connected",
        })
    }
}

/// Told to whom is not let in for want of time: all but nothing, and it need not look for another secret.
const CODE_TIMED_OUT: VarInt = VarInt::from_u32(4);

/// Told to whom is not let in for another major version of the protocol.
const CODE_OTHER_VERSION: VarInt = VarInt::from_u32(6);

/// Told by a dialer that finds itself connected with whom it has reached.
const CODE_REDUNDANT: VarInt = VarInt::from_u32(5);
