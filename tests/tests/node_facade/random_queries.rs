//! Queries drawn at random, by credentials of different rights, in random spellings: each is answered as the origin itself
//! answers that credential, and no answer with an error is ever kept.

use crate::support::{ALICE, BOB, origin_and_node, send};
use bytes::Bytes;
use cache_tests::{
    http::Client,
    origin::{Fault, FaultKind, ModelOrigin, Quota, Resource},
};
use fleet_cache::{Node, Provenance};
use http::Request;
use http_body_util::Full;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::{Map, Value};

const TOKENS: [&str; 5] = [ALICE, BOB, "ghs_acme1", "github_pat_carol", "ghp_stranger"];
const REPOSITORIES: [&str; 6] = ["widget-0", "widget-1", "Widget-1", "secret-0", "secret-7", "nowhere"];
const OF_REPOSITORY: [&str; 9] = [
    "id",
    "name",
    "nameWithOwner",
    "isPrivate",
    "description",
    "viewerPermission",
    "owner { login }",
    "ponies",
    "defaultBranchRef { name }",
];
const OF_PULL: [&str; 12] = [
    "id",
    "number",
    "title",
    "state",
    "isDraft",
    "headRefName",
    "author { login }",
    "labels ( first : 3 ) { nodes { name } totalCount }",
    "comments ( last : $few ) { nodes { body } }",
    "reviews ( first : 5 ) { nodes { state } }",
    "reviewDecision",
    "viewerDidAuthor",
];
const OF_ISSUE: [&str; 5] = ["id", "number", "title", "state", "labels ( first : 3 ) { nodes { name } }"];

/// What means nothing between two tokens.
const BETWEEN: [&str; 5] = [" ", "\n\t", " # a comment\n", ",", " , "];

/// One query, before it is spelled.
struct Drawn {
    tokens: Vec<String>,
    variables: Map<String, Value>,
}

fn some(random: &mut StdRng, of: &[&str], out: &mut Vec<String>) {
    for _ in 0..random.random_range(1..4) {
        if random.random_bool(0.2) {
            out.push(format!("alias{}", random.random_range(0..100)));
            out.push(":".to_owned());
        }
        let mut field = of.choose(random).expect("there are some").split(' ').map(str::to_owned);
        out.extend(field.next());
        out.extend(field.by_ref());
    }
}

impl Drawn {
    fn new(random: &mut StdRng) -> Self {
        let mut tokens: Vec<String> = Vec::new();
        let mut put = |text: &str| tokens.extend(text.split(' ').map(str::to_owned));
        let repository = REPOSITORIES.choose(random).expect("there are some");
        put(&format!("repository ( owner : \"acme\" name : \"{repository}\" ) {{"));
        some(random, &OF_REPOSITORY, &mut tokens);
        let put = |text: &str, tokens: &mut Vec<String>| tokens.extend(text.split(' ').map(str::to_owned));
        let spreads = random.random_bool(0.3);
        match random.random_range(0..4) {
            0 => put("pullRequest ( number : $number ) @include ( if : $yes ) {", &mut tokens),
            1 => put("issueOrPullRequest ( number : $number ) { ... on PullRequest {", &mut tokens),
            2 => put("pullRequests ( first : 4 states : [ OPEN ] ) { nodes {", &mut tokens),
            _ => put("issue ( number : $number ) {", &mut tokens),
        }
        let is_issue = !tokens.iter().any(|token| token.starts_with("pullRequest") || token == "PullRequest");
        if spreads && !is_issue {
            put("... part", &mut tokens);
        }
        some(random, if is_issue { &OF_ISSUE } else { &OF_PULL }, &mut tokens);
        let open = tokens.iter().filter(|token| *token == "{").count();
        let closed = tokens.iter().filter(|token| *token == "}").count();
        // One more is opened where the variables are declared.
        tokens.extend(vec!["}".to_owned(); open + 1 - closed]);
        if spreads && !is_issue {
            put("fragment part on PullRequest {", &mut tokens);
            some(random, &OF_PULL, &mut tokens);
            tokens.push("}".to_owned());
        }
        Self::declared(random, tokens)
    }

