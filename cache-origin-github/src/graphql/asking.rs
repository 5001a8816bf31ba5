//! Asking the origin a query: once, whatever comes of it.

use super::{Lifetimes, Query, Told, table::UNSETTLED};
use crate::{
    Fetch, GitHub, OriginBody, Question,
    answer::{Answer, BodyCoding},
    body::Whole,
    fetch::Asking,
    field,
    graphql::rule::Rule,
    refusal::refused_by,
};
use bytes::Bytes;
use cache_core::{Content, FetchError, Fetched, Headers, Reached, freshness::Freshness};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::time;

impl GitHub {
    /// Asks the origin `query`, which `question` is about.
    ///
    /// The call is never made again, not even if the connection breaks: a query that takes too long costs points of the
    /// next hour as well, and costs them again.
    pub(crate) async fn ask_query(&self, question: &Question, query: &Query) -> Fetch {
        time::timeout(WHOLE_ANSWER_TIME, self.ask_query_once(question, query)).await.unwrap_or_else(
            |_elapsed| {
                self.counters().count_failure();
                Fetch::of(in_vain(FetchError::TimedOut), HeaderMap::new())
            },
        )
    }

    async fn ask_query_once(&self, question: &Question, query: &Query) -> Fetch {
        let words = question.usual_words();
        let Ok(request) = self.request(question, &words, &Asking::Plainly) else {
            return Fetch::failed(FetchError::Malformed);
        };
        let request = query.put_in(request);
        let sent_at = Instant::now();
        self.count_call(&question.attribution);
        let response = match self.client().stream(request).await {
            Ok(response) => response,
            Err(error) => {
                self.counters().count_failure();
                return Fetch::of(in_vain(error), HeaderMap::new());
            }
        };
        let (mut head, incoming) = response.into_parts();
        let live = field::live(&head.headers, true);
        let refused = refused_by(head.status, &head.headers, b"");
        if !field::fit(&head.headers) {
            self.counters().count_failure();
            let fetch = Fetch::of(in_vain(FetchError::HeadTooLong), live);
            return Fetch { refused, reached: Reached::Yes, ..fetch };
        }
        let as_it_came = head.clone();
        let idle = self.client().timeouts().body_idle;
        let (body, coding) = OriginBody::decoded(&mut head.headers, incoming, idle);
        match body.read_whole(question.rules.body_bytes_max).await {
            Ok(Whole::Read(body)) => {
                let refused = refused_by(head.status, &head.headers, &body);
                if head.status == StatusCode::OK && !is_throttled(head.status, &body) {
                    self.usage().note_points(&question.attribution, query.points);
                }
                let circumstances = self.circumstances(question, &words, sent_at);
                let answer = Answer { head: &as_it_came, body, coding, circumstances };
                let lifetimes = question.rules.lifetimes_of_queries();
                let freshness = lifetimes.and_then(|lifetimes| query.freshness(lifetimes, &answer));
                Fetch { refused, ..Fetch::of(answer.judge_query(freshness), live) }
            }
            Ok(Whole::TooLong(body)) => {
                self.counters().count_oversize();
                field::strip_connection(&mut head.headers);
                let stream = Some(Response::from_parts(head, body));
                Fetch { stream, refused, ..Fetch::of(Fetched::Oversize, live) }
            }
            Err(error) => {
                self.counters().count_failure();
                Fetch { refused, reached: Reached::Yes, ..Fetch::of(in_vain(error), live) }
            }
        }
    }
}

/// What a call without an answer means. One that was never sent may be made again.
pub(crate) fn in_vain(error: FetchError) -> Fetched {
    if error == FetchError::ConnectFailed {
        return Fetched::Failed(error);
    }
    let is_late = error == FetchError::TimedOut;
    let status = if is_late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    let message = format!("Another member of the fleet asked the origin, and had no answer: {error}.");
    let headers = Headers::from_iter([("content-type", "application/json; charset=utf-8")]);
    let body = serde_json::json!({ "message": message }).to_string().into();
    Fetched::Spent(error, Content { status: status.as_u16(), headers, body })
}

