//! A node among services of `tower`: as a service itself, and as a layer in front of another.

mod layer;

pub use layer::{LayerError, LayerFuture, NodeLayer, NodeService};

use crate::{Node, ReplyBody, RequestError};
use bytes::Bytes;
use http::{Request, Response};
use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use thiserror::Error;
use tower_service::Service;

/// Why a node that is used as a service has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The target is at another host than the origin's.
    #[error("`{host}` is not the host of this node's origin; ask it directly")]
    OtherHost {
        /// The host, and the port if the target names one.
        host: String,
    },
    /// The node has no answer.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Answers as [`Node::request`] does; the response is as the request wants it: coded, without a body for HEAD, or
/// 304.
///
/// A node is the end of a stack: it calls the origin itself. Its clones share one cache, and it is always ready. A
/// target may name the origin's host, as octocrab's do, or no host. If other hosts are asked as well, [`NodeLayer`]
/// puts the node in front of the client for them. [`Node::call`] is something else: it judges a request without
/// answering it.
///
/// ```
/// # use {bytes::Bytes, cache_model_origin::ModelOrigin, fleet_cache::{GitHub, Node}};
/// # use {http::{Request, header}, http_body_util::{BodyExt as _, Empty}, tower_service::Service};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let origin = ModelOrigin::start();
/// # let github = GitHub::builder().origin(&origin.url()).build()?;
/// let mut node = Node::builder(None, github).start().await?;
/// let request = Request::get("/repos/acme/widget-1").body(Empty::<Bytes>::new())?;
/// let response = Service::call(&mut node, request).await?;
/// assert_eq!(response.status(), 200);
/// assert!(response.headers().contains_key(header::ETAG));
/// let body = response.into_body().collect().await?.to_bytes();
/// # assert!(!body.is_empty());
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ServiceError::Request`] as [`Node::request`]; [`ServiceError::OtherHost`] for a target at another host than the
/// origin's.
///
/// # Cancellation
///
/// See [`Node::request`].
impl<B> Service<Request<B>> for Node
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<ReplyBody>;
    type Error = ServiceError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, ServiceError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ServiceError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let node = self.clone();
        Box::pin(async move {
            if !node.github().origin().owns(request.uri()) {
                let host = request.uri().authority().map(ToString::to_string).unwrap_or_default();
                return Err(ServiceError::OtherHost { host });
            }
            Ok(node.request(request).await?.into_response())
        })
    }
}
