//! The rules of [`cache_core::port::Store`].
//!
//! A store's own test file names them all in one line:
//!
//! ```ignore
//! cache_conformance::store_conformance!(RedbFactory);
//! ```

mod changes;
#[cfg(test)]
mod faulty;
mod keeping;
mod restoring;
#[cfg(test)]
mod tests;

pub use {changes::*, keeping::*, restoring::*};

use bytes::Bytes;
use cache_core::{
    Content, Domain, Draft, Entry, Key, Timestamp, Validators,
    freshness::Freshness,
    port::{Budget, Change, Store},
};
use std::{sync::Arc, time::Duration};

/// Makes places for stores of the kind under test.
pub trait StoreFactory: Send + Sync {
    /// A place where no store was before.
    ///
    /// # Errors
    ///
    /// When the machine has none left.
    fn place(&self) -> anyhow::Result<Box<dyn Place>>;
}

/// Where a store lies. One at a time is open there.
pub trait Place {
    /// The store that lies here, within its own `budget`.
    ///
    /// # Errors
    ///
    /// Those of the store's own start.
    fn open(&mut self, budget: Budget) -> anyhow::Result<Box<dyn Store>>;

    /// Whether a store that was closed, or whose process was killed, is there again.
    fn outlives_the_process(&self) -> bool;

    /// Another place with what would be here if the process were killed at this moment, the store being open.
    ///
    /// # Errors
    ///
    /// When it cannot be copied. Asked of places that outlive the process alone.
    fn after_a_crash(&self) -> anyhow::Result<Box<dyn Place>>;

    /// Makes the record of `key` unreadable, whatever store is open. Returns whether that can be done here.
    fn damage(&self, key: &Key) -> bool;
}

/// Makes a test of each rule, for the stores of the given [`StoreFactory`].
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr) => {
        $crate::store_conformance! { @rules $factory;
            a_batch_is_made_whole_or_not_at_all
            a_later_entry_takes_the_place_of_an_earlier_one
            a_new_store_holds_nothing
            a_prefix_means_what_begins_so_in_its_domain_alone
            a_record_that_cannot_be_read_is_none_and_is_skipped
            a_sweep_removes_what_is_of_no_use_and_nothing_else
            changes_are_made_in_order
            removals_answer_how_many_records_they_removed
            restoring_begins_with_the_most_recently_stored
            restoring_keeps_within_both_budgets
            restoring_leaves_out_what_is_of_no_use
            the_oldest_stored_give_way_within_the_stores_own_budget
            what_is_durable_survives_a_crash
            what_is_put_is_loaded_whole
            what_was_closed_is_there_again
            what_was_in_doubt_is_so_after_a_crash
        }
    };
    (@rules $factory:expr; $($rule:ident)+) => {
        $(
            #[test]
            fn $rule() {
                $crate::store::$rule(&$factory).unwrap();
            }
        )+
    };
}

/// More than any rule stores.
const WIDE: Budget = Budget { entries_max: 1_000_000, bytes_max: 1 << 40 };

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn key(resource: &str) -> Key {
    Key::new(resource, Domain::ANONYMOUS)
}

/// An entry of `resource` with a validator, fresh for a minute from [`NOW`] on, and then not served any more.
fn entry(resource: &str, generation: u64) -> Arc<Entry> {
    entry_of(
        key(resource),
        generation,
        Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() },
    )
}

fn entry_of(key: Key, generation: u64, freshness: Freshness) -> Arc<Entry> {
    let body = Bytes::from(format!("{}{generation}", key.resource()));
    let headers = [("content-type", "text/plain"), ("etag", "\"v1\"")].into_iter().collect();
    let draft = Draft {
        content: Content { status: 200, headers, body },
        freshness,
        validators: Validators { etag: Some("\"v1\"".into()), ..Validators::default() },
        age: Duration::ZERO,
    };
    Arc::new(Entry::new(key, draft, NOW, generation))
}

fn put(resource: &str) -> Change {
    Change::Put(entry(resource, 0))
}

/// The resources that a store holds, without those that cannot be read, in the order of their names.
fn held(store: &mut dyn Store, resources: &[&str]) -> anyhow::Result<Vec<String>> {
    let mut held = Vec::new();
    for resource in resources {
        if store.load(&key(resource))?.is_some() {
            held.push((*resource).to_owned());
        }
    }
    Ok(held)
}

fn resources(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key().resource()).collect()
}
