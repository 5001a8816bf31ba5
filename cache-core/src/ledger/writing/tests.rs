//! What the pace of writes promises of one node, and what members tell one another.

use super::{
    begun::{GRAIN, LOG_MAX},
    *,
};
use core::num::NonZeroU32;
use proptest::prelude::*;

pub(super) const PAYER: Payer = Payer::from_bytes([1; 16]);
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_700_000_000_000 + millis)
}

pub(super) fn peer(number: usize) -> PeerId {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    PeerId::from_public_key(key)
}

pub(super) fn pace(per_minute: u32, per_hour: u32) -> WritePace {
    let [per_minute, per_hour] = [per_minute, per_hour].map(NonZeroU32::new);
    WritePace { per_minute, per_hour, wait: Duration::ZERO }
}

/// Most of `begun`, in milliseconds and in order, within any time of `millis`.
pub(super) fn most_within(begun: &[u64], millis: u64) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (at, moment) in begun.iter().enumerate() {
        while begun[first] + millis <= *moment {
            first += 1;
        }
        most = most.max(at + 1 - first);
    }
    most
}

/// When a node by itself begins writes, each as soon as it may and one is wanted, as `wanted` says in milliseconds.
fn alone(pace: WritePace, wanted: &[u64]) -> Vec<u64> {
    let mut writing = Writing::new(pace, None);
    let mut begun = Vec::new();
    let mut now = 0;
    for wanted in wanted {
        now = now.max(*wanted);
        while let Turn::At(later) = writing.turn(&[PAYER], 1, at(now)) {
            let free = writing.free_at(&[PAYER], 0, at(now));
            assert_eq!(free, later, "what a client is told is when its turn comes");
            now = later.as_unix_millis() - at(0).as_unix_millis();
        }
        writing.begin(PAYER, at(now));
        begun.push(now);
    }
    begun
}

#[test]
fn a_node_by_itself_begins_eighty_at_once_and_the_next_a_minute_later() {
    let begun = alone(WritePace::default(), &[0; 200]);
    assert_eq!(begun[79], 0);
    assert_eq!((begun[80], begun[159]), (60_000, 60_000));
    assert_eq!(begun[160], 120_000);
}

#[test]
fn the_bound_of_the_hour_holds_besides_and_either_may_be_off() {
    let begun = alone(WritePace::default(), &[0; 501]);
    assert_eq!((begun[499], begun[500]), (360_000, 3_600_000));
    assert_eq!(alone(pace(0, 500), &[0; 501])[500], 3_600_000);
    assert_eq!(alone(pace(80, 0), &[0; 501])[500], 360_000);
    assert_eq!(alone(WritePace::FREE, &[0; 10_000])[9_999], 0);
}

