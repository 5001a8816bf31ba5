//! What GraphQL says, beside what REST says of the same.

use crate::{
    Change, Fault, FaultKind, ModelOrigin, Operation, Quota, Resource, ReviewState, Ruling,
    client::{Client, Reply},
};
use http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const REPOSITORY: &str = "/repos/acme/widget-1";

fn start() -> (ModelOrigin, Client) {
    let origin = ModelOrigin::start();
    let client = Client::tcp(origin.address());
    (origin, client)
}

async fn send(client: &Client, token: &str, body: impl ToString) -> Reply {
    client.post("/graphql", body.to_string()).token(token).send().await.unwrap()
}

/// The answer of `query` to Alice.
async fn ask(client: &Client, query: &str, variables: Value) -> Value {
    let reply = send(client, "ghp_alice", json!({ "query": query, "variables": variables })).await;
    assert_eq!(reply.status, 200);
    reply.json()
}

/// The data of an answer without errors.
async fn data(client: &Client, query: &str, variables: Value) -> Value {
    let mut answer = ask(client, query, variables).await;
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    answer["data"].take()
}

async fn rest(client: &Client, path: &str) -> Value {
    let reply = client.get(&format!("{REPOSITORY}{path}")).token("ghp_alice").send().await.unwrap();
    assert_eq!(reply.status, 200, "{path}");
    reply.json()
}

async fn tag(client: &Client, path: &str) -> String {
    let reply = client.get(&format!("{REPOSITORY}{path}")).token("ghp_alice").send().await.unwrap();
    reply.header("etag").to_owned()
}

const LIST: &str = "
    fragment pr on PullRequest { number, state, author { login, ... on User { name } }, headRepositoryOwner { login } }
    query PullRequestList($owner: String!, $repo: String!, $limit: Int!, $endCursor: String,
                          $state: [PullRequestState!] = OPEN) {
      found: repository(owner: $owner, name: $repo) {
        pullRequests(states: $state, first: $limit, after: $endCursor,
                     orderBy: { field: CREATED_AT, direction: DESC }) {
          totalCount
          nodes { ...pr }
          pageInfo { hasNextPage endCursor }
        }
      }
    }";

#[tokio::test]
async fn pages_lead_through_a_list_by_cursors_as_gh_follows_them() {
    let (_origin, client) = start();
    let (mut after, mut seen, mut total) = (Value::Null, Vec::new(), 0);
    loop {
        let variables = json!({ "owner": "acme", "repo": "widget-1", "limit": 7, "endCursor": after });
        let page = data(&client, LIST, variables).await["found"]["pullRequests"].take();
        total = page["totalCount"].as_u64().unwrap().max(total);
        seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["number"].as_u64().unwrap()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let open = rest(&client, "/pulls?per_page=100").await;
    let by_rest: Vec<u64> =
        open.as_array().unwrap().iter().map(|pull| pull["number"].as_u64().unwrap()).collect();
    assert_eq!((seen.len() as u64, seen), (total, by_rest));
}

#[tokio::test]
async fn a_page_counts_from_either_end_and_its_edges_are_its_nodes() {
    let (_origin, client) = start();
    let query = "query($first: Int, $last: Int, $after: String, $before: String) {
      repository(owner: \"acme\", name: \"widget-1\") {
        issues(first: $first, last: $last, after: $after, before: $before) {
          nodes { number } edges { cursor node { number } } pageInfo { hasNextPage hasPreviousPage startCursor }
        }
      } }";
    let page = async |variables| data(&client, query, variables).await["repository"]["issues"].take();
    let numbers = |page: &Value| {
        let nodes = page["nodes"].as_array().unwrap().iter();
        let numbers: Vec<u64> = nodes.map(|node| node["number"].as_u64().unwrap()).collect();
        let edges =
            page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["number"].as_u64().unwrap());
        assert!(edges.eq(numbers.iter().copied()));
        numbers
    };
    let first = page(json!({ "first": 3 })).await;
    assert_eq!(numbers(&first), [41, 42, 43]);
    let last = page(json!({ "last": 2 })).await;
    assert_eq!(numbers(&last), [229, 230]);
    assert_eq!(
        (&last["pageInfo"]["hasNextPage"], &last["pageInfo"]["hasPreviousPage"]),
        (&false.into(), &true.into())
    );
    let before = page(json!({ "last": 2, "before": last["pageInfo"]["startCursor"] })).await;
    assert_eq!(numbers(&before), [227, 228]);
    let after = page(json!({ "first": 1, "after": first["edges"][1]["cursor"] })).await;
    assert_eq!(numbers(&after), [43]);
    for (variables, kind) in [
        (json!({}), "MISSING_PAGINATION_BOUNDARIES"),
        (json!({ "first": 101 }), "EXCESSIVE_PAGINATION"),
        (json!({ "first": 1, "after": "?" }), "INVALID_CURSOR_ARGUMENTS"),
    ] {
        let answer = ask(&client, query, variables).await;
        assert_eq!(
            (&answer["errors"][0]["type"], &answer["data"]["repository"]),
            (&kind.into(), &Value::Null)
        );
    }
}

