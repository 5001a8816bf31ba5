//! What covers the queries that clients send.

use super::{Source::*, State::*, *};

fn reading(document: &str, variables: Value) -> Option<Reading> {
    let Value::Object(variables) = variables else { panic!("variables are an object") };
    Document::read(document).unwrap().reading(None, &variables)
}

fn cover(document: &str, variables: Value) -> Option<Cover> {
    reading(document, variables)?.cover
}

fn sources(document: &str, variables: Value) -> Vec<Source> {
    cover(document, variables).map(|cover| cover.sources.into_iter().collect()).unwrap_or_default()
}

fn of_pull(fields: &str) -> Vec<Source> {
    let document = format!(
        "{{ repository(owner: \"Acme\", name: \"web\") {{ pullRequest(number: 7) {{ {fields} }} }} }}"
    );
    sources(&document, Value::Object(Map::new()))
}

#[test]
fn the_fields_of_a_pull_request_are_covered_by_what_shows_them() {
    let seven = Some(7);
    let table = [
        ("title state __typename", vec![Pull(seven)]),
        ("author { login ... on User { id name } }", vec![Pull(seven)]),
        ("comments(first: 10) { nodes { body author { login } } totalCount }", vec![Comments(seven)]),
        ("reviews(last: 3) { nodes { state } }", vec![Reviews(seven)]),
        ("reactionGroups { content users { totalCount } }", vec![Issue(seven)]),
        (
            "commits(last: 1) { nodes { commit { oid statusCheckRollup { state } } } }",
            vec![Checks(seven), Pull(seven)],
        ),
        ("commits { totalCount }", vec![Pull(seven)]),
        ("commits(last: 2) { nodes { commit { oid } } }", vec![]),
        ("title reviewDecision", vec![]),
        ("mergeable", vec![]),
        ("latestReviews(first: 3) { nodes { state } }", vec![]),
        ("viewerCanUpdate", vec![]),
        ("title { x }", vec![]),
        ("author", vec![]),
        ("... on Issue { title }", vec![]),
        ("ponies", vec![]),
    ];
    for (fields, expected) in table {
        assert_eq!(of_pull(fields), expected, "{fields}");
    }
}

#[test]
fn what_a_client_asks_by_variables_and_fragments_is_covered_like_anything_else() {
    let list = "fragment pr on PullRequest{number,title,state,url,headRefName,headRepositoryOwner{id,login,...on User{name}},
        isCrossRepository,isDraft,createdAt}
        query PullRequestList($owner: String!, $repo: String!, $limit: Int!, $endCursor: String, $headBranch: String,
            $state: [PullRequestState!] = OPEN) {
          repository(owner: $owner, name: $repo) {
            pullRequests(states: $state, headRefName: $headBranch, first: $limit, after: $endCursor,
                orderBy: {field: CREATED_AT, direction: DESC}) {
              totalCount nodes { ...pr } pageInfo { hasNextPage endCursor } } } }";
    let given = serde_json::json!({"owner": "Acme", "repo": "Web", "limit": 30});
    let subject = reading(list, given.clone()).unwrap().subject;
    assert_eq!(subject, Subject::Repository("acme/web".into()));
    let found = cover(list, given.clone()).unwrap();
    assert_eq!(found.sources, BTreeSet::from([Pulls(Open)]));
    assert!(found.has_settings, "the name of a user");
    let mut given = given;
    given["state"] = serde_json::json!(["OPEN", "MERGED"]);
    assert_eq!(sources(list, given.clone()), [Pulls(All)]);
    given["owner"] = serde_json::json!("../x");
    assert_eq!(cover(list, given), None);
}

#[test]
fn checks_of_what_an_id_stands_for_are_covered_once_that_is_known() {
    let checks = "query PullRequestStatusChecks($id: ID!, $endCursor: String) { node(id: $id) { ...on PullRequest {
        statusCheckRollup: commits(last: 1) {nodes {commit {statusCheckRollup {contexts(first:100,after:$endCursor) {
        nodes {__typename...on StatusContext {context,state,targetUrl,createdAt,isRequired(pullRequestId: $id)},
        ...on CheckRun {name,checkSuite{workflowRun{workflow{name}}},status,conclusion,startedAt,completedAt,detailsUrl,
        isRequired(pullRequestId: $id)}},pageInfo{hasNextPage,endCursor}}}}}} } } }";
    let given = serde_json::json!({"id": "PR_1"});
    assert_eq!(reading(checks, given.clone()).unwrap().subject, Subject::Id("PR_1".into()));
    let found = cover(checks, given).unwrap();
    assert_eq!(found.sources, BTreeSet::from([Checks(None), Pull(None)]));
    assert!(found.has_settings);
}

