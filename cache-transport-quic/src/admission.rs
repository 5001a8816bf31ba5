//! Runs the gate on a fresh connection, before anything else moves.
//!
//! There is one stream, opened by the dialer with [`HELLO`], since a stream shows only once something is on it, and
//! the listener may have to speak first. Then come messages, each behind its length. An empty message says: you are
//! let in. Behind it each side sends its stance, and the arbiter's decides which connection with the same peer stays.
//! The stream goes on to carry the control lane.

use crate::{code, shared::Shared, tls};
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{ADMISSION_BYTES_MAX, Admission, Refused, Session, Side, Stance},
};
use cache_transport::{
    ending::Ending,
    frame::{self, FrameError, FrameReader},
};
use quinn::{Connection, RecvStream, SendStream};

/// A connection whose other side has proved that it knows a secret.
pub(crate) struct Proved {
    pub(crate) session: Box<dyn Session>,
    pub(crate) stream: Stream,
}

/// Lets the other side of `connection` prove itself. The caller bounds the time and closes what was denied.
pub(crate) async fn admit(
    shared: &Shared,
    connection: &Connection,
    side: Side,
    remote: PeerId,
) -> Result<Proved, Ending> {
    let no_channel = || Ending::Lost("gone before the admission was over".into());
    let channel = tls::channel(connection).ok_or_else(no_channel)?;
    let mut stream = Stream::open(connection, side, remote).await?;
    let mut admission = shared.gate.begin(side, shared.book.local(), remote, &channel);
    for _message in 0..=MESSAGES_MAX {
        stream.transmit(&mut *admission).await?;
        if let Some(session) = admission.poll_session() {
            return Ok(Proved { session, stream });
        }
        let message = stream.receive().await?;
        // With an empty message the peer lets us in, but it has not proved itself, and it will say no more.
        if message.is_empty() {
            return Err(Ending::NotLetIn(Refused::Unproved));
        }
        admission.handle(&message)?;
    }
    Err(Ending::Protocol(ENDLESS))
}

/// The stream of the admission.
pub(crate) struct Stream {
    connection: Connection,
    peer: PeerId,
    pub(crate) sender: SendStream,
    pub(crate) reader: FrameReader<RecvStream>,
}

impl Stream {
    async fn open(connection: &Connection, side: Side, peer: PeerId) -> Result<Self, Ending> {
        let ended = |_ended| code::denial(connection, peer);
        let (sender, receiver) = match side {
            Side::Dialer => connection.open_bi().await.map_err(ended)?,
            Side::Listener => connection.accept_bi().await.map_err(ended)?,
        };
        let reader = FrameReader::new(receiver);
        let mut stream = Self { connection: connection.clone(), peer, sender, reader };
        match side {
            Side::Dialer => stream.write(&[HELLO]).await?,
            Side::Listener => {
                let hello = stream.reader.array().await;
                if hello.map_err(|error| stream.ending_of(error))? != [HELLO] {
                    return Err(Ending::Protocol("another form of the admission"));
                }
            }
        }
        Ok(stream)
    }

    pub(crate) async fn send_stance(&mut self, stance: Stance) -> Result<(), Ending> {
        self.write(&stance_message(stance)).await
    }

    /// The stance of the other side, once it has let us in; `None` if it sends something else.
    pub(crate) async fn stance(&mut self) -> Result<Option<Stance>, Ending> {
        if !self.receive().await?.is_empty() {
            return Err(Ending::Protocol(ENDLESS));
        }
        let stance = self.reader.array().await.map_err(|error| self.ending_of(error))?;
        Ok(Stance::from_bytes(stance))
    }

    async fn transmit(&mut self, admission: &mut dyn Admission) -> Result<(), Ending> {
        for _message in 0..MESSAGES_MAX {
            let Some(message) = admission.poll_transmit() else { return Ok(()) };
            assert!(
                (1..=ADMISSION_BYTES_MAX).contains(&message.len()),
                "an admission's messages are not empty, and not longer than their limit"
            );
            self.write(&[&frame::prefix(&message), &message[..]].concat()).await?;
        }
        Err(Ending::Protocol(ENDLESS))
    }

    async fn receive(&mut self) -> Result<Bytes, Ending> {
        let message = self.reader.next(ADMISSION_BYTES_MAX).await.map_err(|error| self.ending_of(error))?;
        message.ok_or_else(|| code::denial(&self.connection, self.peer))
    }

    fn ending_of(&self, error: FrameError) -> Ending {
        match error {
            FrameError::TooLong { .. } => error.into(),
            _ended => code::denial(&self.connection, self.peer),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        self.sender.write_all(bytes).await.map_err(|_ended| code::denial(&self.connection, self.peer))
    }
}

/// The message that lets the other side in, and tells it our stance.
pub(crate) fn stance_message(stance: Stance) -> Vec<u8> {
    [&frame::prefix(b"")[..], &stance.to_bytes()].concat()
}

/// Opens the stream; another value would be another form of what follows.
const HELLO: u8 = 1;

/// What is wrong with an admission that does not end where it should.
const ENDLESS: &str = "more messages than an admission has";

/// Messages of one admission in one direction. A proof takes two or three.
const MESSAGES_MAX: usize = 8;
