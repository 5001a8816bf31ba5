//! Runs the gate on a fresh connection, before anything else moves.
//!
//! One stream, opened by the dialer with [`HELLO`], since a stream shows only once something is on it and
//! it may be for the listener to speak first. Then messages, each behind its length. An empty one says:
//! you are let in. Both sides have said so before either calls the other connected. The stream goes on to
//! carry the control lane.

use crate::{frame, tls};
use cache_core::{
    PeerId,
    port::{ADMISSION_BYTES_MAX, Admission, Gate, Session, Side},
};
use quinn::{Connection, RecvStream, SendStream};
use std::fmt;

/// A connection whose other side was let in, and lets us in.
pub(crate) struct Admitted {
    pub(crate) session: Box<dyn Session>,
    pub(crate) sender: SendStream,
    pub(crate) receiver: RecvStream,
}

/// Lets the other side of `connection` in, or not. The caller bounds the time and closes what was denied.
pub(crate) async fn admit(
    connection: &Connection,
    gate: &dyn Gate,
    side: Side,
    local: PeerId,
    remote: PeerId,
) -> Result<Admitted, Denial> {
    let channel = tls::channel(connection).ok_or(Denial::Broken)?;
    let (mut sender, mut receiver) = open(connection, side).await.ok_or(Denial::Broken)?;
    let mut admission = gate.begin(side, local, remote, &channel);
    let mut session = None;
    let mut is_let_in = false;
    for _message in 0..=MESSAGES_MAX {
        transmit(&mut *admission, &mut sender).await?;
        if session.is_none() {
            session = admission.poll_session();
            if session.is_some() {
                send(&mut sender, b"").await?;
            }
        }
        match (session, is_let_in) {
            (Some(session), true) => return Ok(Admitted { session, sender, receiver }),
            // They let us in without having proved themselves, and will say no more.
            (None, true) => return Err(Denial::Refused),
            (unfinished, false) => session = unfinished,
        }
        let message = receive(&mut receiver).await?;
        if message.is_empty() {
            is_let_in = true;
        } else if session.is_some() {
            return Err(Denial::Refused);
        } else {
            admission.handle(&message).map_err(|_refused| Denial::Refused)?;
        }
    }
    Err(Denial::Refused)
}

async fn open(connection: &Connection, side: Side) -> Option<(SendStream, RecvStream)> {
    match side {
        Side::Dialer => {
            let (mut sender, receiver) = connection.open_bi().await.ok()?;
            sender.write_all(&[HELLO]).await.ok()?;
            Some((sender, receiver))
        }
        Side::Listener => {
            let (sender, mut receiver) = connection.accept_bi().await.ok()?;
            let mut hello = [0];
            receiver.read_exact(&mut hello).await.ok()?;
            (hello == [HELLO]).then_some((sender, receiver))
        }
    }
}

async fn transmit(admission: &mut dyn Admission, sender: &mut SendStream) -> Result<(), Denial> {
    for _message in 0..MESSAGES_MAX {
        let Some(message) = admission.poll_transmit() else { return Ok(()) };
        assert!(
            (1..=ADMISSION_BYTES_MAX).contains(&message.len()),
            "an admission's messages are not empty, and not longer than their limit"
        );
        send(sender, &message).await?;
    }
    Err(Denial::Refused)
}

async fn send(sender: &mut SendStream, message: &[u8]) -> Result<(), Denial> {
    sender.write_all(&[&frame::prefix(message), message].concat()).await.map_err(|_ended| Denial::Broken)
}

async fn receive(receiver: &mut RecvStream) -> Result<Vec<u8>, Denial> {
    let mut prefix = [0; frame::PREFIX_BYTES];
    receiver.read_exact(&mut prefix).await.map_err(|_ended| Denial::Broken)?;
    let message_bytes = usize::try_from(u32::from_be_bytes(prefix)).unwrap_or(usize::MAX);
    if message_bytes > ADMISSION_BYTES_MAX {
        return Err(Denial::Refused);
    }
    let mut message = vec![0; message_bytes];
    receiver.read_exact(&mut message).await.map_err(|_ended| Denial::Broken)?;
    Ok(message)
}

/// Why the other side was not let in, or did not let us in. For our own ears only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Denial {
    /// The connection or its stream ended, which is also how the other side denies.
    Broken,
    /// They did not prove themselves.
    Refused,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "the other side ended the connection before the admission was over",
            Self::Refused => "the other side did not prove that it knows the fleet's secret",
        })
    }
}

/// Opens the stream; another value would be another form of what follows.
const HELLO: u8 = 1;

/// Messages of one admission in one direction. A proof takes two or three.
const MESSAGES_MAX: usize = 8;
