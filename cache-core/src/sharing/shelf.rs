//! The names of entries that are on disk and no longer in memory.
//!
//! Without it a member that is asked could say only whether it has the entry in memory, and would let others call the
//! origin for what it has on disk.

use crate::{Key, Name, Scope, cache::keys_in};
use alloc::{collections::BTreeMap, vec::Vec};

/// Entries on disk by name, at most [`SHELF_MAX`]; those that others are to find elsewhere are forgotten first, and of those
/// the ones put there first.
///
/// A record that is not there after all costs the peer that asks for it a look at the disk.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    keys: BTreeMap<Name, Key>,
    names: BTreeMap<Key, (Turn, Vec<Name>)>,
    /// In the order in which they are forgotten.
    order: BTreeMap<Turn, Key>,
    number_last: u64,
}

/// When a record is forgotten; the second is larger the later it was put.
type Turn = (Ownership, u64);

impl Shelf {
    /// Notes that the entry under `key`, which has the names `names`, is only on disk; `ownership`: as this node coordinated
    /// it, or did not, by then.
    pub(crate) fn put(&mut self, key: &Key, names: Vec<Name>, ownership: Ownership) {
        self.take(key);
        self.number_last += 1;
        for name in &names {
            self.keys.insert(*name, key.clone());
        }
        let turn = (ownership, self.number_last);
        self.names.insert(key.clone(), (turn, names));
        self.order.insert(turn, key.clone());
        if self.order.len() > SHELF_MAX
            && let Some(first) = self.order.values().next().cloned()
        {
            self.take(&first);
        }
    }

    /// Forgets the entry under `key`: it is in memory, or nowhere.
    pub(crate) fn take(&mut self, key: &Key) {
        let Some((turn, names)) = self.names.remove(key) else { return };
        self.order.remove(&turn);
        for name in names {
            self.keys.remove(&name);
        }
    }

    /// The same for all that `scope` means, or may mean: what is kept under a key that is unknown here.
    pub(crate) fn take_scope(&mut self, scope: &Scope) {
        let scope = match scope {
            Scope::Key(_) | Scope::Prefix { .. } => scope.clone(),
            Scope::Signposts { prefix } => Scope::Prefix { prefix: prefix.clone(), domain: None },
        };
        let keys: Vec<Key> = keys_in(&self.names, &scope).cloned().collect();
        for key in keys {
            self.take(&key);
        }
    }

    /// Gives every entry the names that `names` returns.
    pub(crate) fn rename(&mut self, names: impl Fn(&Key) -> Vec<Name>) {
        self.keys.clear();
        for (key, (_, called)) in &mut self.names {
            *called = names(key);
            self.keys.extend(called.iter().map(|name| (*name, key.clone())));
        }
    }

    /// The key that members mean by `name`, if it is only on disk.
    pub(crate) fn key(&self, name: &Name) -> Option<&Key> {
        self.keys.get(name)
    }
}

/// Whether others ask this node for an entry first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Ownership {
    /// Others coordinated it, and would have done so next, when it was put on the shelf.
    Theirs,
    /// This node coordinated it, or would have done so next.
    Ours,
}

/// Most entries on disk that are known by name: four times a usual fleet's working set, in some 6 MB. A forgotten one
/// is not found for others, which then call the origin.
pub const SHELF_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Domain;
    use alloc::{format, vec};

    fn key(number: usize) -> Key {
        Key::new(&format!("{number:06}"), Domain::ANONYMOUS)
    }

    fn name(number: usize) -> Name {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
        Name::from_bytes(bytes)
    }

    #[test]
    fn what_was_put_first_is_forgotten_first() {
        let mut shelf = Shelf::default();
        for number in 0..SHELF_MAX {
            shelf.put(&key(number), vec![name(number)], Ownership::Ours);
        }
        // Put anew, the first is the last.
        shelf.put(&key(0), vec![name(0)], Ownership::Ours);
        shelf.put(&key(SHELF_MAX), vec![name(SHELF_MAX)], Ownership::Ours);
        assert_eq!(shelf.key(&name(0)), Some(&key(0)));
        assert_eq!(shelf.key(&name(1)), None);
        assert_eq!((shelf.keys.len(), shelf.order.len()), (SHELF_MAX, SHELF_MAX));
    }

    #[test]
    fn what_was_put_again_and_again_takes_no_room_from_others() {
        let mut shelf = Shelf::default();
        for number in 0..SHELF_MAX {
            shelf.put(&key(number % 8), vec![name(number % 8)], Ownership::Ours);
        }
        shelf.put(&key(100), vec![name(100)], Ownership::Theirs);
        assert_eq!(shelf.key(&name(100)), Some(&key(100)));
        assert_eq!(shelf.order.len(), 9);
    }

    #[test]
    fn what_others_are_to_find_elsewhere_is_forgotten_before_what_this_node_coordinates() {
        let mut shelf = Shelf::default();
        shelf.put(&key(0), vec![name(0)], Ownership::Ours);
        for number in 1..=SHELF_MAX {
            shelf.put(&key(number), vec![name(number)], Ownership::Theirs);
        }
        assert_eq!(shelf.key(&name(0)), Some(&key(0)));
        assert_eq!(shelf.key(&name(1)), None);
        assert_eq!(shelf.key(&name(2)), Some(&key(2)));
        assert_eq!(shelf.keys.len(), SHELF_MAX);
    }

    #[test]
    fn what_is_taken_off_is_found_by_no_name() {
        let mut shelf = Shelf::default();
        shelf.put(&key(100), vec![name(1), name(2)], Ownership::Ours);
        shelf.put(&key(101), vec![name(3)], Ownership::Theirs);
        shelf.put(&key(200), vec![name(4)], Ownership::Ours);
        shelf.take_scope(&Scope::Signposts { prefix: "0001".into() });
        assert_eq!([1, 2, 3].map(|number| shelf.key(&name(number))), [None; 3]);
        shelf.take(&key(200));
        assert_eq!(shelf.key(&name(4)), None);
        assert!(shelf.names.is_empty() && shelf.keys.is_empty() && shelf.order.is_empty());
    }
}
