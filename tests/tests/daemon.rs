//! The daemon as a process: doors open, hits after a restart, an orderly end.

use cache_tests::{daemon::Setup, http::Client, origin::ModelOrigin};
use std::time::Duration;

const REPOSITORY: &str = "/repos/acme/widget-1";

fn setup(origin: &ModelOrigin) -> Setup {
    Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &origin.url())
}

async fn body(client: &Client) -> bytes::Bytes {
    let reply = client.get(REPOSITORY).token("ghp_alice").send().await.expect("the door answers");
    assert_eq!(reply.status, 200);
    reply.body
}

#[tokio::test]
async fn both_doors_answer_from_one_call() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let over_socket = body(&daemon.unix_client()).await;
    let over_tcp = body(&daemon.client().named("api.github.com")).await;
    assert_eq!(over_socket, over_tcp);
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_end_does_so_with_success_and_is_back_with_its_entries() {
    let origin = ModelOrigin::start();
    let mut daemon = setup(&origin).start();
    let before = body(&daemon.unix_client()).await;
    let status = daemon.terminate(Duration::from_secs(20));
    assert!(status.success(), "{status}: {}", daemon.stderr());
    let daemon = daemon.restart();
    assert_eq!(body(&daemon.unix_client()).await, before);
    assert_eq!(origin.calls_total(), 1, "{}", daemon.stderr());
}

#[tokio::test]
async fn a_daemon_that_is_killed_starts_again() {
    let origin = ModelOrigin::start();
    let daemon = setup(&origin).start();
    let before = body(&daemon.unix_client()).await;
    let daemon = daemon.restart();
    assert_eq!(body(&daemon.unix_client()).await, before);
}
