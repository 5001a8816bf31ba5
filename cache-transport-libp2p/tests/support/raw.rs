//! A libp2p node that opens any stream and says anything on it.

use super::PATIENCE;
use cache_core::PeerId;
use futures::StreamExt;
use libp2p::{
    Multiaddr, Stream, StreamProtocol, Swarm, SwarmBuilder,
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{ReadyUpgrade, Version},
    },
    identity::Keypair,
    noise,
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, SubstreamProtocol, SwarmEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedOutbound},
    },
    tcp, yamux,
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

pub(crate) const CONTROL: StreamProtocol = StreamProtocol::new("/fleet-cache/1");
pub(crate) const BULK: StreamProtocol = StreamProtocol::new("/fleet-cache/bulk/1");

/// A node that connects to one other and then opens streams.
pub(crate) struct Raw {
    pub(crate) peer: PeerId,
    orders: mpsc::UnboundedSender<StreamProtocol>,
    opened: mpsc::UnboundedReceiver<Stream>,
    closed: mpsc::UnboundedReceiver<()>,
    task: JoinHandle<()>,
}

impl Raw {
    pub(crate) async fn connect(seed: u8, address: &str) -> Self {
        let keypair = Keypair::ed25519_from_bytes([seed; 32]).expect("a seed");
        let peer = keypair.public().to_peer_id().to_base58().parse().expect("Ed25519");
        let (orders, ordered) = mpsc::unbounded_channel();
        let (open, opened) = mpsc::unbounded_channel();
        let (close, closed) = mpsc::unbounded_channel();
        let mut swarm = SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
            .expect("noise")
            .with_quic()
            .with_behaviour(|_key| Streams { ordered, open, remote: None, pending: VecDeque::new() })
            .expect("a behaviour")
            .with_swarm_config(|config| {
                // Streams are ours before the other side has said anything on them.
                config
                    .with_substream_upgrade_protocol_override(Version::V1Lazy)
                    .with_idle_connection_timeout(Duration::from_secs(3600))
            })
            .build();
        swarm.dial(address.parse::<Multiaddr>().expect("an address")).expect("a dial");
        timeout(PATIENCE, established(&mut swarm)).await.expect("a connection in time");
        let task = tokio::spawn(async move {
            loop {
                if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await {
                    let _is_watched = close.send(());
                }
            }
        });
        Self { peer, orders, opened, closed, task }
    }

    pub(crate) async fn open(&mut self, protocol: StreamProtocol) -> Stream {
        self.orders.send(protocol).expect("a running task");
        timeout(PATIENCE, self.opened.recv()).await.expect("a stream in time").expect("a running task")
    }

    /// Returns once the connection was closed.
    pub(crate) async fn closed(&mut self) {
        timeout(PATIENCE, self.closed.recv()).await.expect("an end in time");
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn established(swarm: &mut Swarm<Streams>) {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => return,
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("{error}"),
            _ => {}
        }
    }
}

struct Streams {
    ordered: mpsc::UnboundedReceiver<StreamProtocol>,
    open: mpsc::UnboundedSender<Stream>,
    remote: Option<libp2p::PeerId>,
    pending: VecDeque<StreamProtocol>,
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: libp2p::PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Err(ConnectionDenied::new("dials only"))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: libp2p::PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.remote = Some(peer);
        Ok(Handler { wanted: VecDeque::new(), open: self.open.clone() })
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: libp2p::PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, StreamProtocol>> {
        while let Poll::Ready(Some(protocol)) = self.ordered.poll_recv(cx) {
            self.pending.push_back(protocol);
        }
        match (self.remote, self.pending.pop_front()) {
            (Some(peer_id), Some(event)) => {
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event })
            }
            _ => Poll::Pending,
        }
    }
}

struct Handler {
    wanted: VecDeque<StreamProtocol>,
    open: mpsc::UnboundedSender<Stream>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = StreamProtocol;
    type ToBehaviour = Infallible;
    type InboundProtocol = libp2p::core::upgrade::DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(libp2p::core::upgrade::DeniedUpgrade, ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Infallible>> {
        match self.wanted.pop_front() {
            Some(protocol) => {
                let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), ());
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
            }
            None => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, protocol: StreamProtocol) {
        self.wanted.push_back(protocol);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, ReadyUpgrade<StreamProtocol>>,
    ) {
        if let ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) = event {
            let _is_wanted = self.open.send(protocol);
        }
    }
}
