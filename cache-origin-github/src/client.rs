//! The HTTP client: connections, TLS, and time limits up to the head of an answer.

use crate::{
    ConfigError, Proxy, framing,
    proxy::Way,
    reuse::{Answered, Remembering},
};
use bytes::Bytes;
use cache_core::FetchError;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as Pool, Error as PoolError,
        connect::{HttpConnector, capture_connection},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, NoKeyLog, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    error::Error,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::watch, time};

/// How long each part of a call may take.
///
/// ```
/// # use {cache_origin_github::Timeouts, std::time::Duration};
/// let timeouts = Timeouts { head: Duration::from_secs(30), ..Timeouts::default() };
/// assert_eq!(timeouts.connect, Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// Until a TCP connection stands.
    pub connect: Duration,
    /// From the last byte of the request to the head of the answer; includes connecting.
    pub head: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
    /// For which an unused connection is kept.
    pub pool_idle: Duration,
}

impl Default for Timeouts {
    /// GitHub itself gives up on a request after 10 s; the head and the body get half as much again.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(15),
            body_idle: Duration::from_secs(15),
            pool_idle: Duration::from_secs(60),
        }
    }
}

/// Sends requests over pooled connections.
#[derive(Debug)]
pub(crate) struct Client {
    pool: Pool<Connector, SentBody>,
    /// Makes a connection for each request, and keeps none.
    unpooled: Pool<Connector, SentBody>,
    timeouts: Timeouts,
}

type Connector = Remembering<HttpsConnector<Way>>;
type BoxError = Box<dyn Error + Send + Sync>;
type SentBody = UnsyncBoxBody<Bytes, BoxError>;

impl Client {
    pub(crate) fn new(
        timeouts: Timeouts,
        certificates: &[CertificateDer<'static>],
        proxy: Option<Proxy>,
    ) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for certificate in certificates {
            roots.add(certificate.clone()).map_err(ConfigError::Tls)?;
        }
        let mut tls = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(ConfigError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.key_log = Arc::new(NoKeyLog);
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(timeouts.connect));
        tcp.set_keepalive(Some(KEEPALIVE_TIME));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(Way { tcp, proxy });
        let connector = Remembering(connector);
        let mut pools = Pool::builder(TokioExecutor::new());
        pools
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(timeouts.pool_idle)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Some(KEEPALIVE_TIME))
            .http2_max_header_list_size(HEADER_LIST_BYTES_MAX);
        let pool = pools.build(connector.clone());
        let unpooled = pools.pool_max_idle_per_host(0).build(connector);
        Ok(Self { pool, unpooled, timeouts })
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Sends a read without a body and waits for the head of the answer.
    ///
    /// A read that a kept connection took with it as it closed is sent once more, on a new connection. `count_call` is
    /// run for each time that it is sent: the origin may have counted both.
    pub(crate) async fn ask(
        &self,
        request: Request<()>,
        count_call: impl Fn(),
    ) -> Result<Response<Incoming>, FetchError> {
        let method = request.method().clone();
        let answered = time::timeout(self.timeouts.head, self.ask_once_or_twice(request, count_call));
        framed(answered.await.map_err(|_| FetchError::TimedOut)??, &method)
    }

    async fn ask_once_or_twice(
        &self,
        request: Request<()>,
        count_call: impl Fn(),
    ) -> Result<Response<Incoming>, FetchError> {
        count_call();
        let mut first = bodiless(request.clone());
        let captured = capture_connection(&mut first);
        match self.pool.request(first).await {
            Ok(response) => {
                let is_reused = Answered::note(response.extensions());
                // Some servers say farewell to an idle connection with a 408 that is for no request (RFC
                // 9110, section 15.5.9).
                if !(is_reused && response.status() == StatusCode::REQUEST_TIMEOUT) {
                    return Ok(response);
                }
            }
            Err(error) => {
                let reason = reason(&error);
                if reason != FetchError::ConnectionLost || !Answered::had(&captured) {
                    return Err(reason);
                }
            }
        }
        tracing::debug!("the origin closed a kept connection as a read went out; asking on a new one");
        count_call();
        self.unpooled.request(bodiless(request)).await.map_err(|error| reason(&error))
    }

    /// Sends a request with a body of any length. The time for the head counts from the body's last piece.
    pub(crate) async fn stream<B>(&self, request: Request<B>) -> Result<Response<Incoming>, FetchError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let method = request.method().clone();
        let (moved, mut moves) = watch::channel(());
        let request = request.map(|body| {
            let body = body.map_err(Into::into).boxed_unsync();
            Watched { body, moved }.boxed_unsync()
        });
        let mut response = std::pin::pin!(self.pool.request(request));
        let alarm = time::sleep(self.timeouts.head);
        let mut alarm = std::pin::pin!(alarm);
        let mut uploading = true;
        loop {
            tokio::select! {
                biased;
                answer = &mut response => {
                    let answer = answer.map_err(|error| reason(&error))?;
                    Answered::note(answer.extensions());
                    return framed(answer, &method);
                }
                change = moves.changed(), if uploading => {
                    uploading = change.is_ok();
                    alarm.as_mut().reset(time::Instant::now() + self.timeouts.head);
                }
                () = &mut alarm => return Err(FetchError::TimedOut),
            }
        }
    }
}

fn framed(response: Response<Incoming>, method: &Method) -> Result<Response<Incoming>, FetchError> {
    let (mut head, body) = response.into_parts();
    framing::settle(&mut head, method)?;
    Ok(Response::from_parts(head, body))
}

fn bodiless(request: Request<()>) -> Request<SentBody> {
    request.map(|()| Empty::new().map_err(BoxError::from).boxed_unsync())
}

/// Tells of every piece of a body that was sent.
struct Watched {
    body: SentBody,
    moved: watch::Sender<()>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.moved.send_replace(());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The certificates in a PEM file, for origins whose certificates a private authority signs.
pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let problem = |problem: String| ConfigError::Certificates {
        path: path.display().to_string().into(),
        problem: problem.into(),
    };
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| problem(error.to_string()))?;
    if found.is_empty() {
        return Err(problem("it holds none".to_owned()));
    }
    Ok(found)
}

fn reason(error: &PoolError) -> FetchError {
    if error.is_connect() {
        return FetchError::ConnectFailed;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        match cause.downcast_ref::<hyper::Error>() {
            Some(error) if error.is_parse_too_large() => return FetchError::HeadTooLong,
            Some(error) if error.is_parse() => return FetchError::Malformed,
            Some(_) | None => {}
        }
        source = cause.source();
    }
    FetchError::ConnectionLost
}

/// Most unused connections kept to the origin. Over HTTP/2 one carries everything.
const IDLE_CONNECTIONS_MAX: usize = 32;
/// Time after which a silent connection is tested.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);
/// Most bytes of headers taken over HTTP/2: as many as an entry may hold.
const HEADER_LIST_BYTES_MAX: u32 = 64 * 1024;
const _: () = assert!(HEADER_LIST_BYTES_MAX as usize <= cache_core::HEADERS_BYTES_MAX);
