//! Rules about which peers are let in.

use crate::{
    Factory, Outcome, Plan,
    gates::{RefusingGate, SilentGate},
    node::{Node, connect, pattern},
};
use anyhow::ensure;
use bytes::Bytes;
use cache_core::port::{DialError, Lane, Rejection, SendError, TransportEvent};
use std::time::Duration;

/// The listener hears of a refusal, the dialer of a failed dial, and neither of a connection.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_dialer_who_is_refused_moves_no_frame(factory: &dyn Factory) -> Outcome {
    let dialer = Node::start(factory, Plan::of(1)).await?;
    let listener = Node::start(factory, Plan::of(2).with_gate(RefusingGate)).await?;
    is_refused(dialer, listener, DialError::Refused, Rejection::Admission).await
}

/// The same when the dialer refuses.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_listener_who_is_refused_moves_no_frame(factory: &dyn Factory) -> Outcome {
    let dialer = Node::start(factory, Plan::of(1).with_gate(RefusingGate)).await?;
    let listener = Node::start(factory, Plan::of(2)).await?;
    is_refused(dialer, listener, DialError::Refused, Rejection::Admission).await
}

/// Whichever side dials, and whichever has the smaller id: both hear that there is no room, and the peers that were
/// there stay.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_full_node_says_so_and_keeps_whom_it_has(factory: &dyn Factory) -> Outcome {
    for (full, third) in [(1, 3), (3, 1)] {
        let mut full = Node::start(factory, Plan { peers_max: 1, ..Plan::of(full) }).await?;
        let mut friend = Node::start(factory, Plan::of(2)).await?;
        connect(&mut friend, &mut full).await?;
        let mut third = Node::start(factory, Plan::of(third)).await?;
        third.transport.dial(&full.address()?);
        let error = third.dial_failed(&full.address()?).await?;
        ensure!(error == DialError::TooMany, "a dial of a full node ends in {error:?}");
        let refusal = full.refused().await?;
        ensure!(refusal == Rejection::TooMany, "a full node calls it {refusal:?}");
        full.transport.dial(&third.address()?);
        let error = full.dial_failed(&third.address()?).await?;
        ensure!(error == DialError::TooMany, "a dial by a full node ends in {error:?}");
        let refusal = third.refused().await?;
        ensure!(refusal == Rejection::TooMany, "whom a full node dials calls it {refusal:?}");
        friend.send_to(&mut full, &pattern(0, 100)).await?;
        for node in [full, friend, third] {
            node.transport.shutdown().await;
        }
    }
    Ok(())
}

/// On whichever side nothing is said. The timeout is far shorter than the one for dials.
///
/// # Errors
///
/// When the rule is broken.
pub async fn an_admission_without_an_answer_ends_in_time(factory: &dyn Factory) -> Outcome {
    let plan = |number| Plan { admission_timeout: Duration::from_millis(300), ..Plan::of(number) };
    let dialer = Node::start(factory, plan(1)).await?;
    let listener = Node::start(factory, plan(2).with_gate(SilentGate)).await?;
    is_refused(dialer, listener, DialError::TimedOut, Rejection::TimedOut).await?;
    let dialer = Node::start(factory, plan(1).with_gate(SilentGate)).await?;
    let listener = Node::start(factory, plan(2)).await?;
    is_refused(dialer, listener, DialError::TimedOut, Rejection::TimedOut).await
}

async fn is_refused(
    mut dialer: Node,
    mut listener: Node,
    wanted_error: DialError,
    wanted_refusal: Rejection,
) -> Outcome {
    let address = listener.address()?;
    dialer.transport.dial(&address);
    let error = dialer.dial_failed(&address).await?;
    ensure!(error == wanted_error, "the dial ends in {error:?}, not in {wanted_error:?}");
    let refusal = listener.refused().await?;
    ensure!(refusal == wanted_refusal, "the listener calls it {refusal:?}, not {wanted_refusal:?}");
    for (node, other) in [(&dialer, &listener), (&listener, &dialer)] {
        let met = |event: &TransportEvent| {
            matches!(event, TransportEvent::Connected { .. } | TransportEvent::Received { .. })
        };
        ensure!(!node.keeps(met), "who was not let in was connected: {node:?}");
        let sent = node.transport.send(other.id(), Lane::Control, Bytes::from_static(b"frame"));
        ensure!(sent == Err(SendError::NotConnected), "who was not let in gets a frame: {sent:?}");
    }
    for node in [dialer, listener] {
        node.transport.shutdown().await;
    }
    Ok(())
}
