//! Answers as they were last rendered, so that an answer that is requested again and again is rendered once.
//!
//! A few slots, found by the address of the entry. A slot keeps its entry alive, so an address that is found
//! again means the same entry; one that is replaced is forgotten when its slot is.

use super::host::Urls;
use bytes::Bytes;
use cache_core::{Entry, Served};
use cache_origin_github::{Coding, Form};
use fleet_cache::{Provenance, Reply};
use http::{HeaderMap, Response, StatusCode};
use std::sync::{Arc, Mutex, PoisonError};

/// Remembers rendered answers, shared by all connections.
pub(crate) struct RenderedReplies {
    slots: [Mutex<Option<Slot>>; SLOTS],
}

/// One entry as one kind of client wants it: URLs rewritten, body coded, headers built.
struct Slot {
    kind: Kind,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What a rendered answer depends on, apart from the moment.
#[derive(Clone)]
pub(crate) struct Kind {
    entry: Arc<Entry>,
    urls: Urls,
    coding: Coding,
    pretty: bool,
}

impl Kind {
    /// The kind of `reply` if it is a plain hit: with a body, and the same for all requests like this one.
    pub(crate) fn of(reply: &Reply, urls: &Urls) -> Option<Self> {
        let entry = reply.entry()?;
        let Form { head, coding, pretty, .. } = *reply.form();
        let plain = reply.provenance() == Provenance::Entry(Served::Hit)
            && entry.content().body.len() <= BODY_BYTES_MAX
            && !head
            && !reply.form().not_modified(entry);
        plain.then(|| Self { entry: Arc::clone(entry), urls: urls.clone(), coding, pretty })
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entry, &other.entry)
            && self.coding == other.coding
            && self.pretty == other.pretty
            && self.urls == other.urls
    }

    fn slot(&self) -> usize {
        // Allocations are aligned, so the lowest bits of an address say nothing.
        let address = Arc::as_ptr(&self.entry).addr() >> 6;
        (address ^ usize::from(self.coding == Coding::Gzip)) % SLOTS
    }
}

impl RenderedReplies {
    /// A memory without any answer.
    pub(crate) fn new() -> Self {
        Self { slots: [const { Mutex::new(None) }; SLOTS] }
    }

    /// The answer of this kind, if it is remembered.
    pub(crate) fn find(&self, kind: &Kind) -> Option<Response<Bytes>> {
        let slot = self.slots[kind.slot()].lock().unwrap_or_else(PoisonError::into_inner);
        let found = slot.as_ref().filter(|found| found.kind.is(kind))?;
        let mut response = Response::new(found.body.clone());
        *response.status_mut() = found.status;
        response.headers_mut().clone_from(&found.headers);
        Some(response)
    }

    /// Remembers `response` as the answer of this kind, in place of whatever has its slot.
    pub(crate) fn remember(&self, kind: Kind, response: &Response<Bytes>) {
        let slot = &self.slots[kind.slot()];
        let (status, headers, body) =
            (response.status(), response.headers().clone(), response.body().clone());
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Slot { kind, status, headers, body });
    }
}

/// How many answers are remembered: what a few busy clients poll.
const SLOTS: usize = 64;
/// Largest body whose answer is remembered, in bytes. With [`SLOTS`] it bounds the memory taken to 4 MiB, and
/// as much again while entries that were replaced are still held.
const BODY_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::{Content, Domain, Draft, Key, Timestamp, Validators, freshness::Freshness};
    use std::time::Duration;

    fn entry() -> Arc<Entry> {
        let draft = Draft {
            content: Content::of_value("as it came"),
            freshness: Freshness::default(),
            validators: Validators::default(),
            age: Duration::ZERO,
        };
        Arc::new(Entry::new(Key::new("r", Domain::ANONYMOUS), draft, Timestamp::default(), 0))
    }

    fn kind(entry: &Arc<Entry>, urls: Urls, coding: Coding) -> Kind {
        Kind { entry: Arc::clone(entry), urls, coding, pretty: false }
    }

    #[test]
    fn an_answer_is_found_again_by_its_own_kind_alone() {
        let (rendered, entry) = (RenderedReplies::new(), entry());
        let to = |target: &str| Urls::Rewritten(target.into());
        let response = Response::new(Bytes::from_static(b"for a"));
        rendered.remember(kind(&entry, to("a"), Coding::Identity), &response);
        let found = rendered.find(&kind(&entry, to("a"), Coding::Identity));
        assert_eq!(found.map(Response::into_body).as_deref(), Some(&b"for a"[..]));
        for other in [kind(&entry, to("b"), Coding::Identity), kind(&entry, to("a"), Coding::Gzip)] {
            assert!(rendered.find(&other).is_none());
        }
    }

    #[test]
    fn an_equal_entry_is_another_entry() {
        let rendered = RenderedReplies::new();
        let (old, new) = (entry(), entry());
        rendered.remember(kind(&old, Urls::Kept, Coding::Identity), &Response::new(Bytes::new()));
        assert!(rendered.find(&kind(&new, Urls::Kept, Coding::Identity)).is_none());
    }
}
