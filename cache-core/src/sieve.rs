//! The eviction order: SIEVE.
//!
//! Owns the order alone; the caller owns budgets and look-up. New elements enter at the head, a hand moves
//! from the tail towards the head, spares what was visited and takes the first that was not. Nothing moves
//! on a hit, which is why readers need no lock. (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024.)

use alloc::vec::Vec;

/// An order of elements from which the least useful is taken.
///
/// ```
/// # use cache_core::sieve::Sieve;
/// let mut order = Sieve::new();
/// for letter in ['a', 'b', 'c'] {
///     order.insert(letter);
/// }
/// // `a` is the oldest, but it was visited, so `b` goes.
/// assert_eq!(order.evict(|letter| *letter == 'a'), Some('b'));
/// ```
#[derive(Debug)]
pub struct Sieve<T> {
    nodes: Vec<Node<T>>,
    /// The node that entered last.
    head: Option<Place>,
    /// The node that entered first.
    tail: Option<Place>,
    /// Where the next search begins; `None` means at the tail.
    hand: Option<Place>,
    free: Option<Place>,
    len: usize,
}

/// Where an element stands, valid until it is removed or evicted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place(u32);

impl<T> Sieve<T> {
    /// An order without elements.
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), head: None, tail: None, hand: None, free: None, len: 0 }
    }

    /// Puts `element` at the head.
    ///
    /// # Panics
    ///
    /// With more than 2^32 elements.
    pub fn insert(&mut self, element: T) -> Place {
        let links = Links { newer: None, older: self.head };
        let place = self.occupy(Node::Used { element, links });
        match self.head {
            Some(head) => self.links_mut(head).newer = Some(place),
            None => self.tail = Some(place),
        }
        self.head = Some(place);
        self.len += 1;
        place
    }

    /// Puts `element` where the next search begins: it is the first to go, unless it is visited before.
    ///
    /// # Panics
    ///
    /// With more than 2^32 elements.
    pub fn insert_at_hand(&mut self, element: T) -> Place {
        let Some(newer) = self.hand.or(self.tail) else { return self.insert(element) };
        let older = self.links(newer).older;
        let place = self.occupy(Node::Used { element, links: Links { newer: Some(newer), older } });
        self.links_mut(newer).older = Some(place);
        match older {
            Some(older) => self.links_mut(older).newer = Some(place),
            None => self.tail = Some(place),
        }
        self.hand = Some(place);
        self.len += 1;
        place
    }

    /// Puts `element` where another stands, and gives that back.
    ///
    /// # Panics
    ///
    /// If nothing stands at `place`.
    pub fn replace(&mut self, place: Place, element: T) -> T {
        match &mut self.nodes[place.0 as usize] {
            Node::Used { element: old, .. } => core::mem::replace(old, element),
            Node::Free { .. } => panic!("{place:?} is free"),
        }
    }

    /// Takes the element at `place` out.
    ///
    /// # Panics
    ///
    /// If nothing stands at `place`.
    pub fn remove(&mut self, place: Place) -> T {
        let Links { newer, older } = *self.links_mut(place);
        match newer {
            Some(newer) => self.links_mut(newer).older = older,
            None => self.head = older,
        }
        match older {
            Some(older) => self.links_mut(older).newer = newer,
            None => self.tail = newer,
        }
        if self.hand == Some(place) {
            self.hand = newer;
        }
        self.len -= 1;
        let freed = core::mem::replace(&mut self.nodes[place.0 as usize], Node::Free { next: self.free });
        self.free = Some(place);
        match freed {
            Node::Used { element, .. } => element,
            Node::Free { .. } => unreachable!("links_mut saw an element there"),
        }
    }

    /// Takes out the first element from the hand on that was not visited; `None` when empty.
    ///
    /// `take_visited` returns whether an element was visited since the last call, and clears the mark. Ends even if
    /// it always returns yes: after two full rounds the next element goes.
    pub fn evict(&mut self, mut take_visited: impl FnMut(&T) -> bool) -> Option<T> {
        let mut at = self.hand.or(self.tail)?;
        for _ in 0..2 * self.len {
            if !take_visited(self.get(at)) {
                break;
            }
            at = self.newer(at).or(self.tail)?;
        }
        self.hand = self.newer(at);
        Some(self.remove(at))
    }

    /// The element at `place`.
    ///
    /// # Panics
    ///
    /// If nothing stands at `place`.
    pub fn get(&self, place: Place) -> &T {
        match &self.nodes[place.0 as usize] {
            Node::Used { element, .. } => element,
            Node::Free { .. } => panic!("{place:?} is free"),
        }
    }

    /// The elements, the one that entered last first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let places = core::iter::successors(self.head, |place| self.links(*place).older);
        places.map(|place| self.get(place))
    }

    /// How many elements there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn newer(&self, place: Place) -> Option<Place> {
        self.links(place).newer
    }

    fn links(&self, place: Place) -> Links {
        match &self.nodes[place.0 as usize] {
            Node::Used { links, .. } => *links,
            Node::Free { .. } => panic!("{place:?} is free"),
        }
    }

    fn links_mut(&mut self, place: Place) -> &mut Links {
        match &mut self.nodes[place.0 as usize] {
            Node::Used { links, .. } => links,
            Node::Free { .. } => panic!("{place:?} is free"),
        }
    }

    fn occupy(&mut self, node: Node<T>) -> Place {
        if let Some(place) = self.free {
            let slot = &mut self.nodes[place.0 as usize];
            match core::mem::replace(slot, node) {
                Node::Free { next } => self.free = next,
                Node::Used { .. } => unreachable!("the free list holds free nodes"),
            }
            place
        } else {
            self.nodes.push(node);
            Place(u32::try_from(self.nodes.len() - 1).expect("no machine holds 2^32 entries"))
        }
    }
}

