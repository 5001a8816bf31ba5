//! What the origin lets each credential read, as it changes.
//!
//! The model by which answers are judged: it remembers what was allowed at every moment of the run.

use crate::random::Random;
use std::{collections::BTreeMap, time::Duration};

/// What each credential may read. Credentials and resources are numbers.
pub(crate) struct Rights {
    seed: u64,
    /// Pairs of a credential and a resource, in a thousand, that are withheld in the beginning.
    withheld_per_mille: u16,
    /// Since when a credential may, or may not, read a resource; the earliest first.
    changes: BTreeMap<(usize, usize), Vec<(Duration, Right)>>,
    /// Since when credentials are not known any more.
    revoked: BTreeMap<usize, Duration>,
    /// Since when every credential may read everything.
    all_given: Option<Duration>,
}

/// What the origin says to a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Right {
    Given,
    /// The resource is not for this credential.
    Withheld,
    /// The credential is no longer one.
    Revoked,
}

impl Rights {
    pub(crate) fn new(seed: u64, withheld_per_mille: u16) -> Self {
        let (changes, revoked) = (BTreeMap::new(), BTreeMap::new());
        Self { seed, withheld_per_mille, changes, revoked, all_given: None }
    }

    /// Gives or withholds `resource` from `now` on.
    pub(crate) fn change(&mut self, credential: usize, resource: usize, now: Duration, right: Right) {
        self.changes.entry((credential, resource)).or_default().push((now, right));
    }

    /// From `now` on nobody knows `credential`.
    pub(crate) fn revoke(&mut self, credential: usize, now: Duration) {
        self.revoked.entry(credential).or_insert(now);
    }

    /// From `now` on every credential may read everything.
    pub(crate) fn give_all(&mut self, now: Duration) {
        self.all_given.get_or_insert(now);
    }

    /// What `credential` was told of `resource` at `moment`.
    pub(crate) fn at(&self, credential: usize, resource: usize, moment: Duration) -> Right {
        if self.all_given.is_some_and(|since| since <= moment) {
            return Right::Given;
        }
        if self.revoked.get(&credential).is_some_and(|since| *since <= moment) {
            return Right::Revoked;
        }
        let changes = self.changes.get(&(credential, resource)).map(Vec::as_slice).unwrap_or_default();
        let last = changes.iter().rev().find(|(since, _)| *since <= moment);
        last.map_or_else(|| self.in_the_beginning(credential, resource), |(_, right)| *right)
    }

    fn in_the_beginning(&self, credential: usize, resource: usize) -> Right {
        let pair = (credential as u64) << 32 | resource as u64;
        let is_withheld = Random::new(self.seed ^ pair, RIGHTS_STREAM).happens(self.withheld_per_mille);
        if is_withheld { Right::Withheld } else { Right::Given }
    }
}

const RIGHTS_STREAM: u64 = 33;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_was_allowed_at_each_moment_is_remembered() {
        let mut rights = Rights::new(1, 0);
        rights.change(0, 7, at(10), Right::Withheld);
        rights.change(0, 7, at(20), Right::Given);
        rights.revoke(0, at(30));
        rights.give_all(at(40));
        let told: Vec<Right> = [9, 10, 19, 20, 29, 30, 39, 40].map(|it| rights.at(0, 7, at(it))).into();
        let (given, withheld, revoked) = (Right::Given, Right::Withheld, Right::Revoked);
        assert_eq!(told, [given, withheld, withheld, given, given, revoked, revoked, given]);
        assert_eq!((rights.at(1, 7, at(35)), rights.at(0, 8, at(15))), (given, given));
    }
}
