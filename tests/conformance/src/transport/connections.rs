//! Rules about how connections begin and end.

use super::BAD_ADDRESSES;
use crate::{
    Factory, Outcome, Plan,
    apart::Apart,
    node::{Node, connect, connected_pair, pattern},
};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use cache_core::port::{DialError, Lane, SILENCE_TIMEOUT, SendError, TransportEvent};
use std::time::Duration;
use tokio::time::Instant;

/// Each with the other's id and address, and with its own side.
///
/// # Errors
///
/// When the rule is broken.
pub async fn both_sides_hear_of_a_connection(factory: &dyn Factory) -> Outcome {
    let (dialer, listener) = connected_pair(factory).await?;
    ensure!(dialer.id() != listener.id(), "two seeds make two peers");
    for (node, other) in [(&dialer, &listener), (&listener, &dialer)] {
        let address = node.address()?;
        ensure!(address.ends_with(&format!("/p2p/{}", node.id())), "{address} does not end in the peer's id");
        ensure!(node.transport.figures(other.id()).is_some(), "there are no figures of a connected peer");
    }
    Ok(())
}

/// And the peer that is there instead hears of no connection.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_dial_that_expects_another_peer_fails(factory: &dyn Factory) -> Outcome {
    let mut dialer = Node::start(factory, Plan::of(1)).await?;
    let mut listener = Node::start(factory, Plan::of(2)).await?;
    let absent = Node::start(factory, Plan::of(3)).await?;
    let address = listener.address()?.replace(&listener.id().to_string(), &absent.id().to_string());
    dialer.transport.dial(&address);
    let error = dialer.dial_failed(&address).await?;
    ensure!(error == DialError::WrongPeer, "another peer is called {error:?}");
    // That the right id works shows what the failure was about, and that the wrong one left nothing.
    connect(&mut dialer, &mut listener).await?;
    let met = |event: &TransportEvent| matches!(event, TransportEvent::Connected { .. });
    ensure!(!dialer.keeps(met) && !listener.keeps(met), "the wrong peer was connected");
    Ok(())
}

/// Each of them at once, and the transport goes on as before.
///
/// # Errors
///
/// When the rule is broken.
pub async fn addresses_that_cannot_be_dialled_fail_with_a_reason(factory: &dyn Factory) -> Outcome {
    let (mut dialer, mut listener) = connected_pair(factory).await?;
    let everybodys = BAD_ADDRESSES.iter().map(|address| (String::from(*address), DialError::BadAddress));
    for (address, wanted) in everybodys.chain(factory.bad_addresses()) {
        dialer.transport.dial(&address);
        let error = dialer.dial_failed(&address).await.with_context(|| format!("dialled `{address}`"))?;
        ensure!(error == wanted, "`{address}` is called {error:?}, not {wanted:?}");
    }
    dialer.send_to(&mut listener, &pattern(0, 100)).await
}

/// Nor does it hang if the host is up but nothing listens at the port any more.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_dial_that_nobody_answers_fails_in_time(factory: &dyn Factory) -> Outcome {
    let plan = Plan { dial_timeout: Duration::from_millis(300), ..Plan::of(1) };
    let mut dialer = Node::start(factory, plan).await?;
    let listener = Node::start(factory, Plan::of(2)).await?;
    let address = listener.address()?;
    listener.transport.shutdown().await;
    dialer.transport.dial(&address);
    let error = dialer.dial_failed(&address).await?;
    let is_right = matches!(error, DialError::TimedOut | DialError::Unreachable);
    ensure!(is_right, "a port without anybody is called {error:?}");
    Ok(())
}

/// By whatever address and whichever side, at once or years later: nothing begins or ends, and the connection is not
/// disturbed.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_dial_of_a_connected_peer_says_so_and_changes_nothing(factory: &dyn Factory) -> Outcome {
    let (mut one, mut two) = connected_pair(factory).await?;
    for _side in 0..2 {
        let address = two.address()?;
        let (anonymous, _peer) = address.split_once("/p2p/").context("an address ends in the peer's id")?;
        for address in [&*address, anonymous] {
            one.transport.dial(address);
            let error = one.dial_failed(address).await?;
            let wanted = DialError::AlreadyConnected { peer: two.id() };
            ensure!(error == wanted, "{address}: a second dial ends in {error:?}, not in {wanted:?}");
        }
        one.send_to(&mut two, &pattern(0, 100)).await?;
        two.send_to(&mut one, &pattern(0, 100)).await?;
        std::mem::swap(&mut one, &mut two);
    }
    for node in [&one, &two] {
        ensure!(node.turns_of_life == 1, "a connection began or ended: {node:?}");
        let refused = |event: &TransportEvent| matches!(event, TransportEvent::Refused { .. });
        ensure!(!node.keeps(refused), "a second dial is told as a refusal: {node:?}");
    }
    Ok(())
}

