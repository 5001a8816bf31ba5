//! The way of a request: judged once, then answered from memory, by the driver, or by the origin alone.

use crate::{
    Node, Provenance, Reply, RequestError,
    command::{FetchFn, FetchReply, Private},
    gate::Looked,
    key_text::with_key_text,
    shared::Shared,
    unread::Unread,
};
use bytes::Bytes;
use cache_core::{
    Candidate, Content, Entry, Failure, Headers, Key, Outcome, Served, Timestamp,
    freshness::{Directives, Usable, age, usable},
};
use cache_origin_github::{
    OriginBody, PassReason, Plan, Planned, Question, Standing, Surrogacy, VERSION_SELECTED,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{Empty, Full};
use std::{fmt, sync::Arc, time::Duration};
use tracing::{trace, warn};

/// How [`Node::call`] judges a request.
///
/// There are these four on purpose, and a new one must not come unseen: code that takes a call apart has to answer
/// each kind.
///
/// ```
/// # use {fleet_cache::{Call, GitHub, Node, PassReason}, http::Request};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// let judge = |request: Request<()>| node.call(&request.into_parts().0);
///
/// assert!(matches!(judge(Request::get("/repos/rust-lang/rust").body(())?), Call::Miss(_)));
/// let Call::Pass(pass) = judge(Request::post("/user/repos").body(())?) else { unreachable!() };
/// assert_eq!(pass.reason(), PassReason::Method);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "each kind is answered in its own way")]
#[expect(clippy::large_enum_variant, reason = "the large one is the common one, and is taken apart at once")]
pub enum Call {
    /// What its body asks decides: a GraphQL request.
    Body(Unread),
    /// The answer is in memory, and fresh.
    Hit(Reply),
    /// The cache may answer it, but not at once.
    Miss(Miss),
    /// Only the origin may answer it.
    Pass(Pass),
}

/// A read that takes more than memory: the disk, a peer, or the origin. Holds all that it needs of its request.
///
/// ```no_run
/// # use fleet_cache::{Call, Node};
/// # async fn example(node: Node, head: http::request::Parts) -> Result<(), Box<dyn std::error::Error>> {
/// if let Call::Miss(miss) = node.call(&head) {
///     println!("{}", miss.reply().await?.status());
/// }
/// # Ok(()) }
/// ```
#[must_use = "a miss is answered by `reply`"]
pub struct Miss(Box<Missed>);

struct Missed {
    node: Node,
    /// The request as it was judged, in case only an answer of its own suits it.
    request: Parts,
    key: Key,
    planned: Planned,
    question: Question,
    is_coded: bool,
    /// Whether it was answered before, with something older than the client allows.
    is_again: bool,
}

/// A request that passes the cache by.
///
/// ```no_run
/// # use fleet_cache::{Call, Node};
/// # async fn example(node: Node, head: http::request::Parts) -> Result<(), Box<dyn std::error::Error>> {
/// if let Call::Pass(pass) = node.call(&head) {
///     println!("not cached: {}", pass.reason());
/// }
/// # Ok(()) }
/// ```
#[must_use = "a request that passes is answered by `reply`"]
pub struct Pass {
    node: Node,
    reason: PassReason,
    is_coded: bool,
}

impl Node {
    /// Judges a request by its head: what the cache can do for it, and what it takes to answer it.
    ///
    /// Never waits. A hit costs one look-up, one mark and one reading of a coarse clock; nothing is looked up twice on
    /// the way to a later answer.
    ///
    /// ```no_run
    /// # use {bytes::Bytes, fleet_cache::{Call, Node, Reply}, http::Request, http_body_util::Full};
    /// # async fn example(node: Node, request: Request<Full<Bytes>>) -> Result<Reply, fleet_cache::RequestError> {
    /// let (head, body) = request.into_parts();
    /// match node.call(&head) {
    ///     Call::Body(unread) => unread.reply(Request::from_parts(head, body)).await,
    ///     Call::Hit(reply) => Ok(reply),
    ///     Call::Miss(miss) => miss.reply().await,
    ///     Call::Pass(pass) => pass.reply(Request::from_parts(head, body)).await,
    /// }
    /// # }
    /// ```
    pub fn call(&self, request: &Parts) -> Call {
        match self.shared().look_up(request) {
            LookUp::Body => Call::Body(Unread::new(self.clone())),
            LookUp::Hit(reply) => Call::Hit(reply),
            LookUp::Miss(key, planned) => Call::Miss(Miss::new(self.clone(), request.clone(), key, planned)),
            LookUp::Pass(reason) => Call::Pass(Pass { node: self.clone(), reason, is_coded: true }),
        }
    }

    /// Answers a read that brings no credential, without that of the operator.
    async fn ask_plainly(&self, request: Parts, is_coded: bool) -> Result<Reply, RequestError> {
        match self.shared().look_up_with(&request, Surrogacy::Forbidden) {
            LookUp::Hit(reply) => Ok(reply),
            LookUp::Miss(key, planned) => {
                let missed = Missed::new(self.clone(), request, key, planned);
                Missed { is_coded, ..missed }.reply_once().await
            }
            LookUp::Body => self.forward(bare(request, is_coded), Provenance::Passed(PassReason::Body)).await,
            LookUp::Pass(reason) => self.forward(bare(request, is_coded), Provenance::Passed(reason)).await,
        }
    }

    /// Answers from memory alone, without waiting; `None` if that is not enough.
    ///
    /// ```no_run
    /// # use {fleet_cache::Node, http::Request};
    /// # async fn example(node: Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let (head, ()) = Request::get("/repos/rust-lang/rust").body(())?.into_parts();
    /// assert!(node.try_hit(&head).is_none());
    /// node.get("/repos/rust-lang/rust").await?;
    /// assert!(node.try_hit(&head).is_some());
    /// # Ok(()) }
    /// ```
    pub fn try_hit(&self, request: &Parts) -> Option<Reply> {
        match self.shared().look_up(request) {
            LookUp::Hit(reply) => Some(reply),
            LookUp::Body | LookUp::Miss(..) | LookUp::Pass(_) => None,
        }
    }
}

impl Miss {
    pub(crate) fn new(node: Node, request: Parts, key: Key, planned: Planned) -> Self {
        Self(Box::new(Missed::new(node, request, key, planned)))
    }

    /// The same, for a caller that has to read the body: if the request has to pass the cache by after all, it asks
    /// for no coding, such as gzip.
    ///
    /// ```no_run
    /// # use fleet_cache::{Call, Node};
    /// # async fn example(node: Node, request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Result<(), fleet_cache::RequestError> {
    /// # let (head, body) = request.into_parts();
    /// if let Call::Miss(miss) = node.call(&head) {
    ///     let reply = miss.uncoded().reply().await?;
    ///     assert!(!reply.headers().contains_key("content-encoding"));
    /// }
    /// # let _unread = body;
    /// # Ok(()) }
    /// ```
    pub fn uncoded(mut self) -> Self {
        self.0.is_coded = false;
        self
    }

    /// Waits for the answer.
    ///
    /// ```no_run
    /// # use fleet_cache::{Call, Node};
    /// # async fn example(node: Node, request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Result<(), fleet_cache::RequestError> {
    /// # let (head, body) = request.into_parts();
    /// if let Call::Miss(miss) = node.call(&head) {
    ///     println!("{:?}", miss.reply().await?.provenance());
    /// }
    /// # let _unread = body;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no answer at all. An error that the origin answers is a [`Reply`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up waiting. A call to the origin that is under way goes on and fills the cache, since
    /// it is paid for; it never keeps others from being answered.
    pub async fn reply(self) -> Result<Reply, RequestError> {
        self.0.reply().await
    }
}

impl Missed {
    fn new(node: Node, request: Parts, key: Key, planned: Planned) -> Self {
        let question = node.shared().github.question(&request, &planned);
        Self { node, request, key, planned, question, is_coded: true, is_again: false }
    }

    /// Waits for the answer. What is refused to the credential that asks for clients that send none is asked for without it.
    async fn reply(self) -> Result<Reply, RequestError> {
        if !self.planned.has_surrogate() {
            return self.reply_once().await.map(Reply::of_client);
        }
        let (node, request, is_coded) = (self.node.clone(), self.request.clone(), self.is_coded);
        let (key, planned) = (self.key.clone(), self.planned.clone());
        let reply = self.reply_once().await?;
        match reply.refused() {
            None => return Ok(reply),
            Some(StatusCode::UNAUTHORIZED) if planned.note_surrogate_unknown(&key) => {
                warn!(
                    "the API no longer knows the credential of anonymous-as; clients without one are asked for anonymously"
                );
            }
            Some(_) => {}
        }
        node.ask_plainly(request, is_coded).await.map(Reply::of_client)
    }

    async fn reply_once(self) -> Result<Reply, RequestError> {
        let (shared, planned) = (self.node.shared(), &self.planned);
        let asked_at = shared.clock.now();
        let payer = self.question.payer();
        let standing = shared.access.admissions.standing((planned.reader, payer), &self.key);
        let Standing { reader, accepts_stale } = standing;
        let max_stale = if accepts_stale { planned.directives.max_stale } else { Duration::ZERO };
        let directives = Directives { max_stale, ..planned.directives };
        let kin_wait = shared.github.kin_wait(&self.question, &self.key);
        let priority = shared.github.priority(self.request.uri.path(), &self.request.headers)?;
        let asker = (self.node.clone(), self.request.clone(), directives);
        let fetch = shared.asking(self.question, self.key.clone(), asker);
        let completion = shared
            .wait_for(self.key, directives, (planned.bucket, priority, reader, kin_wait), fetch)
            .await?;
        let (request, is_coded) = (self.request, self.is_coded);
        let suits = |headers: &Headers| shared.github.suits(headers, &request, planned);
        let private = completion.private.unwrap_or_default();
        if !is_of_version(planned, &request, &completion.outcome, private.stream.as_ref()) {
            return apart(self.node, request, is_coded, planned.surrogacy).await;
        }
        match completion.outcome {
            Outcome::Answered { entry, served } if suits(&entry.content().headers) => {
                shared.github.learn_ids(planned, &entry);
                let grant = (shared.clock.now(), &directives.grant);
                let is_query = planned.is_query();
                if is_query
                    && !self.is_again
                    && is_older_than_allowed(&entry, served, &directives, asked_at, shared.clock.now())
                {
                    let mut planned = self.planned.clone();
                    planned.directives.no_cache = true;
                    let again = Self::new(self.node.clone(), request, entry.key().clone(), planned);
                    return Box::pin(Self { is_coded, is_again: true, ..again }.reply_once()).await;
                }
                let reply = Reply::of_entry(entry, served, grant, self.planned.form);
                Ok(reply.with_live(private.live).of_query(is_query))
            }
            Outcome::Relayed { content, forward } if content.status >= 400 || suits(&content.headers) => {
                Ok(Reply::of_content(content, forward, self.planned.form).with_live(private.live))
            }
            Outcome::Answered { .. } | Outcome::Relayed { .. } if directives.only_if_cached => {
                Err(RequestError::NotCached)
            }
            Outcome::Answered { .. } | Outcome::Relayed { .. } => {
                let provenance = Provenance::Passed(PassReason::SpecialField);
                self.node.forward(again(request, planned, is_coded), provenance).await
            }
            Outcome::Pass => match private.stream {
                // The fetch was a GET, whatever the request.
                Some(response) if planned.form.head => Ok(oversize(shared, response).without_body()),
                Some(response) => Ok(oversize(shared, response)),
                // As the first asker was answered: without a coding, so that a program that hands it on can read it.
                None => self.node.forward(again(request, planned, false), Provenance::Oversize).await,
            },
            Outcome::Absent => Err(RequestError::NotCached),
            Outcome::Failed(Failure::Throttled { until, shortage, seen }) => {
                let purse = (reader.payer(planned.domain), planned.bucket);
                Err(shared.access.withheld.error(purse, (until, shortage, seen)))
            }
            Outcome::Failed(Failure::Reserved { priority, kept, seen }) => {
                Err(shared.access.withheld.reserved((priority, kept), planned.bucket, seen))
            }
            Outcome::Failed(failure) => Err(RequestError::from(failure)),
        }
    }
}

impl Pass {
    /// Why the cache cannot answer it.
    ///
    /// ```no_run
    /// # use fleet_cache::{Call, Node};
    /// # async fn example(node: Node, request: http::Request<http_body_util::Full<bytes::Bytes>>) -> Result<(), fleet_cache::RequestError> {
    /// # let (head, body) = request.into_parts();
    /// if let Call::Pass(pass) = node.call(&head) {
    ///     println!("not cached: {}", pass.reason());
    /// }
    /// # let _unread = body;
    /// # Ok(()) }
    /// ```
    pub fn reason(&self) -> PassReason {
        self.reason
    }

    /// The same, for a caller that has to read the body: it asks for no coding, such as gzip.
    pub fn uncoded(mut self) -> Self {
        self.is_coded = false;
        self
    }

    /// Sends `request`, whose head was judged, to the origin, and streams its answer back.
    ///
    /// What a write makes doubtful is forgotten before this returns, unless the origin refused it (4xx).
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no answer at all. An error that the origin answers is a [`Reply`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends a read. A write goes on, as far as its body was given, and what it makes doubtful is
    /// forgotten when it ends.
    pub async fn reply<B>(self, mut request: Request<B>) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !self.is_coded {
            ask_uncoded(request.headers_mut());
        }
        self.node.forward(request, Provenance::Passed(self.reason)).await
    }
}

impl fmt::Debug for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Miss").finish_non_exhaustive()
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("reason", &self.reason).finish_non_exhaustive()
    }
}

