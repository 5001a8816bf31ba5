//! Nothing that was fetched before an invalidation is taken after it, in whatever order news arrives.

use super::*;
use crate::{Domain, Scope};
use alloc::{format, vec};
use proptest::{collection, prelude::*, sample::Index};

#[test]
fn a_parcel_is_taken_if_it_names_every_invalidation_of_its_key_that_is_known() {
    let (mut here, mut there) = (Invalidations::new(1), Invalidations::new(2));
    let ours = here.issue(at(0), forgets(Scope::Key(key(1))));
    assert!(!here.permit(at(0), &key(1), 200, &[]));
    assert!(here.permit(at(0), &key(1), 200, &[ours.id]));
    assert!(here.permit(at(0), &key(2), 200, &[]), "another key");
    assert!(there.learn(at(0), &ours));
    assert!(!there.learn(at(0), &ours), "it is known");
    let theirs = there.issue(at(0), forgets(Scope::Prefix { prefix: "k".into(), domain: None }));
    let both = [theirs.id, ours.id];
    assert_eq!(there.covering(at(0), &key(1), 200), both, "the latest first");
    assert!(here.permit(at(0), &key(1), 200, &both), "to know more than the receiver does no harm");
}

#[test]
fn a_prefix_with_a_domain_covers_that_domain_alone() {
    let mut here = Invalidations::new(1);
    let domain = Domain::from_bytes([7; 16]);
    here.issue(at(0), forgets(Scope::Prefix { prefix: "k".into(), domain: Some(domain) }));
    assert!(here.permit(at(0), &key(1), 200, &[]));
    assert!(!here.permit(at(0), &Key::new("k1", domain), 200, &[]));
    assert!(here.permit(at(0), &Key::new("other", domain), 200, &[]));
}

#[test]
fn whoever_issues_next_counts_on_from_what_it_knows() {
    let (mut here, mut there) = (Invalidations::new(1), Invalidations::new(2));
    for _ in 0..5 {
        let news = here.issue(at(0), forgets(Scope::Key(key(1))));
        there.learn(at(0), &news);
    }
    assert_eq!(there.issue(at(0), forgets(Scope::Key(key(1)))).id, InvalidationId { count: 6, issuer: 2 });
}

#[test]
fn a_count_from_afar_does_not_carry_ours_to_its_end() {
    let mut here = Invalidations::new(1);
    for issuer in 0..1000 {
        let id = InvalidationId { count: u64::MAX, issuer };
        here.learn(at(0), &Invalidation { id, reach: forgets(Scope::Key(key(1))), age: Duration::ZERO });
    }
    let (first, second) =
        (here.issue(at(0), forgets(Scope::Key(key(2)))), here.issue(at(0), forgets(Scope::Key(key(2)))));
    assert!(first.id < second.id && second.id.count <= 1001 * COUNT_STEP_MAX + 2);
}

#[test]
fn an_invalidation_is_demanded_for_nine_minutes_and_named_for_ten() {
    let mut here = Invalidations::new(1);
    let news = here.issue(at(0), forgets(Scope::Key(key(1))));
    assert!(!here.permit(at(539), &key(1), 200, &[]));
    assert!(here.permit(at(540), &key(1), 200, &[]));
    assert_eq!(here.covering(at(599), &key(1), 200), [news.id]);
    assert_eq!(here.covering(at(600), &key(1), 200), []);
    assert_eq!(recent(&mut here, at(600)), []);
    assert!(here.remembered.is_empty() && here.dates.is_empty());
}

#[test]
fn what_happened_a_while_ago_is_forgotten_as_much_sooner() {
    let mut here = Invalidations::new(1);
    let id = InvalidationId { count: 1, issuer: 2 };
    let news = |age| Invalidation { id, reach: forgets(Scope::Key(key(1))), age: Duration::from_secs(age) };
    assert!(!here.learn(at(0), &news(600)), "too old to matter");
    assert!(here.learn(at(0), &news(400)));
    assert_eq!(recent(&mut here, at(100)), [news(500)]);
    assert!(here.permit(at(140), &key(1), 200, &[]));
    assert_eq!(recent(&mut here, at(200)), []);
}

