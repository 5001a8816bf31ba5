//! What to make of an answer and of what holds calls back.

use super::{
    Explanation,
    answer::{Answer, CacheStatus},
    holds::{By, Class, Hold},
};
use schemars::JsonSchema;
use serde::Serialize;

/// In one word, why it is as it is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// A reserve keeps what is left for requests that matter more.
    Reserve,
    /// GitHub said that the payer calls too often.
    SecondaryLimit,
    /// The rate limit is spent.
    WindowSpent,
    /// GitHub could not be reached, failed, or was too slow.
    OriginFailing,
    /// Fleet Cache turned the request away for its form, its host, or its own load.
    Door,
    /// GitHub itself refused: for the credential, its rights, or the resource.
    Github,
    /// It was answered; if stale, the explanation says why.
    Answered,
    /// Nothing is known that would hold such a request now.
    NothingHolds,
    /// The answer does not say that it came through Fleet Cache.
    NotThroughFleetCache,
}

/// All that is known of one request.
pub(super) struct Situation {
    pub(super) answer: Answer,
    /// The class of the request, if it is known.
    pub(super) class: Option<Class>,
    pub(super) resource: Option<String>,
    pub(super) holds: Vec<Hold>,
    /// The present, in seconds since 1970.
    pub(super) now: u64,
}

impl Situation {
    /// What to tell of it.
    pub(super) fn explained(self) -> Explanation {
        let (verdict, explanation, remedies) = self.judged();
        let until = self.until(verdict);
        Explanation {
            verdict,
            explanation,
            wait_seconds: until.map(|until| until.saturating_sub(self.now)),
            until,
            resource: self.resource,
            remedies,
            holds: self.holds,
        }
    }

    fn judged(&self) -> Judged {
        let limit = self.resource.as_deref().unwrap_or("core");
        match (&self.answer.cache, self.answer.status) {
            (Some(cache), _) => self.by_cache_status(cache, limit),
            (None, None) => self.by_holds(limit),
            (None, Some(status)) if self.is_limited(status) => self.by_limit(limit),
            (None, Some(_)) => judged(
                Verdict::NotThroughFleetCache,
                "The answer has no `Cache-Status: fleet-cache`, so it did not come through Fleet Cache, or its headers \
                 were not given.",
                &["Give the answer's headers, or send the request through Fleet Cache (docs/clients.md)."],
            ),
        }
    }

    fn by_cache_status(&self, cache: &CacheStatus, limit: &str) -> Judged {
        match cache.detail.as_str() {
            "reserved" => reserved(limit),
            "quota-spent" => self.by_limit(limit),
            "paced" => judged(
                Verdict::SecondaryLimit,
                "As many writes were made with this credential in the last minute or hour as GitHub bears, so Fleet Cache did not \
                 send this one.",
                &["Wait for as long as `retry-after` says, and write less often."],
            ),
            "stale-reserved"
            | "stale-quota-spent"
            | "stale-held-off"
            | "stale-if-error"
            | "max-stale"
            | "stale-while-revalidate" => stale(&cache.detail),
            "origin-down" => judged(
                Verdict::OriginFailing,
                "GitHub cannot be reached, as this node or several of its fleet found, and nothing kept may stand in. One \
                 node at a time tries again.",
                &[
                    "Try again in some seconds: all go on as soon as one gets through.",
                    "`fleet-cache doctor` says since when, and whether other nodes find the same.",
                ],
            ),
            "origin" | "origin-timeout" | "other-host" | "other-host-timeout" => judged(
                Verdict::OriginFailing,
                "GitHub could not be reached, failed, or was too slow, and nothing kept may stand in.",
                &[
                    "Try again in some seconds.",
                    "If it goes on, see https://www.githubstatus.com and `fleet-cache stats`.",
                ],
            ),
            _other if cache.is_hit || cache.is_forwarded => self.by_origin(limit),
            detail => door(detail),
        }
    }

    /// An answer of GitHub's own, kept or not.
    fn by_origin(&self, limit: &str) -> Judged {
        let Some(status) = self.answer.status else {
            return judged(
                Verdict::Answered,
                "It is an answer of GitHub's, which Fleet Cache passed on or had kept.",
                &[],
            );
        };
        match status {
            status if self.is_limited(status) => self.by_limit(limit),
            401 => judged(
                Verdict::Github,
                "GitHub does not accept the credential: it is wrong, expired or revoked.",
                &["Give a valid token."],
            ),
            403 => judged(
                Verdict::Github,
                "GitHub forbids it to this credential; no rate limit is the cause.",
                &[
                    "Look at the `message` in the body: the token lacks a permission, or the organisation wants SSO.",
                ],
            ),
            404 => judged(
                Verdict::Github,
                "GitHub says that it is not there, or hides it from this credential.",
                &[
                    "Check the path, and that the token may read it; some answers that say so are kept for a moment.",
                ],
            ),
            400.. => judged(
                Verdict::Github,
                "GitHub itself answered with this error.",
                &["Look at the `message` in the body."],
            ),
            _success => judged(Verdict::Answered, "The request was answered.", &[]),
        }
    }

