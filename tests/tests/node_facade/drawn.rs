//! Documents drawn at random, in spellings drawn at random: each credential is given what the origin gives it, byte for byte.

use crate::support::{github, node, send};
use bytes::Bytes;
use cache_tests::{
    http::Client,
    origin::{Fault, FaultKind, ModelOrigin, Quota, Resource},
};
use http::Request;
use http_body_util::Full;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Map, Value, json};

/// They see all, nothing private, `secret-0`, and `secret-0` to `secret-4`.
const TOKENS: [&str; 4] = ["ghp_alice", "ghp_bob", "github_pat_carol", "ghs_acme1"];
const DOCUMENTS: usize = 40;
const ROUNDS: usize = 600;

/// What parts tokens, and says nothing. The first is for the ends of selections.
const GAPS: [&str; 6] = [", ", " ", " ", "\n", " # said besides\n", "\t"];

/// A query in the making.
#[derive(Clone, Debug, Default)]
struct Draft {
    /// Its tokens behind the operation's head.
    tokens: Vec<String>,
    fragments: Vec<String>,
    /// Variables by their names, with their types.
    variables: Vec<(String, &'static str, Value)>,
    names: usize,
}

/// What can be selected of a type: fields as they are, and fields with an argument and a type of their own.
struct Shape {
    name: &'static str,
    leaves: &'static [&'static str],
    branches: &'static [Branch],
}

/// A field, the argument that it takes a number for, how high that goes, and its shape.
type Branch = (&'static str, Option<(&'static str, u32)>, &'static Shape);

const ACCOUNT: Shape = Shape { name: "Actor", leaves: &["login", "url", "__typename"], branches: &[] };
const LABEL: Shape = Shape { name: "Label", leaves: &["id", "name", "color"], branches: &[] };
const LABELS: Shape =
    Shape { name: "LabelConnection", leaves: &["totalCount"], branches: &[("nodes", None, &LABEL)] };
const ISSUE: Shape = Shape {
    name: "Issue",
    leaves: &["id", "number", "title", "state", "viewerDidAuthor", "updatedAt", "databaseId"],
    branches: &[("author", None, &ACCOUNT), ("labels", Some(("first", 4)), &LABELS)],
};
const ISSUES: Shape =
    Shape { name: "IssueConnection", leaves: &["totalCount"], branches: &[("nodes", None, &ISSUE)] };
const ROLLUP: Shape = Shape { name: "StatusCheckRollup", leaves: &["id", "state"], branches: &[] };
const PULL: Shape = Shape {
    name: "PullRequest",
    leaves: &["id", "number", "title", "headRefOid", "mergeable", "reviewDecision", "isDraft"],
    branches: &[
        ("author", None, &ACCOUNT),
        ("labels", Some(("last", 4)), &LABELS),
        ("statusCheckRollup", None, &ROLLUP),
    ],
};
const REPOSITORY: Shape = Shape {
    name: "Repository",
    leaves: &["id", "name", "isPrivate", "stargazerCount", "viewerPermission", "__typename"],
    branches: &[
        ("issue", Some(("number", 250)), &ISSUE),
        ("issues", Some(("first", 5)), &ISSUES),
        ("pullRequest", Some(("number", 45)), &PULL),
    ],
};

impl Draft {
    fn new(random: &mut StdRng) -> Self {
        let mut draft = Self::default();
        draft.put(&["{", "viewer", "{", "login", "}"]);
        for _repository in 0..random.random_range(1..3) {
            let repository = ["widget-1", "secret-0", "secret-3"].choose(random).expect("there are some");
            let (alias, name) = (draft.name("r"), format!("\"{repository}\""));
            draft.put(&[&alias, ":", "repository", "(", "owner", ":", "\"acme\"", "name", ":", &name, ")"]);
            draft.select(&REPOSITORY, 3, random);
        }
        if random.random_bool(0.3) {
            draft.put(&["node", "(", "id", ":", "\"I_200003_50\"", ")", "{", "id", "__typename", "}"]);
        }
        draft.put(&["}"]);
        draft
    }

