//! The commands' side of the admin socket.

use super::socket_path;
use crate::{exit::CommandError, socket};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{io, path::Path};
use tokio::task::JoinSet;

/// A connection to a running daemon.
pub(crate) struct Admin {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with this.
    _connection: JoinSet<()>,
}

impl Admin {
    /// Connects to the daemon that uses `cache_dir`.
    ///
    /// # Errors
    ///
    /// [`CommandError::NotRunning`] if no daemon runs.
    pub(crate) async fn connect(cache_dir: &Path) -> Result<Self, CommandError> {
        let stream = socket::connect(&socket_path(cache_dir)).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                CommandError::NotRunning { directory: cache_dir.to_owned() }
            }
            _other => CommandError::failed("cannot reach the daemon", error),
        })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| CommandError::failed("cannot talk to the daemon", error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What goes wrong is reported by the request that it goes wrong for.
            let _ended = connection.await;
        });
        Ok(Self { sender, _connection: driver })
    }

    /// Asks for what `path` shows.
    ///
    /// # Errors
    ///
    /// When the daemon refuses or goes away.
    pub(crate) async fn show<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, CommandError> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        understood(response).await
    }

    /// Sends an order and reads its answer.
    ///
    /// # Errors
    ///
    /// When the daemon refuses or goes away.
    pub(crate) async fn order<T: DeserializeOwned>(
        &mut self,
        path: &str,
        order: &impl Serialize,
    ) -> Result<T, CommandError> {
        let response = self.order_raw(path, order).await?;
        understood(response).await
    }

    /// Sends an order whose answer is the API's own.
    ///
    /// # Errors
    ///
    /// When the daemon goes away.
    pub(crate) async fn order_raw(
        &mut self,
        path: &str,
        order: &impl Serialize,
    ) -> Result<Response<Incoming>, CommandError> {
        let body = serde_json::to_vec(order)
            .map_err(|error| CommandError::failed("cannot write the command", error))?;
        self.send(Method::POST, path, body.into()).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, CommandError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("paths of commands are written out in this crate");
        let host = HeaderValue::from_static("fleet-cache");
        request.headers_mut().insert(header::HOST, host);
        self.sender
            .send_request(request)
            .await
            .map_err(|error| CommandError::failed("the daemon went away", error))
    }
}

async fn understood<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, CommandError> {
    let refused = !response.status().is_success();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| CommandError::failed("the daemon went away", error))?
        .to_bytes();
    if refused {
        let told = serde_json::from_slice::<Value>(&body).ok();
        let message = told.as_ref().and_then(|told| told["message"].as_str()).unwrap_or("no reason given");
        return Err(CommandError::failed("the daemon refused the command", message));
    }
    serde_json::from_slice(&body)
        .map_err(|error| CommandError::failed("the daemon's answer cannot be read", error))
}
