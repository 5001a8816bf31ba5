//! Answers that the door makes up itself, in the shape in which GitHub reports errors.

use crate::{
    cache_status,
    route::{Door, Refusal},
};
use bytes::Bytes;
use cache_core::{FetchError, Timestamp};
use fleet_cache::RequestError;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// An error that the door reports to a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DoorError {
    status: StatusCode,
    /// One word for programs.
    code: &'static str,
    message: String,
    /// What the client or its operator can do.
    remedy: Option<String>,
    retry_after: Option<u64>,
}

impl DoorError {
    /// An error with a word for programs and a sentence for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), remedy: None, retry_after: None }
    }

    /// Adds what can be done about it.
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The client token is missing or another.
    pub(crate) fn token_refused() -> Self {
        Self::new(
            StatusCode::PROXY_AUTHENTICATION_REQUIRED,
            "client-token",
            "this cache serves only clients that present its client token",
        )
        .with_remedy("send it as `X-Fleet-Cache-Token: TOKEN` or `Proxy-Authorization: Bearer TOKEN`")
    }

    /// The request was here before.
    pub(crate) fn circle() -> Self {
        Self::new(
            StatusCode::LOOP_DETECTED,
            "circle",
            "this request came through this cache before: the origin that was set leads back here",
        )
        .with_remedy("start the daemons with --origin https://api.github.com, and set GITHUB_API_URL for clients alone")
    }

    /// The body of the request is coded in a way that nobody here understands.
    pub(crate) fn coding_unknown() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "transfer-coding",
            "the Transfer-Encoding of this request names a coding that this door does not know",
        )
        .with_remedy("send the body by `Transfer-Encoding: chunked` alone, or with a Content-Length")
    }

    /// The whole reply; for a HEAD request its body is to be left out.
    pub(crate) fn response(&self) -> Response<Bytes> {
        let mut detail = json!({ "error": self.code });
        if let Some(remedy) = &self.remedy {
            detail["remedy"] = json!(remedy);
        }
        let body = json!({ "message": self.message, "fleet_cache": detail }).to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(CACHE_STATUS, cache_status::of_error(self.code));
        if self.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            headers
                .insert(header::PROXY_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fleet-cache\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<RequestError> for DoorError {
    /// A request that neither the cache nor the origin could answer.
    fn from(error: RequestError) -> Self {
        let new = |status, code| Self::new(status, code, error.to_string());
        match error {
            RequestError::BadTarget { .. } => new(StatusCode::BAD_REQUEST, "target"),
            RequestError::Busy => {
                Self { retry_after: Some(1), ..new(StatusCode::SERVICE_UNAVAILABLE, "busy") }
            }
            RequestError::Closed => new(StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            RequestError::Fetch(FetchError::TimedOut) | RequestError::TimedOut => {
                new(StatusCode::GATEWAY_TIMEOUT, "origin-timeout")
            }
            RequestError::NotCached => new(StatusCode::GATEWAY_TIMEOUT, "only-if-cached"),
            RequestError::Throttled { until } => Self {
                retry_after: Some(seconds_until(until)),
                ..new(StatusCode::TOO_MANY_REQUESTS, "quota-spent")
            },
            RequestError::Fetch(_) | _ => new(StatusCode::BAD_GATEWAY, "origin"),
        }
    }
}

impl From<Refusal> for DoorError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Connect => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "connect",
                "this door opens no tunnels: nothing inside one could be cached",
            )
            .with_remedy(
                "use HTTP_PROXY with http:// URLs, a base URL, or the unix socket instead of HTTPS_PROXY",
            ),
            Refusal::HostMalformed => Self::new(
                StatusCode::BAD_REQUEST,
                "host",
                "the Host header is missing, repeated, or names no host",
            ),
            Refusal::Misdirected { host, door } => misdirected(&host, door),
        }
    }
}

/// Whole seconds until `moment`, at least one.
fn seconds_until(moment: Timestamp) -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let moment = Duration::from_millis(moment.as_unix_millis());
    moment.saturating_sub(now).as_secs() + 1
}

fn misdirected(host: &str, door: Door) -> DoorError {
    let message = format!("{host} is not the API that this cache serves; the request was not sent anywhere");
    let remedy = match door {
        Door::Tcp => format!(
            "reach this door by an IP address or localhost, or start it with --host {} if that is its name",
            host.rsplit_once(':').map_or(host, |(name, _port)| name)
        ),
        Door::Unix => format!(
            "if requests for {host} shall go through this socket, start the daemon with --upstream {host}=https://{host}; \
             otherwise, with gh, run such commands with a GH_CONFIG_DIR whose http_unix_socket is empty"
        ),
    };
    DoorError::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", message).with_remedy(remedy)
}

/// The field of RFC 9211.
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

#[cfg(test)]
mod tests {
    use super::*;
    use cache_core::FetchError;
    use serde_json::Value;

    fn body(error: &DoorError) -> Value {
        serde_json::from_slice(error.response().body()).unwrap()
    }

    #[test]
    fn a_misdirected_request_learns_the_host_and_the_remedy() {
        let error =
            DoorError::from(Refusal::Misdirected { host: "files.example".to_owned(), door: Door::Unix });
        assert_eq!(error.response().status(), 421);
        let body = body(&error);
        assert!(body["message"].as_str().unwrap().starts_with("files.example "));
        let remedy = body["fleet_cache"]["remedy"].as_str().unwrap();
        assert!(remedy.contains("http_unix_socket") && remedy.contains("--upstream files.example="));
    }

    #[test]
    fn a_failed_fetch_is_502_and_a_late_one_504() {
        let status = |error| DoorError::from(error).response().status().as_u16();
        assert_eq!(status(RequestError::Fetch(FetchError::ConnectFailed)), 502);
        assert_eq!(status(RequestError::Fetch(FetchError::BodyDamaged)), 502);
        assert_eq!(status(RequestError::Fetch(FetchError::TimedOut)), 504);
        assert_eq!(status(RequestError::TimedOut), 504);
        assert_eq!(status(RequestError::NotCached), 504);
        assert_eq!(status(RequestError::Busy), 503);
    }

    #[test]
    fn a_spent_quota_tells_to_come_back_later() {
        let until = Timestamp::from_unix_millis(1_000);
        let response = DoorError::from(RequestError::Throttled { until }).response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "1");
    }

    #[test]
    fn an_error_is_json_in_the_shape_of_githubs() {
        let error = DoorError::from(RequestError::Fetch(FetchError::ConnectFailed));
        assert_eq!(body(&error)["message"], "the origin cannot be reached");
        assert_eq!(error.response().headers()["cache-status"], "fleet-cache; detail=origin");
    }
}