/// What the read index has for a request.
pub(crate) enum LookUp {
    Body,
    Hit(Reply),
    Miss(Key, Planned),
    Pass(PassReason),
}

impl Shared {
    fn look_up(&self, request: &Parts) -> LookUp {
        self.look_up_with(request, Surrogacy::Allowed)
    }

    fn look_up_with(&self, request: &Parts, surrogacy: Surrogacy) -> LookUp {
        with_key_text(|key_text| match self.github.plan_with(request, key_text, surrogacy) {
            Plan::Body => LookUp::Body,
            Plan::Pass(reason) => LookUp::Pass(reason),
            Plan::Cached(planned) => {
                trace!("looked up");
                let entry = self.index.get(key_text);
                match &entry {
                    Some(entry) if !takes_version(&planned, request, entry.content()) => {
                        self.spell_and_look_up_apart(request, key_text, surrogacy)
                    }
                    Some(_) | None => self.judge(request, key_text, planned, entry),
                }
            }
        })
    }

    /// The same for a request whose body was to be read, and is `body`.
    pub(crate) fn look_up_query(&self, request: &Parts, body: &Bytes) -> LookUp {
        with_key_text(|key_text| match self.github.plan_query(request, body, key_text) {
            Plan::Body => LookUp::Body,
            Plan::Pass(reason) => LookUp::Pass(reason),
            Plan::Cached(planned) => self.judge(request, key_text, planned, self.index.get(key_text)),
        })
    }

