//! Telling members what is new or no longer true, and hearing it from them.

use crate::{
    Content, Draft, ENTRY_OVERHEAD_BYTES, Entry, Features, Key, Message, Name, PeerId, Source, Timestamp,
    engine::Engine,
    flights::{FlightId, Keep},
    freshness,
    message::{Announced, Edition, Notice, Parcel, Reach, Verdict, clamped},
};
use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};
use core::time::Duration;

/// What kind of news an entry is, which decides how members hear of it that need not have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::engine) enum News {
    /// Another domain had it before: they hear of it by name, since most have the body already.
    Borrowed,
    /// The origin has sent it: they are sent it while that is within the budget, else they hear of it by name while that is,
    /// else not at all.
    Fetched,
    /// A program has put it. As [`Self::Fetched`], but they always hear of it: what they hold is no longer the latest, and
    /// nothing else would tell them.
    Put,
}

/// How members hear of an entry that they have not asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unasked {
    ByName,
    NotAtAll,
    Whole,
}

impl Engine {
    /// Tells the fleet of a new entry. Those that wait for it get the whole of it, and so do its coordinator, the member
    /// that granted the lease for it, and, as far as not all members get it, the coordinator's deputy and those that read
    /// it. The others get it, or hear of it by name, within the budget for what nobody has asked for.
    pub(in crate::engine) fn announce(&mut self, entry: &Arc<Entry>, lease: Option<PeerId>, news: News) {
        let told = self.conclude_leases(entry);
        self.announce_to_others(entry, lease, news, &told);
    }