    fn put(&mut self, tokens: &[&str]) {
        self.tokens.extend(tokens.iter().map(|token| (*token).to_owned()));
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    fn variable(&mut self, kind: &'static str, value: impl Into<Value>) -> String {
        let name = self.name("v");
        self.variables.push((name.clone(), kind, value.into()));
        format!("${name}")
    }

    /// Selects some of `shape`, down to `depth` levels.
    fn select(&mut self, shape: &Shape, depth: usize, random: &mut StdRng) {
        self.put(&["{"]);
        for _field in 0..random.random_range(1..4) {
            let leaf = shape.leaves.choose(random).expect("each has some");
            match random.random_range(0..8) {
                0 => {
                    let alias = self.name("a");
                    self.put(&[&alias, ":", leaf]);
                }
                1 => {
                    let directive = *["include", "skip"].choose(random).expect("there are two");
                    let condition = self.variable("Boolean!", random.random_bool(0.5));
                    self.put(&[leaf, "@", directive, "(", "if", ":", &condition, ")"]);
                }
                2 => self.put(&["...", "on", shape.name, "{", leaf, "}"]),
                3 => {
                    let fragment = self.name("F");
                    self.put(&["...", &fragment]);
                    self.fragments.push(format!("fragment {fragment} on {} {{ {leaf} }}", shape.name));
                }
                _plain => self.put(&[leaf]),
            }
        }
        for (field, argument, below) in shape.branches {
            if depth > 0 && random.random_bool(0.6) {
                let alias = self.name("b");
                self.put(&[&alias, ":", field]);
                if let Some((argument, most)) = argument {
                    let number = random.random_range(1..=*most);
                    let value = if random.random_bool(0.5) {
                        self.variable("Int!", number)
                    } else {
                        number.to_string()
                    };
                    self.put(&["(", argument, ":", &value, ")"]);
                }
                self.select(below, depth - 1, random);
            }
        }
        self.put(&["}"]);
    }

    /// A body that asks for it, in one of many spellings.
    fn spelled(&self, random: &mut StdRng) -> String {
        let mut text = String::from("query Drawn");
        let declared: Vec<String> =
            self.variables.iter().map(|(name, kind, _)| format!("${name}: {kind}")).collect();
        if !declared.is_empty() {
            text +=
                &format!("({})", declared.join([" ", ", ", ",\n"].choose(random).expect("there are some")));
        }
        for token in &self.tokens {
            // The parser takes a comma for nothing only between selections.
            let may_part = token == "}" || text.ends_with('}');
            let gaps = if may_part { &GAPS[..] } else { &GAPS[1..] };
            text += gaps.choose(random).expect("there are some");
            text += token;
        }
        for fragment in &self.fragments {
            text += "\n";
            text += fragment;
        }
        let mut variables: Vec<_> = self.variables.iter().collect();
        if random.random_bool(0.5) {
            variables.reverse();
        }
        let variables: Map<String, Value> =
            variables.into_iter().map(|(name, _, value)| (name.clone(), value.clone())).collect();
        let body = json!({ "query": text, "variables": variables });
        if random.random_bool(0.5) {
            body.to_string()
        } else {
            serde_json::to_string_pretty(&body).expect("it is JSON")
        }
    }
}

#[tokio::test]
async fn whatever_is_asked_for_in_whatever_spelling_each_credential_is_given_its_own_answer() {
    let origin = ModelOrigin::start();
    for login in ["alice", "bob", "carol", "acme-app"] {
        let quota = Quota { limit: u64::MAX, used: 0, reset_unix_seconds: 4_000_000_000 };
        for resource in [Resource::Core, Resource::Graphql] {
            origin.set_quota(login, resource, quota);
        }
    }
    let (node, client) = (node(github(&origin)).await, Client::tcp(origin.address()));
    let mut random = StdRng::seed_from_u64(13);
    let drafts: Vec<Draft> = (0..DOCUMENTS).map(|_| Draft::new(&mut random)).collect();
    let (mut hits, mut partial) = (0, 0);
    for round in 0..ROUNDS {
        let draft = drafts.choose(&mut random).expect("there are some");
        let (token, body) =
            (*TOKENS.choose(&mut random).expect("there are some"), draft.spelled(&mut random));
        if random.random_bool(0.1) {
            origin.fault(Fault::new(FaultKind::GraphqlPartial, 1));
        }
        let request = Request::post("/graphql").header("authorization", format!("token {token}"));
        let request = request.body(Full::new(Bytes::from(body.clone()))).expect("it is well-formed");
        let given = send(&node, request).await.expect("there is an answer");
        origin.clear_faults();
        let direct = client.post("/graphql", body.clone()).token(token).send().await.expect("it answers");
        let given_text = String::from_utf8_lossy(&given.body);
        if given_text.contains("RESOURCE_LIMITS_EXCEEDED") {
            assert!(!given.is_hit(), "{body}");
            partial += 1;
            continue;
        }
        assert_eq!(
            (given.status, &given.body),
            (direct.status, &direct.identity_body()),
            "{round} {token} {body}"
        );
        assert!(direct.json()["data"].is_object(), "{body}: {given_text}");
        hits += u32::from(given.is_hit());
    }
    assert!(hits > 50 && partial > 10, "{hits} {partial}");
}
