//! A version of the API is part of what is asked for, whether it is named or left to the origin, which may change its mind.

use crate::support::{ALICE, Answer, BOB, PUBLIC, answer, get, get_by, github, node, origin_and_node};
use cache_tests::origin::ModelOrigin;
use fleet_cache::Node;
use http::request;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use std::collections::{BTreeMap, BTreeSet};

const FIRST: &str = "2022-11-28";
const LATER: &str = "2026-03-10";

fn naming(version: &str, builder: request::Builder) -> request::Builder {
    builder.header("x-github-api-version", version)
}

/// The version that a body is of.
fn version_of(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("a repository is an object");
    body.get("api_version").and_then(|version| version.as_str()).unwrap_or(FIRST).to_owned()
}

/// What the last call to `origin` named.
fn named_last(origin: &ModelOrigin) -> Option<String> {
    let last = origin.latest_calls().pop().expect("there was a call");
    last.headers.get("x-github-api-version").map(|named| named.to_str().expect("it is text").to_owned())
}

#[tokio::test]
async fn requests_that_name_the_usual_version_and_those_that_name_none_share_an_entry() {
    for first_names in [false, true] {
        let (origin, node) = origin_and_node().await;
        let asks = |names: bool, builder| if names { naming(FIRST, builder) } else { builder };
        answer(&node, asks(first_names, get_by(ALICE, PUBLIC))).await;
        assert_eq!(named_last(&origin), None);
        assert!(answer(&node, asks(!first_names, get_by(ALICE, PUBLIC))).await.is_hit());
        assert!(answer(&node, asks(first_names, get_by(ALICE, PUBLIC))).await.is_hit());
        assert_eq!(origin.calls_total(), 1);
        // What is lent to others is lent to both kinds.
        let readme = format!("{PUBLIC}/readme");
        answer(&node, asks(first_names, get_by(ALICE, &readme))).await;
        let paid = origin.paid_calls();
        answer(&node, asks(!first_names, get_by(BOB, &readme))).await;
        assert_eq!(origin.paid_calls(), paid);
    }
}

#[tokio::test]
async fn after_the_usual_version_has_moved_each_is_given_the_version_that_it_asks_for() {
    let (origin, node) = origin_and_node().await;
    answer(&node, get_by(ALICE, PUBLIC)).await;
    origin.set_usual_version(Some(LATER));
    // Within its lifetime the old one holds.
    assert!(answer(&node, get_by(ALICE, PUBLIC)).await.is_hit());
    let renewed = answer(&node, get_by(ALICE, PUBLIC).header("cache-control", "no-cache")).await;
    assert_eq!(version_of(&renewed), LATER);
    // Naming the old one costs one call, and naming the new one none.
    let calls = origin.calls_total();
    assert_eq!(version_of(&answer(&node, naming(FIRST, get_by(ALICE, PUBLIC))).await), FIRST);
    assert_eq!((origin.calls_total(), named_last(&origin).as_deref()), (calls + 1, Some(FIRST)));
    assert!(answer(&node, naming(FIRST, get_by(ALICE, PUBLIC))).await.is_hit());
    assert!(answer(&node, naming(LATER, get_by(ALICE, PUBLIC))).await.is_hit());
    assert_eq!(origin.calls_total(), calls + 1);
}

#[tokio::test]
async fn the_first_request_after_a_move_is_not_given_the_new_version_if_it_names_the_old_one() {
    let (origin, node) = origin_and_node().await;
    origin.set_usual_version(Some(LATER));
    assert_eq!(version_of(&answer(&node, naming(FIRST, get_by(ALICE, PUBLIC))).await), FIRST);
    assert_eq!(origin.calls_total(), 2);
    // Nothing of the two calls is lost, and the node does not go wrong again.
    assert_eq!(version_of(&answer(&node, get_by(ALICE, PUBLIC)).await), LATER);
    let other = format!("{PUBLIC}/readme");
    answer(&node, naming(FIRST, get_by(ALICE, &other))).await;
    assert_eq!(origin.calls_total(), 3);
}

#[tokio::test]
async fn a_304_to_one_that_names_no_version_renews_nothing_for_those_that_name_the_old_one() {
    let (origin, node) = origin_and_node().await;
    // A list is the same in all versions of the model.
    let list = format!("{PUBLIC}/issues");
    answer(&node, get_by(ALICE, &list)).await;
    origin.set_usual_version(Some(LATER));
    let renewed = answer(&node, get_by(ALICE, &list).header("cache-control", "no-cache")).await;
    assert!(renewed.is_revalidated());
    assert_eq!(renewed.header("x-github-api-version-selected"), LATER);
    let old = answer(&node, naming(FIRST, get_by(ALICE, &list))).await;
    assert_eq!(old.header("x-github-api-version-selected"), FIRST);
    assert_eq!(named_last(&origin).as_deref(), Some(FIRST));
}

