//! Orders to the driver, and the calls of the origin that they lead to.

use super::HttpCache;
use crate::{
    Closed,
    command::{Command, Completion, FetchFn, FetchReply, Private},
};
use bytes::Bytes;
use cache_core::{
    Audience, Bucket, Candidate, Content, Draft, Entry, FetchError, Fetched, Key, Priority, Reader,
    Timestamp, freshness::Directives,
};
use cache_origin_github::OriginBody;
use cache_origin_http::{Answer, Exchanged, Read, Selector, Verdict};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::Empty;
use parking_lot::Mutex;
use std::sync::Arc;

/// What a request's own call brought that is filed under another key than it asked for.
pub(super) type Elsewhere = Arc<Mutex<Option<Arc<Entry>>>>;

impl HttpCache {
    /// Has the driver look up what `read` asks for, as far as `selector` tells requests apart, and waits for its end.
    ///
    /// Returns also what the request's own call brought, if that is filed under another key.
    pub(super) async fn ask(
        &self,
        read: &Read,
        selector: &Selector,
        directives: Directives,
    ) -> Result<(Completion, Option<Arc<Entry>>), Closed> {
        let elsewhere = Elsewhere::default();
        let call = Call {
            cache: self.clone(),
            read: read.clone(),
            selector: selector.clone(),
            elsewhere: Arc::clone(&elsewhere),
        };
        let fetch: FetchFn = Box::new(move |candidate| Box::pin(call.make(candidate)));
        let terms = (Bucket::default(), Priority::Normal, Reader::Admitted, None);
        let completion = self.node.shared().wait_for(read.key(selector), directives, terms, fetch).await?;
        let own = elsewhere.lock().take();
        Ok((completion, own))
    }
}

impl HttpCache {
    /// Keeps `draft` under `key` in place of what is there, here and at all members.
    pub(super) async fn keep(&self, key: Key, draft: Draft) -> Result<(), Closed> {
        self.node.shared().order(|done| Command::Put { key, draft, done }).await
    }
}

/// A call of the origin for one request.
pub(super) struct Call {
    pub(super) cache: HttpCache,
    pub(super) read: Read,
    /// The fields by which the key that is asked for tells requests apart.
    pub(super) selector: Selector,
    pub(super) elsewhere: Elsewhere,
}

impl Call {
    pub(super) async fn make(self, candidate: Option<Candidate>) -> FetchReply {
        // A selector is no answer that the origin could be asked about.
        let known =
            candidate.as_ref().and_then(Candidate::own).filter(|own| Selector::of_entry(own).is_none());
        match self.send(known.map(|known| &**known)).await {
            Err(error) => FetchReply::of(Fetched::Failed(error)),
            Ok((head, Err(body), _times)) => {
                let stream = Some(Response::from_parts(head, body));
                let private = Private { stream, ..Private::default() };
                FetchReply { private, ..FetchReply::of(Fetched::Oversize) }
            }
            Ok((head, Ok(body), times)) => {
                let answer = Answer { status: head.status.as_u16(), headers: head.headers, body, times };
                let verdict = self.cache.origin.verdict(&self.read, known.map(|known| &**known), answer);
                self.file(verdict).await
            }
        }
    }

    /// Calls the origin, and reads what it answers whole if that is short enough to be kept.
    async fn send(
        &self,
        known: Option<&Entry>,
    ) -> Result<(http::response::Parts, Result<Bytes, OriginBody>, Exchanged), FetchError> {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = Uri::from(self.read.target().clone());
        *request.headers_mut() = self.cache.origin.question(&self.read, known);
        let asked_at = self.now();
        let response = self.cache.relay(request).await?;
        let times = Exchanged { asked_at, received_at: self.now() };
        let (head, body) = response.into_parts();
        let body = body.whole(self.cache.body_bytes_max).await?;
        Ok((head, body, times))
    }

    fn now(&self) -> Timestamp {
        self.cache.node.shared().clock.now()
    }

    async fn file(self, verdict: Verdict) -> FetchReply {
        match verdict {
            Verdict::Fault(content) => FetchReply::of(Fetched::Fault { content }),
            Verdict::Malformed => FetchReply::of(Fetched::Failed(FetchError::Malformed)),
            Verdict::Relay(content) => relayed(content),
            Verdict::Renewed(draft) => FetchReply::of(Fetched::NotModified(draft)),
            Verdict::Keep { draft, selector, live } => {
                if self.selector.covers(&selector) {
                    let private = Private { live, ..Private::default() };
                    return FetchReply { private, ..FetchReply::of(Fetched::Fresh(draft)) };
                }
                match self.selector.and(&selector) {
                    Some(selector) => self.file_elsewhere(draft, (selector, live)).await,
                    None => relayed(draft.content),
                }
            }
        }
    }

    /// Keeps `draft` where the fields of `selector` tell requests apart, and that these do under the resource's plain key.
    async fn file_elsewhere(self, draft: Draft, (selector, live): (Selector, HeaderMap)) -> FetchReply {
        let key = self.read.key(&selector);
        let content = draft.content.clone();
        *self.elsewhere.lock() = Some(Arc::new(Entry::new(key.clone(), with(&draft, &live), self.now(), 0)));
        if self.keep(key, draft).await.is_err() {
            return relayed(content);
        }
        if self.selector.is_empty() {
            return FetchReply::of(Fetched::Fresh(selector.draft()));
        }
        let plain = self.read.key(&Selector::default());
        match self.keep(plain, selector.draft()).await {
            Ok(()) | Err(Closed) => relayed(content),
        }
    }

    async fn keep(&self, key: Key, draft: Draft) -> Result<(), Closed> {
        self.cache.keep(key, draft).await
    }
}

fn relayed(content: Content) -> FetchReply {
    FetchReply::of(Fetched::Unstorable { content, audience: Audience::Leader })
}

/// `draft` with the fields that only the request that fetched it may have.
fn with(draft: &Draft, live: &HeaderMap) -> Draft {
    let live = live.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = draft.content.headers.iter().chain(live);
    let headers = cache_core::Headers::from_fields(headers);
    Draft { content: Content { headers, ..draft.content.clone() }, ..draft.clone() }
}
