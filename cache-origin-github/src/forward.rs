//! Passing a request through: every method, both bodies streaming.

use crate::{CLIENT_FIELD, GitHub, OriginBody, PRIORITY_FIELD, field, url::local_path};
use bytes::Bytes;
use cache_core::FetchError;
use http::{Method, Request, Response, header};
use hyper::body::Body;
use std::error::Error;

impl GitHub {
    /// Sends `request` to the origin as the client made it, and returns what the origin answers.
    ///
    /// Fields stay byte for byte, the credential among them, except for those that concern one connection. A request
    /// without a credential gets that of [`GitHubBuilder::credential`](crate::GitHubBuilder), if there is one. The
    /// target's `/api/v3` is mapped as for cached requests; its host is the origin's. A `User-Agent` is added if
    /// there is none, since GitHub refuses such requests. Redirects are not followed. A read without a body is sent
    /// once more if the origin closes a kept connection as the request goes out; a write never is.
    ///
    /// # Errors
    ///
    /// When there was no head of an answer. A request with a body may have been carried out all the same.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the call; the origin may have carried the request out.
    pub async fn forward<B>(&self, request: Request<B>) -> Result<Response<OriginBody>, FetchError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let attribution = self.attribution_of_forwarded(&parts);
        let path = local_path(parts.uri.path());
        parts.uri = self.origin().uri(path, parts.uri.query()).map_err(|_| FetchError::Malformed)?;
        parts.version = http::Version::HTTP_11;
        parts.extensions.clear();
        field::strip_connection(&mut parts.headers);
        // The client of the origin writes its own; `Expect` was answered where the request came in.
        parts.headers.remove(header::HOST);
        parts.headers.remove(header::EXPECT);
        parts.headers.remove(CLIENT_FIELD);
        parts.headers.remove(PRIORITY_FIELD);
        if !parts.headers.contains_key(header::USER_AGENT) {
            parts.headers.insert(header::USER_AGENT, self.user_agent().clone());
        }
        if let Some(via) = self.pseudonym().and_then(|own| own.behind(&parts.headers)) {
            parts.headers.insert(header::VIA, via);
        }
        let default = self.default_credential();
        if let (false, Some(credential)) = (parts.headers.contains_key(header::AUTHORIZATION), default) {
            parts.headers.insert(header::AUTHORIZATION, credential.authorization());
        }
        let count_call = || {
            self.counters().count_forwarded();
            self.usage().note_call(&attribution);
        };
        // Only what has no body can be sent twice, and only a read may be.
        let response = if is_read && body.is_end_stream() {
            self.client().ask(Request::from_parts(parts, ()), count_call).await
        } else {
            count_call();
            self.client().stream(Request::from_parts(parts, body)).await
        };
        let response = response.inspect_err(|_| self.counters().count_failure())?;
        let (mut head, incoming) = response.into_parts();
        self.usage().note_passed(&attribution, head.status);
        field::strip_connection(&mut head.headers);
        let body = OriginBody::raw(incoming, self.client().timeouts().body_idle);
        Ok(Response::from_parts(head, body))
    }
}
