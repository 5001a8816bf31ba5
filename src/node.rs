//! A running node, as programs hold it.
//!
//! The engine decides about entries, and the adapter about how to call the origin.

use crate::{
    Call, Closed, FlushError, NodeBuilder, Reply, RequestError, Stats, Values, command::Command,
    shared::Shared,
};
use bytes::Bytes;
use cache_core::{Reach, Scope};
use cache_crypto::FleetSecret;
use cache_origin_github::{GitHub, Rules};
use http::Request;
use http_body_util::Empty;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A cache node: answers from memory, then from disk, then from its peers, and only then from the origin.
///
/// Clones are handles to the same node. When the last is dropped the node writes what it holds to disk and
/// ends by itself; [`shutdown`](Self::shutdown) does the same and says when it is done.
///
/// ```
/// # use fleet_cache::{GitHub, Node};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// let handle = node.clone();
/// handle.values().put("key", "value", std::time::Duration::from_secs(60)).await?;
/// assert!(node.values().try_get("key").is_some(), "a clone is the same node");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

impl Node {
    /// Begins to set up a node that asks `github` and shares with nodes that hold `secret`.
    ///
    /// Without a secret, or without a [`transport`](NodeBuilder::transport), the node keeps to itself. Without a secret
    /// its directory is sealed with a key of its own.
    ///
    /// ```no_run
    /// use fleet_cache::{FleetSecret, GitHub, Node, Quic};
    ///
    /// # #[cfg(feature = "quic")]
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let secret = FleetSecret::parse("fleetcache1_...")?;
    /// let node = Node::builder(secret, GitHub::with_token("ghp_...")?)
    ///     .transport(Quic::listen("0.0.0.0:9100"))
    ///     .cache_dir("/var/cache/my-bot")
    ///     .start()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn builder(secret: impl Into<Option<FleetSecret>>, github: GitHub) -> NodeBuilder {
        NodeBuilder::new(secret.into(), github)
    }

    pub(crate) fn from_shared(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Reads `path`, such as `/repos/acme/site`, with the node's own credential.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let reply = node.get("/repos/rust-lang/rust/issues?per_page=100").await?.error_for_status()?;
    /// let issues: Vec<serde_json::Value> = reply.json().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`request`](Self::request); also if `path` is not a request target.
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
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// use http::Request;
    /// use http_body_util::Full;
    ///
    /// let comment = Request::post("/repos/acme/site/issues/1/comments")
    ///     .header("authorization", "token ghp_...")
    ///     .body(Full::<bytes::Bytes>::from(r#"{"body":"seen"}"#))?;
    /// let reply = node.request(comment).await?;
    /// assert_eq!(reply.status(), 201);
    /// # Ok(()) }
    /// ```
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
        let (parts, body) = request.into_parts();
        match self.call(&parts) {
            Call::Body(unread) => unread.reply(Request::from_parts(parts, body)).await,
            Call::Hit(reply) => Ok(reply),
            Call::Miss(miss) => miss.reply().await,
            Call::Pass(pass) => pass.reply(Request::from_parts(parts, body)).await,
        }
    }

    /// The classic cache calls, for values that are not GitHub's.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// let values = node.values();
    /// values.put("greeting", "hello", Duration::from_secs(60)).await?;
    /// assert_eq!(values.try_get("greeting").as_deref(), Some(&b"hello"[..]));
    /// # Ok(()) }
    /// ```
    pub fn values(&self) -> Values {
        Values::new(self.clone())
    }

    /// Forgets what is kept under `path`, its query included, in every domain, here and at every member. Returns how
    /// many entries left this node's memory.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// node.get("/repos/acme/site").await?;
    /// assert_eq!(node.invalidate("/repos/acme/site").await?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    pub async fn invalidate(&self, path: &str) -> Result<usize, Closed> {
        // In a resource's text, a space ends the path and its query.
        let prefix = self.shared.github.resource_prefix(path) + " ";
        self.forget(Reach::forget([Scope::Prefix { prefix: prefix.into(), domain: None }])).await
    }

    /// Forgets everything whose path begins with `path`, here and at every member. Returns how many entries left this
    /// node's memory. The origin is asked about what GitHub files by number, such as the pages of a list behind the
    /// first, before it is served again.
    ///
    /// ```no_run
    /// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
    /// let forgotten = node.invalidate_prefix("/repos/acme/").await?;
    /// println!("{forgotten} answers about acme are asked for anew");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    pub async fn invalidate_prefix(&self, path: &str) -> Result<usize, Closed> {
        let github = &self.shared.github;
        self.forget(github.reach_of_prefix(github.resource_prefix(path))).await
    }

    /// Forgets everything in this node's memory and on its disk. Returns how many entries left memory. Other members
    /// keep what they have.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// node.values().put("key", "value", Duration::from_secs(60)).await?;
    /// assert_eq!(node.clear().await?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    pub async fn clear(&self) -> Result<usize, Closed> {
        self.shared.order(|done| Command::Clear { done }).await
    }

    /// Waits until everything kept so far survives a crash.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// node.values().put("checkpoint", "17", Duration::from_secs(3600)).await?;
    /// node.flush().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`FlushError::NotDurable`] if the disk does not take it; [`FlushError::Closed`] after a shutdown.
    pub async fn flush(&self) -> Result<(), FlushError> {
        self.shared.order(|done| Command::Flush { done }).await?.map_err(FlushError::NotDurable)
    }

    /// What the node counted and holds.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// let stats = node.stats().await?;
    /// println!("{} calls made, {} saved", stats.api_calls_made, stats.api_calls_saved);
    /// # assert_eq!(stats.misses, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    pub async fn stats(&self) -> Result<Stats, Closed> {
        let engine = self.shared.order(|done| Command::Stats { done }).await?;
        Ok(Stats::gather(&self.shared, &engine, self.addresses()))
    }

    /// Stops fetching, writes what is held to disk and ends the node, for all handles.
    ///
    /// Requests in progress end with [`RequestError::Closed`]. Returns at once if it has ended before.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// node.shutdown().await;
    /// assert_eq!(node.stats().await.unwrap_err(), fleet_cache::Closed);
    /// # Ok(()) }
    /// ```
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

    /// Bounds the writes for each credential by `pace` from now on, those that wait as well. All nodes of a fleet should have
    /// the same.
    ///
    /// ```no_run
    /// # use fleet_cache::{Node, WritePace};
    /// # async fn example(node: Node) -> Result<(), fleet_cache::Closed> {
    /// node.pace_writes(WritePace::FREE).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    pub async fn pace_writes(&self, pace: crate::WritePace) -> Result<(), Closed> {
        self.shared.commands.send(Command::PaceWrites { pace }).await.map_err(|_closed| Closed)
    }

    /// Judges requests that come from now on by `rules`, in one step; see [`GitHub::adopt`].
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// let rules = GitHub::builder().route("/repos/*/*/issues** = 5s").default_lifetime(std::time::Duration::from_secs(60));
    /// node.adopt(rules.rules()?);
    /// # Ok(()) }
    /// ```
    pub fn adopt(&self, rules: Rules) {
        self.shared.github.adopt(rules, self.shared.clock.now());
    }

    /// How this node calls the origin.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// assert_eq!(node.github().origin().host(), "api.github.com");
    /// # Ok(()) }
    /// ```
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

    async fn forget(&self, reach: Reach) -> Result<usize, Closed> {
        self.shared.order(|done| Command::Invalidate { reach, done }).await
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("entries", &self.shared.index.len()).finish_non_exhaustive()
    }
}
