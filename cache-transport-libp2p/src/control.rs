//! An admitted connection's lanes, and the control lane itself.

use crate::{
    admission::ControlStream,
    bulk,
    handler::{Lines, Step},
    shared::{Link, Shared},
    sign::{Said, Sign, next_said},
    write::{write_all, write_frames},
};
use bytes::Bytes;
use cache_core::port::{Lane, SILENCE_TIMEOUT, Side, Stance};
use cache_transport::{ending::Ending, frame::FrameReader};
use futures::{
    AsyncWriteExt, FutureExt,
    future::{self, BoxFuture},
    io::{ReadHalf, WriteHalf},
};
use libp2p::Stream;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, sleep_until};

/// Everything that `link` has to do, beginning with our `verdict` where we are the arbiter; each part woken for itself.
/// The first part to end ends the connection.
pub(crate) fn lanes(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
    (reader, writer): ControlStream,
    verdict: Option<Stance>,
    lines: Lines,
) -> Vec<BoxFuture<'static, Step>> {
    let Lines { opener, arrivals } = lines;
    let part = |work: BoxFuture<'static, Ending>| {
        let (shared, link) = (Arc::clone(shared), Arc::clone(link));
        async move {
            let ending = work.await;
            tracing::debug!(peer = ?link.peer, %ending, "connection ends");
            shared.end_link(&link, &ending);
            Step::End
        }
        .boxed()
    };
    vec![
        part(receive(Arc::clone(shared), Arc::clone(link), reader).boxed()),
        part(send(Arc::clone(link), writer, verdict).boxed()),
        part(bulk::send(Arc::clone(link), opener).boxed()),
        part(bulk::receive(Arc::clone(shared), Arc::clone(link), arrivals).boxed()),
        part(linger(Arc::clone(link)).boxed()),
        part(watch(Arc::clone(link)).boxed()),
    ]
}

async fn receive(shared: Arc<Shared>, link: Arc<Link>, mut reader: FrameReader<ReadHalf<Stream>>) -> Ending {
    loop {
        match next_said(&mut reader).await {
            Ok(Some(Said::Sign(Sign::Ping))) => link.own.pinged(),
            Ok(Some(Said::Sign(Sign::Pong))) => link.own.pong(),
            Ok(Some(Said::Frame { frame_bytes })) => {
                let charge = link.charge(Lane::Control, frame_bytes).await;
                let frame = match reader.body(frame_bytes).await {
                    Ok(frame) => frame,
                    Err(error) => return error.into(),
                };
                link.own.heard();
                // Once the link has ended, what still comes is read on to the end and forgotten.
                if let Some(charge) = charge {
                    shared.book.deliver(&link, frame, charge);
                }
            }
            Ok(None) => return Ending::ByPeer,
            Err(error) => return error.into(),
        }
    }
}

async fn send(link: Arc<Link>, mut writer: WriteHalf<Stream>, verdict: Option<Stance>) -> Ending {
    if let Some(verdict) = verdict
        && let Err(ending) = write_all(&mut writer, &verdict.to_bytes()).await
    {
        return ending;
    }
    loop {
        tokio::select! {
            biased;
            signs = link.own.signs() => {
                let signs: Vec<u8> = signs.into_iter().flat_map(Sign::to_bytes).collect();
                if let Err(ending) = write_all(&mut writer, &signs).await {
                    return ending;
                }
            }
            batch = link.control.take_batch() => {
                let Some(frames) = batch else { break };
                let frames_bytes = frames.iter().map(Bytes::len).sum();
                if let Err(ending) = write_frames(&mut writer, frames).await {
                    return ending;
                }
                link.sent(frames_bytes);
            }
        }
    }
    // The other side reads to the end, then ends its own half, which `receive` sees.
    match writer.close().await {
        Ok(()) => future::pending().await,
        Err(error) => error.into(),
    }
}

/// After an orderly end, the time for what waits to go out and for the other side to notice.
async fn linger(link: Arc<Link>) -> Ending {
    link.own.closed().await;
    sleep(LINGER_TIMEOUT).await;
    Ending::ByUs
}

/// Until the peer has shown no sign of life for too long. It is asked for one where nothing was heard for a while, and
/// once at first, which measures the round trip.
async fn watch(link: Arc<Link>) -> Ending {
    let quiet = if link.side == Side::Dialer { QUIET_OF_DIALER } else { QUIET_OF_LISTENER };
    link.own.ping();
    loop {
        let heard = link.own.last_heard();
        sleep_until((heard + quiet).into()).await;
        if link.own.last_heard() > heard {
            continue;
        }
        link.own.ping();
        sleep_until((heard + SILENCE_MAX).into()).await;
        let silence = link.own.last_heard().elapsed();
        if silence >= SILENCE_MAX {
            return Ending::Silent(silence);
        }
    }
}

/// Silence after which the peer is asked whether it is there.
const QUIET_OF_DIALER: Duration = Duration::from_millis(1500);

/// The same at the listener: what the dialer asks shows it that the dialer is there, so that one of the two asks.
const QUIET_OF_LISTENER: Duration = Duration::from_millis(1750);

/// Silence that is too long. Leaves some of [`SILENCE_TIMEOUT`] to a busy machine. A ping goes out 2 s after the last
/// sign of life at the latest, so 1.5 s are left for the answer: enough for TCP to send a lost segment three times
/// more, all of which are lost once in 10^6 times where 2 % are lost; and for what waits in front of it, at most
/// 0.9 MiB of bodies, on a line of 5 Mbit/s.
const SILENCE_MAX: Duration = Duration::from_millis(3500);

const _: () = assert!(SILENCE_MAX.as_millis() < SILENCE_TIMEOUT.as_millis());

/// Time for an orderly end; a peer that takes longer is cut off.
const LINGER_TIMEOUT: Duration = Duration::from_millis(500);
