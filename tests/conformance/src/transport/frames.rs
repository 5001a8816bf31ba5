//! Rules about frames.

use crate::{
    Factory, Outcome,
    node::{connected_pair, pattern, until},
};
use anyhow::ensure;
use bytes::Bytes;
use cache_core::{
    PeerId,
    port::{BULK_BYTES_MIN, FRAME_BYTES_MAX, Lane, SendError},
};

/// Lengths that predecessors of this cache cut short are among them, and both sides of the lanes' limit.
///
/// # Errors
///
/// When the rule is broken.
pub async fn frames_of_every_length_arrive_whole_both_ways(factory: &dyn Factory) -> Outcome {
    let (mut dialer, mut listener) = connected_pair(factory).await?;
    let lengths = [
        0,
        1,
        40_000,
        60_000,
        BULK_BYTES_MIN,
        BULK_BYTES_MIN + 1,
        100_000,
        1_000_000,
        8 * 1024 * 1024,
        FRAME_BYTES_MAX,
    ];
    for (number, length) in lengths.into_iter().enumerate() {
        let frame = pattern(number, length);
        dialer.send_to(&mut listener, &frame).await?;
        listener.send_to(&mut dialer, &frame).await?;
    }
    // The lane is for the sender to choose.
    for lane in [Lane::Bulk, Lane::Control] {
        for length in [0, 1, 1_000_000] {
            let frame = pattern(length, length);
            dialer.send(listener.id(), lane, &frame).await?;
            ensure!(listener.frame(dialer.id()).await? == frame, "{length} bytes on {lane:?} were altered");
        }
    }
    Ok(())
}

/// Both lanes are used at once; between them the order is free.
///
/// # Errors
///
/// When the rule is broken.
pub async fn frames_of_each_lane_arrive_in_order(factory: &dyn Factory) -> Outcome {
    let (dialer, mut listener) = connected_pair(factory).await?;
    let to = listener.id();
    let control = async {
        for number in 0..CONTROL_FRAMES {
            dialer.send(to, Lane::Control, &pattern(number, 5 + number * 97 % 5_000)).await?;
        }
        Outcome::Ok(())
    };
    let bulk = async {
        for number in 0..BULK_FRAMES {
            // Long and short in turn, so that a short one could overtake.
            let length = if number % 2 == 0 { 900_000 } else { 70_000 };
            dialer.send(to, Lane::Bulk, &pattern(number, length)).await?;
        }
        Outcome::Ok(())
    };
    let (mut control_came, mut bulk_came) = (0, 0);
    let receive = async {
        while control_came < CONTROL_FRAMES || bulk_came < BULK_FRAMES {
            let frame = listener.frame(dialer.id()).await?;
            let (lane, came) = if frame.len() > BULK_BYTES_MIN {
                (Lane::Bulk, &mut bulk_came)
            } else {
                (Lane::Control, &mut control_came)
            };
            ensure!(
                frame == pattern(*came, frame.len()),
                "not frame {came} on {lane:?}: order or bytes changed"
            );
            *came += 1;
        }
        Outcome::Ok(())
    };
    tokio::try_join!(control, bulk, receive)?;
    Ok(())
}

/// None is lost, none comes twice.
///
/// # Errors
///
/// When the rule is broken.
pub async fn ten_thousand_short_frames_arrive_in_order(factory: &dyn Factory) -> Outcome {
    let (dialer, mut listener) = connected_pair(factory).await?;
    let frame = |number: u32| Bytes::copy_from_slice(&number.to_be_bytes());
    let to = listener.id();
    let send = async {
        for number in 0..SHORT_FRAMES {
            dialer.send(to, Lane::Control, &frame(number)).await?;
        }
        Outcome::Ok(())
    };
    let receive = async {
        for number in 0..SHORT_FRAMES {
            let came = listener.frame(dialer.id()).await?;
            ensure!(came == frame(number), "frame {number} is another: {came:?}");
        }
        Outcome::Ok(())
    };
    tokio::try_join!(send, receive)?;
    Ok(())
}

/// Neither that peer nor its connection suffers.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_frame_beyond_the_limit_is_refused_and_nothing_else_is(factory: &dyn Factory) -> Outcome {
    let (dialer, mut listener) = connected_pair(factory).await?;
    let too_long = Bytes::from(vec![0; FRAME_BYTES_MAX + 1]);
    for lane in [Lane::Control, Lane::Bulk] {
        let sent = dialer.transport.send(listener.id(), lane, too_long.clone());
        ensure!(sent == Err(SendError::TooLong), "{lane:?} answers {sent:?} to a frame beyond the limit");
    }
    dialer.send_to(&mut listener, &pattern(0, 100)).await
}

/// Neither before a connection nor after it.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_frame_for_nobody_is_refused(factory: &dyn Factory) -> Outcome {
    let (mut dialer, listener) = connected_pair(factory).await?;
    let nobody = PeerId::from_public_key([0xee; 32]);
    let send = |to| dialer.transport.send(to, Lane::Control, Bytes::from_static(b"frame"));
    ensure!(send(nobody) == Err(SendError::NotConnected), "a stranger got a frame");
    ensure!(dialer.transport.figures(nobody).is_none(), "a stranger has figures");
    dialer.transport.disconnect(listener.id());
    dialer.disconnected(listener.id()).await?;
    let send = |to| dialer.transport.send(to, Lane::Control, Bytes::from_static(b"frame"));
    ensure!(send(listener.id()) == Err(SendError::NotConnected), "who has left got a frame");
    Ok(())
}

/// Bytes of frames, in both directions, and a round trip.
///
/// # Errors
///
/// When the rule is broken.
pub async fn figures_count_what_moved(factory: &dyn Factory) -> Outcome {
    let (dialer, mut listener) = connected_pair(factory).await?;
    for length in [1_000, 200_000] {
        dialer.send_to(&mut listener, &pattern(0, length)).await?;
    }
    let sent = || dialer.transport.figures(listener.id()).unwrap_or_default();
    let received = || listener.transport.figures(dialer.id()).unwrap_or_default();
    let patience = factory.patience();
    until(patience, "201,000 bytes are counted as sent", || sent().sent_bytes == 201_000).await?;
    until(patience, "201,000 bytes are counted as received", || received().received_bytes == 201_000).await?;
    until(patience, "a round trip is known", || sent().round_trip.is_some()).await?;
    ensure!(sent().dropped_frames == 0 && sent().received_bytes == 0, "more happened: {:?}", sent());
    Ok(())
}

const CONTROL_FRAMES: usize = 300;
const BULK_FRAMES: usize = 30;
const SHORT_FRAMES: u32 = 10_000;
