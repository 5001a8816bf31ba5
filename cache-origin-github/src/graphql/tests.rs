//! What is told of GraphQL requests: which are one query, for how long their answers live, and whose they are.

use super::*;
use crate::{PassReason, Plan, Planned};
use bytes::Bytes;
use cache_core::{Domain, Key, Manner, Reader};
use http::{Request, request::Parts};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{fmt::Write as _, fs, path::Path, time::Duration};

fn head(fields: &[(&str, &str)]) -> Parts {
    let request = Request::post("/graphql").header("authorization", "token ghp_one");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).unwrap().into_parts().0
}

fn github() -> GitHub {
    GitHub::builder().build().unwrap()
}

fn plan(github: &GitHub, head: &Parts, body: impl Into<Bytes>) -> Result<(String, Planned), PassReason> {
    let mut key = String::new();
    match github.plan_query(head, &body.into(), &mut key) {
        Plan::Cached(planned) => Ok((key, planned)),
        Plan::Pass(reason) => Err(reason),
        Plan::Body => panic!("the body is there"),
    }
}

fn key_or_pass(body: &str) -> Result<String, PassReason> {
    plan(&github(), &head(&[]), body.to_owned()).map(|(key, _)| key)
}

fn body(document: &str) -> String {
    json!({ "query": document }).to_string()
}

fn key_of(document: &str) -> String {
    key_or_pass(&body(document)).unwrap_or_else(|reason| panic!("{document} passes: {reason}"))
}

fn reason(document: &str) -> String {
    key_or_pass(&body(document)).expect_err(document).to_string()
}

fn seconds(document: &str) -> u64 {
    let (_, planned) = plan(&github(), &head(&[]), body(document)).unwrap();
    planned.directives.grant.most.lifetime.as_secs()
}

#[test]
fn spellings_of_one_query_have_one_key() {
    let plain = key_of(
        r#"query Q($a: Int = 1) { repository(owner: "o", name: "r") { id issues(first: $a) { totalCount } } }"#,
    );
    for other in [
        "query Q($a:Int=1){repository(owner:\"o\"name:\"r\"){id issues(first:$a){totalCount}}}",
        "\u{feff}query Q($a: Int = 1,) {\n  # the repository\r\n  repository(owner: \"o\",, name: \"r\") {\n\tid,issues(first: $a) { totalCount } } } # end",
    ] {
        assert_eq!(key_of(other), plain, "{other}");
    }
    for other in [
        // Another order, another value, another spelling of a value, another alias, a name of its own.
        r#"query Q($a: Int = 1) { repository(name: "r", owner: "o") { id issues(first: $a) { totalCount } } }"#,
        r#"query Q($a: Int = 1) { repository(owner: "o", name: "r") { issues(first: $a) { totalCount } id } }"#,
        r#"query Q($a: Int = 2) { repository(owner: "o", name: "r") { id issues(first: $a) { totalCount } } }"#,
        r#"query Q($a: Int = 1) { repository(owner: "\u006f", name: "r") { id issues(first: $a) { totalCount } } }"#,
        r#"query Q($a: Int = 1) { repository(owner: """o""", name: "r") { id issues(first: $a) { totalCount } } }"#,
        r#"query Q($a: Int = 1) { repository(owner: "o ", name: "r") { id issues(first: $a) { totalCount } } }"#,
        r#"query Q($a: Int = 1) { repository(owner: "o", name: "r") { x: id issues(first: $a) { totalCount } } }"#,
        r#"query P($a: Int = 1) { repository(owner: "o", name: "r") { id issues(first: $a) { totalCount } } }"#,
    ] {
        assert_ne!(key_of(other), plain, "{other}");
    }
}

