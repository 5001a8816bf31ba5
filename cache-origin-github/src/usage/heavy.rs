//! Counts by many keys in little memory: heavy keys have rows of their own, and all others share one.
//!
//! Which keys are heavy is decided as in "Space-Saving" (Metwally, Agrawal, El Abbadi: "Efficient Computation of Frequent and
//! Top-k Elements in Data Streams", 2005): a new key takes the place, and the rank, of the lightest. What was counted for the key
//! that goes is added to the shared row. So a key that has more than one part in `most` of all notes has a row, whatever
//! the others are; a row counts since its key got it; and all rows together are exact.

use ahash::RandomState;
use std::{collections::HashMap, hash::Hash, ops::AddAssign};

/// Sums of `V` by key, in at most `most` rows and one for all other keys.
#[derive(Debug)]
pub(crate) struct HeavyRows<K, V> {
    rows: HashMap<K, Row<V>, RandomState>,
    others: V,
    most: usize,
}

#[derive(Debug)]
struct Row<V> {
    /// Notes of the key, and at first as many as the key had that gave way.
    rank: u64,
    sum: V,
}

impl<K, V> HeavyRows<K, V>
where
    K: Clone + Eq + Hash,
    V: AddAssign + Copy + Default,
{
    /// Without a row; `most` is at least 1.
    pub(crate) fn new(most: usize) -> Self {
        Self { rows: HashMap::default(), others: V::default(), most }
    }

    /// Lets `note` add to what is counted for `key`.
    pub(crate) fn note(&mut self, key: &K, note: impl FnOnce(&mut V)) {
        if let Some(row) = self.rows.get_mut(key) {
            row.rank += 1;
            note(&mut row.sum);
            return;
        }
        let rank = if self.rows.len() < self.most { 0 } else { self.make_room() };
        let mut sum = V::default();
        note(&mut sum);
        self.rows.insert(key.clone(), Row { rank: rank + 1, sum });
    }

    /// Takes the row of the lightest key away. Returns its rank.
    fn make_room(&mut self) -> u64 {
        let lightest = self.rows.iter().min_by_key(|(_, row)| row.rank).map(|(key, _)| key.clone());
        let Some(row) = lightest.and_then(|key| self.rows.remove(&key)) else { return 0 };
        self.others += row.sum;
        row.rank
    }

    /// The rows, in no order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&K, V)> {
        self.rows.iter().map(|(key, row)| (key, row.sum))
    }

    /// What was counted for keys that have no row.
    pub(crate) fn others(&self) -> V {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const MOST: usize = 4;

    fn noted(keys: impl IntoIterator<Item = u16>) -> HeavyRows<u16, u64> {
        let mut rows = HeavyRows::new(MOST);
        for key in keys {
            rows.note(&key, |sum| *sum += 1);
        }
        rows
    }

    proptest! {
        #[test]
        fn sums_are_exact_rows_are_bounded_and_a_heavy_key_has_one(
            keys in proptest::collection::vec(prop_oneof![0..3_u16, 0..200_u16], 0..400)
        ) {
            let rows = noted(keys.iter().copied());
            let mut exact = BTreeMap::<u16, u64>::new();
            for key in &keys {
                *exact.entry(*key).or_default() += 1;
            }
            let told: BTreeMap<u16, u64> = rows.rows().map(|(key, sum)| (*key, sum)).collect();
            prop_assert!(told.len() <= MOST);
            prop_assert_eq!(told.values().sum::<u64>() + rows.others(), keys.len() as u64);
            for (key, sum) in &told {
                prop_assert!(*sum <= exact[key], "{} of {}", sum, exact[key]);
            }
            for (key, count) in &exact {
                prop_assert!(*count * MOST as u64 <= keys.len() as u64 || told.contains_key(key), "{}", key);
            }
            if exact.len() <= MOST {
                prop_assert_eq!(told, exact);
            }
        }
    }

    #[test]
    fn a_flood_of_keys_stays_within_the_bound_and_leaves_the_heavy_one() {
        let rows = noted((0..60_000).flat_map(|key| if key % 3 == 0 { [7, 8] } else { [key, 7] }));
        assert_eq!(rows.rows().count(), MOST);
        let heavy = rows.rows().find(|(key, _)| **key == 7).map(|(_, sum)| sum);
        assert!(heavy.is_some_and(|sum| sum >= 60_000), "{heavy:?}");
        assert_eq!(rows.rows().map(|(_, sum)| sum).sum::<u64>() + rows.others(), 120_000);
    }
}
