//! For how long a response is fresh, and how old it comes (RFC 9111, section 4.2).

use crate::{directives::members, terms::Terms};
use cache_core::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a request was sent, and when the head of its answer came, by this node's clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exchanged {
    /// When the request was sent.
    pub asked_at: Timestamp,
    /// When the head of the answer was there.
    pub received_at: Timestamp,
}

/// For how long a response with `status`, `headers` and `terms` is fresh, counted from when it had age zero; `None` if
/// neither the origin says so nor it may be supposed.
pub(crate) fn lifetime(
    status: u16,
    headers: &HeaderMap,
    terms: &Terms,
    times: Exchanged,
) -> Option<Duration> {
    if let Some(explicit) = terms.explicit() {
        return Some(explicit);
    }
    let made = date(headers).unwrap_or_else(|| moment(times.received_at));
    if !terms.is_targeted
        && let Some(expires) = headers.get(header::EXPIRES)
    {
        // What is no date is in the past (RFC 9111, section 5.3).
        let expires = http_date(expires);
        return Some(expires.and_then(|expires| expires.duration_since(made).ok()).unwrap_or_default());
    }
    let may_suppose = SUPPOSED.contains(&status) || terms.is_public();
    let changed = headers.get(header::LAST_MODIFIED).and_then(http_date).filter(|_changed| may_suppose)?;
    let unchanged_for = made.duration_since(changed).unwrap_or_default();
    Some((unchanged_for / SUPPOSED_PART).min(SUPPOSED_MAX))
}

/// Whether a response with `status` may be kept though the origin says nothing of keeping it.
pub(crate) fn is_lasting(status: u16) -> bool {
    SUPPOSED.contains(&status)
}

/// How old a response with `headers` is at the moment when it was received (RFC 9111, section 4.2.3).
pub(crate) fn age(headers: &HeaderMap, times: Exchanged) -> Duration {
    let apparent = date(headers).and_then(|made| moment(times.received_at).duration_since(made).ok());
    let told = headers.get(header::AGE).map_or(Duration::ZERO, told_age);
    let corrected = told + times.received_at.saturating_since(times.asked_at);
    apparent.unwrap_or_default().max(corrected)
}

/// The moment that a `Date` names; `None` where there is none to be read.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    headers.get(header::DATE).and_then(http_date)
}

/// The moment that `value` names in one of the three forms of HTTP.
pub(crate) fn http_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// A `Date` for an answer that came without one, which its recipient adds (RFC 9110, section 6.6.1).
pub(crate) fn add_date(headers: &mut HeaderMap, times: Exchanged) {
    const DATE: HeaderName = header::DATE;
    if !headers.contains_key(DATE) {
        let text = httpdate::fmt_http_date(moment(times.received_at));
        headers.insert(DATE, HeaderValue::try_from(text).expect("a date is a field's value"));
    }
}

/// The first member of an `Age`; what is no number is ignored (RFC 9111, section 5.1).
fn told_age(value: &HeaderValue) -> Duration {
    let first = value.to_str().ok().and_then(|text| members(text).next());
    first.and_then(crate::directives::delta_seconds).unwrap_or_default()
}

fn moment(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.as_unix_millis())
}

