//! What an answer of the origin is worth: whether it is kept, and for how long (RFC 9111, sections 3 and 4).

use crate::{
    Policy, Read, Selector, fields,
    lifetime::{self, Exchanged},
    terms::Terms,
};
use bytes::Bytes;
use cache_core::{Content, Draft, Entry, Headers, Validators, freshness, freshness::Freshness};
use http::{HeaderMap, HeaderName, header};
use std::time::Duration;

/// A whole answer of the origin, as it came.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "made by whatever calls the origin")]
pub struct Answer {
    /// The status that the origin gave, in three digits.
    pub status: u16,
    /// Its fields, without those of the connection.
    pub headers: HeaderMap,
    /// The body to its end, in the coding that its fields name.
    pub body: Bytes,
    /// When it was asked for, and when it came.
    pub times: Exchanged,
}

/// What becomes of an answer.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "each is dealt with in its own way")]
pub enum Verdict {
    /// It is a fault of the origin's own, for which the stale entry that was asked about stands in (RFC 5861, section 4), or
    /// which those that wait may share, since there is none.
    Fault(Content),
    /// It may answer other requests too.
    Keep {
        /// The answer without what is for one request alone, and for how long it may be served.
        draft: Draft,
        /// The fields of requests that select it.
        selector: Selector,
        /// Fields that are for the request that fetched it alone.
        live: HeaderMap,
    },
    /// It says that something holds of which nobody asked, or has more fields than anything may.
    Malformed,
    /// It is handed on to the one request that fetched it, and is not kept.
    Relay(Content),
    /// The entry that was asked about still holds; here it is, renewed.
    Renewed(Draft),
}

/// Judges `answer` to `read`, which asked about `known` if that is given.
pub(crate) fn judge(policy: &Policy, read: &Read, known: Option<&Entry>, mut answer: Answer) -> Verdict {
    // The connection changes its protocol for nobody that did not ask for that (RFC 9110, section 7.8).
    if answer.status < 200 {
        return Verdict::Malformed;
    }
    lifetime::add_date(&mut answer.headers, answer.times);
    match known {
        Some(known) if answer.status == NOT_MODIFIED => return renew(policy, read, known, &answer),
        None if answer.status == NOT_MODIFIED => return Verdict::Malformed,
        Some(known) if stands_in(known, &answer) => {
            return content(answer).map_or(Verdict::Malformed, Verdict::Fault);
        }
        Some(_) | None => {}
    }
    let terms = Terms::of(&answer.headers);
    let Some(freshness) = storable(policy, read, &answer, &terms) else {
        let is_for_one = terms.is_private()
            || terms.no_store(answer.status)
            || read.is_authorized()
            || has_cookie(read, &answer.headers)
            || answer.headers.contains_key(header::VARY);
        let is_shared = known.is_none() && FAULTS.contains(&answer.status) && !is_for_one;
        let verdict = if is_shared { Verdict::Fault } else { Verdict::Relay };
        return content(answer).map_or(Verdict::Malformed, verdict);
    };
    let kept = fields::kept(&answer.headers, &terms.withheld());
    let (Some(selector), Some(headers)) = (Selector::of_answer(&answer.headers), kept) else {
        return content(answer).map_or(Verdict::Malformed, Verdict::Relay);
    };
    let live = named(&answer.headers, &terms.withheld());
    let content = Content { status: answer.status, headers, body: answer.body };
    let age = lifetime::age(&answer.headers, answer.times);
    let draft = Draft { content, freshness, validators: validators(&answer.headers), age };
    Verdict::Keep { draft, selector, live }
}

/// What the entry `known` becomes by the answer to a HEAD for `read`; `None` if that is of another edition, so that the entry
/// may not be served without being asked about (RFC 9111, section 4.3.5).
pub(crate) fn renewed_by_head(
    policy: &Policy,
    read: &Read,
    known: &Entry,
    mut answer: Answer,
) -> Option<Draft> {
    lifetime::add_date(&mut answer.headers, answer.times);
    let stored = fields::map(&known.content().headers);
    let is_same = |name| answer.headers.get(&name).is_none_or(|value| stored.get(&name) == Some(value));
    let length = answer.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let is_as_long = length.is_none_or(|length| length.parse() == Ok(known.content().body.len()));
    if !is_same(header::ETAG) || !is_same(header::LAST_MODIFIED) || !is_as_long {
        return None;
    }
    match renew(policy, read, known, &answer) {
        Verdict::Renewed(draft) => Some(draft),
        _not_to_be_kept_any_more => None,
    }
}

/// Whether `headers` say for how long an answer is fresh.
pub(crate) fn is_explicit(headers: &HeaderMap) -> bool {
    says_how_long(headers, &Terms::of(headers))
}

fn says_how_long(headers: &HeaderMap, terms: &Terms) -> bool {
    terms.explicit().is_some() || !terms.is_targeted && headers.contains_key(header::EXPIRES)
}