#[tokio::test]
async fn fields_are_left_out_by_their_directives_and_two_states_may_share_a_name() {
    let (_origin, client) = start();
    let query = "query($yes: Boolean!) { repository(owner: \"acme\", name: \"widget-1\") {
      name @skip(if: $yes) id @include(if: $yes) ... @include(if: false) { url }
      issue: issueOrPullRequest(number: 41) { __typename ... on Issue { state } ... on PullRequest { state } }
    } }";
    let repository = data(&client, query, json!({ "yes": true })).await["repository"].take();
    let issue = json!({ "__typename": "Issue", "state": "OPEN" });
    assert_eq!(repository, json!({ "id": "R_100001", "issue": issue }));
}

#[tokio::test]
async fn ids_and_numbers_are_those_of_rest() {
    let (origin, client) = start();
    origin.change("acme/widget-1", 2, Change::Comment("hello".to_owned()));
    let query = "{ repository(owner: \"acme\", name: \"widget-1\") {
      id databaseId latestRelease { id databaseId } label(name: \"bug\") { id }
      issue(number: 50) { id databaseId author { ... on Node { id } ... on User { databaseId } } }
      pullRequest(number: 2) {
        id databaseId headRefOid comments(last: 1) { nodes { id databaseId body } }
        reviews(last: 1) { nodes { id databaseId state } }
        commits(last: 1) { nodes { commit { oid status { contexts { id } } statusCheckRollup { state contexts(first: 1) {
          nodes { ... on CheckRun { id databaseId name } } } } } } }
      } } }";
    let shown = data(&client, query, Value::Null).await["repository"].take();
    let pull = &shown["pullRequest"];
    let sha = pull["headRefOid"].as_str().unwrap().to_owned();
    let commit = &pull["commits"]["nodes"][0]["commit"];
    assert_eq!((&commit["oid"], &commit["statusCheckRollup"]["state"]), (&json!(sha), &json!("SUCCESS")));
    let pairs = [
        (&shown["id"], &shown["databaseId"], rest(&client, "").await),
        (
            &shown["latestRelease"]["id"],
            &shown["latestRelease"]["databaseId"],
            rest(&client, "/releases/latest").await,
        ),
        (&shown["issue"]["id"], &shown["issue"]["databaseId"], rest(&client, "/issues/50").await),
        (
            &shown["issue"]["author"]["id"],
            &shown["issue"]["author"]["databaseId"],
            rest(&client, "/issues/50").await["user"].take(),
        ),
        (&pull["id"], &pull["databaseId"], rest(&client, "/pulls/2").await),
        (
            &pull["comments"]["nodes"][0]["id"],
            &pull["comments"]["nodes"][0]["databaseId"],
            rest(&client, "/issues/2/comments").await[0].take(),
        ),
        (
            &pull["reviews"]["nodes"][0]["id"],
            &pull["reviews"]["nodes"][0]["databaseId"],
            rest(&client, "/pulls/2/reviews").await[0].take(),
        ),
        (
            &commit["statusCheckRollup"]["contexts"]["nodes"][0]["id"],
            &commit["statusCheckRollup"]["contexts"]["nodes"][0]["databaseId"],
            rest(&client, &format!("/commits/{sha}/check-runs")).await["check_runs"][0].take(),
        ),
    ];
    for (id, database_id, by_rest) in pairs {
        assert_eq!((id, database_id), (&by_rest["node_id"], &by_rest["id"]), "{by_rest}");
    }
    assert_eq!(rest(&client, "/pulls/2").await["head"]["sha"], json!(sha));
    assert_eq!(shown["label"]["id"], rest(&client, "/labels/bug").await["node_id"]);
    // And back, to what the asker may see.
    let ids = [&shown["id"], &shown["issue"]["id"], &pull["id"], &pull["comments"]["nodes"][0]["id"]];
    let found = data(&client, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
    assert_eq!(found["nodes"], ids.iter().map(|id| json!({ "id": id })).collect::<Value>());
}

