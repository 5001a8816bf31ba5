//! Asking the origin a question whose answer may be kept.

use crate::{
    Credential, GitHub, OriginBody, Planned, RecipeState,
    answer::{self, Answer, BodyCoding, Circumstances},
    body::Whole,
    canonical::{USUAL_ACCEPT, USUAL_CLASS},
    field, form, page,
    plan::{Fields, write_representation},
    recipe,
    route::RouteIndex,
    url::local_path,
};
use cache_core::{Domain, Entry, FetchError, Fetched, Source};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request, response};
use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

/// What to ask the origin, and with whose credential. Owned, so that it outlives the request it came from.
///
/// Its `Debug` shows everything but the credential.
#[derive(Clone, Debug)]
pub struct Question {
    path: Box<str>,
    query: Option<Box<str>>,
    accept: HeaderValue,
    version: Option<HeaderValue>,
    via: Option<HeaderValue>,
    credential: Option<Credential>,
    domain: Domain,
    named: bool,
    route: RouteIndex,
}

impl Question {
    /// Who may read the answer.
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// The path asked for, from the API's root and without a query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// What came of a question.
#[derive(Debug)]
pub struct Fetch {
    /// What the engine is told.
    pub fetched: Fetched,
    /// Fields that concern the call just made and the credential that paid for it, such as
    /// `X-RateLimit-Remaining`. For the client that led the fetch and for nobody else.
    pub live: HeaderMap,
    /// With [`Fetched::Oversize`]: the answer itself, uncoded, with all its fields.
    pub stream: Option<Response<OriginBody>>,
}

impl Fetch {
    fn of(fetched: impl Into<Fetched>, live: HeaderMap) -> Self {
        Self { fetched: fetched.into(), live, stream: None }
    }

    fn failed(error: FetchError) -> Self {
        Self::of(Fetched::Failed(error), HeaderMap::new())
    }
}

impl GitHub {
    /// The question that `request` stands for, as [`GitHub::plan`] planned it.
    pub fn question(&self, request: &request::Parts, planned: &Planned) -> Question {
        let fields = Fields::look(&request.headers).unwrap_or_default();
        let mut class = String::new();
        let written = write_representation(&mut class, &request.headers, &fields);
        let class = class.split(' ').nth(1).filter(|class| written.is_ok() && *class != USUAL_CLASS);
        let accept = class.and_then(|class| HeaderValue::from_str(class).ok());
        // Read apart from the other fields: a credential of ours must never stand in for the client's.
        let own = request.headers.get(header::AUTHORIZATION);
        let own = own.map(|value| Credential::from_authorization(value.as_bytes()));
        Question {
            path: local_path(request.uri.path()).into(),
            query: request.uri.query().filter(|query| !query.is_empty()).map(Into::into),
            accept: accept.unwrap_or(HeaderValue::from_static(USUAL_ACCEPT)),
            version: fields.version.filter(|version| !version.is_empty()).cloned(),
            via: self.pseudonym().and_then(|own| own.behind(&request.headers)),
            credential: own.unwrap_or_else(|| self.default_credential().cloned()),
            domain: planned.domain,
            named: planned.named,
            route: planned.route,
        }
    }

    /// Asks the origin, and whether `revalidate` still holds if it is given.
    ///
    /// Never fails as such: what went wrong is in [`Fetch::fetched`]. Makes one call, or two when the first
    /// answers 304 in a way that cannot be believed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the call. The origin may have counted it.
    pub async fn fetch(&self, question: &Question, revalidate: Option<Arc<Entry>>) -> Fetch {
        let condition = revalidate.and_then(|entry| self.condition(question, entry));
        match self.ask(question, condition.as_ref()).await {
            Ok(fetch) => fetch,
            Err(Doubtful) => {
                self.counters().count_doubt();
                tracing::debug!("a 304 cannot be believed; asking again without validators");
                self.ask(question, None).await.unwrap_or_else(|Doubtful| Fetch::failed(FetchError::Malformed))
            }
        }
    }