impl<T> Default for Sieve<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
enum Node<T> {
    Free { next: Option<Place> },
    Used { element: T, links: Links },
}

#[derive(Clone, Copy, Debug)]
struct Links {
    newer: Option<Place>,
    older: Option<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_visited_leaves_in_the_order_it_came() {
        let mut order = Sieve::new();
        for number in 0..4 {
            order.insert(number);
        }
        let left: Vec<_> = core::iter::from_fn(|| order.evict(|_| false)).collect();
        assert_eq!(left, [0, 1, 2, 3]);
    }

    #[test]
    fn the_hand_goes_on_where_it_stopped() {
        let mut order = Sieve::new();
        for number in 0..4 {
            order.insert(number);
        }
        assert_eq!(order.evict(|number| *number == 0), Some(1));
        order.insert(4);
        // 0 was spared once and stands behind the hand, which goes on with 2.
        assert_eq!(order.evict(|_| false), Some(2));
    }

    #[test]
    fn what_enters_at_the_hand_goes_before_all_others_unless_it_is_visited() {
        let mut order = Sieve::new();
        for number in 0..4 {
            order.insert(number);
        }
        order.insert_at_hand(10);
        assert_eq!(order.evict(|_| false), Some(10));
        assert_eq!(order.evict(|number| *number == 0), Some(1));
        order.insert_at_hand(11);
        order.insert_at_hand(12);
        assert_eq!(order.evict(|number| *number == 12), Some(11));
        let left: Vec<_> = core::iter::from_fn(|| order.evict(|_| false)).collect();
        assert_eq!(left, [2, 3, 0, 12]);
    }

    #[test]
    fn an_order_in_which_everything_is_always_visited_still_gives_one_up() {
        let mut order = Sieve::new();
        order.insert('a');
        order.insert('b');
        assert_eq!(order.evict(|_| true), Some('a'));
        assert_eq!(order.len(), 1);
    }
}
