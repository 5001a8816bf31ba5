//! A node in front of another service, which answers for all hosts except the origin's.

use crate::{Node, ReplyBody, RequestError};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Either;
use std::{
    error::Error,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};
use thiserror::Error;
use tower_layer::Layer;
use tower_service::Service;

/// Puts a node in front of a client: the node answers requests for the origin's host, and the client everything else.
///
/// The node calls the origin itself, so that it can share what it fetches; the client never sees those requests. A
/// target without a host is for the origin, so a layer which adds hosts belongs outside of this one.
///
/// ```
/// # use {cache_model_origin::ModelOrigin, fleet_cache::{GitHub, Node, NodeLayer}};
/// # use octocrab::{AuthState, OctocrabBuilder, service::middleware::base_uri::BaseUriLayer};
/// # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let origin = ModelOrigin::start();
/// # let github = GitHub::builder().origin(&origin.url()).build()?;
/// let node = Node::builder(None, github).start().await?;
/// let octocrab = OctocrabBuilder::new_empty()
///     .with_service(Client::builder(TokioExecutor::new()).build_http())
///     .with_layer(&NodeLayer::new(node))
///     .with_layer(&BaseUriLayer::new(origin.url().parse()?))
///     .with_auth(AuthState::None)
///     .build()?;
/// let repository: serde_json::Value = octocrab.get("/repos/acme/widget-1", None::<&()>).await?;
/// assert_eq!(repository["name"], "widget-1");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct NodeLayer {
    node: Node,
}

impl NodeLayer {
    /// A layer of `node`, to which it is a handle.
    pub fn new(node: Node) -> Self {
        Self { node }
    }
}

impl<S> Layer<S> for NodeLayer {
    type Service = NodeService<S>;

    fn layer(&self, inner: S) -> NodeService<S> {
        NodeService { node: self.node.clone(), inner }
    }
}

/// A service with a node in front of it; see [`NodeLayer`].
#[derive(Clone, Debug)]
pub struct NodeService<S> {
    node: Node,
    inner: S,
}

/// Why there is no answer from a node, or from the service behind it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LayerError<E> {
    /// The service behind the node has no answer, for a host that is not the origin's.
    #[error(transparent)]
    Inner(E),
    /// The node has no answer.
    #[error(transparent)]
    Request(RequestError),
}

/// A call to a [`NodeService`]. Its body is the node's, or that of the service behind it.
pub type LayerFuture<R, E> =
    Pin<Box<dyn Future<Output = Result<Response<Either<ReplyBody, R>>, LayerError<E>>> + Send>>;

/// Always ready: what the node answers does not wait for the service behind it, which is waited for when it is asked.
///
/// # Errors
///
/// [`LayerError`], from the node or from the service behind it.
///
/// # Cancellation
///
/// See [`Node::request`].
impl<S, B, R> Service<Request<B>> for NodeService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: 'static,
{
    type Response = Response<Either<ReplyBody, R>>;
    type Error = LayerError<S::Error>;
    type Future = LayerFuture<R, S::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.node.github().origin().owns(request.uri()) {
            let node = self.node.clone();
            return Box::pin(async move {
                let reply = node.request(request).await.map_err(LayerError::Request)?;
                Ok(reply.into_response().map(Either::Left))
            });
        }
        let mut inner = self.inner.clone();
        Box::pin(async move {
            poll_fn(|context| inner.poll_ready(context)).await.map_err(LayerError::Inner)?;
            let response = inner.call(request).await.map_err(LayerError::Inner)?;
            Ok(response.map(Either::Right))
        })
    }
}
