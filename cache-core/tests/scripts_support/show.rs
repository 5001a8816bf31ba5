//! Outputs as lines.

use cache_core::{
    Content, Counters, Domain, Entry, Failure, FetchError, Forward, ForwardReason, Key, Outcome, Payer,
    Reach, Scope, Served, StaleReason, Timestamp, freshness,
};
use std::time::Duration;

/// The name of a payer; `host` for this host.
pub(crate) fn payer(payer: Payer) -> String {
    if payer == Payer::HOST {
        return "host".into();
    }
    let name = payer.as_bytes().map(char::from);
    name.iter().filter(|letter| **letter != '\0').collect()
}

/// `resource`, with `@name` for any but the anonymous domain.
pub(crate) fn key(key: &Key) -> String {
    if key.domain() == Domain::ANONYMOUS {
        return key.resource().into();
    }
    let name = key.domain().as_bytes().map(char::from);
    let name: String = name.into_iter().filter(|letter| *letter != '\0').collect();
    format!("{}@{name}", key.resource())
}

/// For how long it settles, what is forgotten, and then what is doubted.
pub(crate) fn reach(reach: &Reach) -> String {
    let settle =
        if reach.settle.is_zero() { String::new() } else { format!(" settle={}", duration(reach.settle)) };
    let doubted = if reach.doubted.is_empty() { String::new() } else { " doubt".into() };
    settle + &scopes(&reach.forgotten) + &doubted + &scopes(&reach.doubted)
}

pub(crate) fn scopes(scopes: &[Scope]) -> String {
    let shown = scopes.iter().map(|scope| match scope {
        Scope::Key(key) => format!(" {}", self::key(key)),
        Scope::Prefix { prefix, domain: None } => format!(" prefix={prefix}"),
        Scope::Prefix { prefix, domain: Some(domain) } => {
            format!(" prefix={}", key(&Key::new(prefix, *domain)))
        }
        Scope::Signposts { prefix } => format!(" signposts={prefix}"),
    });
    shown.collect()
}

pub(crate) fn outcome(outcome: &Outcome, now: Timestamp) -> String {
    match outcome {
        Outcome::Absent => "absent".into(),
        Outcome::Answered { entry, served } => format!("{}{}", answered(served), shape(entry, now)),
        Outcome::Failed(failure) => format!("failed {}", self::failure(failure, now)),
        Outcome::Pass => "pass".into(),
        Outcome::Relayed { content, forward } => {
            format!("relayed {}{}", self::forward(forward), body(content))
        }
    }
}

pub(crate) fn failure(failure: &Failure, now: Timestamp) -> String {
    match failure {
        Failure::Busy => "busy".into(),
        Failure::NotConnected => "not-connected".into(),
        Failure::Fetch(error) => fetch_error(*error).into(),
        Failure::Throttled { until, seen, .. } => {
            let seen =
                seen.map(|window| format!(" seen={}/{}", window.used, window.limit)).unwrap_or_default();
            format!("throttled +{}{seen}", duration(until.saturating_since(now)))
        }
        Failure::Reserved { priority, kept, seen } => {
            format!("reserved {priority} kept={kept} seen={}/{}", seen.used, seen.limit)
        }
        Failure::Paced { until, .. } => format!("paced +{}", duration(until.saturating_since(now))),
        Failure::TimedOut => "timed-out".into(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn fetch_error(error: FetchError) -> &'static str {
    let (name, _) = FETCH_ERRORS.iter().find(|(_, known)| *known == error).expect("all errors are listed");
    name
}

/// Seconds, and from two minutes on days, hours and minutes as well: `7d1m`, `0.5s`.
pub(crate) fn duration(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    let mut text = String::new();
    if millis >= 120_000 {
        for (unit, name) in [(86_400_000, 'd'), (3_600_000, 'h'), (60_000, 'm')] {
            if millis >= unit {
                text.push_str(&format!("{}{name}", millis / unit));
                millis %= unit;
            }
        }
    }
    if millis > 0 || text.is_empty() {
        let fraction = format!(".{:03}", millis % 1000);
        text.push_str(&format!("{}{}s", millis / 1000, fraction.trim_end_matches('0').trim_end_matches('.')));
    }
    text
}

pub(crate) fn counters(counters: &Counters) -> String {
    let counts = format!("{counters:?}");
    let counts = counts.trim_start_matches("Counters { ").trim_end_matches(" }");
    let counts = counts.split(", ").filter(|count| !count.ends_with(": 0"));
    counts.map(|count| format!(" {}", count.replace(": ", "="))).collect()
}

fn answered(served: &Served) -> String {
    match served {
        Served::Hit => "hit".into(),
        Served::Peer => "peer-hit".into(),
        Served::Stale(reason) => format!("stale {}", stale_reason(reason)),
        Served::Forwarded(forward) => self::forward(forward),
    }
}

fn stale_reason(reason: &StaleReason) -> String {
    match reason {
        StaleReason::Accepted => "accepted".into(),
        StaleReason::Failed(error) => fetch_error(*error).into(),
        StaleReason::Fault { status } => format!("fault-{status}"),
        StaleReason::HeldOff => "held-off".into(),
        StaleReason::Reserved => "reserved".into(),
        StaleReason::Throttled => "throttled".into(),
        StaleReason::WhileRevalidating => "while-revalidating".into(),
    }
}

fn forward(forward: &Forward) -> String {
    let reason = match forward.reason {
        ForwardReason::Request => "request",
        ForwardReason::Stale => "stale",
        ForwardReason::UriMiss => "uri-miss",
    };
    let collapsed = if forward.collapsed { " collapsed" } else { "" };
    let stored = if forward.stored { " stored" } else { "" };
    let settling = if forward.settling { " settling" } else { "" };
    format!("fwd={reason} status={}{collapsed}{stored}{settling}", forward.status)
}

fn shape(entry: &Entry, now: Timestamp) -> String {
    format!(" age={}{}", duration(freshness::age(entry, now)), body(entry.content()))
}

pub(crate) fn body(content: &Content) -> String {
    match content.body.len() {
        0 => String::new(),
        1..=16 => format!(" body={}", String::from_utf8_lossy(&content.body)),
        bytes => format!(" bytes={bytes}"),
    }
}

/// Errors of a fetch by the names that scripts give them.
pub(crate) const FETCH_ERRORS: [(&str, FetchError); 9] = [
    ("body-damaged", FetchError::BodyDamaged),
    ("connect-failed", FetchError::ConnectFailed),
    ("connection-lost", FetchError::ConnectionLost),
    ("fetcher-failed", FetchError::FetcherFailed),
    ("fetcher-gone", FetchError::FetcherGone),
    ("fleet-failed", FetchError::FleetFailed),
    ("malformed", FetchError::Malformed),
    ("origin-down", FetchError::OriginDown),
    ("timed-out", FetchError::TimedOut),
];
