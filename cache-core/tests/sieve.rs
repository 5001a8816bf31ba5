//! The eviction order against a model that is a plain vector.

use cache_core::sieve::{Place, Sieve};
use proptest::{prelude::*, test_runner::FileFailurePersistence};
use std::cell::Cell;

/// What is done to an order. Indices are taken modulo the number of elements.
#[derive(Clone, Debug)]
enum Op {
    Evict,
    Insert,
    InsertAtHand,
    Remove(usize),
    Replace(usize),
    Visit(usize),
}

/// SIEVE as the paper tells it, oldest element first, with linear search for everything.
#[derive(Default)]
struct Model {
    elements: Vec<(u32, bool)>,
    /// Index at which the next search begins; the length means at the oldest.
    hand: usize,
}

impl Model {
    fn insert(&mut self, element: u32) {
        if self.hand == self.elements.len() {
            // The hand rests beyond the newest: a search would begin at the oldest.
            self.hand = 0;
        }
        self.elements.push((element, false));
    }

    fn insert_at_hand(&mut self, element: u32) {
        if self.hand >= self.elements.len() {
            self.hand = 0;
        }
        self.elements.insert(self.hand, (element, false));
    }

    fn evict(&mut self) -> Option<u32> {
        if self.elements.is_empty() {
            return None;
        }
        let mut at = self.hand % self.elements.len();
        while self.elements[at].1 {
            self.elements[at].1 = false;
            at = (at + 1) % self.elements.len();
        }
        self.hand = at;
        Some(self.elements.remove(at).0)
    }

    fn remove(&mut self, element: u32) {
        let at = self.at(element);
        if at < self.hand {
            self.hand -= 1;
        }
        self.elements.remove(at);
    }

    fn at(&self, element: u32) -> usize {
        self.elements.iter().position(|(held, _)| *held == element).expect("both hold the same elements")
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/regressions/sieve.txt"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_order_evicts_what_the_model_evicts(ops in prop::collection::vec(op(), 0..200)) {
        let mut order: Sieve<(u32, Cell<bool>)> = Sieve::new();
        let mut model = Model::default();
        let mut places: Vec<(u32, Place)> = Vec::new();
        for (number, op) in (0_u32..).zip(ops) {
            let picked = |at: usize| places.len().checked_sub(1).map(|last| at % (last + 1));
            match op {
                Op::Insert => {
                    places.push((number, order.insert((number, Cell::new(false)))));
                    model.insert(number);
                }
                Op::InsertAtHand => {
                    places.push((number, order.insert_at_hand((number, Cell::new(false)))));
                    model.insert_at_hand(number);
                }
                Op::Evict => {
                    let evicted = order.evict(|(_, visited)| visited.take()).map(|(element, _)| element);
                    prop_assert_eq!(evicted, model.evict());
                    places.retain(|(element, _)| Some(*element) != evicted);
                }
                Op::Visit(at) => if let Some(at) = picked(at) {
                    let (element, place) = places[at];
                    order.get(place).1.set(true);
                    let at = model.at(element);
                    model.elements[at].1 = true;
                },
                Op::Remove(at) => if let Some(at) = picked(at) {
                    let (element, place) = places.remove(at);
                    prop_assert_eq!(order.remove(place).0, element);
                    model.remove(element);
                },
                Op::Replace(at) => if let Some(at) = picked(at) {
                    let (element, place) = places[at];
                    prop_assert_eq!(order.replace(place, (number, Cell::new(true))).0, element);
                    let in_model = model.at(element);
                    model.elements[in_model] = (number, true);
                    places[at].0 = number;
                },
            }
            prop_assert_eq!(order.len(), model.elements.len());
            prop_assert_eq!(order.is_empty(), places.is_empty());
            for (element, place) in &places {
                prop_assert_eq!(order.get(*place).0, *element);
            }
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Insert),
        1 => Just(Op::InsertAtHand),
        3 => Just(Op::Evict),
        3 => any::<usize>().prop_map(Op::Visit),
        1 => any::<usize>().prop_map(Op::Remove),
        1 => any::<usize>().prop_map(Op::Replace),
    ]
}
