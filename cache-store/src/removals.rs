//! Removals that wait, merged.

use crate::matching::matches_prefix;
use cache_core::{Domain, Key, port::Change};
use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Bound,
};

/// What is to be removed: each key and prefix once, and none that another covers.
///
/// Bounded: what would be too much to remember becomes the removal of everything. Forgetting more than was asked
/// costs calls to the origin; forgetting less would be wrong.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    everything: bool,
    keys: BTreeSet<Key>,
    /// By the one domain that they mean. In no set is one text the beginning of another.
    prefixes: BTreeMap<Option<Domain>, BTreeSet<Box<str>>>,
    bytes: usize,
}

impl Removals {
    /// Adds `removal`; other changes add nothing. Returns whether it was one too many, so that everything is removed.
    pub(crate) fn add(&mut self, removal: &Change) -> bool {
        match removal {
            Change::Doubt(_) | Change::Put(_) => {}
            _ if self.everything => {}
            Change::Remove(key) => self.add_key(key),
            Change::RemoveAll => self.become_everything(),
            Change::RemovePrefix { prefix, domain } => self.add_prefix(prefix, *domain),
        }
        let is_too_much = self.bytes > REMOVALS_BYTES_MAX;
        if is_too_much {
            self.become_everything();
        }
        is_too_much
    }

    /// Whether what is kept under `key` is to be removed.
    pub(crate) fn cover(&self, key: &Key) -> bool {
        self.everything
            || self.keys.contains(key)
            || [None, Some(key.domain())].iter().any(|domain| {
                let prefixes = self.prefixes.get(domain);
                prefixes
                    .and_then(|prefixes| beginning_of(prefixes, key.as_str()))
                    .is_some_and(|prefix| matches_prefix(key, prefix, *domain))
            })
    }

    /// The changes that remove it all.
    pub(crate) fn changes(&self) -> Vec<Change> {
        if self.everything {
            return vec![Change::RemoveAll];
        }
        let prefixes = self.prefixes.iter().flat_map(|(domain, prefixes)| {
            prefixes.iter().map(|prefix| Change::RemovePrefix { prefix: prefix.clone(), domain: *domain })
        });
        self.keys.iter().cloned().map(Change::Remove).chain(prefixes).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.everything && self.keys.is_empty() && self.prefixes.is_empty()
    }

    fn add_key(&mut self, key: &Key) {
        if self.keys.insert(key.clone()) {
            self.bytes += weight(key.as_str());
        }
    }

    fn add_prefix(&mut self, prefix: &str, domain: Option<Domain>) {
        let prefixes = self.prefixes.entry(domain).or_default();
        if beginning_of(prefixes, prefix).is_some() {
            return;
        }
        let covered: Vec<Box<str>> = prefixes
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|longer| longer.starts_with(prefix))
            .cloned()
            .collect();
        for longer in covered {
            self.bytes -= weight(&longer);
            prefixes.remove(&longer);
        }
        self.bytes += weight(prefix);
        prefixes.insert(prefix.into());
    }

    fn become_everything(&mut self) {
        *self = Self { everything: true, ..mem::take(self) };
        self.keys.clear();
        self.prefixes.clear();
        self.bytes = 0;
    }
}

/// The one of `prefixes`, none of which begins another, with which `text` begins.
///
/// Whatever sorts between a prefix and a text that begins with it begins with it as well, so only the last one
/// that does not sort behind `text` can be it.
fn beginning_of<'p>(prefixes: &'p BTreeSet<Box<str>>, text: &str) -> Option<&'p str> {
    let last = prefixes.range::<str, _>((Bound::Unbounded, Bound::Included(text))).next_back()?;
    text.starts_with(&**last).then_some(&**last)
}

fn weight(text: &str) -> usize {
    REMOVAL_OVERHEAD_BYTES + text.len()
}

/// Most bytes of removals that wait: some thousands, which is more than a disk that works ever has waiting.
pub(crate) const REMOVALS_BYTES_MAX: usize = 1024 * 1024;

/// Bytes that a removal takes besides its text, roughly.
const REMOVAL_OVERHEAD_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::removes;
    use proptest::prelude::*;

    fn prefix(prefix: &str, domain: Option<u8>) -> Change {
        let domain = domain.map(|domain| Domain::from_bytes([domain; 16]));
        Change::RemovePrefix { prefix: prefix.into(), domain }
    }

    #[test]
    fn a_prefix_takes_the_place_of_those_that_it_covers() {
        let mut removals = Removals::default();
        for text in ["a/b", "a/c", "b", "a/", "a/d"] {
            removals.add(&prefix(text, None));
        }
        assert_eq!(removals.changes(), [prefix("a/", None), prefix("b", None)]);
    }

    #[test]
    fn more_than_can_wait_becomes_the_removal_of_everything() {
        let mut removals = Removals::default();
        let merged =
            (0..).find(|at| removals.add(&Change::Remove(Key::new(&format!("{at}"), Domain::ANONYMOUS))));
        assert!(merged.is_some_and(|merged| merged > 1000), "{merged:?}");
        assert_eq!(removals.changes(), [Change::RemoveAll]);
        assert!(!removals.add(&prefix("a", None)), "there is nothing more to merge");
        assert!(removals.cover(&Key::new("other", Domain::ANONYMOUS)));
    }

    fn a_removal() -> impl Strategy<Value = Change> {
        prop_oneof![
            3 => ("[ab/]{0,4}", proptest::option::of(0..2u8)).prop_map(|(text, domain)| prefix(&text, domain)),
            1 => ("[ab/]{0,4}", 0..2u8)
                .prop_map(|(text, domain)| Change::Remove(Key::new(&text, Domain::from_bytes([domain; 16])))),
        ]
    }

    proptest! {
        #[test]
        fn merged_removals_cover_what_each_alone_covers(
            removals in proptest::collection::vec(a_removal(), 0..12),
            resource in "[ab/]{0,5}",
            domain in 0..3u8,
        ) {
            let mut merged = Removals::default();
            removals.iter().for_each(|removal| { merged.add(removal); });
            let key = Key::new(&resource, Domain::from_bytes([domain; 16]));
            let by_one = removals.iter().any(|removal| removes(removal, &key));
            prop_assert_eq!(merged.cover(&key), by_one);
            let by_changes = merged.changes().iter().any(|removal| removes(removal, &key));
            prop_assert_eq!(by_changes, by_one);
        }
    }
}