/// By whatever address: with its id, and without one.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_node_does_not_dial_itself(factory: &dyn Factory) -> Outcome {
    let mut node = Node::start(factory, Plan::of(1)).await?;
    let address = node.address()?;
    let (anonymous, _peer) = address.split_once("/p2p/").context("an address ends in the peer's id")?;
    for address in [&*address, anonymous] {
        node.transport.dial(address);
        let error = node.dial_failed(address).await?;
        ensure!(error == DialError::Itself, "{address}: this node itself is called {error:?}");
        ensure!(node.transport.figures(node.id()).is_none(), "{address}: a node is its own peer");
    }
    let met = |event: &TransportEvent| matches!(event, TransportEvent::Connected { .. });
    ensure!(!node.keeps(met), "a node connected with itself");
    Ok(())
}

/// Both keep the same one, which is the first that came to be, so that nothing is lost on the way; frames
/// pass both ways, and the other dial ends in [`DialError::AlreadyConnected`].
///
/// # Errors
///
/// When the rule is broken.
pub async fn nodes_that_dial_each_other_at_once_keep_one_connection(factory: &dyn Factory) -> Outcome {
    for round in 0..SIMULTANEOUS_ROUNDS {
        let mut one = Node::start(factory, Plan::of(1)).await?;
        let mut two = Node::start(factory, Plan::of(2)).await?;
        let (to_one, to_two) = (one.address()?, two.address()?);
        one.transport.dial(&to_two);
        two.transport.dial(&to_one);
        one_connection_that_works(&mut one, &mut two, 2).await.with_context(|| format!("round {round}"))?;
        stays_the_first(&one, &two)?;
        one.transport.shutdown().await;
        two.transport.shutdown().await;
    }
    Ok(())
}

/// Whichever side has the smaller id. One connection comes to be, the other dials say that there is one.
///
/// # Errors
///
/// When the rule is broken.
pub async fn of_several_dials_at_once_one_makes_the_connection_that_stays(factory: &dyn Factory) -> Outcome {
    for round in 0..SIMULTANEOUS_ROUNDS {
        for (dialer, listener) in [(1, 2), (2, 1)] {
            let mut dialer = Node::start(factory, Plan::of(dialer)).await?;
            let mut listener = Node::start(factory, Plan::of(listener)).await?;
            for _dial in 0..DIALS {
                dialer.transport.dial(&listener.address()?);
            }
            one_connection_that_works(&mut dialer, &mut listener, DIALS)
                .await
                .with_context(|| format!("round {round}"))?;
            stays_the_first(&dialer, &listener)?;
            dialer.transport.shutdown().await;
            listener.transport.shutdown().await;
        }
    }
    Ok(())
}

/// A dial while connected changes nothing.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_second_dial_leaves_one_connection_that_works(factory: &dyn Factory) -> Outcome {
    for dialer in ["the same", "the other", "both"] {
        let (mut one, mut two) = connected_pair(factory).await?;
        let mut dials = 1;
        if dialer != "the other" {
            dials += 2;
            one.transport.dial(&two.address()?);
            one.transport.dial(&two.address()?);
        }
        if dialer != "the same" {
            dials += 1;
            two.transport.dial(&one.address()?);
        }
        one_connection_that_works(&mut one, &mut two, dials)
            .await
            .with_context(|| format!("{dialer} dialled"))?;
        one.transport.shutdown().await;
        two.transport.shutdown().await;
    }
    Ok(())
}

