//! Answers as they were last rendered, so that an answer that is requested again and again is rendered once.
//!
//! A few slots, found by the address of the entry. A slot keeps the address from being given to another entry, so
//! one that is found again means the same entry; but it does not keep the entry, whose body is freed as soon as the
//! cache and its readers let go of it.
//!
//! What is rendered is not kept in the entry itself, though it is of no use without it. It depends on more than the
//! entry: the name under which a client reaches the door is in every URL, so that an entry has as many renderings as
//! there are such names, codings and layouts. And the store's budget counts what an entry holds when it is put, while
//! renderings come later, one by one, by what clients ask: a thousand entries would hold twice their budget, or the
//! first to be asked for would keep the others from being rendered. Here the bound is the number of slots, and what is
//! asked for now replaces what was.

use super::host::Urls;
use bytes::Bytes;
use cache_core::{Entry, Served};
use cache_origin_github::{Coding, Form};
use fleet_cache::{Provenance, Reply};
use http::{HeaderMap, Response, StatusCode};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Remembers rendered answers, shared by all connections.
pub(crate) struct RenderedReplies {
    slots: [Mutex<Option<Slot>>; SLOTS],
}

/// One entry as one kind of client wants it: URLs rewritten, body coded, headers built.
struct Slot {
    kind: OwnKind,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What a rendered answer depends on, apart from the moment.
#[derive(Clone, Copy)]
pub(crate) struct Kind<'a> {
    entry: &'a Arc<Entry>,
    urls: &'a Urls,
    coding: Coding,
    pretty: bool,
}

/// The same without the reply.
pub(crate) struct OwnKind {
    /// Says which entry it was, alive or not: its place in memory is not used again before this is dropped.
    entry: Weak<Entry>,
    urls: Urls,
    coding: Coding,
    pretty: bool,
}

impl<'a> Kind<'a> {
    /// The kind of `reply` if it is a plain hit: with a body, and the same for all requests like this one.
    pub(crate) fn of(reply: &'a Reply, urls: &'a Urls) -> Option<Self> {
        let entry = reply.entry()?;
        let Form { head, coding, pretty, .. } = *reply.form();
        let plain = reply.provenance() == Provenance::Entry(Served::Hit)
            && entry.content().body.len() <= BODY_BYTES_MAX
            && !head
            && !reply.form().not_modified(entry);
        plain.then_some(Self { entry, urls, coding, pretty })
    }

    /// What stays of it when the reply is gone.
    pub(crate) fn owned(self) -> OwnKind {
        let Self { entry, urls, coding, pretty } = self;
        OwnKind { entry: Arc::downgrade(entry), urls: urls.clone(), coding, pretty }
    }
}

impl OwnKind {
    fn is(&self, other: Kind<'_>) -> bool {
        self.entry.as_ptr() == Arc::as_ptr(other.entry)
            && self.coding == other.coding
            && self.pretty == other.pretty
            && self.urls == *other.urls
    }
}

fn slot(entry: *const Entry, coding: Coding) -> usize {
    // Allocations are aligned, so the lowest bits of an address say nothing.
    let address = entry.addr() >> 6;
    (address ^ usize::from(coding == Coding::Gzip)) % SLOTS
}

impl RenderedReplies {
    /// A memory without any answer.
    pub(crate) fn new() -> Self {
        Self { slots: [const { Mutex::new(None) }; SLOTS] }
    }

    /// The answer of this kind, if it is remembered.
    pub(crate) fn find(&self, kind: Kind<'_>) -> Option<Response<Bytes>> {
        let slot = &self.slots[slot(Arc::as_ptr(kind.entry), kind.coding)];
        let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slot.as_ref().filter(|found| found.kind.is(kind))?;
        let mut response = Response::new(found.body.clone());
        *response.status_mut() = found.status;
        response.headers_mut().clone_from(&found.headers);
        Some(response)
    }

    /// Remembers `response` as the answer of this kind, in place of whatever has its slot.
    pub(crate) fn remember(&self, kind: OwnKind, response: &Response<Bytes>) {
        let slot = &self.slots[slot(kind.entry.as_ptr(), kind.coding)];
        let (status, headers, body) =
            (response.status(), response.headers().clone(), response.body().clone());
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Slot { kind, status, headers, body });
    }
}

/// How many answers are remembered: what a few busy clients poll.
const SLOTS: usize = 64;
/// Largest body whose answer is remembered, in bytes. With [`SLOTS`] it bounds the memory taken to 4 MiB.
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

    fn kind<'a>(entry: &'a Arc<Entry>, urls: &'a Urls, coding: Coding) -> Kind<'a> {
        Kind { entry, urls, coding, pretty: false }
    }

    #[test]
    fn an_answer_is_found_again_by_its_own_kind_alone() {
        let (rendered, entry) = (RenderedReplies::new(), entry());
        let [a, b] = ["a", "b"].map(|target| Urls::Rewritten(target.into()));
        let response = Response::new(Bytes::from_static(b"for a"));
        rendered.remember(kind(&entry, &a, Coding::Identity).owned(), &response);
        let found = rendered.find(kind(&entry, &a, Coding::Identity));
        assert_eq!(found.map(Response::into_body).as_deref(), Some(&b"for a"[..]));
        for other in [kind(&entry, &b, Coding::Identity), kind(&entry, &a, Coding::Gzip)] {
            assert!(rendered.find(other).is_none());
        }
    }

    #[test]
    fn an_equal_entry_is_another_entry() {
        let rendered = RenderedReplies::new();
        let (old, new) = (entry(), entry());
        rendered.remember(kind(&old, &Urls::Kept, Coding::Identity).owned(), &Response::new(Bytes::new()));
        assert!(rendered.find(kind(&new, &Urls::Kept, Coding::Identity)).is_none());
    }

    #[test]
    fn an_entry_that_the_cache_lets_go_of_is_freed_and_no_later_one_is_taken_for_it() {
        let rendered = RenderedReplies::new();
        let old = entry();
        let body = Arc::downgrade(&old);
        rendered.remember(kind(&old, &Urls::Kept, Coding::Identity).owned(), &Response::new(Bytes::new()));
        drop(old);
        assert!(body.upgrade().is_none());
        // As many as would find the old one's place, were it free.
        let later: Vec<_> = (0..1000).map(|_number| entry()).collect();
        for entry in &later {
            assert!(rendered.find(kind(entry, &Urls::Kept, Coding::Identity)).is_none());
        }
    }
}
