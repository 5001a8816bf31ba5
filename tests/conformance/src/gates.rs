//! Gates for tests: one that lets every peer in, one that refuses, one that says nothing.

use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{Admission, Gate, Refused, SealError, Session, Side},
};

/// Lets in every peer that sees the same connection as this side does.
///
/// The dialer sends what it sees; the listener compares, and answers in kind.
#[derive(Debug)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn begin(&self, side: Side, local: PeerId, remote: PeerId, channel: &[u8]) -> Box<dyn Admission> {
        let (dialer, listener) = match side {
            Side::Dialer => (local, remote),
            Side::Listener => (remote, local),
        };
        let seen = [&dialer.public_key()[..], &listener.public_key()[..], channel].concat();
        let proof = |side: u8| Bytes::from([&[side][..], &seen].concat());
        let (ours, theirs) = match side {
            Side::Dialer => (proof(b'd'), proof(b'l')),
            Side::Listener => (proof(b'l'), proof(b'd')),
        };
        let turn = match side {
            Side::Dialer => Turn::Ours,
            Side::Listener => Turn::Theirs,
        };
        Box::new(OpenAdmission { ours, theirs, side, turn })
    }
}

#[derive(Debug)]
struct OpenAdmission {
    ours: Bytes,
    theirs: Bytes,
    side: Side,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Turn {
    Ours,
    Theirs,
    Over,
}

impl Admission for OpenAdmission {
    fn poll_transmit(&mut self) -> Option<Bytes> {
        if self.turn != Turn::Ours {
            return None;
        }
        self.turn = match self.side {
            Side::Dialer => Turn::Theirs,
            Side::Listener => Turn::Over,
        };
        Some(self.ours.clone())
    }

    fn handle(&mut self, message: &[u8]) -> Result<(), Refused> {
        if self.turn != Turn::Theirs || message != self.theirs {
            return Err(Refused::Unproved);
        }
        self.turn = match self.side {
            Side::Dialer => Turn::Over,
            Side::Listener => Turn::Ours,
        };
        Ok(())
    }

    fn poll_session(&mut self) -> Option<Box<dyn Session>> {
        (self.turn == Turn::Over).then(|| Box::new(PlainSession) as Box<dyn Session>)
    }
}

/// Lets no peer in: it refuses the first message, and proves nothing itself but sends one if it dialed.
#[derive(Debug)]
pub struct RefusingGate;

impl Gate for RefusingGate {
    fn begin(&self, side: Side, _local: PeerId, _remote: PeerId, _channel: &[u8]) -> Box<dyn Admission> {
        let message = match side {
            Side::Dialer => Some(Bytes::from_static(b"anything")),
            Side::Listener => None,
        };
        Box::new(RefusingAdmission(message))
    }
}

#[derive(Debug)]
struct RefusingAdmission(Option<Bytes>);

impl Admission for RefusingAdmission {
    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.0.take()
    }

    fn handle(&mut self, _message: &[u8]) -> Result<(), Refused> {
        Err(Refused::Unproved)
    }

    fn poll_session(&mut self) -> Option<Box<dyn Session>> {
        None
    }
}

/// Listens to everything, and neither answers nor refuses.
#[derive(Debug)]
pub struct SilentGate;

impl Gate for SilentGate {
    fn begin(&self, _side: Side, _local: PeerId, _remote: PeerId, _channel: &[u8]) -> Box<dyn Admission> {
        Box::new(SilentAdmission)
    }
}

#[derive(Debug)]
struct SilentAdmission;

impl Admission for SilentAdmission {
    fn poll_transmit(&mut self) -> Option<Bytes> {
        None
    }

    fn handle(&mut self, _message: &[u8]) -> Result<(), Refused> {
        Ok(())
    }

    fn poll_session(&mut self) -> Option<Box<dyn Session>> {
        None
    }
}

/// Seals nothing: frames pass as they are.
#[derive(Debug)]
pub struct PlainSession;

impl Session for PlainSession {
    fn seal(&mut self, plain: &[u8]) -> Result<Bytes, SealError> {
        Ok(Bytes::copy_from_slice(plain))
    }

    fn open(&mut self, frame: &[u8]) -> Result<Vec<u8>, SealError> {
        Ok(frame.to_vec())
    }
}
