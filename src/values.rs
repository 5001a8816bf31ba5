//! The classic cache calls, for values that a program computes itself.

use crate::{
    Closed, GetValueError, InvalidateValueError, KeyTooLong, Node, PutValueError, ValueError,
    command::{Command, FetchFn, FetchReply},
    key_text::with_key_text,
};
use bytes::Bytes;
use cache_core::{
    Audience, BODY_BYTES_MAX, Bucket, Content, Domain, Draft, Entry, Failure, FetchError, Fetched,
    KEY_BYTES_MAX, Key, Outcome, Priority, Reach, Reader, Scope, Validators,
    freshness::{self, Directives, Freshness, Usable},
    key::write_key_text,
};
use parking_lot::Mutex;
use std::{future::Future, sync::Arc, time::Duration};

/// Values under keys of the program's own, in the same cache and under the same budgets as everything else.
///
/// A handle to the node, from [`Node::values`]. Keys are any text; they never meet GitHub's resources.
///
/// ```
/// # use {fleet_cache::{GitHub, Node}, std::{convert::Infallible, time::Duration}};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::builder(None, GitHub::builder().build()?).start().await?;
/// let values = node.values();
/// let fetch = || async { Ok::<_, Infallible>("computed") };
/// let value = values.get_or_fetch("answer", Duration::from_secs(60), fetch).await?;
/// assert_eq!((&*value, values.try_get("answer")), (&b"computed"[..], Some(value.clone())));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Values {
    node: Node,
}

impl Values {
    pub(crate) fn new(node: Node) -> Self {
        Self { node }
    }

    /// The value under `key` if it is fresh, else what `fetch` returns, kept for `ttl`.
    ///
    /// However many callers ask for one key at once, one `fetch` runs. If it fails, that of one other caller runs; if
    /// that fails too, all get an error.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::{io, time::Duration};
    ///
    /// let fetch = || async { Ok::<_, io::Error>(format!("computed by {}", std::process::id())) };
    /// let value = node.values().get_or_fetch("key", Duration::from_secs(60), fetch).await?;
    /// # assert!(value.starts_with(b"computed by"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ValueError::Fetch`] with the error of this caller's own `fetch` if that ran, or [`ValueError::NoResult`] if
    /// it panicked; [`ValueError::Others`] if only others' ran; [`ValueError::TimedOut`] if a fetch took longer than
    /// [`Settings::fetch_timeout`](crate::Settings::fetch_timeout); [`ValueError::KeyTooLong`]; [`ValueError::Busy`]
    /// or [`ValueError::Closed`] if the node is busy or closed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future gives up waiting. A `fetch` that runs goes on and its value is kept.
    pub async fn get_or_fetch<F, T, V, E>(
        &self,
        key: &str,
        ttl: Duration,
        fetch: F,
    ) -> Result<Bytes, ValueError<E>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = Result<V, E>> + Send + 'static,
        V: Into<Bytes>,
        E: Send + 'static,
    {
        if let Some(value) = self.fresh(key) {
            return Ok(value);
        }
        let key = application_key(key)?;
        let own_run = Arc::new(Mutex::new(OwnRun::NotBegun));
        let run = Arc::clone(&own_run);
        let fetch: FetchFn = Box::new(move |_stale| {
            Box::pin(async move {
                *run.lock() = OwnRun::Begun;
                let fetched = match fetch().await {
                    Ok(value) => fetched(value.into(), ttl),
                    Err(error) => {
                        *run.lock() = OwnRun::Failed(error);
                        Fetched::Failed(FetchError::FetcherFailed)
                    }
                };
                FetchReply::of(fetched)
            })
        });
        let completion = self
            .node
            .shared()
            .wait_for(key, Directives::default(), (BUCKET, Priority::Normal, Reader::Admitted, None), fetch)
            .await;
        match completion.map(|completion| completion.outcome) {
            Ok(Outcome::Answered { entry, .. }) => Ok(entry.content().body.clone()),
            Ok(Outcome::Relayed { content, .. }) => Ok(content.body),
            Ok(Outcome::Failed(failure)) => {
                let own_run = std::mem::replace(&mut *own_run.lock(), OwnRun::NotBegun);
                Err(match (own_run, failure) {
                    (OwnRun::Failed(error), _) => ValueError::Fetch(error),
                    (OwnRun::NotBegun, Failure::Fetch(_)) => ValueError::Others,
                    (OwnRun::Begun, Failure::Fetch(FetchError::TimedOut)) => ValueError::TimedOut,
                    (OwnRun::Begun, Failure::Fetch(_)) => ValueError::NoResult,
                    (OwnRun::Begun | OwnRun::NotBegun, Failure::Busy) => ValueError::Busy,
                    // Values draw on no allowance, and ask no single peer.
                    (OwnRun::Begun | OwnRun::NotBegun, _out_of_time) => ValueError::TimedOut,
                })
            }
            Ok(Outcome::Absent | Outcome::Pass) => Err(ValueError::Others),
            Err(closed) => Err(ValueError::Closed(closed)),
        }
    }

