//! A running node, as programs hold it.
//!
//! Owns the way of a request: the read index first, then the driver, then, for what is not cached, straight
//! to the origin. What is decided about entries is the engine's; how the origin is called is the adapter's.

use crate::{
    NodeBuilder, Provenance, Reply, RequestError, Stats, Values,
    command::{BrokenOff, Command, Completion, FetchFn, FetchReply, Passed, Private},
    secrets::{Lock, Secrets},
    withheld::Withheld,
};
use bytes::Bytes;
use cache_core::{
    Bucket, Entry, Failure, FetchError, Key, Outcome, PeerId, Reach, Reader, RequestId, Scope, Served,
    Source, freshness,
};
use cache_crypto::{FleetSecret, SecretKind};
use cache_origin_github::{
    Admissions, Asked, Delivery, GitHub, OriginBody, OriginUrl, PassReason, Plan, Planned, Question, Rules,
    Standing,
};
use cache_store::{CoarseClock, ReadIndex, WriteBehind};
use http::{HeaderMap, HeaderValue, Request, header, request::Parts};
use http_body_util::Empty;
use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot, watch},
};

/// A cache node: answers from memory, then from disk, then from its peers, and only then from the origin.
///
/// Clones are handles to the same node. When the last is dropped the node writes what it holds to disk and
/// ends by itself; [`shutdown`](Self::shutdown) does the same and says when it is done.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) github: GitHub,
    pub(crate) access: Access,
    /// Where the driver runs, and with it every call to the origin.
    pub(crate) runtime: Handle,
    pub(crate) index: Arc<ReadIndex>,
    pub(crate) clock: Arc<CoarseClock>,
    pub(crate) disk: Option<WriteBehind>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) ended: watch::Receiver<()>,
    /// A permit for each call that may pass the cache by at once.
    pub(crate) passes: Arc<Semaphore>,
    pub(crate) request_next: AtomicU64,
    pub(crate) started: Instant,
    pub(crate) entries_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) sharing: SharingState,
    pub(crate) secrets: Secrets,
}

/// What the origin allows whom, as far as it has told this node.
#[derive(Default)]
pub(crate) struct Access {
    /// Who may have which entries of the domains that several credentials share.
    pub(crate) admissions: Arc<Admissions>,
    /// Whose calls wait.
    pub(crate) withheld: Withheld,
}

/// Whether a node shares, and if not, why.
pub(crate) enum SharingState {
    /// It was given no secret.
    NoSecret,
    /// It was given no transport.
    NoTransport,
    /// It does, as this peer, reachable at these addresses.
    Shared { local: PeerId, addresses: Vec<Box<str>>, secret: parking_lot::Mutex<SecretKind>, lock: Lock },
}

impl Shared {
    /// Counts a look-up that `entry` answered from memory.
    pub(crate) fn count_hit(&self, entry: &Entry) {
        match entry.source() {
            Source::Own => self.index.count_hit(),
            Source::Peer => self.index.count_peer_hit(),
        }
    }
}

impl Node {
    /// Begins to set a node up that shares with whoever holds `secret` and asks `github`.
    ///
    /// Without a secret, or without a [`transport`](NodeBuilder::transport), the node keeps to itself. Without a secret
    /// its directory is sealed with a key of its own.
    pub fn builder(secret: impl Into<Option<FleetSecret>>, github: GitHub) -> NodeBuilder {
        NodeBuilder::new(secret.into(), github)
    }

    pub(crate) fn from_shared(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Reads `path`, such as `/repos/acme/site`, with the node's own credential.
    ///
    /// # Errors
    ///
    /// See [`request`](Self::request); also if `path` is no request target.
    ///
    /// # Cancellation
    ///
    /// See [`request`](Self::request).
    pub async fn get(&self, path: &str) -> Result<Reply, RequestError> {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().map_err(|source| RequestError::bad_target(path, source))?;
        self.request(request).await
    }

    /// Answers any request: reads from the cache where that is allowed, everything else by the origin.
    ///
    /// The credential in `request` alone pays and decides what may be read. What is not cached streams
    /// through, in both directions, whatever its size. What a write makes doubtful is forgotten before this
    /// returns, unless the origin refused it (4xx).
    ///
    /// # Errors
    ///
    /// [`RequestError`] when there is no answer at all. An error that the origin answers is a [`Reply`].
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up waiting. A read that is under way goes on and fills the cache, since
    /// it is paid for; it never keeps others from being answered. So does a write, as far as its body was
    /// given, and what it makes doubtful is forgotten when it ends.
    pub async fn request<B>(&self, request: Request<B>) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.answer(request, Passing::AsAsked).await
    }

