//! Which peer holds a lease, which wait, and which are told: rules, and a comparison with a list that is searched
//! from end to end.

use super::*;
use alloc::collections::BTreeMap;
use core::time::Duration;
use proptest::{collection, prelude::*, sample::select};

const LIMITS: SharingLimits = SharingLimits {
    unasked_bytes_per_second: 64 * 1024,
    ask_timeout: Duration::from_secs(1),
    asks_max: 3,
    attached_bytes_max: 1024,
    district_max: 192,
    freshness_max: crate::freshness::Freshness {
        lifetime: Duration::ZERO,
        while_revalidating: Duration::ZERO,
        if_error: Duration::ZERO,
    },
    kin_wait_max: Duration::from_secs(1),
    lease_failures_max: 1,
    lease_term: Duration::from_secs(12),
    leases_max: 4,
    wait_timeout: Duration::from_secs(15),
    lease_waiters_max: 3,
    warm_up: crate::port::Budget { entries_max: 0, bytes_max: 0 },
};

#[test]
fn a_lease_that_is_not_given_back_passes_to_the_next_asker_after_its_term() {
    let mut leases = Leases::default();
    assert_eq!(leases.ask(at(0), name(1), (asker(1, 1), None), &LIMITS), Turn::Granted);
    assert_eq!(leases.ask(at(5), name(1), (asker(2, 2), None), &LIMITS), Turn::Waits);
    assert_eq!(leases.next_deadline(), Some(at(12)));
    assert_eq!(leases.on_due(at(11), &LIMITS), None);
    assert_eq!(leases.on_due(at(12), &LIMITS), Some((name(1), Next::Passed(asker(2, 2)))));
    assert_eq!(leases.next_deadline(), Some(at(24)), "the next one has a whole term");
    assert_eq!(leases.on_due(at(24), &LIMITS), Some((name(1), Next::Nobody)));
    assert_eq!((leases.next_deadline(), leases.len()), (None, 0));
}

#[test]
fn all_who_wait_get_the_entry_and_the_holder_does_not() {
    let mut leases = Leases::default();
    for number in 1..=3 {
        leases.ask(at(0), name(1), (asker(number, number.into()), None), &LIMITS);
    }
    assert_eq!(leases.conclude(&name(1)), [asker(2, 2), asker(3, 3)]);
    assert_eq!(leases.conclude(&name(1)), []);
    check_books(&leases);
}

#[test]
fn one_failure_is_repeated_and_the_second_ends_it_for_all() {
    let mut leases = Leases::default();
    for number in 1..=4 {
        leases.ask(at(0), name(1), (asker(number, number.into()), None), &LIMITS);
    }
    let mut fail = |number| leases.release(at(1), &name(1), peer(number), Verdict::Failed, &LIMITS);
    assert_eq!(fail(1), Next::Passed(asker(2, 2)));
    assert_eq!(fail(1), Next::Nobody, "it has given it back");
    assert_eq!(fail(2), Next::Dismissed(Vec::from([asker(3, 3), asker(4, 4)])));
    assert_eq!(leases.len(), 0);
}

#[test]
fn a_lease_that_passes_unused_or_with_its_term_forgives_no_failure() {
    let mut leases = Leases::default();
    for number in 1..=4 {
        leases.ask(at(0), name(1), (asker(number, number.into()), None), &LIMITS);
    }
    leases.release(at(1), &name(1), peer(1), Verdict::Failed, &LIMITS);
    leases.release(at(1), &name(1), peer(2), Verdict::Unused, &LIMITS);
    let next = leases.release(at(1), &name(1), peer(3), Verdict::Failed, &LIMITS);
    assert_eq!(next, Next::Dismissed(Vec::from([asker(4, 4)])));
}

#[test]
fn what_cannot_be_shared_is_for_each_to_fetch_at_once() {
    let mut leases = Leases::default();
    for number in 1..=3 {
        leases.ask(at(0), name(1), (asker(number, number.into()), None), &LIMITS);
    }
    let next = leases.release(at(1), &name(1), peer(1), Verdict::Unshareable, &LIMITS);
    assert_eq!(next, Next::Dismissed(Vec::from([asker(2, 2), asker(3, 3)])));
}

