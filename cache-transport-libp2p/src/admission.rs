//! A connection's beginning: the gate's proof, before anything else.

use crate::{
    control,
    handler::{Arrival, Lines, Step},
    shared::Shared,
    write::{write_all, write_frames},
};
use cache_core::{
    PeerId,
    port::{ADMISSION_BYTES_MAX, Refused, STANCE_BYTES, Session, Side, Stance, Tenure},
};
use cache_transport::{
    book::{self, Admitted},
    ending::Ending,
    frame::{self, FrameReader},
};
use futures::{
    AsyncReadExt, AsyncWriteExt,
    io::{ReadHalf, WriteHalf},
};
use libp2p::{Stream, swarm::ConnectionId};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// The two sides of a fresh connection.
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
    let mut stream = None;
    let is_redundant = meeting.side == Side::Dialer && shared.book.get(meeting.peer).is_some();
    let proved = async {
        let control = stream.insert(control_stream(meeting.side, &mut lines).await?);
        if is_redundant {
            Err(Ending::AlreadyConnected(meeting.peer))
        } else {
            prove(&shared, meeting, control).await
        }
    };
    let proved = timeout(time, proved).await;
    let too_late = |_elapsed| Err(Ending::TimedOut(format!("no admission within {time:?}")));
    let Proved { session, tenure } = match proved.unwrap_or_else(too_late) {
        Ok(proved) => proved,
        Err(ending) => {
            let last_word = match &ending {
                Ending::AlreadyConnected(_) if is_redundant => LastWord::Early(REDUNDANT),
                Ending::NotLetIn(Refused::OtherVersion { .. }) => LastWord::Early(OTHER_VERSION),
                Ending::TimedOut(_) => LastWord::Early(TOO_LATE),
                Ending::TooMany(_) => LastWord::Stance(Stance::TooMany),
                _refused => LastWord::None,
            };
            return part(&shared, meeting, &ending, stream, last_word).await;
        }
    };
    match (shared.admitted(meeting.id, meeting.peer, tenure, session), stream) {
        (Ok(Admitted { link, verdict, .. }), Some(stream)) => {
            Step::Continue(control::lanes(&shared, &link, stream, verdict, lines))
        }
        (Ok(Admitted { link, .. }), None) => {
            shared.end_link(&link, &Ending::Protocol("an admission without a stream"));
            Step::End
        }
        (Err(ending), stream) => {
            let stance = shared.book.refusal(meeting.peer, &ending);
            part(&shared, meeting, &ending, stream, stance.map_or(LastWord::None, LastWord::Stance)).await
        }
    }
}

/// Reports how the attempt failed, and lets the other side hear the last word and the end of the stream, so that it
/// can tell a refusal from a connection that broke.
async fn part(
    shared: &Shared,
    meeting: Meeting,
    ending: &Ending,
    stream: Option<ControlStream>,
    last_word: LastWord,
) -> Step {
    shared.failed(meeting.id, ending);
    if let Some((mut reader, mut writer)) = stream {
        let farewell = async {
            match last_word {
                LastWord::None => {}
                LastWord::Stance(stance) => write_all(&mut writer, &stance.to_bytes()).await?,
                LastWord::Early(why) => {
                    write_all(&mut writer, &[&frame::prefix(b"")[..], &[why]].concat()).await?;
                }
            }
            writer.close().await?;
            reader.end().await.map_err(Ending::from)
        };
        // The connection is closed in any case.
        let _is_heard = timeout(FAREWELL_TIMEOUT, farewell).await;
    }
    Step::End
}

/// What the other side hears before the stream ends.
enum LastWord {
    /// The other side does not know the secret, or ends the stream itself.
    None,
    /// It has proved itself, and yet the connection is not kept.
    Stance(Stance),
    /// Behind an empty message, which no admission sends: why the admission goes no further.
    Early(u8),
}

/// The outcome of a proof in both directions.
struct Proved {
    session: Box<dyn Session>,
    tenure: Tenure,
}

/// The stream on which the admission goes.
async fn control_stream(side: Side, lines: &mut Lines) -> Result<ControlStream, Ending> {
    let stream = match side {
        Side::Dialer => lines.opener.control().await?,
        Side::Listener => match lines.arrivals.recv().await {
            Some(Arrival::Control(stream)) => stream,
            Some(Arrival::Bulk(_)) => return Err(Ending::Protocol("bulk before the admission")),
            None => return Err(Ending::Denied),
        },
    };
    let (read, write) = stream.split();
    Ok((FrameReader::new(read), write))
}

/// Runs the proof, and hears where the other side stands.
async fn prove(
    shared: &Shared,
    meeting: Meeting,
    (reader, write): &mut ControlStream,
) -> Result<Proved, Ending> {
    let mut admission = shared.gate.begin(meeting.side, shared.book.local(), meeting.peer, NO_CHANNEL);
    let session = loop {
        while let Some(message) = admission.poll_transmit() {
            write_frames(write, vec![message]).await?;
        }
        if let Some(session) = admission.poll_session() {
            break session;
        }
        let message = reader.next(ADMISSION_BYTES_MAX).await?.ok_or(Ending::Denied)?;
        if message.is_empty() {
            return match reader.array().await? {
                [REDUNDANT] => Err(Ending::AlreadyConnected(meeting.peer)),
                [OTHER_VERSION] => Err(Ending::OtherVersion),
                [TOO_LATE] => Err(Ending::TimedOut("the other side waits no longer".into())),
                _unknown => Err(Ending::Protocol("no reason to end")),
            };
        }
        admission.handle(&message).map_err(Ending::NotLetIn)?;
    };
    match shared.book.stance(meeting.peer) {
        // Said as the last word.
        Some(Stance::TooMany) => return Err(Ending::TooMany("peers")),
        Some(stance) => write_all(write, &stance.to_bytes()).await?,
        None => {}
    }
    let tenure = book::heard(meeting.peer, Stance::from_bytes(stance(reader).await?))?;
    Ok(Proved { session, tenure })
}

/// The bytes of a stance; a stream that ends instead refuses us.
async fn stance(reader: &mut FrameReader<ReadHalf<Stream>>) -> Result<[u8; STANCE_BYTES], Ending> {
    if reader.has_ended().await? { Err(Ending::Denied) } else { Ok(reader.array().await?) }
}

/// Why an admission ends early: the dialer has found itself connected with the peer that it has reached.
const REDUNDANT: u8 = 1;
/// Why an admission ends early: the other side has taken too long.
const TOO_LATE: u8 = 2;
/// Why an admission ends early: the other side speaks another major version of the protocol.
const OTHER_VERSION: u8 = 3;

/// Time for the other side to hear the end: a few round trips, one of them lost.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);

/// libp2p shows nothing of a connection that both sides know and no others do. The identities are proved
/// by its handshake, and the proof brings nonces of its own.
const NO_CHANNEL: &[u8] = &[];