#[tokio::test]
async fn a_mutation_moves_the_tags_of_what_it_changes_and_of_nothing_else() {
    let (_origin, client) = start();
    let paths = [
        "/issues/50",
        "/issues?per_page=100&page=2",
        "/issues/50/comments",
        "/issues/51",
        "",
        "/pulls/1",
        "/readme",
    ];
    let rows = [
        ("updateIssue(input: { id: \"I_100001_50\", title: \"X\" })", &[0, 1][..]),
        ("closeIssue(input: { issueId: \"I_100001_50\" })", &[0, 1]),
        ("addComment(input: { subjectId: \"I_100001_50\", body: \"hi\" })", &[0, 1, 2]),
        (
            "addLabelsToLabelable(input: { labelableId: \"I_100001_50\", labelIds: [\"LA_100001_question\"] })",
            &[0, 1],
        ),
        ("mergePullRequest(input: { pullRequestId: \"PR_100001_1\" })", &[0, 1, 3, 4, 5, 6]),
    ];
    for (mutation, expected) in rows {
        let mut before = Vec::new();
        for path in paths {
            before.push(tag(&client, path).await);
        }
        data(&client, &format!("mutation {{ {mutation} {{ clientMutationId }} }}"), Value::Null).await;
        for (at, path) in paths.into_iter().enumerate() {
            let has_moved = tag(&client, path).await != before[at];
            assert_eq!(has_moved, expected.contains(&at), "{mutation} {path}");
        }
    }
    let issue = rest(&client, "/issues/50").await;
    assert_eq!((&issue["title"], &issue["state"]), (&json!("X"), &json!("closed")));
    assert_eq!(rest(&client, "/pulls/1").await["merged"], true);
}

#[tokio::test]
async fn an_issue_that_is_created_is_in_both_interfaces_and_so_is_what_rest_writes() {
    let (_origin, client) = start();
    let create =
        "mutation($input: CreateIssueInput!) { createIssue(input: $input) { issue { id number url } } }";
    let input = json!({ "input": { "repositoryId": "R_100001", "title": "T", "body": "B" } });
    let made = data(&client, create, input).await["createIssue"]["issue"].take();
    let path = format!("/issues/{}", made["number"]);
    assert_eq!(rest(&client, &path).await["node_id"], made["id"]);
    let write = async |method, path: &str, body: Value| {
        let draft = client.request(method, &format!("{REPOSITORY}{path}")).token("ghp_alice");
        let reply = draft.body(body.to_string()).send().await.unwrap();
        assert!(reply.status.is_success(), "{path}: {reply:?}");
    };
    write(Method::PATCH, &path, json!({ "title": "U", "state": "closed" })).await;
    write(Method::POST, &format!("{path}/comments"), json!({ "body": "hi" })).await;
    write(Method::POST, "/pulls/1/reviews", json!({ "event": "REQUEST_CHANGES" })).await;
    let sha = rest(&client, "/pulls/1").await["head"]["sha"].as_str().unwrap().to_owned();
    write(Method::POST, "/check-runs", json!({ "name": "new", "head_sha": sha, "conclusion": "failure" }))
        .await;
    write(Method::POST, &format!("/statuses/{sha}"), json!({ "state": "pending", "context": "slow" })).await;
    let query = "query($number: Int!) { repository(owner: \"acme\", name: \"widget-1\") {
      issue(number: $number) { title state comments(last: 1) { nodes { body author { login } } } }
      pullRequest(number: 1) { reviewDecision statusCheckRollup { state contexts(first: 1) {
        totalCount checkRunCount statusContextCount } } }
    } }";
    let shown = data(&client, query, json!({ "number": made["number"] })).await["repository"].take();
    let comment = json!({ "body": "hi", "author": { "login": "alice" } });
    assert_eq!(
        shown["issue"],
        json!({ "title": "U", "state": "CLOSED", "comments": { "nodes": [comment] } })
    );
    let rollup = json!({ "totalCount": 7, "checkRunCount": 5, "statusContextCount": 2 });
    assert_eq!(
        shown["pullRequest"],
        json!({ "reviewDecision": "CHANGES_REQUESTED", "statusCheckRollup": { "state": "FAILURE", "contexts": rollup } })
    );
}

