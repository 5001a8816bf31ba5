//! Credentials that have nothing in common share what the origin would give to each: by proof, and without a setting.

use crate::support::{
    ALICE, BOB, PRIVATE, PUBLIC, answer, ask, builder, get, get_by, github, node, origin_and_node,
};
use cache_tests::origin::{EtagMode, Fault, FaultKind, ModelOrigin, Visibility};
use cache_tests::until;
use std::time::Duration;

/// A user's token that no other is like.
fn token(number: usize) -> String {
    format!("ghp_user{number}")
}

/// Asks a node by each of `tokens` for `path` while `origin` withholds its answers, which it gives when all wait.
/// Returns the status of each answer. They are patient, so that a slow machine changes nothing.
async fn at_once(origin: &ModelOrigin, tokens: impl IntoIterator<Item = String>, path: &str) -> Vec<u16> {
    let node = node(github(origin).kin_wait(Duration::from_secs(10))).await;
    origin.hold("");
    let mut readers = Vec::new();
    for token in tokens {
        let (own, path) = (node.clone(), path.to_owned());
        readers.push(tokio::spawn(async move { answer(&own, get_by(&token, &path)).await.status.as_u16() }));
        let count = readers.len();
        until("it is looked up", async || node.stats().await.expect("the node runs").flights == count).await;
    }
    origin.release();
    let mut statuses = Vec::new();
    for reader in readers {
        statuses.push(reader.await.expect("nothing panics"));
    }
    statuses
}

#[tokio::test]
async fn twenty_credentials_pay_ten_calls_for_ten_public_resources() {
    let (origin, node) = origin_and_node().await;
    for number in 0..20 {
        for resource in 1..=10 {
            let answer =
                answer(&node, get_by(&token(number), &format!("/repos/acme/widget-{resource}/readme"))).await;
            assert_eq!(answer.status, 200);
        }
    }
    let counts = origin.counts();
    assert_eq!((counts.paid, counts.not_modified), (10, 190));
    assert_eq!(node.stats().await.unwrap().proofs, 190);
    // A credential that has shown that it may read something is served from memory.
    assert!(answer(&node, get_by(&token(7), "/repos/acme/widget-3/readme")).await.is_hit());
    assert_eq!(origin.calls_total(), 200);
}

#[tokio::test]
async fn of_twenty_credentials_to_which_a_resource_is_new_at_once_one_pays() {
    let origin = ModelOrigin::start();
    let readme = format!("{PUBLIC}/readme");
    let statuses = at_once(&origin, (0..20).map(token), &readme).await;
    assert_eq!(statuses, [200; 20]);
    let counts = origin.counts();
    assert_eq!((counts.paid, counts.not_modified), (1, 19));
}

#[tokio::test]
async fn where_the_first_of_many_is_refused_the_next_one_pays_for_the_others() {
    let origin = ModelOrigin::start();
    let readers = [BOB, ALICE, "ghp_alice2", "ghs_acme1"].map(str::to_owned);
    let statuses = at_once(&origin, readers, &format!("{PRIVATE}/readme")).await;
    assert_eq!(statuses, [404, 200, 200, 200]);
    let counts = origin.counts();
    assert_eq!((counts.paid, counts.not_modified), (2, 2), "the refusal is one of the paid calls");
}

#[tokio::test]
async fn a_call_that_never_ends_keeps_other_credentials_waiting_for_a_moment_only() {
    let (origin, node) = origin_and_node().await;
    let readme = format!("{PUBLIC}/readme");
    origin.fault(Fault::new(FaultKind::Hang, 1));
    let stuck = tokio::spawn({
        let (node, readme) = (node.clone(), readme.clone());
        async move { ask(&node, get_by(ALICE, &readme)).await.is_ok() }
    });
    origin.wait_in_flight(1).await;
    assert_eq!(answer(&node, get_by(BOB, &readme)).await.status, 200);
    assert!(!stuck.is_finished());
    stuck.abort();
}

#[tokio::test]
async fn nobody_waits_for_others_where_each_credential_is_given_a_body_of_its_own() {
    let (origin, node) = origin_and_node().await;
    // A repository says what its reader may do with it, and these differ in that.
    let readers = [ALICE, BOB, "github_pat_carol", "ghs_acme1"];
    let mut bodies = Vec::new();
    for reader in readers {
        bodies.push(answer(&node, get_by(reader, PUBLIC)).await.body);
    }
    bodies.dedup();
    assert_eq!(origin.paid_calls(), bodies.len() as u64);
}

