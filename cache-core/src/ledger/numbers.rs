//! Which calls of a payer the fleet has made, by the numbers that the origin's count gave them.
//!
//! The answer to a call that costs one shows how many were used with it. That is the number of the call in its window, and no
//! other call of the same count has it, whichever member or credential makes it. So members have nothing to add up: what each
//! was shown is put together in any order, as often as it is told, and a member that starts again has counted nothing twice.

use crate::{Payer, Timestamp};
use alloc::boxed::Box;

/// The latest numbers that a count gave to the calls of one payer: of the last [`Self::SPAN`] that the origin may have given, those
/// that the fleet's own calls were shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Numbers {
    /// The highest; zero if there is none, as no call has that number.
    last: u64,
    /// The lowest bit of the first word stands for `last`, the next for the one before.
    shown: [u64; WORDS],
}

impl Numbers {
    /// So far back numbers are remembered: some seconds of the busiest fleet, ten minutes of a usual one.
    pub const SPAN: u64 = WORDS as u64 * 64;

    /// Most words that [`Self::words`] returns.
    pub const WORDS_MAX: usize = WORDS;

    /// The numbers up to `last` that the bits of `words` stand for, the lowest of the first word for `last` itself; `None` unless
    /// [`Self::last`] and [`Self::words`] of some numbers are these.
    pub fn from_words(last: u64, words: &[u64]) -> Option<Self> {
        let mut shown = [0; WORDS];
        shown.get_mut(..words.len())?.copy_from_slice(words);
        let numbers = Self { last, shown };
        let has_last = words.first().is_none_or(|word| word & 1 == 1) && (last == 0) == words.is_empty();
        let is_short = words.last().is_none_or(|word| *word != 0);
        (has_last && is_short && numbers.first().is_none_or(|first| first > 0)).then_some(numbers)
    }

    /// The highest number; zero if there is none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The bits that stand for the numbers, without words at the end that are zero.
    pub fn words(&self) -> &[u64] {
        let end = self.shown.iter().rposition(|word| *word != 0).map_or(0, |at| at + 1);
        &self.shown[..end]
    }

    /// Adds `number`, if it is not too far behind the highest. Returns whether it is new.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let mut shown = [0; WORDS];
        shown[0] = u64::from(number > 0);
        self.merge(&Self { last: number, shown })
    }

    /// Adds `others`, unless they are too far behind the highest. Returns whether any is new.
    pub(crate) fn merge(&mut self, others: &Self) -> bool {
        let last = self.last.max(others.last);
        let (own, others) = (self.seen_from(last), others.seen_from(last));
        let mut shown = own;
        shown.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
        let is_news = shown != own;
        *self = Self { last, shown };
        is_news
    }

    /// Whether a number is in both.
    pub(crate) fn meet(&self, others: &Self) -> bool {
        let last = self.last.max(others.last);
        let mut both = self.seen_from(last).into_iter().zip(others.seen_from(last));
        both.any(|(own, other)| own & other != 0)
    }

    pub(crate) fn contain(&self, number: u64) -> bool {
        let before = self.last.checked_sub(number).filter(|before| number > 0 && *before < Self::SPAN);
        before.is_some_and(|before| self.shown[place(before)] >> (before % 64) & 1 == 1)
    }

    /// The lowest number that is remembered.
    pub(crate) fn first(&self) -> Option<u64> {
        let at = self.shown.iter().rposition(|word| *word != 0)?;
        let before = at as u64 * 64 + u64::from(self.shown[at].ilog2());
        Some(self.last.saturating_sub(before))
    }

    pub(crate) fn count(&self) -> u32 {
        self.shown.iter().map(|word| word.count_ones()).sum()
    }

    /// How many there are from `first` to `last`.
    pub(crate) fn count_between(&self, first: u64, last: u64) -> u32 {
        let from = first.max(self.last.saturating_sub(Self::SPAN - 1));
        let counted = (from..=last.min(self.last)).map(|number| u32::from(self.contain(number)));
        counted.sum()
    }

    /// The bits that stand for the numbers if the lowest of the first word stands for `last`, which is not below them.
    fn seen_from(&self, last: u64) -> [u64; WORDS] {
        let by = last - self.last;
        if by >= Self::SPAN {
            return [0; WORDS];
        }
        let (words, bits) = (place(by), by % 64);
        let word = |at: Option<usize>| at.map_or(0, |at| self.shown[at]);
        core::array::from_fn(|at| {
            let carried = u128::from(word(at.checked_sub(words + 1))) << bits >> 64;
            word(at.checked_sub(words)) << bits | u64::try_from(carried).unwrap_or(u64::MAX)
        })
    }
}

