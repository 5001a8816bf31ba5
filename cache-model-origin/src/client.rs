//! A small HTTP client for tests: it adds nothing that a test did not ask for, and hides nothing.
//!
//! It follows no redirects, decodes nothing and keeps nothing.

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderMap, Method, Request, StatusCode, header, request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::{
    io,
    io::Read as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};

/// Where requests go, and under which host name.
#[derive(Clone, Debug)]
pub struct Client {
    door: Door,
    host: String,
}

impl Client {
    /// To a TCP address, which is also the host named.
    pub fn tcp(address: SocketAddr) -> Self {
        Self { door: Door::Tcp(address), host: address.to_string() }
    }

    /// To a unix socket, naming `api.github.com` as `gh` does.
    pub fn unix(path: &Path) -> Self {
        Self { door: Door::Unix(path.to_owned()), host: "api.github.com".to_owned() }
    }

    /// The same door under another host name.
    #[must_use]
    pub fn named(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    /// A GET of `path`, which may be a whole address as a forward proxy takes it.
    pub fn get(&self, path: &str) -> Draft {
        self.request(Method::GET, path)
    }

    /// A HEAD of `path`.
    pub fn head(&self, path: &str) -> Draft {
        self.request(Method::HEAD, path)
    }

    /// A POST of `body` to `path`.
    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Draft {
        self.request(Method::POST, path).body(body)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, path: &str) -> Draft {
        let head = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::USER_AGENT, "cache-model-origin");
        Draft { client: self.clone(), head, body: Bytes::new() }
    }

    /// A connection for several requests, one after the other.
    ///
    /// # Errors
    ///
    /// If nothing listens at the address.
    pub async fn connect(&self) -> Result<Connection, ClientError> {
        match &self.door {
            Door::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Connection::over(stream).await
            }
            Door::Unix(path) => Connection::over(UnixStream::connect(path).await?).await,
        }
    }
}

/// A request being written.
#[derive(Debug)]
#[must_use = "a draft does nothing until it is sent"]
pub struct Draft {
    client: Client,
    head: request::Builder,
    body: Bytes,
}

impl Draft {
    /// Authorizes as GitHub's own clients do, by `token TOKEN`.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("token {token}"))
    }

    /// Adds one header to those of the request.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { head: self.head.header(name, value), ..self }
    }

    /// Takes back a header set before, even the `User-Agent`.
    ///
    /// # Panics
    ///
    /// If an earlier header was malformed.
    pub fn without(mut self, name: &str) -> Self {
        self.head.headers_mut().expect("the headers are well-formed").remove(name);
        self
    }

    /// Sets the body in place of an empty one.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sends over a connection of its own. Dropping the future closes it.
    ///
    /// # Errors
    ///
    /// If nothing listens at the address, or no whole answer comes.
    pub async fn send(self) -> Result<Reply, ClientError> {
        let mut connection = self.client.connect().await?;
        connection.send(self).await
    }
}

/// A connection that was opened and not used yet.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Connection {
    async fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Self, ClientError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async {
            // The request under way is told of the same failure.
            let _told = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Sends over this connection and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// When the connection has ended, or ends before the answer does.
    ///
    /// # Panics
    ///
    /// If the draft holds a malformed header or address.
    pub async fn send(&mut self, draft: Draft) -> Result<Reply, ClientError> {
        let request = draft.head.body(Full::new(draft.body)).expect("a test writes well-formed requests");
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A whole answer, its body as it came over the wire.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status of the answer.
    pub status: StatusCode,
    /// All headers of the answer.
    pub headers: HeaderMap,
    /// The body, compressed if `Content-Encoding` says so.
    pub body: Bytes,
}

impl Reply {
    /// A header as text; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body without its compression.
    ///
    /// # Panics
    ///
    /// If it claims gzip and is not.
    pub fn identity_body(&self) -> Bytes {
        if self.header("content-encoding") != "gzip" {
            return self.body.clone();
        }
        let mut plain = Vec::new();
        GzDecoder::new(self.body.as_ref())
            .read_to_end(&mut plain)
            .expect("the body is gzip, as its header says");
        plain.into()
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.identity_body()).expect("the body is JSON")
    }
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection came about.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// It ended early, or what came was not HTTP.
    #[error("no whole answer")]
    Http(#[from] hyper::Error),
}

impl From<io::Error> for ClientError {
    fn from(source: io::Error) -> Self {
        Self::Connect(source)
    }
}

#[derive(Clone, Debug)]
enum Door {
    Tcp(SocketAddr),
    Unix(PathBuf),
}
