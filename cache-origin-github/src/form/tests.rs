//! Replies: what clients have already, codings, HEAD, layout.

use super::*;
use cache_core::{Domain, Draft, Key, Timestamp, Validators, freshness::Freshness};
use flate2::read::GzDecoder;
use std::{io::Read as _, time::Duration};

fn content(headers: &[(&str, &str)], body: &str) -> Content {
    Content { status: 200, headers: headers.iter().copied().collect(), body: body.to_owned().into() }
}

fn entry(headers: &[(&str, &str)], given: &str) -> Entry {
    let draft = Draft {
        content: content(headers, "{}"),
        freshness: Freshness::default(),
        validators: Validators { etag: Some(given.into()), ..Validators::default() },
        age: Duration::ZERO,
    };
    Entry::new(Key::new("r", Domain::ANONYMOUS), draft, Timestamp::from_unix_millis(0), 0)
}

fn asking(if_none_match: &'static str) -> Form {
    Form { if_none_match: Some(HeaderValue::from_static(if_none_match)), ..Form::default() }
}

#[test]
fn a_client_that_holds_the_tag_in_either_strength_has_the_answer() {
    let entry = entry(&[("etag", "\"served\"")], "W/\"given\"");
    for tags in ["\"served\"", "W/\"served\"", "\"x\", W/\"served\"", "*", "\"given\""] {
        assert!(asking(tags).not_modified(&entry), "{tags}");
    }
    for tags in ["\"x\"", "served", "", "\"serve"] {
        assert!(!asking(tags).not_modified(&entry), "{tags}");
    }
    assert!(!Form::default().not_modified(&entry));
}

#[test]
fn a_comma_or_a_backslash_inside_a_tag_belongs_to_it() {
    let odd = entry(&[("etag", "\"a,b\\\"")], "W/\"c, d\"");
    for tags in ["\"a,b\\\"", "\"x\",W/\"a,b\\\",\"y\"", "\"c, d\"", ", ,\"c, d\" ,"] {
        assert!(asking(tags).not_modified(&odd), "{tags}");
    }
    for tags in ["\"a\"", "\"b\\\"", "\"a\", \"b\\\"", "a,b\\", "\"a,b\\", "\"d\""] {
        assert!(!asking(tags).not_modified(&odd), "{tags}");
    }
    let plain = entry(&[("etag", "\"b\"")], "\"b\"");
    assert!(!asking("\"a,\"b\",c\"").not_modified(&plain));
    assert!(asking("\"a,\" , \"b\"").not_modified(&plain));
}

#[test]
fn a_list_may_name_no_tag_at_all() {
    let names = |list| lists_any_tag(&HeaderValue::from_static(list));
    assert!(["", " ", ",", "\"\"", "W/\"\"", "\"\", \"\""].into_iter().all(|list| !names(list)));
    assert!(["\"a\"", "W/\"a\"", "*", "a", "\"\", \"a\"", "\" \""].into_iter().all(names));
}

#[test]
fn dates_count_only_without_tags() {
    let early = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:36 GMT");
    let late = HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT");
    let entry = entry(&[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")], "\"a\"");
    let since = |date: &HeaderValue| Form { if_modified_since: Some(date.clone()), ..Form::default() };
    assert!(since(&late).not_modified(&entry));
    assert!(!since(&early).not_modified(&entry));
    assert!(!Form { if_modified_since: Some(late), ..asking("\"b\"") }.not_modified(&entry));
}

#[test]
fn an_unchanged_reply_carries_what_a_304_must() {
    let content =
        content(&[("etag", "\"a\""), ("content-type", "a/b"), ("link", "x"), ("date", "d")], "body");
    let reply = Form::unchanged_reply(&content);
    assert_eq!(reply.status(), StatusCode::NOT_MODIFIED);
    assert!(reply.body().is_empty());
    let mut names: Vec<_> = reply.headers().keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["date", "etag", "link"]);
}

#[test]
fn a_long_text_is_compressed_for_who_accepts_it_and_its_tag_is_weak() {
    let body = format!("[{}1]", "1,".repeat(GZIP_BYTES_MIN));
    let content = content(&[("content-type", "application/json; charset=utf-8"), ("etag", "\"a\"")], &body);
    let reply = Form { coding: Coding::Gzip, ..Form::default() }.reply(&content, |_response| {});
    let mut decoded = String::new();
    GzDecoder::new(&reply.body()[..]).read_to_string(&mut decoded).unwrap();
    assert_eq!(decoded, body);
    assert_eq!(reply.headers()["etag"], "W/\"a\"");
    assert_eq!(reply.headers()["content-encoding"], "gzip");
    assert_eq!(reply.headers()["content-length"], reply.body().len().to_string());
    let plain = Form::default().reply(&content, |_response| {});
    assert_eq!(plain.body(), &body);
    assert_eq!(plain.headers()["etag"], "\"a\"");
    assert_eq!(plain.headers()["vary"], "Accept-Encoding");
}

#[test]
fn short_or_binary_bodies_stay_as_they_are() {
    let form = Form { coding: Coding::Gzip, ..Form::default() };
    let long = "x".repeat(GZIP_BYTES_MIN);
    for (kind, body) in [("application/json", "{}"), ("image/png", &long)] {
        let reply = form.reply(&content(&[("content-type", kind)], body), |_response| {});
        assert_eq!(reply.body(), body);
        assert!(!reply.headers().contains_key("content-encoding"));
    }
}

#[test]
fn head_has_the_length_but_not_the_body() {
    let reply = Form { head: true, ..Form::default() }.reply(&content(&[], "body"), |_response| {});
    assert!(reply.body().is_empty());
    assert_eq!(reply.headers()["content-length"], "4");
}

#[test]
fn layout_is_for_the_origins_json_alone() {
    let form = Form { pretty: true, ..Form::default() };
    let body =
        |kind| form.reply(&content(&[("content-type", kind)], "{\"a\":1}"), |_response| {}).into_body();
    assert_eq!(body("application/json"), "{\n  \"a\": 1\n}\n");
    assert_eq!(body("application/vnd.github.raw+json"), "{\"a\":1}");
}

#[test]
fn weights_decide_between_codings() {
    let rows = [
        ("gzip", Coding::Gzip),
        ("gzip, identity", Coding::Gzip),
        ("gzip;q=0.1, identity;q=0.5", Coding::Identity),
        ("*", Coding::Gzip),
        ("*;q=0", Coding::Identity),
        ("gzip; q=0.000", Coding::Identity),
        ("gzip;q=nonsense", Coding::Identity),
        ("br, deflate", Coding::Identity),
        ("", Coding::Identity),
    ];
    for (field, coding) in rows {
        assert_eq!(Coding::accepted(Some(&HeaderValue::from_static(field))), coding, "{field}");
    }
}