proptest! {
    #[test]
    fn whenever_writes_are_wanted_no_more_are_begun_within_any_time_than_may_be(
        per_minute in 0..30_u32,
        per_hour in 0..60_u32,
        gaps in prop::collection::vec(prop_oneof![0..50_u64, 0..5_000_u64, 0..400_000_u64], 1..200),
    ) {
        let wanted: Vec<_> = gaps.iter().scan(0, |sum, gap| { *sum += gap; Some(*sum) }).collect();
        let begun = alone(pace(per_minute, per_hour), &wanted);
        for (most, millis) in [(per_minute, 60_000), (per_hour, 3_600_000)] {
            prop_assert!(most == 0 || most_within(&begun, millis) <= most as usize);
        }
        // None waits longer than it has to: at the moment before, it would have been one too many.
        for (number, (begun_at, wanted_at)) in begun.iter().zip(&wanted).enumerate() {
            let before = &begun[..number];
            let is_full = |most: u32, millis: u64| {
                let moment = begun_at.saturating_sub(2 * GRAIN.as_millis() as u64);
                most > 0 && before.iter().filter(|other| **other + millis > moment).count() >= most as usize
            };
            prop_assert!(begun_at == wanted_at || is_full(per_minute, 60_000) || is_full(per_hour, 3_600_000)
                || number > 0 && begun[number - 1] == *begun_at);
        }
    }

    #[test]
    fn a_write_behind_others_is_told_the_moment_at_which_its_turn_comes(
        begun in prop::collection::vec(0..3_600_000_u64, 0..60),
        per_minute in 1..10_u32,
        ahead in 0..40_u64,
    ) {
        let mut begun = begun;
        begun.sort_unstable();
        let pace = pace(per_minute, 0);
        let mut writing = Writing::new(pace, None);
        for moment in begun.into_iter().map(at) {
            if writing.turn(&[PAYER], 1, moment) == Turn::Now {
                writing.begin(PAYER, moment);
            }
        }
        let told = writing.free_at(&[PAYER], ahead, at(3_600_000));
        let mut now = at(3_600_000);
        for _ in 0..ahead {
            while let Turn::At(later) = writing.turn(&[PAYER], 1, now) { now = later; }
            writing.begin(PAYER, now);
        }
        while let Turn::At(later) = writing.turn(&[PAYER], 1, now) { now = later; }
        prop_assert!(told.saturating_since(now).max(now.saturating_since(told)) <= 2 * GRAIN);
    }
}

#[test]
fn a_write_that_was_not_made_after_all_counts_no_more() {
    let mut writing = Writing::new(pace(1, 0), None);
    let begun = writing.begin(PAYER, at(0));
    assert_eq!(writing.turn(&[PAYER], 1, at(0)), Turn::At(at(60_000)));
    writing.take_back(PAYER, begun);
    assert_eq!(writing.turn(&[PAYER], 1, at(0)), Turn::Now);
}

#[test]
fn payers_that_are_one_share_the_bound_and_others_have_their_own() {
    let other = Payer::from_bytes([2; 16]);
    let mut writing = Writing::new(pace(2, 0), None);
    writing.begin(PAYER, at(0));
    writing.begin(other, at(0));
    assert_eq!(writing.turn(&[PAYER], 1, at(0)), Turn::Now);
    assert_eq!(writing.turn(&[PAYER, other], 1, at(0)), Turn::At(at(60_000)));
}

/// Has `teller` tell `hearer` what is due, or what members tell one another as they connect.
fn tell(teller: &mut Writing, hearer: &mut Writing, now: Timestamp) {
    for told in teller.take_due(now).iter().chain(&teller.introduce(now)) {
        hearer.hear(told, now);
    }
}

fn member(number: usize, begun: u64, now: Timestamp) -> Writing {
    let mut member = Writing::new(pace(80, 0), Some(peer(number)));
    (0..begun).for_each(|_| _ = member.begin(PAYER, now));
    member
}

#[test]
fn a_member_that_comes_is_told_what_each_has_begun_and_what_those_had_that_are_away() {
    let now = at(20_000);
    let (mut one, mut other, mut away) = (member(0, 3, now), member(1, 5, now), member(2, 7, now));
    tell(&mut away, &mut one, now);
    let mut newcomer = member(3, 0, now);
    tell(&mut one, &mut newcomer, now);
    tell(&mut other, &mut newcomer, now);
    assert_eq!(newcomer.left(&[PAYER], now), Some(72));
    for told in one.present(peer(3), |writer| writer == peer(2), now) {
        assert!(newcomer.hear(&told, now));
        assert!(!newcomer.hear(&told, now), "the same is no news");
    }
    assert_eq!(newcomer.left(&[PAYER], now), Some(65));
    assert!(one.present(peer(3), |_| false, now).is_empty(), "the others tell it themselves");
}

