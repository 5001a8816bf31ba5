//! What the tests of a fleet have in common: a fleet in front of a model origin.

use async_trait::async_trait;
use cache_core::{
    PeerId,
    port::{Gate, Transport},
};
use cache_tests::{origin::ModelOrigin, until};
use fleet_cache::{
    FleetSecret, FleetTotals, GitHub, Libp2p, Node, NodeBuilder, OpenTransport, Peer, Quic, TransportError,
};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Which transport the nodes use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Libp2p,
    Quic,
}

/// The tests run over both.
pub(crate) const EITHER: [Over; 2] = [Over::Libp2p, Over::Quic];

/// Opened with an identity: by a node, or by a test that plays a member.
#[async_trait]
impl OpenTransport for Over {
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        match self {
            Self::Libp2p => Libp2p::listen(ANY_PORT).open(seed, gate, peers_max).await,
            Self::Quic => Quic::listen(ANY_PORT).open(seed, gate, peers_max).await,
        }
    }
}

/// A fleet and its origin.
pub(crate) struct Fleet {
    pub(crate) origin: ModelOrigin,
    pub(crate) nodes: Vec<Node>,
    pub(crate) secret: FleetSecret,
    pub(crate) over: Over,
}

impl Fleet {
    /// `count` nodes, all of which know the first alone to begin with, connected with one another.
    pub(crate) async fn start(over: Over, count: usize) -> Self {
        Self::start_with(over, count, |builder| builder).await
    }

    /// The same, of nodes with settings of their own.
    pub(crate) async fn start_with(
        over: Over,
        count: usize,
        set: impl Fn(NodeBuilder) -> NodeBuilder,
    ) -> Self {
        let secret = FleetSecret::generate().expect("the system has entropy");
        let mut fleet = Self { origin: ModelOrigin::start(), nodes: Vec::new(), secret, over };
        for _ in 0..count {
            let contacts: Vec<String> = fleet.nodes.first().map(Node::addresses).unwrap_or_default();
            let node = set(fleet.builder().bootstrap(contacts)).start().await.expect("a port is free");
            fleet.nodes.push(node);
        }
        fleet.connected().await;
        fleet
    }

    /// A node that is to join, with the fleet's secret, transport and origin.
    pub(crate) fn builder(&self) -> NodeBuilder {
        self.builder_with(self.secret.clone())
    }

    /// The same with a secret of its own, or none.
    pub(crate) fn builder_with(&self, secret: impl Into<Option<FleetSecret>>) -> NodeBuilder {
        builder(&self.origin, secret).transport(self.over)
    }

    /// One more node, which is given `contacts`; joined or not.
    pub(crate) async fn start_one(&self, contacts: Vec<String>) -> Node {
        self.builder().bootstrap(contacts).start().await.expect("a port is free")
    }

    /// Waits until every node is connected with every other.
    pub(crate) async fn connected(&self) {
        let others = self.nodes.len() as u64 - 1;
        for node in &self.nodes {
            until("all are connected", async || connected(node).await == others).await;
        }
    }

    /// Waits until `node`, which is none of them, is connected with every node, and every node says so too: one end of a
    /// connection sees it first, and shares nothing with the other before that does.
    pub(crate) async fn connected_with(&self, node: &Node) {
        let all = self.nodes.len() as u64;
        for each in self.nodes.iter().chain([node]) {
            until("all are connected with it", async || connected(each).await == all).await;
        }
    }

    /// The path of repository `number`, which every client may read.
    pub(crate) fn repository(number: usize) -> String {
        format!("/repos/acme/widget-{number}")
    }
}

/// A node that asks `origin` without a credential, and has no transport yet.
pub(crate) fn builder(origin: &ModelOrigin, secret: impl Into<Option<FleetSecret>>) -> NodeBuilder {
    let github = GitHub::builder().origin(&origin.url());
    Node::builder(secret, github.build().expect("the settings are in range"))
}

/// The body that `node` gives for `path`.
pub(crate) async fn body(node: &Node, path: &str) -> Vec<u8> {
    let reply = node.get(path).await.expect("there is an answer");
    assert_eq!(reply.status(), 200);
    reply.bytes().await.expect("the body is whole").to_vec()
}

/// How many peers `node` is connected with.
pub(crate) async fn connected(node: &Node) -> u64 {
    node.stats().await.expect("the node runs").connected_peers
}

/// What `node` counted of its fleet.
pub(crate) async fn totals(node: &Node) -> FleetTotals {
    node.stats().await.expect("the node runs").aggregate.expect("the node shares")
}

/// How `node` stands with the peer that calls itself `id`, if it knows it.
pub(crate) async fn standing(node: &Node, id: PeerId) -> Option<Peer> {
    let peers = node.peers().await.expect("the node runs");
    peers.into_iter().find(|peer| peer.id == Some(id))
}

/// The address on which tests listen.
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";
