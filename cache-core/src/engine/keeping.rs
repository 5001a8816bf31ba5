//! What is kept, put, forgotten, and shown to readers.

use super::{Engine, fleet::News};
use crate::{
    Doubts, Draft, Entry, Key, OrderId, Output, Scope,
    cache::Insertion,
    flights::{FlightId, Keep},
    message::Verdict,
    settings::Disk,
};
use alloc::{sync::Arc, vec::Vec};
use core::mem;

impl Engine {
    pub(super) fn on_put(&mut self, order: OrderId, key: Key, draft: Draft) {
        let detached = self.flights.detach(&key);
        for id in &detached {
            self.give_back_lease(*id, Verdict::Unused);
        }
        let edition = self.issue_edition(&key);
        let entry = Arc::new(Entry::new(key, draft, self.now, self.generation).of_edition(edition));
        let is_kept = self.keep(Arc::clone(&entry));
        // Requests that wait for what another member fetches need not wait for it any more.
        for id in detached {
            if self.flights.is_open(id) && self.flights.flight(id).waits_for_another() {
                self.ask_anew(id);
            }
        }
        if is_kept {
            self.announce(&entry, None, News::Put);
        }
        self.outputs.push_back(Output::Stored { order });
    }

    pub(super) fn on_restored(&mut self, doubts: Doubts, entries: Vec<Entry>) {
        let later = mem::replace(&mut self.doubts, doubts);
        self.doubts.absorb(later);
        // They may have been read before an invalidation that meant them; the disk is asked for each instead.
        if self.generation > 0 {
            return;
        }
        if self.is_gathering() {
            self.withheld = entries;
        } else {
            self.take_in(entries);
        }
    }

    /// Notes what is on disk beyond what memory has room for, as soon as members may be given it.
    pub(super) fn on_catalogued(&mut self, keys: Vec<Key>) {
        self.catalogued = keys;
        if !self.is_gathering() {
            self.shelve_catalogued();
        }
    }

    /// Drops the entry that an answer which is not kept has proved outdated. What came under its key meanwhile stays, and
    /// an entry that was put in doubt meanwhile does not.
    pub(super) fn drop_superseded(&mut self, id: FlightId) {
        let flight = self.flights.flight(id);
        let key = flight.key().clone();
        let held = self.cache.lookup(&key);
        let is_asked_about = held.zip(flight.stale()).is_some_and(|(held, stale)| Arc::ptr_eq(held, stale));
        if is_asked_about || (flight.keep() == Keep::Yes && flight.stale().is_some()) {
            self.drop_held(&key);
        }
    }

    /// Drops what is held under `key`, in memory and on disk, and tells no member.
    pub(super) fn drop_held(&mut self, key: &Key) {
        self.withheld.retain(|entry| entry.key() != key);
        if self.cache.remove(key).is_some() {
            self.hide(key.clone());
        }
        if let Some(fleet) = &mut self.fleet {
            fleet.shelf.take(key);
        }
        if self.settings.disk == Disk::Present {
            self.outputs.push_back(removal_of(key));
        }
    }

    /// Takes an entry into memory and onto the disk. Returns whether memory has room for it at all.
    pub(super) fn keep(&mut self, entry: Arc<Entry>) -> bool {
        let insertion = self.cache.insert(&entry);
        self.keep_as(entry, insertion)
    }

    /// The same for an entry that nobody here has asked for, and that displaces little of what is of use.
    pub(super) fn keep_unasked(&mut self, entry: Arc<Entry>) -> bool {
        let insertion = self.cache.insert_unasked(&entry, self.now);
        self.keep_as(entry, insertion)
    }

    fn keep_as(&mut self, entry: Arc<Entry>, insertion: Insertion) -> bool {
        self.withheld.retain(|withheld| withheld.key() != entry.key());
        let kept = self.show(Arc::clone(&entry), insertion);
        if self.settings.disk == Disk::Present {
            // A signpost is ended by any write, and the disk could not tell which records are one. What settles may be
            // what was there before the write, and after a crash nothing would tell.
            self.outputs.push_back(if kept && !entry.is_signpost() && !self.settling.taints(&entry) {
                Output::Persist { entry }
            } else {
                removal_of(entry.key())
            });
        }
        kept
    }

    pub(super) fn admit(&mut self, entry: Arc<Entry>) -> bool {
        let insertion = self.cache.insert(&entry);
        self.show(entry, insertion)
    }

    /// Lets readers and members see what became of `entry`. Returns whether it is in memory.
    fn show(&mut self, entry: Arc<Entry>, insertion: Insertion) -> bool {
        if self.settling.taints(&entry) {
            entry.doubt();
        }
        match insertion {
            Insertion::Kept { evicted } => {
                self.counters.evictions += evicted.len() as u64;
                for evicted in evicted {
                    self.shelve(&evicted);
                    self.hide(evicted.key().clone());
                }
                self.publish(entry);
                true
            }
            Insertion::TooHeavy { displaced } => {
                if displaced {
                    self.hide(entry.key().clone());
                }
                false
            }
        }
    }
}

fn removal_of(key: &Key) -> Output {
    Output::Remove { removal: None, scopes: Vec::from([Scope::Key(key.clone())]), doubted: None }
}
