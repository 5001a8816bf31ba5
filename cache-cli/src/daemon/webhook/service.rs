//! What the address for webhooks answers.

use super::body::{Room, Unread};
use crate::door::DoorBody;
use bytes::Bytes;
use fleet_cache::{Closed, Pushed, Receipt, TurnedAway, WebhookDelivery, Webhooks, github::WebhookSecret};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};
use tracing::{debug, warn};

/// Answers the requests that come on one connection.
#[derive(Clone)]
pub(super) struct WebhookService(Arc<Inner>);

struct Inner {
    webhooks: Arc<Webhooks>,
    room: Room,
}

/// A status and a line about it.
type Answer = (StatusCode, &'static str);

impl WebhookService {
    pub(super) fn new(webhooks: Webhooks) -> Self {
        Self(Arc::new(Inner { webhooks: Arc::new(webhooks), room: Room::new() }))
    }
}

impl Service<Request<Incoming>> for WebhookService {
    type Response = Response<DoorBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<DoorBody>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(response(inner.answer(request).await)) })
    }
}

impl Inner {
    async fn answer<B: Body<Data = Bytes> + Unpin>(&self, request: Request<B>) -> Answer {
        if request.uri().path() != "/webhook" {
            return (StatusCode::NOT_FOUND, "here is /webhook alone");
        }
        if request.method() != Method::POST {
            return (StatusCode::METHOD_NOT_ALLOWED, "GitHub delivers webhooks by POST");
        }
        let (head, body) = request.into_parts();
        let Some(signature) = text(&head.headers, "x-hub-signature-256") else {
            self.webhooks.turn_away(TurnedAway::Unsigned);
            return (StatusCode::UNAUTHORIZED, "a delivery is signed");
        };
        if !WebhookSecret::is_signature(signature) {
            self.webhooks.turn_away(TurnedAway::Unsigned);
            return FORGED;
        }
        let (Some(event), Some(id)) =
            (text(&head.headers, "x-github-event"), text(&head.headers, "x-github-delivery"))
        else {
            return (StatusCode::BAD_REQUEST, "a delivery has X-GitHub-Event and X-GitHub-Delivery");
        };
        let body = match self.room.read(body).await {
            Ok(body) => body,
            Err(unread) => return self.unread(unread),
        };
        let is_form = text(&head.headers, "content-type").is_some_and(|kind| kind.starts_with(FORM));
        let delivery = WebhookDelivery { event, id, signature, body: body.bytes.clone() };
        let taken = self.webhooks.take(delivery).await;
        // Whatever a stranger wrote is not logged.
        match taken {
            Ok(Receipt::Genuine(Pushed::Taken { entries })) => debug!(event, entries, "a webhook was taken"),
            Ok(Receipt::Malformed) => {
                warn!("the payload of a webhook with a genuine signature cannot be read");
            }
            Ok(_) | Err(_) => debug!(?taken, "a webhook had no effect"),
        }
        told(taken, is_form)
    }

    fn unread(&self, unread: Unread) -> Answer {
        match unread {
            Unread::BrokenOff | Unread::TooSlow => {
                self.webhooks.turn_away(TurnedAway::TooSlow);
                (StatusCode::REQUEST_TIMEOUT, "the delivery did not come whole in time")
            }
            Unread::Crowded => (StatusCode::SERVICE_UNAVAILABLE, "too many long deliveries at once"),
            Unread::TooLong => {
                self.webhooks.turn_away(TurnedAway::TooLong);
                (StatusCode::PAYLOAD_TOO_LARGE, "a delivery has at most 25 MiB")
            }
        }
    }
}

/// What GitHub is told. A replay is told that all is well: it is a repetition of the network's or of a person's, and an
/// error would have them repeat it again.
fn told(taken: Result<Receipt, Closed>, is_form: bool) -> Answer {
    match taken {
        Ok(Receipt::Genuine(Pushed::Taken { .. })) => (StatusCode::OK, "taken"),
        Ok(Receipt::Replayed) => (StatusCode::OK, "taken before"),
        Ok(Receipt::Genuine(_)) => (StatusCode::ACCEPTED, "nothing here depends on this event"),
        Ok(Receipt::Malformed) if is_form => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "set the webhook's content type to application/json")
        }
        Ok(Receipt::Malformed) => (StatusCode::BAD_REQUEST, "the payload cannot be read"),
        Err(_closed) => (StatusCode::SERVICE_UNAVAILABLE, "the node has ended"),
        Ok(_) => FORGED,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn response((status, text): Answer) -> Response<DoorBody> {
    let text = format!("{text}\n");
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response.map(|()| DoorBody::whole(text.into()))
}

/// Says nothing about what is wrong with the signature.
const FORGED: Answer = (StatusCode::FORBIDDEN, "the signature is not genuine");
/// How GitHub delivers unless it is told otherwise.
const FORM: &str = "application/x-www-form-urlencoded";
