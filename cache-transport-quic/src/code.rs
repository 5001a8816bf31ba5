//! How endings travel over QUIC: as the code with which a connection is closed.
//!
//! A side that is not let in learns only that it was denied, was not needed, took too long, or speaks another
//! version.

use cache_core::{PeerId, port::Refused};
use cache_transport::ending::Ending;
use quinn::{Connection, ConnectionError, VarInt, WriteError};

/// The code that ends an admission.
pub(crate) fn of_denial(ending: &Ending) -> VarInt {
    match ending {
        Ending::AlreadyConnected(_) => CODE_REDUNDANT,
        Ending::NotLetIn(Refused::OtherVersion { .. }) | Ending::OtherVersion => CODE_OTHER_VERSION,
        Ending::TimedOut(_) => CODE_TIMED_OUT,
        _otherwise => CODE_DENIED,
    }
}

/// The code that ends an admitted connection.
pub(crate) fn of_ending(ending: &Ending) -> VarInt {
    match ending {
        Ending::Frame(_) | Ending::Protocol(_) | Ending::Stream(_) => CODE_BREACH,
        Ending::Replaced => CODE_REPLACED,
        _otherwise => CODE_ENDED,
    }
}

/// What it means that a stream of `connection` with `peer` ended during the admission.
pub(crate) fn denial(connection: &Connection, peer: PeerId) -> Ending {
    match connection.close_reason() {
        Some(ConnectionError::ApplicationClosed(close)) => match close.error_code {
            CODE_DENIED => Ending::Denied,
            CODE_OTHER_VERSION => Ending::OtherVersion,
            CODE_REDUNDANT => Ending::AlreadyConnected(peer),
            CODE_TIMED_OUT => Ending::TimedOut("the other side waits no longer".into()),
            _otherwise => Ending::Lost("gone before the admission was over".into()),
        },
        Some(ConnectionError::TimedOut) => Ending::TimedOut("no answer".into()),
        // Streams of an honest side end with its connection.
        None => Ending::Protocol("ended the stream of the admission"),
        Some(_otherwise) => Ending::Lost("gone before the admission was over".into()),
    }
}

/// Why an admitted connection ended, as QUIC tells it.
pub(crate) fn ending(error: &ConnectionError) -> Ending {
    match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == CODE_ENDED => Ending::ByPeer,
        ConnectionError::ApplicationClosed(close) if close.error_code == CODE_REPLACED => Ending::Replaced,
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::CidsExhausted
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch => Ending::Lost(error.to_string()),
    }
}

/// Why an admitted connection ended on which nothing more could be written.
pub(crate) fn ending_of_write(error: WriteError) -> Ending {
    match error {
        WriteError::ConnectionLost(error) => ending(&error),
        WriteError::ClosedStream | WriteError::Stopped(_) | WriteError::ZeroRttRejected => {
            Ending::Stream(error.into())
        }
    }
}

/// Told to a side that is not let in: nothing more.
pub(crate) const CODE_DENIED: VarInt = VarInt::from_u32(0);

pub(crate) const CODE_ENDED: VarInt = VarInt::from_u32(1);

const CODE_REPLACED: VarInt = VarInt::from_u32(2);

const CODE_BREACH: VarInt = VarInt::from_u32(3);

/// Told to a newcomer that is not let in because its time was over: almost nothing, and it need not look for another
/// secret.
const CODE_TIMED_OUT: VarInt = VarInt::from_u32(4);

/// Told by a dialer that finds itself connected with the peer it has reached.
pub(crate) const CODE_REDUNDANT: VarInt = VarInt::from_u32(5);

/// Told to a newcomer that is not let in because it speaks another major version of the protocol.
const CODE_OTHER_VERSION: VarInt = VarInt::from_u32(6);