    /// Whether an answer with `status` says, as GitHub does, that a rate limit holds.
    fn is_limited(&self, status: u16) -> bool {
        status == 429
            || status == 403 && (self.answer.retry_after.is_some() || self.answer.remaining == Some(0))
    }

    /// A refusal by a rate limit, primary or secondary.
    fn by_limit(&self, limit: &str) -> Judged {
        if self.answer.remaining == Some(0) {
            return judged(
                Verdict::WindowSpent,
                format!(
                    "The rate limit `{limit}` of this credential is spent. No machine of the fleet calls for it until then."
                ),
                &[
                    "Wait; what is cached is answered meanwhile.",
                    "See what spent it with `top_spenders`.",
                    "Another credential has a rate limit of its own.",
                ],
            );
        }
        judged(
            Verdict::SecondaryLimit,
            "GitHub said that this credential calls too often or too much at once, whatever is left (a secondary limit). \
             No machine of the fleet makes any call for it until then.",
            &[
                "Wait, and do not try again before: trying prolongs such limits.",
                "Afterwards make fewer calls at once, and wait between writes.",
            ],
        )
    }

    /// What would hold such a request now, where there is no answer to read.
    fn by_holds(&self, limit: &str) -> Judged {
        match self.holding().map(|hold| hold.by) {
            Some(By::Pace) => Self { answer: Answer::default(), ..self.bare() }.by_limit(limit),
            Some(By::Window) => {
                let spent = Answer { remaining: Some(0), ..Answer::default() };
                Self { answer: spent, ..self.bare() }.by_limit(limit)
            }
            Some(By::Reserve) => reserved(limit),
            None => judged(
                Verdict::NothingHolds,
                format!(
                    "No rate limit, reserve or pause known to the fleet holds such a request (`{limit}`) now."
                ),
                &["Send the request; if it is refused, give its status and headers here."],
            ),
        }
    }

    fn bare(&self) -> Self {
        Self { answer: Answer::default(), class: None, resource: None, holds: Vec::new(), now: self.now }
    }

    /// The hold that concerns the request, as far as can be told.
    fn holding(&self) -> Option<&Hold> {
        let class = self.class.unwrap_or(Class::Normal);
        self.holds.iter().find(|hold| hold.class.is_none_or(|held| held == class))
    }

    /// When it is over.
    fn until(&self, verdict: Verdict) -> Option<u64> {
        let by = match verdict {
            Verdict::Reserve => By::Reserve,
            Verdict::SecondaryLimit => By::Pace,
            Verdict::WindowSpent => By::Window,
            Verdict::Door => return self.answer.retry_after.map(|wait| self.now + wait),
            _not_for_a_time => return None,
        };
        let told = self.answer.retry_after.map(|wait| self.now.saturating_add(wait));
        let reset = self.answer.reset.filter(|_| by != By::Pace);
        let held = self.holds.iter().find(|hold| hold.by == by).map(|hold| hold.until);
        told.or(reset).or(held)
    }
}

type Judged = (Verdict, String, Vec<String>);

fn judged(verdict: Verdict, explanation: impl Into<String>, remedies: &[&str]) -> Judged {
    (verdict, explanation.into(), remedies.iter().map(|remedy| (*remedy).to_owned()).collect())
}

fn reserved(limit: &str) -> Judged {
    judged(
        Verdict::Reserve,
        format!(
            "What is left of the rate limit `{limit}` is kept for requests that matter more (`--reserve`). Fleet Cache \
             did not send the request; GitHub has not refused it."
        ),
        &[
            "Wait for the next window; what is cached is answered meanwhile.",
            "If this request may have the last calls, send it with `X-Fleet-Priority: critical`. Ask the user first.",
        ],
    )
}