#[tokio::test]
async fn of_ten_credentials_that_have_what_has_changed_since_one_pays() {
    let (origin, node) = origin_and_node().await;
    // Which of two entries is younger is known to the millisecond.
    origin.set_answer_delay(Duration::from_millis(2));
    let readme = "/repos/acme/widget-1/readme";
    for number in 0..10 {
        answer(&node, get_by(&token(number), readme)).await;
    }
    for change in 1..=3 {
        origin.mutate("acme/widget-1");
        let (before, proofs) = (origin.counts(), node.stats().await.unwrap().proofs);
        let mut bodies = Vec::new();
        for number in 0..10 {
            let request = get_by(&token(number), readme).header("cache-control", "no-cache");
            bodies.push(answer(&node, request).await.body);
        }
        bodies.dedup();
        let after = origin.counts();
        assert_eq!((after.paid - before.paid, after.total - before.total), (1, 10), "change {change}");
        assert_eq!((node.stats().await.unwrap().proofs - proofs, bodies.len()), (9, 1), "change {change}");
    }
    // What has not changed costs nothing, either.
    let before = origin.paid_calls();
    for number in 0..10 {
        let request = get_by(&token(number), readme).header("cache-control", "no-cache");
        assert!(answer(&node, request).await.is_revalidated());
    }
    assert_eq!(origin.paid_calls(), before);
}

#[tokio::test]
async fn when_the_origin_fails_what_a_reader_had_stands_in_and_not_what_another_was_given_since() {
    let (origin, node) = origin_and_node().await;
    // An age is known to the millisecond: what took none is no older than `max-age=0` allows.
    origin.set_answer_delay(Duration::from_millis(2));
    let readme = "/repos/acme/widget-1/readme";
    let old = answer(&node, get_by(ALICE, readme)).await.body;
    answer(&node, get_by(BOB, readme)).await;
    origin.mutate("acme/widget-1");
    let new = answer(&node, get_by(BOB, readme).header("cache-control", "no-cache")).await.body;
    assert_ne!(old, new);
    origin.fault(Fault::always(FaultKind::Status(502)));
    let stale = answer(&node, get_by(ALICE, readme).header("cache-control", "max-age=0")).await;
    assert!(stale.is_stale());
    assert_eq!(stale.body, old);
}

#[tokio::test]
async fn a_token_that_rotates_hourly_pays_nothing_for_what_has_not_changed() {
    let (origin, node) = origin_and_node().await;
    for hour in 0..24 {
        let answer = answer(&node, get_by(&format!("ghs_acme{hour}"), "/repos/acme/widget-1/readme")).await;
        assert_eq!((answer.status.as_u16(), answer.is_hit()), (200, false));
    }
    assert_eq!(origin.paid_calls(), 1);
}

#[tokio::test]
async fn what_one_credential_may_read_is_not_served_to_another_that_may_not() {
    let (origin, node) = origin_and_node().await;
    let readme = format!("{PRIVATE}/readme");
    assert_eq!(answer(&node, get_by(ALICE, &readme)).await.status, 200);
    let refused = answer(&node, get_by(BOB, &readme)).await;
    let plainly = origin_and_node().await;
    let alone = answer(&plainly.1, get_by(BOB, &readme)).await;
    assert_eq!((refused.status.as_u16(), &refused.body), (404, &alone.body));
    assert_eq!(refused.provenance, alone.provenance, "it shows no more than where nobody else has read it");
    assert_eq!(answer(&node, get(&readme)).await.status, 404, "without a credential");
    assert_eq!(answer(&node, get_by("ghs_made_up", &readme)).await.status.as_u16() / 100, 4);
    // Another that may read it pays nothing.
    let paid = origin.paid_calls();
    assert_eq!(answer(&node, get_by("ghs_acme1", &readme)).await.status, 200);
    assert_eq!(origin.paid_calls(), paid);
}

#[tokio::test]
async fn what_another_reader_was_given_never_stands_in_when_the_origin_fails() {
    let (origin, node) = origin_and_node().await;
    let readme = format!("{PUBLIC}/readme");
    assert_eq!(answer(&node, get_by(ALICE, &readme)).await.status, 200);
    origin.fault(Fault::always(FaultKind::Status(502)));
    let failed = ask(&node, get_by(BOB, &readme).header("cache-control", "max-stale")).await;
    assert!(failed.is_err() || failed.is_ok_and(|failed| failed.status == 502));
    let only_cached = ask(&node, get_by(BOB, &readme).header("cache-control", "only-if-cached")).await;
    assert!(only_cached.is_err(), "{only_cached:?}");
}