#[tokio::test]
async fn at_an_origin_without_versions_a_named_one_has_a_key_of_its_own_for_one_call_of_learning() {
    let (origin, node) = origin_and_node().await;
    origin.set_usual_version(None);
    for _ in 0..2 {
        answer(&node, naming(FIRST, get_by(ALICE, PUBLIC))).await;
    }
    assert_eq!(origin.calls_total(), 2);
    for path in ["readme", "issues", "languages"] {
        for _ in 0..2 {
            answer(&node, naming(FIRST, get_by(ALICE, &format!("{PUBLIC}/{path}")))).await;
        }
    }
    assert_eq!(origin.calls_total(), 5);
}

#[tokio::test]
async fn a_refusal_costs_a_request_that_names_a_version_no_second_call() {
    let (origin, node) = origin_and_node().await;
    let refused = answer(&node, naming(FIRST, get_by("ghp_revoked", PUBLIC))).await;
    assert_eq!((refused.status.as_u16(), origin.calls_total()), (401, 1));
    let absent = answer(&node, naming(FIRST, get_by(ALICE, "/repos/acme/nothing-1"))).await;
    assert_eq!((absent.status.as_u16(), origin.calls_total()), (404, 2));
}

#[tokio::test]
async fn those_that_wait_for_one_call_are_each_given_the_version_that_they_ask_for() {
    let (origin, node) = origin_and_node().await;
    origin.set_usual_version(Some(LATER));
    origin.hold(PUBLIC);
    let ask = |builder: request::Builder| {
        let node = node.clone();
        tokio::spawn(async move { version_of(&answer(&node, builder).await) })
    };
    let absent = ask(get_by(ALICE, PUBLIC));
    origin.wait_in_flight(1).await;
    let first = ask(naming(FIRST, get_by(ALICE, PUBLIC)));
    // The node does not know of the move yet, and so it takes the first version for the usual one.
    let later = ask(naming(LATER, get_by(ALICE, PUBLIC)));
    origin.wait_in_flight(2).await;
    origin.release();
    assert_eq!(absent.await.expect("it is answered"), LATER);
    assert_eq!(first.await.expect("it is answered"), FIRST);
    assert_eq!(later.await.expect("it is answered"), LATER);
    assert_eq!(origin.calls_total(), 3);
}

/// A reader's resource, and the usual versions that the origin had since the node last asked about it.
type Seen = BTreeMap<(usize, &'static str), BTreeSet<&'static str>>;

#[tokio::test]
async fn whatever_is_named_and_however_the_usual_version_moves_none_is_given_that_the_origin_would_not_select()
 {
    for seed in 0..RUNS {
        let mut random = StdRng::seed_from_u64(0x0e25_1045 + seed);
        let origin = ModelOrigin::start();
        let node = node(github(&origin)).await;
        let mut usual = FIRST;
        let mut seen = Seen::new();
        for step in 0..STEPS {
            match random.random_range(0..10) {
                0 => {
                    usual = VERSIONS.choose(&mut random).expect("there are some");
                    origin.set_usual_version(Some(usual));
                    seen.values_mut().for_each(|usuals| usuals.extend([usual]));
                }
                1 => origin.mutate("acme/widget-1"),
                _ => {
                    ask_one(&node, &mut random, usual, &mut seen, &format!("seed {seed}, step {step}")).await;
                }
            }
        }
    }
}

async fn ask_one(node: &Node, random: &mut StdRng, usual: &'static str, seen: &mut Seen, at: &str) {
    let reader = random.random_range(0..READERS.len());
    let path = *PATHS.choose(random).expect("there are some");
    let named = VERSIONS.choose(random).filter(|_| random.random_bool(0.6));
    let is_fresh_wanted = random.random_bool(0.3);
    let mut request = READERS[reader].map_or_else(|| get(path), |token| get_by(token, path));
    if let Some(named) = named {
        request = naming(named, request);
    }
    if is_fresh_wanted {
        request = request.header("cache-control", "no-cache");
    }
    let given = version_of(&answer(node, request).await);
    let usuals = seen.entry((reader, path)).or_insert_with(|| BTreeSet::from([usual]));
    if let Some(named) = named {
        assert_eq!(given, **named, "{at}");
        return;
    }
    if is_fresh_wanted {
        *usuals = BTreeSet::from([usual]);
    }
    assert!(usuals.contains(&*given), "{at}: {given} of {usuals:?}");
}

const RUNS: u64 = 40;
const STEPS: usize = 80;
const VERSIONS: [&str; 3] = [FIRST, LATER, "2027-01-01"];
const READERS: [Option<&str>; 3] = [Some(ALICE), Some(BOB), None];
const PATHS: [&str; 2] = [PUBLIC, "/repos/acme/widget-1/languages"];
