//! What an answer's status and headers say of how it was made.

use std::collections::BTreeMap;

/// The parts of an answer that tell why it is as it is.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Answer {
    /// Its status, if it was given.
    pub(super) status: Option<u16>,
    /// What our member of `Cache-Status` says.
    pub(super) cache: Option<CacheStatus>,
    /// Seconds to wait, by `Retry-After`.
    pub(super) retry_after: Option<u64>,
    /// What `X-RateLimit-Remaining` says.
    pub(super) remaining: Option<u64>,
    /// When the window ends, by `X-RateLimit-Reset`, in seconds since 1970.
    pub(super) reset: Option<u64>,
    /// Which rate limit, by `X-RateLimit-Resource`.
    pub(super) resource: Option<String>,
}

/// What a cache says of an answer (RFC 9211).
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct CacheStatus {
    /// Whether it was kept.
    pub(super) is_hit: bool,
    /// Whether the origin was asked.
    pub(super) is_forwarded: bool,
    /// The word or sentence behind `detail`.
    pub(super) detail: String,
}

impl Answer {
    /// Reads what is known; anything else in `headers` is passed over.
    pub(super) fn read(status: Option<u16>, headers: &BTreeMap<String, String>) -> Self {
        let field = |name: &str| {
            let found = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        let number = |name: &str| field(name)?.parse::<u64>().ok();
        let is_name = |text: &&str| {
            (1..=RESOURCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        Self {
            status,
            cache: field("cache-status").and_then(CacheStatus::read),
            retry_after: number("retry-after"),
            remaining: number("x-ratelimit-remaining"),
            reset: number("x-ratelimit-reset"),
            resource: field("x-ratelimit-resource").filter(is_name).map(str::to_owned),
        }
    }
}

impl CacheStatus {
    /// The member of ours, the last if there are several; `None` without one.
    fn read(field: &str) -> Option<Self> {
        let member = field.split(',').map(str::trim).rfind(|member| member.starts_with("fleet-cache"))?;
        let mut status = Self::default();
        for parameter in member.split(';').skip(1).map(str::trim) {
            match parameter.split_once('=') {
                Some(("detail", text)) => status.detail = text.trim_matches('"').to_owned(),
                Some(("fwd", _reason)) => status.is_forwarded = true,
                None if parameter == "hit" => status.is_hit = true,
                Some(_) | None => {}
            }
        }
        Some(status)
    }
}

/// Longest name of a rate limit, in bytes; GitHub's have thirty.
const RESOURCE_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Answer {
        let headers = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Answer::read(Some(403), &headers.collect())
    }

    #[test]
    fn the_headers_of_a_refusal_are_read_however_their_names_are_written() {
        let answer = read(&[
            ("Cache-Status", "other; hit, fleet-cache; detail=reserved"),
            ("RETRY-AFTER", "60"),
            ("x-ratelimit-remaining", "0"),
            ("X-RateLimit-Reset", "4000"),
            ("X-RateLimit-Resource", "search"),
            ("Authorization", "token of-somebody"),
        ]);
        let expected = Answer {
            status: Some(403),
            cache: Some(CacheStatus { detail: "reserved".to_owned(), ..CacheStatus::default() }),
            retry_after: Some(60),
            remaining: Some(0),
            reset: Some(4000),
            resource: Some("search".to_owned()),
        };
        assert_eq!(answer, expected);
    }

    #[test]
    fn what_is_no_number_or_name_is_passed_over() {
        let long = "x".repeat(65);
        let answer = read(&[
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),
            ("x-ratelimit-reset", "-1"),
            ("x-ratelimit-resource", &long),
            ("cache-status", "varnish; hit"),
        ]);
        assert_eq!(answer, Answer { status: Some(403), ..Answer::default() });
    }
}
