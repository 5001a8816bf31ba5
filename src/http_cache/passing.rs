//! Requests that pass the cache by, and what they leave behind.

use super::{HttpCache, HttpReply};
use crate::{
    Closed, Provenance, ReplyBody, RequestError,
    command::{Command, Departing, Passed},
    pass::reached,
};
use bytes::Bytes;
use cache_core::{FetchError, Key, PassKind, Priority, Reach, Scope, Timestamp};
use cache_origin_github::{OriginBody, PassReason};
use cache_origin_http::{Answer, Exchanged, Read, Verdict};
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use std::{error::Error, time::Duration};
use tokio::sync::oneshot;

impl HttpCache {
    /// Sends `request` to the origin as it is, and streams its answer back. What it ends is forgotten before this returns.
    pub(super) async fn pass<B>(
        &self,
        request: Request<B>,
        reason: PassReason,
    ) -> Result<HttpReply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let provenance = Provenance::Passed(reason);
        if request.method().is_safe() {
            let response = self.relay(request).await.map_err(RequestError::Fetch)?;
            return Ok(self.of_stream(response, provenance));
        }
        let (parts, body) = request.into_parts();
        let (asked, asked_at) = (parts.clone(), self.node.shared().clock.now());
        let response = self.change(Request::from_parts(parts, body)).await?.map_err(RequestError::Fetch)?;
        match self.origin.read_of_post(&asked, response.status().as_u16(), response.headers()) {
            Some(read) => self.keep_content(read, (response, asked_at), provenance).await,
            None => Ok(self.of_stream(response, provenance)),
        }
    }

    /// The same for a HEAD, whose answer tells something of what is kept for `read` (RFC 9111, section 4.3.5).
    pub(super) async fn pass_head<B>(
        &self,
        request: Request<B>,
        read: &Read,
    ) -> Result<HttpReply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (known, asked_at) = (self.find(read), self.node.shared().clock.now());
        let reply = self.pass(request, PassReason::Method).await?;
        if let Some(known) = known.filter(|_known| reply.response.status() == StatusCode::OK) {
            let times = Exchanged { asked_at, received_at: self.node.shared().clock.now() };
            let headers = reply.response.headers().clone();
            let answer = Answer { status: StatusCode::OK.as_u16(), headers, body: Bytes::new(), times };
            let key = known.key().clone();
            match self.origin.renewed_by_head(read, &known, answer) {
                Some(draft) => self.keep(key, draft).await?,
                None => self.doubt(key).await?,
            }
        }
        Ok(reply)
    }

    /// Keeps what a write gave as the content of its own target, for `read`.
    async fn keep_content(
        &self,
        read: Read,
        (response, asked_at): (Response<OriginBody>, Timestamp),
        provenance: Provenance,
    ) -> Result<HttpReply, RequestError> {
        let times = Exchanged { asked_at, received_at: self.node.shared().clock.now() };
        let (head, body) = response.into_parts();
        let body = match body.whole(self.body_bytes_max).await.map_err(RequestError::Fetch)? {
            Ok(body) => body,
            Err(long) => return Ok(self.of_stream(Response::from_parts(head, long), provenance)),
        };
        let answer =
            Answer { status: head.status.as_u16(), headers: head.headers.clone(), body: body.clone(), times };
        if let Verdict::Keep { draft, selector, .. } = self.origin.verdict(&read, None, answer)
            && selector.is_empty()
        {
            self.keep(read.key(&selector), draft).await?;
        }
        let response = Response::from_parts(head, ReplyBody::of_whole(body));
        Ok(HttpReply { response, provenance, time_left: Duration::ZERO, overdue: Duration::ZERO })
    }

    /// Has the origin asked about what is under `key` before that is served again.
    async fn doubt(&self, key: Key) -> Result<(), Closed> {
        let reach = Reach::doubt([Scope::Key(key)]);
        self.node.shared().order(|done| Command::Invalidate { reach, done }).await.map(drop)
    }

    /// Has the driver make the call, so that it ends properly whether its client waits or not.
    async fn change<B>(&self, request: Request<B>) -> Result<Result<Response<OriginBody>, FetchError>, Closed>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let (asked, cache) = (parts.clone(), self.clone());
        // The origin may have done it though its answer did not come.
        let unknown = self.left_by(&asked, StatusCode::OK, &HeaderMap::new());
        let broken_off = Box::new({
            let unknown = unknown.clone();
            move || unknown
        });
        let (done, answer) = oneshot::channel();
        let call = Box::pin(async move {
            let answer = cache.relay(Request::from_parts(parts, body)).await;
            let reach = answer
                .as_ref()
                .map_or(unknown, |answer| cache.left_by(&asked, answer.status(), answer.headers()));
            Passed {
                reached: reached(&answer),
                answer,
                refused: None,
                reach,
                allowance: None,
                is_counted: false,
                pause: None,
                done,
            }
        });
        // Nothing is counted, so nothing is withheld.
        let (withheld, _is_free) = oneshot::channel();
        let call = Departing { call, broken_off, withheld };
        let order = Command::Pass { purse: None, kind: PassKind::Change, priority: Priority::Normal, call };
        self.node.shared().commands.send(order).await.map_err(|_closed| Closed)?;
        answer.await.map_err(|_closed| Closed)
    }

    fn left_by(&self, asked: &Parts, status: StatusCode, headers: &HeaderMap) -> Reach {
        Reach::forget(self.origin.left_by(asked, status.as_u16(), headers))
    }

    /// Sends `request` to the origin by the name of its host, and waits for the head of its answer; both bodies stream.
    pub(super) async fn relay<B>(&self, mut request: Request<B>) -> Result<Response<OriginBody>, FetchError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let github = &self.node.shared().github;
        github.add_via(request.headers_mut());
        github.relay(request, &self.host, &self.url).await
    }
}
