//! The entries in memory, within their budgets.
//!
//! Owns every entry, the eviction order and the dates of removal. Returns what it did, and sends nothing.

use crate::{
    BODY_BYTES_MAX, Domain, Entry, KEY_BYTES_MAX, Key, Scope, Timestamp, freshness,
    port::Budget,
    sieve::{Place, Sieve},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::{ops::Bound, time::Duration};

/// Entries by key, in the order of eviction.
#[derive(Debug)]
pub(crate) struct Cache {
    budget: Budget,
    retention: Duration,
    slots: BTreeMap<Key, Slot>,
    order: Sieve<Arc<Entry>>,
    removals: BTreeSet<(Timestamp, Key)>,
    /// Entries that say that something is not there, or is elsewhere.
    signposts: BTreeSet<Key>,
    /// How many entries each domain has.
    domains: BTreeMap<Domain, usize>,
    weight_bytes: usize,
    /// Whether what was fresh has had to leave for entries that nobody here has asked for, and no entry that was asked for
    /// has needed room since.
    unasked_displaced: bool,
}

impl Cache {
    pub(crate) fn new(budget: Budget, retention: Duration) -> Self {
        Self {
            budget,
            retention,
            slots: BTreeMap::new(),
            order: Sieve::new(),
            removals: BTreeSet::new(),
            signposts: BTreeSet::new(),
            domains: BTreeMap::new(),
            weight_bytes: 0,
            unasked_displaced: false,
        }
    }

    /// Takes `entry` in, in place of any other under its key, and makes room for it.
    ///
    /// An entry that renews another keeps its mark, and its place in the order unless others must make room.
    pub(crate) fn insert(&mut self, entry: &Arc<Entry>) -> Insertion {
        self.insert_at(entry, None)
    }

    /// The same for an entry that nobody here has asked for.
    ///
    /// Once what is still fresh has had to leave for such an entry, it and all that come after it are the next to leave
    /// themselves, unless they are read: however many come, they take the room of the largest of them, and the next that
    /// is asked for gets it back.
    pub(crate) fn insert_unasked(&mut self, entry: &Arc<Entry>, now: Timestamp) -> Insertion {
        self.insert_at(entry, Some(now))
    }

    /// `unasked`: the present time, if nobody here has asked for the entry.
    fn insert_at(&mut self, entry: &Arc<Entry>, unasked: Option<Timestamp>) -> Insertion {
        let weight = entry.weight_bytes();
        if weight > self.budget.bytes_max || self.budget.entries_max == 0 || is_too_long(entry) {
            let displaced = self.remove(entry.key()).is_some();
            return Insertion::TooHeavy { displaced };
        }
        let old_weight = self.lookup(entry.key()).map(|old| old.weight_bytes());
        let evicted = match old_weight {
            Some(old) if self.weight_bytes - old + weight <= self.budget.bytes_max => {
                self.replace(entry);
                Vec::new()
            }
            Some(_) | None => {
                if self.remove(entry.key()).is_some_and(|old| old.take_visited()) {
                    entry.mark_visited();
                }
                let evicted = self.make_room(weight);
                if !evicted.is_empty() {
                    let is_fresh = |now| evicted.iter().any(|it| !freshness::remaining(it, now).is_zero());
                    self.unasked_displaced =
                        unasked.is_some_and(|now| self.unasked_displaced || is_fresh(now));
                }
                let place = if unasked.is_some() && self.unasked_displaced {
                    self.order.insert_at_hand(Arc::clone(entry))
                } else {
                    self.order.insert(Arc::clone(entry))
                };
                self.slots.insert(entry.key().clone(), Slot { place, held_until: None });
                evicted
            }
        };
        self.weight_bytes += weight;
        if entry.is_signpost() {
            self.signposts.insert(entry.key().clone());
        }
        *self.domains.entry(entry.key().domain()).or_default() += 1;
        self.removals.insert((self.removal_date(entry), entry.key().clone()));
        Insertion::Kept { evicted }
    }

    /// Takes the entry under `key` out.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Entry>> {
        let slot = self.slots.remove(key)?;
        let entry = self.order.remove(slot.place);
        self.forget(&entry);
        Some(entry)
    }

    /// Takes out every entry that `scope` means.
    pub(crate) fn remove_scope(&mut self, scope: &Scope) -> Vec<Key> {
        let keys = self.meant_by(scope);
        for key in &keys {
            self.remove(key);
        }
        keys
    }

    /// Puts every entry in doubt that `scope` means. Returns how many were not in doubt yet.
    pub(crate) fn doubt_scope(&mut self, scope: &Scope) -> usize {
        let entries = self.meant_by(scope);
        let entries = entries.iter().filter_map(|key| self.lookup(key)).filter(|entry| !entry.is_doubted());
        entries.map(|entry| entry.doubt()).count()
    }

    /// Puts every entry in doubt whose content is no younger than `date`.
    pub(crate) fn doubt_from_before(&self, date: Timestamp) {
        self.order.iter().filter(|entry| entry.born() <= date).for_each(|entry| entry.doubt());
    }

    /// The entries whose key's text begins with `prefix`, in the order of their keys.
    pub(crate) fn entries_from<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Entry>> {
        keys_from(&self.slots, prefix).filter_map(|key| self.lookup(key))
    }

    fn meant_by(&self, scope: &Scope) -> Vec<Key> {
        match scope {
            Scope::Key(_) | Scope::Prefix { .. } => keys_in(&self.slots, scope).cloned().collect(),
            Scope::Signposts { prefix } => {
                let meant = |key: &&Key| key.resource().starts_with(&**prefix);
                self.signposts.iter().filter(meant).cloned().collect()
            }
        }
    }

    /// Takes out what is too old even to be asked about.
    pub(crate) fn remove_outdated(&mut self, now: Timestamp) -> Vec<Key> {
        let mut removed = Vec::new();
        while let Some((date, key)) = self.removals.first().cloned() {
            if date > now {
                break;
            }
            self.remove(&key);
            removed.push(key);
        }
        removed
    }

    /// Serves the entry under `key` stale, without asking, until `until`.
    pub(crate) fn hold_off(&mut self, key: &Key, until: Timestamp) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.held_until = Some(until);
        }
    }

    pub(crate) fn lookup(&self, key: &Key) -> Option<&Arc<Entry>> {
        self.slots.get(key).map(|slot| self.order.get(slot.place))
    }

    /// The entry of `resource` that is likeliest to be what the origin would give to another domain, `except` that one's
    /// own: the youngest that can be lent. Of more than [`KIN_MAX`] some are not looked at.
    pub(crate) fn kin(&self, resource: &str, except: Option<Domain>) -> Option<&Arc<Entry>> {
        let begins = [resource, "\n"].concat();
        let is_kin = |other: &&Key| other.resource() == resource && Some(other.domain()) != except;
        let kin = keys_from(&self.slots, &begins).take(KIN_MAX).filter(is_kin);
        let entries = kin.filter_map(|kin| self.lookup(kin));
        entries.filter(|entry| is_lendable(entry)).max_by_key(|entry| entry.born())
    }

    /// Whether `domain` has an entry that `counts` and whose resource begins with `prefix`.
    pub(crate) fn holds(&self, prefix: &str, domain: Domain, counts: impl Fn(&Entry) -> bool) -> bool {
        let scope = Scope::Prefix { prefix: prefix.into(), domain: Some(domain) };
        let mut entries = keys_in(&self.slots, &scope).filter_map(|key| self.lookup(key));
        self.domains.contains_key(&domain) && entries.any(|entry| counts(entry))
    }

    /// Every entry, those read since the eviction last looked first, the younger before the older.
    pub(crate) fn hottest(&self) -> Vec<&Arc<Entry>> {
        let (mut hot, cold): (Vec<_>, Vec<_>) = self.order.iter().partition(|entry| entry.is_visited());
        hot.extend(cold);
        hot
    }

    /// Whether the origin is given time to recover before it is asked about `key` again.
    pub(crate) fn is_held_off(&self, key: &Key, now: Timestamp) -> bool {
        self.slots.get(key).and_then(|slot| slot.held_until).is_some_and(|until| until > now)
    }

    /// When the next entry becomes too old.
    pub(crate) fn next_removal(&self) -> Option<Timestamp> {
        self.removals.first().map(|(date, _)| *date)
    }

    /// What is held, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.slots.keys()
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Puts `entry` where another under its key stands, which is struck off the books.
    fn replace(&mut self, entry: &Arc<Entry>) {
        let slot = self.slots.get_mut(entry.key()).expect("the caller looked it up");
        slot.held_until = None;
        let old = self.order.replace(slot.place, Arc::clone(entry));
        if old.take_visited() {
            entry.mark_visited();
        }
        self.forget(&old);
    }

    /// Evicts until one more entry, of `bytes`, fits.
    fn make_room(&mut self, bytes: usize) -> Vec<Arc<Entry>> {
        let mut evicted = Vec::new();
        while self.order.len() >= self.budget.entries_max || self.weight_bytes + bytes > self.budget.bytes_max
        {
            let entry =
                self.order.evict(|entry| entry.take_visited()).expect("what exceeds a budget is not empty");
            self.slots.remove(entry.key());
            self.forget(&entry);
            evicted.push(entry);
        }
        evicted
    }

    /// Strikes `entry`, which has left the order, off the books.
    fn forget(&mut self, entry: &Entry) {
        self.weight_bytes -= entry.weight_bytes();
        self.signposts.remove(entry.key());
        let domain = entry.key().domain();
        let count = self.domains.get_mut(&domain).expect("each entry was counted when it came");
        *count -= 1;
        if *count == 0 {
            self.domains.remove(&domain);
        }
        self.removals.remove(&(self.removal_date(entry), entry.key().clone()));
    }

    fn removal_date(&self, entry: &Entry) -> Timestamp {
        let freshness = entry.freshness();
        let useful = self.retention.max(freshness.while_revalidating).max(freshness.if_error);
        entry.fresh_until().saturating_add(useful)
    }
}

