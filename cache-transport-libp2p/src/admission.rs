//! A connection's beginning: the gate's proof, before anything else.

use crate::{
    control,
    ending::Ending,
    frame::{FrameReader, write_frames},
    handler::{Arrival, Lines, Step},
    shared::Shared,
};
use cache_core::{
    PeerId,
    port::{ADMISSION_BYTES_MAX, Session, Side},
};
use futures::{
    AsyncReadExt, AsyncWriteExt,
    io::{ReadHalf, WriteHalf},
};
use libp2p::{Stream, swarm::ConnectionId};
use std::sync::Arc;
use tokio::time::timeout;

/// Who met on a fresh connection.
#[derive(Clone, Copy)]
pub(crate) struct Meeting {
    pub(crate) id: ConnectionId,
    pub(crate) peer: PeerId,
    pub(crate) side: Side,
}

/// The control stream: what of it was read already, and where to write.
pub(crate) type ControlStream = (FrameReader<ReadHalf<Stream>>, WriteHalf<Stream>);

/// Lets the other side in or not; goes on with the lanes, or ends.
pub(crate) async fn meet(shared: Arc<Shared>, meeting: Meeting, mut lines: Lines) -> Step {
    let time = shared.settings.admission_timeout;
    let proved =
        timeout(time, prove(&shared, meeting, &mut lines)).await.unwrap_or(Err(Ending::TimedOut(time)));
    let admitted = proved.and_then(|Proved { stream, session, dial }| {
        let link = shared.admitted(meeting.id, meeting.peer, dial, session)?;
        Ok((link, stream))
    });
    match admitted {
        Ok((link, stream)) => Step::Continue(control::lanes(&shared, &link, stream, lines)),
        Err(ending) => {
            shared.failed(meeting.id, &ending.to_string());
            Step::End
        }
    }
}

/// What comes of a proof in both directions.
struct Proved {
    stream: ControlStream,
    session: Box<dyn Session>,
    dial: u64,
}

async fn prove(shared: &Shared, meeting: Meeting, lines: &mut Lines) -> Result<Proved, Ending> {
    let stream = match meeting.side {
        Side::Dialer => lines.opener.control().await?,
        Side::Listener => match lines.arrivals.recv().await {
            Some(Arrival::Control(stream)) => stream,
            Some(Arrival::Bulk(_)) => return Err(Ending::Protocol("bulk before the admission")),
            None => return Err(Ending::ByPeer),
        },
    };
    let (read, mut write) = stream.split();
    let mut reader = FrameReader::new(read);
    let mut admission = shared.gate.begin(meeting.side, shared.local, meeting.peer, NO_CHANNEL);
    loop {
        while let Some(message) = admission.poll_transmit() {
            write_frames(&mut write, [message]).await?;
        }
        if let Some(session) = admission.poll_session() {
            let dial = match meeting.side {
                Side::Dialer => {
                    let dial = shared.dial(meeting.id).ok_or(Ending::ByUs)?;
                    write.write_all(&dial.to_be_bytes()).await?;
                    write.flush().await?;
                    dial
                }
                Side::Listener => u64::from_be_bytes(reader.array().await?),
            };
            return Ok(Proved { stream: (reader, write), session, dial });
        }
        let message = reader.next(ADMISSION_BYTES_MAX).await?.ok_or(Ending::ByPeer)?;
        admission.handle(&message).map_err(|_refused| Ending::NotLetIn)?;
    }
}

/// libp2p shows nothing of a connection that both sides know and nobody else does. The identities are proved
/// by its handshake, and the proof brings nonces of its own.
const NO_CHANNEL: &[u8] = &[];
