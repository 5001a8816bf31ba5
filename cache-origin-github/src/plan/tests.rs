//! Requests and their keys: what shares one, what never does, what is passed.

use super::*;
use crate::MAX_STALE_DEFAULT;
use cache_core::Key;
use http::Request;
use proptest::prelude::*;
use std::time::Duration;

fn parts(method: &str, target: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// The text of the key, or why there is none.
fn key(fields: &[(&str, &str)], target: &str) -> Result<String, PassReason> {
    let github = GitHub::builder().build().unwrap();
    let mut text = "left over".to_owned();
    match github.plan(&parts("GET", target, fields), &mut text) {
        Plan::Cached(planned) => {
            let key = Key::from_text(&text).unwrap();
            assert_eq!(key.domain(), planned.domain);
            Ok(text)
        }
        Plan::Pass(reason) => Err(reason),
        Plan::Body => panic!("a read has no body"),
    }
}

fn planned(fields: &[(&str, &str)]) -> Planned {
    let github = GitHub::builder().build().unwrap();
    match github.plan(&parts("GET", "/user", fields), &mut String::new()) {
        Plan::Cached(planned) => planned,
        Plan::Pass(reason) => panic!("passed: {reason}"),
        Plan::Body => panic!("a read has no body"),
    }
}

#[test]
fn what_real_clients_send_for_one_resource_is_one_key() {
    let gh: &[_] = &[("accept", ""), ("authorization", "token ghp_a"), ("content-type", "application/json")];
    let new_gh: &[_] = &[("accept", "*/*"), ("authorization", "token ghp_a"), ("time-zone", "Europe/Berlin")];
    let octokit: &[_] = &[
        ("accept", "application/vnd.github.v3+json"),
        ("authorization", "token ghp_a"),
        ("pragma", "no-cache"),
    ];
    let octocrab: &[_] = &[("authorization", "Bearer ghp_a"), ("content-length", "0")];
    let first = key(gh, "/repos/o/r?b=1&a=2").unwrap();
    assert!(first.starts_with("api.github.com/repos/o/r?a=2&b=1 json\n"), "{first}");
    for (fields, target) in [
        (new_gh, "/repos/o/r?a=2&b=1"),
        (octokit, "/repos/O/r?b=1&a=2"),
        (octocrab, "/api/v3/repos/o/%72?b=1&a=2&"),
        (new_gh, "http://api.github.com/repos/o/r?a=2&b=1"),
    ] {
        assert_eq!(key(fields, target).as_ref(), Ok(&first));
    }
}

#[test]
fn what_changes_the_answer_changes_the_key() {
    let texts = [
        key(&[], "/user"),
        key(&[("authorization", "token a")], "/user"),
        key(&[("authorization", "token b")], "/user"),
        key(&[("accept", "application/vnd.github.raw")], "/user"),
        key(&[("x-github-api-version", "2026-03-10")], "/user"),
        key(&[], "/user?"),
        key(&[], "/user?a"),
        key(&[], "/user/"),
    ];
    for (at, text) in texts.iter().enumerate() {
        let same: Vec<_> = (0..texts.len()).filter(|other| texts[*other] == *text).collect();
        // Only an empty query makes no difference.
        let expected = if [0, 5].contains(&at) { vec![0, 5] } else { vec![at] };
        assert_eq!(same, expected, "{text:?}");
    }
}

#[test]
fn what_only_the_origin_may_answer_is_passed() {
    let long = format!("/{}", "x".repeat(KEY_BYTES_MAX));
    let none: &[(&str, &str)] = &[];
    let rows = [
        (&[("range", "bytes=0-1")][..], "/user", PassReason::Range),
        (&[("cookie", "a=b")], "/user", PassReason::SpecialField),
        (&[("x-github-otp", "1")], "/user", PassReason::SpecialField),
        (&[("upgrade", "h2c")], "/user", PassReason::Upgrade),
        (&[("content-length", "2")], "/user", PassReason::Body),
        (&[("transfer-encoding", "chunked")], "/user", PassReason::Body),
        (&[("cache-control", "no-store")], "/user", PassReason::NoStore),
        (&[("if-match", "*")], "/user", PassReason::Condition),
        (&[("authorization", "Basic dTpw")], "/user", PassReason::Credential),
        (&[("authorization", "token a"), ("authorization", "token b")], "/user", PassReason::Credential),
        (&[("x-github-api-version", "a b")], "/user", PassReason::Accept),
        (none, "/rate_limit", PassReason::Route("the quota is a live value")),
        (none, "/a/../rate_limit", PassReason::Target),
        (none, "/user?access_token=x", PassReason::Credential),
        (none, "/api/graphql", PassReason::Route("GraphQL")),
        (none, &long, PassReason::TooLong),
    ];
    for (fields, target, reason) in rows {
        assert_eq!(key(fields, target), Err(reason), "{target} {fields:?}");
    }
    let github = GitHub::builder().build().unwrap();
    for method in ["POST", "DELETE", "OPTIONS"] {
        let plan = github.plan(&parts(method, "/user", &[]), &mut String::new());
        assert!(matches!(plan, Plan::Pass(PassReason::Method)), "{method}");
    }
}

#[test]
fn a_never_kept_route_cannot_be_reached_by_writing_it_otherwise() {
    for target in ["/%72ate_limit", "/api/v3/rate_limit", "/repos/o/r/actions/runners/registration%2Dtoken"] {
        assert!(matches!(key(&[], target), Err(PassReason::Route(_))), "{target}");
    }
}

#[test]
fn head_shares_the_key_of_get() {
    let github = GitHub::builder().build().unwrap();
    let (mut of_get, mut of_head) = (String::new(), String::new());
    github.plan(&parts("GET", "/user", &[]), &mut of_get);
    let Plan::Cached(planned) = github.plan(&parts("HEAD", "/user", &[]), &mut of_head) else { panic!() };
    assert_eq!(of_get, of_head);
    assert!(planned.form.head);
}

#[test]
fn nodes_no_cache_beside_a_validator_forces_nothing() {
    let node = [("if-none-match", "\"a\""), ("cache-control", "no-cache"), ("pragma", "no-cache")];
    assert!(!planned(&node).directives.no_cache);
    assert!(planned(&node[1..]).directives.no_cache);
    assert!(planned(&node[2..]).directives.no_cache);
}

#[test]
fn no_cache_beside_what_validates_nothing_asks_the_origin() {
    let no_cache = ("cache-control", "no-cache");
    for nothing in [
        ("if-none-match", ""),
        ("if-none-match", "\"\""),
        ("if-none-match", "W/\"\""),
        ("if-modified-since", "0"),
        ("if-modified-since", ""),
    ] {
        assert!(planned(&[nothing, no_cache]).directives.no_cache, "{nothing:?}");
    }
    let date = ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert!(!planned(&[date, no_cache]).directives.no_cache);
    // A date beside a tag counts for nothing, even if the tag names nothing (RFC 9110, section 13.1.3).
    assert!(planned(&[("if-none-match", ""), date, no_cache]).directives.no_cache);
}

#[test]
fn a_request_may_ask_for_what_is_stale_as_far_as_the_operator_lets_it() {
    let max_stale = |value| planned(&[("cache-control", value)]).directives.max_stale;
    assert_eq!(max_stale("max-stale=7"), Duration::from_secs(7));
    assert_eq!(max_stale("max-stale"), MAX_STALE_DEFAULT);
    assert_eq!(max_stale("max-stale=9999999"), MAX_STALE_DEFAULT);
    assert_eq!(max_stale("max-age=7"), Duration::ZERO);
}

#[test]
fn a_credential_of_our_own_serves_requests_that_bring_none() {
    let github = GitHub::with_token("ghp_own").unwrap();
    let (mut without, mut with) = (String::new(), String::new());
    github.plan(&parts("GET", "/user", &[]), &mut without);
    github.plan(&parts("GET", "/user", &[("authorization", "token ghp_own")]), &mut with);
    assert_eq!(without, with);
    assert!(!with.contains("ghp_own"));
}

proptest! {
    #[test]
    fn planning_a_canonical_target_again_gives_the_same_key(
        path in "(/[a-zA-Z0-9%.~é-]{1,5}){1,5}",
        query in proptest::option::of("[a-c=&%0-9A-F]{0,12}"),
    ) {
        let target = query.map_or(path.clone(), |query| format!("{path}?{query}"));
        if let Ok(target) = target.parse::<http::Uri>()
            && let Ok(first) = key(&[], &target.to_string())
        {
            let canonical = first.split(' ').next().unwrap().strip_prefix("api.github.com").unwrap().to_owned();
            prop_assert_eq!(key(&[], &canonical), Ok(first));
        }
    }

    #[test]
    fn different_tokens_never_share_a_key(a in "[a-z0-9_]{1,12}", b in "[a-z0-9_]{1,12}", schemes in any::<(bool, bool)>()) {
        let scheme = |bearer| if bearer { "Bearer" } else { "token" };
        let (first, second) = (format!("{} {a}", scheme(schemes.0)), format!("{} {b}", scheme(schemes.1)));
        let first = key(&[("authorization", &first)], "/user");
        let second = key(&[("authorization", &second)], "/user");
        prop_assert_eq!(first == second, a == b);
    }
}
