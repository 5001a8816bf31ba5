//! What a reply says about how it was made: `Cache-Status` (RFC 9211) and `Age`.

use cache_core::{Entry, Forward, ForwardReason, Served, StaleReason, Timestamp, freshness};
use http::HeaderValue;
use std::io::Write;

/// The status of a reply from `entry` at `now`.
pub(crate) fn of_entry(served: &Served, entry: &Entry, now: Timestamp) -> HeaderValue {
    let left = freshness::remaining(entry, now);
    let ttl = if left.is_zero() {
        -seconds(freshness::staleness(entry, now).as_millis())
    } else {
        seconds(left.as_millis())
    };
    let mut line = Line::new();
    match served {
        Served::Hit => line.write(format_args!("; hit; ttl={ttl}")),
        Served::Stale(reason) => stale(&mut line, *reason, ttl),
        Served::Forwarded(forward) => forwarded(&mut line, forward),
    }
    line.value()
}

/// The status of a reply that is not kept.
pub(crate) fn of_forward(forward: &Forward) -> HeaderValue {
    let mut line = Line::new();
    forwarded(&mut line, forward);
    line.value()
}

/// The status of a reply that went past the cache: `reason` is `method` or `bypass`.
pub(crate) fn of_pass(reason: &str, status: u16) -> HeaderValue {
    let mut line = Line::new();
    line.write(format_args!("; fwd={reason}; fwd-status={status}"));
    line.value()
}

/// The status of a reply that this door made up; `detail` says in one word why.
pub(crate) fn of_error(detail: &str) -> HeaderValue {
    let mut line = Line::new();
    line.write(format_args!("; detail={detail}"));
    line.value()
}

/// The age of `entry` at `now`, in whole seconds.
pub(crate) fn age(entry: &Entry, now: Timestamp) -> HeaderValue {
    HeaderValue::from(freshness::age(entry, now).as_secs())
}

fn stale(line: &mut Line, reason: StaleReason, ttl: i64) {
    match reason {
        StaleReason::Accepted => line.write(format_args!("; hit; ttl={ttl}; detail=max-stale")),
        StaleReason::Failed(_error) => {
            line.write(format_args!("; fwd=stale; ttl={ttl}; detail=stale-if-error"));
        }
        StaleReason::Fault { status } => line.write(format_args!(
            "; fwd=stale; fwd-status={status}; ttl={ttl}; detail=stale-if-error"
        )),
        StaleReason::HeldOff => line.write(format_args!("; hit; ttl={ttl}; detail=stale-held-off")),
        StaleReason::Throttled => line.write(format_args!("; hit; ttl={ttl}; detail=stale-quota-spent")),
        StaleReason::WhileRevalidating => {
            line.write(format_args!("; hit; ttl={ttl}; detail=stale-while-revalidate"));
        }
    }
}

fn forwarded(line: &mut Line, forward: &Forward) {
    let reason = match forward.reason {
        ForwardReason::Request => "request",
        ForwardReason::Stale => "stale",
        ForwardReason::UriMiss => "uri-miss",
    };
    line.write(format_args!("; fwd={reason}; fwd-status={}", forward.status));
    if forward.stored {
        line.write(format_args!("; stored"));
    }
    if forward.collapsed {
        line.write(format_args!("; collapsed"));
    }
}

/// Milliseconds as seconds, rounded up, so that what is not over does not show as zero.
fn seconds(millis: u128) -> i64 {
    i64::try_from(millis.div_ceil(1000)).unwrap_or(i64::MAX)
}

/// A header value under construction, on the stack: one is made for every hit.
struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    length: usize,
}

impl Line {
    fn new() -> Self {
        let mut line = Self {
            bytes: [0; LINE_BYTES_MAX],
            length: 0,
        };
        line.write(format_args!("fleet-cache"));
        line
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let mut rest = &mut self.bytes[self.length..];
        let before = rest.len();
        rest.write_fmt(text)
            .expect("LINE_BYTES_MAX holds every line of this file");
        self.length += before - rest.len();
    }

    fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.bytes[..self.length]).expect("only ASCII text is written")
    }
}

/// Longest status: `fleet-cache; fwd=uri-miss; fwd-status=N; ttl=N; detail=stale-while-revalidate` and room.
const LINE_BYTES_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Content, Domain, Draft, FetchError, Key, Validators, freshness::Freshness};
    use std::time::Duration;

    fn status_after(seconds: u64, served: Served) -> String {
        let draft = Draft {
            content: Content::of_value("v"),
            freshness: Freshness {
                lifetime: Duration::from_secs(60),
                ..Freshness::default()
            },
            validators: Validators::default(),
            age: Duration::ZERO,
        };
        let born = Timestamp::from_unix_millis(1_000_000);
        let entry = Entry::new(Key::new("r", Domain::ANONYMOUS), draft, born, 0);
        let now = born.saturating_add(Duration::from_secs(seconds));
        text(&of_entry(&served, &entry, now))
    }

    fn text(value: &HeaderValue) -> String {
        value.to_str().unwrap().to_owned()
    }

    fn forward(reason: ForwardReason, status: u16) -> Forward {
        Forward {
            reason,
            status,
            collapsed: false,
            stored: true,
        }
    }

    #[test]
    fn a_hit_tells_how_long_it_stays_fresh() {
        assert_eq!(status_after(45, Served::Hit), "fleet-cache; hit; ttl=15");
    }

    #[test]
    fn a_stale_reply_has_a_negative_ttl_and_a_reason() {
        let cases = [
            (StaleReason::Accepted, "hit; ttl=-10; detail=max-stale"),
            (
                StaleReason::Failed(FetchError::TimedOut),
                "fwd=stale; ttl=-10; detail=stale-if-error",
            ),
            (
                StaleReason::Fault { status: 503 },
                "fwd=stale; fwd-status=503; ttl=-10; detail=stale-if-error",
            ),
            (StaleReason::HeldOff, "hit; ttl=-10; detail=stale-held-off"),
            (StaleReason::Throttled, "hit; ttl=-10; detail=stale-quota-spent"),
            (
                StaleReason::WhileRevalidating,
                "hit; ttl=-10; detail=stale-while-revalidate",
            ),
        ];
        for (reason, expected) in cases {
            assert_eq!(
                status_after(70, Served::Stale(reason)),
                format!("fleet-cache; {expected}")
            );
        }
    }

    #[test]
    fn a_revalidated_reply_was_forwarded_as_stale_and_answered_304() {
        let served = Served::Forwarded(forward(ForwardReason::Stale, 304));
        assert_eq!(
            status_after(0, served),
            "fleet-cache; fwd=stale; fwd-status=304; stored"
        );
    }

    #[test]
    fn a_collapsed_miss_says_so() {
        let forward = Forward {
            collapsed: true,
            ..forward(ForwardReason::UriMiss, 200)
        };
        assert_eq!(
            text(&of_forward(&forward)),
            "fleet-cache; fwd=uri-miss; fwd-status=200; stored; collapsed"
        );
    }

    #[test]
    fn a_write_is_forwarded_because_of_its_method() {
        assert_eq!(text(&of_pass("method", 201)), "fleet-cache; fwd=method; fwd-status=201");
    }
}
