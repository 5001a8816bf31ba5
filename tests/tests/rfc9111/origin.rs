//! An origin that answers as a test has it answer, and tells what it was asked.

use bytes::Bytes;
use cache_tests::daemon::{Daemon, Setup};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// What it says of one path.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Bytes,
    /// Whether it closes the connection instead.
    is_gone: bool,
    /// Whether it waits for [`Origin::let_go`] first.
    is_held: bool,
}

impl Said {
    pub(crate) fn new(body: &str) -> Self {
        let body = Bytes::from(body.to_owned());
        Self { status: 200, fields: Vec::new(), body, is_gone: false, is_held: false }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn kept_for(self, directives: &str) -> Self {
        self.with("cache-control", directives)
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn gone() -> Self {
        Self { is_gone: true, ..Self::new("") }
    }

    pub(crate) fn held(self) -> Self {
        Self { is_held: true, ..self }
    }
}

/// One call that it has had.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    said: Mutex<BTreeMap<String, Said>>,
    asked: Mutex<BTreeMap<String, Vec<Asked>>>,
    going: Notify,
}

pub(crate) struct Origin {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _from)) = listener.accept().await {
                let state = Arc::clone(&shared);
                let answer = service_fn(move |request| answer(Arc::clone(&state), request));
                tokio::spawn(async move {
                    // The door may close a connection whenever it likes, and so does a test.
                    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        });
        Self { address, state, serving }
    }

    /// A daemon in front of it.
    pub(crate) fn setup(&self) -> Setup {
        Setup::new(env!("CARGO_BIN_EXE_fleet-cache-under-test"), &self.url()).arg("--profile").arg("rfc9111")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it says of `target` from now on.
    pub(crate) fn say(&self, target: &str, said: Said) {
        self.state.said.lock().insert(target.to_owned(), said);
    }

    /// What it was asked of `target`, in order.
    pub(crate) fn asked(&self, target: &str) -> Vec<Asked> {
        self.state.asked.lock().get(target).cloned().unwrap_or_default()
    }

    /// How many calls it had for `target`.
    pub(crate) fn calls(&self, target: &str) -> usize {
        self.asked(target).len()
    }

    /// Answers one call that is held.
    pub(crate) fn let_go(&self) {
        self.state.going.notify_one();
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An origin and a daemon in front of it.
pub(crate) async fn daemon() -> (Origin, Daemon) {
    let origin = Origin::start().await;
    let daemon = origin.setup().start();
    (origin, daemon)
}

#[derive(Debug, thiserror::Error)]
#[error("the origin is gone")]
struct Gone;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Gone> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let asked = Asked { method: parts.method.to_string(), headers: parts.headers, body };
    state.asked.lock().entry(target.clone()).or_default().push(asked.clone());
    let said = state.said.lock().get(&target).cloned();
    let said = said.unwrap_or_else(|| Said::new("nobody has said anything").status(404));
    if said.is_held {
        state.going.notified().await;
    }
    if said.is_gone {
        return Err(Gone);
    }
    Ok(response(&said, &asked))
}

fn response(said: &Said, asked: &Asked) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(said.body.clone()));
    *response.status_mut() = StatusCode::from_u16(said.status).expect("a test says a status");
    for (name, value) in &said.fields {
        let value = HeaderValue::from_str(value).expect("a test says what is a field");
        response.headers_mut().append(HeaderName::from_static(name), value);
    }
    let holds = |condition, validator| {
        let known = asked.headers.get(condition);
        known.is_some() && known == response.headers().get(validator)
    };
    if holds(header::IF_NONE_MATCH, header::ETAG) || holds(header::IF_MODIFIED_SINCE, header::LAST_MODIFIED) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Full::default();
    }
    response
}
