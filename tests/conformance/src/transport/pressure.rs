//! Rules about peers that are slow, silent or loud.

use crate::{
    Factory, Outcome, Plan,
    node::{Node, connect, connected_pair, pattern},
};
use anyhow::{bail, ensure};
use bytes::Bytes;
use cache_core::port::{Lane, SendError, TransportEvent};
use std::time::Duration;

/// Both lanes to the silent one are full. Frames to another, long and short, pass all the same.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_peer_that_never_reads_delays_nobody_else(factory: &dyn Factory) -> Outcome {
    let mut sender = Node::start(factory, Plan::of(1)).await?;
    let mut silent = Node::start(factory, Plan::of(2)).await?;
    let mut reader = Node::start(factory, Plan::of(3)).await?;
    connect(&mut sender, &mut silent).await?;
    connect(&mut sender, &mut reader).await?;
    for lane in [Lane::Control, Lane::Bulk] {
        fill(&sender, &silent, lane)?;
    }
    let rounds = async {
        for round in 0..ROUNDS {
            for length in [10, 10_000, 200_000] {
                let frame = pattern(round, length);
                sender.send_to(&mut reader, &frame).await?;
                reader.send_to(&mut sender, &frame).await?;
            }
        }
        Outcome::Ok(())
    };
    let Ok(done) = tokio::time::timeout(factory.patience(), rounds).await else {
        bail!("{ROUNDS} rounds with another peer take more than {:?}", factory.patience());
    };
    done
}

/// What was queued arrives in order once the peer reads, what was not does not, and the queue is free again.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_full_queue_is_reported_and_counted_and_loses_nothing_that_was_queued(
    factory: &dyn Factory,
) -> Outcome {
    let (sender, mut reader) = connected_pair(factory).await?;
    for lane in [Lane::Control, Lane::Bulk] {
        let dropped = || sender.transport.figures(reader.id()).map_or(0, |figures| figures.dropped_frames);
        let dropped_before = dropped();
        let queued = fill(&sender, &reader, lane)?;
        ensure!(dropped() == dropped_before + 1, "{} dropped frames are counted, not one more", dropped());
        for number in 0..queued {
            let frame = reader.frame(sender.id()).await?;
            ensure!(frame == numbered(number), "frame {number} of {queued} on {lane:?} is lost or altered");
        }
        sender.send(reader.id(), lane, &numbered(queued)).await?;
        ensure!(reader.frame(sender.id()).await? == numbered(queued), "what was dropped came after all");
    }
    Ok(())
}

/// A peer with a thousand waiting frames, and a peer with one: the one frame comes among the first.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_peer_that_floods_does_not_starve_others(factory: &dyn Factory) -> Outcome {
    let mut reader = Node::start(factory, Plan::of(1)).await?;
    let mut loud = Node::start(factory, Plan::of(2)).await?;
    let mut quiet = Node::start(factory, Plan::of(3)).await?;
    connect(&mut loud, &mut reader).await?;
    connect(&mut quiet, &mut reader).await?;
    for number in 0..FLOOD_FRAMES {
        loud.send(reader.id(), Lane::Control, &pattern(number, 20)).await?;
    }
    let received_bytes =
        |from: &Node| reader.transport.figures(from.id()).map_or(0, |figures| figures.received_bytes);
    // A transport may count what it received only when it is taken: then a moment must do.
    let _moved = crate::eventually(MOMENT, || received_bytes(&loud) >= 20 * FLOOD_FRAMES as u64).await;
    quiet.send(reader.id(), Lane::Control, &Bytes::from_static(b"excuse me")).await?;
    let _moved = crate::eventually(MOMENT, || received_bytes(&quiet) > 0).await;
    let mut before = 0;
    let from_quiet = quiet.id();
    reader
        .wait("the quiet peer's frame", |event| match event {
            TransportEvent::Received { peer, .. } if peer == from_quiet => Ok(()),
            other => {
                before += 1;
                Err(other)
            }
        })
        .await?;
    ensure!(before <= BEFORE_MAX, "{before} events of a loud peer came before one of a quiet peer");
    Ok(())
}

/// Sends numbered frames that `silent` does not take, until the queue is full. Returns how many were queued.
fn fill(sender: &Node, silent: &Node, lane: Lane) -> anyhow::Result<usize> {
    for number in 0..QUEUED_MAX {
        match sender.transport.send(silent.id(), lane, numbered(number)) {
            Ok(()) => {}
            Err(SendError::QueueFull) => return Ok(number),
            Err(error) => bail!("frame {number}: {error}"),
        }
    }
    bail!("{QUEUED_MAX} frames of {FILLING_BYTES} bytes are queued for a peer that takes none");
}

/// A long frame that begins with its number.
fn numbered(number: usize) -> Bytes {
    let mut frame = vec![b'x'; FILLING_BYTES];
    frame[..8].copy_from_slice(&(number as u64).to_be_bytes());
    frame.into()
}

const ROUNDS: usize = 20;

const FILLING_BYTES: usize = 100_000;

/// 400 MB: more than any queue should hold.
const QUEUED_MAX: usize = 4_000;

const FLOOD_FRAMES: usize = 1_000;

/// A hundred frames may have been on their way out already.
const BEFORE_MAX: usize = 100;

/// Long for a frame of a few bytes.
const MOMENT: Duration = Duration::from_secs(1);