#[test]
fn a_member_that_starts_again_is_told_what_it_had_begun_and_what_it_begins_then_counts_besides() {
    let now = at(20_000);
    let (mut before, mut other, mut third) = (member(0, 30, now), member(1, 0, now), member(2, 0, now));
    tell(&mut before, &mut other, now);
    let mut again = member(0, 0, now.saturating_add(SECOND));
    let now = now.saturating_add(2 * SECOND);
    again.begin(PAYER, now);
    for told in other.present(peer(0), |_| false, now) {
        assert!(again.hear(&told, now));
        assert!(!again.hear(&told, now), "the same is no news");
    }
    again.begin(PAYER, now);
    assert_eq!(again.left(&[PAYER], now), Some(48));
    let mut heard = |again: &mut Writing| {
        [&mut other, &mut third].map(|hearer| {
            tell(again, hearer, now);
            hearer.left(&[PAYER], now)
        })
    };
    assert_eq!(heard(&mut again), [Some(48); 2]);
    again.begin(PAYER, now);
    assert_eq!(heard(&mut again), [Some(47); 2]);
    let untold = again.begin(PAYER, now);
    again.take_back(PAYER, untold);
    assert_eq!(heard(&mut again), [Some(47); 2], "what is taken back before it is told counts nowhere");
}

#[test]
fn of_an_hour_each_age_counts_until_it_is_over_and_no_sooner() {
    let mut teller = Writing::new(pace(0, 500), Some(peer(0)));
    for minute in 0..60 {
        teller.begin(PAYER, at(minute * 60_000));
    }
    let now = at(59 * 60_000);
    let mut hearer = Writing::new(pace(0, 500), Some(peer(1)));
    teller.introduce(now).iter().for_each(|told| _ = hearer.hear(told, now));
    for minutes in [0, 10, 30, 59] {
        let now = at((59 + minutes) * 60_000);
        let [told, heard] = [&teller, &hearer].map(|it| 500 - it.left(&[PAYER], now).unwrap());
        assert!((told..=told + 5).contains(&heard), "after {minutes} minutes {told} and {heard}");
    }
    assert_eq!(hearer.left(&[PAYER], at(120 * 60_000)), Some(500));
}

#[test]
fn what_others_could_make_grow_is_bounded() {
    let payer = |number: usize| Payer::from_bytes((number as u128 + 1).to_be_bytes());
    let told = |payer, writer| Writes { payer, writer, total: 1, by_age: [u32::MAX; Writes::AGES.len()] };
    let mut writing = Writing::new(pace(80, 500), Some(peer(0)));
    (0..1_000).for_each(|number| _ = writing.hear(&told(payer(number), peer(1)), at(0)));
    assert_eq!(writing.payers.len(), PAYERS_MAX);
    (0..1_000).for_each(|number| _ = writing.hear(&told(PAYER, peer(number)), at(0)));
    assert!(writing.payers[&PAYER].begun.len() <= WRITERS_MAX);
    (0..100).for_each(|of| (0..200).for_each(|by| _ = writing.hear(&told(payer(of), peer(by)), at(0))));
    assert!(writing.payers.values().map(|of| of.begun.len()).sum::<usize>() <= LOGS_MAX);
    let mut free = Writing::new(pace(0, u32::MAX), None);
    for step in 0..40_000 {
        free.begin(PAYER, at(step * 50));
        assert!(free.payers[&PAYER].begun[&free.local].log().count() <= LOG_MAX);
    }
    let all = free.report(&[PAYER], at(39_999 * 50));
    assert_eq!((all.in_minute, all.in_hour), (1_200, 40_000), "none is forgotten, or counted for longer");
    (0..10_000).for_each(|step| _ = free.begin(PAYER, at(1_000_000 - step * 50)));
    assert!(free.payers[&PAYER].begun[&free.local].log().count() <= LOG_MAX, "a clock that is set back");
    assert!(writing.free_at(&[PAYER], u64::from(u32::MAX), at(0)) > at(0), "it is far away, and a moment");
    assert!(!writing.hear(&told(Payer::HOST, peer(1)), at(0)), "each host is another payer");
}
