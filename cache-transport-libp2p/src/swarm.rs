//! The one task of a transport: drives libp2p's swarm.

use crate::{
    address::Libp2pAddress,
    behaviour::{Behaviour, BehaviourEvent},
    settings::{QUIC_CONNECTION_BYTES_MAX, QUIC_STREAM_BYTES_MAX, STREAMS_MAX, STREAMS_NEGOTIATING_MAX},
    shared::Shared,
    transport,
};
use cache_transport::{address::core_peer, ending::Ending};
use futures::StreamExt;
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder,
    core::{
        transport::ListenerId,
        upgrade::{NegotiationError, Version},
    },
    identity::Keypair,
    noise,
    swarm::{ConnectionId, DialError, ListenError, SwarmEvent, dial_opts::DialOpts},
    tcp, yamux,
};
use std::{error::Error, io, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// A swarm for `keypair` that listens nowhere yet.
pub(crate) fn build(
    keypair: Keypair,
    shared: &Arc<Shared>,
) -> Result<Swarm<Behaviour>, transport::ListenError> {
    let handshake_timeout = shared.settings.handshake_timeout();
    let mut streams = yamux::Config::default();
    streams.set_max_num_streams(STREAMS_MAX);
    let build = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::new().nodelay(true), noise::Config::new, || streams)
        .map_err(|error| transport::ListenError::Identity(error.to_string()))?
        .with_quic_config(|mut quic| {
            quic.handshake_timeout = handshake_timeout;
            quic.max_concurrent_stream_limit = STREAMS_MAX as u32;
            quic.max_stream_data = QUIC_STREAM_BYTES_MAX;
            quic.max_connection_data = QUIC_CONNECTION_BYTES_MAX;
            quic
        })
        .with_dns()
        .map_err(transport::ListenError::Resolver)?
        .with_behaviour(|key| Behaviour::new(Arc::clone(shared), key.public()));
    let Ok(build) = build;
    let swarm = build
        .with_swarm_config(|config| {
            config
                // Connections end when their work does, at once.
                .with_idle_connection_timeout(Duration::ZERO)
                .with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING_MAX)
                // Both sides know the one protocol that each stream can have: no round trip to agree on it.
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
        })
        .with_connection_timeout(handshake_timeout)
        .build();
    Ok(swarm)
}

/// Listens on `addresses`, and waits until each says where.
pub(crate) async fn listen(
    swarm: &mut Swarm<Behaviour>,
    shared: &Shared,
    addresses: &[Libp2pAddress],
) -> Result<Vec<ListenerId>, transport::ListenError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let refuse =
            |reason: String| transport::ListenError::Address { address: address.to_string(), reason };
        let listener = swarm.listen_on(address.without_peer()).map_err(|error| refuse(innermost(&error)))?;
        let listening = async {
            loop {
                match swarm.select_next_some().await {
                    SwarmEvent::NewListenAddr { listener_id, address } => {
                        shared.listening(address);
                        if listener_id == listener {
                            return Ok(());
                        }
                    }
                    SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. }
                        if listener_id == listener =>
                    {
                        return Err(refuse(error.to_string()));
                    }
                    event => on_event(shared, event),
                }
            }
        };
        timeout(LISTEN_TIMEOUT, listening).await.map_err(|_elapsed| refuse("no interface".into()))??;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Drives `swarm` until `orders` end, then closes everything in an orderly way; returns where it listened.
pub(crate) async fn run(
    mut swarm: Swarm<Behaviour>,
    listeners: Vec<ListenerId>,
    shared: &Shared,
    mut orders: mpsc::Receiver<Order>,
) -> Vec<Multiaddr> {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Dial(dial)) => {
                    let id = dial.connection_id();
                    if let Err(error) = swarm.dial(dial) {
                        shared.failed(id, &of_dial(shared, id, &error));
                    }
                }
                Some(Order::Shutdown) | None => break,
            },
            event = swarm.select_next_some() => on_event(shared, event),
        }
    }
    let addresses = shared.addresses();
    shared.end();
    let idle = async {
        while swarm.network_info().connection_counters().num_connections() > 0 {
            let event = swarm.select_next_some().await;
            on_event(shared, event);
        }
    };
    // What has not ended by then is cut off when the swarm is dropped.
    let _is_orderly = timeout(SHUTDOWN_TIMEOUT, idle).await;
    // Not before: a QUIC listener takes its connections along.
    for listener in listeners {
        swarm.remove_listener(listener);
    }
    addresses
}

