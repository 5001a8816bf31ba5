//! What becomes of a whole answer: kept, renewed, handed on, or taken for a fault.
//!
//! Pure: an answer and the circumstances of the question in, a [`Fetched`] out.

use crate::{
    RouteRule, account, field,
    form::{self, is_json},
    inspect::{Findings, inspect},
    json::{self, Reading},
    quota,
    route::Keeping,
    terms::{Terms, varying},
    url::OriginUrl,
};
use bytes::Bytes;
use cache_core::{
    Audience, Content, Draft, Entry, FetchError, Fetched, Headers, Validators, freshness::Freshness,
};
use http::{HeaderMap, HeaderValue, Version, header, response};
use std::time::{Duration, SystemTime};

/// An answer with its body, and what was asked.
pub(crate) struct Answer<'a> {
    /// The head as it came, before any decoding.
    pub(crate) head: &'a response::Parts,
    pub(crate) body: Bytes,
    pub(crate) coding: BodyCoding,
    pub(crate) circumstances: Circumstances<'a>,
}

/// What the decision depends on besides the answer itself.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) origin: &'a OriginUrl,
    /// What was asked for, from the API's root and without a query.
    pub(crate) path: &'a str,
    pub(crate) rule: &'a RouteRule,
    /// Whether the operator put several credentials together.
    pub(crate) named: bool,
    /// Whether each of those must prove for itself that it may read the answer.
    pub(crate) each_proves: bool,
    /// Whether those that read the answer have the very credential that asked.
    pub(crate) shows_credential: bool,
    /// Whether the answer's own `max-age` may shorten the rule's lifetime.
    pub(crate) respect_max_age: bool,
    /// Whether the origin is told one `User-Agent` for all clients.
    pub(crate) one_agent: bool,
    pub(crate) tag_scope: [u8; 8],
    pub(crate) now: SystemTime,
    /// Time since the question went out: by so much the answer may be older than it says.
    pub(crate) taken: Duration,
}

/// How a body that was read stands to the coding that it came in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum BodyCoding {
    /// The body had no coding.
    Absent,
    /// It is still in it: it is one that we do not undo.
    Left,
    /// The coding was undone.
    Undone,
}

