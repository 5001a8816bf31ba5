//! Asking the origin a question whose answer may be kept.

use crate::{
    Credential, GitHub, OriginBody, Planned, Quota, RecipeState,
    answer::{self, Answer, BodyCoding, Circumstances},
    body::Whole,
    canonical::{USUAL_ACCEPT, USUAL_CLASS},
    condition::{Conditions, Doubt, Whose},
    domain::Readers,
    field, form,
    graphql::Query,
    own::concerns_the_credential,
    plan::{Fields, write_class},
    refusal::refused_by,
    route::RouteIndex,
    rules::Rules,
    url::local_path,
    usage::Attribution,
    version::{NAMED, Naming},
    wording::{Brought, Wording},
};
use cache_core::{Allowance, Candidate, Domain, Draft, Entry, FetchError, Fetched, Key, Payer, Reached};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request, response};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// What to ask the origin, and with whose credential. Owned, so that it outlives the request it came from.
///
/// Its `Debug` shows everything but the credential and what is forwarded.
#[derive(Clone, Debug)]
pub struct Question {
    path: Box<str>,
    pub(crate) query: Option<Box<str>>,
    accept: HeaderValue,
    /// The version of the API to name, if it is not the usual one.
    version: Option<HeaderValue>,
    via: Option<HeaderValue>,
    credential: Option<Credential>,
    /// The client's own validators.
    brought: Option<Brought>,
    forwarded: Vec<(HeaderName, HeaderValue)>,
    pub(crate) readers: Readers,
    route: RouteIndex,
    pub(crate) rules: Arc<Rules>,
    /// The GraphQL query that is asked, if it is one.
    graphql: Option<Arc<Query>>,
    /// To which client the calls for it are put down.
    pub(crate) attribution: Attribution,
}

impl Question {
    /// The domain of those that may read the answer.
    pub fn domain(&self) -> Domain {
        self.readers.domain
    }

    /// The GraphQL query that is asked, if it is one.
    pub(crate) fn graphql(&self) -> Option<&Query> {
        self.graphql.as_deref()
    }

    /// The credential that asks.
    pub fn payer(&self) -> Payer {
        self.readers.payer
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
    /// Whether a call got through to the origin.
    pub reached: Reached,
    /// Fields that concern the call just made and the credential that paid for it, such as `X-RateLimit-Remaining`.
    /// Only the client that led the fetch may see them.
    pub live: HeaderMap,
    /// With [`Fetched::Oversize`]: the answer itself, uncoded, with all its fields.
    pub stream: Option<Response<OriginBody>>,
    /// By which status the origin refused what was asked for, other than for the sake of an allowance. That is said by
    /// the head, and so whatever became of the body.
    pub refused: Option<StatusCode>,
    /// What the answer showed of the payer's allowance.
    pub allowance: Option<Allowance>,
}

impl Fetch {
    pub(crate) fn of(fetched: impl Into<Fetched>, live: HeaderMap) -> Self {
        let fetched = fetched.into();
        let reached = fetched.reached();
        Self { fetched, reached, live, stream: None, refused: None, allowance: None }
    }

    pub(crate) fn failed(error: FetchError) -> Self {
        Self::of(Fetched::Failed(error), HeaderMap::new())
    }

    /// A read that was sent, on a new connection at the last, and of which no answer began.
    fn unanswered(error: FetchError) -> Self {
        let failed = Self::failed(error);
        let is_cut_off = error == FetchError::ConnectionLost;
        Self { reached: if is_cut_off { Reached::No } else { failed.reached }, ..failed }
    }

    /// A call whose answer began with `live`: whatever became of the rest, it got through.
    fn broken_off(error: FetchError, live: HeaderMap) -> Self {
        Self { reached: Reached::Yes, ..Self::of(Fetched::Failed(error), live) }
    }
}

impl GitHub {
    /// The question that `request` stands for, as [`GitHub::plan`] planned it.
    pub fn question(&self, request: &request::Parts, planned: &Planned) -> Question {
        let fields = Fields::look(&request.headers, &planned.rules.forwarded).unwrap_or_default();
        let mut class = String::new();
        let written = write_class(&mut class, &request.headers, &fields);
        let class = class.split(' ').nth(1).filter(|class| written.is_ok() && *class != USUAL_CLASS);
        let accept = class.and_then(|class| HeaderValue::from_str(class).ok());
        // Read apart from the other fields: the node's own credential must never stand in for the client's.
        let own = request.headers.get(header::AUTHORIZATION);
        let own = own.map(|value| Credential::from_authorization(value.as_bytes()));
        let mut question = Question {
            path: local_path(request.uri.path()).into(),
            query: request.uri.query().filter(|query| !query.is_empty()).map(Into::into),
            accept: accept.unwrap_or(HeaderValue::from_static(USUAL_ACCEPT)),
            version: fields.version.filter(|it| planned.naming == Naming::Apart && !it.is_empty()).cloned(),
            via: self.pseudonym().and_then(|own| own.behind(&request.headers)),
            credential: own.unwrap_or_else(|| self.credential_without(planned)),
            brought: None,
            forwarded: planned.rules.forwarded.picked(&request.headers),
            readers: planned.readers,
            route: planned.route,
            rules: planned.rules.shared(),
            graphql: planned.graphql.clone(),
            attribution: self.attribution_of_planned(request, planned),
        };
        if question.graphql.is_none() {
            question.brought = Brought::by(&fields, &question.usual_words(), question.credential.as_ref());
        }
        question
    }

