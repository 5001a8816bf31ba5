//! A node among services of `tower`: bodies that stream through it, and a client behind it for other hosts.

use bytes::Bytes;
use cache_tests::origin::ModelOrigin;
use fleet_cache::{GitHub, LayerError, Node, NodeLayer, NodeService};
use http::{Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use octocrab::{AuthState, OctocrabBuilder, service::middleware::base_uri::BaseUriLayer};
use serde_json::Value;
use std::{
    convert::Infallible,
    error::Error,
    future::{Ready, ready},
    task::{Context, Poll},
};
use tower_layer::Layer as _;
use tower_service::Service;

type AnyBody = BoxBody<Bytes, Infallible>;
type HttpClient = Client<HttpConnector, AnyBody>;

const LONG: &str = "/repos/acme/widget-1/contents/big-3000000.bin";

async fn node(origin: &ModelOrigin) -> Node {
    let github = GitHub::builder().origin(&origin.url()).body_bytes_max(64 * 1024);
    let github = github.build().expect("the settings can be used");
    Node::builder(None, github).start().await.expect("a node that keeps to itself starts")
}

/// A node for `origin` before hyper's client for everything else.
async fn layered(origin: &ModelOrigin) -> NodeService<HttpClient> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    NodeLayer::new(node(origin).await).layer(client)
}

/// A body that comes in pieces, of which nobody knows the length.
fn in_pieces(text: &str) -> AnyBody {
    let pieces: Vec<_> = text.bytes().map(|byte| Ok(Frame::data(Bytes::from(vec![byte])))).collect();
    BodyExt::boxed(StreamBody::new(futures::stream::iter(pieces)))
}

fn request(method: &str, url: &str, body: &str) -> Request<AnyBody> {
    let request = Request::builder().method(method).uri(url).header("authorization", "token ghp_alice");
    let request = request.header("user-agent", "a test");
    request
        .header("accept", "application/vnd.github.raw+json")
        .body(in_pieces(body))
        .expect("it is well formed")
}

/// How many frames of data `body` comes in, and how long they are together.
async fn read<B: Body<Data = Bytes> + Unpin>(mut body: B) -> (usize, usize)
where
    B::Error: std::fmt::Debug,
{
    let (mut frames, mut length) = (0, 0);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.expect("it does not break off").into_data() {
            (frames, length) = (frames + 1, length + data.len());
        }
    }
    (frames, length)
}

#[tokio::test]
async fn octocrab_reads_twice_through_the_layer_and_the_second_is_no_call() {
    let origin = ModelOrigin::start();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let octocrab = OctocrabBuilder::new_empty()
        .with_service(client)
        .with_layer(&NodeLayer::new(node(&origin).await))
        .with_layer(&BaseUriLayer::new(origin.url().parse().unwrap()))
        .with_auth(AuthState::None)
        .build()
        .unwrap();
    for _ in 0..2 {
        let repository: Value = octocrab.get("/repos/acme/widget-1", None::<&()>).await.unwrap();
        assert_eq!(repository["name"], "widget-1");
    }
    assert_eq!(origin.calls_total(), 1);
}

#[tokio::test]
async fn what_is_for_another_host_is_the_clients_and_the_rest_the_nodes() {
    let (origin, other) = (ModelOrigin::start(), ModelOrigin::start());
    let mut service = layered(&origin).await;
    for _ in 0..2 {
        for of in [&origin, &other] {
            let get = request("GET", &format!("{}/repos/acme/widget-1", of.url()), "");
            let response = service.call(without_body(get)).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
    }
    assert_eq!((origin.calls_total(), other.calls_total()), (1, 2));
}

#[tokio::test]
async fn bodies_stream_both_ways_through_a_node_and_through_the_client_behind_it() {
    let (origin, other) = (ModelOrigin::start(), ModelOrigin::start());
    let mut service = layered(&origin).await;
    for of in [&origin, &other] {
        let long = without_body(request("GET", &format!("{}{LONG}", of.url()), ""));
        let (frames, length) = read(service.call(long).await.unwrap().into_body()).await;
        assert!(frames > 1 && length == 3_000_000, "{frames} frames of {length} bytes");

        let title = r#"{"title":"a title that comes in pieces"}"#;
        let write = request("POST", &format!("{}/repos/acme/widget-1/issues", of.url()), title);
        let response = service.call(write).await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let written = response.into_body().collect().await.unwrap().to_bytes();
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written["title"], "a title that comes in pieces");
    }
}

#[tokio::test]
async fn what_the_node_answers_does_not_wait_for_the_service_behind_it() {
    let origin = ModelOrigin::start();
    let mut service = NodeLayer::new(node(&origin).await).layer(Broken);
    let own = without_body(request("GET", "/repos/acme/widget-1", ""));
    assert_eq!(service.call(own).await.unwrap().status(), StatusCode::OK);
    let foreign = without_body(request("GET", "http://files.example/x", ""));
    let error = service.call(foreign).await.map(|_response| ()).unwrap_err();
    assert!(matches!(&error, LayerError::Inner(inner) if inner.to_string() == "never ready"), "{error:?}");
}

/// A request whose body is empty and says so, as clients send reads.
fn without_body(request: Request<AnyBody>) -> Request<AnyBody> {
    request.map(|_pieces| BodyExt::boxed(http_body_util::Empty::new()))
}

/// A service that is never ready.
#[derive(Clone)]
struct Broken;

impl Service<Request<AnyBody>> for Broken {
    type Response = http::Response<AnyBody>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Err("never ready".into()))
    }

    fn call(&mut self, _request: Request<AnyBody>) -> Self::Future {
        ready(Err("called though it is not ready".into()))
    }
}
