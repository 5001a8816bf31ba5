//! Where `http-cache-semantics` reads RFC 9111 otherwise, or not at all: why its rules are not ours.
//!
//! Each case says for how many seconds either would serve a response without asking, `None` if it would not keep it.

use bytes::Bytes;
use cache_core::Timestamp;
use cache_origin_http::{Answer, Exchanged, HttpOrigin, Judged, Policy, Verdict};
use http::{Request, Response};
use http_cache_semantics::CachePolicy;
use std::time::{Duration, UNIX_EPOCH};

/// A request's fields, a response's status and fields.
struct Case {
    asked: &'static [(&'static str, &'static str)],
    status: u16,
    fields: &'static [(&'static str, &'static str)],
}

const fn case(fields: &'static [(&'static str, &'static str)]) -> Case {
    Case { asked: &[], status: 200, fields }
}

const NOW: u64 = 1_700_000_000;
/// [`NOW`], as HTTP writes it.
const DATE: (&str, &str) = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");

fn request(case: &Case) -> Request<()> {
    let request = Request::get("http://o/").header("host", "o");
    let request = case.asked.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a case is a request")
}

fn response(case: &Case) -> Response<()> {
    let response = Response::builder().status(case.status).header(DATE.0, DATE.1);
    let fields = case.fields.iter().filter(|(name, _value)| *name != "date");
    let response = fields.fold(response, |response, (name, value)| response.header(*name, *value));
    response.body(()).expect("a case is a response")
}

fn ours(case: &Case) -> Option<u64> {
    let origin = HttpOrigin::new("http://o", Policy::default());
    let Judged::Read(read) = origin.judge(&request(case).into_parts().0) else { return None };
    let at = Timestamp::from_unix_millis(NOW * 1000);
    let answer = Answer {
        status: case.status,
        headers: response(case).headers().clone(),
        body: Bytes::new(),
        times: Exchanged { asked_at: at, received_at: at },
    };
    match origin.verdict(&read, None, answer) {
        Verdict::Keep { draft, .. } => Some(draft.freshness.lifetime.saturating_sub(draft.age).as_secs()),
        _not_kept => None,
    }
}

fn theirs(case: &Case) -> Option<u64> {
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let policy = CachePolicy::new_options(&request(case), &response(case), now, Default::default());
    policy.is_storable().then(|| policy.time_to_live(now).as_secs())
}

#[test]
fn where_both_know_the_rule_they_agree() {
    let cases = [
        (case(&[("cache-control", "max-age=60")]), Some(60)),
        (case(&[("cache-control", "max-age=60, s-maxage=5")]), Some(5)),
        (case(&[("cache-control", "no-store, max-age=60")]), None),
        (case(&[("cache-control", "private, max-age=60")]), None),
        (case(&[("cache-control", "max-age=60"), ("age", "20")]), Some(40)),
        (case(&[("expires", "Tue, 14 Nov 2023 22:14:20 GMT")]), Some(60)),
        (case(&[("last-modified", "Tue, 14 Nov 2023 21:56:40 GMT")]), Some(100)),
        (Case { asked: &[("authorization", "x")], ..case(&[("cache-control", "max-age=60")]) }, None),
        (
            Case { asked: &[("authorization", "x")], ..case(&[("cache-control", "max-age=60, public")]) },
            Some(60),
        ),
    ];
    for (case, expected) in &cases {
        assert_eq!((ours(case), theirs(case)), (*expected, *expected), "{:?}", case.fields);
    }
}

#[test]
fn where_the_other_reads_otherwise_ours_is_what_the_rfc_says() {
    for (section, case, ours_is, theirs_is) in DIFFERENT {
        assert_eq!((ours(case), theirs(case)), (*ours_is, *theirs_is), "RFC {section}: {:?}", case.fields);
    }
}

/// The section that says so, the case, what we make of it, and what the other does.
const DIFFERENT: &[(&str, Case, Option<u64>, Option<u64>)] = &[
    (
        "9213, 2.2",
        case(&[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")]),
        Some(60),
        None,
    ),
    ("9213, 2.2", case(&[("cache-control", "max-age=60"), ("cdn-cache-control", "private")]), None, Some(60)),
    ("9111, 5.2.2.3", case(&[("cache-control", "max-age=60, no-store, must-understand")]), Some(60), None),
    ("9111, 5.1", case(&[("cache-control", "max-age=3600"), ("age", "7200, 0")]), Some(0), Some(3600)),
    ("9111, 3", Case { status: 299, ..case(&[("cache-control", "max-age=60")]) }, Some(60), None),
    ("9111, 3", Case { status: 503, ..case(&[("cache-control", "max-age=60")]) }, Some(60), None),
    ("9111, 5.2.2.7", case(&[("cache-control", "max-age=60, private=\"set-cookie\"")]), Some(60), None),
    // Nobody forbids more than a day; two years without being asked about is more than anybody means.
    (
        "9111, 4.2.2",
        case(&[("last-modified", "Tue, 14 Nov 2000 22:13:20 GMT")]),
        Some(86_400),
        Some(72_576_001),
    ),
];