#[test]
fn of_too_many_invalidations_the_oldest_is_forgotten() {
    let mut here = Invalidations::new(1);
    let scope = |number: usize| Scope::Key(key(number));
    for number in 0..REMEMBERED_MAX + 10 {
        here.issue(at(number as u64 / 100), forgets(scope(number)));
    }
    assert_eq!((here.remembered.len(), here.dates.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
    assert!(here.permit(at(11), &key(9), 200, &[]) && !here.permit(at(11), &key(10), 200, &[]));
}

#[test]
fn a_parcel_names_no_more_than_it_may_and_the_latest_of_them() {
    let mut here = Invalidations::new(1);
    let issued: Vec<_> = (0..40).map(|_| here.issue(at(0), forgets(Scope::Key(key(1)))).id).collect();
    let named = here.covering(at(0), &key(1), 200);
    assert_eq!(named, issued.iter().rev().take(AFTER_MAX).copied().collect::<Vec<_>>());
    assert!(here.permit(at(0), &key(1), 200, &named));
}

#[test]
fn whatever_numbers_a_liar_takes_the_next_invalidation_of_another_is_demanded() {
    let mut here = Invalidations::new(1);
    let scope = || Scope::Prefix { prefix: "".into(), domain: None };
    for count in 0..REMEMBERED_MAX as u64 {
        let id = InvalidationId { count: u64::MAX - count, issuer: count };
        here.learn(at(0), &Invalidation { id, reach: forgets(scope()), age: Duration::ZERO });
    }
    let before = here.covering(at(1), &key(1), 200);
    assert!(here.permit(at(1), &key(1), 200, &before));
    let id = InvalidationId { count: 1, issuer: 7 };
    assert!(here.learn(at(1), &Invalidation { id, reach: forgets(scope()), age: Duration::ZERO }));
    assert!(!here.permit(at(1), &key(1), 200, &before));
    assert!(here.permit(at(1), &key(1), 200, &here.covering(at(1), &key(1), 200)));
}

#[test]
fn two_that_heard_of_a_few_in_another_order_still_take_from_one_another() {
    let (mut here, mut there) = (Invalidations::new(1), Invalidations::new(2));
    let issued: Vec<_> = (0..40).map(|_| here.issue(at(0), forgets(Scope::Key(key(1))))).collect();
    let (few, others) = issued.split_at(AFTER_MAX - DEMANDED_MAX);
    others.iter().for_each(|invalidation| assert!(there.learn(at(1), invalidation)));
    few.iter().for_each(|invalidation| assert!(there.learn(at(2), invalidation)));
    assert!(here.permit(at(2), &key(1), 200, &there.covering(at(2), &key(1), 200)));
}

/// Something that happens in a fleet of [`NODES_COUNT`] nodes.
#[derive(Clone, Debug)]
enum Event {
    /// Something on its way arrives; which one is open.
    Arrive(Index),
    /// A node fetches a key.
    Fetch(usize, usize),
    /// A node invalidates a key, or all.
    Invalidate(usize, Option<usize>),
    /// A node tells another all that it remembers.
    Meet(usize, usize),
    /// A node sends what it has.
    Send(usize, usize, usize),
}

/// A message on its way, and the node it goes to.
#[derive(Clone, Debug)]
enum News {
    Invalidations(usize, Vec<Invalidation>),
    Parcel { to: usize, key: usize, fetched: u64, after: Vec<InvalidationId> },
}

/// Nodes that keep the rule on which it all rests: what they hold, they fetched after all that they know.
struct World {
    nodes: Vec<Invalidations>,
    /// When the entry was fetched that each node has under each key.
    held: [[Option<u64>; KEYS_COUNT]; NODES_COUNT],
    /// When each invalidation was issued.
    issued: BTreeMap<InvalidationId, u64>,
    on_the_way: Vec<News>,
    step: u64,
}

impl World {
    fn new() -> Self {
        let nodes = (0..NODES_COUNT as u64).map(Invalidations::new).collect();
        let held = [[None; KEYS_COUNT]; NODES_COUNT];
        Self { nodes, held, issued: BTreeMap::new(), on_the_way: Vec::new(), step: 0 }
    }

    fn happen(&mut self, event: &Event) {
        self.step += 1;
        match *event {
            Event::Arrive(ref which) if !self.on_the_way.is_empty() => {
                let news = self.on_the_way.swap_remove(which.index(self.on_the_way.len()));
                self.arrive(news);
            }
            Event::Arrive(_) => {}
            Event::Fetch(node, key) => self.held[node][key] = Some(self.step),
            Event::Invalidate(node, what) => {
                let scope = match what {
                    Some(number) => Scope::Key(key(number)),
                    None => Scope::Prefix { prefix: "k".into(), domain: None },
                };
                let news = self.nodes[node].issue(at(0), forgets(scope));
                self.issued.insert(news.id, self.step);
                self.forget(node, &news.reach);
                for other in (0..NODES_COUNT).filter(|other| *other != node) {
                    self.on_the_way.push(News::Invalidations(other, vec![news.clone()]));
                }
            }
            Event::Meet(node, other) => {
                let recent = recent(&mut self.nodes[node], at(0));
                self.on_the_way.push(News::Invalidations(other, recent));
            }
            Event::Send(node, other, key_number) => {
                if let Some(fetched) = self.held[node][key_number] {
                    let after = self.nodes[node].covering(at(0), &key(key_number), 200);
                    self.on_the_way.push(News::Parcel { to: other, key: key_number, fetched, after });
                }
            }
        }
    }

    fn arrive(&mut self, news: News) {
        match news {
            News::Invalidations(to, invalidations) => {
                for news in invalidations {
                    if self.nodes[to].learn(at(0), &news) {
                        self.forget(to, &news.reach);
                    }
                }
            }
            News::Parcel { to, key: number, fetched, after } => {
                if !self.nodes[to].permit(at(0), &key(number), 200, &after) {
                    return;
                }
                for (id, (reach, _date)) in &self.nodes[to].remembered {
                    let is_older = reach.covers(&key(number), 200) && fetched < self.issued[id];
                    assert!(!is_older, "{to} knows {id:?} and takes what was fetched before");
                }
                if self.held[to][number].is_none_or(|held| held < fetched) {
                    self.held[to][number] = Some(fetched);
                }
            }
        }
    }

    fn forget(&mut self, node: usize, reach: &Reach) {
        for number in (0..KEYS_COUNT).filter(|number| reach.covers(&key(*number), 200)) {
            self.held[node][number] = None;
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let (node, keys) = (|| 0..NODES_COUNT, || 0..KEYS_COUNT);
    let event = prop_oneof![
        8 => any::<Index>().prop_map(Event::Arrive),
        3 => (node(), keys()).prop_map(|(node, key)| Event::Fetch(node, key)),
        1 => (node(), proptest::option::weighted(0.8, keys())).prop_map(|(node, key)| Event::Invalidate(node, key)),
        1 => (node(), node()).prop_map(|(node, other)| Event::Meet(node, other)),
        5 => (node(), node(), keys()).prop_map(|(node, other, key)| Event::Send(node, other, key)),
    ];
    collection::vec(event, 0..120).prop_map(|mut events| {
        // No more invalidations cover a key than a parcel must name.
        let mut count = 0;
        events.retain(|event| {
            count += usize::from(matches!(event, Event::Invalidate(..)));
            !matches!(event, Event::Invalidate(..)) || count <= DEMANDED_MAX
        });
        events
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_was_fetched_before_a_known_invalidation_is_never_taken_whatever_arrives_first(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
    }

    #[test]
    fn when_all_has_arrived_all_agree_and_take_from_one_another_again(events in events()) {
        let mut world = World::new();
        for event in &events {
            world.happen(event);
        }
        while let Some(news) = world.on_the_way.pop() {
            world.arrive(news);
        }
        for number in 0..KEYS_COUNT {
            let known = world.nodes[0].covering(at(0), &key(number), 200);
            for node in &world.nodes {
                prop_assert_eq!(&node.covering(at(0), &key(number), 200), &known);
                prop_assert!(node.permit(at(0), &key(number), 200, &known));
            }
        }
    }
}

proptest! {
    // Every step compares all that is remembered.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_remembered_is_bounded_and_its_dates_agree(
        learned in collection::vec((any::<u64>(), 0_u64..4, 0_u64..700, 0_u64..20), 0..2000),
    ) {
        let mut here = Invalidations::new(9);
        let mut now = at(0);
        for (count, issuer, age, elapsed) in learned {
            now = now.saturating_add(Duration::from_secs(elapsed));
            let id = InvalidationId { count, issuer };
            here.learn(now, &Invalidation { id, reach: forgets(Scope::Key(key(1))), age: Duration::from_secs(age) });
            let dates: BTreeSet<_> = here.remembered.iter().map(|(id, (_, date))| (*date, *id)).collect();
            prop_assert_eq!(&dates, &here.dates);
            prop_assert!(dates.len() <= REMEMBERED_MAX && here.covering(now, &key(1), 200).len() <= AFTER_MAX);
        }
        prop_assert!(recent(&mut here, now).iter().all(|news| news.age < REMEMBERED_FOR));
    }
}

/// Everything that `node` remembers.
fn recent(node: &mut Invalidations, now: Timestamp) -> Vec<Invalidation> {
    node.notices(now, || 0).into_iter().flat_map(|notice| notice.invalidations).collect()
}

fn forgets(scope: Scope) -> Reach {
    Reach::forget([scope])
}

const NODES_COUNT: usize = 3;
const KEYS_COUNT: usize = 2;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_000_000 + 1000 * seconds)
}

fn key(number: usize) -> Key {
    Key::new(&format!("k{number}"), Domain::ANONYMOUS)
}
