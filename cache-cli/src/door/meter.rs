//! Counting what clients are answered.

use super::{DoorBody, exchange::Front, problem::DoorError};
use cache_core::{Served, StaleReason};
use fleet_cache::{
    ClientLabel, Provenance, Reply,
    github::{Attribution, Outcome},
};
use http::{HeaderMap, Response, StatusCode, header, request::Parts};
use hyper::body::Body as _;
use std::{sync::Arc, time::Instant};

/// Follows one request, from its head to the head of its answer.
pub(super) struct Meter {
    attribution: Attribution,
    since: Instant,
}

impl Meter {
    /// Begins, with the request whose head is `request` and that `client` makes.
    pub(super) fn begin(front: &Front, client: ClientLabel, request: &Parts) -> Self {
        Self { attribution: front.node.github().attribution(client, request), since: Instant::now() }
    }

    /// Notes that the request is answered by `response`, whose body is counted as it goes out if its length is not known. A
    /// hit is one whatever `response` says.
    pub(super) fn end(
        self,
        front: &Arc<Front>,
        is_hit: bool,
        response: Response<DoorBody>,
    ) -> Response<DoorBody> {
        let outcome = match is_hit {
            true => Outcome::Hit,
            false if is_refusal(response.status(), response.headers()) => Outcome::Refused,
            false => Outcome::Called,
        };
        let Self { attribution, since } = self;
        if outcome == Outcome::Refused {
            front.refusals.note(&attribution, response.status(), response.headers());
        }
        let length = response.body().size_hint().exact();
        front.node.github().usage().note_answer(&attribution, outcome, length.unwrap_or(0), since.elapsed());
        if length.is_some() {
            return response;
        }
        let stream = Stream { front: Arc::clone(front), attribution, bytes: 0 };
        response.map(|body| DoorBody::Counted { body: Box::new(body), stream })
    }
}

/// Whether the answer cost no call of the request's own.
pub(super) fn is_hit(found: &Result<Reply, DoorError>) -> bool {
    match found.as_ref().map(Reply::provenance) {
        Ok(Provenance::Entry(Served::Hit | Served::Peer)) => true,
        Ok(Provenance::Entry(Served::Stale(reason))) => match reason {
            StaleReason::Failed(_) | StaleReason::Fault { .. } => false,
            StaleReason::Accepted
            | StaleReason::HeldOff
            | StaleReason::Reserved
            | StaleReason::Throttled
            | StaleReason::WhileRevalidating => true,
        },
        Ok(Provenance::Entry(Served::Forwarded(forward)) | Provenance::Relayed(forward)) => forward.collapsed,
        Ok(_) | Err(_) => false,
    }
}

/// Whether an answer says, as GitHub does, that an allowance is spent.
fn is_refusal(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_spent = || headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => headers.contains_key(header::RETRY_AFTER) || is_spent(),
        _other => false,
    }
}

/// Counts the bytes of a body whose length nobody knows beforehand; they are noted when it ends, or its client goes.
pub(crate) struct Stream {
    front: Arc<Front>,
    attribution: Attribution,
    bytes: u64,
}

impl Stream {
    /// Takes note of a piece that goes out.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.front.node.github().usage().note_bytes(&self.attribution, self.bytes);
    }
}