/// As after a crash of one side that the other has not noticed: same identity, same port.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_peer_that_restarted_is_connected_again(factory: &dyn Factory) -> Outcome {
    let (mut stays, first) = connected_pair(factory).await?;
    let (peer, address) = (first.id(), first.address()?);
    first.transport.shutdown().await;
    drop(first);
    stays.disconnected(peer).await?;
    let plan = Plan { listen: Some(address.clone()), ..Plan::of(2) };
    let mut again = Node::start(factory, plan).await?;
    ensure!(again.id() == peer, "the same seed makes the same peer");
    ensure!(again.address()? == address, "it listens elsewhere");
    connect(&mut stays, &mut again).await?;
    stays.send_to(&mut again, &pattern(1, 1_000)).await?;
    again.send_to(&mut stays, &pattern(2, 1_000)).await
}

/// Whichever side has the smaller id. The old connection seems to live, since neither side has ended it.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_peer_that_restarted_unnoticed_is_connected_at_once(factory: &dyn Factory) -> Outcome {
    for (stays, restarts) in [(1, 2), (2, 1)] {
        let mut stays = Node::start(factory, Plan::of(stays)).await?;
        let (mut first, mut apart) = Apart::start(factory, Plan::of(restarts)).await?;
        connect(&mut stays, &mut first).await?;
        apart.freeze();
        let mut again = Node::start(factory, Plan::of(restarts)).await?;
        let began = Instant::now();
        again.transport.dial(&stays.address()?);
        again.connected(stays.id()).await?;
        stays.disconnected(again.id()).await?;
        stays.connected(again.id()).await?;
        ensure!(began.elapsed() < AT_ONCE, "it took {:?}", began.elapsed());
        stays.send_to(&mut again, &pattern(1, 1_000)).await?;
        again.send_to(&mut stays, &pattern(2, 1_000)).await?;
        ensure!(stays.turns_of_life == 3, "the connection with the new run did not last: {stays:?}");
    }
    Ok(())
}

/// Its host was cut off or its process stopped, so that nothing ends the connection and nothing is answered;
/// or its process was killed.
///
/// # Errors
///
/// When the rule is broken.
pub async fn a_peer_that_falls_silent_is_disconnected_in_time(factory: &dyn Factory) -> Outcome {
    for end in [Apart::freeze, Apart::kill] {
        let mut stays = Node::start(factory, Plan::of(1)).await?;
        let (mut silent, mut apart) = Apart::start(factory, Plan::of(2)).await?;
        connect(&mut stays, &mut silent).await?;
        stays.send_to(&mut silent, &pattern(0, 100)).await?;
        let began = Instant::now();
        end(&mut apart);
        // Lost, unless the end is known already.
        let _is_queued = stays.transport.send(silent.id(), Lane::Control, pattern(1, 100));
        stays.disconnected(silent.id()).await?;
        ensure!(began.elapsed() < SILENCE_TIMEOUT, "it took {:?}", began.elapsed());
    }
    Ok(())
}

/// And a peer that has nothing to say is not taken for gone.
///
/// # Errors
///
/// When the rule is broken.
pub async fn an_idle_connection_lasts(factory: &dyn Factory) -> Outcome {
    let (mut one, mut two) = connected_pair(factory).await?;
    let idle = tokio::time::timeout(SILENCE_TIMEOUT * 3 / 2, one.disconnected(two.id())).await;
    ensure!(idle.is_err(), "an idle connection ended: {idle:?}");
    one.send_to(&mut two, &pattern(0, 100)).await?;
    two.send_to(&mut one, &pattern(0, 100)).await
}

/// Whichever side ends it; and they may connect again at once.
///
/// # Errors
///
/// When the rule is broken.
pub async fn both_sides_hear_of_the_end_of_a_connection(factory: &dyn Factory) -> Outcome {
    let (mut dialer, mut listener) = connected_pair(factory).await?;
    for ends in 0..2 {
        let ending = if ends == 0 { &dialer } else { &listener };
        let other = if ends == 0 { listener.id() } else { dialer.id() };
        ending.transport.disconnect(other);
        ending.transport.disconnect(other);
        let told = (dialer.disconnected(listener.id()).await?, listener.disconnected(dialer.id()).await?);
        ensure!(!told.0.is_empty() && !told.1.is_empty(), "no reason is given");
        ensure!(dialer.transport.figures(listener.id()).is_none(), "figures outlive the connection");
        connect(&mut dialer, &mut listener).await?;
        dialer.send_to(&mut listener, &pattern(0, 100)).await?;
    }
    let twice = |event: &TransportEvent| matches!(event, TransportEvent::Disconnected { .. });
    ensure!(!dialer.keeps(twice) && !listener.keeps(twice), "an end is told twice");
    Ok(())
}

