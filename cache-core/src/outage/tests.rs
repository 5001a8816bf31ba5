//! Words of neighbours and calls of a node's own, one after the other.

use super::*;
use alloc::vec::Vec;

const HOLD_OFF: Duration = Duration::from_secs(10);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + millis)
}

fn peer(number: u8) -> PeerId {
    PeerId::from_public_key([number; 32])
}

fn outage() -> Outage {
    Outage::new(HOLD_OFF, 7)
}

const FAILING: OriginWord = OriginWord::Failing { since: Duration::ZERO };

fn reached(millis: u64) -> OriginWord {
    OriginWord::Reached { since: Duration::from_millis(millis) }
}

/// One that believes three others.
fn believing() -> Outage {
    let mut outage = outage();
    (1..=3).for_each(|number| _ = outage.on_told(peer(number), FAILING, at(0), 20));
    assert!(outage.report().is_some());
    outage
}

/// When the next call may be made.
fn next(outage: &Outage) -> u64 {
    let next = outage.report().expect("it is out of reach").attempt_at;
    u64::try_from(next.saturating_since(at(0)).as_millis()).expect("it is soon")
}

#[test]
fn two_members_are_not_believed_and_a_third_is() {
    let mut outage = outage();
    for _again in 0..5 {
        assert!(!outage.on_told(peer(1), FAILING, at(0), 20));
        outage.on_told(peer(2), FAILING, at(0), 20);
    }
    assert_eq!(outage.passage(at(0), false), Passage::Open);
    outage.on_told(peer(3), FAILING, at(0), 20);
    assert_eq!(outage.passage(at(0), false), Passage::Closed);
    assert_eq!(outage.report().map(|it| (it.own_failures, it.witnesses)), Some((0, 3)));
}

#[test]
fn what_was_said_some_time_ago_does_not_count() {
    let mut outage = outage();
    outage.on_told(peer(1), FAILING, at(0), 20);
    outage.on_told(peer(2), FAILING, at(0), 20);
    outage.on_told(peer(3), FAILING, at(10_000), 20);
    assert_eq!(outage.report(), None);
}

#[test]
fn this_node_is_one_of_three_and_of_two_that_are_all() {
    let mut among_many = outage();
    among_many.on_told(peer(1), FAILING, at(0), 20);
    among_many.on_told(peer(2), FAILING, at(0), 20);
    let told = among_many.on_unreached(at(0), at(10), 20);
    assert_eq!((told, among_many.report().is_some()), (Some(FAILING), true));
    let mut one_of_two = outage();
    one_of_two.on_told(peer(1), FAILING, at(0), 2);
    assert_eq!(one_of_two.report(), None, "the other one alone is not believed");
    one_of_two.on_unreached(at(0), at(10), 2);
    assert!(one_of_two.report().is_some());
}

#[test]
fn alone_a_node_believes_three_calls_of_its_own_one_after_the_other() {
    let mut outage = outage();
    // Ten that are under way together are one.
    (0..10).for_each(|number| _ = outage.on_unreached(at(number), at(100 + number), 1));
    outage.on_unreached(at(200), at(300), 1);
    assert_eq!(outage.report(), None);
    outage.on_unreached(at(400), at(500), 1);
    assert_eq!(outage.report().map(|it| it.own_failures), Some(3));
}

#[test]
fn a_call_that_gets_through_ends_the_streak() {
    let mut outage = outage();
    outage.on_unreached(at(0), at(10), 1);
    outage.on_unreached(at(20), at(30), 1);
    assert_eq!(outage.on_reached(at(40), at(50)), None);
    outage.on_unreached(at(60), at(70), 1);
    outage.on_unreached(at(80), at(90), 1);
    assert_eq!(outage.report(), None);
    // A minute later nothing is left of it.
    outage.on_unreached(at(60_090), at(60_091), 1);
    assert_eq!(outage.report(), None);
}

#[test]
fn without_a_hold_off_every_call_is_tried() {
    let mut outage = Outage::new(Duration::ZERO, 7);
    (0..100).for_each(|step| _ = outage.on_unreached(at(10 * step), at(10 * step + 5), 1));
    assert_eq!(outage.passage(at(1_000), false), Passage::Open);
}

