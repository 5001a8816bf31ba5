//! What the ledger promises, by itself and among members that tell one another.

use super::*;
use crate::Domain;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// More than any test of something else has under way.
const AT_ONCE: u64 = 10_000;

fn of(members: u64) -> Spenders {
    Spenders { members, districts: 1 }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn payer(number: u16) -> Payer {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Payer::from_bytes(bytes)
}

/// What an answer shows when `used` calls of a hundred are made, in a window that ends at `reset`.
fn shown(payer: Payer, used: u64, reset: Timestamp) -> Allowance {
    Allowance {
        payer,
        domain: Domain::ANONYMOUS,
        resource: "core".into(),
        bucket: Some(Bucket(0)),
        window: Window { limit: 100, remaining: 100 - used, used, reset },
    }
}

fn reserves() -> Reserves {
    Reserves::NONE.with(Priority::Batch, 20).unwrap().with(Priority::Normal, 5).unwrap()
}

fn go(ledger: &mut Ledger, priority: Priority, now: Timestamp) -> bool {
    matches!(ledger.decide((payer(1), Bucket(0)), priority, now, of(1)), Decision::Go)
}

#[test]
fn each_class_stops_where_its_reserve_begins_and_the_critical_one_at_the_origin_alone() {
    let (now, reset) = (at(1_000), at(60_000));
    for (used, expected) in [
        (0, [true, true, true]),
        (79, [true, true, true]),
        (80, [false, true, true]),
        (94, [false, true, true]),
        (95, [false, false, true]),
        (100, [false, false, true]),
    ] {
        let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
        ledger.note(shown(payer(1), used, reset), (now, now), of(1));
        assert_eq!(Priority::ALL.map(|class| go(&mut ledger, class, now)), expected, "{used}");
        let after = reset.saturating_add(10 * SECOND);
        assert_eq!(Priority::ALL.map(|class| go(&mut ledger, class, after)), [true; 3], "after the window");
    }
}

#[test]
fn without_reserves_no_call_is_refused_and_none_waits() {
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    ledger.note(shown(payer(1), 100, at(60_000)), (at(1), at(1)), of(20));
    for _ in 0..1000 {
        ledger.begin((payer(1), Bucket(0)), at(2));
    }
    assert!(Priority::ALL.into_iter().all(|class| go(&mut ledger, class, at(2))));
}

#[test]
fn the_other_allowances_of_a_payer_and_other_payers_are_not_concerned() {
    let (now, reset) = (at(1_000), at(60_000));
    let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
    let search =
        Allowance { resource: "search".into(), bucket: Some(Bucket(1)), ..shown(payer(1), 100, reset) };
    ledger.note(search, (now, now), of(1));
    ledger.note(shown(payer(2), 100, reset), (now, now), of(1));
    assert!(go(&mut ledger, Priority::Batch, now));
    let search = ledger.decide((payer(1), Bucket(1)), Priority::Batch, now, of(1));
    assert!(matches!(search, Decision::Refused(Failure::Reserved { kept: 20, .. })), "{search:?}");
}

#[test]
fn more_calls_than_a_share_of_what_is_left_wait_until_some_have_ended() {
    let (now, purse) = (at(1_000), (payer(1), Bucket(0)));
    let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
    ledger.note(shown(payer(1), 40, at(60_000)), (now, now), of(1));
    for made in 0..10 {
        assert!(go(&mut ledger, Priority::Batch, now), "{made}");
        ledger.begin(purse, now);
    }
    let waits = ledger.decide(purse, Priority::Batch, now, of(1));
    assert_eq!(waits, Decision::Wait(now.saturating_add(LOOK_AGAIN)));
    assert!(go(&mut ledger, Priority::Critical, now));
    ledger.end(purse);
    assert!(go(&mut ledger, Priority::Batch, now));
}

#[test]
fn calls_that_began_before_any_answer_are_counted_until_they_end() {
    let (now, purse) = (at(1_000), (payer(1), Bucket(0)));
    let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
    for _ in 0..10 {
        assert!(go(&mut ledger, Priority::Batch, now));
        ledger.begin(purse, now);
    }
    ledger.end(purse);
    ledger.note(shown(payer(1), 60, at(60_000)), (now, now), of(1));
    // Nine are under way, and five may be.
    for _ in 0..4 {
        assert!(!go(&mut ledger, Priority::Batch, now));
        ledger.end(purse);
    }
    assert!(!go(&mut ledger, Priority::Batch, now));
    ledger.end(purse);
    assert!(go(&mut ledger, Priority::Batch, now));
    ledger.begin(purse, now);
    assert!(!go(&mut ledger, Priority::Batch, now));
}

#[test]
fn what_is_far_from_any_reserve_is_told_within_the_time_given_and_what_is_near_at_once() {
    let (now, later) = (at(1_000), at(2_000));
    let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
    ledger.pacing.note_told(payer(1), now);
    ledger.note(shown(payer(1), 1, at(60_000)), (now, later), of(2));
    assert_eq!(ledger.next_due(), Some(later));
    assert_eq!(ledger.take_due(now, 10), []);
    // Of seventy that are left before batch calls stop, eight are what one of two members may leave unsaid.
    ledger.note(shown(payer(1), 10, at(60_000)), (now, later), of(2));
    assert_eq!(ledger.take_due(now, 10), [shown(payer(1), 10, at(60_000))]);
    assert_eq!(ledger.next_due(), None);
    ledger.note(shown(payer(1), 79, at(60_000)), (now, later), of(2));
    ledger.take_due(now, 10);
    ledger.note(shown(payer(1), 80, at(60_000)), (now, later), of(2));
    assert_eq!(ledger.next_due(), Some(now));
}

#[test]
fn what_another_member_has_told_already_is_not_told() {
    let (now, later) = (at(1_000), at(2_000));
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    ledger.pacing.note_told(payer(1), now);
    ledger.note(shown(payer(1), 10, at(60_000)), (now, later), of(2));
    assert!(!ledger.hear(shown(payer(1), 9, at(60_000)), now));
    assert_eq!(ledger.next_due(), Some(later));
    assert!(ledger.hear(shown(payer(1), 11, at(60_000)), now));
    assert_eq!(ledger.next_due(), None);
    assert!(!ledger.hear(shown(payer(1), 11, at(60_000)), now), "it is no news a second time");
    ledger.note(shown(payer(1), 10, at(60_000)), (now, later), of(2));
    assert_eq!(ledger.next_due(), None, "an answer was overtaken");
}

#[test]
fn that_a_member_calls_is_told_at_once_and_again_while_it_does_whatever_others_have_told() {
    let (first, soon, again, reset) = (at(1_000), at(2_000), at(21_000), at(60_000));
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    ledger.hear(shown(payer(1), 10, reset), first);
    ledger.note(shown(payer(1), 9, reset), (first, soon), of(2));
    assert_eq!(ledger.take_due(first, 10), [shown(payer(1), 10, reset)]);
    ledger.note(shown(payer(1), 10, reset), (soon, soon), of(2));
    assert_eq!(ledger.take_due(soon, 10), []);
    ledger.note(shown(payer(1), 11, reset), (again, reset), of(2));
    assert!(!ledger.hear(shown(payer(1), 11, reset), again));
    assert_eq!(ledger.take_due(again, 10), [shown(payer(1), 11, reset)]);
}

#[test]
fn calls_at_once_are_counted_over_all_allowances_of_a_payer() {
    let now = at(1_000);
    let mut ledger = Ledger::new(Reserves::NONE, 2, None);
    ledger.begin((payer(1), Bucket(0)), now);
    ledger.begin((payer(1), Bucket(255)), now);
    ledger.begin((payer(2), Bucket(1)), now);
    let mut waits = |payer, priority| match ledger.decide((payer, Bucket(7)), priority, now, of(1)) {
        Decision::Wait(until) => Some(until.saturating_since(now)),
        Decision::Go | Decision::Return(_) | Decision::Refused(_) => None,
    };
    let of_one = [Priority::Normal, Priority::Critical].map(|priority| waits(payer(1), priority));
    assert_eq!(of_one, [Some(LOOK_AGAIN), Some(LOOK_AGAIN / 4)], "what matters more comes first");
    assert_eq!(waits(payer(2), Priority::Normal), None);
}

#[test]
fn what_a_reserve_held_back_returns_slowly_when_the_window_ends() {
    let (now, reset) = (at(1_000), at(60_000));
    let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
    ledger.note(shown(payer(1), 80, reset), (now, now), of(1));
    assert!(!go(&mut ledger, Priority::Batch, now));
    assert!(go(&mut ledger, Priority::Normal, now), "it may go on meanwhile");
    ledger.begin((payer(1), Bucket(0)), reset);
    let returns = ledger.decide((payer(1), Bucket(0)), Priority::Batch, reset, of(1));
    assert_eq!(returns, Decision::Return(reset.saturating_add(LOOK_AGAIN)));
    assert!(go(&mut ledger, Priority::Batch, reset.saturating_add(10 * SECOND)));
}

#[test]
fn a_payer_has_one_name_in_all_its_rows_that_of_the_domain_which_it_shares() {
    let (now, reset) = (at(1_000), at(60_000));
    let own = Domain::from_bytes(*payer(1).as_bytes());
    for shared in [Domain::from_bytes([0; 16]), Domain::from_bytes([9; 16])] {
        let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
        for (resource, domain) in [("graphql", own), ("core", shared), ("search", own)] {
            let shown = Allowance { resource: resource.into(), domain, ..shown(payer(1), 1, reset) };
            ledger.note(shown, (now, now), of(1));
        }
        let names: Vec<_> = ledger.report(now).iter().map(|it| it.allowance.domain).collect();
        assert_eq!(names, [shared; 3]);
    }
}

/// Payer 1 makes twenty calls from number `from` on, then payer 2 goes on with three; each is told an end of the window.
fn become_one(ledger: &mut Ledger, from: u64, [first, second]: [Timestamp; 2]) {
    for used in from..from + 23 {
        let is_first = used < from + 20;
        let (payer, reset) = if is_first { (payer(1), first) } else { (payer(2), second) };
        let now = if is_first { at(59_000) } else { at(60_000) };
        ledger.note(shown(payer, used, reset), (now, now), of(1));
        ledger.count(&shown(payer, used, reset), now);
    }
    assert_eq!(ledger.one_with(payer(1)), [payer(1), payer(2)]);
}

#[test]
fn payers_that_are_one_have_one_account_one_reserve_and_one_pause() {
    let (reset, now) = (at(3_600_000), at(60_000));
    let mut ledger = Ledger::new(reserves(), 2, None);
    become_one(&mut ledger, 1, [reset, reset]);
    let told = |ledger: &Ledger| {
        let reports = ledger.report(now).into_iter();
        reports.map(|it| (it.allowance.payer, it.allowance.window.used, it.also.len())).collect::<Vec<_>>()
    };
    assert_eq!(
        told(&ledger),
        [(payer(1), 23, 1)],
        "the row has the name of the first, whichever called last"
    );
    ledger.note(shown(payer(1), 80, reset), (now, now), of(1));
    assert_eq!(told(&ledger), [(payer(1), 80, 1)]);
    ledger.note(shown(payer(2), 30, reset), (now, now), of(1));
    assert_eq!(told(&ledger), [(payer(1), 80, 0), (payer(2), 30, 0)], "that is too little to be one");
    let mut ledger = Ledger::new(reserves(), 2, None);
    become_one(&mut ledger, 59, [reset, reset]);
    assert_eq!(told(&ledger), [(payer(1), 81, 1)]);
    let mut decide = |payer, bucket| ledger.decide((payer, Bucket(bucket)), Priority::Batch, now, of(1));
    assert!(
        matches!(decide(payer(1), 0), Decision::Refused(Failure::Reserved { seen, .. }) if seen.used == 81)
    );
    assert_eq!((decide(payer(1), 1), decide(payer(2), 1)), (Decision::Go, Decision::Go));
    ledger.begin((payer(1), Bucket(1)), now);
    ledger.begin((payer(2), Bucket(1)), now);
    let waits = ledger.decide((payer(1), Bucket(2)), Priority::Batch, now, of(1));
    assert!(matches!(waits, Decision::Wait(_)), "{waits:?}");
    ledger.hold((payer(2), Bucket(1)), (now, SECOND), Shortage::Pace, of(1));
    assert!(ledger.held((payer(1), Bucket(0)), now).is_some());
    assert!(!ledger.knows_pause((payer(1), Bucket(0)), now), "others have to be told of it by name");
    assert!(ledger.report(now)[0].paused.is_some());
    assert!(ledger.held((payer(3), Bucket(0)), now).is_none());
}

#[test]
fn of_payers_that_are_one_the_higher_use_counts_whichever_end_of_the_window_each_is_told() {
    let (reset, later, now) = (at(3_600_000), at(3_601_000), at(60_000));
    for (first, second) in [(reset, later), (later, reset)] {
        let mut ledger = Ledger::new(reserves(), AT_ONCE, None);
        become_one(&mut ledger, 51, [first, second]);
        ledger.note(shown(payer(1), 80, first), (now, now), of(1));
        let rows: Vec<_> = ledger.report(now).iter().map(|it| it.allowance.window.used).collect();
        assert_eq!(rows, [80]);
        let refused = ledger.decide((payer(2), Bucket(0)), Priority::Batch, now, of(1));
        assert!(matches!(refused, Decision::Refused(Failure::Reserved { .. })), "{refused:?}");
    }
}

#[test]
fn what_this_host_may_call_is_told_to_nobody_and_believed_of_nobody() {
    let (now, host) = (at(1_000), shown(Payer::HOST, 10, at(60_000)));
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    assert!(!ledger.hear(host.clone(), now));
    assert!(ledger.report(now).is_empty());
    ledger.note(host, (now, now), of(2));
    assert_eq!((ledger.next_due(), ledger.present(now).count()), (None, 0));
}

#[test]
fn no_member_is_believed_about_a_window_that_ends_later_than_any() {
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    let end = at(0).saturating_add(WINDOW_MAX);
    assert!(!ledger.hear(shown(payer(1), 10, end.saturating_add(SECOND)), at(0)));
    assert!(ledger.report(at(0)).is_empty());
    assert!(ledger.hear(shown(payer(1), 10, end), at(0)));
}

#[test]
fn beyond_the_bound_the_account_longest_without_news_is_forgotten() {
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    for number in 0..=u16::try_from(ACCOUNTS_MAX).unwrap() {
        ledger.note(shown(payer(number), 1, at(60_000)), (at(1), at(1)), of(1));
        ledger.note(shown(payer(1), 2, at(60_000)), (at(1), at(1)), of(1));
    }
    let payers: Vec<_> = ledger.report(at(1)).into_iter().map(|it| it.allowance.payer).collect();
    assert_eq!((payers.len(), payers[0], payers[ACCOUNTS_MAX - 1]), (ACCOUNTS_MAX, payer(2), payer(1)));
}

#[test]
fn a_forecast_follows_the_rate_of_the_last_quarter_of_an_hour() {
    let reset = at(3_600_000);
    let mut ledger = Ledger::new(Reserves::NONE, AT_ONCE, None);
    // One call each minute for half an hour, then two.
    let mut used = 0;
    for minute in 0..=45u64 {
        used += if minute > 30 { 2 } else { 1 };
        let window = Window { limit: 100, remaining: 100 - used, used, reset };
        let allowance = Allowance { window, ..shown(payer(1), used, reset) };
        ledger.note(allowance, (at(minute * 60_000), at(0)), of(1));
    }
    let now = at(45 * 60_000);
    let report = &ledger.report(now)[0];
    assert_eq!((report.allowance.window.used, report.per_hour), (61, Some(120)));
    assert_eq!(report.spent_at, None, "39 calls at two a minute last beyond the hour");
    let window = Window { limit: 100, remaining: 10, used: 90, reset };
    ledger.note(Allowance { window, ..shown(payer(1), 90, reset) }, (at(46 * 60_000), at(0)), of(1));
    let report = &ledger.report(at(46 * 60_000))[0];
    // 57 calls in the last quarter of an hour: ten more take 157 seconds.
    assert_eq!((report.per_hour, report.spent_at), (Some(228), Some(at(46 * 60_000 + 157_894))));
    assert_eq!(ledger.report(reset)[0].per_hour, None);
}

/// Members that share one allowance of `limit`, each with calls under way.
struct World {
    ledgers: Vec<Ledger>,
    /// The members whose calls are under way, the first answered first.
    under_way: Vec<usize>,
    used: u64,
    limit: u64,
    now: Timestamp,
}

impl World {
    fn call(&mut self, member: usize) {
        let (purse, members) = ((payer(1), Bucket(0)), of(self.ledgers.len() as u64));
        let decision = self.ledgers[member].decide(purse, Priority::Batch, self.now, members);
        if decision == Decision::Go {
            self.ledgers[member].begin(purse, self.now);
            self.under_way.push(member);
            // The origin counts a call when it comes, and that is what its answer shows.
            self.used += 1;
        }
    }

    /// The origin answers a call, and its member tells the others what cannot wait.
    fn answer(&mut self, which: usize) {
        let member = self.under_way.remove(which % self.under_way.len());
        let window = Window {
            limit: self.limit,
            remaining: self.limit.saturating_sub(self.used),
            used: self.used,
            reset: at(3_600_000),
        };
        let (members, late) = (of(self.ledgers.len() as u64), self.now.saturating_add(SECOND));
        let allowance = Allowance { window, ..shown(payer(1), 0, at(0)) };
        self.ledgers[member].end((payer(1), Bucket(0)));
        self.ledgers[member].note(allowance, (self.now, late), members);
        for told in self.ledgers[member].take_due(self.now, 10) {
            for (other, ledger) in self.ledgers.iter_mut().enumerate() {
                if other != member {
                    ledger.hear(told.clone(), self.now);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn members_that_call_as_they_like_overdraw_a_reserve_by_no_more_calls_than_there_are_members(
        members in 1..24usize,
        limit in 100..2_000u64,
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<u16>(), 0..3u8), 2_000..6_000),
    ) {
        let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap();
        let ledgers = (0..members).map(|_| Ledger::new(reserves, AT_ONCE, None)).collect();
        let mut world = World { ledgers, under_way: Vec::new(), used: 0, limit, now: at(1_000) };
        // Each has seen how the allowance stands.
        for member in 0..members {
            world.call(member);
            world.answer(0);
        }
        for (member, which, kind) in steps {
            if kind == 0 && !world.under_way.is_empty() {
                world.answer(usize::from(which));
            } else {
                world.call(member.index(members));
            }
        }
        let most = limit - reserves.kept_from(Priority::Batch, limit) + members as u64;
        prop_assert!(world.used <= most, "{} of {most}", world.used);
    }
}
