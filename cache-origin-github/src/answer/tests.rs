//! What becomes of answers, as a table.

use super::*;
use crate::RouteTable;
use cache_core::{Domain, Key, Timestamp};
use http::Response;

/// How an answer is judged, in a word or two.
fn judged(status: u16, fields: &[(&str, &str)], body: &str, named: bool) -> String {
    match judge(status, fields, body, named, "/repos/o/r") {
        Fetched::Fresh(draft) => format!("fresh {}", draft.freshness.lifetime.as_secs()),
        Fetched::Throttled { retry_after, .. } => format!("throttled {}", retry_after.as_secs()),
        Fetched::Unstorable { audience, .. } => format!("unstorable {audience:?}"),
        Fetched::Fault { content } => format!("fault {}", content.status),
        Fetched::Failed(error) => format!("failed {error:?}"),
        Fetched::NotModified(_) | Fetched::Oversize | Fetched::Proven(_) | Fetched::Spent(..) => {
            unreachable!("not made here")
        }
    }
}

fn judge(status: u16, fields: &[(&str, &str)], body: &str, named: bool, path: &str) -> Fetched {
    let head = head(status, fields);
    let origin = OriginUrl::github();
    let table = RouteTable::default().with_rules(["/mine = 7s".parse().unwrap()]);
    let circumstances = Circumstances {
        origin: &origin,
        path,
        rule: table.rule(path),
        named,
        each_proves: false,
        shows_credential: !named,
        respect_max_age: path == "/respect",
        one_agent: true,
        tag_scope: [1; 8],
        now: SystemTime::now(),
        taken: Duration::ZERO,
    };
    let (body, coding) = (body.to_owned().into(), BodyCoding::Absent);
    Answer { head: &head, body, coding, circumstances }.judge()
}