    async fn ask(&self, question: &Question, condition: Option<&Condition>) -> Result<Fetch, Doubtful> {
        let Ok(request) = self.request(question, condition) else {
            return Ok(Fetch::failed(FetchError::Malformed));
        };
        let sent_at = Instant::now();
        let count_call = || self.counters().count_call();
        let response = match self.client().ask(request, count_call).await {
            Ok(response) => response,
            Err(error) => {
                self.counters().count_failure();
                return Ok(Fetch::failed(error));
            }
        };
        let (mut head, incoming) = response.into_parts();
        self.counters().note_quota(question.domain, &head.headers);
        let live = field::live(&head.headers);
        if !field::fit(&head.headers) {
            self.counters().count_failure();
            return Ok(Fetch::of(Fetched::Failed(FetchError::HeadTooLong), live));
        }
        if head.status == StatusCode::NOT_MODIFIED {
            return self.unchanged(condition, &head, &self.circumstances(question, sent_at), live);
        }
        let as_it_came = head.clone();
        let idle = self.client().timeouts().body_idle;
        let (body, coding) = OriginBody::decoded(&mut head.headers, incoming, idle);
        Ok(match body.read_whole(self.body_bytes_max()).await {
            Ok(Whole::Read(body)) => {
                if coding != BodyCoding::Left {
                    self.test_recipe(question, &as_it_came, &body);
                }
                let circumstances = self.circumstances(question, sent_at);
                let answer = Answer { head: &as_it_came, body, coding, circumstances };
                Fetch::of(answer.judge(), live)
            }
            Ok(Whole::TooLong(body)) => {
                self.counters().count_oversize();
                field::strip_connection(&mut head.headers);
                Fetch { fetched: Fetched::Oversize, live, stream: Some(Response::from_parts(head, body)) }
            }
            Err(error) => {
                self.counters().count_failure();
                Fetch::of(Fetched::Failed(error), live)
            }
        })
    }

