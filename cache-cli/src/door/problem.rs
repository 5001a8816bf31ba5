//! Answers that the door makes up itself, in the shape in which GitHub reports errors.

use super::{
    cache_status,
    host::Inadmissible,
    policy::{Door, DoorHosts},
};
use bytes::Bytes;
use cache_core::{FetchError, Priority, Shortage, Timestamp};
use cache_origin_github::Quota;
use fleet_cache::{Closed, RequestError};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
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
    /// What a client of GitHub's looks for in a refusal because of a spent allowance.
    quota: Option<Box<QuotaFields>>,
}

impl DoorError {
    /// An error with a word for programs and a sentence for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), remedy: None, retry_after: None, quota: None }
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

    /// What is left of the allowance is kept for requests that matter more.
    fn reserved((priority, kept): (Priority, u64), seen: &Quota) -> Self {
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seen.reset));
        let until = Timestamp::from_unix_millis(seen.reset.saturating_mul(1000));
        // Clients act by GitHub's own words, and by its fields: for this request nothing remains.
        let message = format!(
            "API rate limit exceeded for {priority} requests: the last {kept} of {} calls of the allowance `{}` are \
             kept for others until {date}. Fleet Cache did not send the request.",
            seen.limit, seen.resource
        );
        let (used, limit) = (seen.used, seen.limit);
        let quota = QuotaFields {
            resource: seen.resource.clone(),
            ..QuotaFields::new(until, Shortage::Window { limit, used }, "core", Some(seen))
        };
        Self {
            retry_after: Some(seconds_until(until)),
            quota: Some(Box::new(quota)),
            ..Self::new(StatusCode::FORBIDDEN, "reserved", message)
        }
        .with_remedy(
            "wait, or send `X-Fleet-Priority: critical` if this request may have the last calls; `--reserve` sets what is kept",
        )
    }

    /// A write came when as many had been made lately as the origin bears.
    fn paced(until: Timestamp, resource: &'static str, seen: Option<&Quota>) -> Self {
        let quota = QuotaFields::new(until, Shortage::Pace, resource, seen);
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(quota.ends()));
        // Clients tell by GitHub's own words that they are to wait, and for which kind of limit.
        let message = format!(
            "You have exceeded a secondary rate limit: as many writes were made for this credential in the last minute or \
             hour as the API bears, and the next is due at {date}. Fleet Cache did not send the request."
        );
        Self {
            retry_after: Some(seconds_until(until)),
            quota: Some(Box::new(quota)),
            ..Self::new(StatusCode::FORBIDDEN, "paced", message)
        }
        .with_remedy(
            "wait, and write less often; --writes-per-minute, --writes-per-hour and --write-wait of the daemon say how many are \
             made, and how long one waits for its turn",
        )
    }

    /// The body of the request has a coding that the daemon does not understand.
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
        let mut body = json!({ "message": self.message, "fleet_cache": detail });
        if let Some(quota) = &self.quota {
            body["documentation_url"] = json!(quota.documentation);
        }
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        headers.insert(CACHE_STATUS, cache_status::of_error(self.code));
        if self.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            for scheme in ["Bearer realm=\"fleet-cache\"", "Basic realm=\"fleet-cache\""] {
                headers.append(header::PROXY_AUTHENTICATE, HeaderValue::from_static(scheme));
            }
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(quota) = &self.quota {
            quota.write(headers);
        }
        response
    }
}