    /// The same under a key of the version that the request names.
    fn look_up_apart(&self, request: &Parts, surrogacy: Surrogacy) -> LookUp {
        with_key_text(|key_text| self.spell_and_look_up_apart(request, key_text, surrogacy))
    }

    fn spell_and_look_up_apart(
        &self,
        request: &Parts,
        key_text: &mut String,
        surrogacy: Surrogacy,
    ) -> LookUp {
        match self.github.plan_apart(request, key_text, surrogacy) {
            Plan::Body => LookUp::Body,
            Plan::Pass(reason) => LookUp::Pass(reason),
            Plan::Cached(planned) => self.judge(request, key_text, planned, self.index.get(key_text)),
        }
    }

    /// What `entry`, if there is one under the key of `key_text`, means for `request`.
    fn judge(&self, request: &Parts, key_text: &str, planned: Planned, entry: Option<Arc<Entry>>) -> LookUp {
        let now = self.clock.now();
        let fresh = entry.filter(|entry| {
            usable(entry, &planned.directives, now) == Usable::Fresh
                && self.github.suits(&entry.content().headers, request, &planned)
                && self.access.admissions.permit(planned.reader, entry, now)
        });
        if let Some(entry) = fresh {
            self.count_hit(&entry);
            self.github.learn_ids(&planned, &entry);
            let grant = (now, &planned.directives.grant);
            return LookUp::Hit(Reply::of_entry(entry, Served::Hit, grant, planned.form));
        }
        match Key::from_text(key_text) {
            Some(key) => LookUp::Miss(key, planned.kept()),
            None => LookUp::Pass(PassReason::TooLong),
        }
    }