    /// The credential that asks for a client that sends none.
    fn credential_without(&self, planned: &Planned) -> Option<Credential> {
        let surrogate = planned.rules.surrogate.as_ref();
        let surrogate = surrogate.and_then(|surrogate| surrogate.credential_of(planned.readers));
        surrogate.or(self.default_credential()).cloned()
    }

    /// Whether the origin can be asked about what another credential was given under `key`, and that is likely to be what
    /// it gives to this one as well.
    ///
    /// It takes a credential, since a 304 costs as much as an answer without one; a client without validators of its own,
    /// which are the surer way to a 304; and a route that does not concern the credential itself, since each is given
    /// another answer there. To a query the origin never answers 304.
    pub fn may_borrow(&self, question: &Question, key: &Key) -> bool {
        let now = Instant::now();
        let pays = |own| question.rules.lending.pays(&question.path, own, now);
        question.graphql.is_none()
            && question.credential.as_ref().is_some_and(pays)
            && question.brought.is_none()
            && question.rules.recipes.state(question.recipe_class(), now) != RecipeState::Distrusted
            && !is_own(key.resource())
    }

    /// For how long to wait for a call that is under way for another credential, whose answer may be what the origin gives
    /// to this one as well; `None` if nothing may be borrowed under `key` ([`Self::may_borrow`]).
    pub fn kin_wait(&self, question: &Question, key: &Key) -> Option<Duration> {
        self.may_borrow(question, key).then(|| question.rules.lending.patience(&question.path))
    }

    /// Asks the origin, and whether `candidate` is what it would answer if one is given.
    ///
    /// If there is no such entry and the client has validators of its own, they are sent. A 304 is then for that
    /// client alone, and nothing of it is kept. The call never fails as such: errors are in [`Fetch::fetched`]. Makes
    /// one call, or two when the first answers 304 in a way that cannot be believed; or three, if it was about two entries
    /// and its answer did not say which. A GraphQL query is put once, whatever comes of it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the call. The origin may have counted it.
    pub async fn fetch(&self, question: &Question, candidate: Option<Candidate>) -> Fetch {
        if let Some(query) = &question.graphql {
            let fetch = self.ask_query(question, query).await;
            return Fetch { allowance: Quota::shown_to(question.readers, &fetch.live), ..fetch };
        }
        let conditions = candidate.and_then(|candidate| self.conditions(question, &candidate));
        let borrowed = conditions.as_ref().and_then(Conditions::borrowed).cloned();
        let mut asking = match (conditions, &question.brought) {
            (Some(conditions), _) => Asking::About(conditions),
            (None, Some(brought)) => Asking::For(brought),
            (None, None) => Asking::Plainly,
        };
        let begun = Instant::now();
        let fetch = loop {
            let doubt = match self.ask(question, &asking).await {
                Ok(fetch) => break fetch,
                Err(doubt) => doubt,
            };
            self.counters().count_doubt();
            tracing::debug!(?doubt, "a 304 cannot be believed; asking again");
            asking = match (asking, doubt) {
                (Asking::About(both), Doubt::WhichOfTwo) => Asking::About(both.of_the_likelier()),
                (Asking::About(_) | Asking::For(_), _) => Asking::Plainly,
                (Asking::Plainly, _) => break Fetch::failed(FetchError::Malformed),
            };
        };
        if fetch.refused.is_none() {
            question.rules.lending.note_time(&question.path, begun.elapsed());
        }
        Self::note_lent(question, borrowed.as_deref(), &fetch.fetched);
        Fetch { allowance: Quota::shown_to(question.readers, &fetch.live), ..fetch }
    }

