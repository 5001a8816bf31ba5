//! What becomes of a whole answer: kept, renewed, handed on, or taken for a fault.
//!
//! Pure: an answer and the circumstances of the question in, a [`Fetched`] out.

use crate::{
    RouteRule,
    directive::directives,
    field,
    form::is_json,
    inspect::{Findings, inspect},
    quota,
    route::Keeping,
    url::OriginUrl,
};
use bytes::Bytes;
use cache_core::{Audience, Content, Draft, Entry, FetchError, Fetched, Validators, freshness::Freshness};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header, request, response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use std::time::{Duration, SystemTime};

/// An answer with its body, and what was asked.
pub(crate) struct Answer<'a> {
    pub(crate) request: &'a request::Parts,
    /// The head as it came, before any decoding.
    pub(crate) head: &'a response::Parts,
    pub(crate) body: Bytes,
    pub(crate) circumstances: Circumstances<'a>,
}

/// What decides beside the answer itself.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) origin: &'a OriginUrl,
    /// What was asked for, from the API's root and without a query.
    pub(crate) path: &'a str,
    pub(crate) rule: &'a RouteRule,
    /// Whether the operator put several credentials together.
    pub(crate) named: bool,
    /// Whether the answer's own `max-age` may shorten the rule's lifetime.
    pub(crate) respect_max_age: bool,
    pub(crate) tag_scope: [u8; 8],
    pub(crate) now: SystemTime,
}

impl Circumstances<'_> {
    /// What `content` says of itself.
    fn findings(&self, content: &Content) -> Findings {
        let kind = content.headers.get("content-type");
        let kind = kind.and_then(|value| HeaderValue::from_bytes(value).ok());
        if content.status == 200 && is_json(kind.as_ref()) {
            inspect(self.path, &content.body)
        } else {
            Findings::default()
        }
    }
}

impl Answer<'_> {
    /// What the engine is told.
    pub(crate) fn judge(self) -> Fetched {
        let status = self.head.status;
        if self.is_throttled() {
            return Fetched::Throttled {
                retry_after: quota::retry_after(&self.head.headers, self.circumstances.now),
                content: self.content(),
            };
        }
        match status.as_u16() {
            500..=599 => Fetched::Fault { content: self.content() },
            200 if self.is_damaged_json() => Fetched::Failed(FetchError::BodyDamaged),
            200 => self.keep(),
            301 | 308 if self.leads_to_origin() => self.keep(),
            404 | 410 if !self.circumstances.named => self.keep_absence(),
            _other => self.hand_on(),
        }
    }

    fn keep(self) -> Fetched {
        let content = self.content();
        let findings = self.circumstances.findings(&content);
        if findings.credential {
            return self.hand_on_to(Audience::Leader);
        }
        let validators = validators(&self.head.headers, self.circumstances.tag_scope);
        let can_validate = validators.etag.is_some() || validators.last_modified.is_some();
        let policy = policy(self.request, self.head, self.circumstances.now);
        let storable = policy.is_storable() && !varies_by_everything(&self.head.headers) && self.is_framed();
        let freshness = freshness(&self.head.headers, &policy, &self.circumstances, findings);
        let freshness =
            freshness.filter(|freshness| storable && (can_validate || !freshness.lifetime.is_zero()));
        match freshness {
            Some(freshness) => Fetched::Fresh(Draft {
                age: policy.age(self.circumstances.now),
                content,
                freshness,
                validators,
            }),
            None => self.hand_on(),
        }
    }

    /// That something is not there may be kept for a moment: it spares the origin a fleet that polls for it.
    fn keep_absence(self) -> Fetched {
        let now = self.circumstances.now;
        let policy = policy(self.request, self.head, now);
        if !policy.is_storable() || !self.is_framed() {
            return self.hand_on();
        }
        let rule = self.circumstances.rule.lifetime().unwrap_or(Duration::ZERO);
        let freshness = Freshness { lifetime: rule.min(ABSENCE_LIFETIME), ..Freshness::default() };
        Fetched::Fresh(Draft {
            age: policy.age(now),
            content: self.content(),
            freshness,
            validators: Validators::default(),
        })
    }

    /// An answer that others in the domain may share while it is in flight, unless it is a judgement on one
    /// credential of several, or leads away to what may be a signed address.
    fn hand_on(self) -> Fetched {
        let audience = match self.head.status.as_u16() {
            200..=299 => Audience::Domain,
            300..=399 if !self.leads_to_origin() => Audience::Leader,
            _other if self.circumstances.named => Audience::Leader,
            _other => Audience::Domain,
        };
        self.hand_on_to(audience)
    }

    fn hand_on_to(self, audience: Audience) -> Fetched {
        Fetched::Unstorable { content: self.content(), audience }
    }

    fn content(&self) -> Content {
        Content {
            status: self.head.status.as_u16(),
            headers: field::kept(&self.head.headers, !self.circumstances.named),
            body: self.body.clone(),
        }
    }

    /// Whether an allowance is spent. GitHub says so with 403 or 429 (its REST documentation, "Rate limits").
    fn is_throttled(&self) -> bool {
        let headers = &self.head.headers;
        let spent = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        match self.head.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::FORBIDDEN => {
                let says = |text: &str| memchr::memmem::find(&self.body, text.as_bytes()).is_some();
                spent || headers.contains_key(header::RETRY_AFTER) || THROTTLE_MESSAGES.into_iter().any(says)
            }
            _other => false,
        }
    }

    /// Whether what calls itself JSON is not: an answer that broke off behind a proxy that hid it.
    fn is_damaged_json(&self) -> bool {
        is_json(self.head.headers.get(header::CONTENT_TYPE))
            && serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).is_err()
    }

    /// Whether the answer said where its body ends. One that merely stops may be half an answer.
    fn is_framed(&self) -> bool {
        self.head.version >= Version::HTTP_2
            || self.head.headers.contains_key(header::CONTENT_LENGTH)
            || self.head.headers.contains_key(header::TRANSFER_ENCODING)
    }

    fn leads_to_origin(&self) -> bool {
        let location = self.head.headers.get(header::LOCATION);
        let address = location.and_then(|value| value.to_str().ok()?.parse().ok());
        address.is_some_and(|address| self.circumstances.origin.owns(&address))
    }
}