    /// How `question` is put to the origin, whose answer is kept under a key.
    fn asking(
        &self,
        question: Question,
        asked: Key,
        (node, request, directives): (Node, Parts, Directives),
    ) -> FetchFn {
        let github = self.github.clone();
        let (admissions, clock) = (Arc::clone(&self.access.admissions), Arc::clone(&self.clock));
        Box::new(move |candidate| {
            Box::pin(async move {
                let own = candidate.as_ref().and_then(Candidate::own).cloned();
                let looked =
                    Looked::at(&node, (&question, &request, &directives), candidate.as_ref(), clock.now())
                        .await;
                if let Some(renewed) = looked.as_ref().and_then(|looked| looked.renewed(&node, clock.now())) {
                    return FetchReply::of_cache(renewed);
                }
                let since = admissions.now();
                let mut fetch = github.fetch(&question, candidate).await;
                if let Some(looked) = looked {
                    looked.note(&node, &mut fetch.fetched, clock.now());
                }
                let call = (question.payer(), &asked, since);
                let refused = admissions.note(call, &fetch, own.as_deref(), clock.now());
                FetchReply {
                    fetched: fetch.fetched,
                    reached: fetch.reached,
                    refused,
                    allowance: fetch.allowance,
                    private: Private { live: fetch.live, stream: fetch.stream },
                }
            })
        })
    }
}

