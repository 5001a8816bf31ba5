//! The daemon's side of the admin socket.

use super::{
    about::{About, Shown},
    examine::examine,
    peers::{self, NoPeer},
    usage::FleetUsage,
};
use crate::{
    admin::{GetOrder, InvalidateOrder, KeptOrder, PingOrder, Removed},
    door::{Door, DoorBody, DoorError, Exchange, Front, encode_target, refuse},
    settings::SecretReport,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};
use tokio::sync::watch;

/// Answers the commands that come on one connection.
#[derive(Clone)]
pub(crate) struct AdminService(Arc<Inner>);

struct Inner {
    front: Arc<Front>,
    shown: watch::Receiver<Shown>,
}

impl AdminService {
    /// Speaks for the node behind `front`.
    pub(crate) fn new(front: Arc<Front>, shown: watch::Receiver<Shown>) -> Self {
        Self(Arc::new(Inner { front, shown }))
    }
}

impl Service<Request<Incoming>> for AdminService {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<DoorBody>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let method = request.method().clone();
            let answer = inner.answer(request).await;
            Ok(answer.unwrap_or_else(|error| refuse(&error, &method)))
        })
    }
}

impl Inner {
    async fn answer<B>(&self, request: Request<B>) -> Result<Response<DoorBody>, DoorError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        match (parts.method.as_str(), parts.uri.path()) {
            ("GET", "/stats") => self.stats().await,
            ("GET", "/config") => self.config().await,
            ("GET", "/peers") => self.peers().await,
            ("GET", "/usage") => json_response(&FleetUsage::of_fleet(&self.front.node).await?),
            ("GET", "/usage/node") => json_response(&FleetUsage::of_node(&self.front.node)),
            ("POST", "/clear") => {
                let removed = self.front.node.clear().await?;
                json_response(&Removed { removed })
            }
            ("POST", "/invalidate") => {
                let removed = match order(body).await? {
                    InvalidateOrder::Path(path) => self.front.node.invalidate(&encode_target(&path)).await?,
                    InvalidateOrder::Prefix(prefix) => {
                        self.front.node.invalidate_prefix(&encode_target(&prefix)).await?
                    }
                };
                json_response(&Removed { removed })
            }
            ("POST", "/doctor") => json_response(&examine(&self.front.node, &self.about()).await),
            ("POST", "/ping") => self.ping(order(body).await?).await,
            ("POST", "/get") => self.get(order(body).await?).await,
            ("POST", "/kept") => {
                let KeptOrder { path } = order(body).await?;
                json_response(&self.front.node.kept(&target(&path)?.to_string()).await?)
            }
            (method, path) => Err(DoorError::new(
                StatusCode::NOT_FOUND,
                "unknown-command",
                format!("this daemon knows no command {method} {path}"),
            )
            .with_remedy("use a fleet-cache of the same version as the daemon")),
        }
    }

    fn about(&self) -> About {
        self.shown.borrow().about.clone()
    }

    async fn stats(&self) -> Result<Response<DoorBody>, DoorError> {
        let stats = self.front.node.stats().await?;
        let mut shown = to_json(&stats)?;
        if let (Value::Object(all), Value::Object(about)) = (&mut shown, to_json(&self.about())?) {
            all.extend(about);
        }
        json_response(&shown)
    }

    async fn config(&self) -> Result<Response<DoorBody>, DoorError> {
        let Shown { report, about } = self.shown.borrow().clone();
        let secret = match about.secret {
            // Making the fingerprint of a passphrase takes tenths of a second.
            Some(secret) => tokio::task::spawn_blocking(move || SecretReport::of(&secret)).await.ok(),
            None => None,
        };
        json_response(&report.with_secret(secret))
    }

    async fn peers(&self) -> Result<Response<DoorBody>, DoorError> {
        let (peers, stats) = (self.front.node.peers().await?, self.front.node.stats().await?);
        json_response(&json!({
            "sharing": stats.sharing,
            "transport": self.about().fleet.transport(),
            "peer_id": stats.peer_id,
            "addresses": stats.addresses,
            "discovery": self.front.node.discovery(),
            "peers": peers,
        }))
    }

    async fn ping(&self, order: PingOrder) -> Result<Response<DoorBody>, DoorError> {
        let no_such = |text: String| {
            DoorError::new(StatusCode::NOT_FOUND, "unknown-peer", text)
                .with_remedy("`fleet-cache peers` lists them")
        };
        match peers::named(&self.front.node, &order.peer).await {
            Ok(peer) => json_response(&peers::ping(&self.front.node, peer).await),
            Err(NoPeer::Ambiguous(ids)) => {
                Err(no_such(format!("several peers' ids end in {:?}: {}", order.peer, ids.join(" "))))
            }
            Err(NoPeer::Closed(error)) => Err(error.into()),
            Err(NoPeer::Unknown) => {
                Err(no_such(format!("no known peer's id is, or ends in, {:?}", order.peer)))
            }
        }
    }

    async fn get(&self, order: GetOrder) -> Result<Response<DoorBody>, DoorError> {
        let uri = target(&order.path)?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        for (name, value) in order.headers {
            // The value may be a token and is not repeated.
            let header = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(value).ok());
            let (name, value) =
                header.ok_or_else(|| bad_command(format!("the header {name:?} cannot be sent")))?;
            request.headers_mut().append(name, value);
        }
        let host = HeaderValue::from_static("localhost");
        request.headers_mut().insert(header::HOST, host);
        request.headers_mut().entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        // As a client of the unix socket would be answered: nothing is rewritten.
        let exchange = Exchange::new(Arc::clone(&self.front), Door::UNIX);
        let Ok(response) = exchange.answer(request).await;
        Ok(response)
    }
}

/// The path that a command names, as a request for it has it.
fn target(path: &str) -> Result<Uri, DoorError> {
    let uri = encode_target(path).parse().ok();
    uri.filter(|uri: &Uri| uri.authority().is_none() && uri.path().starts_with('/'))
        .ok_or_else(|| bad_command(format!("{path:?} is not a path; write for example /user")))
}

fn bad_command(text: impl Into<String>) -> DoorError {
    DoorError::new(StatusCode::BAD_REQUEST, "bad-command", text)
}

async fn order<B, T>(body: B) -> Result<T, DoorError>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    T: DeserializeOwned,
{
    let bad = || bad_command("the command cannot be read");
    let body = Limited::new(body, ORDER_BYTES_MAX).collect().await.map_err(|_error| bad())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_error| bad())
}

fn to_json(value: &impl Serialize) -> Result<Value, DoorError> {
    serde_json::to_value(value).map_err(|error| {
        let text = format!("cannot be shown: {error}");
        DoorError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
    })
}

fn json_response(value: &impl Serialize) -> Result<Response<DoorBody>, DoorError> {
    let mut response = Response::new(DoorBody::whole(json!(to_json(value)?).to_string().into()));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// Longest command, in bytes: a path and headers with a token.
const ORDER_BYTES_MAX: usize = 64 * 1024;
/// How `get` names itself to the API, which refuses requests that do not.
const USER_AGENT: &str = concat!("fleet-cache/", env!("CARGO_PKG_VERSION"));
