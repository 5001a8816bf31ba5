//! The answer to a GraphQL query is renewed, for no points, as long as the REST resources that cover it are unchanged.

use crate::support::{ALICE, Answer, origin_and_node, send};
use bytes::Bytes;
use cache_tests::{
    http::Client,
    origin::{Change, Fault, FaultKind, ModelOrigin, ReviewState, Ruling},
};
use fleet_cache::Node;
use http::Request;
use http_body_util::Full;
use serde_json::json;

const TITLE: &str = "query T($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { \
    id number title isDraft labels(first: 10) { nodes { name } } } } }";
const REVIEWS: &str = "query R($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { \
    reviews(first: 10) { nodes { state } } comments(first: 10) { totalCount nodes { body } } } } }";
const CHECKS: &str = "query C($id: ID!) { node(id: $id) { ... on PullRequest { statusCheckRollup: commits(last: 1) { nodes { \
    commit { statusCheckRollup { contexts(first: 100) { nodes { __typename ... on StatusContext { context state } \
    ... on CheckRun { name status conclusion } } } } } } } } } }";
const LIST: &str = "query L { repository(owner: \"acme\", name: \"widget-1\") { pullRequests(first: 30, states: [OPEN]) { \
    totalCount nodes { number title isDraft } } } }";
const DECIDED: &str = "query D($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { \
    title reviewDecision } } }";
/// An open pull request of the model.
const NUMBER: u64 = 1;

/// The answer of now, however fresh the one is that is kept.
async fn asked(node: &Node, query: &str, variables: serde_json::Value) -> Answer {
    let body = json!({"query": query, "variables": variables}).to_string();
    let request = Request::post("/graphql")
        .header("authorization", format!("token {ALICE}"))
        .header("cache-control", "no-cache")
        .body(Full::new(Bytes::from(body)))
        .expect("the tests write well-formed requests");
    send(node, request).await.expect("the node has an answer")
}

/// How many points `query` costs if it is asked once more, and whether its answer is what the origin says now.
async fn cost(origin: &ModelOrigin, node: &Node, query: &str, variables: &serde_json::Value) -> (u64, bool) {
    let before = origin.counts();
    let through = asked(node, query, variables.clone()).await;
    let cost = origin.counts().points - before.points;
    (cost, through.body == direct(origin, query, variables).await)
}

/// What the origin itself says.
async fn direct(origin: &ModelOrigin, query: &str, variables: &serde_json::Value) -> Bytes {
    let body = json!({"query": query, "variables": variables}).to_string();
    let asked = Client::tcp(origin.address()).post("/graphql", body).token(ALICE).send();
    asked.await.expect("the origin answers").body
}

#[tokio::test]
async fn an_answer_costs_no_points_while_what_covers_it_is_unchanged() {
    let (origin, node) = origin_and_node().await;
    let one = json!({"n": NUMBER});
    for (query, variables) in [(TITLE, &one), (REVIEWS, &one), (LIST, &json!({}))] {
        let mut costs = Vec::new();
        for _ in 0..8 {
            let (cost, is_right) = cost(&origin, &node, query, variables).await;
            assert!(is_right, "{query}");
            costs.push(cost);
        }
        assert_eq!(costs, [1, 1, 1, 1, 0, 0, 0, 0], "{query}");
    }
    let stats = node.stats().await.expect("the node runs");
    assert_eq!((stats.origin.held, stats.origin.dropped_shapes), (12, 0));
}

#[tokio::test]
async fn every_change_is_seen_by_the_next_query_that_it_shows_in() {
    let (origin, node) = origin_and_node().await;
    let told: serde_json::Value =
        serde_json::from_slice(&asked(&node, TITLE, json!({"n": NUMBER})).await.body).expect("it is JSON");
    let id = told["data"]["repository"]["pullRequest"]["id"].clone();
    let (one, by_id) = (json!({"n": NUMBER}), json!({"id": id}));
    let queries = [(TITLE, &one), (REVIEWS, &one), (CHECKS, &by_id), (LIST, &one)];
    for _ in 0..5 {
        for (query, variables) in queries {
            assert!(cost(&origin, &node, query, variables).await.1, "{query}");
        }
    }
    let changes = [
        Change::Title("another".into()),
        Change::Draft(true),
        Change::Label("new".into()),
        Change::Comment("hello".into()),
        Change::CommentEdit("hello again".into()),
        Change::Review(ReviewState::Approved),
        Change::Check("build".into(), "in_progress".into(), None),
        Change::Check("build".into(), "completed".into(), Some("failure".into())),
        Change::Status("deploy".into(), "pending".into()),
        Change::Push,
        Change::Unlabel("new".into()),
        Change::Close,
        Change::Reopen,
    ];
    for change in changes {
        let shown = format!("{change:?}");
        origin.change("acme/widget-1", NUMBER, change);
        for (query, variables) in queries {
            assert!(cost(&origin, &node, query, variables).await.1, "{shown}: {query}");
        }
    }
    assert_eq!(node.stats().await.expect("the node runs").origin.dropped_shapes, 0);
}

#[tokio::test]
async fn what_no_resource_shows_is_asked_for_each_time() {
    let (origin, node) = origin_and_node().await;
    let one = json!({"n": NUMBER});
    for _ in 0..8 {
        assert_eq!(cost(&origin, &node, DECIDED, &one).await, (1, true));
    }
    origin.change("acme/widget-1", NUMBER, Change::Rule(Ruling::ChangesRequested));
    assert_eq!(cost(&origin, &node, DECIDED, &one).await, (1, true));
    assert_eq!(node.stats().await.expect("the node runs").origin.held, 0);
}

#[tokio::test]
async fn without_an_answer_to_what_covers_it_the_query_is_put() {
    let (origin, node) = origin_and_node().await;
    let one = json!({"n": NUMBER});
    for _ in 0..5 {
        cost(&origin, &node, TITLE, &one).await;
    }
    origin.fault(Fault::always(FaultKind::Status(502)).on("/pulls/1"));
    assert_eq!(cost(&origin, &node, TITLE, &one).await, (1, true));
}