/// Status codes for whose responses a lifetime may be supposed (RFC 9110, section 15.1); 206 is kept by nobody here.
const SUPPOSED: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
/// The part of the time since the last change for which a response is supposed to stay as it is: the tenth that RFC 9111,
/// section 4.2.2 calls typical.
const SUPPOSED_PART: u32 = 10;
/// Longest lifetime that is supposed: beyond a day, RFC 9111's forerunners asked for a warning.
const SUPPOSED_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    fn times() -> Exchanged {
        Exchanged { asked_at: at(NOW), received_at: at(NOW) }
    }

    fn day(offset: i64) -> String {
        let seconds = NOW.checked_add_signed(offset).unwrap();
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn seconds(status: u16, pairs: &[(&'static str, &str)]) -> Option<u64> {
        let headers = fields(pairs);
        lifetime(status, &headers, &Terms::of(&headers), times()).map(|time| time.as_secs())
    }

    #[test]
    fn expires_counts_from_the_date_of_the_response_and_only_without_a_directive() {
        let (later, earlier) = (day(400), day(300));
        assert_eq!(seconds(200, &[("expires", &day(60)), ("date", &day(0))]), Some(60));
        assert_eq!(seconds(200, &[("expires", &earlier), ("date", &later)]), Some(0));
        assert_eq!(seconds(200, &[("expires", &day(10)), ("date", "foo")]), Some(10));
        assert_eq!(seconds(200, &[("expires", &day(60)), ("cache-control", "max-age=5")]), Some(5));
        assert_eq!(seconds(200, &[("expires", &day(-60)), ("cdn-cache-control", "foo")]), None);
    }

    #[test]
    fn an_expires_that_is_no_date_is_past() {
        for value in ["0", "-1", "Thu, 18 Aug 2050 02:01:18 AEST", "tomorrow"] {
            assert_eq!(
                seconds(200, &[("expires", value), ("last-modified", &day(-9000))]),
                Some(0),
                "{value}"
            );
        }
    }

    #[test]
    fn a_tenth_of_the_time_since_the_last_change_is_supposed_and_a_day_at_most() {
        let unchanged = |since| seconds(200, &[("last-modified", &day(since)), ("date", &day(0))]);
        assert_eq!(
            (unchanged(-1000), unchanged(-86_400 * 3650), unchanged(5)),
            (Some(100), Some(86_400), Some(0))
        );
        assert_eq!(seconds(200, &[]), None);
    }

    #[test]
    fn nothing_is_supposed_of_a_status_that_says_nothing_lasting() {
        let changed = day(-1000);
        for status in [201, 202, 302, 403, 502, 503, 504, 599] {
            let changed = ("last-modified", changed.as_str());
            assert_eq!(seconds(status, &[changed]), None, "{status}");
            assert_eq!(seconds(status, &[changed, ("cache-control", "public")]), Some(100), "{status}");
        }
        assert_eq!(seconds(410, &[("last-modified", &changed)]), Some(100));
    }

    #[test]
    fn the_age_is_the_larger_of_what_is_told_and_what_the_date_shows() {
        let aged = |pairs: &[(&'static str, &str)]| age(&fields(pairs), times()).as_secs();
        assert_eq!(aged(&[("age", "30"), ("date", &day(-10))]), 30);
        assert_eq!(aged(&[("age", "3"), ("date", &day(-10))]), 10);
        assert_eq!(aged(&[("date", &day(100))]), 0);
        assert_eq!(aged(&[]), 0);
    }

    #[test]
    fn the_time_of_the_exchange_adds_to_the_age_that_is_told() {
        let slow = Exchanged { asked_at: at(NOW - 7), received_at: at(NOW) };
        assert_eq!(age(&fields(&[("age", "30")]), slow).as_secs(), 37);
    }

    #[test]
    fn of_an_age_that_lists_several_the_first_counts_and_what_is_no_number_is_ignored() {
        let told = |value: &str| age(&fields(&[("age", value)]), times()).as_secs();
        assert_eq!((told("7200,0"), told("0, 7200"), told("99999999999")), (7200, 0, 1 << 31));
        for value in ["abc", "-7200", "7200.0", "7200;foo=bar"] {
            assert_eq!(told(value), 0, "{value}");
        }
        let two = age(&fields(&[("age", "5"), ("age", "7200")]), times());
        assert_eq!(two.as_secs(), 5);
    }

    #[test]
    fn a_response_without_a_date_gets_one() {
        let mut headers = HeaderMap::new();
        add_date(&mut headers, times());
        assert_eq!(headers["date"], day(0));
        let given = fields(&[("date", "foo")]);
        let mut kept = given.clone();
        add_date(&mut kept, times());
        assert_eq!(kept, given);
    }
}
