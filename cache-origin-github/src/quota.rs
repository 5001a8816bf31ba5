//! What the origin says about its allowances: rate-limit fields and `Retry-After`.

use crate::{domain::Readers, route::bucket_named};
use cache_core::{Allowance, RESOURCE_BYTES_MAX, Shortage, Timestamp, Window};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One observation of an allowance, from the `X-RateLimit-*` fields of an answer.
///
/// ```
/// # use {cache_origin_github::Quota, http::HeaderMap};
/// let mut headers = HeaderMap::new();
/// for (name, value) in [("limit", "5000"), ("remaining", "4999"), ("used", "1"), ("reset", "1700000000")] {
///     let name = http::HeaderName::try_from(format!("x-ratelimit-{name}")).unwrap();
///     headers.insert(name, value.parse().unwrap());
/// }
/// let quota = Quota::read(&headers).unwrap();
/// assert_eq!((quota.limit, quota.remaining, &*quota.resource), (5000, 4999, "core"));
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Quota {
    /// Which allowance, in GitHub's words: `core`, `search`, `graphql`.
    pub resource: Box<str>,
    /// Calls that each window allows.
    pub limit: u64,
    /// Calls left in this window.
    pub remaining: u64,
    /// Calls made in this window.
    pub used: u64,
    /// When the next window begins, in seconds since the Unix epoch.
    pub reset: u64,
}

impl Quota {
    /// Reads the fields of an answer; `None` if it says nothing of limit and remainder.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let limit = number("x-ratelimit-limit")?;
        let remaining = number("x-ratelimit-remaining")?;
        let resource = headers
            .get("x-ratelimit-resource")
            .and_then(|value| value.to_str().ok())
            .filter(|name| {
                name.len() <= RESOURCE_BYTES_MAX && name.bytes().all(|byte| byte.is_ascii_graphic())
            })
            .unwrap_or("core");
        Some(Self {
            resource: resource.into(),
            limit,
            remaining,
            used: number("x-ratelimit-used").unwrap_or(limit.saturating_sub(remaining)),
            reset: number("x-ratelimit-reset").unwrap_or(0),
        })
    }

    /// What an answer with `headers` shows to the engine, if it shows anything.
    pub(crate) fn shown_to(readers: Readers, headers: &HeaderMap) -> Option<Allowance> {
        let quota = Self::read(headers)?;
        Some(Allowance {
            payer: readers.payer,
            domain: readers.domain,
            bucket: bucket_named(&quota.resource),
            window: Window {
                limit: quota.limit,
                remaining: quota.remaining,
                used: quota.used,
                reset: Timestamp::from_unix_millis(quota.reset.saturating_mul(1000)),
            },
            resource: quota.resource,
        })
    }

    /// An allowance by its name, as it was seen last.
    pub fn seen(resource: impl Into<Box<str>>, window: Window) -> Self {
        Self {
            resource: resource.into(),
            limit: window.limit,
            remaining: window.remaining,
            used: window.used,
            reset: window.reset.as_unix_millis() / 1000,
        }
    }
}

/// Whether an answer says that an allowance is spent. GitHub does so with 403 or 429 (its REST documentation, "Rate
/// limits"). `text` is of its body what can be read.
pub(crate) fn is_throttled(status: StatusCode, headers: &HeaderMap, text: &[u8]) -> bool {
    let spent = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => {
            let says = |words: &str| memchr::memmem::find(text, words.as_bytes()).is_some();
            spent || headers.contains_key(header::RETRY_AFTER) || THROTTLE_MESSAGES.into_iter().any(says)
        }
        _other => false,
    }
}

/// For how long `headers` ask to be left alone: `Retry-After`, else the window's end when nothing remains.
///
/// At least a second and at most [`RETRY_AFTER_MAX`]; a minute if the answer does not say, as GitHub's documentation
/// advises for its secondary limits.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Duration {
    let from_field = headers.get(header::RETRY_AFTER).and_then(|value| {
        let text = value.to_str().ok()?.trim();
        match text.parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
        }
    });
    let from_reset = || {
        let quota = Quota::read(headers).filter(|quota| quota.remaining == 0)?;
        // The origin's own clock, where it shows: ours may differ by minutes.
        let date = headers.get(header::DATE).and_then(|value| value.to_str().ok());
        let origin_now = date.and_then(|text| httpdate::parse_http_date(text).ok()).unwrap_or(now);
        let origin_now = origin_now.duration_since(UNIX_EPOCH).ok()?;
        Duration::from_secs(quota.reset).checked_sub(origin_now)
    };
    from_field.or_else(from_reset).unwrap_or(RETRY_AFTER_DEFAULT).clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

/// Why an origin that answers with `headers` wants to be left alone.
pub(crate) fn shortage(headers: &HeaderMap) -> Shortage {
    match Quota::read(headers).filter(|quota| quota.remaining == 0) {
        Some(quota) => Shortage::Window { limit: quota.limit, used: quota.used },
        None => Shortage::Pace,
    }
}

/// Longest pause that the origin can ask for: its longest window is an hour.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// How GitHub words the refusals that its rate-limit fields do not show.
const THROTTLE_MESSAGES: [&str; 3] =
    ["secondary rate limit", "API rate limit exceeded", "abuse detection mechanism"];
const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(60);
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = fields.iter();
        pairs.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect::<HeaderMap>()
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_or_the_windows_end() {
        let reset = ("x-ratelimit-reset", "784111807");
        let spent = [("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "0"), reset];
        let rows: [(&[_], u64); 7] = [
            (&[("retry-after", "17")], 17),
            (&[("retry-after", "0")], 1),
            (&[("retry-after", "999999")], 3600),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT")], 10),
            (&[], 60),
            (&spent, 30),
            (&[spent[0], spent[1], reset, ("date", "Sun, 06 Nov 1994 08:50:00 GMT")], 7),
        ];
        for (fields, seconds) in rows {
            assert_eq!(retry_after(&headers(fields), now()), Duration::from_secs(seconds), "{fields:?}");
        }
    }
}