#[test]
fn a_node_whose_calls_get_through_contradicts_soon_unless_another_does() {
    let mut outage = outage();
    outage.on_reached(at(1_000), at(1_050));
    for number in 1..=3 {
        let failing = OriginWord::Failing { since: Duration::from_millis(1_500) };
        outage.on_told(peer(number), failing, at(2_000), 20);
    }
    assert_eq!(outage.report(), None);
    let due = outage.next_telling().expect("it contradicts");
    assert!((at(2_000)..=at(2_200)).contains(&due), "{due}");
    let mut second = Outage::new(HOLD_OFF, 9);
    (second.succeeded, second.reached) = (outage.succeeded, outage.reached);
    second.contradict_at = outage.contradict_at;
    assert_eq!(
        outage.take_due(due),
        Some(reached(u64::try_from(due.saturating_since(at(1_000)).as_millis()).unwrap()))
    );
    assert_eq!((outage.next_telling(), outage.take_due(due)), (None, None));
    second.on_told(peer(8), reached(0), at(2_010), 20);
    assert_eq!(second.take_due(due), None, "another was faster");
}

#[test]
fn members_whose_calls_fail_since_before_others_got_through_are_not_believed_again() {
    let mut outage = believing();
    assert!(outage.on_told(peer(9), reached(0), at(100), 20), "the origin is back");
    assert_eq!(outage.passage(at(100), false), Passage::Open);
    for number in 1..=10 {
        let failing = OriginWord::Failing { since: Duration::from_secs(5) };
        outage.on_told(peer(number), failing, at(4_000), 20);
    }
    assert_eq!(outage.report(), None);
    (1..=3).for_each(|number| _ = outage.on_told(peer(number), FAILING, at(4_000), 20));
    assert!(outage.report().is_some(), "they fail anew");
}

#[test]
fn a_call_that_began_before_the_outage_says_nothing_of_it() {
    let mut outage = outage();
    let failing = OriginWord::Failing { since: Duration::from_millis(50) };
    (1..=3).for_each(|number| _ = outage.on_told(peer(number), failing, at(1_000), 20));
    assert_eq!(outage.on_reached(at(900), at(1_010)), None);
    assert!(!outage.on_told(peer(9), reached(100), at(1_010), 20));
    assert!(outage.report().is_some());
    assert_eq!(outage.on_reached(at(1_020), at(1_060)), Some(reached(40)));
    assert_eq!(outage.report(), None);
}

#[test]
fn the_first_whose_time_has_come_tries_and_the_others_wait_for_it() {
    let (mut ours, mut theirs) = (believing(), believing());
    let first = next(&ours);
    assert!((1_000..=2_000).contains(&first), "{first}");
    assert_eq!(ours.passage(at(first - 1), false), Passage::Closed);
    assert_eq!(ours.passage(at(first), false), Passage::Open);
    assert_eq!(ours.begin(at(first)), Begun::Trial { word: OriginWord::Trying });
    assert_eq!(ours.passage(at(first), false), Passage::Tried);
    assert_eq!(ours.begin(at(first)), Begun::Usual);
    theirs.on_told(peer(9), OriginWord::Trying, at(first), 20);
    assert_eq!(theirs.passage(at(first), false), Passage::Tried);
    // It comes to nothing: all wait, for longer than before.
    let word = ours.on_unreached(at(first), at(first + 100), 20).expect("the others wait for it");
    theirs.on_told(peer(9), word, at(first + 100), 20);
    for outage in [&ours, &theirs] {
        assert_eq!(outage.passage(at(first + 100), false), Passage::Closed);
        assert!((first + 2_100..=first + 4_100).contains(&next(outage)), "{}", next(outage));
    }
}

#[test]
fn no_wait_is_longer_than_the_hold_off() {
    let mut outage = believing();
    let mut now = next(&outage);
    for _round in 0..50 {
        outage.begin(at(now));
        assert!(next(&outage) <= now + 10_000);
        outage.on_unreached(at(now), at(now + 50), 20);
        assert!((now + 50..=now + 10_050).contains(&next(&outage)));
        now = next(&outage);
    }
}

