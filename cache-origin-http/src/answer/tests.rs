//! Rules of what is kept, one by one.

use super::*;
use crate::{HttpOrigin, Judged};
use cache_core::{Domain, Key, Timestamp};
use http::{HeaderName, Request};

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn read(fields: &[(&str, &str)]) -> Read {
    let request =
        fields.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
    let (head, ()) = request.body(()).unwrap().into_parts();
    match HttpOrigin::new("http://o", Policy::default()).judge(&head) {
        Judged::Read(read) => read,
        Judged::Pass(reason) => panic!("{reason}"),
    }
}

fn answer(status: u16, pairs: &[(&'static str, &str)]) -> Answer {
    let times = Exchanged { asked_at: NOW, received_at: NOW };
    Answer { status, headers: fields(pairs), body: Bytes::from_static(b"body"), times }
}

fn verdict(status: u16, pairs: &[(&'static str, &str)]) -> Verdict {
    judge(&Policy::default(), &read(&[]), None, answer(status, pairs))
}

fn kept(status: u16, pairs: &[(&'static str, &str)]) -> Option<Draft> {
    match verdict(status, pairs) {
        Verdict::Keep { draft, .. } => Some(draft),
        Verdict::Fault(_) | Verdict::Relay(_) => None,
        other => panic!("{other:?}"),
    }
}

fn entry(pairs: &[(&'static str, &str)]) -> Entry {
    Entry::new(Key::new("r", Domain::ANONYMOUS), kept(200, pairs).unwrap(), NOW, 0)
}

#[test]
fn any_final_status_is_kept_that_says_for_how_long() {
    for status in [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599] {
        assert!(kept(status, &[("cache-control", "max-age=9")]).is_some(), "{status}");
    }
    assert!(kept(206, &[("cache-control", "max-age=9")]).is_none());
}

#[test]
fn what_may_not_be_kept_is_handed_on() {
    for says in ["no-store, max-age=9", "private, max-age=9", "max-age=0", "max-age=x"] {
        assert!(kept(200, &[("cache-control", says)]).is_none(), "{says}");
    }
    assert!(kept(200, &[]).is_none());
    assert!(kept(200, &[("cache-control", "max-age=9"), ("vary", "*")]).is_none());
}

#[test]
fn what_can_be_asked_about_is_kept_though_it_is_never_fresh() {
    for says in ["no-cache", "max-age=9, no-cache"] {
        let draft = kept(200, &[("cache-control", says), ("etag", "\"a\"")]).unwrap();
        assert_eq!(draft.freshness, Freshness::default());
        assert_eq!(draft.validators.etag.as_deref(), Some("\"a\""));
    }
    assert!(kept(502, &[("etag", "\"a\"")]).is_none(), "a status that says nothing lasting");
}

#[test]
fn an_answer_to_a_credential_is_kept_only_where_the_origin_says_it_is_for_all() {
    let with = read(&[("authorization", "x")]);
    let is_kept = |says| {
        let answer = answer(200, &[("cache-control", says)]);
        matches!(judge(&Policy::default(), &with, None, answer), Verdict::Keep { .. })
    };
    assert!(!is_kept("max-age=9"));
    assert!(is_kept("max-age=9, public") && is_kept("s-maxage=9") && is_kept("max-age=9, must-revalidate"));
}

#[test]
fn a_cookie_is_kept_only_with_an_explicit_lifetime() {
    let cookie = ("set-cookie", "a=b");
    assert!(kept(200, &[cookie, ("cache-control", "max-age=9")]).is_some());
    let changed = ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT");
    assert!(kept(200, &[cookie, changed]).is_none());
    let with = |pair| judge(&Policy::default(), &read(&[("cookie", "a=b")]), None, answer(200, &[pair]));
    assert!(matches!(with(changed), Verdict::Relay(_)));
    assert!(matches!(with(("cache-control", "max-age=9")), Verdict::Keep { .. }));
}

#[test]
fn what_must_be_revalidated_is_never_served_stale() {
    let freshness = |says: &str| kept(200, &[("cache-control", says)]).unwrap().freshness;
    for says in ["must-revalidate", "proxy-revalidate"] {
        let says = format!("max-age=2, {says}, stale-if-error=60, stale-while-revalidate=60");
        let freshness = freshness(&says);
        assert_eq!(
            (freshness.if_error, freshness.while_revalidating),
            (Duration::ZERO, Duration::ZERO),
            "{says}"
        );
    }
    assert_eq!(freshness("s-maxage=2").if_error, Duration::ZERO);
    assert_eq!(freshness("max-age=2").if_error, Policy::default().while_unreachable);
    let second = Duration::from_secs(1);
    let allowed = freshness("max-age=2, stale-if-error=60, stale-while-revalidate=30");
    assert_eq!((allowed.if_error, allowed.while_revalidating), (60 * second, 30 * second));
}

#[test]
fn fields_that_are_withheld_reach_the_request_that_fetched_and_no_other() {
    let pairs = [("cache-control", "max-age=9, private=\"a\""), ("a", "1"), ("b", "2")];
    let Verdict::Keep { draft, live, .. } = verdict(200, &pairs) else { panic!("not kept") };
    assert_eq!(draft.content.headers.get("a"), None);
    assert_eq!(draft.content.headers.get("b"), Some(&b"2"[..]));
    assert_eq!(live, fields(&[("a", "1")]));
}

#[test]
fn a_304_renews_what_was_asked_about_and_counts_its_times_anew() {
    let known =
        entry(&[("cache-control", "max-age=2"), ("etag", "\"a\""), ("x", "1"), ("y", "2"), ("age", "1")]);
    let unchanged = answer(304, &[("cache-control", "max-age=7"), ("etag", "\"b\""), ("x", "3")]);
    let Verdict::Renewed(draft) = judge(&Policy::default(), &read(&[]), Some(&known), unchanged) else {
        panic!("not renewed")
    };
    assert_eq!((draft.content.status, &draft.content.body[..]), (200, &b"body"[..]));
    let field = |name| draft.content.headers.get_str(name).unwrap().to_owned();
    assert_eq!((field("x"), field("y"), field("etag")), ("3".into(), "2".into(), "\"a\"".into()));
    assert_eq!((draft.freshness.lifetime, draft.age), (Duration::from_secs(7), Duration::ZERO));
    let now_private = answer(304, &[("cache-control", "private")]);
    assert!(matches!(judge(&Policy::default(), &read(&[]), Some(&known), now_private), Verdict::Relay(_)));
    assert_eq!(verdict(304, &[]), Verdict::Malformed);
    assert_eq!(verdict(101, &[]), Verdict::Malformed);
}

#[test]
fn a_304_by_which_an_answer_varies_more_than_it_did_files_it_anew() {
    let known = entry(&[("cache-control", "max-age=2"), ("etag", "\"a\""), ("vary", "accept")]);
    let by = |vary: &str| judge(&Policy::default(), &read(&[]), Some(&known), answer(304, &[("vary", vary)]));
    assert!(matches!(by("Accept"), Verdict::Renewed(_)));
    let Verdict::Keep { draft, selector, .. } = by("cookie") else { panic!("it stays where it was") };
    assert_eq!(draft.content.headers.get_str("vary"), Some("cookie"));
    assert_eq!(Some(selector), Selector::of_answer(&fields(&[("vary", "cookie")])));
    assert!(matches!(by("*"), Verdict::Relay(_)));
}

#[test]
fn the_cookie_of_a_304_reaches_the_client_that_asked_and_no_other() {
    let known = entry(&[("cache-control", "max-age=2"), ("etag", "\"a\"")]);
    let asked = read(&[("cookie", "alice")]);
    let unchanged = answer(304, &[("set-cookie", "sid=alice")]);
    let Verdict::Keep { draft, live, .. } = judge(&Policy::default(), &asked, Some(&known), unchanged) else {
        panic!("not kept")
    };
    assert_eq!(draft.content.headers.get("set-cookie"), None);
    assert_eq!(live, fields(&[("set-cookie", "sid=alice")]));
    let now_private = answer(304, &[("cache-control", "private"), ("set-cookie", "sid=alice")]);
    let Verdict::Relay(content) = judge(&Policy::default(), &asked, Some(&known), now_private) else {
        panic!("kept")
    };
    assert_eq!(content.headers.get_str("set-cookie"), Some("sid=alice"));
}

#[test]
fn a_fault_is_stood_in_for_only_where_the_origin_has_said_so_and_only_for_as_long() {
    let ill = |says: &str, status, overdue: u64| {
        let known = entry(&[("cache-control", says)]);
        let received_at = NOW.saturating_add(Duration::from_secs(2 + overdue));
        let mut answer = answer(status, &[]);
        answer.times = Exchanged { asked_at: received_at, received_at };
        matches!(judge(&Policy::default(), &read(&[]), Some(&known), answer), Verdict::Fault(_))
    };
    assert!(ill("max-age=2, stale-if-error=60", 503, 59));
    assert!(!ill("max-age=2, stale-if-error=60", 503, 60));
    assert!(!ill("max-age=2", 503, 1));
    assert!(!ill("max-age=2, stale-if-error=60", 404, 1));
    assert!(!ill("max-age=2, stale-if-error=60, must-revalidate", 503, 1));
}

#[test]
fn a_fault_is_shared_by_those_that_wait_unless_it_is_for_one() {
    assert!(matches!(verdict(503, &[]), Verdict::Fault(_)));
    assert!(matches!(verdict(503, &[("cache-control", "private")]), Verdict::Relay(_)));
    assert!(matches!(verdict(404, &[]), Verdict::Relay(_)));
    let with = read(&[("authorization", "x")]);
    assert!(matches!(judge(&Policy::default(), &with, None, answer(503, &[])), Verdict::Relay(_)));
    let with = read(&[("cookie", "u=1")]);
    assert!(matches!(judge(&Policy::default(), &with, None, answer(500, &[])), Verdict::Relay(_)));
    for field in [("set-cookie", "s=1"), ("vary", "cookie")] {
        assert!(matches!(verdict(500, &[field]), Verdict::Relay(_)), "{field:?}");
    }
}

#[test]
fn the_answer_to_head_renews_what_it_is_the_head_of_and_nothing_else() {
    let known = entry(&[("cache-control", "max-age=2"), ("etag", "\"a\""), ("x", "1"), ("y", "2")]);
    let renewed = |pairs: &[(&'static str, &str)]| {
        renewed_by_head(
            &Policy::default(),
            &read(&[]),
            &known,
            Answer { body: Bytes::new(), ..answer(200, pairs) },
        )
    };
    let same =
        renewed(&[("cache-control", "max-age=7"), ("etag", "\"a\""), ("content-length", "4"), ("x", "3")]);
    let same = same.expect("it is the same edition");
    assert_eq!((same.freshness.lifetime, &same.content.body[..]), (Duration::from_secs(7), &b"body"[..]));
    let field = |name| same.content.headers.get_str(name).unwrap().to_owned();
    assert_eq!((field("x"), field("y")), ("3".into(), "2".into()));
    for other in
        [("etag", "\"b\""), ("content-length", "5"), ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")]
    {
        assert_eq!(renewed(&[("cache-control", "max-age=7"), other]), None, "{other:?}");
    }
    assert_eq!(renewed(&[("cache-control", "no-store")]), None);
}
