//! The members of a fleet spend one allowance as one: whichever calls, each class of requests stops at its reserve.

use crate::support::{EITHER, Fleet};
use cache_tests::{
    origin::{Quota, Resource},
    until,
};
use fleet_cache::{Node, NodeBuilder, Priority, RequestError, Reserves, Settings};
use http::Request;
use http_body_util::Empty;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

const MEMBERS: usize = 3;
const AT_ONCE: usize = 4;

/// Spends what batch requests may, several at once, and ends when one is refused.
async fn spend(node: Node, numbers: Arc<AtomicUsize>) {
    loop {
        let path = Fleet::repository(numbers.fetch_add(1, Ordering::Relaxed));
        let request = Request::get(path).header("authorization", "token ghp_alice");
        let request = request.header("x-fleet-priority", "batch").body(Empty::<bytes::Bytes>::new());
        match node.request(request.expect("it is well-formed")).await {
            Ok(reply) => assert_eq!(reply.status(), 200),
            Err(RequestError::Reserved { .. }) => return,
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_requests_at_all_members_at_once_leave_what_is_kept_but_for_a_call_of_each_member() {
    for over in EITHER {
        let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap();
        let with_reserves =
            |builder: NodeBuilder| builder.settings(Settings { reserves, ..Settings::default() });
        let fleet = Fleet::start_with(over, MEMBERS, with_reserves).await;
        let reset_unix_seconds = fleet.origin.quota("alice", Resource::Core).reset_unix_seconds;
        fleet.origin.set_quota("alice", Resource::Core, Quota { limit: 300, used: 0, reset_unix_seconds });
        let numbers = Arc::new(AtomicUsize::new(0));
        let all = fleet.nodes.iter().flat_map(|node| std::iter::repeat_n(node, AT_ONCE));
        let all: Vec<_> = all.map(|node| tokio::spawn(spend(node.clone(), Arc::clone(&numbers)))).collect();
        for one in all {
            one.await.expect("no request fails but by the reserve");
        }
        let used = fleet.origin.quota("alice", Resource::Core).used;
        assert!((240 - MEMBERS as u64..=240 + MEMBERS as u64).contains(&used), "{over:?}: {used}");
        for node in &fleet.nodes {
            until("each knows how the allowance stands", async || {
                let quotas = node.stats().await.expect("it runs").origin.quotas;
                quotas.iter().any(|account| account.quota.used == used)
            })
            .await;
        }
    }
}
