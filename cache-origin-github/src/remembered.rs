//! A bounded memory of something about each of many credentials, the least lately used forgotten first.

use cache_core::Payer;
use std::{collections::HashMap, mem};

/// Values by credential and a digest of what they are about, at most `most` of them.
///
/// Two generations stand in for an exact order of use: what is used moves to the young one, and when that has half of
/// all places the old one is forgotten. So a look-up among the young changes nothing.
#[derive(Debug)]
pub(crate) struct Remembered<V> {
    young: Generation<V>,
    old: Generation<V>,
    most: usize,
}

impl<V: Clone> Remembered<V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), most }
    }

    /// The value, and whether it is to be [used](Self::insert) again lest it be forgotten.
    pub(crate) fn get(&self, payer: Payer, about: u64) -> Option<(V, Age)> {
        let young = self.young.get(payer, about).map(|value| (value, Age::Young));
        young.or_else(|| Some((self.old.get(payer, about)?, Age::Old)))
    }

    pub(crate) fn insert(&mut self, payer: Payer, about: u64, value: V) {
        self.old.remove(payer, about);
        self.young.insert(payer, about, value);
        if self.young.count >= self.most / 2 {
            self.old = mem::take(&mut self.young);
        }
    }

    pub(crate) fn remove(&mut self, payer: Payer, about: u64) {
        self.young.remove(payer, about);
        self.old.remove(payer, about);
    }

    /// Forgets all of one credential.
    pub(crate) fn remove_all(&mut self, payer: Payer) {
        self.retain(payer, |_| false);
    }

    /// Forgets what of one credential does not pass.
    pub(crate) fn retain(&mut self, payer: Payer, passes: impl Fn(&V) -> bool) {
        self.young.retain(payer, &passes);
        self.old.retain(payer, &passes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.young.count + self.old.count == 0
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.count + self.old.count
    }
}

/// Whether a value was used lately.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Age {
    Old,
    Young,
}

#[derive(Debug)]
struct Generation<V> {
    by_payer: HashMap<Payer, HashMap<u64, V>>,
    count: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self { by_payer: HashMap::new(), count: 0 }
    }
}

impl<V: Clone> Generation<V> {
    fn get(&self, payer: Payer, about: u64) -> Option<V> {
        self.by_payer.get(&payer)?.get(&about).cloned()
    }

    fn insert(&mut self, payer: Payer, about: u64, value: V) {
        let before = self.by_payer.entry(payer).or_default().insert(about, value);
        self.count += usize::from(before.is_none());
    }

    fn remove(&mut self, payer: Payer, about: u64) {
        let Some(values) = self.by_payer.get_mut(&payer) else { return };
        self.count -= usize::from(values.remove(&about).is_some());
        if values.is_empty() {
            self.by_payer.remove(&payer);
        }
    }

    fn retain(&mut self, payer: Payer, passes: impl Fn(&V) -> bool) {
        let Some(values) = self.by_payer.get_mut(&payer) else { return };
        let before = values.len();
        values.retain(|_, value| passes(value));
        self.count -= before - values.len();
        if values.is_empty() {
            self.by_payer.remove(&payer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 8;

    fn payer(number: u8) -> Payer {
        Payer::from_bytes([number; 16])
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let mut remembered = Remembered::new(MOST);
        remembered.insert(payer(1), 0, 'a');
        remembered.insert(payer(1), 1, 'b');
        for number in 2..100 {
            let (used, _) = remembered.get(payer(1), 0).expect("what is used is remembered");
            remembered.insert(payer(1), 0, used);
            remembered.insert(payer(1), number, 'c');
        }
        assert_eq!(remembered.get(payer(1), 1), None);
    }

    #[test]
    fn a_look_up_says_when_a_value_is_about_to_be_forgotten() {
        let mut remembered = Remembered::new(MOST);
        remembered.insert(payer(1), 0, 'a');
        assert_eq!(remembered.get(payer(1), 0), Some(('a', Age::Young)));
        (1..=MOST as u64 / 2).for_each(|number| remembered.insert(payer(2), number, 'b'));
        assert_eq!(remembered.get(payer(1), 0), Some(('a', Age::Old)));
    }

    proptest! {
        /// Against a list of all that was put in and not taken out again.
        #[test]
        fn nothing_is_made_up_or_kept_beyond_the_bound(
            deeds in proptest::collection::vec((0..4u8, 0..4u8, 0..6u64, 0..100u8), 0..200),
        ) {
            let mut remembered = Remembered::new(MOST);
            let mut model: Vec<(u8, u64, u8)> = Vec::new();
            for (deed, whose, about, value) in deeds {
                match deed {
                    0 | 1 => {
                        model.retain(|(other, it, _)| (*other, *it) != (whose, about));
                        model.push((whose, about, value));
                        remembered.insert(payer(whose), about, value);
                    }
                    2 => {
                        model.retain(|(other, it, _)| (*other, *it) != (whose, about));
                        remembered.remove(payer(whose), about);
                    }
                    _ => {
                        model.retain(|(other, _, kept)| *other != whose || kept % 2 == 0);
                        remembered.retain(payer(whose), |kept| kept % 2 == 0);
                    }
                }
                prop_assert!(remembered.len() <= MOST);
                let mut found = 0;
                for whose in 0..4 {
                    for about in 0..6 {
                        if let Some((value, _)) = remembered.get(payer(whose), about) {
                            prop_assert!(model.contains(&(whose, about, value)));
                            found += 1;
                        }
                    }
                }
                prop_assert_eq!(found, remembered.len());
                let last = model.last().and_then(|(whose, about, _)| remembered.get(payer(*whose), *about));
                prop_assert!(model.is_empty() || deed > 1 || last.is_some());
            }
        }
    }
}
