//! Which members read which entry that this node coordinates, by what they asked it for.
//!
//! Without it a new entry could only be told to all members or to none but those that wait for it.

use crate::{Name, PeerId, Timestamp};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// The members that asked for each name, at most [`READERS_MAX`] of each of at most [`NAMES_MAX`] names; those that
/// asked longest ago are forgotten first, and so are the names.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// Those that asked last come last.
    asked: BTreeMap<Name, Vec<Reader>>,
    order: BTreeSet<(Timestamp, Name)>,
}

#[derive(Clone, Copy, Debug)]
struct Reader {
    peer: PeerId,
    asked_at: Timestamp,
    /// Whether it was sent an entry since it asked, unasked.
    is_told: bool,
}

impl Readers {
    /// `peer` asks for `name`.
    pub(crate) fn note(&mut self, now: Timestamp, name: Name, peer: PeerId) {
        let readers = self.asked.entry(name).or_default();
        if let Some(last) = readers.last() {
            self.order.remove(&(last.asked_at, name));
        }
        readers.retain(|known| known.peer != peer);
        if readers.len() >= READERS_MAX {
            readers.remove(0);
        }
        readers.push(Reader { peer, asked_at: now, is_told: false });
        self.order.insert((now, name));
        if self.asked.len() > NAMES_MAX
            && let Some((_, first)) = self.order.pop_first()
        {
            self.asked.remove(&first);
        }
    }

    /// `peers` were sent the entry of `name`, which they had not asked for: they are not sent another before they ask again.
    pub(crate) fn on_told(&mut self, name: &Name, peers: &[PeerId]) {
        let readers = self.asked.get_mut(name).into_iter().flatten();
        readers.filter(|reader| peers.contains(&reader.peer)).for_each(|reader| reader.is_told = true);
    }

    /// The members that asked for `name` at `since` or later, and were sent nothing unasked after that.
    pub(crate) fn untold(&self, name: &Name, since: Timestamp) -> impl Iterator<Item = PeerId> {
        let untold = move |reader: &&Reader| !reader.is_told && reader.asked_at >= since;
        self.asked.get(name).into_iter().flatten().filter(untold).map(|reader| reader.peer)
    }

    /// The members that asked for `name`, those that asked last first.
    pub(crate) fn latest(&self, name: &Name) -> impl Iterator<Item = PeerId> {
        self.asked.get(name).into_iter().flatten().rev().map(|reader| reader.peer)
    }
}

/// Most readers of one name: as many as can be sent an entry of 16 KiB in half a mebibyte. One more asks when it wants it.
const READERS_MAX: usize = 32;

/// Most names whose readers are known: four thousand, in little more than 1 MB with three readers each, and in 6 MB with as
/// many as there may be. The readers of others ask when they want the entry.
const NAMES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: usize) -> PeerId {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&(number as u64).to_le_bytes());
        PeerId::from_public_key(key)
    }

    fn name(number: usize) -> Name {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
        Name::from_bytes(bytes)
    }

    fn at(millis: usize) -> Timestamp {
        Timestamp::from_unix_millis(1_000_000 + millis as u64)
    }

    fn read(readers: &Readers, number: usize, since: usize) -> Vec<PeerId> {
        readers.untold(&name(number), at(since)).collect()
    }

    #[test]
    fn those_that_asked_since_are_known_once_each() {
        let mut readers = Readers::default();
        for (millis, number) in [(0, 1), (10, 2), (20, 1), (30, 3)] {
            readers.note(at(millis), name(7), peer(number));
        }
        assert_eq!(read(&readers, 7, 0), [2, 1, 3].map(peer));
        assert_eq!(read(&readers, 7, 20), [1, 3].map(peer));
        assert_eq!(read(&readers, 8, 0), []);
        assert_eq!(readers.latest(&name(7)).collect::<Vec<_>>(), [3, 1, 2].map(peer));
    }

    #[test]
    fn those_that_were_told_are_told_again_once_they_have_asked_again() {
        let mut readers = Readers::default();
        for number in [1, 2] {
            readers.note(at(0), name(7), peer(number));
        }
        readers.on_told(&name(7), &[peer(1), peer(3)]);
        assert_eq!(read(&readers, 7, 0), [peer(2)]);
        readers.note(at(10), name(7), peer(1));
        assert_eq!(read(&readers, 7, 0), [2, 1].map(peer));
    }

    #[test]
    fn of_too_many_readers_of_one_name_the_first_is_forgotten() {
        let mut readers = Readers::default();
        for number in 0..=READERS_MAX {
            readers.note(at(number), name(7), peer(number));
        }
        assert_eq!(read(&readers, 7, 0), (1..=READERS_MAX).map(peer).collect::<Vec<_>>());
    }

    #[test]
    fn of_too_many_names_the_one_that_was_asked_for_longest_ago_is_forgotten() {
        let mut readers = Readers::default();
        for number in 0..NAMES_MAX {
            readers.note(at(number), name(number), peer(1));
        }
        // Asked for anew, the first is the last.
        readers.note(at(NAMES_MAX), name(0), peer(2));
        readers.note(at(NAMES_MAX), name(NAMES_MAX), peer(1));
        assert_eq!(read(&readers, 1, 0), []);
        assert_eq!(read(&readers, 0, 0), [1, 2].map(peer));
        assert_eq!((readers.asked.len(), readers.order.len()), (NAMES_MAX, NAMES_MAX));
    }
}