    /// As [`request`](Self::request), for a caller that must read what it is answered: what passes the cache by is asked
    /// for without a coding, such as gzip.
    ///
    /// # Errors
    ///
    /// See [`request`](Self::request).
    ///
    /// # Cancellation
    ///
    /// See [`request`](Self::request).
    pub async fn request_uncoded<B>(&self, request: Request<B>) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.answer(request, Passing::Uncoded).await
    }

    async fn answer<B>(&self, request: Request<B>, passing: Passing) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = request.into_parts();
        match self.look_up(&parts) {
            LookUp::Hit(reply) => Ok(*reply),
            LookUp::Miss(key, planned) => self.ask_driver(&parts, key, *planned, passing).await,
            LookUp::Pass(reason) => {
                passing.write(&mut parts.headers);
                self.forward(Request::from_parts(parts, body), Provenance::Passed(reason)).await
            }
        }
    }

    /// Answers from memory alone, without waiting; `None` if that takes more.
    ///
    /// The whole of what a fresh hit costs: one look-up, one mark, one reading of a coarse clock.
    pub fn try_hit(&self, parts: &Parts) -> Option<Reply> {
        match self.look_up(parts) {
            LookUp::Hit(reply) => Some(*reply),
            LookUp::Miss(..) | LookUp::Pass(_) => None,
        }
    }

    /// The classic cache calls, for values that are not GitHub's.
    pub fn values(&self) -> Values<'_> {
        Values::new(self)
    }

    /// Forgets what is kept under `path`, its query included, in every domain, here and at every member; answers how
    /// many entries left this node's memory.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn invalidate(&self, path: &str) -> Result<usize, RequestError> {
        // In a resource's text, a space ends the path and its query.
        let prefix = self.shared.github.resource_prefix(path) + " ";
        self.forget(Reach::forget([Scope::Prefix { prefix: prefix.into(), domain: None }])).await
    }

    /// Forgets everything whose path begins with `path`, here and at every member; answers how many entries left this
    /// node's memory. What GitHub files by number, such as the pages of a list behind the first, is asked about before
    /// it is served again.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn invalidate_prefix(&self, path: &str) -> Result<usize, RequestError> {
        let github = &self.shared.github;
        self.forget(github.reach_of_prefix(github.resource_prefix(path))).await
    }

    /// Forgets everything in this node's memory and on its disk; answers how many entries left memory. Other members
    /// keep what they have.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn clear(&self) -> Result<usize, RequestError> {
        let completion = self.order(|done| Command::Clear { done }).await?;
        Ok(removed(&completion.outcome))
    }

    /// Waits until everything kept so far survives a crash.
    ///
    /// # Errors
    ///
    /// [`RequestError::NotDurable`] if the disk does not take it; [`RequestError::Closed`] after a shutdown.
    pub async fn flush(&self) -> Result<(), RequestError> {
        self.order(|done| Command::Flush { done }).await?.map_err(RequestError::NotDurable)
    }

    /// What the node counted and holds.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn stats(&self) -> Result<Stats, RequestError> {
        let engine = self.order(|done| Command::Stats { done }).await?;
        Ok(Stats::gather(&self.shared, &engine, self.addresses()))
    }

    /// Stops fetching, writes what is held to disk and ends the node, for all handles.
    ///
    /// Requests in progress end with [`RequestError::Closed`]. Returns at once if it has ended before.
    pub async fn shutdown(&self) {
        let (done, ended) = oneshot::channel();
        if self.shared.commands.send(Command::Shutdown { done }).await.is_ok() {
            // An error means that another handle's shutdown came first and has ended.
            let _ended = ended.await;
        }
        self.ended().await;
        // Where the runtime ended first, and the driver with it, the directory is still held.
        if let Some(disk) = &self.shared.disk {
            let (disk, (done, closed)) = (disk.clone(), oneshot::channel());
            // On a thread, since it may wait for the disk, and no runtime may be left to do so on.
            let waiting = std::thread::Builder::new().name("fleet-cache-close".into()).spawn(move || {
                disk.close();
                drop(done);
            });
            if waiting.is_ok() {
                let _always_dropped: Result<(), _> = closed.await;
            }
        }
    }

    /// Judges requests that come from now on by `rules`, in one step; see [`GitHub::adopt`].
    pub fn adopt(&self, rules: Rules) {
        self.shared.github.adopt(rules, self.shared.clock.now());
    }

    /// How this node calls the origin.
    pub fn github(&self) -> &GitHub {
        &self.shared.github
    }

    /// Completes when the node has ended. Keeps no handle alive.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + use<> {
        let mut ended = self.shared.ended.clone();
        // The driver sends nothing; it drops its end when it has done its last work.
        async move { while ended.changed().await.is_ok() {} }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    fn look_up(&self, parts: &Parts) -> LookUp {
        with_key_text(|key_text| match self.shared.github.plan(parts, key_text) {
            Plan::Pass(reason) => LookUp::Pass(reason),
            Plan::Cached(planned) => {
                let now = self.shared.clock.now();
                let entry = self.shared.index.get(key_text);
                let fresh = entry.filter(|entry| {
                    freshness::usable(entry, &planned.directives, now) == freshness::Usable::Fresh
                        && self.shared.github.suits(&entry.content().headers, parts, &planned)
                        && self.shared.access.admissions.permit(planned.reader, entry, now)
                });
                if let Some(entry) = fresh {
                    self.shared.count_hit(&entry);
                    return LookUp::Hit(Box::new(Reply::of_entry(
                        entry,
                        Served::Hit,
                        (now, &planned.directives.grant),
                        planned.form,
                    )));
                }
                match Key::from_text(key_text) {
                    Some(key) => LookUp::Miss(key, Box::new(planned.kept())),
                    None => LookUp::Pass(PassReason::TooLong),
                }
            }
        })
    }

    async fn ask_driver(
        &self,
        parts: &Parts,
        key: Key,
        planned: Planned,
        passing: Passing,
    ) -> Result<Reply, RequestError> {
        let question = self.shared.github.question(parts, &planned);
        let Standing { reader, accepts_stale } = self.shared.access.admissions.standing(planned.reader, &key);
        let max_stale = if accepts_stale { planned.directives.max_stale } else { Duration::ZERO };
        let directives = freshness::Directives { max_stale, ..planned.directives };
        let fetch = self.asking(question, (reader, key.clone()));
        let completion = self.wait_for(key, directives, (planned.bucket, reader), fetch).await?;
        let now = self.shared.clock.now();
        let private = completion.private.unwrap_or_default();
        let headers = match &completion.outcome {
            Outcome::Answered { entry, .. } => Some(&entry.content().headers),
            Outcome::Relayed { content, .. } if content.status < 400 => Some(&content.headers),
            _refused_or_none => None,
        };
        if headers.is_some_and(|headers| !self.shared.github.suits(headers, parts, &planned)) {
            if planned.directives.only_if_cached {
                return Err(RequestError::NotCached);
            }
            let mut parts = parts.clone();
            passing.write(&mut parts.headers);
            let request = Request::from_parts(parts, Empty::<Bytes>::new());
            return self.forward(request, Provenance::Passed(PassReason::SpecialField)).await;
        }
        match completion.outcome {
            Outcome::Answered { entry, served } => {
                Ok(Reply::of_entry(entry, served, (now, &directives.grant), planned.form)
                    .with_live(private.live))
            }
            Outcome::Relayed { content, forward } => {
                Ok(Reply::of_content(content, forward, planned.form).with_live(private.live))
            }
            Outcome::Pass => match private.stream {
                // The fetch was a GET, whatever the request.
                Some(response) if planned.form.head => {
                    Ok(self.reply_of_stream(response, Provenance::Oversize).without_body())
                }
                Some(response) => Ok(self.reply_of_stream(response, Provenance::Oversize)),
                None => {
                    // As the one who asked first was answered: uncoded, so that whoever hands it on can read it.
                    let mut parts = parts.clone();
                    Passing::Uncoded.write(&mut parts.headers);
                    let request = Request::from_parts(parts, Empty::<Bytes>::new());
                    self.forward(request, Provenance::Oversize).await
                }
            },
            Outcome::Absent => Err(RequestError::NotCached),
            Outcome::Failed(Failure::Throttled { until, shortage }) => {
                let payer = reader.payer(planned.domain);
                let pause = (until, shortage);
                Err(self.shared.access.withheld.error(&self.shared.github, (payer, planned.bucket), pause))
            }
            Outcome::Failed(failure) => Err(RequestError::from(failure)),
            Outcome::Ponged { .. } | Outcome::Removed { .. } | Outcome::Stored { .. } => {
                unreachable!("answers to other questions")
            }
        }
    }

    /// How `reader` asks the origin for what is kept under a key.
    fn asking(&self, question: Question, (reader, asked): (Reader, Key)) -> FetchFn {
        let github = self.shared.github.clone();
        let (admissions, clock) =
            (Arc::clone(&self.shared.access.admissions), Arc::clone(&self.shared.clock));
        Box::new(move |revalidate| {
            Box::pin(async move {
                let fetch = github.fetch(&question, revalidate.clone()).await;
                let whose = (reader, &asked);
                let refused = admissions.note(whose, &fetch, revalidate.as_deref(), clock.now());
                FetchReply {
                    fetched: fetch.fetched,
                    refused,
                    private: Private { live: fetch.live, stream: fetch.stream },
                }
            })
        })
    }

    /// Hands a lookup to the driver and waits for its end.
    pub(crate) async fn wait_for(
        &self,
        key: Key,
        directives: freshness::Directives,
        (bucket, reader): (Bucket, Reader),
        fetch: FetchFn,
    ) -> Result<Completion, RequestError> {
        let request = RequestId(self.shared.request_next.fetch_add(1, Ordering::Relaxed));
        let cancel = CancelOnDrop { commands: &self.shared.commands, request: Some(request) };
        let completion =
            self.order(|done| Command::Get { request, key, directives, bucket, reader, fetch, done }).await;
        cancel.defuse();
        completion
    }

    async fn forward<B>(&self, request: Request<B>, provenance: Provenance) -> Result<Reply, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let github = self.shared.github.clone();
        let (touched, asked) = (github.touched_by_request(&request), github.asked(&request));
        let admissions = Arc::clone(&self.shared.access.admissions);
        let is_read = request.method().is_safe();
        let (request, delivery) = Delivery::of(request);
        let broken_off = broken_off(&github, &touched, &delivery);
        let (mut done, answer) = oneshot::channel();
        let permit = Arc::clone(&self.shared.passes).acquire_owned().await;
        let permit = permit.map_err(|_closed| RequestError::Closed)?;
        let call = Box::pin(async move {
            let _until_the_head_is_there = permit;
            let forwarded = async {
                let mut answer = github.forward(request).await;
                let refused = Asked::refused(asked, &mut answer).await;
                (answer, refused)
            };
            let (answer, refused) = if is_read {
                tokio::select! {
                    ended = forwarded => ended,
                    () = done.closed() => (Err(FetchError::FetcherGone), None),
                }
            } else {
                forwarded.await
            };
            let refused = refused.and_then(|(asked, status)| admissions.note_passed(&asked, status));
            let reach = github.left_by(touched, answer.as_ref().map(http::Response::status), &delivery);
            Passed { answer, refused, reach, done }
        });
        let order = Command::Pass { call, broken_off };
        self.shared.commands.send(order).await.map_err(|_closed| RequestError::Closed)?;
        let answer = answer.await.map_err(|_closed| RequestError::Closed)?;
        let response = answer.map_err(|error| RequestError::from(Failure::Fetch(error)))?;
        Ok(self.reply_of_stream(response, provenance))
    }

    /// Carries `request` to another of GitHub's hosts, at the address `to` and by the name of `host`, past the cache; see
    /// [`GitHub::relay`].
    ///
    /// What a write there changes of the API, as an upload to a release does, is forgotten before it is answered.
    ///
    /// # Errors
    ///
    /// [`RequestError::Fetch`] when there was no head of an answer, [`RequestError::Closed`] after a shutdown.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends a read. A write that changes something of the API goes on.
    pub async fn relay<B>(
        &self,
        request: Request<B>,
        host: &HeaderValue,
        to: &OriginUrl,
    ) -> Result<http::Response<OriginBody>, RequestError>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let touched = self.shared.github.touched_through(host, request.method(), request.uri());
        if touched.is_empty() {
            return self.shared.github.relay(request, host, to).await.map_err(RequestError::Fetch);
        }
        let (github, host, to) = (self.shared.github.clone(), host.clone(), to.clone());
        let (asked, admissions) = (github.asked(&request), Arc::clone(&self.shared.access.admissions));
        let (request, delivery) = Delivery::of(request);
        let broken_off = broken_off(&github, &touched, &delivery);
        let (done, answer) = oneshot::channel();
        let call = Box::pin(async move {
            let mut answer = github.relay(request, &host, &to).await;
            let refused = Asked::refused(asked, &mut answer).await;
            let refused = refused.and_then(|(asked, status)| admissions.note_passed(&asked, status));
            let reach = github.left_by(touched, answer.as_ref().map(http::Response::status), &delivery);
            Passed { answer, refused, reach, done }
        });
        let order = Command::Pass { call, broken_off };
        self.shared.commands.send(order).await.map_err(|_closed| RequestError::Closed)?;
        answer.await.map_err(|_closed| RequestError::Closed)?.map_err(RequestError::Fetch)
    }

    fn reply_of_stream(&self, response: http::Response<OriginBody>, provenance: Provenance) -> Reply {
        Reply::of_stream(response, self.shared.runtime.clone(), provenance)
    }

    async fn forget(&self, reach: Reach) -> Result<usize, RequestError> {
        let completion = self.order(|done| Command::Invalidate { reach, done }).await?;
        Ok(removed(&completion.outcome))
    }

    /// Sends an order to the driver and waits for its answer.
    pub(crate) async fn order<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, RequestError> {
        let (done, answer) = oneshot::channel();
        self.shared.commands.send(command(done)).await.map_err(|_closed| RequestError::Closed)?;
        answer.await.map_err(|_closed| RequestError::Closed)
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("entries", &self.shared.index.len()).finish_non_exhaustive()
    }
}