#[tokio::test]
async fn a_change_moves_the_tags_that_it_is_said_to_move() {
    let (origin, client) = start();
    let sha = rest(&client, "/pulls/2").await["head"]["sha"].as_str().unwrap().to_owned();
    let checks = format!("/commits/{sha}/check-runs");
    let paths = ["/pulls/2", "/pulls/2/reviews", &checks, "/issues/2/comments", ""];
    let rows = [
        (Change::Rule(Ruling::ReviewRequired), &[][..]),
        (Change::Review(ReviewState::ChangesRequested), &[1]),
        (Change::Check("check 1".to_owned(), "in_progress".to_owned(), None), &[2]),
        (Change::Comment("one".to_owned()), &[0, 3]),
        (Change::CommentEdit("two".to_owned()), &[3]),
        (Change::Title("new".to_owned()), &[0]),
        (Change::Push, &[0]),
    ];
    let query = "{ repository(owner: \"acme\", name: \"widget-1\") { pullRequest(number: 2) {
        title reviewDecision headRefOid statusCheckRollup { state }
        reviews(first: 9) { totalCount } comments(last: 1) { totalCount nodes { body } } } } }";
    for (change, expected) in rows {
        let shown = data(&client, query, Value::Null).await;
        let mut before = Vec::new();
        for path in paths {
            before.push(tag(&client, path).await);
        }
        origin.change("acme/widget-1", 2, change.clone());
        for (at, path) in paths.into_iter().enumerate() {
            assert_eq!(tag(&client, path).await != before[at], expected.contains(&at), "{change:?} {path}");
        }
        assert_ne!(data(&client, query, Value::Null).await, shown, "{change:?}");
    }
}

#[tokio::test]
async fn a_query_costs_a_point_for_each_hundred_requests_that_it_may_come_to() {
    let (origin, client) = start();
    let mut used = 0;
    for (query, points, nodes) in [
        ("{ viewer { login } }", 1, 0),
        ("{ repository(owner: \"acme\", name: \"widget-1\") { issues(first: 100) { nodes { number } } } }", 1, 100),
        (
            "{ repository(owner: \"acme\", name: \"widget-1\") { pullRequests(first: 50) { nodes {
                comments(first: 100) { nodes { id } } labels(first: 60) { nodes { id } } reviews(last: 20) { nodes { id } } } } } }",
            2,
            9050,
        ),
    ] {
        let asked = query.replacen('{', "{ rateLimit { cost nodeCount used remaining limit }", 1);
        let reply = send(&client, "ghp_alice", json!({ "query": asked })).await;
        used += points;
        let limit = json!({
            "cost": points, "nodeCount": nodes, "used": used, "remaining": 5000 - used, "limit": 5000,
        });
        assert_eq!(reply.json()["data"]["rateLimit"], limit, "{query}");
        assert_eq!((reply.header("x-ratelimit-used"), reply.header("x-ratelimit-resource")), (&*used.to_string(), "graphql"));
        for absent in ["etag", "cache-control", "last-modified"] {
            assert_eq!(reply.header(absent), "", "{absent}");
        }
    }
    assert_eq!((origin.counts().points, origin.counts().paid), (used, 3));
    assert_eq!(origin.quota("alice", Resource::Core).used, 0);
    let heavy = "{ repository(owner: \"acme\", name: \"widget-1\") { pullRequests(first: 100) { nodes {
        comments(first: 100) { nodes { id } } reviews(first: 100) { nodes { id comments: commit { authors(first: 100) { totalCount } } } } } } } }";
    let answer = ask(&client, heavy, Value::Null).await;
    assert_eq!(
        (&answer["errors"][0]["type"], &answer["data"]),
        (&"MAX_NODE_LIMIT_EXCEEDED".into(), &Value::Null)
    );
}