impl From<RequestError> for DoorError {
    /// A request that neither the cache nor the origin could answer.
    fn from(error: RequestError) -> Self {
        let new = |status, code| Self::new(status, code, error.to_string());
        match error {
            RequestError::BadPriority(_) => new(StatusCode::BAD_REQUEST, "priority")
                .with_remedy("send `X-Fleet-Priority: batch`, `normal` or `critical`, once, or leave it out"),
            RequestError::BadTarget { .. } => new(StatusCode::BAD_REQUEST, "target"),
            RequestError::Busy => {
                Self { retry_after: Some(1), ..new(StatusCode::SERVICE_UNAVAILABLE, "busy") }
            }
            RequestError::Closed(closed) => Self::from(closed),
            RequestError::Fetch(FetchError::OriginDown) => {
                Self { retry_after: Some(TRIED_WITHIN), ..new(StatusCode::BAD_GATEWAY, "origin-down") }
                    .with_remedy(
                        "wait: one node of the fleet tries every few seconds, and all go on as soon as it gets through; \
                         `fleet-cache doctor` says since when and by whose word",
                    )
            }
            RequestError::Fetch(FetchError::TimedOut) | RequestError::TimedOut => {
                new(StatusCode::GATEWAY_TIMEOUT, "origin-timeout")
            }
            RequestError::Withdrawn => new(StatusCode::SERVICE_UNAVAILABLE, "withdrawn")
                .with_remedy("keep your half of the connection open until the answer is there"),
            RequestError::NotCached => new(StatusCode::GATEWAY_TIMEOUT, "only-if-cached"),
            RequestError::Throttled { until, shortage, resource, ref quota } => {
                Self::from(QuotaFields::new(until, shortage, resource, quota.as_ref()))
            }
            RequestError::Paced { until, resource, ref quota } => {
                Self::paced(until, resource, quota.as_ref())
            }
            RequestError::Reserved { priority, kept, ref quota } => Self::reserved((priority, kept), quota),
            RequestError::Fetch(_) | _ => new(StatusCode::BAD_GATEWAY, "origin"),
        }
    }
}

impl From<Closed> for DoorError {
    /// The daemon is about to end.
    fn from(closed: Closed) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", closed.to_string())
    }
}

impl From<Inadmissible> for DoorError {
    fn from(refusal: Inadmissible) -> Self {
        match refusal {
            Inadmissible::Connect => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "connect",
                "this door opens no tunnels: nothing inside one could be cached",
            )
            .with_remedy(
                "start the daemon with --intercept and the client by `fleet-cache run -- COMMAND`; or use a base URL or the \
                 unix socket instead of HTTPS_PROXY",
            ),
            Inadmissible::BesideConnection { only } => Self::new(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                format!("this connection is to {only} alone, and the request names another host"),
            )
            .with_remedy("open a connection for each host"),
            Inadmissible::HostMalformed => Self::new(
                StatusCode::BAD_REQUEST,
                "host",
                "the Host header is missing, repeated, or names no host",
            ),
            Inadmissible::Misdirected { host, door } => misdirected(&host, door),
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
    let remedy = match door.hosts {
        DoorHosts::Api => format!(
            "reach this door by an IP address or localhost, or start it with --host {} if that is its name",
            host.rsplit_once(':').map_or(host, |(name, _port)| name)
        ),
        DoorHosts::ApiAndOthers => format!(
            "if requests for {host} shall go through this socket, start the daemon with --upstream {host}=https://{host}; \
             otherwise, with gh, run such commands with a GH_CONFIG_DIR whose http_unix_socket is empty"
        ),
    };
    DoorError::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", message).with_remedy(remedy)
}

/// The fields of GitHub's own refusals: what its clients tell by that they are to wait, for how long, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
struct QuotaFields {
    until: Timestamp,
    shortage: Shortage,
    resource: Box<str>,
    limit: Option<u64>,
    remaining: Option<u64>,
    used: Option<u64>,
    /// When the window ends, in seconds since the Unix epoch.
    reset: u64,
    documentation: &'static str,
}

impl QuotaFields {
    /// What this node heard last is told where it is of the window that has not ended; else what the pause itself says.
    fn new(until: Timestamp, shortage: Shortage, resource: &str, seen: Option<&Quota>) -> Self {
        let resource = Box::from(resource);
        let ends = until.as_unix_millis().div_ceil(1000);
        match shortage {
            Shortage::Pace => Self {
                limit: seen.map(|seen| seen.limit),
                remaining: seen.map(|seen| seen.remaining),
                used: seen.map(|seen| seen.used),
                reset: seen.map_or(ends, |seen| seen.reset),
                documentation: PACE_DOCUMENTATION,
                until,
                shortage,
                resource,
            },
            Shortage::Window { limit, used } => Self {
                limit: Some(limit),
                remaining: Some(0),
                used: Some(seen.map_or(used, |seen| seen.used.max(used))),
                reset: seen.map(|seen| seen.reset).filter(|reset| *reset >= ends).unwrap_or(ends),
                documentation: WINDOW_DOCUMENTATION,
                until,
                shortage,
                resource,
            },
        }
    }