    /// Keeps `value` under `key` for `ttl`, in place of any other, and tells the fleet. The value of a fetch that is
    /// under way for it is not kept.
    ///
    /// A fleet of more than 192 members is divided into districts, and those that this node does not belong to are not told:
    /// they serve the value that they have until its own `ttl` is over, unless the key is invalidated first.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// node.values().put("build/17", r#"{"state":"green"}"#, Duration::from_secs(600)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PutValueError::KeyTooLong`] or [`PutValueError::ValueTooLong`], and then another value stays;
    /// [`PutValueError::Closed`] after a shutdown.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>, ttl: Duration) -> Result<(), PutValueError> {
        let (key, value) = (application_key(key)?, value.into());
        if value.len() > BODY_BYTES_MAX {
            return Err(PutValueError::ValueTooLong { value_bytes: value.len() });
        }
        let draft = draft(value, ttl);
        Ok(self.node.shared().order(|done| Command::Put { key, draft, done }).await?)
    }

    /// The value under `key` if it is fresh here or at a peer.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// let values = node.values();
    /// values.put("key", "value", Duration::from_secs(60)).await?;
    /// assert_eq!(values.get("key").await?.as_deref(), Some(&b"value"[..]));
    /// assert_eq!(values.get("another key").await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`GetValueError::KeyTooLong`]; [`GetValueError::Busy`] or [`GetValueError::TimedOut`] if the disk or a peer has to
    /// be asked and cannot be; [`GetValueError::Closed`] after a shutdown.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, GetValueError> {
        if let Some(value) = self.fresh(key) {
            return Ok(Some(value));
        }
        self.cached(application_key(key)?, Directives { only_if_cached: true, ..Directives::default() }).await
    }

    /// The value under `key` if it is fresh and in memory, without waiting for the fleet or a fetch.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// assert_eq!(node.values().try_get("key"), None);
    /// # Ok(()) }
    /// ```
    pub fn try_get(&self, key: &str) -> Option<Bytes> {
        self.fresh(key)
    }

    /// The same as [`try_get`](Self::try_get) for a look that serves no one's request and so counts as no hit.
    ///
    /// ```
    /// # use {fleet_cache::{GitHub, Node}, std::time::Duration};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// node.values().put("key", "value", Duration::from_secs(9)).await?;
    /// assert_eq!(node.values().peek("key").as_deref(), Some(&b"value"[..]));
    /// assert_eq!(node.stats().await?.hits, 0);
    /// # Ok(()) }
    /// ```
    pub fn peek(&self, key: &str) -> Option<Bytes> {
        self.find_fresh(key).map(|entry| entry.content().body.clone())
    }

    /// The value under `key`, however long ago it expired.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// let values = node.values();
    /// values.put("key", "value", Duration::ZERO).await?;
    /// assert_eq!(values.get("key").await?, None);
    /// assert_eq!(values.get_stale("key").await?.as_deref(), Some(&b"value"[..]));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`get`](Self::get).
    pub async fn get_stale(&self, key: &str) -> Result<Option<Bytes>, GetValueError> {
        self.cached(application_key(key)?, Directives::ANYTHING_CACHED).await
    }

    /// Forgets `key`, here and at every member. Returns whether it was in this node's memory.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// let values = node.values();
    /// values.put("key", "value", Duration::from_secs(60)).await?;
    /// assert!(values.invalidate("key").await?);
    /// assert!(!values.invalidate("key").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidateValueError::KeyTooLong`]; [`InvalidateValueError::Closed`] after a shutdown.
    pub async fn invalidate(&self, key: &str) -> Result<bool, InvalidateValueError> {
        let key = application_key(key)?;
        let reach = Reach::forget([Scope::Key(key)]);
        let removed = self.node.shared().order(|done| Command::Invalidate { reach, done }).await?;
        Ok(removed > 0)
    }

    /// Forgets every key that begins with `prefix`, here and at every member. Returns how many were in this node's
    /// memory.
    ///
    /// ```
    /// # use fleet_cache::{GitHub, Node};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = Node::builder(None, GitHub::builder().build()?).start().await?;
    /// use std::time::Duration;
    ///
    /// let values = node.values();
    /// for key in ["build/1", "build/2", "deploy/1"] {
    ///     values.put(key, "green", Duration::from_secs(60)).await?;
    /// }
    /// assert_eq!(values.invalidate_prefix("build/").await?, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Closed`] after a shutdown.
    pub async fn invalidate_prefix(&self, prefix: &str) -> Result<usize, Closed> {
        let prefix = format!("{MARK}{prefix}").into();
        let reach = Reach::forget([Scope::Prefix { prefix, domain: Some(Domain::APPLICATION) }]);
        self.node.shared().order(|done| Command::Invalidate { reach, done }).await
    }

    /// All that a hit costs: no allocation, no channel, no call of the system's clock.
    fn fresh(&self, key: &str) -> Option<Bytes> {
        self.find_fresh(key).map(|entry| {
            self.node.shared().count_hit(&entry);
            entry.content().body.clone()
        })
    }

    fn find_fresh(&self, key: &str) -> Option<Arc<Entry>> {
        let shared = self.node.shared();
        let entry = with_key_text(|text| {
            spell_key(text, key);
            shared.index.get(text)
        })?;
        let usable = freshness::usable(&entry, &Directives::default(), shared.clock.now());
        (usable == Usable::Fresh).then_some(entry)
    }

    async fn cached(&self, key: Key, directives: Directives) -> Result<Option<Bytes>, GetValueError> {
        let never: FetchFn =
            Box::new(|_stale| Box::pin(async { FetchReply::failed(FetchError::FetcherGone) }));
        match self
            .node
            .shared()
            .wait_for(key, directives, (BUCKET, Priority::Normal, Reader::Admitted, None), never)
            .await?
            .outcome
        {
            Outcome::Answered { entry, .. } => Ok(Some(entry.content().body.clone())),
            Outcome::Failed(Failure::Busy) => Err(GetValueError::Busy),
            // It was being fetched for others, without success.
            Outcome::Failed(Failure::Fetch(_)) => Ok(None),
            Outcome::Failed(_out_of_time) => Err(GetValueError::TimedOut),
            Outcome::Absent | Outcome::Pass | Outcome::Relayed { .. } => Ok(None),
        }
    }
}