#[test]
fn what_cannot_be_shared_is_for_each_to_fetch_also_when_the_holder_says_so_after_its_term() {
    let mut leases = Leases::default();
    for number in 1..=4 {
        leases.ask(at(0), name(1), (asker(number, number.into()), None), &LIMITS);
    }
    for term in [12, 24] {
        leases.on_due(at(term), &LIMITS);
    }
    let mut release = |number, verdict| leases.release(at(25), &name(1), peer(number), verdict, &LIMITS);
    assert_eq!(release(1, Verdict::Failed), Next::Nobody, "the call of another may succeed");
    assert_eq!(release(5, Verdict::Unshareable), Next::Nobody, "it never held the lease");
    assert_eq!(release(1, Verdict::Unshareable), Next::Dismissed(Vec::from([asker(4, 4)])));
    check_books(&leases);
    assert_eq!(leases.ask(at(26), name(1), (asker(5, 5), None), &LIMITS), Turn::Waits, "3 is still fetching");
}

#[test]
fn who_goes_leaves_nothing_behind() {
    let mut leases = Leases::default();
    for (asked, number) in [(1, 1), (1, 2), (1, 1), (2, 2), (2, 1), (3, 1)] {
        leases.ask(at(0), name(asked), (asker(number, asked.into()), None), &LIMITS);
    }
    let passed = leases.on_gone(at(1), peer(1), &LIMITS);
    assert_eq!(
        passed,
        [(name(1), asker(2, 1))],
        "2 held the second itself, and nobody else asked for the third"
    );
    assert!(leases.parts.iter().all(|(part, _)| *part != peer(1)), "{:?}", leases.parts);
    assert_eq!(leases.len(), 2);
    check_books(&leases);
    assert_eq!(leases.on_gone(at(1), peer(2), &LIMITS), []);
    assert!(leases.parts.is_empty() && leases.terms.is_empty());
}

#[test]
fn who_holds_a_lease_and_asks_again_has_it_still_and_for_no_longer() {
    let mut leases = Leases::default();
    leases.ask(at(0), name(1), (asker(1, 1), None), &LIMITS);
    assert_eq!(leases.ask(at(10), name(1), (asker(1, 2), None), &LIMITS), Turn::Granted);
    assert_eq!(leases.next_deadline(), Some(at(12)));
}

#[test]
fn a_claim_takes_the_lease_from_nobody() {
    let mut leases = Leases::default();
    leases.claim(at(0), name(1), peer(1), &LIMITS);
    leases.claim(at(0), name(1), peer(2), &LIMITS);
    assert_eq!(leases.release(at(1), &name(1), peer(2), Verdict::Unused, &LIMITS), Next::Nobody);
    assert_eq!(leases.len(), 1);
    assert_eq!(leases.ask(at(1), name(1), (asker(3, 1), None), &LIMITS), Turn::Waits);
    let next = leases.release(at(1), &name(1), peer(1), Verdict::Unused, &LIMITS);
    assert_eq!(next, Next::Passed(asker(3, 1)));
}

/// Something that happens to leases.
#[derive(Clone, Debug)]
enum Event {
    Advance(u64),
    Ask(u8, u8),
    Claim(u8, u8),
    Conclude(u8),
    Gone(u8),
    Release(u8, u8, Verdict),
    /// The waiter that has waited longest for this name gives up.
    Withdraw(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let (named, peers) = (|| 0_u8..5, || 0_u8..6);
    let verdict = select(&[Verdict::Failed, Verdict::Unshareable, Verdict::Unused]);
    let event = prop_oneof![
        1 => (0_u64..8).prop_map(Event::Advance),
        8 => (named(), peers()).prop_map(|(name, peer)| Event::Ask(name, peer)),
        1 => (named(), peers()).prop_map(|(name, peer)| Event::Claim(name, peer)),
        1 => named().prop_map(Event::Conclude),
        1 => peers().prop_map(Event::Gone),
        3 => (named(), peers(), verdict).prop_map(|(name, peer, verdict)| Event::Release(name, peer, verdict)),
        1 => named().prop_map(Event::Withdraw),
    ];
    collection::vec(event, 0..150)
}

/// A lease in the list of the model.
#[derive(Clone, Debug)]
struct Row {
    name: Name,
    holder: PeerId,
    until: Timestamp,
    waiting: Vec<Asker>,
    failures: u8,
    /// The former holders whose term ran out.
    overdue: Vec<PeerId>,
}

/// Leases as a list.
#[derive(Debug, Default)]
struct Model {
    rows: Vec<Row>,
}

impl Model {
    fn find(&self, name: Name) -> Option<usize> {
        self.rows.iter().position(|row| row.name == name)
    }

