//! Requests for GitHub's other hosts: carried there and back, past the cache.

use super::{
    DoorBody, cache_status,
    host::OtherHost,
    incoming,
    problem::{CACHE_STATUS, DoorError},
    token,
};
use bytes::Bytes;
use cache_core::FetchError;
use fleet_cache::{Node, RelayError};
use http::{Request, Response, StatusCode};
use hyper::body::Body;
use std::error::Error;
use tracing::debug;

/// Carries `request` to `other` with the client's own fields alone.
///
/// Of such calls there are as many at once as the door has connections.
pub(super) async fn carry<B>(
    node: &Node,
    request: Request<B>,
    other: &OtherHost,
) -> Result<Response<DoorBody>, DoorError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    incoming::check(&parts.headers)?;
    incoming::drop_offers(&mut parts.headers);
    let body = incoming::settle(&mut parts, body).await?;
    token::take_out(&mut parts.headers);
    let answer = node.relay(Request::from_parts(parts, body), &other.name, &other.address).await;
    let mut response = answer.map_err(|error| match error {
        RelayError::Fetch(error) => unreachable_host(other, error),
        _ended => unreachable_host(other, FetchError::FetcherGone),
    })?;
    let status = response.status().as_u16();
    response.headers_mut().insert(CACHE_STATUS, cache_status::of_relayed(status));
    Ok(response.map(DoorBody::Relayed))
}

fn unreachable_host(other: &OtherHost, error: FetchError) -> DoorError {
    let host = other.name.to_str().unwrap_or("the host");
    debug!(host, %error, "another host gave no answer");
    let (status, code) = match error {
        FetchError::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "other-host-timeout"),
        _no_answer => (StatusCode::BAD_GATEWAY, "other-host"),
    };
    let same = format!("https://{host}") == other.address.to_string();
    let place = if same { String::new() } else { format!(" at {}", other.address) };
    DoorError::new(status, code, format!("{host}{place} gave no answer: {error}"))
}
