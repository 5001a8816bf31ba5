//! The answer to a GraphQL query is renewed, for no points, as long as the REST resources that cover it are unchanged.

use crate::support::{ALICE, Answer, SOON, builder, github, send};
use bytes::Bytes;
use cache_tests::{
    http::Client,
    origin::{Change, Fault, FaultKind, ModelOrigin, ReviewState, Ruling},
};
use fleet_cache::{GitHubBuilder, Node, github::GraphqlRule};
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tokio::time::timeout;

const TITLE: &str = "query T($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { \
    id number title isDraft labels(first: 10) { nodes { name } } } } }";
const REVIEWS: &str = "query R($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { \
    reviews(first: 10) { nodes { state } } } } }";
const COMMENTS: &str = "query M($n: Int!) { repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: $n) { \
    comments(first: 10) { totalCount nodes { body } } } } }";
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

/// Asks `query` again and again until it costs no points. Each answer is right.
async fn until_held(origin: &ModelOrigin, node: &Node, query: &str, variables: &serde_json::Value) -> u64 {
    let mut points = 0;
    let held = async {
        loop {
            let (cost, is_right) = cost(origin, node, query, variables).await;
            assert!(is_right, "{query}");
            points += cost;
            if cost == 0 {
                return points;
            }
        }
    };
    timeout(SOON, held).await.unwrap_or_else(|_late| panic!("{query} is put again and again"))
}

/// Where answers live for a moment: two that are so far apart may agree.
async fn origin_and_node() -> (ModelOrigin, Node) {
    let origin = ModelOrigin::start();
    let rules = ["checks", "decisions", "issues", "lists", "others", "repositories"]
        .map(|rule| format!("{rule}=20ms").parse::<GraphqlRule>().expect("the rule is well-formed"));
    let github = rules.into_iter().fold(github(&origin), GitHubBuilder::graphql_rule);
    let node = builder(github).start().await.expect("the node starts");
    (origin, node)
}

#[tokio::test]
async fn an_answer_costs_no_points_while_what_covers_it_is_unchanged() {
    let (origin, node) = origin_and_node().await;
    let one = json!({"n": NUMBER});
    for (query, variables) in [(TITLE, &one), (REVIEWS, &one), (LIST, &json!({}))] {
        until_held(&origin, &node, query, variables).await;
        for _ in 0..10 {
            assert_eq!(cost(&origin, &node, query, variables).await, (0, true), "{query}");
        }
    }
    let stats = node.stats().await.expect("the node runs");
    assert_eq!((stats.origin.held, stats.origin.dropped_shapes), (33, 0));
}

#[tokio::test]
async fn every_change_is_seen_by_the_next_query_that_it_shows_in() {
    let (origin, node) = origin_and_node().await;
    let told: serde_json::Value =
        serde_json::from_slice(&asked(&node, TITLE, json!({"n": NUMBER})).await.body).expect("it is JSON");
    let id = told["data"]["repository"]["pullRequest"]["id"].clone();
    let (one, by_id) = (json!({"n": NUMBER}), json!({"id": id}));
    let queries = [(TITLE, &one), (REVIEWS, &one), (COMMENTS, &one), (CHECKS, &by_id), (LIST, &by_id)];
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
        // All hold when the change comes.
        for (query, variables) in queries {
            until_held(&origin, &node, query, variables).await;
        }
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
    until_held(&origin, &node, TITLE, &one).await;
    origin.fault(Fault::always(FaultKind::Status(502)).on("/pulls/1"));
    assert_eq!(cost(&origin, &node, TITLE, &one).await, (1, true));
}
