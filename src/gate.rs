//! Looking whether the kept answer to a GraphQL query still holds, before the query is put again.

use crate::{Node, Provenance};
use cache_core::{Candidate, Entry, Fetched, Served, Timestamp, freshness::Directives};
use cache_origin_github::{CLIENT_FIELD, Gate, PRIORITY_FIELD, Question};
use http::{HeaderValue, Request, StatusCode, header, request::Parts};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// What looking has come to.
pub(crate) struct Looked {
    own: Arc<Entry>,
    gate: Gate,
    /// How old the oldest was of what was looked at.
    age: Duration,
}

impl Looked {
    /// Looks at the resources that cover the answer to `question` in `candidate`, if they do, as the client would that sent
    /// `request`: through the cache, with what that demands of the age of answers.
    pub(crate) async fn at(
        node: &Node,
        (question, request, directives): (&Question, &Parts, &Directives),
        candidate: Option<&Candidate>,
        now: Timestamp,
    ) -> Option<Self> {
        let own = candidate.and_then(Candidate::own)?;
        let gate = node.github().gate(question, own, now)?;
        let looked = Self { own: Arc::clone(own), gate, age: Duration::ZERO };
        let seen = timeout(LOOK_TIME, looked.look(node, request, directives)).await.ok().flatten();
        if seen.is_none() {
            node.github().pause_gate(question, now);
        }
        seen
    }

    async fn look(mut self, node: &Node, request: &Parts, directives: &Directives) -> Option<Self> {
        // What is looked at is no older than the client allows, nor than an answer may be.
        let age_max = directives.max_age.map_or(self.gate.lifetime(), |age| age.min(self.gate.lifetime()));
        let demand = match directives.no_cache {
            true => "no-cache".to_owned(),
            false => format!("max-age={}", age_max.as_secs()),
        };
        let demand = HeaderValue::try_from(demand).expect("words and numbers are text");
        while !self.gate.is_through() {
            let asking = Request::get(self.gate.name_next()?).header(header::CACHE_CONTROL, &demand);
            let mut asking = asking.body(EMPTY).ok()?;
            for name in [header::AUTHORIZATION, header::USER_AGENT, CLIENT_FIELD, PRIORITY_FIELD] {
                if let Some(value) = request.headers.get(&name) {
                    asking.headers_mut().insert(name, value.clone());
                }
            }
            let reply = node.request(asking).await.ok()?;
            let is_stale = matches!(reply.provenance(), Provenance::Entry(Served::Stale(_)));
            let age = reply.age().filter(|_| reply.status() == StatusCode::OK && !is_stale)?;
            let shown = Arc::clone(reply.entry()?);
            if !self.gate.see(&shown.content().body) {
                return None;
            }
            self.age = self.age.max(age);
        }
        Some(self)
    }

    /// The answer, renewed, if it holds.
    pub(crate) fn renewed(&self, node: &Node, now: Timestamp) -> Option<Fetched> {
        node.github().holds(&self.gate, &self.own, self.age, now)
    }

    /// Notes what the origin has answered instead.
    pub(crate) fn note(&self, node: &Node, fetched: &mut Fetched, now: Timestamp) {
        node.github().answered_behind(&self.gate, &self.own, fetched, (self.age, now));
    }
}

const EMPTY: String = String::new();
/// Longest time for looking. With the time of the query that may follow it is less than the engine gives a call, after
/// which another would be made.
const LOOK_TIME: Duration = Duration::from_millis(1500);
