//! Random GraphQL queries by several credentials, through several nodes, between writes: every answer is the one that the
//! origin gives that credential at that moment.

use crate::support::{EITHER, Fleet};
use bytes::Bytes;
use cache_tests::{http::Client, origin::Quota, origin::Resource};
use fleet_cache::{GitHub, Node, Provenance, Served};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Value, json};
use std::{fmt::Write as _, time::Duration};

/// Alice sees the private repository, and the others do not.
const READERS: [&str; 3] = ["ghp_alice", "ghp_bob", "github_pat_carol"];
const REPOSITORIES: [&str; 8] =
    ["widget-1", "widget-1", "widget-1", "widget-1", "widget-2", "secret-1", "secret-1", "nothing-1"];
const ROUNDS: usize = 120;

/// A document in the making.
#[derive(Default)]
struct Draft {
    text: String,
    fragments: String,
    variables: serde_json::Map<String, Value>,
}

impl Draft {
    fn random(random: &mut StdRng) -> Value {
        let mut draft = Self::default();
        for place in 0..random.random_range(1..=2) {
            match random.random_range(0..30) {
                0 | 1 => draft.text.push_str(" viewer { login }"),
                2 => draft.text.push_str(" rateLimit { remaining }"),
                3 => draft.text.push_str(" ponies"),
                4 => draft.text.push_str(" __typename"),
                _repository => draft.repository(random, place),
            }
        }
        let given: Vec<_> = draft.variables.keys().map(|name| format!("${name}: Int!")).collect();
        let given = if given.is_empty() { String::new() } else { format!("({})", given.join(", ")) };
        let name = *["", "Q", "R"].choose(random).expect("there are some");
        let document = format!("query {name}{given} {{{}\n}}{}", draft.text, draft.fragments);
        let mut body = json!({ "query": spelled(&document, random) });
        if !draft.variables.is_empty() {
            body["variables"] = draft.variables.into();
        }
        if !name.is_empty() && random.random_bool(0.5) {
            body["operationName"] = name.into();
        }
        body
    }

    fn repository(&mut self, random: &mut StdRng, place: usize) {
        let name = REPOSITORIES.choose(random).expect("there are some");
        write!(self.text, " r{place}: repository(owner: \"acme\", name: \"{name}\") {{ ")
            .expect("it is a string");
        for _ in 0..random.random_range(1..=4) {
            match random.random_range(0..10) {
                0 => self.text.push_str("...F "),
                1 => self.text.push_str("issues(first: 3) { totalCount nodes { number title } } "),
                2 => self
                    .text
                    .push_str("pullRequests(first: 2, states: [OPEN]) { nodes { title mergeable } } "),
                3 | 4 => self.subject(random, "issue"),
                5 | 6 => self.subject(random, "pullRequest"),
                _scalar => {
                    let fields =
                        ["id", "name", "isPrivate", "description", "viewerPermission", "x: nameWithOwner"];
                    write!(self.text, "{} ", fields.choose(random).expect("there are some"))
                        .expect("it is a string");
                }
            }
        }
        self.text.push('}');
        if self.text.contains("...F") && self.fragments.is_empty() {
            self.fragments
                .push_str(" fragment F on Repository { stargazerCount issue(number: 60) { id state } }");
        }
    }

    fn subject(&mut self, random: &mut StdRng, kind: &str) {
        // Now and then one of the other kind.
        let is_issue = (kind == "issue") != random.random_bool(0.05);
        let number = if is_issue { 60 } else { 3 };
        let alias = format!("s{}", random.random_range(0..1000));
        if random.random_bool(0.5) {
            let name = format!("n{}", self.variables.len());
            write!(self.text, "{alias}: {kind}(number: ${name})").expect("it is a string");
            self.variables.insert(name, number.into());
        } else {
            write!(self.text, "{alias}: {kind}(number: {number})").expect("it is a string");
        }
        let condition =
            ["", " @include(if: true)", " @skip(if: true)"].choose(random).expect("there are some");
        write!(self.text, "{condition} {{ title state updatedAt }} ").expect("it is a string");
    }
}

/// The same document, now and then about the next issue or pull request.
fn with_other_variables(mut query: Value, random: &mut StdRng) -> Value {
    if let Some(variables) = query["variables"].as_object_mut() {
        for (_name, number) in variables {
            *number = (number.as_u64().expect("it is a number") ^ u64::from(random.random_bool(0.3))).into();
        }
    }
    query
}

/// `document` with what means nothing.
fn spelled(document: &str, random: &mut StdRng) -> String {
    if random.random_bool(0.5) { document.to_owned() } else { document.replace(" { ", ",{ # {\n\t") }
}

