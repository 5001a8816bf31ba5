//! What the tests of a fleet have in common: a fleet in front of a model origin.

use cache_tests::{origin::ModelOrigin, until};
use fleet_cache::{FleetSecret, GitHub, Libp2p, Node, NodeBuilder, Quic};

/// Which transport the nodes use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Over {
    Libp2p,
    Quic,
}

/// Both.
pub(crate) const EITHER: [Over; 2] = [Over::Libp2p, Over::Quic];

/// A fleet and its origin.
pub(crate) struct Fleet {
    pub(crate) origin: ModelOrigin,
    pub(crate) nodes: Vec<Node>,
    secret: FleetSecret,
    over: Over,
}

impl Fleet {
    /// `count` nodes, all of which know the first alone to begin with, connected with one another.
    pub(crate) async fn start(over: Over, count: usize) -> Self {
        let secret = FleetSecret::generate().expect("the system has entropy");
        let mut fleet = Self { origin: ModelOrigin::start(), nodes: Vec::new(), secret, over };
        for _ in 0..count {
            let contacts: Vec<String> = fleet.nodes.first().map(Node::addresses).unwrap_or_default();
            let node = fleet.builder().bootstrap(contacts).start().await.expect("a port is free");
            fleet.nodes.push(node);
        }
        fleet.connected().await;
        fleet
    }

    /// A node that is to join, with the fleet's secret, transport and origin.
    pub(crate) fn builder(&self) -> NodeBuilder {
        let github = GitHub::builder().origin(&self.origin.url()).expect("the model has an address");
        let builder = Node::builder(self.secret.clone(), github.build().expect("the settings are in range"));
        let any_port = "127.0.0.1:0";
        match self.over {
            Over::Libp2p => builder.transport(Libp2p::listen(any_port).expect("an address")),
            Over::Quic => builder.transport(Quic::listen(any_port).expect("an address")),
        }
    }

    /// Waits until every node is connected with every other.
    pub(crate) async fn connected(&self) {
        let others = self.nodes.len() as u64 - 1;
        for node in &self.nodes {
            until("all are connected", async || {
                node.stats().await.expect("the node runs").connected_peers == others
            })
            .await;
        }
    }

    /// The path of repository `number`, which anybody may read.
    pub(crate) fn repository(number: usize) -> String {
        format!("/repos/acme/widget-{number}")
    }
}

/// The body that `node` gives for `path`.
pub(crate) async fn body(node: &Node, path: &str) -> Vec<u8> {
    let reply = node.get(path).await.expect("there is an answer");
    assert_eq!(reply.status(), 200);
    reply.bytes().await.expect("the body is whole").to_vec()
}
