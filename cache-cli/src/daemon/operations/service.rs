//! What the operations address answers.

use super::{Phase, exposition::Exposition, metrics};
use crate::{
    daemon::pulse::pulse,
    door::{DoorBody, Hosts},
};
use fleet_cache::Node;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::Service};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};
use tokio::sync::watch;

/// Answers the requests that come on one connection.
#[derive(Clone)]
pub(super) struct OperationsService(Arc<Inner>);

struct Inner {
    phase: watch::Receiver<Phase>,
    hosts: Hosts,
}

/// An answer that is still all in one piece.
struct Answer {
    status: StatusCode,
    content_type: &'static str,
    text: String,
}

impl OperationsService {
    /// Tells what `phase` holds to clients that name one of `hosts`.
    pub(super) fn new(phase: watch::Receiver<Phase>, hosts: Hosts) -> Self {
        Self(Arc::new(Inner { phase, hosts }))
    }
}

impl Service<Request<Incoming>> for OperationsService {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<DoorBody>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.answer(&request).await.response(request.method())) })
    }
}

impl Inner {
    async fn answer<B>(&self, request: &Request<B>) -> Answer {
        if !self.hosts.is_own_or_unnamed(request) {
            let text = "this address is known by its IP, as localhost, or by a name that --host gives";
            return Answer::plain(StatusCode::MISDIRECTED_REQUEST, text);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Answer::plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
        }
        match request.uri().path() {
            "/healthz" => Answer::plain(StatusCode::OK, "alive"),
            "/metrics" => self.metrics(Exposition::wanted(request.headers())).await,
            "/readyz" => self.ready().await,
            _other => Answer::plain(StatusCode::NOT_FOUND, "here are /healthz, /readyz and /metrics"),
        }
    }

    async fn ready(&self) -> Answer {
        match self.phase() {
            Phase::Starting => Answer::unavailable("starting: the node is being opened"),
            Phase::Serving(node) => match pulse(&node).await {
                Ok(stats) if stats.joining => Answer::unavailable("joining: the first peer is being dialled"),
                Ok(_stats) => Answer::plain(StatusCode::OK, "ready"),
                Err(error) => Answer::unavailable(&format!("not ready: {error}")),
            },
            Phase::Draining(_) => {
                Answer::unavailable("draining: requests in progress may end, others are refused")
            }
        }
    }

    async fn metrics(&self, exposition: Exposition) -> Answer {
        let written = match self.node() {
            None => return Answer::unavailable("starting: the node is being opened"),
            Some(node) => {
                let stats = pulse(&node).await;
                stats.map(|stats| metrics::text(stats, node.github().usage_report()))
            }
        };
        match written {
            Ok(Ok(text)) => Answer {
                status: StatusCode::OK,
                content_type: exposition.content_type(),
                text: exposition.of_open_metrics(text),
            },
            Ok(Err(error)) => {
                Answer::plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot be written: {error}"))
            }
            Err(error) => Answer::unavailable(&format!("no counts: {error}")),
        }
    }

    fn node(&self) -> Option<Node> {
        match self.phase() {
            Phase::Starting => None,
            Phase::Serving(node) | Phase::Draining(node) => Some(node),
        }
    }

    fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }
}

impl Answer {
    fn plain(status: StatusCode, text: &str) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", text: format!("{text}\n") }
    }

    fn unavailable(text: &str) -> Self {
        Self::plain(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// The whole reply; HEAD gets its head alone, with the length that GET would see.
    fn response(self, method: &Method) -> Response<DoorBody> {
        let length = HeaderValue::from(self.text.len());
        let body = if method == Method::HEAD { String::new() } else { self.text };
        let mut response = Response::new(DoorBody::whole(body.into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_cache::GitHub;
    use http_body_util::BodyExt;

    async fn node() -> Node {
        let github = GitHub::builder().origin("http://127.0.0.1:1").build().unwrap();
        Node::builder(None, github).start().await.unwrap()
    }

    fn inner(phase: Phase) -> Inner {
        let github = GitHub::builder().build().unwrap();
        let (_sender, phase) = watch::channel(phase);
        Inner { phase, hosts: Hosts::new(github.origin(), &["metrics.internal".to_owned()], &[]) }
    }

    async fn got(inner: &Inner, path: &str) -> (u16, String) {
        let request = Request::get(path).header(header::HOST, "127.0.0.1:1").body(()).unwrap();
        let answer = inner.answer(&request).await;
        (answer.status.as_u16(), answer.text)
    }

    #[tokio::test]
    async fn a_daemon_that_starts_is_alive_but_neither_ready_nor_counting() {
        let inner = inner(Phase::Starting);
        assert_eq!(got(&inner, "/healthz").await, (200, "alive\n".to_owned()));
        for path in ["/readyz", "/metrics"] {
            let (status, text) = got(&inner, path).await;
            assert_eq!(status, 503, "{path}");
            assert!(text.starts_with("starting"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_daemon_that_drains_counts_on_but_is_not_ready() {
        let inner = inner(Phase::Draining(node().await));
        let (status, text) = got(&inner, "/readyz").await;
        assert_eq!(status, 503);
        assert!(text.starts_with("draining"), "{text}");
        assert_eq!(got(&inner, "/metrics").await.0, 200);
    }

    #[tokio::test]
    async fn a_node_that_has_ended_is_not_ready() {
        let node = node().await;
        let inner = inner(Phase::Serving(node.clone()));
        assert_eq!(got(&inner, "/readyz").await, (200, "ready\n".to_owned()));
        node.shutdown().await;
        let (status, text) = got(&inner, "/readyz").await;
        assert_eq!(status, 503);
        assert!(text.starts_with("not ready: "), "{text}");
        assert_eq!(got(&inner, "/metrics").await.0, 503);
    }

    #[tokio::test]
    async fn a_name_that_a_stranger_may_own_is_refused_and_a_probe_without_one_is_answered() {
        let inner = inner(Phase::Starting);
        let status = async |host: Option<&str>| {
            let request = Request::get("/healthz");
            let request = match host {
                Some(host) => request.header(header::HOST, host),
                None => request,
            };
            inner.answer(&request.body(()).unwrap()).await.status.as_u16()
        };
        for host in [None, Some("localhost:9"), Some("[::1]"), Some("metrics.internal")] {
            assert_eq!(status(host).await, 200, "{host:?}");
        }
        for host in ["evil.example", "api.github.com", ""] {
            assert_eq!(status(Some(host)).await, 421, "{host}");
        }
    }

    #[tokio::test]
    async fn head_has_the_length_but_not_the_body_of_get_and_writes_are_refused() {
        let inner = inner(Phase::Starting);
        let asked = async |method: Method| {
            let request = Request::builder().method(&method).uri("/healthz").body(()).unwrap();
            let response = inner.answer(&request).await.response(&method);
            let (head, body) = response.into_parts();
            let length = head.headers[header::CONTENT_LENGTH].to_str().unwrap().to_owned();
            (head.status.as_u16(), length, body.collect().await.unwrap().to_bytes().len())
        };
        assert_eq!(asked(Method::GET).await, (200, "6".to_owned(), 6));
        assert_eq!(asked(Method::HEAD).await, (200, "6".to_owned(), 0));
        assert_eq!(asked(Method::POST).await.0, 405);
    }
}
