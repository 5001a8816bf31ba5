//! A node as a strict shared cache in front of any HTTP origin, by RFC 9111.
//!
//! What is kept, and for how long, is said by [`cache_origin_http`], in which there is neither clock nor socket. Here is what
//! leads to it: look-ups in memory, orders to the driver, calls of the origin. The entries are under the same budgets, on the
//! same disk and known to the same fleet as everything else of the node.

mod asking;
mod passing;

pub use cache_origin_http::Policy;

use crate::{Node, Provenance, ReplyBody, RequestError};
use bytes::Bytes;
pub use cache_core::BODY_BYTES_MAX;
use cache_core::{
    Content, Entry, Outcome, Served, Timestamp,
    freshness::{self, Directives, Usable, usable},
};
use cache_origin_github::{OriginUrl, PassReason};
use cache_origin_http::{Bypass, HttpOrigin, Judged, Origin, Read, Selector};
use http::{HeaderValue, Request, Response, request::Parts};
use std::{error::Error, sync::Arc, time::Duration};

/// A strict shared cache in front of one HTTP origin.
///
/// A handle, cheap to clone. However many ask for one resource at once, one call is made, as long as its answer may be shared.
///
/// ```no_run
/// # use {bytes::Bytes, fleet_cache::{GitHub, Node, http_cache::{HttpCache, Policy}}, http::Request, http_body_util::Empty};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// let cache = HttpCache::new(node, "http://127.0.0.1:8000".parse()?, Policy::default());
/// let reply = cache.answer(Request::get("/news").body(Empty::<Bytes>::new())?).await?;
/// println!("{} from {:?}", reply.response.status(), reply.provenance);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HttpCache {
    node: Node,
    origin: Arc<HttpOrigin>,
    url: OriginUrl,
    host: HeaderValue,
    body_bytes_max: usize,
}

/// An answer, and where it came from.
#[derive(Debug)]
#[non_exhaustive]
pub struct HttpReply {
    /// What the client is sent.
    pub response: Response<ReplyBody>,
    /// The source of it.
    pub provenance: Provenance,
    /// For how long it is fresh still, if it is an entry's.
    pub time_left: Duration,
    /// For how long it has been stale, if it is an entry's.
    pub overdue: Duration,
}

impl HttpCache {
    /// A cache in front of the origin at `url`, whose entries `node` keeps.
    pub fn new(node: Node, url: OriginUrl, policy: Policy) -> Self {
        let origin = Arc::new(HttpOrigin::new(&url.to_string(), policy));
        let host = HeaderValue::from_str(url.host()).expect("an authority is a field's value");
        Self { node, origin, url, host, body_bytes_max: BODY_BYTES_MAX }
    }

    /// Longest body that is kept, in bytes: at most and by default [`BODY_BYTES_MAX`]. What is longer streams through.
    #[must_use]
    pub fn body_bytes_max(self, bytes: usize) -> Self {
        Self { body_bytes_max: bytes.min(BODY_BYTES_MAX), ..self }
    }

    /// Answers from memory alone, without waiting; `None` if that is not enough.
    pub fn try_hit(&self, head: &Parts) -> Option<HttpReply> {
        let Judged::Read(read) = self.origin.judge(head) else { return None };
        let now = self.node.shared().clock.now();
        let entry = self.find(&read)?;
        if usable(&entry, &read.directives(), now) != Usable::Fresh {
            return None;
        }
        entry.mark_visited();
        self.node.shared().count_hit(&entry);
        Some(self.of_entry(&read, &entry, Served::Hit, now))
    }

