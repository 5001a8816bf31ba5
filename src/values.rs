//! The classic cache calls, for values that a program computes itself.

use crate::{
    Node, RequestError, ValueError,
    command::{Command, FetchFn, FetchReply, Private},
    node::{removed, with_key_text},
};
use bytes::Bytes;
use cache_core::{
    Audience, BODY_BYTES_MAX, Bucket, Content, Domain, Draft, FetchError, Fetched, KEY_BYTES_MAX, Key,
    Outcome, Validators,
    freshness::{self, Directives, Freshness, Usable},
    key::write_key_text,
};
use parking_lot::Mutex;
use std::{future::Future, sync::Arc, time::Duration};

/// Values under keys of the program's own, in the same cache and under the same budgets as everything else.
///
/// Borrowed from [`Node::values`]. Keys are any text; they never meet GitHub's resources.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    node: &'a Node,
}

impl<'a> Values<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Self { node }
    }

    /// The value under `key` if it is fresh, else what `fetch` gives, kept for `ttl`.
    ///
    /// However many ask for one key at once, one `fetch` runs; if it fails, one other caller's runs, and
    /// if that fails too all get an error.
    ///
    /// # Errors
    ///
    /// [`ValueError::Fetch`] with the error of this caller's own `fetch` if that ran;
    /// [`ValueError::Others`] if only others' ran.
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
        let key = application_key(key).map_err(ValueError::Request)?;
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let fetch: FetchFn = Box::new(move |_stale| {
            Box::pin(async move {
                let fetched = match fetch().await {
                    Ok(value) => fetched(value.into(), ttl),
                    Err(error) => {
                        *failed.lock() = Some(error);
                        Fetched::Failed(FetchError::FetcherFailed)
                    }
                };
                FetchReply { fetched, private: Private::default() }
            })
        });
        let completion = self.node.wait_for(key, Directives::default(), BUCKET, fetch).await;
        match completion.map(|completion| completion.outcome) {
            Ok(Outcome::Answered { entry, .. }) => Ok(entry.content().body.clone()),
            Ok(Outcome::Relayed { content, .. }) => Ok(content.body),
            Ok(Outcome::Failed(failed)) => match failure.lock().take() {
                Some(error) => Err(ValueError::Fetch(error)),
                None if failed == cache_core::Failure::Fetch(FetchError::FetcherFailed) => {
                    Err(ValueError::Others)
                }
                None => Err(ValueError::Request(failed.into())),
            },
            Ok(_) => Err(ValueError::Others),
            Err(error) => Err(ValueError::Request(error)),
        }
    }

    /// Keeps `value` under `key` for `ttl`, in place of any other. A fetch under way for it is not kept.
    ///
    /// # Errors
    ///
    /// [`RequestError::KeyTooLong`] or [`RequestError::ValueTooLong`], and then another value stays;
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>, ttl: Duration) -> Result<(), RequestError> {
        let (key, value) = (application_key(key)?, value.into());
        if value.len() > BODY_BYTES_MAX {
            return Err(RequestError::ValueTooLong { value_bytes: value.len() });
        }
        let draft = draft(value, ttl);
        self.node.order(|done| Command::Put { key, draft, done }).await?;
        Ok(())
    }

    /// The value under `key` if it is fresh.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, RequestError> {
        if let Some(value) = self.fresh(key) {
            return Ok(Some(value));
        }
        self.cached(application_key(key)?, Directives { only_if_cached: true, ..Directives::default() }).await
    }

    /// The value under `key`, however long ago its time was up.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn get_stale(&self, key: &str) -> Result<Option<Bytes>, RequestError> {
        self.cached(application_key(key)?, Directives::ANYTHING_CACHED).await
    }

    /// Forgets `key`; answers whether it was in memory.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn invalidate(&self, key: &str) -> Result<bool, RequestError> {
        let key = application_key(key)?;
        let completion = self.node.order(|done| Command::Invalidate { key, done }).await?;
        Ok(removed(&completion.outcome) > 0)
    }

    /// Forgets every key that begins with `prefix`; answers how many were in memory.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] after a shutdown.
    pub async fn invalidate_prefix(&self, prefix: &str) -> Result<usize, RequestError> {
        let (prefix, domain) = (prefix.into(), Some(Domain::APPLICATION));
        let completion = self.node.order(|done| Command::InvalidatePrefix { prefix, domain, done }).await?;
        Ok(removed(&completion.outcome))
    }

    /// The whole of what a hit costs: no allocation, no channel, no call of the system's clock.
    fn fresh(&self, key: &str) -> Option<Bytes> {
        let shared = self.node.shared();
        let entry = with_key_text(|text| {
            text.clear();
            write_key_text(text, key, Domain::APPLICATION);
            shared.index.get(text)
        })?;
        let usable = freshness::usable(&entry, &Directives::default(), shared.clock.now());
        (usable == Usable::Fresh).then(|| {
            shared.index.count_hit();
            entry.content().body.clone()
        })
    }

    async fn cached(&self, key: Key, directives: Directives) -> Result<Option<Bytes>, RequestError> {
        let never: FetchFn =
            Box::new(|_stale| Box::pin(async { FetchReply::failed(FetchError::FetcherGone) }));
        match self.node.wait_for(key, directives, BUCKET, never).await?.outcome {
            Outcome::Answered { entry, .. } => Ok(Some(entry.content().body.clone())),
            Outcome::Failed(failure) => Err(failure.into()),
            Outcome::Absent
            | Outcome::Pass
            | Outcome::Relayed { .. }
            | Outcome::Removed { .. }
            | Outcome::Stored { .. } => Ok(None),
        }
    }
}

fn application_key(key: &str) -> Result<Key, RequestError> {
    let key_bytes = key.len();
    if key_bytes > VALUE_KEY_BYTES_MAX {
        return Err(RequestError::KeyTooLong { key_bytes });
    }
    Ok(Key::new(key, Domain::APPLICATION))
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

/// Longest key of a program's own, in bytes.
pub const VALUE_KEY_BYTES_MAX: usize = 8 * 1024;

const _: () = assert!(VALUE_KEY_BYTES_MAX + 64 <= KEY_BYTES_MAX, "the domain's digits must fit behind it");

/// Values draw on no allowance of the origin's: a bucket that nothing ever spends.
const BUCKET: Bucket = Bucket(u8::MAX);
