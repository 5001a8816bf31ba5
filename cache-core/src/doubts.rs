//! What was put in doubt while it may be on disk.
//!
//! Entries in memory carry their doubt themselves. One that comes back from the disk is in doubt if it was there
//! before: its content is then no younger than the doubt.

use crate::{Entry, Scope, Timestamp};
use alloc::vec::Vec;

/// The latest doubts, each with its moment.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    listed: Vec<(Scope, Timestamp)>,
    /// Everything from before this is in doubt.
    floor: Option<Timestamp>,
}

impl Doubts {
    /// Puts in doubt what `scope` means and is there at `now`.
    pub(crate) fn add(&mut self, scope: &Scope, now: Timestamp) {
        self.listed.retain(|(listed, _)| !scope.contains(listed));
        if self.listed.len() >= DOUBTS_MAX {
            let (_, oldest) = self.listed.remove(0);
            self.floor = self.floor.max(Some(oldest));
        }
        self.listed.push((scope.clone(), now));
    }

    /// Puts everything in doubt that was there at `now`.
    pub(crate) fn add_all(&mut self, now: Timestamp) {
        self.listed.clear();
        self.floor = self.floor.max(Some(now));
    }

    /// Whether `entry`, from the disk, is in doubt.
    pub(crate) fn mean(&self, entry: &Entry) -> bool {
        let is_meant = |(scope, date): &(Scope, Timestamp)| {
            entry.born() <= *date && scope.covers(entry.key(), entry.content().status)
        };
        self.floor.is_some_and(|floor| entry.born() <= floor) || self.listed.iter().any(is_meant)
    }
}

/// Most doubts that are listed: one for each domain that writes by GraphQL, and one for each write whose end nobody
/// knows. Of more, the oldest becomes a doubt of everything from before it.
const DOUBTS_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Domain, Draft, Key, Validators};
    use core::time::Duration;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
    }

    fn entry(resource: &str, born: u64) -> Entry {
        let draft = Draft {
            content: Content::of_value("v"),
            freshness: Default::default(),
            validators: Validators::default(),
            age: Duration::ZERO,
        };
        Entry::new(Key::new(resource, Domain::ANONYMOUS), draft, at(born), 0)
    }

    fn prefix(prefix: &str) -> Scope {
        Scope::Prefix { prefix: prefix.into(), domain: None }
    }

    #[test]
    fn what_was_there_is_in_doubt_and_what_came_later_is_not() {
        let mut doubts = Doubts::default();
        doubts.add(&prefix("a/"), at(5));
        assert!(doubts.mean(&entry("a/1", 4)) && doubts.mean(&entry("a/1", 5)));
        assert!(!doubts.mean(&entry("a/1", 6)) && !doubts.mean(&entry("b/1", 4)));
        doubts.add(&prefix("a/"), at(8));
        assert!(doubts.mean(&entry("a/1", 6)));
        assert_eq!(doubts.listed.len(), 1);
    }

    #[test]
    fn of_too_many_doubts_the_oldest_becomes_one_of_everything() {
        let mut doubts = Doubts::default();
        for number in 0..DOUBTS_MAX as u64 + 1 {
            doubts.add(&prefix(&alloc::format!("{number}/")), at(number));
        }
        assert_eq!(doubts.listed.len(), DOUBTS_MAX);
        assert!(doubts.mean(&entry("other", 0)) && !doubts.mean(&entry("other", 1)));
    }
}