/// What became of an entry handed in.
#[derive(Debug, PartialEq)]
pub(crate) enum Insertion {
    /// It is held; these had to leave.
    Kept { evicted: Vec<Arc<Entry>> },
    /// It outweighs the whole budget, or is longer than any entry may be. `displaced`: another under its key is gone all the same.
    TooHeavy { displaced: bool },
}

/// Whether the origin can be asked about `entry` under another credential: it is a whole answer of the origin with a tag.
fn is_lendable(entry: &Entry) -> bool {
    let is_of_origin = entry.key().domain() != Domain::APPLICATION;
    is_of_origin && entry.content().status == OK && entry.validators().etag.is_some()
}

/// Whether neither disk nor peers could take `entry` back.
fn is_too_long(entry: &Entry) -> bool {
    entry.content().body.len() > BODY_BYTES_MAX || entry.key().as_str().len() > KEY_BYTES_MAX
}

/// Keys of `map` whose text begins so, in order.
pub(crate) fn keys_from<'a, V>(map: &'a BTreeMap<Key, V>, begins: &'a str) -> impl Iterator<Item = &'a Key> {
    map.range::<str, _>((Bound::Included(begins), Bound::Unbounded))
        .map(|(key, _)| key)
        .take_while(move |key| key.as_str().starts_with(begins))
}

