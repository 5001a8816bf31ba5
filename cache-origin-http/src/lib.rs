//! A strict shared HTTP cache in front of any origin, by RFC 9111, as [Fleet Cache](https://docs.rs/fleet-cache) uses it.
//!
//! All of it is arithmetic on heads: no clock, socket or task. Whatever calls the origin asks [`HttpOrigin::judge`] what a
//! request may be answered with, calls as [`HttpOrigin::question`] says, and hands the answer to [`HttpOrigin::verdict`],
//! whose drafts the engine keeps. So the one port of the core, [`cache_core::Fetched`] and what leads to it, serves GitHub's
//! API and any other origin.
//!
//! | RFC | what of it |
//! |---|---|
//! | 9110 | conditions, ranges, and what is stripped from what is passed on |
//! | 9111 | what may be kept, for how long, for which requests, and what ends it |
//! | 5861 | `stale-while-revalidate`, `stale-if-error` |
//! | 9213 | targeted directives: `Fleet-Cache-Control`, `CDN-Cache-Control` |

#![forbid(unsafe_code)]

mod answer;
mod directives;
mod fields;
mod invalidation;
mod lifetime;
mod question;
mod range;
mod reply;
mod request;
mod selecting;
mod terms;

pub use crate::{
    answer::{Answer, Verdict},
    lifetime::Exchanged,
    reply::Origin,
    request::{Bypass, Judged, Read},
    selecting::Selector,
};

use bytes::Bytes;
use cache_core::{Content, Draft, Entry, Key, Scope, Timestamp};
use http::{HeaderMap, Method, Response, header, request::Parts};
use std::time::Duration;

/// An origin whose answers are kept by the rules of HTTP.
///
/// ```
/// use cache_origin_http::{HttpOrigin, Judged, Policy, Selector};
///
/// let origin = HttpOrigin::new("http://example.com", Policy::default());
/// let (head, ()) = http::Request::get("/news?page=2").body(())?.into_parts();
/// let Judged::Read(read) = origin.judge(&head) else { unreachable!() };
/// assert_eq!(read.key(&Selector::default()).resource(), "http://example.com/news?page=2");
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HttpOrigin {
    base: Box<str>,
    policy: Policy,
}

/// The GET that asks for what the request `head` names, without what tells of its body.
fn as_get(head: &Parts) -> Parts {
    let mut head = head.clone();
    head.method = Method::GET;
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONTENT_TYPE, header::EXPECT] {
        head.headers.remove(name);
    }
    head
}

/// Whether an answer under `key` is of an origin whose answers are kept by the rules of HTTP: its resource is a whole address,
/// and those of GitHub's API are none.
pub fn is_of_http(key: &Key) -> bool {
    key.resource().starts_with("http://") || key.resource().starts_with("https://")
}

/// What RFC 9111 leaves to the cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "each choice is one that its maker has to make")]
pub struct Policy {
    /// For how long past its lifetime an answer is served while the origin cannot be reached, unless it says otherwise itself
    /// (RFC 9111, section 4.2.4).
    pub while_unreachable: Duration,
}

impl Default for Policy {
    /// An hour: long enough for an outage that is being dealt with.
    fn default() -> Self {
        Self { while_unreachable: Duration::from_secs(60 * 60) }
    }
}

impl HttpOrigin {
    /// The origin whose resources begin with `base`: scheme, host and perhaps a path, without a slash at the end.
    pub fn new(base: &str, policy: Policy) -> Self {
        Self { base: base.trim_end_matches('/').into(), policy }
    }

    /// Judges a request by its head.
    pub fn judge(&self, head: &Parts) -> Judged {
        request::judge(&self.base, head)
    }

    /// The fields with which the origin is asked for `read`, and whether `known` still holds if it is given.
    pub fn question(&self, read: &Read, known: Option<&Entry>) -> HeaderMap {
        question::fields(read, known)
    }

    /// What becomes of `answer`, which the origin gave for `read` when it was asked about `known` as well if that is given.
    pub fn verdict(&self, read: &Read, known: Option<&Entry>, answer: Answer) -> Verdict {
        answer::judge(&self.policy, read, known, answer)
    }

    /// What `known` becomes by the `answer` to a HEAD for `read`, which has no body; `None` if `known` may not be served any more
    /// before it was asked about (RFC 9111, section 4.3.5).
    pub fn renewed_by_head(&self, read: &Read, known: &Entry, answer: Answer) -> Option<Draft> {
        answer::renewed_by_head(&self.policy, read, known, answer)
    }

    /// The read that an answer with `status` and `headers` to the POST with this `head` answers as well, and may be kept for
    /// (RFC 9110, section 9.3.3): a GET of the same target, of which it says that it is the content, and for how long.
    pub fn read_of_post(&self, head: &Parts, status: u16, headers: &HeaderMap) -> Option<Read> {
        let is_content = head.method == Method::POST
            && status == 200
            && invalidation::names_target(&self.base, head, headers)
            && answer::is_explicit(headers);
        let Judged::Read(read) = is_content.then(|| request::judge(&self.base, &as_get(head)))? else {
            return None;
        };
        Some(read)
    }

    /// The reply to `read` from `entry` at `now`.
    pub fn reply(&self, read: &Read, entry: &Entry, now: Timestamp, from: Origin) -> Response<Bytes> {
        reply::of_entry(read, entry, now, from)
    }

    /// The reply to `read` that stands for `content`, which is not kept.
    pub fn relayed(&self, read: &Read, content: &Content) -> Response<Bytes> {
        reply::of_content(read, content)
    }

    /// What is to be forgotten once a request with this `head` was answered with `status` and `headers`.
    pub fn left_by(&self, head: &Parts, status: u16, headers: &HeaderMap) -> Vec<Scope> {
        invalidation::left_by(&self.base, head, status, headers)
    }
}
