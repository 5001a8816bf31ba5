//! A peer that was let in and then takes nothing any more.

use crate::{
    member::Member,
    support::{EITHER, Fleet, connected, totals},
};
use cache_tests::{SOON, until};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_put_never_waits_for_a_peer_that_reads_nothing() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let member = Member::new(over, &fleet.secret).await;
        member.meet(&fleet.nodes[0]).await;
        member.stop_reading();
        let value = vec![b'v'; 8 * 1024];
        let puts = async {
            for number in 0..10_000 {
                let (key, hour) = (format!("key-{number}"), Duration::from_secs(3600));
                fleet.nodes[0].values().put(&key, value.clone(), hour).await.expect("it is kept");
            }
        };
        timeout(SOON, puts).await.expect("ten thousand puts take far less");
        // Its queue filled up, and what had no room in it was dropped for it alone.
        until("frames were dropped", async || totals(&fleet.nodes[0]).await.dropped_frames > 0).await;
        // The other node takes what comes. What found its queue full as well is put again.
        until("the other node is told", async || {
            fleet.nodes[0].values().put("last", "value", MINUTE).await.expect("it is kept");
            fleet.nodes[1].values().get("last").await.expect("the node runs").is_some()
        })
        .await;
        assert!(connected(&fleet.nodes[1]).await >= 1, "{over:?}");
    }
}

const MINUTE: Duration = Duration::from_secs(60);