/// Keys of `map` that `scope` means whatever is kept under them, in order.
pub(crate) fn keys_in<'a, V>(map: &'a BTreeMap<Key, V>, scope: &'a Scope) -> impl Iterator<Item = &'a Key> {
    let begins = match scope {
        Scope::Key(key) => key.as_str(),
        Scope::Prefix { prefix, .. } | Scope::Signposts { prefix } => prefix,
    };
    keys_from(map, begins).filter(move |key| scope.covers_key(key))
}

/// Most entries of one resource that are looked at to find the best candidate. A look takes some tens of nanoseconds; as
/// many credentials read one resource within its lifetime in a busy fleet.
const KIN_MAX: usize = 512;

const OK: u16 = 200;

#[derive(Debug)]
struct Slot {
    place: Place,
    held_until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Content, Draft, Validators, freshness::Freshness};
    use alloc::{
        format,
        string::{String, ToString as _},
    };

    fn entry(resource: &str, domain: Domain, born: u64, draft: Draft) -> Arc<Entry> {
        Arc::new(Entry::new(Key::new(resource, domain), draft, Timestamp::from_unix_millis(born), 0))
    }

    fn tagged(status: u16) -> Draft {
        Draft {
            content: Content { status, ..Content::of_value("body") },
            freshness: Freshness::default(),
            validators: Validators { etag: Some("\"tag\"".into()), ..Validators::default() },
            age: Duration::ZERO,
        }
    }

    fn domain(number: u8) -> Domain {
        Domain::from_bytes([number; 16])
    }

    #[test]
    fn of_what_is_fresh_only_one_leaves_for_all_that_comes_unasked() {
        let now = Timestamp::from_unix_millis(1_000);
        let lasting = |resource: &str, seconds| {
            let freshness = Freshness { lifetime: Duration::from_secs(seconds), ..Freshness::default() };
            entry(resource, domain(1), 1_000, Draft { freshness, ..tagged(OK) })
        };
        let held =
            |cache: &Cache| -> Vec<String> { cache.keys().map(|key| key.resource().to_string()).collect() };
        let mut cache = Cache::new(Budget { entries_max: 3, bytes_max: 1 << 20 }, Duration::from_secs(60));
        for own in ["a", "b"] {
            cache.insert(&lasting(own, 60));
        }
        cache.insert_unasked(&lasting("s", 0), now);
        for unasked in ["u1", "u2", "u3"] {
            cache.insert_unasked(&lasting(unasked, 60), now);
        }
        assert_eq!(held(&cache), ["b", "s", "u3"]);
        cache.insert(&lasting("c", 60));
        assert_eq!(held(&cache), ["b", "c", "s"], "what was asked for takes its place");
        cache.insert(&lasting("d", 60));
        cache.insert_unasked(&lasting("u4", 60), now);
        assert_eq!(held(&cache), ["c", "d", "u4"], "what is stale makes room as ever");
        cache.insert_unasked(&lasting("u5", 60), now);
        cache.lookup(lasting("u5", 60).key()).expect("it is held").mark_visited();
        cache.insert_unasked(&lasting("u6", 60), now);
        assert_eq!(held(&cache), ["u4", "u5", "u6"], "it was read, so another leaves");
    }

    #[test]
    fn unasked_entries_of_all_sizes_take_no_more_room_from_what_is_fresh_than_the_largest_of_them() {
        let now = Timestamp::from_unix_millis(1_000);
        let of = |resource: String, bytes: usize| {
            let freshness = Freshness { lifetime: Duration::from_secs(60), ..Freshness::default() };
            let content = Content { status: OK, ..Content::of_value("x".repeat(bytes)) };
            entry(&resource, domain(1), 1_000, Draft { content, freshness, ..tagged(OK) })
        };
        let weight = of("own-000".to_string(), 200).weight_bytes();
        let mut cache =
            Cache::new(Budget { entries_max: 100, bytes_max: 20 * weight }, Duration::from_secs(60));
        for number in 0..20 {
            cache.insert(&of(format!("own-{number:03}"), 200));
        }
        for round in 0..4 {
            cache.insert_unasked(&of(format!("big-{round:03}"), 4 * weight - (weight - 200)), now);
            for number in 0..5 {
                cache.insert_unasked(&of(format!("u-{round}-{number:03}"), 200), now);
            }
        }
        let own = cache.keys().filter(|key| key.resource().starts_with("own")).count();
        assert!((15..20).contains(&own), "{own} of 20 are left");
    }

    #[test]
    fn the_youngest_whole_answer_of_the_origin_is_lent_and_nothing_else_is() {
        let mut cache = Cache::new(Budget { entries_max: 100, bytes_max: 1 << 20 }, Duration::from_secs(60));
        let asker = Key::new("r", domain(1));
        let untagged = Draft { validators: Validators::default(), ..tagged(OK) };
        let not_lent = [
            entry("r", domain(1), 9, tagged(OK)),
            entry("r", domain(2), 9, tagged(404)),
            entry("r", domain(3), 9, untagged),
            entry("r", Domain::APPLICATION, 9, tagged(OK)),
            entry("r2", domain(2), 9, tagged(OK)),
            entry("r\nr", domain(2), 9, tagged(OK)),
        ];
        for entry in &not_lent {
            cache.insert(entry);
        }
        assert_eq!(cache.kin(asker.resource(), Some(asker.domain())), None);
        let lent =
            [(4, 1), (5, 3), (6, 2)].map(|(number, born)| entry("r", domain(number), born, tagged(OK)));
        for entry in &lent {
            cache.insert(entry);
        }
        assert_eq!(cache.kin(asker.resource(), Some(asker.domain())), Some(&lent[1]));
    }
}
