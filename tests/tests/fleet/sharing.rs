//! One call serves the whole fleet.

use crate::support::{EITHER, Fleet, Over, body};
use bytes::Bytes;
use cache_tests::until;
use fleet_cache::Node;
use http::Request;
use http_body_util::Empty;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn five_nodes_that_read_three_repositories_one_after_another_make_three_calls() {
    for over in EITHER {
        let fleet = Fleet::start(over, 5).await;
        for number in 1..=3 {
            let path = Fleet::repository(number);
            let first = body(&fleet.nodes[0], &path).await;
            for node in &fleet.nodes[1..] {
                assert_eq!(body(node, &path).await, first);
            }
        }
        assert_eq!(fleet.origin.calls_total(), 3, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_nodes_that_read_three_repositories_all_at_once_make_three_calls() {
    for over in EITHER {
        let fleet = Fleet::start(over, 5).await;
        fleet.origin.set_answer_delay(Duration::from_millis(50));
        let reads = fleet.nodes.iter().flat_map(|node| {
            (1..=3).map(move |number| async move { body(node, &Fleet::repository(number)).await })
        });
        let bodies = futures::future::join_all(reads).await;
        for (index, answered) in bodies.iter().enumerate() {
            assert_eq!(*answered, bodies[index % 3], "{over:?}");
        }
        assert_eq!(fleet.origin.calls_total(), 3, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_nodes_that_ask_one_key_at_once_make_one_call() {
    let fleet = Fleet::start(Over::Quic, 20).await;
    fleet.origin.set_answer_delay(Duration::from_millis(50));
    let path = Fleet::repository(1);
    futures::future::join_all(fleet.nodes.iter().map(|node| body(node, &path))).await;
    assert_eq!(fleet.origin.calls_total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_put_at_one_node_is_got_at_another_whatever_its_size() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        for bytes in [10, 40_000, 60_000, 100_000, 1_000_000, 8_000_000] {
            for (from, to) in [(0, 1), (1, 0)] {
                let key = format!("{bytes}-from-{from}");
                let value = vec![7_u8; bytes];
                let lifetime = Duration::from_secs(300);
                fleet.nodes[from].values().put(&key, value.clone(), lifetime).await.expect("it is kept");
                until("the value is there", async || {
                    let got = fleet.nodes[to].values().get(&key).await.expect("the node runs");
                    got.is_some_and(|got| got == value)
                })
                .await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_know_different_usual_versions_of_the_api_give_nobody_another_than_it_names() {
    let fleet = Fleet::start(Over::Quic, 2).await;
    let path = Fleet::repository(1);
    let named = async |node: &Node, version: &str| {
        let request = Request::get(&path).header("x-github-api-version", version);
        let request = request.body(Empty::<Bytes>::new()).expect("the request is well-formed");
        node.request(request).await.expect("there is an answer").bytes().await.expect("the body is whole")
    };
    let first = body(&fleet.nodes[1], &path).await;
    fleet.origin.set_usual_version(Some("2026-03-10"));
    // The first node learns of the move by a repository that the second does not know.
    body(&fleet.nodes[0], &Fleet::repository(2)).await;
    for node in &fleet.nodes {
        node.invalidate(&path).await.expect("the node runs");
    }
    let later = body(&fleet.nodes[0], &path).await;
    assert_ne!(later, first);
    for node in &fleet.nodes {
        assert_eq!(named(node, "2022-11-28").await, first);
        assert_eq!(named(node, "2026-03-10").await, later);
        assert_eq!(body(node, &path).await, later);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_invalidated_at_one_node_is_forgotten_by_all() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        let path = Fleet::repository(1);
        for node in &fleet.nodes {
            body(node, &path).await;
        }
        fleet.origin.mutate("acme/widget-1");
        fleet.nodes[2].invalidate(&path).await.expect("the node runs");
        let new = body(&fleet.nodes[2], &path).await;
        for node in &fleet.nodes {
            until("the new state is seen", async || body(node, &path).await == new).await;
        }
        assert_eq!(fleet.origin.calls_total(), 2, "{over:?}");
    }
}

/// Two values under one key, one after the other: a long one, which the short one overtakes on the way.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_values_that_one_node_puts_the_others_have_the_later() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let hour = Duration::from_secs(3600);
        for number in 0..40 {
            let key = format!("long, then short {number}");
            let values = fleet.nodes[0].values();
            values.put(&key, vec![b'1'; 6 * 1024 * 1024], hour).await.expect("it is kept");
            values.put(&key, "short", hour).await.expect("it is kept");
            has(&fleet.nodes[1], &key, 5).await;
            // Said behind the long one on its lane.
            let key = format!("short, then long {number}");
            values.put(&key, "short", hour).await.expect("it is kept");
            values.put(&key, vec![b'1'; 128 * 1024], hour).await.expect("it is kept");
            has(&fleet.nodes[1], &key, 128 * 1024).await;
        }
        for number in 0..40 {
            has(&fleet.nodes[1], &format!("long, then short {number}"), 5).await;
            has(&fleet.nodes[1], &format!("short, then long {number}"), 128 * 1024).await;
        }
    }
}

async fn has(node: &Node, key: &str, length: usize) {
    until(&format!("{key}: {length} bytes"), async || {
        let value = node.values().get(key).await.expect("the node runs");
        value.is_some_and(|value| value.len() == length)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_as_soon_as_a_node_has_started_is_had_from_its_first_peer() {
    for over in EITHER {
        let fleet = Fleet::start(over, 2).await;
        let path = Fleet::repository(1);
        let first = body(&fleet.nodes[0], &path).await;
        for _ in 0..5 {
            let newcomer = fleet.start_one(fleet.nodes[0].addresses()).await;
            assert_eq!(body(&newcomer, &path).await, first);
            newcomer.shutdown().await;
        }
        assert_eq!(fleet.origin.calls_total(), 1, "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_credential_fetched_costs_nineteen_others_nothing_at_any_node() {
    for over in EITHER {
        let fleet = Fleet::start(over, 5).await;
        for number in 1..=10 {
            read_by(&fleet.nodes[0], 0, number).await;
        }
        for node in &fleet.nodes {
            until("it has what was fetched", async || node.stats().await.unwrap().cache_size == 10).await;
        }
        for number in 1..=10 {
            for reader in 1..20 {
                read_by(&fleet.nodes[reader % 5], reader, number).await;
            }
        }
        let counts = fleet.origin.counts();
        assert_eq!((counts.paid, counts.not_modified), (10, 190), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_credentials_to_which_a_resource_is_new_at_once_at_five_nodes_one_pays() {
    for over in EITHER {
        let fleet = Fleet::start(over, 5).await;
        fleet.origin.set_answer_delay(Duration::from_millis(100));
        // Nobody waits for longer than a second, which a machine under load may take for less.
        let mut paid = 0;
        for number in 1..=5 {
            fleet.origin.reset_calls();
            futures::future::join_all(
                (0..20).map(|reader| read_by(&fleet.nodes[reader % 5], reader, number)),
            )
            .await;
            let counts = fleet.origin.counts();
            assert_eq!(counts.paid + counts.not_modified, 20, "{over:?}");
            paid = counts.paid;
            if paid == 1 {
                break;
            }
        }
        assert_eq!(paid, 1, "{over:?}: in five rounds more than one paid each time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_that_one_credential_fetched_is_lent_by_its_coordinator() {
    for over in EITHER {
        let fleet = Fleet::start(over, 3).await;
        for reader in 0..12 {
            let path = format!("{}/contents/big-65000.bin", Fleet::repository(1));
            read_path_by(&fleet.nodes[reader % 3], reader, &path).await;
        }
        let counts = fleet.origin.counts();
        assert_eq!((counts.paid, counts.not_modified), (1, 11), "{over:?}");
    }
}

/// Reads a file of repository `number` with a credential of `reader`'s own.
async fn read_by(node: &Node, reader: usize, number: usize) {
    read_path_by(node, reader, &format!("{}/readme", Fleet::repository(number))).await;
}

async fn read_path_by(node: &Node, reader: usize, path: &str) {
    let request = Request::get(path);
    let request = request.header("authorization", format!("Bearer ghp_user{reader}"));
    let reply = node.request(request.body(Empty::<Bytes>::new()).expect("it is well-formed")).await;
    let reply = reply.expect("there is an answer");
    assert_eq!(reply.status(), 200);
}
