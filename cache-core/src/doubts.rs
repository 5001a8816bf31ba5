//! What was put in doubt while it may be on disk.
//!
//! Entries in memory carry their doubt themselves. One that comes back from the disk is in doubt if it was there
//! before: its content is then no younger than the doubt. The list is on disk as well, so that this holds in the next
//! run too.

use crate::{Entry, KEY_BYTES_MAX, Scope, Timestamp};
use alloc::{sync::Arc, vec::Vec};

/// The latest doubts, each with its moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Doubts {
    /// The scopes and their dates, the earliest first.
    listed: Vec<(Scope, Timestamp)>,
    /// Everything from before this is in doubt.
    floor: Option<Timestamp>,
    /// Bytes of text in what is listed.
    text_bytes: usize,
}

impl Doubts {
    /// Doubts of everything from before `floor`, and of what is `listed`, the earliest first.
    pub fn new(floor: Option<Timestamp>, listed: impl IntoIterator<Item = (Scope, Timestamp)>) -> Self {
        let mut doubts = Self { floor, ..Self::default() };
        listed.into_iter().for_each(|(scope, date)| doubts.add(&scope, date));
        doubts
    }

    /// Doubts of everything from before `date`: the assumption if it is unknown what was doubted.
    pub fn of_everything(date: Timestamp) -> Self {
        Self::new(Some(date), [])
    }

    /// Drops the doubts of which `is_needed` says no. The one of everything stays.
    pub fn retain(&mut self, mut is_needed: impl FnMut(&Scope) -> bool) {
        self.keep(|(scope, _)| is_needed(scope));
    }

    /// Adds what was put in doubt later.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.floor = self.floor.max(later.floor);
        later.listed.into_iter().for_each(|(scope, date)| self.add(&scope, date));
    }

    /// Puts in doubt what `scope` means and is there at `now`.
    pub(crate) fn add(&mut self, scope: &Scope, now: Timestamp) {
        // A directory has no signposts.
        if matches!(scope, Scope::Signposts { .. }) {
            return;
        }
        self.retain(|listed| !scope.contains(listed));
        self.text_bytes += scope.text_bytes();
        self.listed.push((scope.clone(), now));
        while self.listed.len() > DOUBTS_MAX || self.text_bytes > DOUBTS_BYTES_MAX {
            let (scope, oldest) = self.listed.remove(0);
            self.text_bytes -= scope.text_bytes();
            self.floor = self.floor.max(Some(oldest));
        }
    }

    /// Puts everything in doubt that was there at `date`. What is doubted of later stays so.
    pub(crate) fn add_all(&mut self, date: Timestamp) {
        self.keep(|(_, doubted)| *doubted > date);
        self.floor = self.floor.max(Some(date));
    }

    fn keep(&mut self, is_needed: impl FnMut(&(Scope, Timestamp)) -> bool) {
        self.listed.retain(is_needed);
        self.text_bytes = self.listed.iter().map(|(scope, _)| scope.text_bytes()).sum();
    }

    /// Whether `entry`, from the disk, is in doubt.
    pub fn mean(&self, entry: &Entry) -> bool {
        let is_meant = |(scope, date): &(Scope, Timestamp)| {
            entry.born() <= *date && scope.covers(entry.key(), entry.content().status)
        };
        self.floor.is_some_and(|floor| entry.born() <= floor) || self.listed.iter().any(is_meant)
    }

    pub(crate) fn listed(&self) -> &[(Scope, Timestamp)] {
        &self.listed
    }

    pub(crate) fn floor(&self) -> Option<Timestamp> {
        self.floor
    }
}

/// What is in doubt from now on, and everything in doubt, this included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Doubted {
    /// What is in doubt from now on.
    pub scopes: Vec<Scope>,
    /// All that is in doubt, this included.
    pub all: Arc<Doubts>,
}

/// Most doubts that are listed: one for each domain that writes by GraphQL, and some for each write whose end is
/// unknown. Of more, the oldest becomes a doubt of everything from before it.
pub(crate) const DOUBTS_MAX: usize = 256;

/// Most bytes of text in what is listed, which is written anew for each doubt: four of the longest scopes, and as many
/// usual ones as may be listed.
pub(crate) const DOUBTS_BYTES_MAX: usize = 32 * 1024;

const _: () = assert!(KEY_BYTES_MAX <= DOUBTS_BYTES_MAX, "one doubt must fit");

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
    fn a_doubt_of_everything_from_before_ends_no_later_doubt() {
        let mut doubts = Doubts::default();
        doubts.add(&prefix("a/"), at(2));
        doubts.add(&prefix("b/"), at(8));
        doubts.add_all(at(5));
        assert_eq!(doubts, Doubts::new(Some(at(5)), [(prefix("b/"), at(8))]));
        assert!(doubts.mean(&entry("b/1", 7)) && !doubts.mean(&entry("a/1", 7)));
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

    #[test]
    fn of_too_long_doubts_the_oldest_becomes_one_of_everything() {
        let mut doubts = Doubts::default();
        for number in 0..5 {
            doubts.add(&prefix(&alloc::format!("{number}/{}", "x".repeat(8000))), at(number));
        }
        assert_eq!(doubts.listed.len(), 4);
        assert!(doubts.mean(&entry("other", 0)) && !doubts.mean(&entry("other", 1)));
    }

    #[test]
    fn what_is_doubted_later_is_added_to_what_was_doubted_in_another_run() {
        let mut doubts = Doubts::new(Some(at(1)), [(prefix("a/"), at(5))]);
        doubts.absorb(Doubts::new(Some(at(2)), [(prefix("a/"), at(8)), (prefix("b/"), at(8))]));
        assert_eq!(doubts, Doubts::new(Some(at(2)), [(prefix("a/"), at(8)), (prefix("b/"), at(8))]));
        doubts.retain(|scope| *scope == prefix("b/"));
        assert!(doubts.mean(&entry("b/1", 8)) && !doubts.mean(&entry("a/1", 8)));
        assert!(doubts.mean(&entry("a/1", 2)));
    }
}