/// In which word the bit is that is so many before the last.
fn place(before: u64) -> usize {
    usize::try_from(before / 64).unwrap_or(usize::MAX)
}

const WORDS: usize = 8;

/// The numbers of calls of one payer that draw on one allowance, in one window of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallNumbers {
    /// The payer whose calls they are.
    pub payer: Payer,
    /// The allowance in the origin's words: at most [`RESOURCE_BYTES_MAX`](crate::RESOURCE_BYTES_MAX) bytes.
    pub resource: Box<str>,
    /// Calls that the window allows.
    pub limit: u64,
    /// When the window ends, by the origin's clock.
    pub reset: Timestamp,
    /// The numbers, at least one.
    pub numbers: Numbers,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};
    use proptest::prelude::*;

    fn of(numbers: impl IntoIterator<Item = u64>) -> Numbers {
        let mut all = Numbers::default();
        numbers.into_iter().for_each(|number| _ = all.insert(number));
        all
    }

    /// The numbers that are remembered.
    fn listed(numbers: &Numbers) -> Vec<u64> {
        let from = numbers.last.saturating_sub(Numbers::SPAN + 5);
        (from..=numbers.last).filter(|number| numbers.contain(*number)).collect()
    }

    fn any_numbers() -> impl Strategy<Value = Vec<u64>> {
        let from = prop_oneof![Just(0), Just(1), 0..2_000u64, Just(u64::MAX - 1_500)];
        (from, prop::collection::vec(0..1_500u64, 0..60))
            .prop_map(|(from, numbers)| numbers.into_iter().map(|number| from + number).collect())
    }

    #[test]
    fn zero_is_no_number() {
        assert_eq!((of([0]), of([]).first(), of([]).last()), (Numbers::default(), None, 0));
        assert!(!Numbers::default().contain(0) && !of([1]).contain(0));
    }

    proptest! {
        #[test]
        fn they_are_a_set_of_those_that_are_not_too_far_behind_the_highest(
            one in any_numbers(),
            other in any_numbers(),
            asked in any::<prop::sample::Index>(),
        ) {
            let mut both = of(one.iter().copied());
            let before = listed(&both);
            let is_news = both.merge(&of(other.iter().copied()));
            let last = one.iter().chain(&other).copied().max().unwrap_or(0);
            let expected: BTreeSet<u64> = one
                .iter()
                .chain(&other)
                .copied()
                .filter(|number| *number > 0 && last - number < Numbers::SPAN)
                .collect();
            prop_assert_eq!(listed(&both), expected.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(is_news, expected.iter().any(|number| !before.contains(number)));
            prop_assert_eq!((both.first(), both.count() as usize), (expected.first().copied(), expected.len()));
            prop_assert_eq!(Numbers::from_words(both.last(), both.words()), Some(both));
            let (one, other) = (of(one), of(other));
            let is_in_both = |number: &u64| one.contain(*number) && other.contain(*number);
            prop_assert_eq!(one.meet(&other), listed(&one).iter().any(is_in_both));
            prop_assert_eq!(one.meet(&other), other.meet(&one));
            let number = last.saturating_sub(asked.index(600) as u64);
            prop_assert_eq!(both.contain(number), expected.contains(&number));
            prop_assert_eq!(both.count_between(number, last) as usize, expected.range(number..).count());
        }

        #[test]
        fn words_that_stand_for_no_numbers_are_refused_and_others_come_back(
            last in prop_oneof![0..600u64, any::<u64>()],
            words in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u64>()], 0..10),
        ) {
            if let Some(numbers) = Numbers::from_words(last, &words) {
                prop_assert_eq!((numbers.last(), numbers.words()), (last, &words[..]));
                prop_assert_eq!(of(listed(&numbers)), numbers);
            }
        }
    }

    #[test]
    fn each_form_that_is_refused_is_wrong_in_one_way() {
        assert!(Numbers::from_words(0, &[]).is_some() && Numbers::from_words(3, &[0b111]).is_some());
        let refused: [(u64, &[u64]); 6] =
            [(0, &[1]), (1, &[]), (3, &[0b110]), (3, &[0b1001]), (3, &[1, 0]), (9_999, &[1; 9])];
        for (last, words) in refused {
            assert_eq!(Numbers::from_words(last, words), None, "{last} {words:?}");
        }
    }
}