/// The renewed draft of `entry`, which a 304 with `head` says still holds. `tag` is what the origin was asked
/// with, and so what it will know the body by under this credential.
pub(crate) fn renew(
    entry: &Entry,
    request: &request::Parts,
    head: &response::Parts,
    tag: Option<Box<str>>,
    circumstances: &Circumstances<'_>,
) -> Draft {
    let content = Content {
        status: entry.content().status,
        headers: field::merged(&entry.content().headers, &head.headers, !circumstances.named),
        body: entry.content().body.clone(),
    };
    let policy = policy(request, head, circumstances.now);
    let findings = circumstances.findings(entry.content());
    let freshness = freshness(&head.headers, &policy, circumstances, findings).unwrap_or_default();
    let mut validators = validators(&head.headers, circumstances.tag_scope);
    validators.etag = validators.etag.or(tag);
    validators.last_modified = validators.last_modified.or(entry.validators().last_modified.clone());
    validators.etag_scope = Some(circumstances.tag_scope);
    Draft { content, freshness, validators, age: policy.age(circumstances.now) }
}

fn validators(headers: &HeaderMap, scope: [u8; 8]) -> Validators {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.into());
    Validators {
        etag: text(header::ETAG),
        etag_scope: Some(scope),
        last_modified: text(header::LAST_MODIFIED),
    }
}

/// The rule's times, as far as the answer itself allows them; `None` when it may not be kept.
///
/// GitHub's `max-age=60` stands on everything, runs and licences alike, so the rule counts and not it.
/// `no-cache` is honoured, unless an operator's own rule says otherwise.
fn freshness(
    headers: &HeaderMap,
    policy: &CachePolicy,
    circumstances: &Circumstances<'_>,
    findings: Findings,
) -> Option<Freshness> {
    let Keeping::For { lifetime, if_error, unsettled, while_revalidating } = circumstances.rule.keeping()
    else {
        return None;
    };
    let mut freshness = Freshness { lifetime, while_revalidating, if_error };
    let says = |wanted: &str| {
        let values = headers.get_all(header::CACHE_CONTROL).iter();
        values.flat_map(directives).any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if says("no-store") {
        return None;
    }
    if says("no-cache") && !circumstances.rule.is_by_operator() {
        return Some(Freshness::default());
    }
    if says("must-revalidate") || says("proxy-revalidate") {
        freshness.if_error = Duration::ZERO;
        freshness.while_revalidating = Duration::ZERO;
    }
    if circumstances.respect_max_age && (says("max-age") || headers.contains_key(header::EXPIRES)) {
        freshness.lifetime = lifetime.min(policy.time_to_live(circumstances.now));
    }
    if findings.unsettled {
        freshness.lifetime = freshness.lifetime.min(unsettled);
        freshness.while_revalidating = Duration::ZERO;
    }
    Some(freshness)
}

/// RFC 9111 as `http-cache-semantics` has it. Private to a domain, hence not shared.
fn policy(request: &request::Parts, head: &response::Parts, now: SystemTime) -> CachePolicy {
    let options = CacheOptions { shared: false, ..CacheOptions::default() };
    CachePolicy::new_options(request, head, now, options)
}

fn varies_by_everything(headers: &HeaderMap) -> bool {
    headers.get_all(header::VARY).iter().any(|value| value.as_bytes().trim_ascii() == b"*")
}

/// Lifetime of "there is no such thing": long enough for a fleet that polls, short enough for whoever has
/// just made the thing.
pub const ABSENCE_LIFETIME: Duration = Duration::from_secs(10);

/// How GitHub words the refusals that its rate-limit fields do not show.
const THROTTLE_MESSAGES: [&str; 3] =
    ["secondary rate limit", "API rate limit exceeded", "abuse detection mechanism"];

#[cfg(test)]
mod tests;
