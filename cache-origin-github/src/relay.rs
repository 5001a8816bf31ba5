//! Carrying a request to one of GitHub's other hosts, where files and pages are.
//!
//! Nothing of it is cached, counted against a quota, or given a credential that the client did not send.

use crate::{CLIENT_FIELD, GitHub, OriginBody, OriginUrl, PRIORITY_FIELD, field};
use bytes::Bytes;
use cache_core::FetchError;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Body;
use std::error::Error;

impl GitHub {
    /// Sends `request` to the address `to` in the name of `host`, and gives back what is answered; both bodies stream.
    ///
    /// Target and fields stay as they are, except for those that concern one connection: no credential and no agent
    /// is added. Redirects are not followed. A read that fails because a kept connection closes is sent once more.
    ///
    /// # Errors
    ///
    /// When there was no head of an answer. A request with a body may have been carried out all the same.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the call.
    pub async fn relay<B>(
        &self,
        request: Request<B>,
        host: &HeaderValue,
        to: &OriginUrl,
    ) -> Result<Response<OriginBody>, FetchError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        parts.uri = to.at(&parts.uri).map_err(|_| FetchError::Malformed)?;
        parts.version = http::Version::HTTP_11;
        parts.extensions.clear();
        field::strip_connection(&mut parts.headers);
        parts.headers.remove(header::EXPECT);
        parts.headers.remove(CLIENT_FIELD);
        parts.headers.remove(PRIORITY_FIELD);
        parts.headers.insert(header::HOST, host.clone());
        let response = if parts.method.is_safe() && body.is_end_stream() {
            // These calls count against nothing.
            self.client().ask(Request::from_parts(parts, ()), || {}).await?
        } else {
            self.client().stream(Request::from_parts(parts, body)).await?
        };
        let (mut head, incoming) = response.into_parts();
        field::strip_connection(&mut head.headers);
        let body = OriginBody::raw(incoming, self.client().timeouts().body_idle);
        Ok(Response::from_parts(head, body))
    }
}