    /// The same, but for those that wait for it, and others that were `told`.
    fn announce_to_others(&mut self, entry: &Arc<Entry>, lease: Option<PeerId>, news: News, told: &[PeerId]) {
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| fleet.has_listeners()) else { return };
        let name = fleet.name(entry.key());
        if fleet.is_guest() {
            return self.announce_to_hosts(
                entry,
                [lease, Some(fleet.coordinator(&name, self.now, &[]))],
                told,
            );
        }
        let owners = [Some(fleet.coordinator(&name, self.now, &[])), lease];
        let elsewhere = lease.filter(|lease| *lease != fleet.local() && !fleet.ring.contains(*lease));
        let guests = self.readers(entry).into_iter().filter(|peer| fleet.guests.hosts(*peer));
        let members = fleet.ring.others().chain(elsewhere).chain(guests);
        let untold = members.filter(|peer| !told.contains(peer) && *peer != fleet.local());
        let (owners, others): (Vec<PeerId>, Vec<PeerId>) =
            untold.partition(|peer| owners.contains(&Some(*peer)));
        let concerned = self.concerned(entry, news);
        let (concerned, others): (Vec<PeerId>, Vec<PeerId>) =
            others.into_iter().partition(|peer| concerned.contains(peer));
        let unasked = self.unasked(entry, news, others.len());
        if unasked == Unasked::Whole {
            let mut all = [owners, concerned, others].concat();
            all.sort();
            return self.say_whole(all, entry);
        }
        self.say_whole(concerned, entry);
        if self.is_passed_on(entry, news) {
            self.say_to_owners(owners, entry);
        } else {
            self.say_whole(owners, entry);
        }
        if unasked == Unasked::ByName {
            self.say_name(others, entry);
        }
    }

    /// Sends `entry`, which this guest has fetched or put, to the host that granted it the lease, and the one that it would ask.
    fn announce_to_hosts(&mut self, entry: &Entry, hosts: [Option<PeerId>; 2], told: &[PeerId]) {
        let Some(fleet) = &self.fleet else { return };
        let mut to: Vec<PeerId> = hosts.into_iter().flatten().collect();
        to.retain(|host| fleet.ring.contains(*host) && *host != fleet.local() && !told.contains(host));
        to.sort();
        to.dedup();
        self.say_to_owners(to, entry);
    }

    /// How so many members hear of `entry` that need not have it.
    fn unasked(&mut self, entry: &Entry, news: News, count: usize) -> Unasked {
        let may_be_whole = self.is_passed_on(entry, news);
        let Some(fleet) = &mut self.fleet else { return Unasked::NotAtAll };
        let entry_bytes = entry.weight_bytes() - ENTRY_OVERHEAD_BYTES + NAMED_BYTES;
        if may_be_whole && fleet.spend(self.now, count, entry_bytes) {
            return Unasked::Whole;
        }
        if fleet.spend(self.now, count, NAMED_BYTES) || news == News::Put {
            self.counters.announcements_cut += u64::from(may_be_whole);
            Unasked::ByName
        } else {
            self.counters.announcements_withheld += 1;
            Unasked::NotAtAll
        }
    }

    /// The members that are to have `entry` though not all are: the deputy, which coordinates it when its coordinator is gone,
    /// and those that read what this node coordinates.
    fn concerned(&self, entry: &Entry, news: News) -> Vec<PeerId> {
        let Some(fleet) = self.fleet.as_ref().filter(|_| self.is_passed_on(entry, news)) else {
            return Vec::new();
        };
        let [coordinator, deputy] = fleet.owners(&fleet.name(entry.key()), self.now);
        let mut readers = self.readers(entry);
        readers.retain(|peer| coordinator == fleet.local() || fleet.guests.hosts(*peer));
        readers.into_iter().chain([deputy]).collect()
    }

    /// Whether those that read `entry` get it without asking: not if it is long, or if they have its body already.
    fn is_passed_on(&self, entry: &Entry, news: News) -> bool {
        self.is_short(entry) && news != News::Borrowed
    }

    /// Whether `entry` may be sent to members that have not asked for it now.
    fn is_short(&self, entry: &Entry) -> bool {
        let most = self.fleet.as_ref().map(|fleet| fleet.sharing.limits.attached_bytes_max);
        most.is_some_and(|most| entry.content().body.len() <= most)
    }

    /// The members that asked this node for `entry` within its last lifetime. What they asked for took a while to come, and so
    /// did this.
    fn readers(&self, entry: &Entry) -> Vec<PeerId> {
        let Some(fleet) = &self.fleet else { return Vec::new() };
        let since = self
            .now
            .saturating_sub(entry.freshness().lifetime.saturating_add(fleet.sharing.limits.wait_timeout));
        let names = fleet.sharing.naming.names(entry.key());
        let readers = names.iter().flat_map(|name| fleet.readers.untold(name, since));
        readers.filter(|peer| fleet.ring.contains(*peer) || fleet.guests.hosts(*peer)).collect()
    }

    /// Passes `entry`, which came from `from`, on to those that read it, except for those that were `told`.
    fn pass_on_entry(&mut self, entry: &Arc<Entry>, from: PeerId, told: &[PeerId]) {
        self.pass_on_to(self.readers(entry), entry, from, told);
    }

    fn pass_on_to(&mut self, mut readers: Vec<PeerId>, entry: &Arc<Entry>, from: PeerId, told: &[PeerId]) {
        readers.retain(|peer| *peer != from && !told.contains(peer));
        readers.sort();
        readers.dedup();
        self.counters.entries_passed_on += readers.len() as u64;
        self.say_whole(readers, entry);
    }

    fn say_whole(&mut self, to: Vec<PeerId>, entry: &Entry) {
        if !to.is_empty() {
            self.note_told(&to, entry);
            let parcel = Box::new(self.parcel(entry));
            self.say_to(to, Message::Announce(Announced::Whole(parcel)));
        }
    }

    /// The guests among `told` have `entry` now, and are not sent it again should it come a second way.
    pub(super) fn note_guests_told(&mut self, told: &[PeerId], entry: &Entry) {
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| fleet.guests.is_concerned()) else { return };
        let guests: Vec<PeerId> = told.iter().copied().filter(|peer| fleet.guests.hosts(*peer)).collect();
        self.note_told(&guests, entry);
    }

    fn note_told(&mut self, peers: &[PeerId], entry: &Entry) {
        let Some(fleet) = &mut self.fleet else { return };
        for name in fleet.sharing.naming.names(entry.key()) {
            fleet.readers.on_told(&name, peers);
        }
    }

    /// Sends `entry` to members that coordinate it, for those that asked them for it before.
    pub(super) fn say_to_owners(&mut self, to: Vec<PeerId>, entry: &Entry) {
        if !self.is_short(entry) || entry.is_for_waiters_alone() {
            return self.say_whole(to, entry);
        }
        let Some(fleet) = &self.fleet else { return };
        let (able, earlier): (Vec<PeerId>, Vec<PeerId>) =
            to.into_iter().partition(|peer| fleet.understands(*peer, Features::READERS));
        if !able.is_empty() {
            self.note_told(&able, entry);
            let parcel = Box::new(self.parcel(entry));
            self.say_to(able, Message::Announce(Announced::ToPassOn(parcel)));
        }
        self.say_whole(earlier, entry);
    }

    fn say_name(&mut self, to: Vec<PeerId>, entry: &Entry) {
        let Some(fleet) = &self.fleet else { return };
        let name = fleet.name(entry.key());
        let (age, edition) = (freshness::age(entry, self.now), entry.edition());
        let remaining = freshness::remaining(entry, self.now);
        let (alike, earlier): (Vec<PeerId>, Vec<PeerId>) =
            to.into_iter().partition(|peer| fleet.name_for(*peer, entry.key()) == name);
        let name_of_earlier = earlier.first().map(|peer| fleet.name_for(*peer, entry.key()));
        for (peers, name) in [(alike, name), (earlier, name_of_earlier.unwrap_or(name))] {
            self.say_to(peers, Message::Announce(Announced::Named { name, remaining, age, edition }));
        }
    }

    /// Tells the members that wait for what flight `id` fetched what the origin said, which nobody keeps.
    pub(in crate::engine) fn tell_waiting_members(&mut self, id: FlightId, content: &Content) {
        let flight = self.flights.flight_mut(id);
        if flight.keep() == Keep::No || flight.is_proving() {
            return;
        }
        let key = flight.key().clone();
        let (claims, lease) = (flight.take_claim(), flight.take_lease());
        let Some(fleet) = self.fleet.as_ref().filter(|_| claims || lease.is_some()) else { return };
        let (name, local) = (fleet.name(&key), fleet.local());
        let present = lease.map(|_| fleet.coordinator(&name, self.now, &[]));
        let draft = Draft::for_waiters_alone(content.clone());
        let entry = Arc::new(Entry::new(key, draft, self.now, self.generation));
        let told = self.conclude_leases(&entry);
        let coordinators = present.into_iter().chain(lease.filter(|lease| present != Some(*lease)));
        let coordinators = coordinators.filter(|peer| *peer != local && !told.contains(peer)).collect();
        let parcel = Box::new(self.parcel(&entry));
        self.say_to(coordinators, Message::Announce(Announced::Whole(parcel)));
    }

    /// What `parcel` tells those that wait for it, and nobody keeps.
    pub(in crate::engine) fn told(&self, parcel: Parcel) -> Arc<Entry> {
        Arc::new(Entry::new(parcel.key, parcel.draft, self.now, self.generation))
    }

    pub(in crate::engine) fn on_announced(&mut self, from: PeerId, parcel: Parcel) {
        let Some(fleet) = self.fleet.as_ref().filter(|fleet| fleet.guests.is_concerned()) else {
            self.take_announced(from, parcel);
            return;
        };
        let names = fleet.sharing.naming.names(&parcel.key);
        let is_leased = names.iter().any(|name| fleet.leases.holder(name) == Some(from));
        let is_of_guest = fleet.guests.hosts(from);
        let held = self.cache.lookup(&parcel.key).cloned();
        let Some((entry, mut told)) = self.take_announced(from, parcel) else { return };
        let is_news = held.is_none_or(|held| !Arc::ptr_eq(&held, &entry));
        if !is_news || entry.is_for_waiters_alone() {
            return;
        }
        if is_of_guest {
            // No other member has heard of it.
            told.push(from);
            let news = if is_leased { News::Fetched } else { News::Put };
            self.announce_to_others(&entry, None, news, &told);
        } else if self.is_short(&entry) {
            let mut guests = self.readers(&entry);
            let hosted = self.fleet.as_ref().map(|fleet| fleet.guests_hosted()).unwrap_or_default();
            guests.retain(|peer| hosted.contains(peer));
            self.pass_on_to(guests, &entry, from, &told);
        }
    }

    /// The same for an entry of which only the members that coordinate it have heard.
    pub(super) fn on_announced_to_pass_on(&mut self, from: PeerId, parcel: Parcel) {
        if self.fleet.as_ref().is_some_and(|fleet| fleet.guests.hosts(from)) {
            return self.on_announced(from, parcel);
        }
        let held = self.cache.lookup(&parcel.key).cloned();
        // What is no news here came another way, and so did it to those that read it.
        let is_news = |entry: &Arc<Entry>| held.is_none_or(|held| !Arc::ptr_eq(&held, entry));
        if let Some((entry, told)) = self.take_announced(from, parcel)
            && self.is_short(&entry)
            && !entry.is_for_waiters_alone()
            && is_news(&entry)
        {
            self.pass_on_entry(&entry, from, &told);
        }
    }

    /// Takes in what a member has announced. Returns what is held now, if that is of any use, and which members were told.
    fn take_announced(&mut self, from: PeerId, parcel: Parcel) -> Option<(Arc<Entry>, Vec<PeerId>)> {
        let key = parcel.key.clone();
        // What is stale on arrival will be so from the next fetcher too, so the waiters need not wait in turn.
        let is_stale = parcel.draft.age >= parcel.draft.freshness.lifetime;
        let refusal = if is_stale { Verdict::Unshareable } else { Verdict::Unused };
        let brought = if parcel.draft.is_for_waiters_alone() && self.is_credible(from, &parcel) {
            Some(self.told(parcel))
        } else {
            self.accept(from, parcel)
        };
        let names = self.fleet.as_ref()?.sharing.naming.names(&key);
        match brought {
            Some(entry) => {
                // First, so that no lease passes to one of those that wait here when flights for which it is held end.
                let told = self.conclude_leases(&entry);
                for id in self.flights.under_way(&key) {
                    if !self.flights.is_open(id) {
                        continue;
                    }
                    if let Some((id, ask, peer)) = self.consulting(id) {
                        self.flights.end_ask(ask, peer);
                        self.on_brought(id, &entry);
                    }
                }
                Some((entry, told))
            }
            None => {
                for name in names {
                    self.on_release(from, name, refusal);
                }
                None
            }
        }
    }

    pub(super) fn on_announced_elsewhere(
        &mut self,
        from: PeerId,
        name: Name,
        remaining: Duration,
        age: Duration,
        edition: Option<Edition>,
    ) {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return };
        if edition.is_some_and(|edition| !fleet.editions.note(now, name, edition)) {
            return;
        }
        let key = fleet.names.get(&name).or_else(|| fleet.shelf.key(&name)).cloned();
        if let Some(key) = key.filter(|_| edition.is_some()) {
            let is_news = |held: &Arc<Entry>| {
                held.edition() != edition && is_after(edition, now.saturating_sub(age), held)
            };
            // What is here is no longer the latest: the next request for it pulls that. Which content is on disk
            // alone is unknown.
            if self.cache.lookup(&key).is_none_or(is_news) {
                self.drop_held(&key);
            }
        }
        let Some(fleet) = &mut self.fleet else { return };
        let remaining = remaining.min(fleet.sharing.limits.freshness_max.lifetime);
        fleet.holders.insert(now, name, from, remaining);
    }

    /// Takes an entry from a peer in, unless ours is as young or it may be what was invalidated. Returns what is held
    /// under its key now, if that is of any use.
    pub(in crate::engine) fn accept(&mut self, from: PeerId, parcel: Parcel) -> Option<Arc<Entry>> {
        let now = self.now;
        if !self.is_credible(from, &parcel) {
            self.counters.entries_refused += 1;
            return None;
        }
        let Some(entry) = self.open_parcel(parcel) else {
            self.counters.entries_refused += 1;
            return None;
        };
        let is_latest =
            self.fleet.as_mut().is_none_or(|fleet| fleet.note_edition(now, entry.key(), entry.edition()));
        let held = self.cache.lookup(entry.key()).cloned();
        if !is_latest && held.is_none() {
            self.counters.entries_refused += 1;
            return None;
        }
        let stays =
            |held: &Entry| !is_latest || !is_after(entry.edition(), entry.born(), held) || *held == entry;
        if let Some(held) = held.filter(|held| stays(held)) {
            self.counters.entries_refused += 1;
            return (!freshness::remaining(&held, self.now).is_zero()).then_some(held);
        }
        if freshness::remaining(&entry, self.now).is_zero() {
            self.counters.entries_refused += 1;
            return None;
        }
        self.counters.entries_received += 1;
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.on_heard(now, from);
        }
        self.on_brought_by(from);
        let entry = Arc::new(entry.from_source(Source::Peer));
        let [coordinates, is_deputy] = self.fleet.as_ref().map_or([false; 2], |fleet| {
            fleet.owners(&fleet.name(entry.key()), now).map(|owner| owner == fleet.local())
        });
        if coordinates {
            // All others ask for it here.
            entry.mark_visited();
        }
        if coordinates || is_deputy || self.is_wanted(&entry) {
            self.keep(Arc::clone(&entry));
        } else {
            self.keep_unasked(Arc::clone(&entry));
        }
        Some(entry)
    }

    /// Whether this node has use for `entry` by itself: it held one before, looks it up, or lets another fetch it.
    fn is_wanted(&self, entry: &Entry) -> bool {
        let Some(fleet) = &self.fleet else { return true };
        let key = entry.key();
        let name = fleet.name(key);
        self.cache.lookup(key).is_some()
            || !self.flights.under_way(key).is_empty()
            || fleet.leases.contains(&name)
    }

    /// Whether `parcel` of `from` cannot be what was invalidated: `from` knows of all that means it.
    pub(in crate::engine) fn is_credible(&self, from: PeerId, parcel: &Parcel) -> bool {
        let Some(fleet) = &self.fleet else { return false };
        let Parcel { key, draft, after, .. } = parcel;
        // What we no longer remember cannot be demanded by name.
        let is_from_before =
            fleet.invalidations.mark().is_some_and(|mark| self.now.saturating_sub(draft.age) <= mark);
        if is_from_before && !fleet.acquaintances.is_settled(self.now, from) {
            return false;
        }
        fleet.invalidations.permit(self.now, key, draft.content.status, after)
    }

    /// The entry in `parcel`, within what we grant; `None` if it may be what was invalidated, or our own rules
    /// do not let it be kept.
    pub(in crate::engine) fn open_parcel(&self, parcel: Parcel) -> Option<Entry> {
        let fleet = self.fleet.as_ref()?;
        let Parcel { key, draft, after, edition: _ } = &parcel;
        if !fleet.invalidations.permit(self.now, key, draft.content.status, after) {
            return None;
        }
        let most = fleet.sharing.ceiling.most(&parcel.key)?;
        let draft = clamped(clamped(parcel.draft, most), fleet.sharing.limits.freshness_max);
        Some(Entry::new(parcel.key, draft, self.now, self.generation).of_edition(parcel.edition))
    }

    /// The number of a content that this node has put or fetched and is about to tell others of.
    pub(in crate::engine) fn issue_edition(&mut self, key: &Key) -> Option<Edition> {
        let now = self.now;
        let fleet = self.fleet.as_mut()?;
        let edition = Some(fleet.editions.issue());
        fleet.note_edition(now, key, edition);
        edition
    }

    pub(super) fn parcel(&self, entry: &Entry) -> Parcel {
        let invalidations = self.fleet.as_ref().map(|fleet| &fleet.invalidations);
        let after = invalidations
            .map(|known| known.covering(self.now, entry.key(), entry.content().status))
            .unwrap_or_default();
        Parcel::of(entry, after, self.now)
    }

    /// Tells the fleet what was forgotten or doubted here. Returns the members that are told.
    pub(in crate::engine) fn tell_invalidated(&mut self, reach: Reach, receipt: u64) -> Vec<PeerId> {
        let now = self.now;
        let Some(fleet) = &mut self.fleet else { return Vec::new() };
        fleet.holders.clear();
        let invalidations = vec![fleet.invalidations.issue(now, reach)];
        let told = fleet.listeners();
        let elsewhere = Notice { receipt: 0, mark: None, invalidations: invalidations.clone() };
        self.say_all(Message::Invalidate(Notice { receipt, mark: None, invalidations }));
        self.tell_other_districts(None, &Message::Invalidate(elsewhere));
        told
    }
}

/// Whether the content that `edition` names, of age zero at `born`, is news compared with `held`: later in the order
/// of their issuer, or else not older. Of two that seem to be of one age the one that came later is taken; but nothing
/// that may have been asked for before it was said that there is no such thing.
fn is_after(edition: Option<Edition>, born: Timestamp, held: &Entry) -> bool {
    let by_issuer = edition.zip(held.edition()).and_then(|(edition, held)| edition.is_after(held));
    by_issuer.unwrap_or(if held.is_absence() { born > held.born() } else { born >= held.born() })
}

/// Bytes that an announcement by name counts against the budget, and what a whole entry does besides its texts: with frame
/// and seal.
const NAMED_BYTES: usize = 128;
