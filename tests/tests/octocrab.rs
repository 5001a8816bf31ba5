//! An unmodified SDK whose base address is the daemon's door, or whose transport is a node.

use cache_tests::{
    daemon::{Daemon, Setup},
    origin::ModelOrigin,
};
use fleet_cache::{GitHub, Node, github::Credential};
use octocrab::{AuthState, Octocrab, OctocrabBuilder, Page, service::middleware::base_uri::BaseUriLayer};
use serde_json::Value;
use tower_service::Service;

fn daemon(origin: &ModelOrigin) -> Daemon {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url()).start()
}

fn octocrab(daemon: &Daemon) -> Octocrab {
    let base = format!("http://{}", daemon.address());
    let builder = Octocrab::builder().base_uri(base).expect("the door has an address");
    builder.personal_token("ghp_alice").build().expect("these settings are all it needs")
}

/// An SDK whose transport is a node in this very process.
async fn octocrab_over_node(origin: &ModelOrigin) -> Octocrab {
    let github = GitHub::builder().origin(&origin.url());
    let token = Credential::from_token("ghp_alice").expect("it is a token");
    let github = github.credential(token).build().expect("these settings suffice");
    let node = Node::builder(None, github).start().await.expect("a node that keeps to itself starts");
    let base = origin.url().parse().expect("it is an address");
    let builder = OctocrabBuilder::new_empty().with_service(node).with_layer(&BaseUriLayer::new(base));
    builder.with_auth(AuthState::None).build().expect("it never fails")
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

#[tokio::test]
async fn a_node_is_the_transport_of_an_sdk_and_a_second_read_is_no_call() {
    let origin = ModelOrigin::start();
    let octocrab = octocrab_over_node(&origin).await;
    for _ in 0..2 {
        let repository: Value = octocrab.get("/repos/acme/widget-1", None::<&()>).await.expect("it is there");
        assert_eq!(repository["name"], "widget-1");
    }
    assert_eq!(origin.calls_total(), 1);
    let before = issues(&octocrab).await;
    assert_eq!(issues(&octocrab).await, before);
    assert_eq!(origin.paid_calls(), 4, "one for the repository, three for the pages");
}

#[tokio::test]
async fn a_service_is_not_asked_for_another_host() {
    let origin = ModelOrigin::start();
    let github = GitHub::builder().origin(&origin.url());
    let github = github.build().expect("these settings suffice");
    let mut node = Node::builder(None, github).start().await.expect("a node that keeps to itself starts");
    let elsewhere = http::Request::get("https://files.example/repos/acme/widget-1");
    let elsewhere = elsewhere.body(http_body_util::Empty::<bytes::Bytes>::new()).expect("it is a request");
    let error = Service::call(&mut node, elsewhere).await.expect_err("it is not the origin's");
    assert!(error.to_string().contains("files.example"), "{error}");
    assert_eq!(origin.calls_total(), 0);
}
