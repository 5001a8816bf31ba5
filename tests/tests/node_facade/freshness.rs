//! What happens when a lifetime ends: a free question, and the new body if there is one.

use crate::support::{ALICE, PRIVATE, PUBLIC, SOON, answer, bare, get, get_by, github, node};
use cache_tests::{
    eventually,
    origin::{EtagMode, ModelOrigin, Resource},
};
use fleet_cache::github::RecipeState;
use std::time::Duration;

#[tokio::test]
async fn an_entry_is_served_for_its_lifetime_and_then_asked_about_for_free() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).default_lifetime(Duration::from_millis(300))).await;
    let first = answer(&node, get_by(ALICE, PUBLIC)).await;
    assert!(first.forward().is_some_and(|forward| forward.stored && forward.status == 200));
    let paid = origin.quota("alice", Resource::Core).used;
    let asking = bare(get_by(ALICE, PUBLIC)).into_parts().0;
    assert!(node.try_hit(&asking).is_some());
    assert!(eventually(SOON, || node.try_hit(&asking).is_none()).await);

    let renewed = answer(&node, get_by(ALICE, PUBLIC)).await;
    assert!(renewed.is_revalidated(), "{renewed:?}");
    assert_eq!((renewed.status.as_u16(), &renewed.body), (200, &first.body));
    assert_eq!(renewed.header("etag"), first.header("etag"));
    assert_eq!(origin.quota("alice", Resource::Core).used, paid);
    assert_eq!((origin.calls_total(), origin.paid_calls()), (2, 1));
    assert!(node.try_hit(&asking).is_some());

    origin.mutate("acme/widget-1");
    assert!(eventually(SOON, || node.try_hit(&asking).is_none()).await);
    let changed = answer(&node, get_by(ALICE, PUBLIC)).await;
    assert_ne!(changed.body, first.body);
    assert_eq!(origin.paid_calls(), 2);
    let stats = node.stats().await.unwrap();
    assert_eq!((stats.revalidated, stats.expirations, stats.misses), (1, 2, 3));
}

#[tokio::test]
async fn a_rotated_token_in_a_named_domain_revalidates_what_another_token_fetched() {
    let origin = ModelOrigin::start();
    let named = github(&origin).default_lifetime(Duration::ZERO).named_domain("ci", ["ghs_*"]);
    let node = node(named).await;
    let mut first = None;
    for round in 0..10 {
        let token = if round % 2 == 0 { "ghs_acme1" } else { "ghs_acme2" };
        let answer = answer(&node, get_by(token, PRIVATE)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.is_revalidated(), round > 0, "round {round}: {answer:?}");
        assert_eq!(*first.get_or_insert(answer.body.clone()), answer.body);
    }
    assert_eq!((origin.calls_total(), origin.paid_calls()), (10, 1));
    origin.mutate("acme/secret-1");
    assert!(!answer(&node, get_by("ghs_acme1", PRIVATE)).await.is_revalidated());
    assert_eq!(origin.paid_calls(), 2);
}

#[tokio::test]
async fn without_the_recipe_validators_stay_per_credential_and_answers_correct() {
    for mode in [EtagMode::Body, EtagMode::None] {
        let origin = ModelOrigin::start();
        origin.set_etag_mode(mode);
        let named = github(&origin).default_lifetime(Duration::ZERO).named_domain("ci", ["ghs_*"]);
        let node = node(named).await;
        for round in 0..12 {
            let token = if round % 2 == 0 { "ghs_acme1" } else { "ghs_acme2" };
            if round % 4 == 3 {
                origin.mutate("acme/secret-1");
            }
            let direct = cache_tests::http::Client::tcp(origin.address()).get(PRIVATE).token(token);
            let expected = direct.send().await.unwrap().identity_body();
            assert_eq!(answer(&node, get_by(token, PRIVATE)).await.body, expected, "{mode:?} {round}");
        }
        let recipe = node.stats().await.unwrap().origin.recipe;
        let expected = if mode == EtagMode::Body { RecipeState::Distrusted } else { RecipeState::Untested };
        assert_eq!(recipe.state, expected);
    }
}

