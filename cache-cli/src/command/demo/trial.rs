//! One trial: some nodes, each of which reads the same repositories, and a model of GitHub's API that counts.

use crate::{exit::CommandError, settings::Transport};
use bytes::Bytes;
use cache_model_origin::ModelOrigin;
use cache_origin_github::{ConfigError, Credential};
use fleet_cache::{FleetSecret, GitHub, Libp2p, Node, NodeBuilder, Quic, TransportError};
use futures::future::{join_all, try_join_all};
use serde::Serialize;
use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

/// The conditions of one trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) nodes: usize,
    pub(super) repositories: usize,
    /// How long the model takes for an answer.
    pub(super) delay: Duration,
    pub(super) pace: Pace,
    pub(super) sharing: Sharing,
}

/// In which order the nodes read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pace {
    /// One read after another.
    Sequential,
    /// All reads of all nodes begin together.
    AtOnce,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtOnce => "all at once",
            Self::Sequential => "one after another",
        })
    }
}

/// Whether the nodes of a trial share.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sharing {
    /// Each keeps to itself.
    Off,
    /// They are a fleet.
    Over(Transport),
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "without sharing",
            Self::Over(_) => "with sharing",
        })
    }
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Reading {
    /// Calls that the model of GitHub's API counted.
    pub(super) calls: u64,
    /// Time from the first read to the last answer; starting the nodes is not part of it.
    pub(super) seconds: f64,
}

impl Trial {
    /// Starts the nodes, lets them read, ends them, and adds what they got to `bodies`.
    ///
    /// # Errors
    ///
    /// When a node cannot start, the fleet does not form, or a read has no answer.
    pub(super) async fn make(self, bodies: &mut Bodies) -> Result<Reading, CommandError> {
        let origin = ModelOrigin::start();
        origin.set_answer_delay(self.delay);
        let nodes = self.start_nodes(&origin).await?;
        let began = Instant::now();
        let read = self.read_all(&nodes).await;
        let seconds = began.elapsed().as_secs_f64();
        // Before the result is looked at: no socket is to outlive a trial that went wrong.
        join_all(nodes.iter().map(Node::shutdown)).await;
        for (repository, body) in read? {
            bodies.add(repository, &body);
        }
        Ok(Reading { calls: origin.calls_total(), seconds })
    }

    async fn start_nodes(self, origin: &ModelOrigin) -> Result<Vec<Node>, CommandError> {
        let cannot = |error: Box<dyn Error + Send + Sync>| {
            CommandError::failed("cannot start a node of the demonstration", error)
        };
        let secret = FleetSecret::generate().map_err(|error| cannot(error.into()))?;
        let mut nodes: Vec<Node> = Vec::new();
        for _ in 0..self.nodes {
            let github = github(origin).map_err(|error| cannot(error.into()))?;
            let builder = match self.sharing {
                Sharing::Off => Node::builder(None, github),
                Sharing::Over(transport) => {
                    let contacts = nodes.first().map(Node::addresses).unwrap_or_default();
                    let builder = Node::builder(secret.clone(), github).bootstrap(contacts);
                    listening(builder, transport).map_err(|error| cannot(error.into()))?
                }
            };
            nodes.push(builder.start().await.map_err(|error| cannot(error.into()))?);
        }
        match self.sharing {
            Sharing::Off => {}
            Sharing::Over(_) => until_connected(&nodes).await?,
        }
        Ok(nodes)
    }

    /// Every body that was got, with the number of its repository.
    async fn read_all(self, nodes: &[Node]) -> Result<Vec<(usize, Bytes)>, CommandError> {
        let reads = (0..self.repositories)
            .flat_map(|repository| nodes.iter().map(move |node| read(node, repository)));
        match self.pace {
            Pace::AtOnce => try_join_all(reads).await,
            Pace::Sequential => {
                let mut all = Vec::new();
                for read in reads {
                    all.push(read.await?);
                }
                Ok(all)
            }
        }
    }
}

/// The model as a node asks it, with a token: without one, a node may call 60 times an hour.
fn github(origin: &ModelOrigin) -> Result<GitHub, ConfigError> {
    GitHub::builder().origin(&origin.url()).credential(Credential::from_token(MODEL_TOKEN)?).build()
}

fn listening(builder: NodeBuilder, transport: Transport) -> Result<NodeBuilder, TransportError> {
    Ok(match transport {
        Transport::Libp2p => builder.transport(Libp2p::listen(ANY_PORT)),
        Transport::Quic => builder.transport(Quic::listen(ANY_PORT)),
    })
}

async fn until_connected(nodes: &[Node]) -> Result<(), CommandError> {
    let cannot = |reason: &str| CommandError::failed("the nodes did not form a fleet", reason);
    let formed = async {
        for node in nodes {
            while node.stats().await?.connected_peers + 1 < nodes.len() as u64 {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
        Ok::<_, fleet_cache::RequestError>(())
    };
    match tokio::time::timeout(FORMING_MAX, formed).await {
        Ok(formed) => formed.map_err(|error| cannot(&error.to_string())),
        Err(_elapsed) => Err(cannot(&format!("not all are connected after {} s", FORMING_MAX.as_secs()))),
    }
}

async fn read(node: &Node, repository: usize) -> Result<(usize, Bytes), CommandError> {
    let path = format!("/repos/acme/widget-{}", repository + 1);
    let reply = node.get(&path).await.map_err(|error| CommandError::failed("a read has no answer", error))?;
    if reply.status() != http::StatusCode::OK {
        return Err(CommandError::failed("a read was refused", reply.status().to_string()));
    }
    let body = reply.bytes().await.map_err(|error| CommandError::failed("an answer broke off", error))?;
    Ok((repository, body))
}

/// What every node of every trial got: for each repository one body, as long as all agree.
#[derive(Debug)]
pub(super) struct Bodies {
    first: Vec<Option<Bytes>>,
    different: usize,
}

impl Bodies {
    pub(super) fn new(repositories: usize) -> Self {
        Self { first: vec![None; repositories], different: 0 }
    }

    fn add(&mut self, repository: usize, body: &Bytes) {
        let first = self.first[repository].get_or_insert_with(|| body.clone());
        self.different += usize::from(first != body);
    }

    /// Whether every node got every repository, the same bytes each time, in all trials together.
    pub(super) fn are_identical(&self) -> bool {
        self.different == 0 && self.first.iter().all(Option::is_some)
    }
}

/// A token that only the model accepts.
const MODEL_TOKEN: &str = "ghp_alice";
const ANY_PORT: &str = "127.0.0.1:0";
/// How often to look whether all are connected.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// Longest time in which the nodes may find one another: many times what it takes.
const FORMING_MAX: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_body_that_differs_or_is_missing_is_noticed() {
        let mut bodies = Bodies::new(2);
        bodies.add(0, &"a".into());
        assert!(!bodies.are_identical(), "nobody has got the second");
        bodies.add(1, &"b".into());
        bodies.add(0, &"a".into());
        assert!(bodies.are_identical());
        bodies.add(1, &"a".into());
        assert!(!bodies.are_identical());
    }
}
