//! What was written a moment ago, and may not show everywhere yet.
//!
//! An origin's reads may lag behind its writes. So for a while after a write the origin is asked about what it touched
//! before each use, and what was fetched in that while is asked about once more when it is over. Owns which resources
//! those are and until when. That the origin is asked is the engine's to see to.

use crate::{Entry, Key, Reach, SETTLE_MAX, Scope, Timestamp};
use alloc::{collections::VecDeque, vec::Vec};
use core::time::Duration;

/// The latest writes, each with the moment from which on the origin shows it.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    /// In the order in which they were heard of.
    listed: VecDeque<Settlement>,
    /// Scopes in what is listed.
    scopes_count: usize,
    /// Everything settles until then: there was no room for what does.
    all_until: Option<Timestamp>,
}

#[derive(Debug)]
struct Settlement {
    scopes: Vec<Scope>,
    until: Timestamp,
}

impl Settling {
    /// Notes what `reach` means, which happened at `date` and is heard of at `now`.
    pub(crate) fn add(&mut self, reach: &Reach, date: Timestamp, now: Timestamp) {
        self.listed.retain(|it| now < it.until.saturating_add(LINGER));
        let until = date.saturating_add(reach.settle.min(SETTLE_MAX));
        if reach.settle.is_zero() || until <= now {
            self.count();
            return;
        }
        let scopes: Vec<Scope> = reach.forgotten.iter().chain(&reach.doubted).cloned().collect();
        // A resource that is written again and again is listed once.
        self.listed.retain(|it| it.scopes != scopes || it.until > until);
        self.listed.push_back(Settlement { scopes, until });
        self.count();
        while self.scopes_count > SETTLING_MAX
            && let Some(first) = self.listed.pop_front()
        {
            self.scopes_count -= first.scopes.len();
            self.all_until = self.all_until.max(Some(first.until));
        }
    }

    /// Whether a write to what `key` names, if it has `status`, is so young at `now` that the origin may not show it.
    pub(crate) fn means(&self, key: &Key, status: u16, now: Timestamp) -> bool {
        self.is_younger_than_a_write(key, status, now)
    }

    /// Whether `entry` may be what was there before a write, though it was fetched after it.
    pub(crate) fn taints(&self, entry: &Entry) -> bool {
        self.is_younger_than_a_write(entry.key(), entry.content().status, entry.born())
    }

    fn is_younger_than_a_write(&self, key: &Key, status: u16, date: Timestamp) -> bool {
        let covers = |it: &Settlement| it.scopes.iter().any(|scope| scope.covers(key, status));
        self.all_until.is_some_and(|until| date < until)
            || self.listed.iter().any(|it| date < it.until && covers(it))
    }

    fn count(&mut self) {
        self.scopes_count = self.listed.iter().map(|it| it.scopes.len()).sum();
    }
}

/// For how long something is listed that has settled: what a member fetched before it had may be on the way for so long.
const LINGER: Duration = Duration::from_secs(30);

/// Most scopes that are listed. A write to a busy route touches some thirty, and GitHub lets one user write 80 times a minute;
/// with many more, what was heard of first becomes a settling of everything until its time is over.
pub(crate) const SETTLING_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Domain, Draft, Validators, invalidation::SCOPES_MAX};
    use alloc::format;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
    }

    fn write(prefix: &str) -> Reach {
        Reach::forget([Scope::Prefix { prefix: prefix.into(), domain: None }]).settling(5 * SECOND)
    }

    fn key(resource: &str) -> Key {
        Key::new(resource, Domain::ANONYMOUS)
    }

    fn entry(resource: &str, born: u64) -> Entry {
        let draft = Draft {
            content: Content::of_value("v"),
            freshness: Default::default(),
            validators: Validators::default(),
            age: Duration::ZERO,
        };
        Entry::new(key(resource), draft, at(born), 0)
    }

    #[test]
    fn what_was_written_settles_for_its_time_and_nothing_else_does() {
        let mut settling = Settling::default();
        settling.add(&write("a/"), at(10), at(11));
        for (resource, now, expected) in
            [("a/1", 10, true), ("a/1", 14, true), ("a/1", 15, false), ("b/1", 12, false)]
        {
            assert_eq!(settling.means(&key(resource), 200, at(now)), expected, "{resource} {now}");
        }
        assert!(settling.taints(&entry("a/1", 14)) && !settling.taints(&entry("a/1", 15)));
        settling.add(&write("c/").settling(Duration::ZERO), at(12), at(12));
        assert!(!settling.means(&key("c/1"), 200, at(12)));
    }

    #[test]
    fn a_time_to_settle_beyond_the_longest_counts_as_that() {
        let mut settling = Settling::default();
        settling.add(&Reach { settle: 100 * SETTLE_MAX, ..write("a/") }, at(0), at(0));
        assert!(settling.means(&key("a/1"), 200, at(SETTLE_MAX.as_secs() - 1)));
        assert!(!settling.means(&key("a/1"), 200, at(SETTLE_MAX.as_secs())));
    }

    #[test]
    fn what_has_settled_is_dropped_when_nothing_of_it_can_be_on_the_way_any_more() {
        let mut settling = Settling::default();
        settling.add(&write("a/"), at(0), at(0));
        settling.add(&write("b/"), at(20), at(20));
        assert_eq!(settling.listed.len(), 2);
        settling.add(&write("b/"), at(40), at(40));
        assert_eq!((settling.listed.len(), settling.scopes_count), (1, 1));
    }

    #[test]
    fn with_too_much_to_list_everything_settles_until_the_first_has() {
        let mut settling = Settling::default();
        let many = |writes: usize| {
            let scopes = (0..SCOPES_MAX).map(|number| Scope::Key(key(&format!("{writes}/{number}"))));
            Reach::forget(scopes).settling(5 * SECOND)
        };
        for writes in 0..SETTLING_MAX / SCOPES_MAX {
            settling.add(&many(writes), at(1), at(1));
        }
        assert!(!settling.means(&key("elsewhere"), 200, at(1)));
        settling.add(&many(SETTLING_MAX), at(2), at(2));
        assert!(settling.scopes_count <= SETTLING_MAX);
        assert!(settling.means(&key("elsewhere"), 200, at(5)) && settling.means(&key("0/1"), 200, at(5)));
        assert!(!settling.means(&key("elsewhere"), 200, at(6)), "the first has settled");
    }
}