#[test]
fn variables_count_by_value_and_numbers_as_they_are_written() {
    let document = "query($a: X) { repository(owner: $a, name: \\\"r\\\") { id } }";
    let with = |rest: &str| key_or_pass(&format!("{{\"query\":\"{document}\"{rest}}}")).unwrap();
    let plain = with(r#","variables":{"a":{"b":1,"c":["x",null]}}"#);
    assert_eq!(with(r#", "variables" : { "a" : {"c":["\u0078", null ],"b":1} } "#), plain);
    for other in [
        r#","variables":{"a":{"b":1.0,"c":["x",null]}}"#,
        r#","variables":{"a":{"b":1,"c":[null,"x"]}}"#,
        r#","variables":{"a":{"b":1,"c":["x",null,null]}}"#,
        r#","variables":{"a":{"b":"1","c":["x",null]}}"#,
        r#","variables":{"a":{"b":12345678901234567890123,"c":["x",null]}}"#,
        r#","variables":{"a":{"b":12345678901234567890124,"c":["x",null]}}"#,
        r#","variables":{"a":{"b":1,"c":["x",null]},"d":null}"#,
        "",
    ] {
        assert_ne!(with(other), plain, "{other}");
    }
    assert_ne!(
        with(r#","variables":{"a":12345678901234567890123}"#),
        with(r#","variables":{"a":12345678901234567890124}"#)
    );
    for absent in [r#","variables":null"#, r#","variables":{ }"#, r#","operationName":null"#] {
        assert_eq!(with(absent), with(""), "{absent}");
    }
}

#[test]
fn what_cannot_be_read_passes() {
    let nested = format!(r#"{{"query":"{{a}}","variables":{{"a":{}1{}}}}}"#, "[".repeat(99), "]".repeat(99));
    for body in [
        "",
        "{}",
        "[]",
        "query",
        r#"[{"query":"{a}"}]"#,
        r#"{"query":1}"#,
        r#"{"query":"{a"#,
        r#"{"query":"{a"}"#,
        r#"{"query":"{a}}"}"#,
        r#"{"query":""}"#,
        r##"{"query":"# nothing"}"##,
        r#"{"query":"{a}"} x"#,
        r#"{"query":"{a}","query":"{a}"}"#,
        r#"{"query":"{a}","extensions":{}}"#,
        r#"{"query":"{a}","id":"x"}"#,
        r#"{"query":"{a}","variables":[]}"#,
        r#"{"query":"{a}","variables":"{}"}"#,
        r#"{"query":"{a}","variables":{"a":1,"a":2}}"#,
        r#"{"query":"{a}","variables":{"b":{"a":1,"a":2}}}"#,
        r#"{"query":"{a}","operationName":7}"#,
        r#"{"query":"{a(b: \"\ud800\")}"}"#,
        "\u{feff}{\"query\":\"{a}\"}",
        &nested,
    ] {
        assert_eq!(key_or_pass(body).unwrap_err(), PassReason::Graphql("graphql-unreadable"), "{body}");
    }
    assert!(key_or_pass(r#"{"query":"{a}"}"#).is_ok());
    let coded = plan(&github(), &head(&[("content-encoding", "gzip")]), body("{a}"));
    assert_eq!(coded.unwrap_err(), PassReason::Graphql("graphql-unreadable"));
    let deep = format!("{}id{}", "{a".repeat(70), "}".repeat(70));
    let many = format!("{{{}}}", "a ".repeat(20_001));
    for document in [deep.as_str(), many.as_str(), &"[".repeat(100_000), &"{a(b:".repeat(50_000)] {
        assert_eq!(reason(document), "graphql-unreadable");
    }
}

#[test]
fn one_query_is_told_from_what_is_none_or_several() {
    let rows = [
        ("mutation { a }", "graphql-mutation"),
        ("query Q { a } mutation M { b }", "graphql-mutation"),
        ("subscription { a }", "graphql-subscription"),
        ("query A { a } query B { b }", "graphql-operations"),
        ("fragment F on User { login }", "graphql-operations"),
        ("{ ...F }", "graphql-fragment"),
        ("type A { b: Int } query { a }", "graphql-schema"),
        ("query @live { a }", "graphql-directive"),
        ("{ a @defer { b } }", "graphql-directive"),
        ("query($a: Int @x) { a }", "graphql-directive"),
        ("{ repository { id } rateLimit { cost } }", "the quota is a live value"),
        ("{ x: rateLimit { cost } }", "the quota is a live value"),
        ("{ ...F } fragment F on Query { ... on Query { rateLimit { cost } } }", "the quota is a live value"),
        ("{ relay { rateLimit { cost } } }", "the quota is a live value"),
        ("{ repository { object { ... on Commit { tarballUrl } } } }", "it may hold a signed address"),
    ];
    for (document, expected) in rows {
        assert_eq!(reason(document), expected, "{document}");
    }
    let several = |name: &str| {
        key_or_pass(&json!({ "query": "query A { a } query B { b }", "operationName": name }).to_string())
    };
    assert_ne!(several("A").unwrap(), several("B").unwrap());
    assert_eq!(several("C").unwrap_err().to_string(), "graphql-operations");
    let twice = json!({ "query": "query A { a } query A { b }", "operationName": "A" }).to_string();
    assert_eq!(key_or_pass(&twice).unwrap_err().to_string(), "graphql-operations");
    // A fragment may be part of itself, which the origin refuses.
    key_of("{ ...F } fragment F on Query { a ...G } fragment G on Query { b ...F }");
    key_of("query($a: Boolean!) { a @include(if: $a) b @skip(if: $a) }");
}

#[test]
fn an_answer_lives_as_long_as_the_shortest_lived_thing_in_it() {
    let rows = [
        ("{ repository { id } }", 300),
        ("{ repository { releases(first: 1) { nodes { tagName } } } }", 300),
        ("{ repository { pullRequests(first: 30) { nodes { number } } } }", 60),
        ("{ repository { issues(first: 30) { nodes { number } } } }", 60),
        ("{ repository { pullRequest(number: 1) { title } } }", 30),
        ("{ repository { x: issue(number: 1) { title } } }", 30),
        ("{ repository { issue: id } }", 300),
        ("{ search(query: \"x\", type: ISSUE, first: 1) { issueCount } }", 30),
        (
            "{ repository { pullRequest(number: 1) { commits(last: 1) { nodes { commit { statusCheckRollup { state } } } } } } }",
            10,
        ),
        ("{ repository { ...F } } fragment F on Repository { pullRequest(number: 1) { mergeable } }", 5),
        ("{ repository { pullRequest(number: 1) { viewerCanUpdate } } }", 5),
        ("{ repository { ... on Repository { pullRequest(number: 1) { reviewDecision } } } }", 5),
        ("{ node(id: \"x\") { id } }", 10),
        ("{ node(id: \"x\") { ... on MergeQueue { id } } }", 5),
        ("{ somethingNew { id } }", 10),
        ("{ repository { id } ponies { id } }", 10),
        ("{ viewer { login } }", 300),
        ("{ __schema { types { name fields { name } } } }", 6 * 3600),
        ("{ __type(name: \"User\") { name } }", 6 * 3600),
        ("{ __typename repository { id } }", 300),
    ];
    for (document, expected) in rows {
        assert_eq!(seconds(document), expected, "{document}");
    }
}

#[test]
fn an_operator_sets_lifetimes_by_rule_or_switches_it_off() {
    let with = |rules: &[&str], document: &str| {
        let github = rules.iter().fold(GitHub::builder(), |github, rule| {
            github.graphql_rule(rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}")))
        });
        let planned = plan(&github.build().unwrap(), &head(&[]), body(document));
        planned
            .map(|(_, planned)| planned.directives.grant.most.lifetime)
            .map_err(|reason| reason.to_string())
    };
    let search = "{ search(query: \"x\", type: ISSUE, first: 1) { issueCount } }";
    assert_eq!(with(&["search = 2m"], search), Ok(Duration::from_secs(120)));
    assert_eq!(with(&["search=1s", "search=3s"], search), Ok(Duration::from_secs(3)));
    assert_eq!(with(&["search=never"], search), Err("a rule of the operator".to_owned()));
    assert_eq!(with(&["checks=never"], search), Ok(Duration::from_secs(30)));
    for (rule, expected) in [
        ("search", "`search` cannot be read: it has no `=`"),
        ("pulls=5s", "there is no rule `pulls`; the rules are accounts, checks, decisions"),
        ("checks=soon", "its lifetime `soon`"),
    ] {
        let told = rule.parse::<GraphqlRule>().unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    let off = GitHub::builder().graphql(false).build().unwrap();
    assert!(matches!(off.plan(&head(&[]), &mut String::new()), Plan::Pass(PassReason::Method)));
    assert!(matches!(github().plan(&head(&[]), &mut String::new()), Plan::Body));
}

#[test]
fn a_key_tells_for_how_long_an_answer_of_a_member_counts() {
    let github = github();
    let (key, planned) =
        plan(&github, &head(&[]), body("{ repository { pullRequest(number: 1) { title } } }")).unwrap();
    let resource = key.split('\n').next().unwrap();
    assert!(
        resource.starts_with("api.github.com/graphql?of=-&rules=issues+repositories&query="),
        "{resource}"
    );
    assert_eq!(github.freshness_max(resource), Some(planned.directives.grant.most));
    for nothing in ["of=-&rules=ponies&query=00", "of=-&rules=&query=00", "rules=issues&query=00", "query=00"]
    {
        assert_eq!(github.freshness_max(&format!("api.github.com/graphql?{nothing}")), None, "{nothing}");
    }
    let off = GitHub::builder().graphql(false).build().unwrap();
    assert_eq!(off.freshness_max(resource), None);
}

#[test]
fn fields_that_change_an_answer_part_its_keys_and_others_do_not() {
    let key = |fields: &[(&str, &str)]| plan(&github(), &head(fields), body("{a}")).unwrap().0;
    let plain = key(&[]);
    for same in
        [("user-agent", "x"), ("accept-encoding", "gzip"), ("x-request-id", "7"), ("if-none-match", "\"x\"")]
    {
        assert_eq!(key(&[same]), plain, "{same:?}");
    }
    for other in [
        ("accept", "application/vnd.github.merge-info-preview+json"),
        ("content-type", "application/json"),
        ("graphql-features", "merge_queue"),
        ("graphql-schema", "internal"),
        ("x-github-next-global-id", "1"),
        ("x-github-api-version", "2022-11-28"),
        ("time-zone", "Europe/Berlin"),
    ] {
        assert_ne!(key(&[other]), plain, "{other:?}");
    }
}

#[test]
fn a_get_a_query_in_the_address_and_a_request_without_a_credential_pass() {
    let github = github();
    let planned = |request: http::request::Builder| {
        github.plan(&request.body(()).unwrap().into_parts().0, &mut String::new())
    };
    let by = |request: http::request::Builder| request.header("authorization", "token ghp_one");
    for body in [by(Request::post("/graphql")), by(Request::post("/api/graphql"))] {
        assert!(matches!(planned(body), Plan::Body));
    }
    for other in [
        by(Request::post("/graphql?query=x")),
        by(Request::put("/graphql")),
        by(Request::post("/graphql2")),
        Request::post("/graphql"),
    ] {
        assert!(matches!(planned(other), Plan::Pass(PassReason::Method)));
    }
    let own = GitHub::with_token("ghp_own").unwrap();
    assert!(matches!(
        own.plan(&Request::post("/graphql").body(()).unwrap().into_parts().0, &mut String::new()),
        Plan::Body
    ));
}

#[test]
fn a_request_that_forbids_keeping_or_is_special_passes() {
    for (field, expected) in [
        (("cache-control", "no-store"), PassReason::NoStore),
        (("cookie", "a=b"), PassReason::SpecialField),
        (("if-match", "\"x\""), PassReason::Condition),
        (("range", "bytes=0-1"), PassReason::Range),
    ] {
        assert_eq!(plan(&github(), &head(&[field]), body("{a}")).unwrap_err(), expected);
    }
    let (_, planned) =
        plan(&github(), &head(&[("cache-control", "max-age=3, only-if-cached")]), body("{a}")).unwrap();
    assert_eq!(planned.directives.max_age, Some(Duration::from_secs(3)));
    assert!(planned.directives.only_if_cached);
    let (_, planned) =
        plan(&github(), &head(&[("cache-control", "no-cache"), ("if-none-match", "\"x\"")]), body("{a}"))
            .unwrap();
    assert!(planned.directives.no_cache, "a tag of the client's means nothing here");
    assert!(planned.form.if_none_match.is_none());
}

#[test]
fn an_answer_is_for_the_credential_that_asked_unless_several_are_trusted_and_it_does_not_speak_of_one() {
    let domain = |github: &GitHub, document: &str| {
        let (_, planned) = plan(github, &head(&[]), body(document)).unwrap();
        assert!(matches!(planned.reader, Reader::Admitted));
        planned.domain
    };
    let plain = "{ repository { id } }";
    let own = domain(&github(), plain);
    let proven = GitHub::builder().named_domain("ci", ["ghp_*"]).build().unwrap();
    assert_eq!(domain(&proven, plain), own);
    let trusted = GitHub::builder().trusted_domain("ci", ["ghp_*"]).build().unwrap();
    assert_ne!(domain(&trusted, plain), own);
    for personal in [
        "{ viewer { login } }",
        "{ repository { viewerPermission } }",
        "{ repository { issues(first: 1, filterBy: {viewerSubscribed: true}) { totalCount } } }",
        "{ search(query: \"author:@me\", type: ISSUE, first: 1) { issueCount } }",
        "{ search(query: \"author:\\u0040me\", type: ISSUE, first: 1) { issueCount } }",
        "{ user(login: \"x\") { repositories(affiliations: [OWNER]) { totalCount } } }",
        "{ ...F } fragment F on Query { user(login: \"x\") { isViewer } }",
    ] {
        assert_eq!(domain(&trusted, personal), own, "{personal}");
    }
    let variable = json!({
        "query": "query($q: String!) { search(query: $q, type: ISSUE, first: 1) { issueCount } }",
        "variables": { "q": "author:@ME" },
    });
    assert_eq!(plan(&trusted, &head(&[]), variable.to_string()).unwrap().1.domain, own);
    assert_ne!(own, Domain::ANONYMOUS);
}

#[test]
fn an_answer_is_whole_data_without_errors() {
    let rows = [
        (r#"{"data":{"a":1}}"#, Some((true, false, false))),
        (r#"{"extensions":{},"data":{}}"#, Some((true, false, false))),
        (r#"{"data":null}"#, Some((false, false, false))),
        (r#"{"data":{"a":null},"errors":[{"message":"x"}]}"#, Some((true, true, false))),
        (r#"{"errors":[{"type":"RATE_LIMITED"}]}"#, Some((false, true, true))),
        (r#"{"data":{},"errors":[{"type":"NOT_FOUND"},{"type":"RATE_LIMITED"}]}"#, Some((true, true, true))),
        (r#"{"errors":"RATE_LIMITED"}"#, Some((false, true, false))),
        (r#"[{"data":{}}]"#, None),
        (r#"{"data":{}"#, None),
    ];
    for (text, expected) in rows {
        let told =
            Told::read(text.as_bytes()).map(|told| (told.has_data, told.has_errors, told.is_throttled));
        assert_eq!(told, expected, "{text}");
    }
}

fn asks(document: &str) -> bool {
    is_query(json!({ "query": document, "variables": { "a": 1 } }).to_string().as_bytes())
}

#[test]
fn a_query_is_told_from_a_mutation() {
    let queries = [
        "{ viewer { login } }",
        "query { viewer { login } }",
        "query Q($a: Int = 1) @live { mutation: node(id: \"mutation\") { mutation } }",
        "# mutation\nquery { a }",
        "fragment F on User { login } query { viewer { ...F } }",
        "query { a(b: \"\"\"{ \\\"\"\" mutation\"\"\") }",
        "query { a(b: \"\\\" } mutation {\") }",
    ];
    for document in queries {
        assert!(asks(document), "{document}");
    }
    let mutations = [
        "mutation { a }",
        "mutation M($a: Int) { addStar(input: { id: $a }) { clientMutationId } }",
        "query Q { a } mutation M { b }",
        "{ a } # x\n mutation{b}",
        "fragment F on User { login }\n\n,mutation{b}",
    ];
    for document in mutations {
        assert!(!asks(document), "{document}");
    }
}

#[test]
fn what_cannot_be_read_may_be_a_mutation() {
    for body in ["", "{}", "[]", "query", r#"[{"query":"{a}"}]"#, r#"{"query":1}"#, r#"{"query":"{a"#] {
        assert!(!is_query(body.as_bytes()), "{body}");
    }
}

#[test]
fn a_mutation_doubts_all_that_its_own_domain_holds() {
    let github = GitHub::builder().build().unwrap();
    let headers = |token: &str| {
        HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
    };
    let reach = github.touched_by_mutation(&headers("ghp_one"));
    let domain =
        |token: &str| github.rules().domains.of_field(&headers(token)[header::AUTHORIZATION]).unwrap().domain;
    let key = |domain| Key::new("api.github.com/repos/o/r json", domain);
    assert_eq!(reach.manner(&key(domain("ghp_one")), 200), Some(Manner::Doubt));
    assert_eq!(reach.manner(&key(domain("ghp_two")), 200), None);
    assert_eq!(reach.manner(&key(Domain::ANONYMOUS), 200), None);
}

#[test]
fn a_mutation_by_a_credential_of_a_named_domain_doubts_what_is_its_own_as_well() {
    let github = GitHub::builder().named_domain("ci", ["ghp_*"]).build().unwrap();
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, "Bearer ghp_one".parse().unwrap())]);
    let readers = github.rules().domains.of_field(&headers[header::AUTHORIZATION]).unwrap();
    assert_ne!(readers.domain, readers.alone().domain);
    let reach = github.touched_by_mutation(&headers);
    for domain in [readers.domain, readers.alone().domain] {
        assert_eq!(reach.manner(&Key::new("api.github.com/issues json", domain), 200), Some(Manner::Doubt));
    }
}

#[test]
fn the_table_of_the_page_on_graphql_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/graphql.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, rest) = page.split_once("| rule |").unwrap();
    let (_table, end) = rest.split_once("<!-- The end").unwrap();
    let mut table = String::from("| rule | seconds | for | fields |\n|---|---|---|---|\n");
    for (rule, seconds, about) in table::LIFETIMES {
        let of = |rows: &[(&str, rule::Rule)], form: &dyn Fn(&str) -> String| {
            let names = rows.iter().filter(|(_, own)| own == rule).map(|(name, _)| form(name));
            names.collect::<Vec<_>>()
        };
        let quoted = |name: &str| format!("`{name}`");
        let mut fields = of(table::ROOTS, &quoted);
        fields.extend(of(table::FIELDS, &quoted));
        fields.extend(of(table::PREFIXES, &|name| format!("`{name}*`")));
        fields.extend(of(table::TYPES, &|name| format!("`... on {name}`")));
        writeln!(table, "| `{}` | {seconds} | {about} | {} |", rule.name(), fields.join(", ")).unwrap();
    }
    let expected = format!("{begin}{table}<!-- The end{end}");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, expected).unwrap();
    } else {
        assert!(page == expected, "docs/graphql.md is not up to date; run this test again with BLESS=1");
    }
}

/// A document as its tokens.
fn tokens() -> impl Strategy<Value = Vec<String>> {
    let name = || prop_oneof!["[a-d]{1,3}", Just("issue".to_owned()), Just("x".to_owned())];
    let value = prop_oneof![
        "[1-9][0-9]{0,3}",
        "\"[a-z ,#]{0,5}\"",
        Just("\"\"\"a \n, # b\"\"\"".to_owned()),
        Just("\"\\u0041\\\\\"".to_owned()),
        Just("1.50".to_owned()),
        Just("true".to_owned()),
        "\\$[ab]".prop_map(|variable| variable),
    ];
    let field =
        (name(), proptest::option::of((name(), value))).prop_map(|(field, argument)| match argument {
            None => vec![field],
            Some((argument, value)) => {
                let value = value
                    .strip_prefix('$')
                    .map_or_else(|| vec![value.clone()], |rest| vec!["$".into(), rest.into()]);
                let begin = [field, "(".into(), argument, ":".into()];
                begin.into_iter().chain(value).chain([")".into()]).collect()
            }
        });
    let set = proptest::collection::vec(field, 1..4).prop_map(|fields| {
        let inner = fields.into_iter().flatten();
        [String::from("{")].into_iter().chain(inner).chain(["}".into()]).collect::<Vec<_>>()
    });
    set.prop_recursive(3, 24, 3, |inner| {
        (proptest::collection::vec(("[a-d]{1,2}", inner), 1..3)).prop_map(|fields| {
            let fields = fields.into_iter().flat_map(|(name, set)| [name].into_iter().chain(set));
            [String::from("{")].into_iter().chain(fields).chain(["}".into()]).collect()
        })
    })
}

/// `tokens` with something that means nothing between any two.
fn spelled(tokens: &[String], gaps: &[u8]) -> String {
    const NOTHING: [&str; 6] = [" ", "\n", ", ", "\t\r\n", " # a comment { \"\n", ",,"];
    let mut text = String::new();
    for (place, token) in tokens.iter().enumerate() {
        text.push_str(NOTHING[usize::from(gaps[place % gaps.len()]) % NOTHING.len()]);
        text.push_str(token);
    }
    text
}

proptest! {
    #[test]
    fn two_spellings_of_any_document_have_one_key_and_another_token_gives_another(
        tokens in tokens(),
        one in proptest::collection::vec(any::<u8>(), 1..9),
        other in proptest::collection::vec(any::<u8>(), 1..9),
        place in any::<prop::sample::Index>(),
    ) {
        let key = key_of(&spelled(&tokens, &one));
        prop_assert_eq!(&key, &key_of(&spelled(&tokens, &other)));
        let mut changed = tokens.clone();
        changed[place.index(tokens.len())].push('z');
        if let Ok(different) = key_or_pass(&body(&spelled(&changed, &one))) {
            prop_assert_ne!(key, different);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (key_or_pass(&text), key_or_pass(&body(&text)), is_query(&bytes), is_query(body(&text).as_bytes()));
        let _ = plan(&github(), &head(&[]), bytes);
    }

    #[test]
    fn no_document_that_is_nearly_one_makes_the_reader_panic(text in "[{}()\\[\\]:!$@#\"\\\\.,|&= a0\\-\nmutation]{0,80}") {
        let is_kept = key_or_pass(&body(&text)).is_ok();
        prop_assert!(!is_kept || is_query(body(&text).as_bytes()), "{text:?} is kept and may change something");
    }

    #[test]
    fn variables_of_one_value_have_one_key(value in json_value(), other in json_value()) {
        let text = |variables: &Value, pretty: bool| {
            let whole = json!({ "query": "query($a: X) { a(b: $a) }", "variables": { "a": variables } });
            if pretty { serde_json::to_string_pretty(&whole).unwrap() } else { whole.to_string() }
        };
        prop_assert_eq!(key_or_pass(&text(&value, false)).unwrap(), key_or_pass(&text(&value, true)).unwrap());
        prop_assert_eq!(value == other, key_or_pass(&text(&value, false)).unwrap() == key_or_pass(&text(&other, true)).unwrap());
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_i64..4).prop_map(Value::from),
        "[a\"\\\\,:{}]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[ab\"]{0,2}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn a_comma_means_nothing_wherever_it_stands() {
    let key = |document: &str| plan(&github(), &head(&[]), body(document)).unwrap().0;
    let plain = key(
        "query Q { one: repository { ... on Repository { id } ...f } } fragment f on Repository { name }",
    );
    for spelled in [
        "query Q { one,: repository { ..., on Repository { id } ...,f } } fragment f on Repository { name }",
        ",query,Q,{,one,:,repository,{,...,on,Repository,{,id,},...,f,},},fragment,f,on,Repository,{,name,},",
    ] {
        assert_eq!(key(spelled), plain, "{spelled}");
    }
}

#[test]
fn what_is_shown_of_a_plan_tells_nothing_of_what_is_asked() {
    let (_, planned) =
        plan(&github(), &head(&[]), body("{ repository(owner: \"o\", name: \"hush\") { id } }")).unwrap();
    let shown = format!("{planned:?}");
    assert!(shown.contains("Query(") && !shown.contains("hush"), "{shown}");
}
