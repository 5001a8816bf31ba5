//! Which answers refuse something to the credential that asked, and what was asked for in calls that pass the cache
//! by.
//!
//! What follows from a refusal is [`crate::Admissions`]' to say.

use crate::{
    GRAPHQL, GitHub, OriginBody, Quota, allowance, canonical, domain::Readers, form, graphql,
    own::concerns_the_credential, quota, url::local_path,
};
use cache_core::{Allowance, Bucket, Content, FetchError, Payer, Shortage};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use std::time::{Duration, SystemTime};

/// The credential and the resource of a call that passes the cache by.
#[derive(Clone, Debug)]
pub struct Asked {
    pub(crate) readers: Readers,
    /// Whose allowance the call draws on.
    payer: Readers,
    /// Which allowance it draws on; `None` if none.
    bucket: Option<Bucket>,
    /// The resource, from the host on, without a query; `None` for a path that no key can have.
    pub(crate) resource: Option<Box<str>>,
    /// Whether it is to be read, and not changed.
    pub(crate) is_read: bool,
    /// Whether the call is to end its credential.
    ends_credential: bool,
}

impl GitHub {
    /// The credential and the resource of `request`; `None` if its credential cannot be told.
    pub fn asked<B>(&self, request: &Request<B>) -> Option<Asked> {
        let mut credentials = request.headers().get_all(header::AUTHORIZATION).iter();
        let readers = match (credentials.next(), credentials.next()) {
            (Some(only), None) => self.rules().domains.of_field(only).ok()?,
            (Some(_), Some(_)) => return None,
            (None, _) => self.rules().default_readers,
        };
        let host = self.origin().host();
        let mut resource = host.to_owned();
        let written = canonical::write_path(&mut resource, local_path(request.uri().path()));
        let path = if written.is_ok() { &resource[host.len()..] } else { "" };
        Some(Asked {
            payer: readers,
            bucket: (path != ALLOWANCES).then(|| allowance(path)),
            readers: if concerns_the_credential(path) { readers.alone() } else { readers },
            is_read: request.method().is_safe(),
            ends_credential: request.method() == Method::DELETE && path == OWN_TOKEN,
            resource: written.is_ok().then(|| resource.into()),
        })
    }
}

impl Asked {
    /// What the `answer` to it shows of the allowance that it drew on.
    pub fn allowance(&self, answer: &Response<OriginBody>) -> Option<Allowance> {
        Quota::shown_to(self.payer, answer.headers())
    }

    /// Whether the call, if the `answer` to it asks for no pause, is one that the origin counts, so that the answer shows how many
    /// were used with it.
    pub fn is_counted(&self, answer: &Response<OriginBody>) -> bool {
        let status = answer.status();
        self.bucket.is_some() && status != StatusCode::NOT_MODIFIED && !status.is_server_error()
    }

    /// Whose allowance the call draws on, and which; `None` if it is free.
    pub fn purse(&self) -> Option<(Payer, Bucket)> {
        Some((self.payer.payer, self.bucket?))
    }

    /// For how long the origin wants to be left alone by the payer, and why, if `answer` says so.
    ///
    /// Where the body alone tells, its beginning is read and put back.
    pub async fn throttled(
        &self,
        answer: &mut Result<Response<OriginBody>, FetchError>,
    ) -> Option<(Duration, Shortage)> {
        let response = answer.as_mut().ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        // An answer to a query says so with status 200 in its body, which is not read unless a field hints at it.
        let is_query = self.bucket == Some(GRAPHQL) && status == StatusCode::OK;
        let is_spent = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        let is_hinted = is_query && (is_spent || headers.contains_key(header::RETRY_AFTER));
        let is_refusal = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
        if !is_refusal && !is_hinted {
            return None;
        }
        let text = response.body_mut().peek(&headers).await;
        let is_throttled = quota::is_throttled(status, &headers, &text)
            || (is_query && graphql::is_throttled(status, &text));
        let pause = || (quota::retry_after(&headers, SystemTime::now()), quota::shortage(&headers));
        is_throttled.then(pause)
    }

    /// With what status `answer` refuses what was `asked`, if both are there and it does.
    pub async fn refused(
        asked: Option<Self>,
        answer: &mut Result<Response<OriginBody>, FetchError>,
    ) -> Option<(Self, StatusCode)> {
        let (asked, response) = (asked?, answer.as_mut().ok()?);
        let status = asked.refused_by(response).await?;
        Some((asked, status))
    }

    /// By which status the origin refuses what was asked for, with `response` or from now on; `None` if it does not, or
    /// for the sake of an allowance alone.
    ///
    /// Where the body alone tells, its beginning is read and put back.
    pub async fn refused_by(&self, response: &mut Response<OriginBody>) -> Option<StatusCode> {
        if self.ends_credential && response.status().is_success() {
            return Some(StatusCode::UNAUTHORIZED);
        }
        let status = refused_by(response.status(), response.headers(), b"")?;
        if status != StatusCode::FORBIDDEN {
            return Some(status);
        }
        let headers = response.headers().clone();
        let text = response.body_mut().peek(&headers).await;
        refused_by(status, &headers, &text)
    }
}

/// By which status an answer refuses what was asked for; `None` if it does not, or for the sake of an allowance alone.
///
/// `text` is the readable part of its body. An answer counts as a refusal unless its text shows that it is about an
/// allowance. A refusal too many costs one more question; a refusal too few would let a credential read on.
pub(crate) fn refused_by(status: StatusCode, headers: &HeaderMap, text: &[u8]) -> Option<StatusCode> {
    let is_refusal = matches!(status.as_u16(), 401 | 403 | 404 | 410 | 451);
    (is_refusal && !quota::is_throttled(status, headers, text)).then_some(status)
}

/// The same of what is told of an answer.
pub fn refusal_of(content: &Content) -> Option<StatusCode> {
    let status = StatusCode::from_u16(content.status).ok()?;
    let headers = form::fields(&content.headers).collect();
    refused_by(status, &headers, &content.body)
}

/// Where the origin tells of all allowances, which draws on none.
const ALLOWANCES: &str = "/rate_limit";

/// What an installation's token deletes when it is no longer needed: itself.
const OWN_TOKEN: &str = "/installation/token";
