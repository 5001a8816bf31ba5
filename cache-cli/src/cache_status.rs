//! What a reply says about how it was made: `Cache-Status` (RFC 9211) and `Age`.

use cache_core::{Forward, ForwardReason, Served, StaleReason};
use cache_origin_github::PassReason;
use fleet_cache::{Provenance, Reply};
use http::HeaderValue;
use std::{io::Write, time::Duration};

/// The status of `reply`.
pub(crate) fn of_reply(reply: &Reply) -> HeaderValue {
    of_provenance(reply.provenance(), reply.status().as_u16(), reply.time_left().unwrap_or_default())
}

/// The status of a reply that this door made up; `detail` says in one word why.
pub(crate) fn of_error(detail: &str) -> HeaderValue {
    let mut line = Line::new();
    line.write(format_args!("; detail={detail}"));
    line.value()
}

fn of_provenance(provenance: Provenance, status: u16, time_left: Duration) -> HeaderValue {
    let mut line = Line::new();
    match provenance {
        Provenance::Entry(Served::Hit) => {
            line.write(format_args!("; hit; ttl={}", seconds(time_left.as_millis())));
        }
        Provenance::Entry(Served::Stale(reason)) => stale(&mut line, reason),
        Provenance::Entry(Served::Forwarded(forward)) | Provenance::Relayed(forward) => {
            forwarded(&mut line, &forward);
        }
        Provenance::Oversize => {
            line.write(format_args!("; fwd=uri-miss; fwd-status={status}; detail=oversize"));
        }
        Provenance::Passed(PassReason::Method) => {
            line.write(format_args!("; fwd=method; fwd-status={status}"));
        }
        Provenance::Passed(reason) => {
            line.write(format_args!("; fwd=bypass; fwd-status={status}; detail=\"{reason}\""));
        }
    }
    line.value()
}

fn stale(line: &mut Line, reason: StaleReason) {
    match reason {
        StaleReason::Accepted => line.write(format_args!("; hit; detail=max-stale")),
        StaleReason::Failed(_error) => line.write(format_args!("; fwd=stale; detail=stale-if-error")),
        StaleReason::Fault { status } => {
            line.write(format_args!("; fwd=stale; fwd-status={status}; detail=stale-if-error"));
        }
        StaleReason::HeldOff => line.write(format_args!("; hit; detail=stale-held-off")),
        StaleReason::Throttled => line.write(format_args!("; hit; detail=stale-quota-spent")),
        StaleReason::WhileRevalidating => line.write(format_args!("; hit; detail=stale-while-revalidate")),
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
        let mut line = Self { bytes: [0; LINE_BYTES_MAX], length: 0 };
        line.write(format_args!("fleet-cache"));
        line
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let mut rest = &mut self.bytes[self.length..];
        let before = rest.len();
        rest.write_fmt(text).expect("LINE_BYTES_MAX holds every line of this file");
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
    use cache_core::FetchError;

    fn status(provenance: Provenance) -> String {
        let value = of_provenance(provenance, 200, Duration::from_millis(14_200));
        value.to_str().unwrap().to_owned()
    }

    fn forward(reason: ForwardReason, status: u16) -> Forward {
        Forward { reason, status, collapsed: false, stored: true }
    }

    #[test]
    fn a_hit_tells_how_long_it_stays_fresh() {
        assert_eq!(status(Provenance::Entry(Served::Hit)), "fleet-cache; hit; ttl=15");
    }

    #[test]
    fn a_stale_reply_is_marked_with_its_reason() {
        let cases = [
            (StaleReason::Accepted, "hit; detail=max-stale"),
            (StaleReason::Failed(FetchError::TimedOut), "fwd=stale; detail=stale-if-error"),
            (StaleReason::Fault { status: 503 }, "fwd=stale; fwd-status=503; detail=stale-if-error"),
            (StaleReason::HeldOff, "hit; detail=stale-held-off"),
            (StaleReason::Throttled, "hit; detail=stale-quota-spent"),
            (StaleReason::WhileRevalidating, "hit; detail=stale-while-revalidate"),
        ];
        for (reason, expected) in cases {
            assert_eq!(status(Provenance::Entry(Served::Stale(reason))), format!("fleet-cache; {expected}"));
        }
    }

    #[test]
    fn a_revalidated_reply_was_forwarded_as_stale_and_answered_304() {
        let served = Served::Forwarded(forward(ForwardReason::Stale, 304));
        assert_eq!(status(Provenance::Entry(served)), "fleet-cache; fwd=stale; fwd-status=304; stored");
    }

    #[test]
    fn a_collapsed_miss_says_so() {
        let forward = Forward { collapsed: true, ..forward(ForwardReason::UriMiss, 200) };
        assert_eq!(
            status(Provenance::Relayed(forward)),
            "fleet-cache; fwd=uri-miss; fwd-status=200; stored; collapsed"
        );
    }

    #[test]
    fn what_goes_past_the_cache_tells_why() {
        assert_eq!(status(Provenance::Passed(PassReason::Method)), "fleet-cache; fwd=method; fwd-status=200");
        assert_eq!(
            status(Provenance::Passed(PassReason::Route("it holds a token"))),
            "fleet-cache; fwd=bypass; fwd-status=200; detail=\"it holds a token\""
        );
    }
}
