//! When the numbers of two payers' calls show that the origin counts them together.
//!
//! Where it counts them apart, each has all the numbers from the first on, so the two have the same as soon as both have come as
//! far. That refutes a common count for good. Calls which the fleet does not see leave gaps, and the calls of two payers could
//! fall into one another's gaps by chance: so many times in turn, and with hardly a number left over, that is not believed.

use super::{Account, Numbers};
use core::time::Duration;

/// Whether `one` and `other`, which have no number in common, are counted together. What the calls of others account for that may
/// be counted with them leaves no gap; they are among `all` whose windows are the same.
pub(super) fn are_one(one: &Account, other: &Account, all: &[&Account]) -> bool {
    let counts = [one.numbers.count(), other.numbers.count()];
    let may_turn =
        counts.iter().all(|count| *count >= EACH_LEAST) && counts.iter().sum::<u32>() >= BOTH_LEAST;
    let takes_turns = || {
        let beside = all.iter().map(|it| &it.numbers);
        let beside = beside.filter(|it| !it.meet(&one.numbers) && !it.meet(&other.numbers));
        let mut all_beside = Numbers::default();
        beside.for_each(|numbers| _ = all_beside.merge(numbers));
        take_turns(&one.numbers, &other.numbers, &all_beside)
    };
    may_turn && takes_turns() && !has_rival(one, other, all)
        || takes_over(one, other, all)
        || takes_over(other, one, all)
}

/// Whether a third may fill the gaps of one of both, and so is not counted with the other. Of two users' tokens that call in step,
/// each could belong to either of the others then.
fn has_rival(one: &Account, other: &Account, all: &[&Account]) -> bool {
    let payers = [one.allowance.payer, other.allowance.payer];
    let thirds = all.iter().filter(|third| !payers.contains(&third.allowance.payer));
    thirds.map(|third| &third.numbers).any(|third| {
        let filled = match (third.meet(&one.numbers), third.meet(&other.numbers)) {
            (false, true) => &one.numbers,
            (true, false) => &other.numbers,
            (false, false) | (true, true) => return false,
        };
        third.count_between(filled.first().unwrap_or(0), filled.last()) >= EACH_LEAST
    })
}

/// Whether the calls of both fill one count.
fn take_turns(one: &Numbers, other: &Numbers, beside: &Numbers) -> bool {
    let last = one.last().max(other.last());
    let mut stretch = Stretch::default();
    for number in last.saturating_sub(Numbers::SPAN - 1)..=last {
        if one.contain(number) {
            stretch.add(Side::One);
        } else if other.contain(number) {
            stretch.add(Side::Other);
        } else if !beside.contain(number) {
            stretch.miss();
        }
        if stretch.is_enough() {
            return true;
        }
    }
    false
}

/// Numbers one after another, few of which nobody's calls have.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    one: u32,
    other: u32,
    missing: u32,
    turns: u32,
    last: Option<Side>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    One,
    Other,
}

impl Stretch {
    fn add(&mut self, side: Side) {
        match side {
            Side::One => self.one += 1,
            Side::Other => self.other += 1,
        }
        self.turns += u32::from(self.last.replace(side) != Some(side));
    }

    /// A call was made by others, or its answer was lost.
    fn miss(&mut self) {
        self.missing += 1;
        if self.missing > (self.one + self.other) / MISSING_EACH {
            *self = Self::default();
        }
    }

    fn is_enough(&self) -> bool {
        let each = self.one.min(self.other);
        each >= EACH_LEAST && self.one + self.other >= BOTH_LEAST && self.turns >= TURNS_LEAST
    }
}

/// Whether `later` goes on exactly where `former` was when it was first seen, and had not been seen before that; from any other it could not.
fn takes_over(former: &Account, later: &Account, all: &[&Account]) -> bool {
    let Some(first) = later.numbers.first() else { return false };
    let left_off = first - 1;
    let is_begun = later.used_first >= left_off && later.numbers.last() - first < Numbers::SPAN / 2;
    let is_watched = later.seen_first.saturating_since(former.seen_first) >= WATCHED_FOR;
    let has_led = former.numbers.count_between(first.saturating_sub(LED_FOR), left_off) == LED_FOR as u32;
    let mut followed = first..first + GOES_ON_FOR;
    let follows = followed.all(|it| later.numbers.contain(it) || former.numbers.contain(it));
    let goes_on = follows && u64::from(later.numbers.count()) >= GOES_ON_FOR;
    let mut beside = later.used_beside.iter();
    let was_there = beside.any(|(payer, used)| *payer == former.allowance.payer && *used >= left_off);
    let is_like_former = |third: &&&Account| third.numbers.contain(left_off);
    let is_the_only_one = || all.iter().filter(is_like_former).count() == 1;
    left_off >= TAKEN_OVER_LEAST
        && is_begun
        && is_watched
        && has_led
        && goes_on
        && was_there
        && is_the_only_one()
}

/// So many calls of both, one after another, are needed. Calls in step of two that are counted apart, half of which are made
/// outside of the fleet, would have to fall into one another's gaps that often.
const BOTH_LEAST: u32 = 40;

/// So many of them of each.
const EACH_LEAST: u32 = 10;

/// So often they have to take turns.
const TURNS_LEAST: u32 = 8;