/// What became of a caller's own fetch.
enum OwnRun<E> {
    NotBegun,
    /// It runs, or it ended without a result: it panicked, or took too long.
    Begun,
    Failed(E),
}

pub(crate) fn application_key(key: &str) -> Result<Key, KeyTooLong> {
    let key_bytes = key.len();
    if key_bytes > VALUE_KEY_BYTES_MAX {
        return Err(KeyTooLong { key_bytes });
    }
    Ok(with_key_text(|text| {
        spell_key(text, key);
        Key::from_text(text).expect("a key within VALUE_KEY_BYTES_MAX is within KEY_BYTES_MAX")
    }))
}

fn spell_key(text: &mut String, key: &str) {
    text.clear();
    text.push(MARK);
    write_key_text(text, key, Domain::APPLICATION);
}

/// A value to keep, or, if it is too long for that, to hand on.
fn fetched(value: Bytes, ttl: Duration) -> Fetched {
    if value.len() > BODY_BYTES_MAX {
        return Fetched::Unstorable { content: Content::of_value(value), audience: Audience::Domain };
    }
    Fetched::Fresh(draft(value, ttl))
}

fn draft(value: Bytes, ttl: Duration) -> Draft {
    Draft {
        content: Content::of_value(value),
        freshness: Freshness { lifetime: ttl, ..Freshness::default() },
        validators: Validators::default(),
        age: Duration::ZERO,
    }
}

/// The beginning of every key of a program's own. No host begins like this, so what is forgotten by GitHub's paths,
/// in all domains, is never a program's value.
const MARK: char = ' ';

/// Longest key of a program's own, in bytes.
pub const VALUE_KEY_BYTES_MAX: usize = 8 * 1024;

const _: () = assert!(
    VALUE_KEY_BYTES_MAX + 64 <= KEY_BYTES_MAX,
    "the mark before it and the domain's digits behind it must fit"
);

/// Values draw on no allowance of the origin's: a bucket that nothing ever spends.
const BUCKET: Bucket = Bucket(u8::MAX);
