//! The rules for whatever fetches from an origin: what [`cache_core::Fetched`] promises the engine.
//!
//! An adapter's own test file names them all in one line:
//!
//! ```ignore
//! cache_conformance::origin_conformance!(GitHubFactory);
//! ```

mod answers;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;
mod troubles;

pub use {answers::*, troubles::*};

use anyhow::bail;
use async_trait::async_trait;
use cache_core::{Domain, Draft, Entry, Fetched, Key, Timestamp};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Starts adapters of the kind under test, each in front of an origin of its own.
#[async_trait]
pub trait OriginFactory: Send + Sync {
    /// An adapter, and an origin that is well and has every [`Wanted`] thing.
    ///
    /// # Errors
    ///
    /// When the machine has nothing left to start one with.
    async fn start(&self) -> anyhow::Result<Box<dyn Subject>>;
}

/// An adapter, and the origin behind it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Asks the origin for `wanted`, and whether `known` still holds if it is given.
    async fn fetch(&self, wanted: Wanted, known: Option<Arc<Entry>>) -> Fetched;

    /// Makes the origin be in this `mood` from now on.
    fn set_mood(&self, mood: Mood);

    /// Makes [`Wanted::Document`] another from now on.
    fn change(&self);

    /// How many calls the origin has had.
    fn calls(&self) -> u64;
}

/// What the test fetches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// Something short that may be kept and revalidated.
    Document,
    /// Something longer than the adapter holds.
    Long,
    /// Something that is not there.
    Missing,
}

/// How the origin answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mood {
    /// Half of each answer, then nothing.
    BreaksOff,
    /// Bytes of no protocol.
    Garbage,
    /// Connections that end before an answer.
    Gone,
    /// Answers with a 503.
    Ill,
    /// Refusals, since the quota is spent for a minute or more.
    Spent,
    /// Answers as it should.
    Well,
}

/// Makes a test of each rule, for the adapters of the given [`OriginFactory`].
#[macro_export]
macro_rules! origin_conformance {
    ($factory:expr) => {
        $crate::origin_conformance! { @rules $factory;
            a_changed_document_is_fetched_anew
            a_document_is_fetched_whole_with_what_is_needed_to_keep_it
            a_fault_of_the_origins_own_is_told_as_one
            a_spent_quota_is_told_with_the_time_it_lasts
            after_trouble_all_is_as_before
            an_answer_that_is_no_whole_one_is_a_failure
            an_unchanged_document_is_renewed_and_stays_as_it_is
            every_fetch_is_one_call
            nothing_of_one_call_or_connection_is_kept
            trouble_never_renews_what_is_known
            what_is_not_there_is_kept_for_a_moment_at_most
            what_is_too_long_is_not_held
        }
    };
    (@rules $factory:expr; $($rule:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $crate::origin::$rule(&$factory).await.unwrap();
            }
        )+
    };
}

/// Fetches the document, which must be there to be kept.
async fn document(subject: &dyn Subject) -> anyhow::Result<Draft> {
    match subject.fetch(Wanted::Document, None).await {
        Fetched::Fresh(draft) => Ok(draft),
        other => bail!("a document is fetched as {other:?}"),
    }
}

/// What the engine would keep of `draft`.
fn kept(draft: Draft) -> Arc<Entry> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let key = Key::new("document", Domain::ANONYMOUS);
    Arc::new(Entry::new(key, draft, Timestamp::from_unix_millis(millis), 0))
}

/// Longest that "there is no such thing" may be believed: a client that makes the thing wants to see it.
const ABSENCE_MAX: Duration = Duration::from_secs(60);