/// How what passes the cache by is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Passing {
    AsAsked,
    /// In no coding, so that whoever hands it on can read it.
    Uncoded,
}

impl Passing {
    fn write(self, headers: &mut HeaderMap) {
        match self {
            Self::AsAsked => {}
            Self::Uncoded => {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
        }
    }
}

/// What the read index says to a request.
enum LookUp {
    Hit(Box<Reply>),
    Miss(Key, Box<Planned>),
    Pass(PassReason),
}

/// Tells the driver that a request's future was dropped before its end.
struct CancelOnDrop<'a> {
    commands: &'a mpsc::Sender<Command>,
    request: Option<RequestId>,
}

impl CancelOnDrop<'_> {
    fn defuse(mut self) {
        self.request = None;
    }
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request {
            // With a full queue the request stays until its deadline, and its answer goes nowhere.
            let _full_or_closed = self.commands.try_send(Command::Cancel { request });
        }
    }
}

/// What a call that `touched` this is to leave if it is broken off: the same as one that took too long.
fn broken_off(github: &GitHub, touched: &Reach, delivery: &Delivery) -> BrokenOff {
    let (github, touched, delivery) = (github.clone(), touched.clone(), delivery.clone());
    Box::new(move || github.left_by(touched, Err(&FetchError::TimedOut), &delivery))
}

pub(crate) fn removed(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Removed { entries } => *entries,
        _ => 0,
    }
}

/// Lends `spell` a buffer of this thread's to spell a key in, so that a hit allocates nothing for it.
///
/// `spell` must not lend it again.
pub(crate) fn with_key_text<T>(spell: impl FnOnce(&mut String) -> T) -> T {
    KEY_TEXT.with_borrow_mut(spell)
}

thread_local! {
    static KEY_TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}
