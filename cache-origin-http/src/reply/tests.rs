//! Rules of what a client is sent, one by one.

use super::*;
use crate::{HttpOrigin, Judged, Policy};
use http::Request;

const WHOLE: &str = "0123456789A";

fn read(method: &str, fields: &[(&str, &str)]) -> Read {
    let request = Request::builder().method(method).uri("/");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let (head, ()) = request.body(()).unwrap().into_parts();
    match HttpOrigin::new("http://o", Policy::default()).judge(&head) {
        Judged::Read(read) => read,
        Judged::Pass(reason) => panic!("{reason}"),
    }
}

fn reply(method: &str, asked: &[(&str, &str)], stored: &[(&'static str, &'static str)]) -> Response<Bytes> {
    let headers = stored.iter().copied().collect();
    of_content(
        &read(method, asked),
        &Content { status: 200, headers, body: Bytes::from_static(WHOLE.as_bytes()) },
    )
}

fn told(response: &Response<Bytes>) -> (u16, &[u8]) {
    (response.status().as_u16(), response.body())
}

const TAGGED: &[(&str, &str)] =
    &[("etag", "\"a\""), ("content-type", "text/plain"), ("content-location", "/x"), ("vary", "foo")];

#[test]
fn a_client_that_has_it_is_told_so_with_what_a_304_needs() {
    let response = reply("GET", &[("if-none-match", "\"b\", W/\"a\"")], TAGGED);
    assert_eq!(told(&response), (304, &b""[..]));
    let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["etag", "content-location", "vary"]);
    assert_eq!(told(&reply("GET", &[("if-none-match", "\"b\"")], TAGGED)), (200, WHOLE.as_bytes()));
}

#[test]
fn a_tag_outweighs_a_date_and_a_date_is_compared_with_the_last_change_or_when_it_was_made() {
    let (old, new) = ("Wed, 01 Jan 2020 00:00:00 GMT", "Thu, 02 Jan 2020 00:00:00 GMT");
    let status = |asked: &[(&str, &str)], stored| reply("GET", asked, stored).status().as_u16();
    assert_eq!(
        status(
            &[("if-none-match", "\"b\""), ("if-modified-since", new)],
            &[("etag", "\"a\""), ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")]
        ),
        200
    );
    assert_eq!(
        status(&[("if-modified-since", new)], &[("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT")]),
        304
    );
    assert_eq!(
        status(&[("if-modified-since", old)], &[("last-modified", "Thu, 02 Jan 2020 00:00:00 GMT")]),
        200
    );
    assert_eq!(
        status(
            &[("if-modified-since", "Thursday, 02-Jan-20 00:00:00 GMT")],
            &[("date", "Wed, 01 Jan 2020 00:00:00 GMT")]
        ),
        304
    );
    assert_eq!(status(&[("if-modified-since", "0")], &[("date", "Wed, 01 Jan 2020 00:00:00 GMT")]), 200);
}

#[test]
fn a_part_is_cut_from_the_whole_and_tells_its_place() {
    let response = reply("GET", &[("range", "bytes=1-3")], TAGGED);
    assert_eq!(told(&response), (206, &b"123"[..]));
    assert_eq!(response.headers()["content-range"], "bytes 1-3/11");
    assert_eq!(response.headers()["content-length"], "3");
    assert_eq!(response.headers()["etag"], "\"a\"");
    assert_eq!(told(&reply("GET", &[("range", "bytes=11-")], TAGGED)).0, 416);
    assert_eq!(told(&reply("GET", &[("range", "bytes=0-1,3-4")], TAGGED)).0, 200);
}

#[test]
fn a_part_of_another_edition_is_not_given() {
    let status = |condition| {
        reply("GET", &[("range", "bytes=1-3"), ("if-range", condition)], TAGGED).status().as_u16()
    };
    assert_eq!((status("\"a\""), status("\"b\""), status("W/\"a\"")), (206, 200, 200));
    assert_eq!(status("Wed, 01 Jan 2020 00:00:00 GMT"), 200);
}

#[test]
fn head_is_answered_with_the_length_and_nothing_else() {
    let response = reply("HEAD", &[("range", "bytes=1-3")], TAGGED);
    assert_eq!(told(&response), (200, &b""[..]));
    assert_eq!(response.headers()["content-length"], "11");
}

#[test]
fn the_age_is_told_of_what_was_kept_and_of_what_came_old() {
    use cache_core::{Domain, Draft, Key, Validators, freshness::Freshness};
    use std::time::Duration;
    let now = Timestamp::from_unix_millis(1_000_000);
    let aged = |seconds, from| {
        let content = Content::of_value("x");
        let draft = Draft {
            content,
            freshness: Freshness::default(),
            validators: Validators::default(),
            age: Duration::from_secs(seconds),
        };
        let entry = Entry::new(Key::new("r", Domain::ANONYMOUS), draft, now, 0);
        let response = of_entry(&read("GET", &[]), &entry, now, from);
        response.headers().get("age").map(|age| age.to_str().unwrap().to_owned())
    };
    assert_eq!(aged(0, Origin::Cache).as_deref(), Some("0"));
    assert_eq!((aged(0, Origin::Server), aged(7, Origin::Server).as_deref()), (None, Some("7")));
}
