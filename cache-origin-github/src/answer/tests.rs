//! What becomes of answers, as a table.

use super::*;
use crate::RouteTable;
use cache_core::{Domain, Key, Timestamp};
use http::{Request, Response};

/// How an answer is judged, in a word or two.
fn judged(status: u16, fields: &[(&str, &str)], body: &str, named: bool) -> String {
    match judge(status, fields, body, named, "/repos/o/r") {
        Fetched::Fresh(draft) => format!("fresh {}", draft.freshness.lifetime.as_secs()),
        Fetched::Throttled { retry_after, .. } => format!("throttled {}", retry_after.as_secs()),
        Fetched::Unstorable { audience, .. } => format!("unstorable {audience:?}"),
        Fetched::Fault { content } => format!("fault {}", content.status),
        Fetched::Failed(error) => format!("failed {error:?}"),
        Fetched::NotModified(_) | Fetched::Oversize => unreachable!("not made here"),
    }
}

fn judge(status: u16, fields: &[(&str, &str)], body: &str, named: bool, path: &str) -> Fetched {
    let (request, head) = heads(status, fields);
    let origin = OriginUrl::github();
    let table = RouteTable::default().with_rules(["/mine = 7s".parse().unwrap()]);
    let circumstances = Circumstances {
        origin: &origin,
        path,
        rule: table.rule(path),
        named,
        respect_max_age: path == "/respect",
        tag_scope: [1; 8],
        now: SystemTime::now(),
    };
    Answer { request: &request, head: &head, body: body.to_owned().into(), circumstances }.judge()
}

fn heads(status: u16, fields: &[(&str, &str)]) -> (request::Parts, response::Parts) {
    let request = Request::get("https://api.github.com/repos/o/r").body(()).unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    if !fields.iter().any(|(name, _)| *name == "connection") {
        response = response.header("content-length", "1");
    }
    (request.into_parts().0, response.body(()).unwrap().into_parts().0)
}

