//! Which client uses what, over the fleet: each node tells the others what it has counted, once one of them is asked.
//!
//! By values, as any program could ([`fleet_cache::Values`]): the node that is asked puts a question where all others look now
//! and then, and each puts its answer under a key of its own, from which it is fetched. So nothing is said while nobody
//! asks, and the protocol between nodes has no part in it. An older node does not look, and counts as silent.

use fleet_cache::{Closed, Node, PeerId, PeerState, github::UsageReport};
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    future::pending,
    process,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::debug;

/// What the nodes of a fleet have counted together.
#[derive(Debug, Serialize)]
pub(super) struct FleetUsage {
    /// How many nodes are in the counts, this one among them.
    nodes: usize,
    /// The connected nodes from which no word came in time.
    silent: Vec<String>,
    #[serde(flatten)]
    report: UsageReport,
}

/// One node's answer.
#[derive(Deserialize, Serialize)]
struct Told {
    /// What it answers, and which of its answers it is: no two are the same.
    question: String,
    number: u64,
    report: UsageReport,
}

impl FleetUsage {
    /// What `node` alone has counted.
    pub(super) fn of_node(node: &Node) -> Self {
        Self { nodes: 1, silent: Vec::new(), report: node.github().usage_report() }
    }

    /// How many nodes are in the counts.
    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// The connected nodes from which no word came in time.
    pub(super) fn silent(&self) -> &[String] {
        &self.silent
    }

    /// What they have counted, summed up.
    pub(super) fn report(&self) -> &UsageReport {
        &self.report
    }

    /// What `node` and the nodes that it is connected with have counted; takes [`ANSWER_MAX`] if one keeps silent.
    pub(super) async fn of_fleet(node: &Node) -> Result<Self, Closed> {
        let mut usage = Self::of_node(node);
        let Some(own) = node.peer_id() else { return Ok(usage) };
        let is_there = |state| matches!(state, PeerState::Connected | PeerState::Silent);
        let peers = node.peers().await?.into_iter().filter(|peer| is_there(peer.state));
        let mut waiting = JoinSet::new();
        for peer in peers.filter_map(|peer| peer.id) {
            let before = told(node, peer).map(Told::which);
            let node = node.clone();
            waiting.spawn(async move { (peer, timeout(ANSWER_MAX, answer(&node, peer, before)).await.ok()) });
        }
        if !waiting.is_empty() {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let question = format!("{own} {} {}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            if let Err(error) = node.values().put(ASKED, question, QUESTION_LIFETIME).await {
                debug!(%error, "nobody can be asked what it has counted");
            }
        }
        while let Some(answered) = waiting.join_next().await {
            match answered {
                Ok((_peer, Some(report))) => {
                    usage.report.add(&report);
                    usage.nodes += 1;
                }
                Ok((peer, None)) => usage.silent.push(peer.to_string()),
                Err(_panicked) => {}
            }
        }
        usage.silent.sort_unstable();
        Ok(usage)
    }
}

impl Told {
    /// What tells it from all other answers of its node.
    fn which(self) -> (String, u64) {
        (self.question, self.number)
    }
}

/// Waits for another answer of `peer` than `before`.
async fn answer(node: &Node, peer: PeerId, before: Option<(String, u64)>) -> UsageReport {
    loop {
        if let Some(Told { question, number, report }) = told(node, peer)
            && before.as_ref() != Some(&(question, number))
        {
            return report;
        }
        sleep(LOOK_EVERY).await;
        // What is long comes by name alone, and is asked for.
        if let Err(error) = node.ask_peer_for_value(peer, &answers_of(peer)).await {
            debug!(%peer, %error, "no word of what it has counted");
        }
    }
}

/// The answer of `peer` that is here.
fn told(node: &Node, peer: PeerId) -> Option<Told> {
    serde_json::from_slice(&node.values().peek(&answers_of(peer))?).ok()
}

/// Answers all questions, as long as the node lives.
pub(super) async fn keep(node: &Node) -> Infallible {
    let Some(own) = node.peer_id() else { return pending().await };
    let values = node.values();
    let (mut answered, mut number) = (None, 0);
    loop {
        sleep(LOOK_EVERY).await;
        let asked = values.peek(ASKED);
        if let Some(asked) = asked.as_ref().filter(|_| asked != answered) {
            number += 1;
            let question = String::from_utf8_lossy(asked).into_owned();
            let told =
                Told { question, number, report: node.github().usage_report().heaviest(ROWS_TOLD_MAX) };
            let text = serde_json::to_vec(&told).unwrap_or_default();
            if let Err(error) = values.put(&answers_of(own), text, ANSWER_LIFETIME).await {
                debug!(%error, "what this node has counted cannot be told");
            }
        }
        if asked.is_some() {
            // It still stands.
            sleep(QUESTION_LIFETIME / 2).await;
        }
        answered = asked;
    }
}

fn answers_of(peer: PeerId) -> String {
    format!("{ASKED}/{peer}")
}

/// The key of the question.
const ASKED: &str = "fleet-cache/usage";
/// How often a node looks for questions, and for answers to its own.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For how long a question stands: long enough for all to see it.
const QUESTION_LIFETIME: Duration = Duration::from_secs(2);
/// For how long an answer is kept.
const ANSWER_LIFETIME: Duration = Duration::from_secs(10);
/// How long a node is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Most rows of each table that a node tells: three tables of these come to some 100 KiB.
const ROWS_TOLD_MAX: usize = 100;
