//! What the page's address answers: to browsers that show the page itself, and to nothing else.

use super::{
    assets::{self, Asset},
    board::Board,
    stream::{self, Places},
};
use crate::door::{DoorBody, Hosts, Running, is_of_own_page};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, service::Service};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
};
use tokio::sync::watch;

/// Answers the requests that come on one connection.
#[derive(Clone)]
pub(super) struct PageService(Arc<Inner>);

struct Inner {
    hosts: Hosts,
    board: watch::Receiver<Board>,
    places: Places,
    running: Running,
}

impl PageService {
    /// Shows `board` to browsers that name one of `hosts`.
    pub(super) fn new(hosts: Hosts, board: watch::Receiver<Board>, places: Places, running: Running) -> Self {
        Self(Arc::new(Inner { hosts, board, places, running }))
    }
}

impl Service<Request<Incoming>> for PageService {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<DoorBody>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(self.0.answer(&request)))
    }
}

impl Inner {
    fn answer<B>(&self, request: &Request<B>) -> Response<DoorBody> {
        let (method, path) = (request.method(), request.uri().path());
        if !self.hosts.is_own_named(request) {
            let text = "this page is reached by an IP address, as localhost, or by a name that --host gives";
            return plain(StatusCode::MISDIRECTED_REQUEST, text, method);
        }
        if !is_welcome(path, request.headers()) {
            let text = "only this page itself may read what is told here, and no page of another origin";
            return plain(StatusCode::FORBIDDEN, text, method);
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let text = "this page only shows; GET and HEAD are answered here";
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, text, method);
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match (path, assets::find(path)) {
            (EVENTS, _) => self.events(method),
            (_, Some(asset)) => asset_response(asset, method),
            (_, None) => plain(StatusCode::NOT_FOUND, "the page is at /", method),
        }
    }

    fn events(&self, method: &Method) -> Response<DoorBody> {
        const TYPE: &str = "text/event-stream";
        if method == Method::HEAD {
            return response(StatusCode::OK, TYPE, DoorBody::whole(Bytes::new()));
        }
        let Some(place) = self.places.take() else {
            let text =
                format!("{} pages are open already, and no more can be; close one", stream::STREAMS_MAX);
            let mut refused = plain(StatusCode::SERVICE_UNAVAILABLE, &text, method);
            refused.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("15"));
            return refused;
        };
        let events = stream::events(self.board.clone(), self.running.clone(), place);
        response(StatusCode::OK, TYPE, DoorBody::Told(events))
    }
}

/// Whether nothing but the page itself can read the answer. A link on another page may lead here: what it opens is a
/// document of its own, which cannot be framed, and which holds no figures yet.
fn is_welcome(path: &str, headers: &HeaderMap) -> bool {
    let told = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    let is_opened = path == "/"
        && told(header::ORIGIN).is_none()
        && told(HeaderName::from_static("sec-fetch-mode")) == Some(b"navigate")
        && told(HeaderName::from_static("sec-fetch-dest")) == Some(b"document");
    is_opened || is_of_own_page(headers)
}

fn asset_response(asset: &Asset, method: &Method) -> Response<DoorBody> {
    whole(StatusCode::OK, asset.content_type, Bytes::from_static(asset.text.as_bytes()), method)
}

fn plain(status: StatusCode, text: &str, method: &Method) -> Response<DoorBody> {
    whole(status, "text/plain; charset=utf-8", format!("{text}\n").into(), method)
}

/// HEAD gets the head alone, with the length that GET would see.
fn whole(status: StatusCode, content_type: &'static str, body: Bytes, method: &Method) -> Response<DoorBody> {
    let length = HeaderValue::from(body.len());
    let body = if method == Method::HEAD { Bytes::new() } else { body };
    let mut response = response(status, content_type, DoorBody::whole(body));
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    response
}

