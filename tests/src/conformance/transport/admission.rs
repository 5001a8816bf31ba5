//! Rules about who is let in.

use crate::conformance::{
    Factory, Outcome, Plan,
    gates::{RefusingGate, SilentGate},
    node::Node,
};
use anyhow::ensure;
use bytes::Bytes;
use cache_core::port::{Lane, SendError, TransportEvent};
use std::time::Duration;

/// The listener hears of a refusal, the dialer of a failed dial, nobody of a connection.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_dialer_who_is_refused_moves_no_frame(factory: &dyn Factory) -> Outcome {
    let dialer = Node::start(factory, Plan::of(1)).await?;
    let listener = Node::start(factory, Plan::of(2).with_gate(RefusingGate)).await?;
    is_refused(dialer, listener).await
}

/// The same when it is the dialer who refuses.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_listener_who_is_refused_moves_no_frame(factory: &dyn Factory) -> Outcome {
    let dialer = Node::start(factory, Plan::of(1).with_gate(RefusingGate)).await?;
    let listener = Node::start(factory, Plan::of(2)).await?;
    is_refused(dialer, listener).await
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
    is_refused(dialer, listener).await?;
    let dialer = Node::start(factory, plan(1).with_gate(SilentGate)).await?;
    let listener = Node::start(factory, plan(2)).await?;
    is_refused(dialer, listener).await
}

async fn is_refused(mut dialer: Node, mut listener: Node) -> Outcome {
    let address = listener.address()?;
    dialer.transport.dial(&address);
    let reason = dialer.dial_failed(&address).await?;
    ensure!(!reason.is_empty(), "no reason is given");
    listener.refused().await?;
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