    fn open(&mut self, now: Timestamp, name: Name, holder: PeerId) {
        let until = now.saturating_add(LIMITS.lease_term);
        self.rows.push(Row { name, holder, until, waiting: Vec::new(), failures: 0, overdue: Vec::new() });
    }

    fn ask(&mut self, now: Timestamp, name: Name, asker: Asker) -> Turn {
        let Some(at) = self.find(name) else {
            if self.rows.len() == LIMITS.leases_max {
                return Turn::Full;
            }
            self.open(now, name, asker.peer);
            return Turn::Granted;
        };
        let row = &mut self.rows[at];
        if row.holder == asker.peer {
            Turn::Granted
        } else if row.waiting.len() == LIMITS.lease_waiters_max {
            Turn::Full
        } else {
            row.waiting.push(asker);
            Turn::Waits
        }
    }

    fn pass_on(&mut self, now: Timestamp, at: usize) -> Next {
        let row = &mut self.rows[at];
        if row.waiting.is_empty() {
            self.rows.remove(at);
            return Next::Nobody;
        }
        let next = row.waiting.remove(0);
        (row.holder, row.until) = (next.peer, now.saturating_add(LIMITS.lease_term));
        Next::Passed(next)
    }

    fn release(&mut self, now: Timestamp, name: Name, peer: PeerId, verdict: Verdict) -> Next {
        let Some(at) = self.find(name) else { return Next::Nobody };
        let row = &mut self.rows[at];
        if row.holder != peer {
            let mut remembered = row.overdue.iter().rev().take(OVERDUE_MAX);
            return if verdict == Verdict::Unshareable && remembered.any(|it| *it == peer) {
                Next::Dismissed(mem::take(&mut row.waiting))
            } else {
                Next::Nobody
            };
        }
        self.rows[at].failures += u8::from(verdict == Verdict::Failed);
        let is_hopeless = self.rows[at].failures > LIMITS.lease_failures_max && verdict == Verdict::Failed;
        if is_hopeless || verdict == Verdict::Unshareable {
            return Next::Dismissed(self.rows.remove(at).waiting);
        }
        self.pass_on(now, at)
    }

    fn on_gone(&mut self, now: Timestamp, peer: PeerId) -> Vec<(Name, Asker)> {
        self.rows.sort_by_key(|row| row.name);
        let mut passed = Vec::new();
        for at in (0..self.rows.len()).rev() {
            self.rows[at].waiting.retain(|asker| asker.peer != peer);
            let name = self.rows[at].name;
            if self.rows[at].holder == peer
                && let Next::Passed(next) = self.pass_on(now, at)
            {
                passed.insert(0, (name, next));
            }
        }
        passed
    }
}

/// What the askers themselves know: what each was told so far, and which may think that it holds a lease.
#[derive(Debug, Default)]
struct Askers {
    /// Told to wait, and nothing since.
    waiting: BTreeSet<Asker>,
    /// The peer that was granted each name, and until when, unless it gave the name back.
    holders: BTreeMap<Name, (PeerId, Timestamp)>,
}

impl Askers {
    fn told(&mut self, asker: Asker) {
        assert!(self.waiting.remove(&asker), "{asker:?} was told twice, or did not wait");
    }

    fn granted(&mut self, now: Timestamp, name: Name, peer: PeerId) {
        if let Some((holder, until)) = self.holders.get(&name).filter(|(_, until)| *until > now) {
            assert!(*holder == peer, "{holder:?} and {peer:?} hold {name:?} at once, until {until}");
            return;
        }
        self.holders.insert(name, (peer, now.saturating_add(LIMITS.lease_term)));
    }

