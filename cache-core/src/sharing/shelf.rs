//! The names of entries that are on disk and no longer in memory.
//!
//! Without it a member that is asked could say only whether it has the entry in memory, and would let others call the
//! origin for what it has on disk.

use crate::{Key, Name, Scope, cache::keys_in};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

/// Entries on disk by name, at most [`SHELF_MAX`]; those that others are to find elsewhere are forgotten first, and of those
/// the ones put there first.
///
/// A record that is not there after all costs the peer that asks for it a look at the disk.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    keys: BTreeMap<Name, Key>,
    names: BTreeMap<Key, (u64, Vec<Name>)>,
    /// What this node has for all others, in the order in which it came. What was taken off meanwhile has another number by
    /// now, or none.
    owned: VecDeque<(u64, Key)>,
    /// The same for what others are to find elsewhere.
    others: VecDeque<(u64, Key)>,
    number_last: u64,
}

impl Shelf {
    /// Notes that the entry under `key`, which has the names `names`, is only on disk; `standing`: as this node coordinated
    /// it, or did not, by then.
    pub(crate) fn put(&mut self, key: &Key, names: Vec<Name>, standing: Standing) {
        self.take(key);
        self.number_last += 1;
        for name in &names {
            self.keys.insert(*name, key.clone());
        }
        self.names.insert(key.clone(), (self.number_last, names));
        let order = match standing {
            Standing::Owned => &mut self.owned,
            Standing::Other => &mut self.others,
        };
        order.push_back((self.number_last, key.clone()));
        while self.owned.len() + self.others.len() > SHELF_MAX
            && let Some((number, key)) = self.others.pop_front().or_else(|| self.owned.pop_front())
        {
            if self.names.get(&key).is_some_and(|(current, _)| *current == number) {
                self.take(&key);
            }
        }
    }

    /// Forgets the entry under `key`: it is in memory, or nowhere.
    pub(crate) fn take(&mut self, key: &Key) {
        let Some((_, names)) = self.names.remove(key) else { return };
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// This node coordinates it, or does so next.
    Owned,
    /// Others coordinate it, now and when the first of them is gone.
    Other,
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
            shelf.put(&key(number), vec![name(number)], Standing::Owned);
        }
        // Put anew, the first is the last.
        shelf.put(&key(0), vec![name(0)], Standing::Owned);
        shelf.put(&key(SHELF_MAX), vec![name(SHELF_MAX)], Standing::Owned);
        assert_eq!(shelf.key(&name(0)), Some(&key(0)));
        assert_eq!(shelf.key(&name(1)), None);
        assert!(shelf.keys.len() <= SHELF_MAX && shelf.owned.len() <= SHELF_MAX);
    }

    #[test]
    fn what_others_are_to_find_elsewhere_is_forgotten_before_what_this_node_coordinates() {
        let mut shelf = Shelf::default();
        shelf.put(&key(0), vec![name(0)], Standing::Owned);
        for number in 1..=SHELF_MAX {
            shelf.put(&key(number), vec![name(number)], Standing::Other);
        }
        assert_eq!(shelf.key(&name(0)), Some(&key(0)));
        assert_eq!(shelf.key(&name(1)), None);
        assert_eq!(shelf.key(&name(2)), Some(&key(2)));
        assert_eq!(shelf.keys.len(), SHELF_MAX);
    }

    #[test]
    fn what_is_taken_off_is_found_by_no_name() {
        let mut shelf = Shelf::default();
        shelf.put(&key(100), vec![name(1), name(2)], Standing::Owned);
        shelf.put(&key(101), vec![name(3)], Standing::Other);
        shelf.put(&key(200), vec![name(4)], Standing::Owned);
        shelf.take_scope(&Scope::Signposts { prefix: "0001".into() });
        assert_eq!([1, 2, 3].map(|number| shelf.key(&name(number))), [None; 3]);
        shelf.take(&key(200));
        assert_eq!(shelf.key(&name(4)), None);
        assert!(shelf.names.is_empty() && shelf.keys.is_empty());
    }
}