#[test]
fn a_member_that_tries_and_says_nothing_or_is_gone_is_replaced() {
    let mut outage = believing();
    outage.on_told(peer(9), OriginWord::Trying, at(1_000), 20);
    let waits_until = next(&outage);
    assert!((6_000..=11_000).contains(&waits_until), "{waits_until}");
    assert_eq!(outage.passage(at(waits_until), false), Passage::Open);
    outage.on_gone(peer(8), at(1_100));
    assert_eq!(next(&outage), waits_until);
    outage.on_gone(peer(9), at(1_100));
    let replaced_at = next(&outage);
    assert!((2_100..=3_100).contains(&replaced_at));
    // Its trial may go on where only the link has ended: nobody is refused before another tries.
    assert_eq!(outage.passage(at(replaced_at - 1), false), Passage::Tried);
    assert_eq!(outage.passage(at(replaced_at), false), Passage::Open);
}

#[test]
fn a_member_that_tries_over_and_over_is_waited_for_once_in_three_hold_offs() {
    let mut outage = believing();
    outage.on_told(peer(9), OriginWord::Trying, at(1_000), 20);
    let until = next(&outage);
    for again in 1..29 {
        outage.on_told(peer(9), OriginWord::Trying, at(1_000 + 1_000 * again), 20);
    }
    assert_eq!(next(&outage), until);
    outage.on_told(peer(9), OriginWord::Trying, at(31_000), 20);
    assert!(next(&outage) > 31_000);
}

#[test]
fn of_many_that_try_only_so_many_are_remembered_and_waited_for() {
    let mut outage = believing();
    (0..=200).for_each(|number| _ = outage.on_told(peer(number), OriginWord::Trying, at(1_000), 255));
    assert_eq!(outage.tries.len(), TRIERS_MAX);
    let until = next(&outage);
    outage.on_told(peer(201), OriginWord::Trying, at(5_000), 255);
    assert_eq!(next(&outage), until);
}

#[test]
fn of_many_that_say_that_their_calls_fail_only_so_many_are_kept() {
    let mut outage = outage();
    (0..=255).for_each(|number| _ = outage.on_told(peer(number), FAILING, at(0), 300));
    assert_eq!(outage.witnesses.len(), WITNESSES_MAX);
    outage.on_told(peer(255), FAILING, at(10_000), 300);
    assert_eq!(outage.witnesses.len(), 1, "the others spoke too long ago");
}

#[test]
fn a_node_whose_own_line_is_broken_believes_itself_and_tries_once_when_others_get_through() {
    let mut outage = outage();
    let words: Vec<_> =
        (0..3).filter_map(|step| outage.on_unreached(at(1_000 * step), at(1_000 * step + 10), 20)).collect();
    assert_eq!((words.len(), outage.report().map(|it| it.witnesses)), (3, Some(0)));
    assert!(!outage.is_of_all(at(2_010)));
    outage.on_told(peer(1), reached(0), at(2_100), 20);
    assert_eq!(outage.passage(at(2_100), false), Passage::Open);
    assert_eq!(outage.begin(at(2_100)), Begun::Trial { word: OriginWord::Trying });
    let told = outage.on_unreached(at(2_100), at(2_200), 20).expect("its trial has ended");
    assert_eq!(told, OriginWord::Failing { since: Duration::from_millis(2_190) }, "as before");
    let mut other = self::outage();
    other.on_told(peer(1), reached(0), at(2_100), 20);
    (2..=9).for_each(|number| _ = other.on_told(peer(number), told, at(2_200), 20));
    assert_eq!((other.report(), other.next_telling()), (None, None), "the others know better");
    let until = next(&outage);
    outage.on_told(peer(2), reached(0), at(2_300), 20);
    assert_eq!((next(&outage), outage.passage(at(2_300), false)), (until, Passage::Closed));
    assert_eq!(outage.on_reached(at(until), at(until + 50)), Some(reached(50)));
    assert_eq!(outage.report(), None);
}

#[test]
fn a_write_is_tried_until_a_call_of_this_node_has_failed() {
    let mut outage = believing();
    assert_eq!(outage.passage(at(0), true), Passage::Open);
    assert_eq!(outage.begin(at(0)), Begun::Usual, "nobody waits for a write");
    outage.on_unreached(at(0), at(100), 20);
    assert_eq!(outage.passage(at(100), true), Passage::Closed);
}