    /// The query with what it selects, which declares the variables that are used: the origin refuses others.
    fn declared(random: &mut StdRng, selected: Vec<String>) -> Self {
        let mut variables = Map::new();
        let mut tokens = vec!["query".to_owned(), "Q".to_owned()];
        let mut declared = Vec::new();
        for (name, text) in
            [("few", "$few : Int = 2"), ("number", "$number : Int !"), ("yes", "$yes : Boolean !")]
        {
            if !selected.iter().any(|token| token.strip_prefix('$') == Some(name)) {
                continue;
            }
            declared.extend(text.split(' ').map(str::to_owned));
            let value = match name {
                "few" if random.random_bool(0.5) => continue,
                "few" => Value::from(random.random_range(0..4)),
                "number" => Value::from(random.random_range(1..60)),
                _yes => Value::from(random.random_bool(0.7)),
            };
            variables.insert(name.to_owned(), value);
        }
        if !declared.is_empty() {
            tokens.push("(".to_owned());
            tokens.append(&mut declared);
            tokens.push(")".to_owned());
        }
        tokens.push("{".to_owned());
        tokens.extend(selected);
        Self { tokens, variables }
    }

    /// The body of a request for it, in one of its spellings.
    fn spelled(&self, random: &mut StdRng) -> String {
        let mut document = String::new();
        for token in &self.tokens {
            document.push_str(BETWEEN.choose(random).expect("there are some"));
            document.push_str(token);
        }
        let document = Value::from(document);
        let mut members: Vec<_> =
            self.variables.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        if random.random_bool(0.5) {
            members.reverse();
        }
        let variables = format!("{{{}}}", members.join(", "));
        match random.random_range(0..3) {
            0 => format!("{{\"query\":{document},\"variables\":{variables}}}"),
            1 => format!("{{\"variables\":{variables},\"operationName\":\"Q\",\"query\":{document}}}"),
            _ => format!("{{\"operationName\":null,\"query\":{document}, \"variables\":{variables}}}"),
        }
    }
}

/// How many answers were kept ones, of `count` that were compared.
async fn compare(origin: &ModelOrigin, node: &Node, seed: u64, count: usize) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let drawn: Vec<_> = (0..count / 25).map(|_| Drawn::new(&mut random)).collect();
    let mut hits = 0;
    for _ in 0..count {
        let query = drawn.choose(&mut random).expect("there are some");
        let token = *TOKENS.choose(&mut random).expect("there are some");
        let body = query.spelled(&mut random);
        let request = Request::post("/graphql").header("authorization", format!("token {token}"));
        let request = request.body(Full::new(Bytes::from(body.clone()))).expect("it is well-formed");
        if random.random_bool(0.1) {
            origin.fault(Fault::new(FaultKind::GraphqlPartial, 1));
        }
        let through = send(node, request).await.expect("the node has an answer");
        origin.clear_faults();
        if String::from_utf8_lossy(&through.body).contains("RESOURCE_LIMITS_EXCEEDED") {
            assert!(!through.is_hit(), "an answer that was cut short was kept: {body}");
            continue;
        }
        let direct = Client::tcp(origin.address()).post("/graphql", body.clone()).token(token).send();
        let direct = direct.await.expect("the origin answers");
        assert_eq!((through.status, &through.body), (direct.status, &direct.body), "{token}: {body}");
        if through.is_hit() {
            hits += 1;
            let answer: Value = serde_json::from_slice(&through.body).expect("it is JSON");
            assert!(answer.get("errors").is_none(), "an answer with errors was kept: {body}");
        } else {
            assert!(!matches!(through.provenance, Provenance::Passed(_)), "{body}: {:?}", through.provenance);
        }
    }
    hits
}

async fn rich_origin_and_node() -> (ModelOrigin, Node) {
    let (origin, node) = origin_and_node().await;
    let quota = Quota { limit: 10_000_000, used: 0, reset_unix_seconds: 4_000_000_000 };
    for payer in ["alice", "bob", "acme-app", "carol", "stranger"] {
        origin.set_quota(payer, Resource::Graphql, quota);
    }
    (origin, node)
}

#[tokio::test]
async fn queries_at_random_are_answered_as_the_origin_answers_their_credential() {
    let (origin, node) = rich_origin_and_node().await;
    let hits = compare(&origin, &node, 1, 800).await;
    assert!(hits > 40, "{hits}");
}

#[tokio::test]
#[ignore = "takes a minute; CONTRIBUTING.md names the command"]
async fn ten_thousand_queries_at_random_are_answered_as_the_origin_answers_their_credential() {
    let mut hits = 0;
    for seed in 2..12 {
        let (origin, node) = rich_origin_and_node().await;
        hits += compare(&origin, &node, seed, 1_000).await;
    }
    println!("10000 answers compared, {hits} of them kept ones");
    assert!(hits > 500, "{hits}");
}