    fn next(&mut self, now: Timestamp, name: Name, next: &Next) {
        match next {
            Next::Dismissed(askers) => askers.iter().for_each(|asker| self.told(*asker)),
            Next::Nobody => {}
            Next::Due(asker) | Next::Passed(asker) => {
                self.told(*asker);
                self.granted(now, name, asker.peer);
            }
        }
    }
}

proptest! {
    #[test]
    fn whoever_waits_is_told_once_and_no_two_hold_a_lease_within_its_term(events in events()) {
        let (mut leases, mut model, mut askers) = (Leases::default(), Model::default(), Askers::default());
        let (mut now, mut last) = (at(0), 0);
        for event in &events {
            match *event {
                Event::Advance(seconds) => {
                    now = now.saturating_add(Duration::from_secs(seconds));
                    while let Some((name, next)) = leases.on_due(now, &LIMITS) {
                        let due = model.find(name).filter(|at| model.rows[*at].until <= now);
                        let due = due.expect("its term is over");
                        let holder = model.rows[due].holder;
                        model.rows[due].overdue.push(holder);
                        prop_assert_eq!(&next, &model.pass_on(now, due));
                        askers.next(now, name, &next);
                    }
                    prop_assert!(model.rows.iter().all(|row| row.until > now));
                }
                Event::Ask(asked, number) => {
                    last += 1;
                    let asker = asker(number, last);
                    let turn = leases.ask(now, name(asked), (asker, None), &LIMITS);
                    prop_assert_eq!(turn, model.ask(now, name(asked), asker));
                    match turn {
                        Turn::Full => {}
                        Turn::Granted => askers.granted(now, name(asked), asker.peer),
                        Turn::Waits => prop_assert!(askers.waiting.insert(asker)),
                    }
                }
                Event::Claim(asked, number) => {
                    leases.claim(now, name(asked), peer(number), &LIMITS);
                    if model.find(name(asked)).is_none() && model.rows.len() < LIMITS.leases_max {
                        model.open(now, name(asked), peer(number));
                        askers.granted(now, name(asked), peer(number));
                    }
                }
                Event::Conclude(asked) => {
                    let told = leases.conclude(&name(asked));
                    let row = model.find(name(asked)).map(|at| model.rows.remove(at));
                    prop_assert_eq!(&told, &row.map(|row| row.waiting).unwrap_or_default());
                    told.iter().for_each(|asker| askers.told(*asker));
                    askers.holders.remove(&name(asked));
                }
                Event::Gone(number) => {
                    askers.waiting.retain(|asker| asker.peer != peer(number));
                    askers.holders.retain(|_name, (holder, _until)| *holder != peer(number));
                    let passed = leases.on_gone(now, peer(number), &LIMITS);
                    prop_assert_eq!(&passed, &model.on_gone(now, peer(number)));
                    for (name, next) in passed {
                        askers.next(now, name, &Next::Passed(next));
                    }
                    prop_assert!(leases.parts.iter().all(|(part, _)| *part != peer(number)));
                }
                Event::Release(asked, number, verdict) => {
                    if askers.holders.get(&name(asked)).is_some_and(|(holder, _)| *holder == peer(number)) {
                        askers.holders.remove(&name(asked));
                    }
                    let next = leases.release(now, &name(asked), peer(number), verdict, &LIMITS);
                    prop_assert_eq!(&next, &model.release(now, name(asked), peer(number), verdict));
                    askers.next(now, name(asked), &next);
                }
                Event::Withdraw(asked) => {
                    let row = model.find(name(asked)).map(|at| &mut model.rows[at]);
                    if let Some(row) = row.filter(|row| !row.waiting.is_empty()) {
                        let asker = row.waiting.remove(0);
                        leases.withdraw(&name(asked), asker);
                        askers.told(asker);
                    }
                }
            }
            check_books(&leases);
        }
        // In the end no asker is forgotten: terms run out until all were told.
        while let Some(due) = leases.next_deadline() {
            let (name, next) = leases.on_due(due, &LIMITS).expect("it is due");
            askers.next(due, name, &next);
        }
        prop_assert!(askers.waiting.is_empty(), "never told: {:?}", askers.waiting);
        prop_assert_eq!(leases.len(), 0);
    }
}

/// The bounds hold, and what is derived from the leases agrees with them.
fn check_books(leases: &Leases) {
    assert!(leases.len() <= LIMITS.leases_max);
    let (mut terms, mut parts) = (BTreeSet::new(), BTreeSet::new());
    for (name, lease) in &leases.leases {
        assert!(lease.waiting.len() <= LIMITS.lease_waiters_max);
        assert!(lease.overdue.len() <= OVERDUE_MAX);
        terms.insert((lease.until, *name));
        parts.extend(lease.waiting.iter().chain([&lease.holder]).map(|asker| (asker.peer, *name)));
    }
    assert_eq!((&leases.terms, &leases.parts), (&terms, &parts));
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
}

fn name(number: u8) -> Name {
    Name::from_bytes([number; 32])
}

fn peer(number: u8) -> PeerId {
    PeerId::from_public_key([number; 32])
}

fn asker(number: u8, ask: u64) -> Asker {
    Asker { peer: peer(number), ask: AskId(ask) }
}

#[test]
fn a_lease_is_put_off_while_its_kin_is_fetched_and_no_longer_than_its_asker_waits() {
    let (mut leases, kin) = (Leases::default(), |number| kin_name(1, number));
    assert_eq!(leases.ask(at(0), kin(1), (asker(1, 1), Some(at(1))), &LIMITS), Turn::Granted);
    assert!(!leases.put_off(at(0), kin(1)), "there is nothing to wait for");
    assert_eq!(leases.ask(at(0), kin(2), (asker(2, 2), Some(at(1))), &LIMITS), Turn::Granted);
    assert!(leases.put_off(at(0), kin(2)));
    assert_eq!(leases.ask(at(0), kin(3), (asker(2, 3), None), &LIMITS), Turn::Granted);
    assert!(!leases.put_off(at(0), kin(3)), "it has no use for what another brings");
    assert_eq!(leases.on_due(at(1), &LIMITS), Some((kin(2), Next::Due(asker(2, 2)))));
    assert_eq!(leases.on_due(at(1), &LIMITS), None);
    assert_eq!(leases.on_due(at(12), &LIMITS), Some((kin(1), Next::Nobody)), "the terms began before");
    check_books(&leases);
}

#[test]
fn a_holder_that_was_put_off_and_asks_again_is_told_under_both_numbers() {
    let mut leases = Leases::default();
    leases.ask(at(0), kin_name(1, 1), (asker(1, 1), None), &LIMITS);
    for number in [2, 3] {
        leases.ask(at(0), kin_name(1, 2), (asker(2, number), Some(at(1))), &LIMITS);
        assert!(leases.put_off(at(0), kin_name(1, 2)));
    }
    let told: BTreeSet<Asker> = leases.conclude(&kin_name(1, 2)).into_iter().collect();
    assert_eq!(told, BTreeSet::from([asker(2, 2), asker(2, 3)]));
}

proptest! {
    #[test]
    fn whoever_is_put_off_is_told_once_and_in_time_whatever_becomes_of_its_kin(
        events in collection::vec((0_u8..6, 0_u8..6, 0_u8..5, any::<bool>()), 0..120),
    ) {
                let mut leases = Leases::default();
        let mut waiting = BTreeSet::new();
        let mut now = at(0);
        for (number, (kind, of, by, brought)) in events.into_iter().enumerate() {
            let (name, peer) = (kin_name(of % 2, of), peer(by));
            let mut told: Vec<Asker> = Vec::new();
            let mut dropped = None;
            match kind {
                0..=2 => {
                    let asker = asker(by, number as u64);
                    let until = now.saturating_add(Duration::from_secs(1));
                    match leases.ask(now, name, (asker, Some(until)), &LIMITS) {
                        Turn::Granted if leases.put_off(now, name) => _ = waiting.insert(asker),
                        Turn::Granted | Turn::Full => {}
                        Turn::Waits => _ = waiting.insert(asker),
                    }
                }
                3 => told.extend(leases.conclude(&name)),
                4 => told.extend(next_of(leases.release(now, &name, peer, Verdict::Unused, &LIMITS))),
                _gone => {
                    told.extend(leases.on_gone(now, peer, &LIMITS).into_iter().map(|(_, asker)| asker));
                    dropped = Some(peer);
                }
            }
            if number % 4 == 0 {
                now = now.saturating_add(Duration::from_secs(1));
                while let Some((_, next)) = leases.on_due(now, &LIMITS) {
                    told.extend(next_of(next));
                }
            }
            while let Some(kinship) = leases.take_kin_ended() {
                for (name, _) in leases.freed_kin(&kinship, brought) {
                    told.extend(leases.take_up(now, &name, &LIMITS));
                }
            }
            if let Some(peer) = dropped {
                waiting.retain(|asker: &Asker| asker.peer != peer);
            }
            for asker in told {
                prop_assert!(waiting.remove(&asker), "{:?} was told twice, or did not wait", asker);
            }
            let is_late = |lease: &&Lease| lease.is_put_off && lease.until <= now;
            prop_assert!(number % 4 != 0 || leases.leases.values().find(is_late).is_none());
            check_books(&leases);
        }
    }
}

/// The askers that hear of a lease now.
fn next_of(next: Next) -> Vec<Asker> {
    match next {
        Next::Dismissed(askers) => askers,
        Next::Due(asker) | Next::Passed(asker) => Vec::from([asker]),
        Next::Nobody => Vec::new(),
    }
}

/// The name of resource `resource` for one domain.
fn kin_name(resource: u8, domain: u8) -> Name {
    Name::of([resource; 32], [domain; 32])
}
