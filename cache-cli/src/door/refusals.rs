//! The latest requests that were refused for want of quota: of which client, for what, and why.
//!
//! For people who ask why something stands still. Holds no path, no query and no credential; the same refusal of the same
//! client is one line that counts.

use super::problem::CACHE_STATUS;
use fleet_cache::{
    GitHub,
    github::{Attribution, AttributionNames},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// The latest refusals of a daemon, the latest last; at most [`REFUSALS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<VecDeque<Refusal>>);

/// Refusals that are alike.
#[derive(Debug)]
struct Refusal {
    attribution: Attribution,
    status: StatusCode,
    reason: Reason,
    count: u64,
    /// The latest, in seconds since the Unix epoch.
    at: u64,
    /// For how long its client was told to wait, in seconds.
    wait: Option<u64>,
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reason {
    /// The origin refused it.
    Origin,
    /// Its payer pauses, since it called too often.
    Pace,
    /// What is left is kept for requests that matter more.
    Reserved,
    /// The allowance is spent.
    Spent,
}

/// A refusal as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct RefusalReport {
    #[serde(flatten)]
    names: AttributionNames,
    /// The status of the answer.
    status: u16,
    reason: Reason,
    /// How many were alike since the first of them.
    count: u64,
    /// When the latest was, in seconds since the Unix epoch.
    at: u64,
    /// When its client may try again, in seconds since the Unix epoch; `None` if it was not told.
    again_at: Option<u64>,
}

impl Refusals {
    /// Notes that a request was refused with `status` and `headers`. Beyond [`REFUSALS_MAX`], the one that is longest
    /// ago is forgotten.
    pub(super) fn note(&self, attribution: &Attribution, status: StatusCode, headers: &HeaderMap) {
        let reason = Reason::of(headers);
        let wait = headers.get(header::RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_alike =
            |it: &Refusal| it.reason == reason && it.status == status && it.attribution == *attribution;
        let before = latest.iter().position(is_alike).and_then(|place| latest.remove(place));
        let count = before.map_or(1, |before| before.count.saturating_add(1));
        if latest.len() == REFUSALS_MAX {
            latest.pop_front();
        }
        latest.push_back(Refusal { attribution: attribution.clone(), status, reason, count, at, wait });
    }

    /// All of them in words, the latest first.
    pub(crate) fn report(&self, github: &GitHub) -> Vec<RefusalReport> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = latest.iter().rev().map(|refusal| RefusalReport {
            names: github.attribution_names(&refusal.attribution),
            status: refusal.status.as_u16(),
            reason: refusal.reason,
            count: refusal.count,
            at: refusal.at,
            again_at: refusal.wait.map(|wait| refusal.at.saturating_add(wait)),
        });
        shown.collect()
    }
}

impl Reason {
    /// What the door's own answers say of it; every other refusal is the origin's.
    fn of(headers: &HeaderMap) -> Self {
        let told = headers.get(CACHE_STATUS).and_then(|status| status.to_str().ok()).unwrap_or_default();
        let is_spent = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        match told.rsplit_once("detail=").map(|(_, detail)| detail) {
            Some("reserved") => Self::Reserved,
            Some("quota-spent") if is_spent => Self::Spent,
            Some("quota-spent" | "paced") => Self::Pace,
            Some(_) | None => Self::Origin,
        }
    }
}

/// Most kinds of refusals that are remembered: more than a person reads, and some 20 KiB.
pub(crate) const REFUSALS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_cache::ClientLabel;
    use http::Request;
    use serde_json::{Value, json};

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn refused(refusals: &Refusals, github: &GitHub, client: &str, fields: &[(&'static str, &'static str)]) {
        let request = Request::get("/repos/acme/secret?q=1").header("authorization", "token ghp_alice");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let attribution = github.attribution(ClientLabel::new(client).unwrap(), &head);
        refusals.note(&attribution, StatusCode::FORBIDDEN, &headers(fields));
    }

    fn shown(refusals: &Refusals, github: &GitHub) -> Value {
        json!(refusals.report(github))
    }

    const RESERVED: &[(&str, &str)] = &[
        ("cache-status", "fleet-cache; detail=reserved"),
        ("x-ratelimit-remaining", "0"),
        ("retry-after", "32"),
    ];

    #[test]
    fn a_refusal_tells_its_client_route_payer_reason_and_wait_and_nothing_of_the_path() {
        let (refusals, github) = (Refusals::default(), GitHub::builder().build().unwrap());
        refused(&refusals, &github, "triage", RESERVED);
        let shown = shown(&refusals, &github);
        let line = &shown[0];
        assert_eq!((&line["client"], &line["route"]), (&json!("triage"), &json!("GET /repos/*/*")));
        assert_eq!((&line["reason"], &line["resource"]), (&json!("reserved"), &json!("core")));
        assert_eq!(line["again_at"].as_u64(), line["at"].as_u64().map(|at| at + 32));
        for secret in ["acme", "secret", "ghp_", "q=1"] {
            assert!(!shown.to_string().contains(secret), "{shown}");
        }
    }

    #[test]
    fn each_kind_of_refusal_has_its_reason() {
        let (spent, pace) = (("x-ratelimit-remaining", "0"), ("x-ratelimit-remaining", "7"));
        let own = ("cache-status", "fleet-cache; detail=quota-spent");
        let passed = ("cache-status", "fleet-cache; fwd=method; fwd-status=403");
        for (fields, reason) in [
            (&[own, spent][..], Reason::Spent),
            (&[own, pace], Reason::Pace),
            (&[own], Reason::Pace),
            (&[passed, spent], Reason::Origin),
            (&[], Reason::Origin),
        ] {
            assert_eq!(Reason::of(&headers(fields)), reason, "{fields:?}");
        }
    }

    #[test]
    fn refusals_that_are_alike_are_one_line_and_the_oldest_kind_gives_way() {
        let (refusals, github) = (Refusals::default(), GitHub::builder().build().unwrap());
        for number in 0..REFUSALS_MAX {
            refused(&refusals, &github, &format!("bot {number}"), RESERVED);
        }
        refused(&refusals, &github, "bot 0", RESERVED);
        refused(&refusals, &github, "one more", RESERVED);
        let shown = shown(&refusals, &github);
        let names: Vec<&str> =
            shown.as_array().unwrap().iter().filter_map(|it| it["client"].as_str()).collect();
        assert_eq!(names.len(), REFUSALS_MAX);
        assert_eq!(names[..3], ["one more", "bot 0", "bot 63"]);
        assert_eq!((&shown[1]["count"], &shown[2]["count"]), (&json!(2), &json!(1)));
        assert!(!names.contains(&"bot 1"), "it was the oldest");
    }
}