fn head(status: u16, fields: &[(&str, &str)]) -> response::Parts {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    if !fields.iter().any(|(name, _)| *name == "connection") {
        response = response.header("content-length", "1");
    }
    response.body(()).unwrap().into_parts().0
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
        (200, json, "{}\n{\"token\":\"x\"}", "unstorable Leader"),
        (202, json, "{\"token\":\"x\"}", "unstorable Leader"),
        (200, json, "", "unstorable Domain"),
        (200, json, "<html>", "unstorable Domain"),
        (200, json, "{}\n{}\n", "fresh 300"),
        (200, json, "\u{feff}{}", "fresh 300"),
        (200, &[("content-type", "application/vnd.github.raw+json")], "{\"cut", "fresh 300"),
        (200, &[("cache-control", "no-store")], "x", "unstorable Domain"),
        (200, &[("cache-control", "private, max-age=60, s-maxage=60")], "x", "fresh 300"),
        (200, &[("cache-control", "no-cache")], "x", "unstorable Domain"),
        (200, &[("cache-control", "no-cache"), ("etag", "\"a\"")], "x", "fresh 0"),
        (200, &[("vary", "*")], "x", "unstorable Domain"),
        (200, &[("vary", "accept"), ("vary", "origin, *")], "x", "unstorable Domain"),
        (200, &[("vary", "Accept, User-Agent")], "x", "unstorable Domain"),
        (200, &[("vary", "Accept, X-Requested-With")], "x", "fresh 300"),
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
fn what_is_stale_as_it_comes_is_asked_about_each_time() {
    let rows = [
        (200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")][..], "x", "fresh 0"),
        (200, &[("cache-control", "max-age=x"), ("etag", "\"a\"")], "x", "fresh 0"),
        (200, &[("expires", "0"), ("etag", "\"a\"")], "x", "fresh 0"),
        (200, &[("expires", "0")], "x", "unstorable Domain"),
        (200, &[("cache-control", "max-age=5"), ("expires", "0")], "x", "fresh 300"),
        (200, &[("pragma", "no-cache"), ("etag", "\"a\"")], "x", "fresh 0"),
        (200, &[("cache-control", "x=\"no-store, no-cache\"")], "x", "fresh 300"),
    ];
    for (status, fields, body, expected) in rows {
        assert_eq!(judged(status, fields, body, false), expected, "{status} {fields:?}");
    }
}

#[test]
fn an_absence_is_kept_no_longer_than_the_origin_says() {
    let rows = [
        (404, &[][..], "", "fresh 10"),
        (404, &[("cache-control", "no-store")], "", "unstorable Domain"),
        (404, &[("cache-control", "no-cache"), ("etag", "\"a\"")], "", "unstorable Domain"),
        (404, &[("cache-control", "no-cache=\"x\"")], "", "unstorable Domain"),
        (404, &[("pragma", "no-cache")], "", "unstorable Domain"),
        (404, &[("cache-control", "max-age=3")], "", "fresh 3"),
        (404, &[("cache-control", "max-age=60")], "", "fresh 10"),
        (404, &[("cache-control", "max-age=60, s-maxage=2")], "", "fresh 2"),
        (404, &[("cache-control", "max-age=60"), ("cache-control", "max-age=2")], "", "fresh 2"),
        (404, &[("cache-control", "max-age=0")], "", "unstorable Domain"),
        (404, &[("cache-control", "max-age=-1")], "", "unstorable Domain"),
        (404, &[("expires", "Sun, 06 Nov 1994 08:49:37 GMT")], "", "unstorable Domain"),
        (404, &[("age", "4")], "", "fresh 10"),
        (404, &[("age", "10")], "", "unstorable Domain"),
        (404, &[("age", "-10")], "", "fresh 10"),
        (404, &[("vary", "*")], "", "unstorable Domain"),
        (404, &[("vary", "accept, *")], "", "unstorable Domain"),
        (410, &[("cache-control", "no-cache")], "", "unstorable Domain"),
        (410, &[("cache-control", "no-cache")], "", "unstorable Domain"),
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
    assert_eq!(answer.freshness.lifetime, Duration::from_secs(60));
    assert_eq!(answer.age, Duration::from_secs(20));
}

#[test]
fn those_who_wait_for_what_is_not_kept_are_told_its_age_and_coding() {
    let origin = OriginUrl::github();
    let table = RouteTable::default();
    let head = head(200, &[("age", "7"), ("content-encoding", "br"), ("content-type", "application/json")]);
    let circumstances = Circumstances {
        origin: &origin,
        path: "/repos/o/r",
        rule: table.rule("/x"),
        named: false,
        each_proves: false,
        shows_credential: true,
        respect_max_age: false,
        one_agent: true,
        tag_scope: [1; 8],
        now: SystemTime::now(),
        taken: Duration::ZERO,
    };
    let answer = Answer { head: &head, body: "coded".into(), coding: BodyCoding::Left, circumstances };
    let Fetched::Unstorable { content, .. } = answer.judge() else { panic!() };
    assert_eq!(content.headers.get_str("age"), Some("7"));
    assert_eq!(content.headers.get_str("content-encoding"), Some("br"));
    let Fetched::Unstorable { content, .. } = judge(202, &[("age", "7")], "", false, "/x") else { panic!() };
    assert_eq!(content.headers.get_str("age"), Some("7"));
    let Fetched::Fresh(draft) = judge(200, &[("age", "7")], "", false, "/x") else { panic!() };
    assert_eq!((draft.content.headers.get("age"), draft.age), (None, Duration::from_secs(7)));
}

/// What is renewed when a 304 with the fields in `new` says so of an answer with those in `old`, at `path`.
fn renewal(old: &[(&str, &str)], new: &[(&str, &str)], path: &str) -> Fetched {
    let Fetched::Fresh(draft) = judge(200, old, "body", false, path) else { panic!("{old:?}") };
    let entry = Entry::new(Key::new("r", Domain::ANONYMOUS), draft, Timestamp::from_unix_millis(0), 0);
    let (origin, table) = (OriginUrl::github(), RouteTable::default());
    let circumstances = Circumstances {
        origin: &origin,
        path,
        rule: table.rule(path),
        named: false,
        each_proves: false,
        shows_credential: true,
        respect_max_age: path == "/respect",
        one_agent: true,
        tag_scope: [2; 8],
        now: SystemTime::now(),
        taken: Duration::from_secs(1),
    };
    renew(&entry, &head(304, new), Some("\"asked\"".into()), &circumstances).unwrap()
}

fn renewed(old: &[(&str, &str)], new: &[(&str, &str)], path: &str) -> Draft {
    match renewal(old, new, path) {
        Fetched::NotModified(draft) => draft,
        other => panic!("{old:?} {new:?}: {other:?}"),
    }
}

#[test]
fn a_304_renews_lifetime_and_validators_and_keeps_the_body() {
    let draft = renewed(&[("etag", "\"old\""), ("date", "1")], &[("date", "2"), ("age", "3")], "/x");
    assert_eq!(draft.content.body, "body");
    assert_eq!(draft.content.status, 200);
    assert_eq!(draft.content.headers.get_str("date"), Some("2"));
    assert_eq!(draft.content.headers.get_str("etag"), Some("\"old\""));
    assert_eq!(draft.validators.etag.as_deref(), Some("\"asked\""));
    assert_eq!(draft.validators.etag_scope, Some([2; 8]));
    assert_eq!(draft.freshness.lifetime, Duration::from_secs(300));
    assert_eq!(draft.age, Duration::from_secs(4));
}

#[test]
fn what_a_304_does_not_repeat_still_holds() {
    let tag = ("etag", "\"a\"");
    let control = |value| ("cache-control", value);
    let late = ("expires", "Fri, 31 Dec 2100 23:59:59 GMT");
    let past = ("expires", "Sun, 06 Nov 1994 08:49:37 GMT");
    let none: &[(&str, &str)] = &[];
    // An answer, a 304, and the lifetime by the route's rule and by the origin's word.
    let rows = [
        (&[tag, control("no-cache")][..], none, 0, 0),
        (&[tag, control("no-cache")], &[control("max-age=60")], 300, 60),
        (&[tag, control("max-age=60")], none, 300, 60),
        (&[tag, control("max-age=60")], &[tag], 300, 60),
        (&[tag, control("max-age=60")], &[control("max-age=30")], 300, 30),
        (&[tag, control("max-age=60")], &[control("no-cache")], 0, 0),
        (&[tag, control("max-age=60")], &[control("max-age=0")], 0, 0),
        (&[tag, control("max-age=60, must-revalidate")], none, 300, 60),
        (&[tag, late], none, 300, 300),
        (&[tag, late], &[past], 0, 0),
        (&[tag], none, 300, 300),
    ];
    for (old, new, by_rule, by_origin) in rows {
        assert_eq!(renewed(old, new, "/x").freshness.lifetime.as_secs(), by_rule, "{old:?} {new:?}");
        assert_eq!(renewed(old, new, "/respect").freshness.lifetime.as_secs(), by_origin, "{old:?} {new:?}");
    }
    let strict = [tag, control("max-age=60, must-revalidate")];
    assert_eq!(renewed(&strict, none, "/x").freshness.if_error, Duration::ZERO);
}

#[test]
fn an_answer_that_a_304_forbids_to_keep_is_handed_on_and_not_kept() {
    for new in [("cache-control", "no-store"), ("vary", "*"), ("vary", "accept, *")] {
        let renewal = renewal(&[("etag", "\"a\"")], &[new], "/x");
        let Fetched::Unstorable { content, .. } = renewal else { panic!("{new:?}") };
        assert_eq!((content.status, &content.body[..]), (200, &b"body"[..]));
    }
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
        let head = head(200, json);
        let origin = OriginUrl::github();
        let circumstances = Circumstances {
            origin: &origin,
            path,
            rule: table.rule(path),
            named: false,
            each_proves: false,
            shows_credential: true,
            respect_max_age: false,
            one_agent: true,
            tag_scope: [1; 8],
            now: SystemTime::now(),
            taken: Duration::ZERO,
        };
        let (body, coding) = (body.to_owned().into(), BodyCoding::Absent);
        let judged = Answer { head: &head, body, coding, circumstances }.judge();
        let Fetched::Fresh(draft) = judged else { panic!("{judged:?}") };
        let key = Key::new("r", Domain::ANONYMOUS);
        let entry = Entry::new(key, draft.clone(), Timestamp::from_unix_millis(0), 0);
        let renewed = renew(&entry, &self::head(304, &[]), None, &circumstances);
        let Some(Fetched::NotModified(Draft { freshness: renewed, .. })) = renewed else { panic!() };
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
