//! What a page tells of the members of a fleet.

use crate::support::{Events, fleet, latest, page, stats};
use cache_tests::origin::ModelOrigin;
use serde_json::Value;

#[tokio::test]
async fn the_page_shows_a_member_that_is_gone_and_looking_counts_as_no_hit() {
    let origin = ModelOrigin::start();
    let daemons = fleet(&origin).await;
    let mut events = Events::open(page(&daemons[0]).await).await;
    let usage = events.until_told("usage", |usage| usage["nodes"] == 3).await;
    assert_eq!(usage["silent"], Value::Array(Vec::new()));
    let shown = events.until_told("fleet", |fleet| fleet["connected"] == 2).await;
    let ids: Vec<Value> =
        shown["peers"].as_array().expect("it is a list").iter().map(|it| it["id"].clone()).collect();
    let member = stats(&daemons[2]).await["peer_id"].clone();
    assert!(ids.contains(&member), "{shown:#}");
    events.until_told("doctor", |_| true).await;
    let node = latest(&events.text(), "node").expect("it is told with the first tick");
    assert_eq!((&node["hits"], &node["peer_hits"]), (&Value::from(0), &Value::from(0)), "{node:#}");
    daemons[2].signal("-STOP");
    let is_away = |fleet: &Value| {
        let peers = fleet["peers"].as_array().expect("it is a list");
        peers.iter().any(|peer| peer["id"] == member && peer["state"] == "gone" && peer["seen"].is_u64())
    };
    let shown = events.until_told("fleet", is_away).await;
    daemons[2].signal("-CONT");
    assert_eq!(shown["peers"][0]["id"], member, "what is gone comes first: {shown:#}");
}
