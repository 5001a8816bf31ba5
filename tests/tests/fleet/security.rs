//! Which nodes are let in, and what happens while a fleet changes its secret.

use crate::{
    member::Member,
    support::{EITHER, Fleet, Over, body, builder, connected, standing, totals},
};
use async_trait::async_trait;
use cache_core::port::{Gate, Transport};
use cache_tests::{
    origin::{ModelOrigin, Quota, Resource},
    until,
};
use fleet_cache::{FleetSecret, Node, OpenTransport, TransportError};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::RwLock;
use zeroize::Zeroizing;

#[tokio::test(flavor = "multi_thread")]
async fn who_has_another_secret_is_refused_and_counted_and_nobody_else_notices() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        let other = FleetSecret::generate().expect("the system has entropy");
        let contacts = fleet.nodes[0].addresses();
        let intruder = fleet.builder_with(other).bootstrap(contacts).start().await.expect("a port is free");
        until("the intruder is refused", async || totals(&fleet.nodes[0]).await.refused > 0).await;
        let minute = Duration::from_secs(60);
        intruder.values().put("theirs", "theirs", minute).await.expect("it is kept");
        fleet.nodes[1].values().put("ours", "ours", minute).await.expect("it is kept");
        until("the fleet goes on", async || {
            let got = fleet.nodes[2].values().get("ours").await.expect("the node runs");
            got.as_deref() == Some(b"ours")
        })
        .await;
        assert_eq!(intruder.values().get("ours").await.expect("it runs"), None, "{over:?}");
        assert_eq!(connected(&intruder).await, 0, "{over:?}");
        assert_eq!(totals(&intruder).await.total_peers, 1, "{over:?}");
        let intruder = intruder.peer_id().expect("it shares");
        for node in &fleet.nodes {
            assert_eq!(node.values().get("theirs").await.expect("the node runs"), None, "{over:?}");
            assert_eq!(connected(node).await, 2, "{over:?}");
            assert!(standing(node, intruder).await.is_none(), "{over:?}");
        }
        assert_eq!(totals(&fleet.nodes[1]).await.refused, 0, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_a_node_keeps_to_itself_says_so_and_opens_no_transport() {
    let (origin, secret) = (ModelOrigin::start(), FleetSecret::generate().expect("the system has entropy"));
    for over in EITHER {
        let member = Member::new(over, &secret).await;
        let opened = Arc::new(AtomicBool::new(false));
        let transport = Watched { over, opened: Arc::clone(&opened) };
        let node = builder(&origin, None).transport(transport).bootstrap(member.addresses());
        let node = node.start().await.expect("it starts all the same");
        let stats = node.stats().await.expect("the node runs");
        assert_eq!(stats.sharing, "off: no fleet secret is set");
        assert!(stats.aggregate.is_none() && stats.peer_id.is_none() && stats.addresses.is_empty());
        body(&node, "/repos/acme/widget-1").await;
        node.values().put("key", "value", Duration::from_secs(60)).await.expect("it is kept");
        assert!(node.values().get("key").await.expect("the node runs").is_some());
        assert!(node.peers().await.expect("the node runs").is_empty());
        node.shutdown().await;
        // Without a transport there is no socket, and so no frame in either direction.
        assert!(!opened.load(Ordering::Relaxed), "{over:?}");
        assert!(member.heard().is_empty() && member.refused() == 0, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_changes_its_secret_in_three_rounds_and_no_request_fails() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        let plenty = Quota { limit: u64::MAX, used: 0, reset_unix_seconds: u64::MAX / 2 };
        fleet.origin.set_quota("anonymous", Resource::Core, plenty);
        let (old, new) = (fleet.secret.clone(), FleetSecret::generate().expect("the system has entropy"));
        let nodes: Vec<_> = fleet.nodes.iter().map(|node| Arc::new(RwLock::new(node.clone()))).collect();
        let load = Load::start(&nodes);
        for (current, accepted) in [(&old, Some(&new)), (&new, Some(&old)), (&new, None)] {
            for slot in &nodes {
                let builder = fleet.builder_with(current.clone()).bootstrap(addresses(&nodes).await);
                let builder = accepted.into_iter().fold(builder, |it, other| it.accepting(other.clone()));
                let next = builder.start().await.expect("a port is free");
                until("it has joined", async || connected(&next).await >= 3).await;
                // A request that was under way at the former one has its answer before that goes.
                let former = std::mem::replace(&mut *slot.write().await, next);
                former.shutdown().await;
                for slot in &nodes {
                    let node = slot.read().await.clone();
                    until("the fleet is whole", async || connected(&node).await == 2).await;
                }
                load.go_on().await;
            }
        }
        let Load { requests, failures, paths, .. } = load.stop().await;
        let calls = fleet.origin.calls_total();
        println!("{over:?}: {requests} requests for {paths} paths, {failures} failed, {calls} calls");
        assert_eq!(failures, 0, "{over:?}");
        let outsider = Member::new(over, &old).await;
        let node = nodes[0].read().await.clone();
        let before = totals(&node).await.refused;
        outsider.call(&node.addresses()[0]);
        until("the old secret opens nothing any more", async || totals(&node).await.refused > before).await;
    }
}

async fn addresses(nodes: &[Arc<RwLock<Node>>]) -> Vec<String> {
    let mut all = Vec::new();
    for slot in nodes {
        all.extend(slot.read().await.addresses());
    }
    all
}

/// Requests without end, to whatever runs in each place.
struct Load {
    counts: Arc<Counts>,
    tasks: tokio::task::JoinSet<()>,
    requests: u64,
    failures: u64,
    paths: usize,
}

#[derive(Default)]
struct Counts {
    ended: AtomicBool,
    requests: AtomicU64,
    failures: AtomicU64,
    path_next: AtomicUsize,
}

impl Load {
    fn start(nodes: &[Arc<RwLock<Node>>]) -> Self {
        let counts = Arc::new(Counts::default());
        let mut tasks = tokio::task::JoinSet::new();
        for slot in nodes {
            let (slot, counts) = (Arc::clone(slot), Arc::clone(&counts));
            tasks.spawn(async move {
                let mut pace = tokio::time::interval(PACE);
                while !counts.ended.load(Ordering::Relaxed) {
                    let number = counts.path_next.fetch_add(1, Ordering::Relaxed) / REQUESTS_EACH;
                    let node = slot.read().await;
                    let reply = node.get(&Fleet::repository(number % 9000)).await;
                    let is_right = reply.as_ref().is_ok_and(|reply| reply.status() == 200);
                    drop(node);
                    counts.requests.fetch_add(1, Ordering::Relaxed);
                    counts.failures.fetch_add(u64::from(!is_right), Ordering::Relaxed);
                    pace.tick().await;
                }
            });
        }
        Self { counts, tasks, requests: 0, failures: 0, paths: 0 }
    }

    /// Waits until each node has been asked some more.
    async fn go_on(&self) {
        let enough = self.counts.requests.load(Ordering::Relaxed) + REQUESTS_BETWEEN;
        until("requests go on", async || self.counts.requests.load(Ordering::Relaxed) >= enough).await;
    }

    async fn stop(mut self) -> Self {
        self.counts.ended.store(true, Ordering::Relaxed);
        while self.tasks.join_next().await.is_some() {}
        self.requests = self.counts.requests.load(Ordering::Relaxed);
        self.failures = self.counts.failures.load(Ordering::Relaxed);
        self.paths = self.counts.path_next.load(Ordering::Relaxed).div_ceil(REQUESTS_EACH);
        self
    }
}

/// Time from one request to the next at each node, at the least.
const PACE: Duration = Duration::from_millis(2);

/// Requests from one change of a node to the next, at the least.
const REQUESTS_BETWEEN: u64 = 20;

/// Requests for each path.
const REQUESTS_EACH: usize = 3;

/// Notes whether a node opens it.
#[derive(Debug)]
struct Watched {
    over: Over,
    opened: Arc<AtomicBool>,
}

#[async_trait]
impl OpenTransport for Watched {
    async fn open(
        &self,
        seed: Zeroizing<[u8; 32]>,
        gate: Arc<dyn Gate>,
        peers_max: usize,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        self.opened.store(true, Ordering::Relaxed);
        self.over.open(seed, gate, peers_max).await
    }
}