impl Query {
    /// The request that puts it to the origin, where `request` is one for its resource.
    fn put_in(&self, request: Request<()>) -> Request<Full<Bytes>> {
        let mut request = request.map(|()| Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.remove(header::ACCEPT);
        for (name, value) in &self.fields {
            headers.append(name, value.clone());
        }
        request
    }

    /// For how long `answer` may be kept, if it is one that may: whole data without an error.
    fn freshness(&self, lifetimes: &Lifetimes, answer: &Answer<'_>) -> Option<Freshness> {
        let told = Told::read(&answer.body)?;
        if !told.has_data || told.has_errors || answer.coding == BodyCoding::Left {
            return None;
        }
        // What is written to it by its present name would not end an answer under a former one.
        if self.repository().is_some_and(|name| shows_another_name(&answer.body, name)) {
            return None;
        }
        let mut rules = self.rules;
        if self.is_unsettled(&answer.body) {
            rules.add(Rule::Unsettled);
        }
        lifetimes.of(rules).filter(|freshness| freshness.lifetime > Duration::ZERO)
    }

    /// Whether `body`, of an answer, says that the origin is still working something out.
    fn is_unsettled(&self, body: &[u8]) -> bool {
        let says = |word: &str| memchr::memmem::find(body, format!("\"{word}\"").as_bytes()).is_some();
        UNSETTLED.iter().any(|(rule, word)| self.rules.holds(*rule) && says(word))
    }

    /// For how long an answer with `body` is fresh; `None` if the origin is still working something out.
    pub(super) fn settled_lifetime(&self, lifetimes: &Lifetimes, body: &[u8]) -> Option<Duration> {
        let lifetime = lifetimes.of(self.rules)?.lifetime;
        (!self.is_unsettled(body) && !lifetime.is_zero()).then_some(lifetime)
    }
}

/// Longest time for a whole answer: less than the engine gives a call before it makes another, and more than the 10 s after
/// which GitHub gives up.
const WHOLE_ANSWER_TIME: Duration = Duration::from_secs(18);

/// Whether `body`, of an answer about the repository that was asked for by `name`, shows that this is a former name.
fn shows_another_name(body: &[u8], name: &str) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return true };
    let is_root_other = |root: &Value| {
        let (owner, own) = name.split_once('/').unwrap_or_default();
        let differs = |shown: Option<&Value>, asked: &str| {
            shown.and_then(Value::as_str).is_some_and(|shown| !shown.eq_ignore_ascii_case(asked))
        };
        differs(root.get("name"), own) || differs(root.pointer("/owner/login"), owner)
    };
    let roots = body.get("data").and_then(Value::as_object).into_iter().flat_map(|data| data.values());
    roots.clone().any(is_root_other) || roots.into_iter().any(|root| leads_elsewhere(root, name))
}

/// Whether something in `value` has an address, or a full name, of another repository than `name`.
fn leads_elsewhere(value: &Value, name: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| leads_elsewhere(item, name)),
        Value::Object(members) => members.iter().any(|(key, value)| match (key.as_str(), value) {
            ("nameWithOwner", Value::String(shown)) => !shown.eq_ignore_ascii_case(name),
            ("url", Value::String(shown)) => {
                let path =
                    shown.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap_or_default().1;
                let mut segments = path.split('/');
                let shown = segments.next().zip(segments.next());
                // The address of an account has one segment.
                shown.is_some_and(|(owner, own)| !format!("{owner}/{own}").eq_ignore_ascii_case(name))
            }
            (_, value) => leads_elsewhere(value, name),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether an answer to a query says that an allowance is spent, which GitHub does with status 200.
pub(crate) fn is_throttled(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::OK && Told::read(body).is_some_and(|told| told.is_throttled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_by_which_name_its_repository_goes() {
        let table = [
            (r#"{"title":"t"}"#, false),
            (r#"{"name":"Web","owner":{"login":"Acme","url":"https://github.com/acme"}}"#, false),
            (r#"{"name":"site"}"#, true),
            (r#"{"owner":{"login":"other"}}"#, true),
            (r#"{"nameWithOwner":"acme/site"}"#, true),
            (r#"{"issues":{"nodes":[{"url":"https://github.com/acme/web/issues/3"}]}}"#, false),
            (r#"{"issues":{"nodes":[{"url":"https://github.com/acme/site/issues/3"}]}}"#, true),
            (r#"{"issues":{"nodes":[{"name":"bug","author":{"url":"https://github.com/bob"}}]}}"#, false),
        ];
        for (repository, expected) in table {
            let body = format!(r#"{{"data":{{"repository":{repository}}}}}"#);
            assert_eq!(shows_another_name(body.as_bytes(), "acme/web"), expected, "{repository}");
        }
    }
}