/// One number in so many may be nobody's.
const MISSING_EACH: u32 = 8;

/// The least use from which another is believed to go on: anybody begins with little.
const TAKEN_OVER_LEAST: u64 = 10;

/// So many calls up to there were all made by the former.
const LED_FOR: u64 = 8;

/// The former was known for this time before the later was: after a start, a member is told of all at once.
const WATCHED_FOR: Duration = Duration::from_secs(1);

/// So many calls from there on are known. If the numbers of two users meet by chance, the former's next call has one of them.
const GOES_ON_FOR: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allowance, Bucket, Domain, Payer, Timestamp, Window};
    use alloc::vec;

    fn numbers(of: impl IntoIterator<Item = u64>) -> Numbers {
        let mut numbers = Numbers::default();
        of.into_iter().for_each(|number| _ = numbers.insert(number));
        numbers
    }

    fn account(used_first: u64, of: impl IntoIterator<Item = u64>) -> Account {
        let window = Window { limit: 5_000, used: used_first, ..Window::default() };
        let (payer, domain) = (Payer::from_bytes([1; 16]), Domain::ANONYMOUS);
        let allowance = Allowance { payer, domain, resource: "core".into(), bucket: Some(Bucket(0)), window };
        let seen_first = Timestamp::from_unix_millis(used_first * 1_000);
        let used_beside = vec![(payer, used_first)];
        Account { numbers: numbers(of), used_beside, ..Account::new(allowance, seen_first) }
    }

    /// The numbers from 1 to `last`: those that `is_one` says, and the others.
    fn parted(last: u64, is_one: impl Fn(u64) -> bool) -> (Numbers, Numbers) {
        (numbers((1..=last).filter(|it| is_one(*it))), numbers((1..=last).filter(|it| !is_one(*it))))
    }

    #[test]
    fn forty_calls_in_turn_without_a_gap_are_enough_and_fewer_or_too_few_of_one_or_turns_are_not() {
        let asks = |last, is_one: fn(u64) -> bool| {
            let (one, other) = parted(last, is_one);
            let beside = Numbers::default();
            assert_eq!(take_turns(&one, &other, &beside), take_turns(&other, &one, &beside));
            take_turns(&one, &other, &beside)
        };
        let alternate = |number: u64| number.is_multiple_of(2);
        assert!(asks(40, alternate) && !asks(39, alternate));
        let tenth = |number: u64| number.is_multiple_of(10);
        assert!(asks(100, tenth) && !asks(99, tenth));
        // Five turns, and eight.
        assert!(!asks(40, |number| number / 8 % 2 == 0) && asks(40, |number| number / 5 % 2 == 0));
    }

    #[test]
    fn a_number_in_eight_may_be_nobodys_and_others_calls_leave_no_gap() {
        let without = |every: u64| {
            let (one, other) = parted(300, |number| number % 3 == 0);
            let is_left = |number: &u64| !number.is_multiple_of(every);
            let all = |of: &Numbers| numbers((1..=300).filter(|it| of.contain(*it)).filter(is_left));
            (all(&one), all(&other))
        };
        for (every, expected) in [(20, true), (10, true), (8, false), (5, false)] {
            let (one, other) = without(every);
            assert_eq!(take_turns(&one, &other, &Numbers::default()), expected, "{every}");
            let beside = numbers((1..=300).filter(|number| number % every == 0));
            assert!(take_turns(&one, &other, &beside), "{every}");
        }
    }

    #[test]
    fn what_goes_on_where_another_has_left_off_takes_over() {
        let takes_over = |former: &Account, later: &Account| takes_over(former, later, &[former, later]);
        let former = account(1, 1..=20);
        assert!(takes_over(&former, &account(21, 21..=23)));
        assert!(takes_over(&former, &account(20, 21..=23)), "its first call was free");
        let both = account(1, (1..=20).chain([22]));
        assert!(takes_over(&both, &account(21, [21, 23, 24])), "both at once");
        assert!(!takes_over(&former, &account(21, 21..=22)), "two calls");
        assert!(!takes_over(&former, &account(22, 22..=30)), "a call between");
        assert!(!takes_over(&former, &account(5, 21..=23)), "it was there before");
        let before = Account { used_beside: vec![(former.allowance.payer, 19)], ..account(21, 21..=23) };
        assert!(!takes_over(&former, &before), "the former came there later");
        let told_at_once = Account { seen_first: Timestamp::from_unix_millis(1_999), ..account(21, 21..=23) };
        assert!(!takes_over(&former, &told_at_once));
        assert!(!takes_over(&account(1, 1..=9), &account(10, 10..=13)), "anybody begins with little");
        assert!(!takes_over(&account(1, [1, 2, 3, 15, 16, 17, 18, 19, 20]), &account(21, 21..=23)));
        assert!(!takes_over(&former, &account(1, [])) && !takes_over(&account(1, []), &former));
        let long = account(21, 21..=21 + Numbers::SPAN / 2);
        assert!(!takes_over(&former, &long), "what it had before is not remembered");
        let (later, third) = (account(21, 21..=23), account(15, 15..=20));
        assert!(!super::takes_over(&former, &later, &[&former, &later, &third]), "it could be the third");
        assert!(!are_one(&account(1, 1..=40), &account(1, 41..=43), &[]), "it was there before");
    }
}