    /// When the pause ends, in seconds since the Unix epoch.
    fn ends(&self) -> u64 {
        self.until.as_unix_millis().div_ceil(1000)
    }

    fn write(&self, headers: &mut HeaderMap) {
        let numbers = [
            ("x-ratelimit-limit", self.limit),
            ("x-ratelimit-remaining", self.remaining),
            ("x-ratelimit-used", self.used),
            ("x-ratelimit-reset", Some(self.reset)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                headers.insert(HeaderName::from_static(name), HeaderValue::from(number));
            }
        }
        if let Ok(resource) = HeaderValue::from_str(&self.resource) {
            headers.insert("x-ratelimit-resource", resource);
        }
    }
}

impl From<QuotaFields> for DoorError {
    fn from(quota: QuotaFields) -> Self {
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(quota.ends()));
        // Clients tell the two kinds apart by GitHub's own words.
        let message = match quota.shortage {
            Shortage::Pace => format!(
                "You have exceeded a secondary rate limit of the API, which asked for a pause until {date}. \
                 Fleet Cache did not send the request."
            ),
            Shortage::Window { .. } => format!(
                "API rate limit exceeded: the allowance `{}` of this credential, or of this address without one, \
                 is spent until {date}. Fleet Cache did not send the request.",
                quota.resource
            ),
        };
        Self {
            retry_after: Some(seconds_until(quota.until)),
            quota: Some(Box::new(quota)),
            ..Self::new(StatusCode::FORBIDDEN, "quota-spent", message)
        }
        .with_remedy(
            "wait, or send a credential whose allowance is not spent; what is cached is answered meanwhile",
        )
    }
}

/// Seconds within which an origin that cannot be reached is tried again, as long as there are requests.
const TRIED_WITHIN: u64 = 10;

/// Where GitHub explains that a window's allowance is spent.
const WINDOW_DOCUMENTATION: &str =
    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-primary-rate-limits";