fn response(status: StatusCode, content_type: &'static str, body: DoorBody) -> Response<DoorBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in FENCES {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The path of the stream.
const EVENTS: &str = "/events";

/// What keeps the page to itself: it loads nothing from elsewhere and runs no script that is not its own file, and no other
/// page embeds it, reads it, or learns its address.
const FENCES: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_cache::GitHub;
    use http_body_util::BodyExt as _;

    fn inner() -> Inner {
        let github = GitHub::builder().build().unwrap();
        let (_board, told) = watch::channel(Board::default());
        let (_stop, running) = Running::new();
        let hosts = Hosts::new(github.origin(), &["cache.internal".to_owned()], &[]);
        Inner { hosts, board: told, places: Places::new(), running }
    }

    fn asked(inner: &Inner, method: Method, path: &str, fields: &[(&str, &str)]) -> Response<DoorBody> {
        let request = Request::builder().method(method).uri(path);
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        inner.answer(&request.body(()).unwrap())
    }

    fn status(path: &str, fields: &[(&str, &str)]) -> u16 {
        asked(&inner(), Method::GET, path, fields).status().as_u16()
    }

    const OWN: (&str, &str) = ("host", "127.0.0.1:8486");

    #[test]
    fn only_a_host_that_no_stranger_can_own_is_answered() {
        for host in ["127.0.0.1:8486", "localhost:1", "[::1]:8486", "192.0.2.7", "cache.internal:8486"] {
            assert_eq!(status("/", &[("host", host)]), 200, "{host}");
        }
        for host in ["evil.example", "api.github.com", "", "localhost.evil.example", "cache.internal@evil"] {
            for path in ["/", "/page.js", "/events"] {
                assert_eq!(status(path, &[("host", host)]), 421, "{host}");
            }
        }
        assert_eq!(status("/", &[]), 421, "a browser always names a host");
        assert_eq!(status("/", &[OWN, ("host", "evil.example")]), 421);
    }

    #[test]
    fn no_page_of_another_origin_reads_anything() {
        for path in ["/", "/page.js", "/events"] {
            for field in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("origin", "http://127.0.0.1:3000"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
            ] {
                assert_eq!(status(path, &[OWN, field]), 403, "{path} {field:?}");
            }
            let own = [OWN, ("origin", "http://127.0.0.1:8486"), ("sec-fetch-site", "same-origin")];
            assert_eq!(status(path, &own), 200, "{path}");
        }
    }

    #[test]
    fn a_link_on_another_page_opens_the_document_and_nothing_else() {
        let opened = |path, dest| {
            let fields =
                [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", dest)];
            status(path, &[&[OWN][..], &fields].concat())
        };
        assert_eq!(opened("/", "document"), 200);
        for (path, dest) in
            [("/", "iframe"), ("/", "embed"), ("/events", "document"), ("/page.js", "document")]
        {
            assert_eq!(opened(path, dest), 403, "{path} as {dest}");
        }
    }

    #[tokio::test]
    async fn only_get_and_head_are_answered_and_head_has_no_body() {
        let inner = inner();
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let refused = asked(&inner, method, "/events", &[OWN]);
            assert_eq!(refused.status(), 405);
            assert_eq!(refused.headers()["allow"], "GET, HEAD");
        }
        for path in ["/", "/events"] {
            let head = asked(&inner, Method::HEAD, path, &[OWN]);
            assert_eq!(head.status(), 200);
            assert!(head.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
        assert!(!inner.places.are_taken());
        assert_eq!(asked(&inner, Method::GET, "/nothing", &[OWN]).status(), 404);
    }

    #[test]
    fn every_answer_is_fenced() {
        let inner = inner();
        let taken: Vec<_> = (0..stream::STREAMS_MAX).map(|_| inner.places.take().unwrap()).collect();
        for (path, expected) in
            [("/", 200), ("/page.js", 200), ("/style.css", 200), ("/x", 404), ("/events", 503)]
        {
            let response = asked(&inner, Method::GET, path, &[OWN]);
            assert_eq!(response.status(), expected, "{path}");
            let told = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            let policy = told("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(told("x-content-type-options"), "nosniff");
            assert_eq!(told("x-frame-options"), "DENY");
            assert_eq!(told("cache-control"), "no-store");
        }
        drop(taken);
        assert_eq!(asked(&inner, Method::GET, "/events", &[OWN]).status(), 200);
    }
}