    fn request(
        &self,
        question: &Question,
        condition: Option<&Condition>,
    ) -> Result<Request<()>, http::Error> {
        let uri = self.origin().uri(&question.path, question.query.as_deref())?;
        let mut request = Request::get(uri).body(())?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, question.accept.clone());
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::USER_AGENT, self.user_agent().clone());
        if let Some(credential) = &question.credential {
            headers.insert(header::AUTHORIZATION, credential.authorization());
        }
        if let Some(via) = &question.via {
            headers.insert(header::VIA, via.clone());
        }
        if let Some(version) = &question.version {
            headers.insert("x-github-api-version", version.clone());
        }
        match condition.map(|condition| &condition.validator) {
            Some(Validator::Tag(tag)) => {
                headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(tag)?);
            }
            Some(Validator::Date(date)) => {
                headers.insert(header::IF_MODIFIED_SINCE, HeaderValue::from_str(date)?);
            }
            None => {}
        }
        Ok(request)
    }

    /// How to ask whether `entry` still holds, if there is a way.
    ///
    /// A tag computed for the credential at hand is best: unlike a stored one it vouches for the very body
    /// that is kept. It is tried before the recipe has shown itself to hold, since a stored one may have been
    /// put beside another body by whoever sent it; if the recipe fails, that costs one call. A stored tag
    /// serves under the credential that it was given to, and nobody else.
    fn condition(&self, question: &Question, entry: Arc<Entry>) -> Option<Condition> {
        let content = entry.content();
        let validators = entry.validators();
        let accept = question.accept.as_bytes();
        let authorization = question.authorization();
        let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
        let ours = validators.etag_scope.is_none_or(|scope| scope == recipe::scope(accept, authorization));
        let state = self.recipes().state(question.recipe_class(), Instant::now());
        let computable = content.status == 200 && validators.etag.is_some();
        let computed = || Validator::Tag(recipe::tag(accept, authorization, &content.body).into());
        let stored = || validators.etag.clone().filter(|_| ours).map(Validator::Tag);
        let dated = || validators.last_modified.clone().filter(|_| ours).map(Validator::Date);
        let validator = match (state, entry.source()) {
            (RecipeState::Trusted | RecipeState::Untested, _) if computable => Some(computed()),
            (RecipeState::Trusted | RecipeState::Untested, Source::Peer) => None,
            (RecipeState::Distrusted, Source::Peer) => stored(),
            (RecipeState::Distrusted | RecipeState::Trusted | RecipeState::Untested, Source::Own) => {
                stored().or_else(dated)
            }
        };
        Some(Condition {
            validator: validator?,
            doubts_link: page::is_full_and_last(content, question.query.as_deref()),
            entry,
        })
    }

    fn unchanged(
        &self,
        condition: Option<&Condition>,
        head: &response::Parts,
        circumstances: &Circumstances<'_>,
        live: HeaderMap,
    ) -> Result<Fetch, Doubtful> {
        let Some(condition) = condition else {
            self.counters().count_failure();
            return Ok(Fetch::of(Fetched::Failed(FetchError::Malformed), live));
        };
        let sent = match &condition.validator {
            Validator::Tag(tag) => Some(tag.clone()),
            Validator::Date(_) => None,
        };
        let given = head.headers.get(header::ETAG).and_then(|value| value.to_str().ok());
        // RFC 9111, section 4.3.4: a 304 that names another tag is about another answer.
        let is_other =
            sent.as_deref().zip(given).is_some_and(|(sent, given)| form::strong(sent) != form::strong(given));
        if is_other || (condition.doubts_link && !head.headers.contains_key(header::LINK)) {
            return Err(Doubtful);
        }
        let renewed = answer::renew(&condition.entry, head, sent, circumstances).ok_or(Doubtful)?;
        self.counters().count_not_modified();
        Ok(Fetch::of(renewed, live))
    }

    fn test_recipe(&self, question: &Question, head: &response::Parts, body: &[u8]) {
        let given = head.headers.get(header::ETAG).and_then(|value| value.to_str().ok());
        if let (StatusCode::OK, Some(given)) = (head.status, given) {
            let authorization = question.authorization();
            let authorization = authorization.as_ref().map(HeaderValue::as_bytes);
            let computed = recipe::tag(question.accept.as_bytes(), authorization, body);
            let agrees = computed == form::strong(given);
            self.recipes().observe(question.recipe_class(), agrees, Instant::now());
        }
    }

    fn circumstances<'a>(&'a self, question: &'a Question, sent_at: Instant) -> Circumstances<'a> {
        let authorization = question.authorization();
        Circumstances {
            origin: self.origin(),
            path: &question.path,
            rule: self.routes().by_index(question.route),
            named: question.named,
            respect_max_age: self.respects_max_age(),
            tag_scope: recipe::scope(
                question.accept.as_bytes(),
                authorization.as_ref().map(HeaderValue::as_bytes),
            ),
            now: SystemTime::now(),
            taken: sent_at.elapsed(),
        }
    }
}

impl Question {
    fn authorization(&self) -> Option<HeaderValue> {
        self.credential.as_ref().map(Credential::authorization)
    }

    /// Routes and unusual representations are tested apart.
    fn recipe_class(&self) -> usize {
        self.route.0 * 2 + usize::from(self.accept != USUAL_ACCEPT)
    }
}

/// How an entry is asked about.
struct Condition {
    entry: Arc<Entry>,
    validator: Validator,
    /// Whether a 304 must bring a `Link` of its own to be believed.
    doubts_link: bool,
}

enum Validator {
    Tag(Box<str>),
    Date(Box<str>),
}

/// The origin says "unchanged", and that is not enough.
struct Doubtful;