/// The orders to the task.
pub(crate) enum Order {
    Dial(DialOpts),
    Shutdown,
}

fn on_event(shared: &Shared, event: SwarmEvent<BehaviourEvent>) {
    match event {
        SwarmEvent::NewListenAddr { address, .. } => shared.listening(address),
        SwarmEvent::ExpiredListenAddr { address, .. } => shared.not_listening(&address),
        SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
            shared.failed(connection_id, &of_dial(shared, connection_id, &error));
        }
        SwarmEvent::IncomingConnectionError { connection_id, send_back_addr, error, .. } => {
            let ending = of_newcomer(shared, connection_id, &error);
            if !shared.failed(connection_id, &ending) {
                shared.book.inbox().refused(send_back_addr.to_string().into(), &ending);
            }
        }
        SwarmEvent::ConnectionClosed { connection_id, peer_id, cause, .. } => {
            let ending = Ending::Lost(cause.map_or_else(|| "closed".into(), |error| innermost(&error)));
            shared.failed(connection_id, &ending);
            if let Some(link) = core_peer(peer_id).and_then(|peer| shared.book.get(peer))
                && link.own.id == connection_id
            {
                shared.end_link(&link, &ending);
            }
        }
        SwarmEvent::ListenerClosed { reason: Err(error), addresses, .. } => {
            tracing::warn!(?addresses, %error, "no longer listening");
        }
        _of_no_concern => {}
    }
}

fn of_dial(shared: &Shared, id: ConnectionId, error: &DialError) -> Ending {
    match error {
        // What libp2p says of an address that we listen on ourselves.
        DialError::LocalPeerId { .. } | DialError::NoAddresses => Ending::Itself,
        DialError::WrongPeerId { obtained, .. } => Ending::WrongPeer(obtained.to_string()),
        DialError::Aborted => Ending::ByUs,
        DialError::Transport(errors) => {
            let error = errors.first().map(|(_address, error)| error as &dyn Error).unwrap_or(error);
            let reason = innermost(error);
            if took_too_long(shared, id, error) {
                Ending::TimedOut(reason)
            } else {
                Ending::Unreachable(reason)
            }
        }
        DialError::Denied { .. } | DialError::DialPeerConditionFalse(_) => {
            Ending::Unreachable(innermost(error))
        }
    }
}

fn of_newcomer(shared: &Shared, id: ConnectionId, error: &ListenError) -> Ending {
    let reason = innermost(error);
    match error {
        ListenError::Aborted => Ending::ByUs,
        ListenError::Denied { .. } if shared.age(id).is_none() => Ending::TooMany("newcomers"),
        ListenError::LocalPeerId { .. } => Ending::Itself,
        ListenError::Transport(_) if took_too_long(shared, id, error) => Ending::TimedOut(reason),
        ListenError::Transport(_) if is_gone(error) => Ending::Lost(reason),
        ListenError::Denied { .. } | ListenError::Transport(_) | ListenError::WrongPeerId { .. } => {
            Ending::Handshake(reason)
        }
    }
}

/// Whether an attempt failed because its time was over. Libp2p has several errors for that, not all of them public;
/// and its time begins before ours, which on a busy machine comes to know of the attempt later.
fn took_too_long(shared: &Shared, id: ConnectionId, error: &(dyn Error + 'static)) -> bool {
    io_kind(error) == Some(io::ErrorKind::TimedOut)
        || shared.age(id).is_some_and(|age| age >= shared.settings.handshake_timeout() / 2)
}

/// Whether the other side ended the connection.
fn is_gone(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let is_end = |kind| [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&kind);
    // The end of the stream while a protocol is agreed on comes as this.
    let fails = |error: &NegotiationError| matches!(error, NegotiationError::Failed);
    io_kind(error).is_some_and(is_end) || innermost_of(error).is_some_and(fails)
}

/// The kind of the innermost error of the system.
fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    innermost_of::<io::Error>(error).map(io::Error::kind)
}

/// The innermost cause of this type.
fn innermost_of<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let (mut found, mut next) = (None, Some(error));
    while let Some(error) = next {
        found = error.downcast_ref().or(found);
        next = error.source();
    }
    found
}

/// The cause that the others only wrap.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Time for a listener to say where it listens.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for all connections to end; longer than one may linger.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1500);
