//! What a reply says about how it was made: `Cache-Status` (RFC 9211) and `Age`.

use cache_core::{Forward, ForwardReason, Served, StaleReason};
use cache_origin_github::PassReason;
use fleet_cache::{Provenance, Reply, http_cache::HttpReply};
use http::HeaderValue;
use std::{io::Write, time::Duration};

/// The status of `reply`.
pub(crate) fn of_reply(reply: &Reply) -> HeaderValue {
    let times =
        Times { left: reply.time_left().unwrap_or_default(), overdue: reply.overdue().unwrap_or_default() };
    let mut line = of_provenance(reply.provenance(), reply.status().as_u16(), times);
    if reply.is_held() {
        line.write(format_args!("; detail=gate"));
    }
    line.value()
}

/// The status of what was answered by the rules of HTTP alone.
pub(crate) fn of_http(reply: &HttpReply) -> HeaderValue {
    let times = Times { left: reply.time_left, overdue: reply.overdue };
    of_provenance(reply.provenance, reply.response.status().as_u16(), times).value()
}

/// The status of what another host than the API answered.
pub(crate) fn of_relayed(status: u16) -> HeaderValue {
    let mut line = Line::new();
    line.write(format_args!("; fwd=bypass; fwd-status={status}; detail=other-host"));
    line.value()
}

/// The status of a reply that this door made up; `detail` says in one word why.
pub(crate) fn of_error(detail: &str) -> HeaderValue {
    let mut line = Line::new();
    line.write(format_args!("; detail={detail}"));
    line.value()
}

/// How an entry stands to its lifetime.
#[derive(Clone, Copy)]
struct Times {
    left: Duration,
    overdue: Duration,
}

fn of_provenance(provenance: Provenance, status: u16, times: Times) -> Line {
    let mut line = Line::new();
    match provenance {
        Provenance::Entry(Served::Hit) => {
            line.write(format_args!("; hit; ttl={}", seconds(times.left)));
        }
        Provenance::Entry(Served::Peer) => {
            line.write(format_args!("; hit; ttl={}; detail=peer", seconds(times.left)));
        }
        Provenance::Entry(Served::Stale(reason)) => stale(&mut line, reason, times.overdue),
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
        // Whatever else the library may tell apart one day was no entry's answer.
        _ => line.write(format_args!("; fwd=bypass; fwd-status={status}")),
    }
    line
}

/// A stale answer has a negative time to live (RFC 9211, section 2.5).
fn stale(line: &mut Line, reason: StaleReason, overdue: Duration) {
    match reason {
        StaleReason::Failed(_) => line.write(format_args!("; fwd=stale")),
        StaleReason::Fault { status } => line.write(format_args!("; fwd=stale; fwd-status={status}")),
        StaleReason::Accepted
        | StaleReason::HeldOff
        | StaleReason::Reserved
        | StaleReason::Throttled
        | StaleReason::WhileRevalidating => line.write(format_args!("; hit")),
    }
    let detail = match reason {
        StaleReason::Accepted => "max-stale",
        StaleReason::Failed(_) | StaleReason::Fault { .. } => "stale-if-error",
        StaleReason::HeldOff => "stale-held-off",
        StaleReason::Reserved => "stale-reserved",
        StaleReason::Throttled => "stale-quota-spent",
        StaleReason::WhileRevalidating => "stale-while-revalidate",
    };
    line.write(format_args!("; ttl=-{}; detail={detail}", seconds(overdue)));
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
    if forward.settling {
        line.write(format_args!("; detail=settling"));
    } else if forward.is_proof() {
        line.write(format_args!("; detail=proof"));
    }
}

/// Whole seconds, rounded up, so that what is not over does not show as zero.
fn seconds(duration: Duration) -> u128 {
    duration.as_millis().div_ceil(1000)
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
        let times = Times { left: Duration::from_millis(14_200), overdue: Duration::from_secs(7) };
        let value = of_provenance(provenance, 200, times).value();
        value.to_str().unwrap().to_owned()
    }

    fn forward(reason: ForwardReason, status: u16) -> Forward {
        Forward { reason, status, collapsed: false, stored: true, settling: false }
    }

    #[test]
    fn a_hit_tells_how_long_it_stays_fresh() {
        assert_eq!(status(Provenance::Entry(Served::Hit)), "fleet-cache; hit; ttl=15");
    }

    #[test]
    fn a_stale_reply_is_marked_with_its_reason() {
        let cases = [
            (StaleReason::Accepted, "hit; ttl=-7; detail=max-stale"),
            (StaleReason::Failed(FetchError::TimedOut), "fwd=stale; ttl=-7; detail=stale-if-error"),
            (StaleReason::Fault { status: 503 }, "fwd=stale; fwd-status=503; ttl=-7; detail=stale-if-error"),
            (StaleReason::HeldOff, "hit; ttl=-7; detail=stale-held-off"),
            (StaleReason::Throttled, "hit; ttl=-7; detail=stale-quota-spent"),
            (StaleReason::WhileRevalidating, "hit; ttl=-7; detail=stale-while-revalidate"),
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
    fn a_proof_is_a_miss_that_is_answered_304() {
        let served = Served::Forwarded(forward(ForwardReason::UriMiss, 304));
        assert_eq!(
            status(Provenance::Entry(served)),
            "fleet-cache; fwd=uri-miss; fwd-status=304; stored; detail=proof"
        );
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