#[tokio::test]
async fn a_spent_allowance_is_told_with_200_and_costs_nothing() {
    let (origin, client) = start();
    let spent = Quota { limit: 5000, used: 5000, reset_unix_seconds: 4_000_000_000 };
    origin.set_quota("alice", Resource::Graphql, spent);
    let reply = send(&client, "ghp_alice2", json!({ "query": "{ viewer { login } }" })).await;
    let answer = reply.json();
    assert_eq!((reply.status.as_u16(), &answer["errors"][0]["type"]), (200, &"RATE_LIMITED".into()));
    assert_eq!((answer.get("data"), reply.header("x-ratelimit-remaining")), (None, "0"));
    assert_eq!((origin.counts().paid, origin.quota("alice", Resource::Graphql)), (0, spent));
}

#[tokio::test]
async fn what_the_token_may_not_see_is_null_beside_what_it_may() {
    let (_origin, client) = start();
    let query = "{ open: repository(owner: \"acme\", name: \"widget-1\") { name }
        closed: repository(owner: \"acme\", name: \"secret-3\") { name } node(id: \"I_200003_50\") { id }
        repositoryOwner(login: \"acme\") { repositories(first: 1) { totalCount } } }";
    let seen = ask(&client, query, Value::Null).await["data"].take();
    assert_eq!(
        (&seen["closed"]["name"], &seen["repositoryOwner"]["repositories"]["totalCount"]),
        (&json!("secret-3"), &json!(110))
    );
    let answer = send(&client, "ghp_bob", json!({ "query": query })).await.json();
    let data = json!({
        "open": { "name": "widget-1" }, "closed": null, "node": null,
        "repositoryOwner": { "repositories": { "totalCount": 100 } },
    });
    assert_eq!(answer["data"], data);
    let errors = answer["errors"].as_array().unwrap();
    let told: Vec<_> = errors.iter().map(|error| (&error["type"], &error["path"][0])).collect();
    assert_eq!(told, [(&json!("NOT_FOUND"), &json!("closed")), (&json!("NOT_FOUND"), &json!("node"))]);
    assert!(!answer.to_string().contains("synthetic"), "{answer}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_as_github_does() {
    let (_origin, client) = start();
    for body in ["{", "[]", "", "{\"query\": 1}", "{\"query\": \"{a}\", \"variables\": 1}"] {
        let reply = send(&client, "ghp_alice", body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.json()["message"].is_string());
    }
    for query in
        ["{", "{ nothing }", "{ viewer }", "query($a: Int!) { viewer { login } }", "subscription { a }"]
    {
        let answer = ask(&client, query, Value::Null).await;
        assert!(
            answer["errors"][0]["message"].is_string() && answer.get("data").is_none(),
            "{query}: {answer}"
        );
    }
    let unknown = ask(&client, "{ nothing }", Value::Null).await;
    assert_eq!(unknown["errors"][0]["message"], "Field 'nothing' doesn't exist on type 'Query'");
    let two = "query A { viewer { login } } query B { viewer { id } }";
    assert!(ask(&client, two, Value::Null).await.get("data").is_none());
    let named = send(&client, "ghp_bob", json!({ "query": two, "operationName": "A" })).await.json();
    assert_eq!(named["data"]["viewer"]["login"], "bob");
    assert_eq!(send(&client, "ghp_revoked", "{}").await.status, 401);
    assert_eq!(client.post("/graphql", "{}").send().await.unwrap().status, 401);
    let read = client.get("/graphql").token("ghp_alice").send().await.unwrap();
    assert_eq!(read.json()["data"]["__schema"]["queryType"]["name"], "Query");
    assert_eq!(client.request(Method::PUT, "/graphql").token("ghp_alice").send().await.unwrap().status, 404);
    let fields =
        "{ PullRequest: __type(name: \"PullRequest\") { fields(includeDeprecated: true) { name } } }";
    let fields = data(&client, fields, Value::Null).await;
    let fields = fields["PullRequest"]["fields"].as_array().unwrap();
    assert!(fields.contains(&json!({ "name": "isInMergeQueue" })));
}

#[tokio::test]
async fn faults_strike_the_operation_that_is_meant_and_a_time_out_costs_its_penalty() {
    let (origin, client) = start();
    let query = "query Slow { repository(owner: \"acme\", name: \"widget-1\") { issues(first: 4) { nodes { number } } } }";
    let slow = async || send(&client, "ghp_alice", json!({ "query": query })).await;
    let delay = Duration::from_millis(30);
    let timeout = FaultKind::GraphqlTimeout { status: 504, delay, points: 40 };
    origin.fault(Fault::new(timeout, 1).of_operation("Slow"));
    assert_eq!(
        data(&client, "query Quick { viewer { login } }", Value::Null).await["viewer"]["login"],
        "alice"
    );
    let begun = Instant::now();
    assert_eq!((slow().await.status.as_u16(), begun.elapsed() >= delay), (504, true));
    origin.fault(Fault::new(FaultKind::GraphqlPartial, 1));
    let partial = slow().await.json();
    assert_eq!(partial["data"]["repository"]["issues"]["nodes"], json!([{ "number": 41 }, { "number": 42 }]));
    assert_eq!(partial["errors"][0]["type"], "RESOURCE_LIMITS_EXCEEDED");
    origin.fault(Fault::new(FaultKind::GraphqlLimit { retry_after_seconds: 9 }, 1));
    let limited = slow().await;
    assert_eq!((limited.status.as_u16(), limited.header("retry-after")), (200, "9"));
    assert_eq!(slow().await.json()["data"]["repository"]["issues"]["nodes"].as_array().unwrap().len(), 4);
    let counts = origin.counts_by_operation();
    let of = |name: &str| counts[&Operation { kind: "query".to_owned(), name: name.to_owned() }];
    assert_eq!((of("Slow").total, of("Slow").points, of("Quick").points), (4, 42, 1));
    assert_eq!(origin.quota("alice", Resource::Graphql).used, 43);
}

#[tokio::test]
async fn a_long_file_makes_a_long_answer() {
    let (_origin, client) = start();
    let query =
        "{ repository(owner: \"acme\", name: \"widget-1\") { object(expression: \"main:text-3000000.txt\") {
        ... on Blob { byteSize text } } } }";
    let blob = data(&client, query, Value::Null).await["repository"]["object"].take();
    assert_eq!((blob["text"].as_str().unwrap().len(), &blob["byteSize"]), (3_000_000, &json!(3_000_000)));
}

#[tokio::test]
async fn a_comma_outside_of_a_string_means_nothing_wherever_it_stands() {
    let (_origin, client) = start();
    let query =
        "query,Q{,one,:,repository,(,owner,:,\"acme\",name,:,\"widget-1\",),{,...,on,Repository,{,name,},},
        # a, \" comment
        two: repository(owner: \"ac,\\\"me,\\\\\", name: \"\"\"a, \\\"\"\" ,b\"\"\") { name } }";
    let answer = ask(&client, query, Value::Null).await;
    assert_eq!(answer["data"], json!({ "one": { "name": "widget-1" }, "two": null }), "{answer}");
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("'ac,\"me,\\/a, \"\"\" ,b'"), "{message}");
}