    /// Learns whether the credential at hand was given what `lent` holds, or without that, whether its answer can be lent.
    ///
    /// A refusal says nothing of bodies, and must not show what others were given; nor does a new body where the old one was
    /// past its lifetime.
    fn note_lent(question: &Question, lent: Option<&Entry>, fetched: &Fetched) {
        let is_lendable = match fetched {
            Fetched::Proven(_) => true,
            Fetched::Fresh(draft) if draft.content.status == StatusCode::OK => match lent {
                Some(lent) if is_fresh(lent) => false,
                None if draft.validators.etag.is_none() => false,
                Some(_) | None => return,
            },
            Fetched::Fresh(Draft { content, .. }) | Fetched::Unstorable { content, .. }
                if content.status < 400 =>
            {
                false
            }
            Fetched::Oversize => false,
            Fetched::Failed(_)
            | Fetched::Fault { .. }
            | Fetched::Fresh(_)
            | Fetched::NotModified(_)
            | Fetched::Spent(..)
            | Fetched::Throttled { .. }
            | Fetched::Unstorable { .. } => return,
        };
        if let Some(own) = &question.credential {
            question.rules.lending.note(&question.path, own, is_lendable, Instant::now());
        }
    }

    async fn ask(&self, question: &Question, asking: &Asking<'_>) -> Result<Fetch, Doubt> {
        let words = match asking {
            Asking::For(brought) if !question.rules.recipes.are_brought_in_our_words() => {
                brought.wording.clone()
            }
            Asking::About(_) | Asking::For(_) | Asking::Plainly => question.usual_words(),
        };
        let Ok(request) = self.request(question, &words, asking) else {
            return Ok(Fetch::failed(FetchError::Malformed));
        };
        let sent_at = Instant::now();
        let count_call = || self.count_call(&question.attribution);
        let response = match self.client().ask(request, count_call).await {
            Ok(response) => response,
            Err(error) => {
                self.counters().count_failure();
                return Ok(Fetch::unanswered(error));
            }
        };
        let (mut head, incoming) = response.into_parts();
        if !question.names_version() {
            self.usual_version().learn(&head);
        }
        let live = field::live(&head.headers, !question.has_surrogate());
        let refused = refused_by(head.status, &head.headers, b"");
        if !field::fit(&head.headers) {
            self.counters().count_failure();
            return Ok(Fetch { refused, ..Fetch::broken_off(FetchError::HeadTooLong, live) });
        }
        if head.status == StatusCode::NOT_MODIFIED {
            self.usage().note_not_modified(&question.attribution);
            return self.unchanged(asking, &head, &self.circumstances(question, &words, sent_at), live);
        }
        let mut as_it_came = head.clone();
        let idle = self.client().timeouts().body_idle;
        let (body, coding) = OriginBody::decoded(&mut head.headers, incoming, idle);
        Ok(match body.read_whole(question.rules.body_bytes_max).await {
            Ok(Whole::Read(body)) => {
                let mut words = words;
                if coding != BodyCoding::Left && self.test_recipe(question, &words, &as_it_came, &body) {
                    self.put_in_usual_words(question, asking, &mut words, &mut as_it_came, &body);
                }
                let refused = refused_by(head.status, &head.headers, &body);
                let circumstances = self.circumstances(question, &words, sent_at);
                let answer = Answer { head: &as_it_came, body, coding, circumstances };
                Fetch { refused, ..Fetch::of(answer.judge(), live) }
            }
            Ok(Whole::TooLong(mut body)) => {
                self.counters().count_oversize();
                field::strip_connection(&mut head.headers);
                if question.has_surrogate() {
                    field::strip_credential(&mut head.headers);
                }
                let refused = match refused {
                    Some(StatusCode::FORBIDDEN) => {
                        let text = body.peek(&head.headers).await;
                        refused_by(head.status, &head.headers, &text)
                    }
                    other => other,
                };
                let stream = Some(Response::from_parts(head, body));
                Fetch { stream, refused, ..Fetch::of(Fetched::Oversize, live) }
            }
            Err(error) => {
                self.counters().count_failure();
                Fetch { refused, ..Fetch::broken_off(error, live) }
            }
        })
    }

    pub(crate) fn request(
        &self,
        question: &Question,
        words: &Wording,
        asking: &Asking<'_>,
    ) -> Result<Request<()>, http::Error> {
        let uri = self.origin().uri(&question.path, question.query.as_deref())?;
        let mut request = Request::get(uri).body(())?;
        let headers = request.headers_mut();
        words.write(headers);
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::USER_AGENT, self.user_agent().clone());
        for (name, _) in &question.forwarded {
            headers.remove(name);
        }
        for (name, value) in &question.forwarded {
            headers.append(name, value.clone());
        }
        if let Some(via) = &question.via {
            headers.insert(header::VIA, via.clone());
        }
        if let Some(version) = &question.version {
            headers.insert(NAMED, version.clone());
        }
        match asking {
            Asking::About(conditions) => conditions.write(headers)?,
            Asking::For(brought) => brought.write(headers),
            Asking::Plainly => {}
        }
        Ok(request)
    }