/// Whether `entry` was renewed for another request, by looking at what is older than `directives` allow to one that came at
/// `asked_at`.
fn is_older_than_allowed(
    entry: &Entry,
    served: Served,
    directives: &Directives,
    asked_at: Timestamp,
    now: Timestamp,
) -> bool {
    let is_of_other =
        matches!(served, Served::Forwarded(forward) if forward.collapsed && forward.status == 304);
    let is_too_old = directives.max_age.is_some_and(|max| age(entry, now) > max);
    is_of_other && (is_too_old || directives.no_cache && entry.born() < asked_at)
}

/// Whether `request` may be given `content` as far as the versions of the API go.
fn takes_version(planned: &Planned, request: &Parts, content: &Content) -> bool {
    planned.takes_version(request, content.status, content.headers.get(VERSION_SELECTED))
}

/// The same of what a look-up ended with, or the answer that it left to be streamed.
fn is_of_version(
    planned: &Planned,
    request: &Parts,
    outcome: &Outcome,
    stream: Option<&Response<OriginBody>>,
) -> bool {
    match outcome {
        Outcome::Answered { entry, .. } => takes_version(planned, request, entry.content()),
        Outcome::Relayed { content, .. } => takes_version(planned, request, content),
        Outcome::Pass => stream.is_none_or(|response| {
            let selected = response.headers().get(VERSION_SELECTED).map(HeaderValue::as_bytes);
            planned.takes_version(request, response.status().as_u16(), selected)
        }),
        Outcome::Absent | Outcome::Failed(_) => true,
    }
}

/// Answers `request` once more, under a key of the version that it names.
async fn apart(
    node: Node,
    request: Parts,
    is_coded: bool,
    surrogacy: Surrogacy,
) -> Result<Reply, RequestError> {
    match node.shared().look_up_apart(&request, surrogacy) {
        LookUp::Hit(reply) => Ok(reply),
        LookUp::Miss(key, planned) => {
            let missed = Missed::new(node, request, key, planned);
            Box::pin(Missed { is_coded, ..missed }.reply()).await
        }
        LookUp::Body => node.forward(bare(request, is_coded), Provenance::Passed(PassReason::Body)).await,
        LookUp::Pass(reason) => node.forward(bare(request, is_coded), Provenance::Passed(reason)).await,
    }
}

fn oversize(shared: &Shared, response: Response<OriginBody>) -> Reply {
    Reply::of_stream(response, shared.runtime.clone(), Provenance::Oversize)
}

/// The read whose head is `request`, with the body that it came with, to be forwarded.
fn again(mut request: Parts, planned: &Planned, is_coded: bool) -> Request<Full<Bytes>> {
    if !is_coded {
        ask_uncoded(&mut request.headers);
    }
    Request::from_parts(request, Full::new(planned.body()))
}

/// The read whose head is `request`, to be forwarded.
fn bare(mut request: Parts, is_coded: bool) -> Request<Empty<Bytes>> {
    if !is_coded {
        ask_uncoded(&mut request.headers);
    }
    Request::from_parts(request, Empty::new())
}

/// Asks for a body without a coding, so that a program that hands it on can read it.
pub(crate) fn ask_uncoded(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}
