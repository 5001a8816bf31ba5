//! The bulk lane: a stream for each frame, several at once, delivered in the order of their numbers.

use crate::{
    handler::{Arrival, Opener},
    settings::BULK_STREAMS_MAX,
    shared::{Link, Shared},
};
use bytes::Bytes;
use cache_core::port::{FRAME_BYTES_MAX, Lane};
use cache_transport::{
    ending::Ending,
    frame::{self, FrameReader},
};
use futures::{AsyncWriteExt, FutureExt, StreamExt, future, future::BoxFuture, stream::FuturesUnordered};
use libp2p::Stream;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::mpsc;

/// Sends what waits in the bulk lane.
pub(crate) async fn send(link: Arc<Link>, opener: Opener) -> Ending {
    let mut sending = FuturesUnordered::new();
    let mut number = 0;
    loop {
        tokio::select! {
            biased;
            Some(sent) = sending.next() => match sent {
                Ok(frame_bytes) => {
                    link.own.heard();
                    link.bulk.release(frame_bytes);
                    link.sent(frame_bytes);
                }
                Err(ending) => return ending,
            },
            frame = link.bulk.take(), if sending.len() < BULK_STREAMS_MAX => match frame {
                Some(frame) => {
                    sending.push(send_one(opener.clone(), number, frame));
                    number += 1;
                }
                // The link ends, and this lane with it.
                None => return future::pending().await,
            },
        }
    }
}

/// Sends one frame and waits until it was handed over; returns its length.
async fn send_one(opener: Opener, number: u64, frame: Bytes) -> Result<usize, Ending> {
    let mut stream = opener.bulk().await?;
    let mut header = number.to_be_bytes().to_vec();
    header.extend_from_slice(&frame::prefix(&frame));
    stream.write_all(&header).await?;
    stream.write_all(&frame).await?;
    stream.close().await?;
    FrameReader::new(stream).end().await?;
    Ok(frame.len())
}

/// Receives frames of the bulk lane.
pub(crate) async fn receive(
    shared: Arc<Shared>,
    link: Arc<Link>,
    mut arrivals: mpsc::Receiver<Arrival>,
) -> Ending {
    let mut works: FuturesUnordered<BoxFuture<'static, Result<Work, Ending>>> = FuturesUnordered::new();
    let mut whole = BTreeMap::new();
    let mut next = 0;
    loop {
        tokio::select! {
            biased;
            Some(work) = works.next() => match work {
                Ok(Work::Ended) => {}
                Ok(Work::Received { number, frame, reader }) => {
                    let is_due = (next..next + BULK_STREAMS_MAX as u64).contains(&number);
                    if !is_due || whole.insert(number, (frame, reader)).is_some() {
                        return Ending::Protocol("a bulk frame out of turn");
                    }
                }
                Err(ending) => return ending,
            },
            arrival = arrivals.recv(), if works.len() + whole.len() < BULK_STREAMS_MAX => match arrival {
                Some(Arrival::Bulk(stream)) => works.push(receive_one(stream).boxed()),
                Some(Arrival::Control(_)) => return Ending::Protocol("a second control stream"),
                None => return Ending::ByPeer,
            },
        }
        while let Some((frame, reader)) = whole.remove(&next) {
            link.own.heard();
            // Once the link has ended, frames are forgotten.
            if let Some(charge) = link.charge(Lane::Bulk, frame.len()).await {
                shared.book.deliver(&link, frame, charge);
            }
            works.push(end_one(reader).boxed());
            next += 1;
        }
    }
}

enum Work {
    Ended,
    Received { number: u64, frame: Bytes, reader: Box<FrameReader<Stream>> },
}

async fn receive_one(stream: Stream) -> Result<Work, Ending> {
    let mut reader = Box::new(FrameReader::new(stream));
    let number = u64::from_be_bytes(reader.array().await?);
    let frame =
        reader.next(FRAME_BYTES_MAX).await?.ok_or(Ending::Protocol("a bulk stream without a frame"))?;
    Ok(Work::Received { number, frame, reader })
}

/// Ends our half, which tells the sender that its frame was handed over.
async fn end_one(mut reader: Box<FrameReader<Stream>>) -> Result<Work, Ending> {
    reader.end().await?;
    reader.into_stream().close().await?;
    Ok(Work::Ended)
}