#[test]
fn a_trial_of_which_nothing_is_known_is_soon_made_again() {
    let mut outage = believing();
    let first = next(&outage);
    outage.begin(at(first));
    outage.on_unknown(at(first), at(first + 100));
    assert!((first + 1_100..=first + 2_100).contains(&next(&outage)));
}

#[test]
fn a_newcomer_hears_from_those_whose_own_calls_fail() {
    let mut outage = believing();
    assert_eq!(outage.present(at(10)), None, "hearsay");
    outage.on_unreached(at(0), at(20), 20);
    assert_eq!(outage.present(at(30)), Some(OriginWord::Failing { since: Duration::from_millis(10) }));
    assert_eq!(outage.present(at(60_020)), None, "long ago");
}

#[test]
fn once_enough_have_said_so_others_need_not() {
    let mut outage = believing();
    assert_eq!(outage.on_unreached(at(0), at(50), 20), None);
}

#[test]
fn a_call_that_took_too_long_says_nothing_where_one_that_began_later_got_through() {
    let mut outages: Vec<_> = (0..3).map(|_| outage()).collect();
    for outage in &mut outages {
        outage.on_reached(at(9_000), at(9_100));
    }
    // All call for something that hangs; everything else is answered.
    let words: Vec<_> = outages.iter_mut().map(|outage| outage.on_unreached(at(0), at(15_000), 3)).collect();
    assert_eq!(words, [None; 3]);
    // One that began after the last that got through says something.
    assert_eq!(outages[0].on_unreached(at(9_001), at(24_001), 3), Some(FAILING));
}

/// A member whose calls fail, as all others' do.
fn failing_together() -> Outage {
    let mut outage = believing();
    outage.on_unreached(at(0), at(10), 20);
    assert!(outage.is_of_all(at(10)));
    outage
}

#[test]
fn members_try_in_turn_again_when_an_origin_that_was_back_is_gone_again() {
    let mut outage = failing_together();
    outage.on_told(peer(1), reached(0), at(3_000), 20);
    assert_eq!(outage.report(), None);
    // What failed before the origin was back is no sign that this node's own line is broken.
    assert_eq!(outage.on_unreached(at(4_000), at(4_010), 20), Some(FAILING));
    (2..=3).for_each(|number| _ = outage.on_told(peer(number), FAILING, at(4_020), 20));
    assert!(outage.is_of_all(at(4_020)));
    let next = next(&outage);
    assert_eq!(outage.begin(at(next)), Begun::Trial { word: OriginWord::Trying });
}

#[test]
fn of_lines_that_stay_broken_the_others_hear_once_more_and_then_no_more_for_three_hold_offs() {
    let mut outage = failing_together();
    let mut told = Vec::new();
    for step in 1..=9 {
        let now = 3_000 * step;
        outage.on_told(peer(9), reached(0), at(now), 20);
        told.extend(outage.on_unreached(at(now + 500), at(now + 510), 20).map(|_| step));
        (1..=3).for_each(|number| _ = outage.on_told(peer(number), FAILING, at(now + 520), 20));
    }
    assert_eq!(told, [1]);
}

#[test]
fn what_failed_long_ago_speaks_neither_against_a_write_nor_for_a_broken_line() {
    let mut outage = outage();
    outage.on_unreached(at(0), at(10), 20);
    outage.on_told(peer(9), reached(0), at(1_000), 20);
    (1..=3).for_each(|number| _ = outage.on_told(peer(number), FAILING, at(3_600_000), 20));
    assert_eq!(outage.passage(at(3_600_000), true), Passage::Open);
    let next = next(&outage);
    assert_eq!(outage.begin(at(next)), Begun::Trial { word: OriginWord::Trying });
}

#[test]
fn a_node_that_waits_for_a_members_trial_tries_at_once_when_that_gets_through() {
    let mut outage = outage();
    (0..3).for_each(|step| _ = outage.on_unreached(at(1_000 * step), at(1_000 * step + 10), 20));
    outage.on_told(peer(1), reached(0), at(2_100), 20);
    // Before this node has something to call for, another whose calls failed tries.
    outage.on_told(peer(2), OriginWord::Trying, at(2_110), 20);
    assert_eq!(outage.passage(at(2_110), false), Passage::Tried);
    outage.on_told(peer(2), reached(0), at(2_150), 20);
    assert_eq!(outage.passage(at(2_150), false), Passage::Open);
}