/// What a node answers, and whether it had the answer.
async fn through(node: &Node, method: Method, path: &str, token: &str, body: String) -> (u16, Bytes, bool) {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("token {token}"));
    let request = request.body(Full::<Bytes>::from(body)).expect("it is well-formed");
    let reply = node.request(request).await.expect("there is an answer");
    let was_there = matches!(reply.provenance(), Provenance::Entry(Served::Hit | Served::Peer));
    let (head, body) = reply.into_response().into_parts();
    let body = body.collect().await.expect("the body is whole").to_bytes();
    (head.status.as_u16(), body, was_there)
}

/// Alice changes something, through `node`.
async fn write_something(node: &Node, ids: &[(String, String)], round: usize, random: &mut StdRng) {
    let (path, id) = ids.choose(random).expect("there are some");
    let title = format!("round {round}");
    let (method, path, body) = match random.random_range(0..3) {
        0 => (Method::PATCH, path.as_str(), json!({ "title": title })),
        1 => (Method::POST, "/repos/acme/widget-1/issues", json!({ "title": title })),
        _mutation => {
            let kind = if id.starts_with("PR") { "PullRequest" } else { "Issue" };
            let own = if kind == "Issue" { "id" } else { "pullRequestId" };
            let document = format!(
                "mutation($id: ID!, $title: String!) {{ update{kind}(input: {{{own}: $id, title: $title}}) \
                 {{ clientMutationId }} }}"
            );
            (
                Method::POST,
                "/graphql",
                json!({ "query": document, "variables": { "id": id, "title": title } }),
            )
        }
    };
    let (status, answer, _) = through(node, method.clone(), path, READERS[0], body.to_string()).await;
    let text = String::from_utf8_lossy(&answer);
    assert!((200..300).contains(&status) && !text.contains("\"errors\""), "{method} {path} {body}: {text}");
}

#[tokio::test]
async fn random_queries_between_writes_are_answered_as_the_origin_answers_that_credential_at_that_moment() {
    for (seed, over) in EITHER.into_iter().enumerate() {
        let fleet = Fleet::start(over, 2).await;
        for node in &fleet.nodes {
            // This origin shows a write at once, and with something to settle at all times nothing would be kept.
            let github = GitHub::builder().origin(&fleet.origin.url()).settle(Duration::ZERO);
            node.adopt(github.rules().expect("the settings are in range"));
        }
        let direct = Client::tcp(fleet.origin.address());
        for login in ["alice", "bob", "carol"] {
            let plenty = fleet.origin.quota(login, Resource::Graphql);
            let plenty = Quota { limit: 1_000_000, ..plenty };
            fleet.origin.set_quota(login, Resource::Graphql, plenty);
        }
        let mut ids = Vec::new();
        for path in ["widget-1/issues/60", "widget-1/pulls/3", "secret-1/issues/60"] {
            let path = format!("/repos/acme/{path}");
            let shown: Value = direct.get(&path).token(READERS[0]).send().await.expect("it answers").json();
            ids.push((path, shown["node_id"].as_str().expect("it has an id").to_owned()));
        }
        let mut random = StdRng::seed_from_u64(seed as u64);
        let (mut hits, mut partial) = (0, 0);
        let mut asked: Vec<Value> = Vec::new();
        for round in 0..ROUNDS {
            if round % 8 == 7 {
                let writer = fleet.nodes.choose(&mut random).expect("there are some");
                write_something(writer, &ids, round, &mut random).await;
            }
            // What was asked before is asked again half of the time, so that there is something to answer it with.
            let again = asked.choose(&mut random).filter(|_| random.clone().random_bool(0.5)).cloned();
            let again = again.map(|query| with_other_variables(query, &mut random));
            let query = again.unwrap_or_else(|| Draft::random(&mut random));
            let body = query.to_string();
            asked.push(query);
            for _ in 0..3 {
                let token = *READERS.choose(&mut random).expect("there are some");
                let node = fleet.nodes.choose(&mut random).expect("there are some");
                let (status, answer, was_there) =
                    through(node, Method::POST, "/graphql", token, body.clone()).await;
                let expected =
                    direct.post("/graphql", body.clone()).token(token).send().await.expect("it answers");
                let text = String::from_utf8_lossy(&answer);
                let what = format!("seed {seed}, round {round}, {token}: {body}\n{text}");
                assert_eq!(status, expected.status.as_u16(), "{what}");
                if body.contains("rateLimit") {
                    assert!(!was_there, "what changes by itself was kept: {what}");
                } else {
                    assert_eq!(answer, expected.body, "{what}");
                }
                let has_errors = text.contains("\"errors\"");
                assert!(!(was_there && has_errors), "a partial answer was kept: {what}");
                hits += usize::from(was_there);
                partial += usize::from(has_errors);
            }
        }
        assert!(
            hits > ROUNDS / 2 && partial > ROUNDS / 4,
            "{over:?}: {hits} were there, {partial} had errors"
        );
    }
}