    /// Answers `request`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no answer at all. An error that the origin answers is a reply.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up waiting. A call under way that may be kept goes on; so does a write, as far as its body
    /// was given.
    pub async fn answer<B>(&self, request: Request<B>) -> Result<HttpReply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        match self.origin.judge(&parts) {
            Judged::Pass(reason) => self.pass(Request::from_parts(parts, body), told(reason)).await,
            Judged::Read(read) => match self.look_up(&read).await? {
                Some(reply) => Ok(reply),
                None if read.is_head() => self.pass_head(Request::from_parts(parts, body), &read).await,
                None => self.pass(Request::from_parts(parts, body), PassReason::Range).await,
            },
        }
    }

    /// What the cache answers, having called the origin if need be; `None` where the request is to be passed on as it is.
    async fn look_up(&self, read: &Read) -> Result<Option<HttpReply>, RequestError> {
        // A part, or the head alone, is nothing to keep. What is kept answers it; else the origin is asked for just that.
        let is_read_whole = !read.is_head() && !read.is_partial();
        let client = read.directives();
        let directives = Directives { only_if_cached: client.only_if_cached || !is_read_whole, ..client };
        let mut selector = self.selector(read);
        for _round in 0..ROUNDS_MAX {
            let (completion, own) = self.ask(read, &selector, directives).await?;
            let now = self.node.shared().clock.now();
            match completion.outcome {
                Outcome::Answered { entry, served } => match (Selector::of_entry(&entry), own) {
                    (None, _) => {
                        let mut reply = self.of_entry(read, &entry, served, now);
                        let live = completion.private.unwrap_or_default().live;
                        reply.response.headers_mut().extend(live);
                        return Ok(Some(reply));
                    }
                    (Some(_), Some(own)) => return Ok(Some(self.of_entry(read, &own, served, now))),
                    (Some(learnt), None) => selector = learnt,
                },
                Outcome::Relayed { content, forward } => {
                    let own = own.map(|entry| entry.content().clone());
                    return Ok(Some(self.of_content(
                        read,
                        &own.unwrap_or(content),
                        Provenance::Relayed(forward),
                    )));
                }
                Outcome::Pass => match completion.private.unwrap_or_default().stream {
                    Some(stream) => return Ok(Some(self.of_stream(stream, Provenance::Oversize))),
                    None => return Ok(None),
                },
                Outcome::Absent if client.only_if_cached => return Err(RequestError::NotCached),
                Outcome::Absent => return Ok(None),
                Outcome::Failed(failure) => return Err(RequestError::from(failure)),
            }
        }
        Ok(None)
    }

    /// The entry in memory that `read` selects.
    fn find(&self, read: &Read) -> Option<Arc<Entry>> {
        let index = &self.node.shared().index;
        let entry = index.get(read.key(&Selector::default()).as_str())?;
        match Selector::of_entry(&entry) {
            None => Some(entry),
            Some(selector) => index.get(read.key(&selector).as_str()),
        }
    }

    /// By which fields answers to `read` are known here to vary.
    fn selector(&self, read: &Read) -> Selector {
        let entry = self.node.shared().index.get(read.key(&Selector::default()).as_str());
        entry.and_then(|entry| Selector::of_entry(&entry)).unwrap_or_default()
    }

    fn of_entry(&self, read: &Read, entry: &Entry, served: Served, now: Timestamp) -> HttpReply {
        let from = match served {
            Served::Forwarded(forward) if !forward.collapsed => Origin::Server,
            Served::Forwarded(_) | Served::Hit | Served::Peer | Served::Stale(_) => Origin::Cache,
        };
        let grant = freshness::Grant::EVERYTHING;
        HttpReply {
            response: self.origin.reply(read, entry, now, from).map(ReplyBody::of_whole),
            provenance: Provenance::Entry(served),
            time_left: freshness::time_left(entry, &grant, now),
            overdue: freshness::overdue(entry, &grant, now),
        }
    }

    fn of_content(&self, read: &Read, content: &Content, provenance: Provenance) -> HttpReply {
        let response = self.origin.relayed(read, content).map(ReplyBody::of_whole);
        HttpReply { response, provenance, time_left: Duration::ZERO, overdue: Duration::ZERO }
    }

    fn of_stream(
        &self,
        response: Response<cache_origin_github::OriginBody>,
        provenance: Provenance,
    ) -> HttpReply {
        let runtime = self.node.shared().runtime.clone();
        let response = response.map(|body| ReplyBody::of_stream(body, runtime));
        HttpReply { response, provenance, time_left: Duration::ZERO, overdue: Duration::ZERO }
    }
}

/// Why a request passes, in the words of the node.
fn told(reason: Bypass) -> PassReason {
    match reason {
        Bypass::Body => PassReason::Body,
        Bypass::Method => PassReason::Method,
        Bypass::NoStore => PassReason::NoStore,
        Bypass::Precondition => PassReason::Condition,
        Bypass::TooLong => PassReason::TooLong,
    }
}

/// Most look-ups for one request: one that tells by which fields its answers vary, one by those, and one more in case that
/// they became more meanwhile. Then the request passes.
const ROUNDS_MAX: usize = 3;

#[cfg(test)]
mod tests;