#[test]
fn a_query_about_several_things_or_with_fragments_without_end_has_no_cover() {
    for document in [
        r#"{ a: repository(owner: "o", name: "r") { id } b: repository(owner: "o", name: "s") { id } }"#,
        r#"{ repository(owner: "o", name: "r") { id } viewer { login } }"#,
        r#"{ repository(owner: "o", name: "r") { ...f } } fragment f on Repository { id ...f }"#,
        r#"{ __typename }"#,
        r#"{ search(query: "x", type: ISSUE) { issueCount } }"#,
    ] {
        assert_eq!(cover(document, Value::Object(Map::new())), None, "{document}");
    }
}

#[test]
fn an_answer_tells_the_ids_of_what_the_query_names() {
    let document = r#"{ r: repository(owner: "o", name: "r") { id mergeQueue { id } owner { id }
        one: issueOrPullRequest(number: 3) { ... on Issue { id } ... on PullRequest { id reviewDecision } }
        pullRequests(first: 2) { nodes { id } } } }"#;
    let found = reading(document, Value::Object(Map::new())).unwrap();
    assert_eq!(found.cover, None);
    let ids: Vec<_> = found.ids.iter().map(|id| (&*id.pointer, id.number)).collect();
    assert_eq!(ids, [("/data/r/id", None), ("/data/r/one/id", Some(3)), ("/data/r/one/id", Some(3))]);
}

#[test]
fn no_field_has_two_covers_and_every_type_has_fields() {
    let mut seen = BTreeSet::new();
    for row in ROWS {
        for field in row.fields {
            assert!(seen.insert((row.of, field)), "{} {field}", row.of);
        }
        let holds = row.holds.into_iter().filter(|of| !ROWS.iter().any(|row| row.of == *of));
        let abstracts: Vec<_> =
            holds.filter(|of| !CONDITIONS.iter().any(|(general, _, _)| general == of)).collect();
        assert!(abstracts.is_empty(), "{abstracts:?}");
    }
}

#[test]
fn of_lists_that_are_chosen_by_what_no_resource_shows_there_is_no_cover() {
    let list = |arguments: &str| {
        let document =
            format!("{{ repository(owner: \"o\", name: \"r\") {{ issues({arguments}) {{ totalCount }} }} }}");
        sources(&document, Value::Object(Map::new()))
    };
    assert_eq!(
        list("first: 3, states: [OPEN], filterBy: {assignee: \"a\", mentioned: null}"),
        [Issues(Open)]
    );
    for hidden in [
        "filterBy: {mentioned: \"a\"}",
        "filterBy: {viewerSubscribed: true}",
        "filterBy: {states: [CLOSED]}",
        "x: 1",
    ] {
        assert_eq!(list(&format!("first: 3, states: [OPEN], {hidden}")), [], "{hidden}");
    }
}

#[test]
fn checks_of_several_pull_requests_and_of_more_than_eight_resources_have_no_cover() {
    let of = |fields: &str| {
        let document = format!("{{ repository(owner: \"o\", name: \"r\") {{ {fields} }} }}");
        cover(&document, Value::Object(Map::new()))
    };
    let checks =
        |number| format!("a{number}: pullRequest(number: {number}) {{ statusCheckRollup {{ state }} }} ");
    assert!(of(&checks(1)).is_some());
    assert!(of(&(checks(1) + &checks(2))).is_none());
    let titles = |count| {
        (1..=count)
            .map(|number| format!("a{number}: issue(number: {number}) {{ title }} "))
            .collect::<String>()
    };
    assert!(of(&titles(8)).is_some() && of(&titles(9)).is_none());
}

#[test]
fn documents_that_are_made_to_be_long_or_deep_are_left_alone() {
    let deep =
        format!("query {{ ...F }} fragment F on Query {{ {}...F{} }}", "...{ ".repeat(45), " }".repeat(45));
    assert!(reading(&deep, Value::Object(Map::new())).is_none());
    let wide: String =
        (0..12).map(|at| format!("fragment F{at} on Query {{ ...F{} ...F{} }} ", at + 1, at + 1)).collect();
    let wide = format!(
        "query {{ ...F0 }} {wide} fragment F12 on Query {{ repository(owner: \"o\", name: \"r\") {{ id }} }}"
    );
    assert!(reading(&wide, Value::Object(Map::new())).is_none());
    let ids = (0..100).map(|at| format!("a{at}: id ")).collect::<String>();
    let many = reading(
        &format!("{{ repository(owner: \"o\", name: \"r\") {{ {ids} }} }}"),
        Value::Object(Map::new()),
    );
    assert_eq!(many.unwrap().ids.len(), IDS_MAX);
    let long =
        format!("{{ {}: repository(owner: \"o\", name: \"r\") {{ id }} }}", "a".repeat(POINTER_BYTES_MAX));
    assert!(reading(&long, Value::Object(Map::new())).unwrap().ids.is_empty());
}