/// Where it explains other limits; clients look at how this ends.
const PACE_DOCUMENTATION: &str = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits";

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
            DoorError::from(Inadmissible::Misdirected { host: "files.example".to_owned(), door: Door::UNIX });
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
        assert_eq!(status(RequestError::Fetch(FetchError::OriginDown)), 502);
        assert_eq!(status(RequestError::Fetch(FetchError::TimedOut)), 504);
        assert_eq!(status(RequestError::TimedOut), 504);
        assert_eq!(status(RequestError::NotCached), 504);
        assert_eq!(status(RequestError::Busy), 503);
    }

    fn throttled(shortage: Shortage, quota: Option<Quota>) -> Response<Bytes> {
        let until = Timestamp::from_unix_millis(4_000_000_000_500);
        DoorError::from(RequestError::Throttled { until, shortage, resource: "core", quota }).response()
    }

    #[test]
    fn what_is_kept_for_others_is_refused_as_a_spent_window_with_what_is_true_of_it() {
        let quota =
            Quota { resource: "core".into(), limit: 100, remaining: 20, used: 80, reset: 4_000_000_000 };
        let error = RequestError::Reserved { priority: Priority::Batch, kept: 20, quota };
        let response = DoorError::from(error).response();
        assert_eq!(
            (response.status().as_u16(), field(&response, "cache-status")),
            (403, "fleet-cache; detail=reserved")
        );
        let fields = ["limit", "remaining", "used", "reset", "resource"];
        let told = fields.map(|name| field(&response, &format!("x-ratelimit-{name}")));
        assert_eq!(told, ["100", "0", "80", "4000000000", "core"]);
        assert!(field(&response, "retry-after").parse::<u64>().unwrap() > 1_000_000);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        let message = body["message"].as_str().unwrap();
        assert!(
            message.starts_with("API rate limit exceeded for batch requests: the last 20 of 100"),
            "{message}"
        );
    }

    fn field<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_spent_window_is_refused_as_github_refuses_it() {
        let response = throttled(Shortage::Window { limit: 5000, used: 5001 }, None);
        assert_eq!(response.status(), 403);
        let fields = ["limit", "remaining", "used", "reset", "resource"];
        let told = fields.map(|name| field(&response, &format!("x-ratelimit-{name}")));
        assert_eq!(told, ["5000", "0", "5001", "4000000001", "core"]);
        assert!(field(&response, "retry-after").parse::<u64>().unwrap() > 1_000_000);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        let message = body["message"].as_str().unwrap();
        assert!(message.starts_with("API rate limit exceeded"), "{message}");
        assert!(message.contains("02 Oct 2096"), "{message}");
        assert!(!message.contains("secondary rate"), "{message}");
        assert!(body["documentation_url"].as_str().unwrap().starts_with("https://docs.github.com/"));
    }

    #[test]
    fn a_pause_for_the_pace_of_calls_is_told_from_a_spent_window() {
        let seen = Quota { resource: "core".into(), limit: 60, remaining: 7, used: 53, reset: 4_000_000_100 };
        let response = throttled(Shortage::Pace, Some(seen));
        assert_eq!(response.status(), 403);
        assert_eq!(field(&response, "x-ratelimit-remaining"), "7");
        assert_eq!(field(&response, "x-ratelimit-reset"), "4000000100");
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert!(body["message"].as_str().unwrap().contains("secondary rate limit"));
        assert!(body["documentation_url"].as_str().unwrap().ends_with("secondary-rate-limits"));
        // Without a time from the origin, none is made up.
        let unseen = throttled(Shortage::Pace, None);
        assert!(!unseen.headers().contains_key("x-ratelimit-remaining"));
        assert!(unseen.headers().contains_key("retry-after"));
    }

    #[test]
    fn a_write_beyond_the_pace_is_refused_as_by_a_secondary_limit_with_what_is_true_of_the_window() {
        let quota =
            Quota { resource: "core".into(), limit: 60, remaining: 7, used: 53, reset: 4_000_000_100 };
        let until = Timestamp::from_unix_millis(4_000_000_000_500);
        let response =
            DoorError::from(RequestError::Paced { until, resource: "core", quota: Some(quota) }).response();
        assert_eq!(
            (response.status().as_u16(), field(&response, "cache-status")),
            (403, "fleet-cache; detail=paced")
        );
        assert_eq!(
            (field(&response, "x-ratelimit-remaining"), field(&response, "x-ratelimit-reset")),
            ("7", "4000000100")
        );
        assert!(field(&response, "retry-after").parse::<u64>().unwrap() > 1_000_000);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert!(
            body["message"].as_str().unwrap().starts_with("You have exceeded a secondary rate limit"),
            "{body}"
        );
        assert!(body["documentation_url"].as_str().unwrap().ends_with("secondary-rate-limits"));
    }

    #[test]
    fn a_pause_that_is_over_tells_to_come_back_at_once() {
        let until = Timestamp::from_unix_millis(1_000);
        let (shortage, quota) = (Shortage::Pace, None);
        let error = RequestError::Throttled { until, shortage, resource: "core", quota };
        assert_eq!(DoorError::from(error).response().headers()["retry-after"], "1");
    }

    #[test]
    fn an_error_is_json_in_the_shape_of_githubs() {
        let error = DoorError::from(RequestError::Fetch(FetchError::ConnectFailed));
        assert_eq!(body(&error)["message"], "the origin cannot be reached");
        assert_eq!(error.response().headers()["cache-status"], "fleet-cache; detail=origin");
    }
}