#[tokio::test]
async fn the_recipe_may_stop_and_start_to_hold_while_entries_are_kept() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin).default_lifetime(Duration::ZERO)).await;
    let modes = [EtagMode::Recipe, EtagMode::Body, EtagMode::None, EtagMode::Recipe, EtagMode::Body];
    for (round, mode) in modes.into_iter().cycle().take(25).enumerate() {
        origin.set_etag_mode(mode);
        if round % 3 == 0 {
            origin.mutate("acme/widget-1");
        }
        for token in [ALICE, "ghp_bob"] {
            let direct = cache_tests::http::Client::tcp(origin.address()).get(PUBLIC).token(token);
            let expected = direct.send().await.unwrap().identity_body();
            assert_eq!(answer(&node, get_by(token, PUBLIC)).await.body, expected, "{mode:?} {round}");
        }
    }
}

#[tokio::test]
async fn an_entry_may_be_served_stale_while_it_is_renewed_by_one_call() {
    let origin = ModelOrigin::start();
    let lenient = github(&origin).route("GET /repos/** = 0s while-revalidating=1h");
    let node = node(lenient).await;
    let first = answer(&node, get_by(ALICE, PUBLIC)).await;
    origin.mutate("acme/widget-1");
    origin.hold("");
    for _ in 0..10 {
        let stale = answer(&node, get_by(ALICE, PUBLIC)).await;
        assert!(stale.is_stale() && stale.body == first.body, "{stale:?}");
    }
    origin.wait_in_flight(1).await;
    assert_eq!(origin.calls_total(), 2);
    origin.release();
    let begun = std::time::Instant::now();
    while answer(&node, get_by(ALICE, PUBLIC)).await.body == first.body {
        assert!(begun.elapsed() < SOON);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reply_says_how_old_it_is_and_for_how_long_it_holds() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin)).await;
    let minutes = Duration::from_secs(300);
    let reply = node.request(bare(get_by(ALICE, PUBLIC))).await.unwrap();
    let (age, left) = (reply.age().unwrap(), reply.time_left().unwrap());
    assert!(age < SOON && left > minutes - SOON && left <= minutes, "{age:?} {left:?}");
    assert_eq!(reply.headers()["x-ratelimit-limit"], "5000");
    let hit = node.request(bare(get_by(ALICE, PUBLIC).header("accept-encoding", "gzip"))).await.unwrap();
    assert!(!hit.headers().contains_key("x-ratelimit-limit"));
    // Whatever coding the request accepts, a program reads the body itself.
    assert_eq!(reply.bytes().await.unwrap(), hit.bytes().await.unwrap());
    let passed = node.request(bare(get_by(ALICE, "/rate_limit"))).await.unwrap();
    assert_eq!((passed.age(), passed.time_left()), (None, None));
}

#[tokio::test]
async fn live_headers_come_with_the_call_that_was_made_and_never_from_the_cache() {
    let origin = ModelOrigin::start();
    let node = node(github(&origin)).await;
    let first = answer(&node, get_by(ALICE, PUBLIC)).await;
    assert_eq!(first.header("x-ratelimit-remaining"), "4999");
    let hit = answer(&node, get_by(ALICE, PUBLIC)).await;
    assert!(hit.is_hit());
    assert!(hit.headers.keys().all(|name| !name.as_str().starts_with("x-ratelimit")), "{:?}", hit.headers);
    assert_eq!(hit.header("x-github-request-id"), "");
    let anonymous = answer(&node, get(PUBLIC)).await;
    assert_eq!(anonymous.header("x-oauth-scopes"), "");
    assert_eq!(anonymous.header("x-ratelimit-limit"), "60");
}
