//! What the origin has shown of its allowances.
//!
//! Owns what was last seen of each allowance of each payer. Decides nothing yet: [`crate::quota`] decides about
//! pauses.

use crate::{Bucket, Domain, Payer, Timestamp};
use alloc::{boxed::Box, vec::Vec};

/// What one answer of the origin showed of an allowance.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allowance {
    /// The payer whose allowance it is.
    pub payer: Payer,
    /// The domain for which the payer called. Several payers may call for one domain.
    pub domain: Domain,
    /// The allowance in the origin's words, such as `core` or `search`. The adapter bounds its length.
    pub resource: Box<str>,
    /// The number under which calls that draw on it are planned; `None` where none are.
    pub bucket: Option<Bucket>,
    /// The numbers that the answer showed.
    pub window: Window,
}

/// How an allowance stands within its window. The numbers are calls, or what else the origin counts them in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Window {
    /// Calls that the window allows.
    pub limit: u64,
    /// Calls that are left of them.
    pub remaining: u64,
    /// Calls that were made in the window.
    pub used: u64,
    /// When the next window begins, by the origin's clock.
    pub reset: Timestamp,
}

/// What was last seen of every allowance, by payer and resource.
#[derive(Debug, Default)]
pub(crate) struct Allowances {
    /// Those with the latest news last.
    seen: Vec<Allowance>,
}

impl Allowances {
    /// Notes what an answer showed. Beyond [`ALLOWANCES_MAX`], the one longest without news is forgotten.
    pub(crate) fn note(&mut self, allowance: Allowance) {
        let is_same = |seen: &Allowance| seen.payer == allowance.payer && seen.resource == allowance.resource;
        match self.seen.iter().position(is_same) {
            Some(at) => _ = self.seen.remove(at),
            None if self.seen.len() >= ALLOWANCES_MAX => _ = self.seen.remove(0),
            None => {}
        }
        self.seen.push(allowance);
    }

    /// How the allowance of `payer` that `bucket` stands for was seen last.
    pub(crate) fn last(&self, payer: Payer, bucket: Bucket) -> Option<Window> {
        let is_it = |seen: &&Allowance| seen.payer == payer && seen.bucket == Some(bucket);
        self.seen.iter().rev().find(is_it).map(|seen| seen.window)
    }

    pub(crate) fn all(&self) -> &[Allowance] {
        &self.seen
    }
}

/// Most allowances whose last observation is kept: some dozens of credentials with three or four each.
pub(crate) const ALLOWANCES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payer: u16, resource: &str, remaining: u64) -> Allowance {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&payer.to_be_bytes());
        Allowance {
            payer: Payer::from_bytes(bytes),
            domain: Domain::ANONYMOUS,
            resource: resource.into(),
            bucket: (resource == "core").then_some(Bucket(0)),
            window: Window { limit: 60, remaining, used: 60 - remaining, ..Window::default() },
        }
    }

    #[test]
    fn only_the_last_observation_of_an_allowance_is_kept_and_the_newest_come_last() {
        let mut allowances = Allowances::default();
        for remaining in 0..10 {
            allowances.note(shown(1, "core", remaining));
        }
        allowances.note(shown(1, "search", 3));
        allowances.note(shown(1, "core", 10));
        assert_eq!(allowances.all(), [shown(1, "search", 3), shown(1, "core", 10)]);
    }

    #[test]
    fn an_allowance_is_found_by_its_payer_and_bucket() {
        let mut allowances = Allowances::default();
        allowances.note(shown(1, "core", 10));
        allowances.note(shown(2, "core", 20));
        allowances.note(shown(2, "something_new", 30));
        let payer = shown(2, "core", 20).payer;
        assert_eq!(allowances.last(payer, Bucket(0)), Some(shown(2, "core", 20).window));
        assert_eq!(allowances.last(payer, Bucket(1)), None);
    }

    #[test]
    fn beyond_the_bound_the_allowance_longest_without_news_is_forgotten() {
        let mut allowances = Allowances::default();
        for payer in 0..=u16::try_from(ALLOWANCES_MAX).unwrap() {
            allowances.note(shown(payer, "core", 1));
        }
        assert_eq!(
            (allowances.all().len(), allowances.all()[0].payer),
            (ALLOWANCES_MAX, shown(1, "core", 1).payer)
        );
    }
}
