//! What the tests of a node share: nodes in front of a model origin, requests, and whole answers.

use bytes::Bytes;
use cache_tests::origin::ModelOrigin;
use fleet_cache::{
    Forward, ForwardReason, GitHub, GitHubBuilder, Node, NodeBuilder, Provenance, RequestError, Served,
};
use http::{HeaderMap, Request, StatusCode, request};
use http_body_util::{BodyExt as _, Full};
use std::time::Duration;

/// Far beyond any machine's slowness, short of a hung test run.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A public repository of the model.
pub(crate) const PUBLIC: &str = "/repos/acme/widget-1";
/// A private one, which `ghp_alice` sees and `ghp_bob` does not.
pub(crate) const PRIVATE: &str = "/repos/acme/secret-1";
pub(crate) const ALICE: &str = "ghp_alice";
pub(crate) const BOB: &str = "ghp_bob";

/// GitHub's adapter, pointed at `origin`.
pub(crate) fn github(origin: &ModelOrigin) -> GitHubBuilder {
    GitHub::builder().origin(&origin.url())
}

/// A builder of nodes that ask `github`.
pub(crate) fn builder(github: GitHubBuilder) -> NodeBuilder {
    Node::builder(None, github.build().expect("the tests' settings are in range"))
}

/// A node in memory alone.
pub(crate) async fn node(github: GitHubBuilder) -> Node {
    builder(github).start().await.expect("a node without a directory starts")
}

/// An origin with a node in front of it that has the default settings.
pub(crate) async fn origin_and_node() -> (ModelOrigin, Node) {
    let origin = ModelOrigin::start();
    let node = node(github(&origin)).await;
    (origin, node)
}

/// A GET without a credential.
pub(crate) fn get(path: &str) -> request::Builder {
    Request::get(path)
}

/// A GET by `token`.
pub(crate) fn get_by(token: &str, path: &str) -> request::Builder {
    get(path).header("authorization", format!("token {token}"))
}

/// A POST of `body` by `ghp_alice`.
pub(crate) fn post(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    let request = Request::post(path).header("authorization", format!("token {ALICE}"));
    request.body(Full::from(body)).expect("the tests write well-formed requests")
}

/// `builder` without a body.
pub(crate) fn bare(builder: request::Builder) -> Request<Full<Bytes>> {
    builder.body(Full::default()).expect("the tests write well-formed requests")
}

/// The whole answer to a request without a body.
pub(crate) async fn ask(node: &Node, builder: request::Builder) -> Result<Answer, RequestError> {
    send(node, bare(builder)).await
}

/// The whole answer to any request.
pub(crate) async fn send(node: &Node, request: Request<Full<Bytes>>) -> Result<Answer, RequestError> {
    let reply = node.request(request).await?;
    let provenance = reply.provenance();
    let (head, body) = reply.into_response().into_parts();
    let body = body.collect().await.map_err(RequestError::Fetch)?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, body, provenance })
}

/// The answer to a GET that must succeed.
pub(crate) async fn answer(node: &Node, builder: request::Builder) -> Answer {
    ask(node, builder).await.expect("the node has an answer")
}

/// An answer as a door would send it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) provenance: Provenance,
}

impl Answer {
    pub(crate) fn is_hit(&self) -> bool {
        self.provenance == Provenance::Entry(Served::Hit)
    }

    pub(crate) fn is_stale(&self) -> bool {
        matches!(self.provenance, Provenance::Entry(Served::Stale(_)))
    }

    /// How the origin was asked; `None` if it was not.
    pub(crate) fn forward(&self) -> Option<Forward> {
        match self.provenance {
            Provenance::Entry(Served::Forwarded(forward)) | Provenance::Relayed(forward) => Some(forward),
            _ => None,
        }
    }

    /// Whether a stale entry was renewed by a "304 Not Modified".
    pub(crate) fn is_revalidated(&self) -> bool {
        self.forward()
            .is_some_and(|forward| forward.reason != ForwardReason::UriMiss && forward.status == 304)
    }

    /// A header as text; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