    fn unchanged(
        &self,
        asking: &Asking<'_>,
        head: &response::Parts,
        circumstances: &Circumstances<'_>,
        live: HeaderMap,
    ) -> Result<Fetch, Doubt> {
        let condition = match asking {
            Asking::About(conditions) => conditions.held_by(head)?,
            Asking::For(_) => {
                self.counters().count_not_modified();
                return Ok(Fetch::of(answer::for_its_client(head, circumstances), live));
            }
            Asking::Plainly => {
                self.counters().count_failure();
                return Ok(Fetch::of(Fetched::Failed(FetchError::Malformed), live));
            }
        };
        let sent = condition.tag().map(Into::into);
        let renew = match condition.whose {
            Whose::Own => answer::renew,
            Whose::Shared => answer::renew_shared,
            Whose::Borrowed => answer::prove,
        };
        let renewed = renew(&condition.entry, head, sent, circumstances).ok_or(Doubt::OfTheAnswer)?;
        self.counters().count_not_modified();
        Ok(Fetch::of(renewed, live))
    }

    /// Tests the recipe by an answer got in `words`, and says whether it holds for it.
    fn test_recipe(&self, question: &Question, words: &Wording, head: &response::Parts, body: &[u8]) -> bool {
        let given = head.headers.get(header::ETAG).and_then(|value| value.to_str().ok());
        let (StatusCode::OK, Some(given)) = (head.status, given) else { return false };
        let agrees = words.tag(body) == form::strong(given);
        question.rules.recipes.observe(question.recipe_class(), agrees, Instant::now());
        agrees
    }

    /// Gives an answer that was got in a client's `words` the tag that it has in ours, under which it is kept. Learns
    /// on the way in whose words clients know their tags.
    fn put_in_usual_words(
        &self,
        question: &Question,
        asking: &Asking<'_>,
        words: &mut Wording,
        head: &mut response::Parts,
        body: &[u8],
    ) {
        let (Asking::For(brought), usual) = (asking, question.usual_words()) else { return };
        if brought.wording == usual {
            return;
        }
        if *words == usual {
            if brought.knows(body, &brought.wording) {
                question.rules.recipes.note_brought(false);
            }
            return;
        }
        if brought.knows(body, &usual) {
            question.rules.recipes.note_brought(true);
        }
        if let Ok(tag) = HeaderValue::from_str(&usual.tag(body)) {
            head.headers.insert(header::ETAG, tag);
            *words = usual;
        }
    }

    pub(crate) fn circumstances<'a>(
        &'a self,
        question: &'a Question,
        words: &Wording,
        sent_at: Instant,
    ) -> Circumstances<'a> {
        Circumstances {
            origin: self.origin(),
            path: &question.path,
            rule: question.rules.routes.by_index(question.route),
            named: question.readers.are_named(),
            each_proves: question.readers.prove_each(),
            shows_credential: !question.readers.are_named() && !question.has_surrogate(),
            respect_max_age: question.rules.respect_max_age,
            one_agent: !question.rules.forwarded.holds_name("user-agent"),
            tag_scope: words.scope(),
            now: SystemTime::now(),
            taken: sent_at.elapsed(),
        }
    }
}

impl Question {
    /// Whether it is put with the name of a version of the API.
    pub(crate) fn names_version(&self) -> bool {
        self.version.is_some()
    }

    /// The words in which it is put unless a client brings others.
    pub(crate) fn usual_words(&self) -> Wording {
        let authorization = self.credential.as_ref().map(Credential::authorization);
        Wording { accept: Some(self.accept.clone()), authorization }
    }

    /// Whether it is put with a credential that the client does not have.
    fn has_surrogate(&self) -> bool {
        self.rules.surrogate.as_ref().is_some_and(|surrogate| surrogate.stands_behind(self.readers))
    }

    /// Routes and unusual representations are tested apart.
    pub(crate) fn recipe_class(&self) -> usize {
        self.route.0 * 2 + usize::from(self.accept != USUAL_ACCEPT)
    }
}

/// With whose validators the origin is asked.
pub(crate) enum Asking<'a> {
    /// With those of what is kept.
    About(Conditions),
    /// With those of the client, for lack of an entry.
    For(&'a Brought),
    Plainly,
}

/// Whether what is filed under `resource` is about the credential that asks.
fn is_own(resource: &str) -> bool {
    let target = resource.find('/').map_or("", |at| &resource[at..]);
    concerns_the_credential(target.split(' ').next().unwrap_or_default())
}

/// Whether `entry` is within its lifetime by this host's wall clock, which is near enough to learn by.
fn is_fresh(entry: &Entry) -> bool {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_millis() < u128::from(entry.fresh_until().as_unix_millis())
}