impl Circumstances<'_> {
    /// What of `headers` every reader may be shown that proves the body and the links alone.
    fn shown(&self, headers: Headers) -> Headers {
        if self.each_proves { field::common(&headers) } else { headers }
    }

    /// What `content` says of itself.
    fn findings(&self, content: &Content) -> Findings {
        let kind = content.headers.get("content-type");
        let kind = kind.and_then(|value| HeaderValue::from_bytes(value).ok());
        if (200..=299).contains(&content.status) && is_json(kind.as_ref()) {
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
        if quota::is_throttled(status, &self.head.headers, &self.body) {
            return Fetched::Throttled {
                retry_after: quota::retry_after(&self.head.headers, self.circumstances.now),
                shortage: quota::shortage(&self.head.headers),
                content: self.content(),
            };
        }
        match status.as_u16() {
            500..=599 => Fetched::Fault { content: self.content() },
            200 => match self.reading() {
                Reading::BrokenOff => Fetched::Failed(FetchError::BodyDamaged),
                Reading::Other => self.hand_on(),
                Reading::Whole => self.keep(),
            },
            301 | 308 if self.leads_to_origin() => self.keep(),
            404 | 410 if !self.circumstances.named => self.keep_absence(),
            _other => self.hand_on(),
        }
    }

    fn keep(self) -> Fetched {
        let content = self.kept();
        let findings = self.circumstances.findings(&content);
        if findings.credential {
            return self.hand_on_to(Audience::Leader);
        }
        let terms = self.terms();
        let validators = validators(&self.head.headers, self.circumstances.tag_scope);
        let can_validate = validators.etag.is_some() || validators.last_modified.is_some();
        let freshness = freshness(&terms, &self.circumstances, findings)
            .filter(|freshness| self.is_storable() && (can_validate || !freshness.lifetime.is_zero()));
        match freshness {
            Some(freshness) => {
                Fetched::Fresh(Draft { age: self.age(&terms), content, freshness, validators })
            }
            None => self.hand_on(),
        }
    }

    /// That something is not there may be kept for a moment: it spares the origin a fleet that polls for it.
    ///
    /// It has no validators worth keeping, so the origin's own lifetime always counts, and what must be asked
    /// about each time is not kept.
    fn keep_absence(self) -> Fetched {
        let terms = self.terms();
        let freshness = freshness(&terms, &self.circumstances, Findings::default());
        let freshness = freshness.filter(|_| self.is_storable());
        let allowed = freshness.map_or(Duration::ZERO, |freshness| freshness.lifetime);
        let lifetime = allowed.min(terms.lifetime.unwrap_or(ABSENCE_LIFETIME)).min(ABSENCE_LIFETIME);
        // It counts from when it was said: all that was asked for before then is older.
        let age = terms.age;
        if lifetime <= age {
            return self.hand_on();
        }
        Fetched::Fresh(Draft {
            age,
            content: self.kept(),
            freshness: Freshness { lifetime, ..Freshness::default() },
            validators: Validators::default(),
        })
    }

    /// An answer that others in the domain may share while it is in flight, unless it holds a credential, is a
    /// judgement on one of several, or leads away to what may be a signed address.
    fn hand_on(self) -> Fetched {
        let audience = match self.head.status.as_u16() {
            200..=299 if self.circumstances.findings(&self.kept()).credential => Audience::Leader,
            // What is in the body is unknown.
            200..=299 if self.circumstances.named && self.coding == BodyCoding::Left => Audience::Leader,
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

    /// What is kept of it.
    fn kept(&self) -> Content {
        let kept = field::kept(&self.head.headers, self.coding, self.circumstances.shows_credential);
        self.with_headers(self.circumstances.shown(kept))
    }

    /// The same for the requests that wait for it now, which also get its age and coding.
    fn content(&self) -> Content {
        let shows_credential = self.circumstances.shows_credential;
        let headers = field::relayed(&self.head.headers, self.coding, shows_credential);
        let content = self.with_headers(headers);
        if content.status < 400 || shows_credential {
            return content;
        }
        Content { body: account::without_number(content.body), ..content }
    }

    fn with_headers(&self, headers: Headers) -> Content {
        Content { status: self.head.status.as_u16(), headers, body: self.body.clone() }
    }

    fn terms(&self) -> Terms {
        Terms::read(&self.head.headers, self.circumstances.now)
    }

    /// RFC 9111, section 4.2.3, except for the part that trusts two clocks to agree.
    fn age(&self, terms: &Terms) -> Duration {
        terms.age.saturating_add(self.circumstances.taken)
    }

    /// What calls itself JSON and is not may have broken off behind a proxy that hid it.
    fn reading(&self) -> Reading {
        if self.coding != BodyCoding::Left && is_json(self.head.headers.get(header::CONTENT_TYPE)) {
            json::read(&self.body)
        } else {
            Reading::Whole
        }
    }

    /// Whether it is an answer for more than this moment, said where it ends, and is in no coding that some
    /// client may not understand. One that merely stops may be half an answer.
    fn is_storable(&self) -> bool {
        let headers = &self.head.headers;
        let is_framed = self.head.version >= Version::HTTP_2
            || headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        is_framed && self.coding != BodyCoding::Left && !varies_by_more(headers, &self.circumstances)
    }

    fn leads_to_origin(&self) -> bool {
        let location = self.head.headers.get(header::LOCATION);
        let address = location.and_then(|value| value.to_str().ok()?.parse().ok());
        address.is_some_and(|address| self.circumstances.origin.owns(&address))
    }
}

/// What becomes of `entry`, which a 304 with `head` says still holds. `tag` is what the origin was asked with, and
/// so what it will know the body by under this credential.
///
/// The 304's fields take the place of the kept ones, and only then it is asked for how long all of it may be
/// kept (RFC 9111, section 4.3.4): what a 304 does not repeat still holds. `None` where old and new fields together
/// are more than an entry holds.
pub(crate) fn renew(
    entry: &Entry,
    head: &response::Parts,
    tag: Option<Box<str>>,
    circumstances: &Circumstances<'_>,
) -> Option<Fetched> {
    let own = &entry.content().headers;
    renew_with((own, Fetched::NotModified), entry, head, tag, circumstances)
}

/// What becomes of `entry`, which another credential was given, where a 304 with `head` says that this one would be given
/// the same under `tag`.
///
/// As [`renew`], of an entry that another credential of the domain was given. Its tag stays: clients of the domain know it.
pub(crate) fn renew_shared(
    entry: &Entry,
    head: &response::Parts,
    tag: Option<Box<str>>,
    circumstances: &Circumstances<'_>,
) -> Option<Fetched> {
    let given = &entry.content().headers;
    let lent = field::lent(given, given.get_str(header::ETAG.as_str()));
    renew_with((&lent, Fetched::NotModified), entry, head, tag, circumstances)
}

/// As [`renew`], but nothing that told the other reader of itself goes on: neither what its credential may do, nor its tag,
/// nor the links of its page.
pub(crate) fn prove(
    entry: &Entry,
    head: &response::Parts,
    tag: Option<Box<str>>,
    circumstances: &Circumstances<'_>,
) -> Option<Fetched> {
    let lent = field::lent(&entry.content().headers, tag.as_deref());
    renew_with((&lent, Fetched::Proven), entry, head, tag, circumstances)
}

/// What there is to tell of the body of `entry` with its `headers` as the 304's `head` renews them.
fn renew_with(
    (headers, tell): (&Headers, fn(Draft) -> Fetched),
    entry: &Entry,
    head: &response::Parts,
    tag: Option<Box<str>>,
    circumstances: &Circumstances<'_>,
) -> Option<Fetched> {
    let content = Content {
        status: entry.content().status,
        headers: circumstances.shown(field::merged(headers, &head.headers, circumstances.shows_credential)?),
        body: entry.content().body.clone(),
    };
    let mut merged: HeaderMap = form::fields(&content.headers).collect();
    merged.extend(head.headers.get(header::AGE).map(|age| (header::AGE, age.clone())));
    let terms = Terms::read(&merged, circumstances.now);
    let findings = circumstances.findings(entry.content());
    let freshness = freshness(&terms, circumstances, findings);
    let Some(freshness) = freshness.filter(|_| !varies_by_more(&merged, circumstances)) else {
        return Some(Fetched::Unstorable { content, audience: Audience::Domain });
    };
    let mut validators = validators(&head.headers, circumstances.tag_scope);
    validators.etag = validators.etag.or(tag);
    validators.last_modified = validators.last_modified.or(entry.validators().last_modified.clone());
    validators.etag_scope = Some(circumstances.tag_scope);
    let age = terms.age.saturating_add(circumstances.taken);
    Some(tell(Draft { content, freshness, validators, age }))
}

/// A 304 by the validators of the client that asked: an answer for it alone, and nothing to keep.
pub(crate) fn for_its_client(head: &response::Parts, circumstances: &Circumstances<'_>) -> Fetched {
    let headers = field::relayed(&head.headers, BodyCoding::Absent, circumstances.shows_credential);
    let content = Content { status: head.status.as_u16(), headers, body: Bytes::new() };
    Fetched::Unstorable { content, audience: Audience::Leader }
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
/// GitHub sends `max-age=60` with everything, runs and licences alike, so the rule counts and `max-age` does not,
/// unless the operator wants it otherwise. An answer that is stale as it comes (`no-cache`, `max-age=0`, an `Expires`
/// in the past) is honoured, unless an operator's own rule says otherwise.
fn freshness(terms: &Terms, circumstances: &Circumstances<'_>, findings: Findings) -> Option<Freshness> {
    let Keeping::For { lifetime, if_error, unsettled, while_revalidating } = circumstances.rule.keeping()
    else {
        return None;
    };
    if terms.no_store {
        return None;
    }
    let is_ruled = circumstances.rule.is_by_operator();
    if terms.no_cache && !is_ruled {
        return Some(Freshness::default());
    }
    let mut freshness = Freshness { lifetime, while_revalidating, if_error };
    if terms.must_revalidate {
        freshness.if_error = Duration::ZERO;
        freshness.while_revalidating = Duration::ZERO;
    }
    match terms.lifetime {
        Some(Duration::ZERO) if !is_ruled => {
            freshness.lifetime = Duration::ZERO;
            freshness.while_revalidating = Duration::ZERO;
        }
        Some(allowed) if circumstances.respect_max_age => freshness.lifetime = lifetime.min(allowed),
        Some(_) | None => {}
    }
    if findings.unsettled {
        freshness.lifetime = freshness.lifetime.min(unsettled);
        freshness.while_revalidating = Duration::ZERO;
    }
    Some(freshness)
}

/// Whether an answer depends on more than fields that can be compared. Every request has an agent, and no two clients
/// the same; so an answer that depends on the agent is not kept.
fn varies_by_more(headers: &HeaderMap, circumstances: &Circumstances<'_>) -> bool {
    let is_agent = |name: &str| circumstances.one_agent && name.eq_ignore_ascii_case("user-agent");
    varying(headers).any(|name| name == "*" || is_agent(name))
}

/// Lifetime of "there is no such thing": long enough for a fleet that polls, short enough for a client that has just
/// made the thing.
pub const ABSENCE_LIFETIME: Duration = Duration::from_secs(10);

mod of_query;
#[cfg(test)]
mod tests;