/// The other side hears of it, no event follows, and another node can listen there.
///
/// # Errors
///
/// When the rule is broken.
pub async fn shutdown_is_idempotent_and_frees_the_port(factory: &dyn Factory) -> Outcome {
    let (mut stays, leaves) = connected_pair(factory).await?;
    let address = leaves.address()?;
    let began = Instant::now();
    let heard = async {
        stays.disconnected(leaves.id()).await?;
        ensure!(began.elapsed() < AT_ONCE, "the other side hears of it after {:?}", began.elapsed());
        Outcome::Ok(())
    };
    let (_first, _second, heard) =
        tokio::join!(leaves.transport.shutdown(), leaves.transport.shutdown(), heard);
    heard?;
    leaves.transport.shutdown().await;
    let sent = leaves.transport.send(stays.id(), Lane::Control, Bytes::new());
    ensure!(sent == Err(SendError::NotConnected), "a frame is taken after the shutdown");
    let mut heard = 0;
    while let Some(event) = tokio::time::timeout(factory.patience(), leaves.transport.next_event())
        .await
        .context("events do not end after the shutdown")?
    {
        heard += 1;
        ensure!(heard < 100, "events go on after the shutdown: {event:?}");
    }
    // The one that was shut down still exists; only its port is no longer its own.
    let (place, _peer) = address.split_once("/p2p/").context("an address ends in the peer's id")?;
    let plan = Plan { listen: Some(place.into()), ..Plan::of(3) };
    let mut heir = Node::start(factory, plan).await.context("on the freed port")?;
    ensure!(heir.address()?.starts_with(place), "it listens elsewhere");
    connect(&mut stays, &mut heir).await
}

/// Once `dials` have ended, frames pass both ways and go on to, with no connection begun or ended meanwhile.
async fn one_connection_that_works(one: &mut Node, two: &mut Node, dials: usize) -> Outcome {
    let end = Instant::now() + one.patience;
    let mut calm_rounds = 0;
    let mut number = 0;
    while calm_rounds < CALM_ROUNDS {
        ensure!(Instant::now() < end, "no connection lasts: {one:?}, {two:?}");
        number += 1;
        let before = (one.turns_of_life, two.turns_of_life);
        let passed = passes(one, two, number).await? & passes(two, one, number).await?;
        let is_calm = before == (one.turns_of_life, two.turns_of_life);
        let have_ended = one.ended_dials + two.ended_dials >= dials;
        calm_rounds = if passed && is_calm && have_ended { calm_rounds + 1 } else { 0 };
    }
    ensure!(one.is_connected(two.id()) && two.is_connected(one.id()), "not connected: {one:?}, {two:?}");
    Ok(())
}

/// Whether no connection but the first has ever been, and every dial but one has found it.
fn stays_the_first(one: &Node, two: &Node) -> Outcome {
    for (node, other) in [(one, two), (two, one)] {
        ensure!(node.turns_of_life == 1, "another connection took over: {node:?}");
        let otherwise = |event: &TransportEvent| match event {
            TransportEvent::DialFailed { error, .. } => {
                *error != DialError::AlreadyConnected { peer: other.id() }
            }
            TransportEvent::Refused { .. } => true,
            TransportEvent::Connected { .. }
            | TransportEvent::Disconnected { .. }
            | TransportEvent::Received { .. } => false,
        };
        ensure!(!node.keeps(otherwise), "a dial in vain is told otherwise: {node:?}");
    }
    Ok(())
}

/// Whether a frame passes from `from` to `to`.
async fn passes(from: &Node, to: &mut Node, number: usize) -> anyhow::Result<bool> {
    let frame = pattern(number, 50);
    // Between two connections there is none.
    let sent = from.transport.send(to.id(), Lane::Control, frame.clone()).is_ok();
    to.comes(from.id(), &frame, if sent { ROUND } else { ROUND / 20 }).await
}

const SIMULTANEOUS_ROUNDS: usize = 5;

/// Dials of one peer by another at once.
const DIALS: usize = 4;

/// As people see it, and as the fleet needs to know which members leave.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Rounds of frames without any change, after which there will be none.
const CALM_ROUNDS: usize = 5;

/// Time for one frame while connections still come and go.
const ROUND: Duration = Duration::from_millis(200);
