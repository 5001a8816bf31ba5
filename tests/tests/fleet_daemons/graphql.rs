//! Equal GraphQL queries of a whole fleet cost one call, and a write through any daemon ends their answers at all.

use crate::support::{EITHER, TOKEN, command, fleet, fleet_with, peer_id, shown};
use cache_tests::{
    daemon::Daemon,
    http::{Client, Reply},
    origin::{Change, Fault, FaultKind, ModelOrigin},
    until,
};
use http::Method;

const QUERY: &str = r#"{"query":"query($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { title } } }","variables":{"n":1}}"#;

async fn asked(daemon: &Daemon, body: &'static str) -> Reply {
    daemon.unix_client().post("/graphql", body).token(TOKEN).send().await.expect("the door answers")
}

#[tokio::test]
async fn ten_equal_queries_of_each_of_three_daemons_cost_one_call() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 3).await;
        let mut asking = Vec::new();
        for daemon in &daemons {
            for _ in 0..10 {
                let client = daemon.unix_client();
                asking.push(tokio::spawn(
                    async move { client.post("/graphql", QUERY).token(TOKEN).send().await },
                ));
            }
        }
        let mut bodies = Vec::new();
        for one in asking {
            let reply = one.await.expect("no client panics").expect("the door answers");
            assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, ""));
            assert!(reply.header("cache-status").starts_with("fleet-cache;"), "{:?}", reply.headers);
            bodies.push(reply.body);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]));
        assert_eq!(origin.calls_total(), 1, "{over:?}");
        let direct = Client::tcp(origin.address()).post("/graphql", QUERY).token(TOKEN).send().await.unwrap();
        assert_eq!(bodies[0], direct.body, "{over:?}: the answer is what the origin says");
        let again = asked(&daemons[2], QUERY).await;
        assert!(again.header("cache-status").contains("hit") && !again.header("age").is_empty());
    }
}

#[tokio::test]
async fn a_query_that_fails_is_put_once_for_the_whole_fleet() {
    let faults = [(FaultKind::Status(504), 504), (FaultKind::Reset, 502)];
    for (over, fault) in EITHER.into_iter().flat_map(|over| faults.iter().map(move |fault| (over, fault))) {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 3).await;
        let (fault, status) = fault.clone();
        origin.fault(Fault::always(fault).on("/graphql"));
        origin.hold("/graphql");
        let asking = daemons.iter().map(|daemon| {
            let client = daemon.unix_client();
            tokio::spawn(async move { client.post("/graphql", QUERY).token(TOKEN).send().await })
        });
        let asking: Vec<_> = asking.collect();
        origin.wait_in_flight(1).await;
        for daemon in &daemons {
            until("it looks the answer up", async || shown(daemon, "/stats").await["flights"] == 1).await;
        }
        // What members said to one another before this has arrived.
        for (daemon, other) in daemons.iter().flat_map(|one| daemons.iter().map(move |other| (one, other))) {
            if daemon.pid() != other.pid() {
                let pinged =
                    command(daemon.directory().join("cache"), &["ping", &peer_id(other).await]).await;
                assert_eq!(pinged.code, 0, "{pinged:?}");
            }
        }
        origin.release();
        for one in asking {
            let reply = one.await.expect("no client panics").expect("the door answers");
            assert_eq!(reply.status, status, "{over:?}: {:?}", reply.headers);
        }
        assert_eq!(origin.calls_total(), 1, "{over:?}");
        origin.clear_faults();
        for daemon in &daemons {
            assert_eq!(asked(daemon, QUERY).await.status, 200, "{over:?}: nothing is kept of it");
        }
    }
}

#[tokio::test]
async fn a_write_through_one_daemon_is_seen_by_queries_through_another_at_once() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet(&origin, over, 3).await;
        let mutation = r#"{"query":"mutation { closeIssue(input: {issueId: \"x\"}) { clientMutationId } }"}"#;
        for round in 0..20 {
            for daemon in &daemons {
                asked(daemon, QUERY).await;
            }
            let writer = daemons[round % 3].unix_client();
            let write = match round % 2 {
                0 => writer.post("/graphql", mutation),
                _ => writer.request(Method::PATCH, "/repos/acme/widget-1/issues/1").body("{}"),
            };
            assert!(write.token(TOKEN).send().await.expect("the door answers").status.is_success());
            let before = origin.calls_to("/graphql");
            asked(&daemons[(round + 1) % 3], QUERY).await;
            assert_eq!(
                origin.calls_to("/graphql"),
                before + 1,
                "{over:?}, round {round}: an old answer was given"
            );
        }
    }
}

/// Pull request 1, as `gh pr view --json` asks for it.
const TITLE: &str = r#"{"query":"query { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: 1) { title labels(first: 10) { nodes { name } } } } }"}"#;

#[tokio::test]
async fn what_watchers_of_three_daemons_ask_again_and_again_costs_points_after_changes_alone() {
    for over in EITHER {
        let origin = ModelOrigin::start();
        let daemons = fleet_with(&["--graphql", "issues=50ms"], &origin, over, 3).await;
        let direct = || async {
            Client::tcp(origin.address()).post("/graphql", TITLE).token(TOKEN).send().await.unwrap().body
        };
        for change in [None, Some("another"), Some("the last")] {
            if let Some(title) = change {
                origin.change("acme/widget-1", 1, Change::Title(title.to_owned()));
            }
            let expected = direct().await;
            let round = || async {
                let before = origin.counts().points;
                for daemon in &daemons {
                    let asking = daemon.unix_client().post("/graphql", TITLE).token(TOKEN);
                    let reply =
                        asking.header("cache-control", "no-cache").send().await.expect("the door answers");
                    assert_eq!(reply.body, expected, "{over:?}, {change:?}: {:?}", reply.headers);
                }
                origin.counts().points - before
            };
            // Until the fleet believes what it is shown.
            until("a round costs no points", async || round().await == 0).await;
            for _ in 0..10 {
                assert_eq!(round().await, 0, "{over:?}, {change:?}");
            }
        }
    }
}
