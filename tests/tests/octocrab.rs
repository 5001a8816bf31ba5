//! An unmodified SDK whose base address is the daemon's door.

use cache_tests::{
    daemon::{Daemon, Setup},
    origin::ModelOrigin,
};
use octocrab::{Octocrab, Page};
use serde_json::Value;

fn daemon(origin: &ModelOrigin) -> Daemon {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url()).start()
}

fn octocrab(daemon: &Daemon) -> Octocrab {
    let base = format!("http://{}", daemon.address());
    let builder = Octocrab::builder().base_uri(base).expect("the door has an address");
    builder.personal_token("ghp_alice").build().expect("these settings are all it needs")
}

/// The numbers of all issues, page by page as `Link` leads.
async fn issues(octocrab: &Octocrab) -> Vec<u64> {
    let route = "/repos/acme/widget-1/issues";
    let first: Page<Value> =
        octocrab.get(route, Some(&[("per_page", "100")])).await.expect("page 1 is there");
    let issues = octocrab.all_pages(first).await.expect("every page follows");
    issues.iter().map(|issue| issue["number"].as_u64().expect("issues are numbered")).collect()
}

#[tokio::test]
async fn a_repository_read_twice_is_one_call() {
    let origin = ModelOrigin::start();
    let daemon = daemon(&origin);
    let octocrab = octocrab(&daemon);
    for _ in 0..2 {
        let repository: Value = octocrab.get("/repos/acme/widget-1", None::<&()>).await.expect("it is there");
        assert_eq!(repository["name"], "widget-1");
    }
    assert_eq!(origin.calls_total(), 1, "{}", daemon.stderr());
}

#[tokio::test]
async fn pages_are_followed_through_the_door_and_free_the_second_time() {
    let origin = ModelOrigin::start();
    let daemon = daemon(&origin);
    let octocrab = octocrab(&daemon);
    let before = issues(&octocrab).await;
    let paid = origin.paid_calls();
    assert_eq!(issues(&octocrab).await, before);
    assert_eq!(before, (1..=230).rev().collect::<Vec<_>>());
    assert_eq!((paid, origin.paid_calls()), (3, 3), "{}", daemon.stderr());
}