#[test]
fn what_becomes_of_an_answer() {
    let none: &[(&str, &str)] = &[];
    let spent: &[_] = &[("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "0")];
    let left: &[_] = &[("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "9")];
    let json: &[_] = &[("content-type", "application/json")];
    let secondary = "{\"message\":\"You have exceeded a secondary rate limit.\"}";
    let elsewhere: &[_] = &[("location", "https://codeload.github.com/o/r?token=x")];
    let here: &[_] = &[("location", "https://api.github.com/repositories/1")];
    let rows = [
        (200, none, "x", "fresh 300"),
        (200, json, "{}", "fresh 300"),
        (200, json, "{\"cut", "failed BodyDamaged"),
        (200, json, "{\"status\":\"queued\"}", "fresh 2"),
        (200, none, "{\"status\":\"queued\"}", "fresh 300"),
        (200, json, "{\"token\":\"x\"}", "unstorable Leader"),
        (200, &[("content-type", "application/vnd.github.raw+json")], "{\"cut", "fresh 300"),
        (200, &[("cache-control", "no-store")], "x", "unstorable Domain"),
        (200, &[("cache-control", "private, max-age=60, s-maxage=60")], "x", "fresh 300"),
        (200, &[("cache-control", "no-cache")], "x", "unstorable Domain"),
        (200, &[("cache-control", "no-cache"), ("etag", "\"a\"")], "x", "fresh 0"),
        (200, &[("vary", "*")], "x", "unstorable Domain"),
        (200, &[("connection", "close")], "x", "unstorable Domain"),
        (202, none, "{}", "unstorable Domain"),
        (204, none, "", "unstorable Domain"),
        (206, none, "x", "unstorable Domain"),
        (301, here, "", "fresh 300"),
        (301, &[("location", "/repositories/1")], "", "fresh 300"),
        (301, elsewhere, "", "unstorable Leader"),
        (301, none, "", "unstorable Leader"),
        (302, here, "", "unstorable Domain"),
        (302, elsewhere, "", "unstorable Leader"),
        (307, here, "", "unstorable Domain"),
        (401, none, "", "unstorable Domain"),
        (403, none, "", "unstorable Domain"),
        (403, left, "Must have admin rights", "unstorable Domain"),
        (403, spent, "", "throttled 60"),
        (403, &[("retry-after", "7")], "", "throttled 7"),
        (403, left, secondary, "throttled 60"),
        (404, none, "", "fresh 10"),
        (404, &[("cache-control", "no-store")], "", "unstorable Domain"),
        (410, none, "", "fresh 10"),
        (422, none, "", "unstorable Domain"),
        (429, none, "", "throttled 60"),
        (451, none, "", "unstorable Domain"),
        (500, none, "", "fault 500"),
        (503, &[("retry-after", "7")], "", "fault 503"),
    ];
    for (status, fields, body, expected) in rows {
        assert_eq!(judged(status, fields, body, false), expected, "{status} {fields:?}");
    }
}

#[test]
fn in_a_named_domain_refusals_are_for_their_credential_alone() {
    for status in [302, 401, 403, 404, 410] {
        assert_eq!(judged(status, &[], "", true), "unstorable Leader", "{status}");
    }
    assert_eq!(judged(200, &[], "x", true), "fresh 300");
    assert_eq!(judged(202, &[], "x", true), "unstorable Domain");
}

#[test]
fn an_operators_rule_overrules_no_cache_but_not_no_store() {
    let lifetime = |value| match judge(200, &[("cache-control", value)], "x", false, "/mine") {
        Fetched::Fresh(draft) => Some(draft.freshness.lifetime.as_secs()),
        _other => None,
    };
    assert_eq!(lifetime("no-cache"), Some(7));
    assert_eq!(lifetime("no-store"), None);
}

#[test]
fn an_absence_never_stands_in_for_an_origin_that_fails() {
    let Fetched::Fresh(absence) = judge(404, &[("etag", "\"a\"")], "", false, "/x") else { panic!() };
    assert_eq!(absence.freshness.if_error, Duration::ZERO);
    assert_eq!(absence.validators, Validators::default());
    let Fetched::Fresh(answer) = judge(200, &[], "", false, "/x") else { panic!() };
    assert_eq!(answer.freshness.if_error, crate::IF_ERROR_DEFAULT);
    let strict = [("cache-control", "must-revalidate")];
    let Fetched::Fresh(answer) = judge(200, &strict, "", false, "/x") else { panic!() };
    assert_eq!(answer.freshness.if_error, Duration::ZERO);
}

#[test]
fn the_origins_max_age_counts_when_it_is_to_be_respected() {
    let fields = [("cache-control", "max-age=60"), ("age", "20")];
    let Fetched::Fresh(answer) = judge(200, &fields, "", false, "/respect") else { panic!() };
    assert_eq!(answer.freshness.lifetime, Duration::from_secs(40));
    assert_eq!(answer.age, Duration::from_secs(20));
}

#[test]
fn a_304_renews_lifetime_and_validators_and_keeps_the_body() {
    let Fetched::Fresh(draft) = judge(200, &[("etag", "\"old\""), ("date", "1")], "body", false, "/x") else {
        panic!()
    };
    let entry = Entry::new(Key::new("r", Domain::ANONYMOUS), draft, Timestamp::from_unix_millis(0), 0);
    let (request, head) = heads(304, &[("date", "2"), ("age", "3")]);
    let (origin, table) = (OriginUrl::github(), RouteTable::default());
    let circumstances = Circumstances {
        origin: &origin,
        path: "/repos/o/r",
        rule: table.rule("/x"),
        named: false,
        respect_max_age: false,
        tag_scope: [2; 8],
        now: SystemTime::now(),
    };
    let renewed = renew(&entry, &request, &head, Some("\"asked\"".into()), &circumstances);
    assert_eq!(renewed.content.body, "body");
    assert_eq!(renewed.content.status, 200);
    assert_eq!(renewed.content.headers.get_str("date"), Some("2"));
    assert_eq!(renewed.content.headers.get_str("etag"), Some("\"old\""));
    assert_eq!(renewed.validators.etag.as_deref(), Some("\"asked\""));
    assert_eq!(renewed.validators.etag_scope, Some([2; 8]));
    assert_eq!(renewed.freshness.lifetime, Duration::from_secs(300));
    assert_eq!(renewed.age, Duration::from_secs(3));
}

#[test]
fn what_is_not_settled_is_fresh_for_a_moment_and_never_served_while_it_is_renewed() {
    let json: &[_] = &[("content-type", "application/json"), ("etag", "\"a\"")];
    let times = |rules: &[&str], body: &str| {
        let rules = rules.iter().map(|rule| rule.parse::<RouteRule>().unwrap());
        let table = RouteTable::default()
            .with_default_staleness(Duration::from_secs(60), Duration::from_secs(60))
            .with_rules(rules);
        let path = "/repos/o/r/pulls/1";
        let (request, head) = heads(200, json);
        let origin = OriginUrl::github();
        let circumstances = Circumstances {
            origin: &origin,
            path,
            rule: table.rule(path),
            named: false,
            respect_max_age: false,
            tag_scope: [1; 8],
            now: SystemTime::now(),
        };
        let judged =
            Answer { request: &request, head: &head, body: body.to_owned().into(), circumstances }.judge();
        let Fetched::Fresh(draft) = judged else { panic!("{judged:?}") };
        let key = Key::new("r", Domain::ANONYMOUS);
        let entry = Entry::new(key, draft.clone(), Timestamp::from_unix_millis(0), 0);
        let (_, not_modified) = heads(304, &[]);
        let renewed = renew(&entry, &request, &not_modified, None, &circumstances).freshness;
        assert_eq!(renewed, draft.freshness, "a 304 changes nothing of it");
        let seconds = |time: Duration| time.as_secs();
        [renewed.lifetime, renewed.while_revalidating, renewed.if_error].map(seconds)
    };
    assert_eq!(times(&[], "{\"mergeable\":true}"), [300, 60, 60]);
    assert_eq!(times(&[], "{\"mergeable\":null}"), [2, 0, 60]);
    assert_eq!(times(&["/repos/** = 900s"], "{\"mergeable\":null}")[0], 2);
    assert_eq!(times(&["/repos/** = 900s unsettled=30s"], "{\"mergeable\":null}")[0], 30);
    assert_eq!(times(&["/repos/** = 1s unsettled=30s"], "{\"mergeable\":null}")[0], 1);
}