#[tokio::test]
async fn nothing_that_concerns_the_first_reader_goes_on_with_what_is_lent() {
    let (_origin, node) = origin_and_node().await;
    let readme = format!("{PUBLIC}/readme");
    let first = answer(&node, get_by(ALICE, &readme)).await;
    let second = answer(&node, get_by(BOB, &readme)).await;
    assert_eq!(first.body, second.body);
    assert_ne!(first.header("etag"), second.header("etag"), "each has the tag that the origin would give it");
    let scopes = |name: &str| (first.header(name).to_owned(), second.header(name).to_owned());
    let (alice, bob) = scopes("x-ratelimit-remaining");
    assert_ne!(alice, bob);
    // The tag is good for the client's own conditional requests.
    let tag = second.header("etag").to_owned();
    let again = answer(&node, get_by(BOB, &readme).header("if-none-match", tag)).await;
    assert_eq!((again.status.as_u16(), again.is_hit()), (304, true));
}

#[tokio::test]
async fn where_tags_are_not_made_by_the_recipe_each_reader_asks_for_itself() {
    let (origin, node) = origin_and_node().await;
    origin.set_etag_mode(EtagMode::Body);
    for number in 0..5 {
        let answer = answer(&node, get_by(&token(number), "/repos/acme/widget-1/readme")).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!((origin.paid_calls(), origin.counts().not_modified), (5, 0));
}

#[tokio::test]
async fn a_reader_that_loses_its_right_loses_what_it_had_borrowed() {
    let (origin, _) = origin_and_node().await;
    let node = builder(github(&origin).default_lifetime(Duration::from_millis(50))).start().await.unwrap();
    let readme = format!("{PUBLIC}/readme");
    for reader in [ALICE, BOB] {
        assert_eq!(answer(&node, get_by(reader, &readme)).await.status, 200);
    }
    origin.set_visibility("acme/widget-1", Visibility::Private);
    let refused = answer(&node, get_by(BOB, &readme).header("cache-control", "no-cache")).await;
    assert_eq!(refused.status, 404);
    let again =
        answer(&node, get_by(BOB, &readme).header("cache-control", "only-if-cached, max-stale")).await;
    assert_eq!(again.status, 404, "that it is not there is kept for a moment");
    assert_eq!(answer(&node, get_by(ALICE, &readme)).await.status, 200);
}

#[tokio::test]
async fn what_concerns_the_credential_is_never_lent() {
    let (origin, node) = origin_and_node().await;
    for (number, path) in [(1, "/user"), (2, "/user"), (1, "/notifications"), (2, "/notifications")] {
        let _answer = answer(&node, get_by(&token(number), path)).await;
    }
    assert_eq!(node.stats().await.unwrap().proofs, 0);
    assert_eq!(origin.counts().not_modified, 0);
}

#[tokio::test]
async fn refusals_teach_nothing_that_shows_what_others_have_read() {
    for is_read in [false, true] {
        let (_origin, node) = origin_and_node().await;
        let secret = format!("{PRIVATE}/readme");
        if is_read {
            assert_eq!(answer(&node, get_by(ALICE, &secret)).await.status, 200);
        }
        for number in 0..3 {
            assert_eq!(answer(&node, get_by(&token(number), &secret)).await.status, 404);
        }
        let readme = format!("{PUBLIC}/readme");
        assert_eq!(answer(&node, get_by(&token(0), &readme)).await.status, 200);
        let proven = answer(&node, get_by(&token(1), &readme)).await;
        assert_eq!(proven.forward().map(|forward| forward.status), Some(304), "read: {is_read}");
    }
}

#[tokio::test]
async fn routes_with_a_body_for_each_reader_leave_other_routes_lent() {
    let (origin, node) = origin_and_node().await;
    for reader in [ALICE, BOB, "github_pat_carol", "ghs_acme1", "ghp_alice2"] {
        assert_eq!(answer(&node, get_by(reader, PUBLIC)).await.status, 200);
    }
    origin.reset_calls();
    for number in 0..5 {
        let readme = get_by(&token(number), "/repos/acme/widget-2/readme");
        assert_eq!(answer(&node, readme).await.status, 200);
    }
    assert_eq!(origin.paid_calls(), 1);
}

#[tokio::test]
async fn a_full_page_without_links_is_asked_for_once_by_each_reader() {
    let (origin, node) = origin_and_node().await;
    for number in 0..4 {
        let page = get_by(&token(number), "/repos/acme/widget-1/issues?per_page=2&page=1");
        assert_eq!(answer(&node, page).await.status, 200);
    }
    assert_eq!((origin.calls_total(), node.stats().await.unwrap().origin.doubted), (4, 0));
}