fn stale(detail: &str) -> Judged {
    let why = match detail {
        "stale-reserved" => "what is left of the rate limit is kept for requests that matter more",
        "stale-quota-spent" => "the rate limit is spent or paused",
        "stale-held-off" => "GitHub failed a moment ago, and is not asked again for ten seconds",
        "stale-if-error" => "GitHub failed just now",
        "max-stale" => "the request accepts that (`max-stale`)",
        _while_revalidating => "it is being renewed in the background",
    };
    judged(
        Verdict::Answered,
        format!("The request was answered from what was kept, though it is no longer fresh, since {why}."),
        &[
            "`ttl` in `Cache-Status` says since when it has been stale.",
            "To insist on a fresh answer, wait and send `Cache-Control: no-cache`.",
        ],
    )
}

fn door(detail: &str) -> Judged {
    let (why, remedy) = match detail {
        "busy" => ("too much is under way in this daemon", "Try again in a second."),
        "circle" => (
            "the daemon's origin leads back to itself",
            "Start it with --origin https://api.github.com, and set GITHUB_API_URL for clients alone.",
        ),
        "client-token" => (
            "the daemon serves only clients that present its client token",
            "Send it as `X-Fleet-Cache-Token`.",
        ),
        "misdirected" | "host" => (
            "the request names a host that this daemon does not serve",
            "Reach it by localhost or its address.",
        ),
        "only-if-cached" => {
            ("nothing is kept, and the request forbids a call", "Leave out `only-if-cached`.")
        }
        "priority" => {
            ("`X-Fleet-Priority` is none of batch, normal and critical", "Send one of these, once.")
        }
        "stopping" => ("the daemon is about to end", "Try again when it runs; `doctor` tells."),
        "web-page" => {
            ("a web page asked that is not allowed to", "Start the daemon with --allow-web-origin for it.")
        }
        _other => ("of its form", "Look at `message` and `fleet_cache.remedy` in the body of the answer."),
    };
    judged(Verdict::Door, format!("Fleet Cache turned the request away itself, since {why}."), &[remedy])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn explained(status: u16, headers: &[(&str, &str)]) -> Explanation {
        let headers: BTreeMap<_, _> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = Answer::read(Some(status), &headers);
        Situation { answer, class: None, resource: None, holds: Vec::new(), now: 1000 }.explained()
    }

    /// A status and headers, the verdict on them, and when it is over.
    type Case<'a> = (u16, &'a [(&'a str, &'a str)], Verdict, Option<u64>);

    #[test]
    fn each_refusal_is_told_apart_by_its_headers() {
        let ours = |detail: &'static str| ("cache-status", detail);
        let cases: &[Case<'_>] = &[
            (
                403,
                &[ours("fleet-cache; detail=reserved"), ("retry-after", "60")],
                Verdict::Reserve,
                Some(1060),
            ),
            (
                403,
                &[
                    ours("fleet-cache; detail=quota-spent"),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", "4600"),
                ],
                Verdict::WindowSpent,
                Some(4600),
            ),
            (
                403,
                &[
                    ours("fleet-cache; detail=quota-spent"),
                    ("x-ratelimit-remaining", "7"),
                    ("x-ratelimit-reset", "4600"),
                    ("retry-after", "30"),
                ],
                Verdict::SecondaryLimit,
                Some(1030),
            ),
            (
                403,
                &[
                    ours("fleet-cache; detail=paced"),
                    ("x-ratelimit-remaining", "7"),
                    ("x-ratelimit-reset", "4600"),
                    ("retry-after", "30"),
                ],
                Verdict::SecondaryLimit,
                Some(1030),
            ),
            (429, &[ours("fleet-cache; fwd=uri-miss; fwd-status=429")], Verdict::SecondaryLimit, None),
            (403, &[ours("fleet-cache; fwd=uri-miss; fwd-status=403")], Verdict::Github, None),
            (404, &[ours("fleet-cache; hit; ttl=9")], Verdict::Github, None),
            (200, &[ours("fleet-cache; hit; ttl=9; detail=peer")], Verdict::Answered, None),
            (200, &[ours("fleet-cache; fwd=stale; ttl=-7; detail=stale-if-error")], Verdict::Answered, None),
            (504, &[ours("fleet-cache; detail=origin-timeout")], Verdict::OriginFailing, None),
            (503, &[ours("fleet-cache; detail=busy"), ("retry-after", "1")], Verdict::Door, Some(1001)),
            (421, &[ours("fleet-cache; detail=misdirected")], Verdict::Door, None),
            (403, &[("x-ratelimit-remaining", "0")], Verdict::WindowSpent, None),
            (403, &[], Verdict::NotThroughFleetCache, None),
        ];
        for (status, headers, verdict, until) in cases {
            let told = explained(*status, headers);
            assert_eq!((told.verdict, told.until), (*verdict, *until), "{status} {headers:?}");
            assert!(told.explanation.ends_with('.'), "{}", told.explanation);
        }
    }
}
