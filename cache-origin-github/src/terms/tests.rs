//! Directives about keeping, as a table, and compared with another reading of RFC 9111.

use super::*;
use http::{HeaderName, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use proptest::prelude::*;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const MINUTE_LATER: &str = "Sun, 06 Nov 1994 08:50:37 GMT";

type Fields<'a> = &'a [(&'a str, &'a str)];

fn headers(fields: Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    headers
}

fn read(fields: Fields<'_>) -> Terms {
    Terms::read(&headers(fields), SystemTime::now())
}

#[test]
fn a_lifetime_is_the_shortest_that_the_answer_names() {
    let control = |value| ("cache-control", value);
    let rows: [(Fields<'_>, Option<u64>); 20] = [
        (&[], None),
        (&[control("private")], None),
        (&[control("max-age=60")], Some(60)),
        (&[control("MAX-AGE=\"60\"")], Some(60)),
        (&[control("max-age = 60")], Some(60)),
        (&[control("max-age=60, s-maxage=30")], Some(30)),
        (&[control("s-maxage=30")], Some(30)),
        (&[control("max-age=60, max-age=5")], Some(5)),
        (&[control("max-age=60"), control("max-age=5")], Some(5)),
        (&[control("max-age")], Some(0)),
        (&[control("max-age=")], Some(0)),
        (&[control("max-age=x")], Some(0)),
        (&[control("max-age=-1")], Some(0)),
        (&[control("max-age=60.5")], Some(0)),
        (&[control("max-age=99999999999999999999")], Some(1 << 31)),
        (&[control("x=\"a, max-age=5\", max-age=60")], Some(60)),
        (&[("date", DATE), ("expires", MINUTE_LATER)], Some(60)),
        (&[("date", MINUTE_LATER), ("expires", DATE)], Some(0)),
        (&[("date", DATE), ("expires", "soon")], Some(0)),
        (&[("date", DATE), ("expires", MINUTE_LATER), control("max-age=7")], Some(7)),
    ];
    for (fields, expected) in rows {
        assert_eq!(read(fields).lifetime.map(|lifetime| lifetime.as_secs()), expected, "{fields:?}");
    }
}

#[test]
fn an_age_that_cannot_be_read_is_none() {
    let rows =
        [("0", 0), ("7", 7), ("7, 9", 7), ("-7", 0), ("x", 0), ("", 0), ("7.5", 0), ("9999999999", 1 << 31)];
    for (value, seconds) in rows {
        assert_eq!(read(&[("age", value)]).age, Duration::from_secs(seconds), "{value}");
    }
    assert_eq!(read(&[("age", "7"), ("age", "9")]).age, Duration::from_secs(7));
    // A machine's own clock is wrong more often than an age is hidden.
    assert_eq!(read(&[("date", DATE)]).age, Duration::ZERO);
}

#[test]
fn pragma_counts_without_cache_control_alone() {
    assert!(read(&[("pragma", "no-cache")]).no_cache);
    assert!(!read(&[("pragma", "no-cache"), ("cache-control", "max-age=5")]).no_cache);
}

#[test]
fn every_field_on_which_an_answer_depends_is_named() {
    let headers = headers(&[("vary", "Accept,  X-A"), ("vary", ""), ("vary", "*")]);
    assert_eq!(varying(&headers).collect::<Vec<_>>(), ["Accept", "X-A", "*"]);
    let mut odd = HeaderMap::new();
    odd.insert(header::VARY, HeaderValue::from_bytes(b"caf\xe9").unwrap());
    assert_eq!(varying(&odd).collect::<Vec<_>>(), ["*"]);
}

proptest! {
    /// The judge is another reading of RFC 9111, for a cache that is its client's own.
    #[test]
    fn terms_mean_what_http_cache_semantics_takes_them_for(
        max_age in proptest::option::of(0_u64..100),
        expires in proptest::option::of(0_u64..100),
        age in proptest::option::of(0_u64..100),
        no_store in any::<bool>(),
        passed in 0_u64..100,
    ) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let date = |seconds| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
        let mut response = Response::builder().header("date", date(0));
        for (name, value) in [
            ("cache-control", max_age.map(|seconds| format!("max-age={seconds}"))),
            ("cache-control", no_store.then(|| "no-store".to_owned())),
            ("expires", expires.map(date)),
            ("age", age.map(|seconds| seconds.to_string())),
        ] {
            if let Some(value) = value {
                response = response.header(name, value);
            }
        }
        let response = response.body(()).unwrap();
        let request = Request::get("/x").body(()).unwrap();
        // If the origin says nothing, the judge guesses by `Last-Modified`, and we apply a route's rule.
        let options = CacheOptions { shared: false, cache_heuristic: 0.0, ..CacheOptions::default() };
        let policy = CachePolicy::new_options(&request, &response, now, options);
        let later = now + Duration::from_secs(passed);

        let terms = Terms::read(response.headers(), now);
        prop_assert_eq!(terms.no_store, !policy.is_storable());
        let left = terms.lifetime.map(|lifetime| lifetime.saturating_sub(terms.age + Duration::from_secs(passed)));
        if !no_store {
            prop_assert_eq!(left.unwrap_or_default(), policy.time_to_live(later));
        }
        prop_assert_eq!(terms.age + Duration::from_secs(passed), policy.age(later));
    }
}
