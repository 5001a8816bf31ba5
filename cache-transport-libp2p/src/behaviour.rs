//! All connections inside libp2p: counts newcomers, begins admissions, closes what has ended.

use crate::{
    admission::{self, Meeting},
    handler::{Ended, Handler},
    shared::Shared,
};
use cache_core::port::Side;
use cache_transport::address::core_peer;
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    identify,
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

/// All that speaks on a connection. Identify tells what every libp2p node tells, and this node ignores it.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    links: Links,
    identify: identify::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(shared: Arc<Shared>, key: libp2p::identity::PublicKey) -> Self {
        let identify = identify::Config::new(NEUTRAL_VERSION.into(), key)
            .with_agent_version(NEUTRAL_VERSION.into())
            .with_hide_listen_addrs(true)
            .with_push_listen_addr_updates(false)
            .with_cache_size(0);
        Self {
            links: Links { shared, orders: VecDeque::new() },
            identify: identify::Behaviour::new(identify),
        }
    }
}

/// Our own part of the behaviour.
pub(crate) struct Links {
    shared: Arc<Shared>,
    orders: VecDeque<ToSwarm<Infallible, Infallible>>,
}

impl Links {
    fn meet(&self, id: ConnectionId, peer: PeerId, side: Side) -> Result<Handler, ConnectionDenied> {
        let peer = core_peer(peer).ok_or_else(|| ConnectionDenied::new("not an Ed25519 key"))?;
        let shared = Arc::clone(&self.shared);
        Ok(Handler::new(move |lines| admission::meet(shared, Meeting { id, peer, side }, lines)))
    }
}

impl NetworkBehaviour for Links {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.shared.coming(id, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.meet(id, peer, Side::Listener)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.meet(id, peer, Side::Dialer)
    }

    fn on_swarm_event(&mut self, _event: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer_id: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let Ended = event;
        self.orders.push_back(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        self.orders.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What identify says about this node: nothing.
const NEUTRAL_VERSION: &str = "p2p/1";