/// What `known` becomes by a 304: its fields are renewed, and all that they say of it counts anew.
///
/// Where it varies by more than it did, it is an answer that has yet to find its place. A cookie is for the client that asked,
/// unless the 304 says how long it may be kept.
fn renew(policy: &Policy, read: &Read, known: &Entry, answer: &Answer) -> Verdict {
    let stored = fields::map(&known.content().headers);
    let mut news = answer.headers.clone();
    // As in a 200, what says for how long it may be kept says so of its cookie.
    let cookie = (!is_explicit(&answer.headers)).then(|| header::SET_COOKIE.to_string());
    if cookie.is_some() {
        news.remove(header::SET_COOKIE);
    }
    let headers = fields::renewed(&stored, &news);
    let terms = Terms::of(&headers);
    let withheld = terms.withheld();
    let live: Vec<String> = withheld.iter().cloned().chain(cookie).collect();
    let live = named(&answer.headers, &live);
    let renewed =
        Answer { status: known.content().status, headers, body: known.content().body.clone(), ..*answer };
    let (Some(freshness), Some(selector)) =
        (storable(policy, read, &renewed, &terms), Selector::of_answer(&renewed.headers))
    else {
        let mut headers = renewed.headers;
        headers.extend(live);
        return content(Answer { headers, ..renewed }).map_or(Verdict::Malformed, Verdict::Relay);
    };
    let Some(headers) = fields::kept(&renewed.headers, &withheld) else { return Verdict::Malformed };
    let age = lifetime::age(&renewed.headers, renewed.times);
    let validators = validators(&renewed.headers);
    let content = Content { status: renewed.status, headers, body: renewed.body };
    let draft = Draft { content, freshness, validators, age };
    let is_placed = Selector::of_answer(&stored).is_some_and(|stored| stored.covers(&selector));
    if is_placed && live.is_empty() {
        Verdict::Renewed(draft)
    } else {
        Verdict::Keep { draft, selector, live }
    }
}

/// Whether an answer with `headers` to `read` may be for one user.
fn has_cookie(read: &Read, headers: &HeaderMap) -> bool {
    headers.contains_key(header::SET_COOKIE) || read.headers.contains_key(header::COOKIE)
}

/// For how long an answer may be served, and how, if it may be kept at all (RFC 9111, section 3).
fn storable(policy: &Policy, read: &Read, answer: &Answer, terms: &Terms) -> Option<Freshness> {
    let status = answer.status;
    let is_forbidden = terms.no_store(status)
        || terms.is_private()
        || read.is_authorized() && !terms.is_for_all()
        || status < 200
        || status == PARTIAL_CONTENT;
    if is_forbidden {
        return None;
    }
    if has_cookie(read, &answer.headers) && !says_how_long(&answer.headers, terms) {
        // Nobody has said that it is for more than one user.
        return None;
    }
    let lifetime = lifetime::lifetime(status, &answer.headers, terms, answer.times);
    let is_askable =
        answer.headers.contains_key(header::ETAG) || answer.headers.contains_key(header::LAST_MODIFIED);
    let may_be_supposed = lifetime.is_some() || terms.is_public() || lifetime::is_lasting(status);
    let is_of_use = lifetime.is_some_and(|lifetime| !lifetime.is_zero()) || is_askable;
    (may_be_supposed && is_of_use).then(|| freshness_of(policy, terms, lifetime.unwrap_or_default()))
}

fn freshness_of(policy: &Policy, terms: &Terms, lifetime: Duration) -> Freshness {
    let lifetime = if terms.no_cache() { Duration::ZERO } else { lifetime };
    if terms.never_stale() {
        return Freshness { lifetime, ..Freshness::default() };
    }
    Freshness {
        lifetime,
        while_revalidating: terms.while_revalidating().unwrap_or_default(),
        if_error: terms.if_error().unwrap_or(policy.while_unreachable),
    }
}

/// Whether `known` stands in for an answer that is a fault of the origin's own: only where the origin said so before.
fn stands_in(known: &Entry, answer: &Answer) -> bool {
    if !FAULTS.contains(&answer.status) {
        return false;
    }
    let terms = Terms::of(&fields::map(&known.content().headers));
    let overdue = freshness::staleness(known, answer.times.received_at);
    !terms.never_stale() && terms.if_error().is_some_and(|until| overdue < until)
}

/// The answer as it is handed on; `None` if its fields are more than anything may have.
fn content(answer: Answer) -> Option<Content> {
    let fields = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = Headers::of_all(fields)?;
    Some(Content { status: answer.status, headers, body: answer.body })
}

fn named(headers: &HeaderMap, names: &[String]) -> HeaderMap {
    let is_named = |name: &HeaderName| names.iter().any(|named| named == name.as_str());
    let fields = headers.iter().filter(|(name, _value)| is_named(name));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What the origin is asked with whether an entry with `headers` still holds.
fn validators(headers: &HeaderMap) -> Validators {
    let text =
        |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).map(Box::from);
    Validators { etag: text(header::ETAG), etag_scope: None, last_modified: text(header::LAST_MODIFIED) }
}

const NOT_MODIFIED: u16 = 304;
const PARTIAL_CONTENT: u16 = 206;
/// The faults for which `stale-if-error` speaks (RFC 5861, section 4).
const FAULTS: [u16; 4] = [500, 502, 503, 504];

#[cfg(test)]
mod tests;
