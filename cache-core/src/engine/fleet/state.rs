//! What a node knows of its fleet.

use super::{gathering::Gathering, inquiring::Inquiries, warming::WarmingUp};
use crate::{
    AskId, Deadline, Entry, Features, Figures, Guest, Key, Name, PeerId, Sharing, Timestamp,
    districts::Districts,
    freshness,
    membership::{Member, Membership, MembershipSettings},
    message::Edition,
    peers::Peers,
    sharing::{
        Acquaintances, Editions, Guests, Handed, Hedging, Holders, Invalidations, Leases, Ownership,
        Patience, Readers, Recollection, Ring, Searches, Shelf,
    },
    token_bucket::{Rate, TokenBucket},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// Everything about other members.
#[derive(Debug)]
pub(in crate::engine) struct Fleet {
    pub(in crate::engine) sharing: Sharing,
    pub(in crate::engine) peers: Peers,
    pub(in crate::engine) membership: Membership,
    pub(super) recollection: Recollection,
    /// In which part of the fleet this node is, and which members of others it knows.
    pub(in crate::engine) districts: Districts,
    /// When to look at the districts again; `None` while there is but one.
    pub(super) look_at: Option<Timestamp>,
    /// How often that was done, and which neighbour was told then.
    pub(super) looks: u64,
    pub(super) quick_looks: u8,
    pub(super) looked_to: Option<PeerId>,
    pub(in crate::engine) ring: Ring,
    pub(in crate::engine) guests: Guests,
    pub(in crate::engine) leases: Leases,
    pub(super) inquiries: Inquiries,
    pub(in crate::engine) invalidations: Invalidations,
    pub(super) editions: Editions,
    pub(in crate::engine) holders: Holders,
    /// Which members asked for what this node coordinates.
    pub(super) readers: Readers,
    /// What may be told unasked; `None` if nothing was yet.
    unasked: Option<TokenBucket>,
    /// Which members were sent what another domain was given.
    pub(super) handed: Handed,
    pub(in crate::engine) acquaintances: Acquaintances,
    /// What members call the entries in memory.
    pub(in crate::engine) names: BTreeMap<Name, Key>,
    /// How prompt each connected peer is.
    pub(in crate::engine) patience: BTreeMap<PeerId, Patience>,
    /// How prompt all peers were, one with the other.
    pub(in crate::engine) promptness: Patience,
    /// How many asks may still be hedged.
    pub(in crate::engine) hedging: Hedging,
    /// Which parts of the protocol each connected peer speaks.
    pub(super) features: BTreeMap<PeerId, Features>,
    /// What each peer counted.
    pub(in crate::engine) figures: BTreeMap<PeerId, Figures>,
    pub(super) errands: BTreeMap<AskId, super::errand::Errand>,
    pub(super) errand_dates: BTreeSet<(Timestamp, AskId)>,
    pub(in crate::engine) searches: Searches,
    /// What members call the entries that are on disk alone.
    pub(in crate::engine) shelf: Shelf,
    pub(super) gathering: Gathering,
    pub(super) warming: WarmingUp,
    /// Until when others may have what this node coordinates, since they did so before; `None` if they cannot.
    pub(super) new_until: Option<Timestamp>,
    /// How many batches each peer was sent since it connected.
    pub(super) warm_ups: BTreeMap<PeerId, usize>,
}

impl Fleet {
    pub(in crate::engine) fn new(sharing: Sharing) -> Self {
        let Sharing { local, boot, own_addresses, contacts, remembered, peers, seed, .. } = &sharing;
        let member = Member::new(*local, *boot, own_addresses);
        let membership = MembershipSettings {
            members_max: peers.known_max(),
            connections_wanted: peers.connections_wanted(),
            ..MembershipSettings::default()
        };
        Self {
            membership: Membership::new(member, *seed, &membership),
            peers: Peers::new(*local, own_addresses, contacts, remembered, (peers.clone(), *seed)),
            recollection: Recollection::new(remembered),
            districts: Districts::new(*local, sharing.limits.district_max),
            look_at: None,
            looks: 0,
            quick_looks: 0,
            looked_to: None,
            ring: if peers.guest == Guest::Never { Ring::new(*local) } else { Ring::of_guest(*local) },
            guests: Guests::new(peers.guest, peers.connections_max),
            leases: Leases::default(),
            inquiries: Inquiries::default(),
            invalidations: Invalidations::new(sharing.seed),
            editions: Editions::new(sharing.seed),
            holders: Holders::default(),
            readers: Readers::default(),
            unasked: None,
            handed: Handed::default(),
            acquaintances: Acquaintances::default(),
            names: BTreeMap::new(),
            features: BTreeMap::new(),
            patience: BTreeMap::new(),
            promptness: Patience::default(),
            hedging: Hedging::default(),
            figures: BTreeMap::new(),
            errands: BTreeMap::new(),
            errand_dates: BTreeSet::new(),
            searches: Searches::default(),
            shelf: Shelf::default(),
            gathering: Gathering::NotBegun,
            warming: WarmingUp::default(),
            new_until: None,
            warm_ups: BTreeMap::new(),
            sharing,
        }
    }

    pub(in crate::engine) fn next_deadline(&self) -> Option<(Timestamp, Deadline)> {
        let inquiry = self.inquiries.next_deadline();
        let lease = self.leases.next_deadline().map(|date| (date, Deadline::Lease));
        let errand = self.errand_dates.first().map(|(date, ask)| (*date, Deadline::Errand(*ask)));
        let peers = self.peers.next_deadline().map(|date| (date, Deadline::Peers));
        let membership = self.membership.next_deadline().map(|date| (date, Deadline::Membership));
        let recollection = self.recollection.next_deadline().map(|date| (date, Deadline::Recollection));
        let search = self.searches.next_deadline().map(|date| (date, Deadline::Search));
        let gathering = match self.gathering {
            Gathering::Until(date) | Gathering::Hearing { until: date, .. } => {
                Some((date, Deadline::Gathering))
            }
            Gathering::NotBegun | Gathering::Over => None,
        };
        lease
            .into_iter()
            .chain(errand)
            .chain(inquiry)
            .chain(peers)
            .chain(membership)
            .chain(recollection)
            .chain(search)
            .chain(gathering)
            .chain(self.district_deadline())
            .chain(self.guests.next_deadline().map(|date| (date, Deadline::Guests)))
            .min()
    }

    pub(in crate::engine) fn local(&self) -> PeerId {
        self.sharing.local
    }

    /// What we call `key`.
    pub(in crate::engine) fn name(&self, key: &Key) -> Name {
        self.sharing.naming.names(key)[0]
    }

    /// What `peer` calls `key`.
    pub(super) fn name_for(&self, peer: PeerId, key: &Key) -> Name {
        let earlier =
            || self.sharing.naming.earlier(key).filter(|_| !self.understands(peer, Features::KINSHIP));
        earlier().unwrap_or_else(|| self.name(key))
    }

    /// The member that announced that it has the entry under `key`, and the name under which it did. It is forgotten.
    pub(in crate::engine) fn holder(&mut self, key: &Key, now: Timestamp) -> Option<(PeerId, Name)> {
        let names = self.sharing.naming.names(key);
        let found = names.iter().find_map(|name| Some((self.holders.take_fresh(now, name)?, *name)));
        found.filter(|(peer, _name)| self.ring.contains(*peer))
    }

    /// Whether `peer` speaks the parts of the protocol that are `needed`.
    pub(super) fn understands(&self, peer: PeerId, needed: Features) -> bool {
        self.features.get(&peer).copied().unwrap_or_default().has(needed)
    }

    /// Notes that members speak of `edition` of `key`. Returns `false` if a later one of its issuer is known.
    pub(super) fn note_edition(&mut self, now: Timestamp, key: &Key, edition: Option<Edition>) -> bool {
        let Some(edition) = edition else { return true };
        let names = self.sharing.naming.names(key);
        names.into_iter().all(|name| self.editions.note(now, name, edition))
    }

    pub(in crate::engine) fn learn_names(&mut self, key: &Key) {
        for name in self.sharing.naming.names(key) {
            self.names.insert(name, key.clone());
        }
    }

    pub(in crate::engine) fn forget_names(&mut self, key: &Key) {
        for name in self.sharing.naming.names(key) {
            self.names.remove(&name);
        }
    }

    /// The coordinator of `name`, as far as we can tell, without the members that are silent or that share names out in
    /// another way.
    pub(super) fn coordinator(&self, name: &Name, now: Timestamp, except: &[PeerId]) -> PeerId {
        let differs = |(_, features): &(&PeerId, &Features)| !features.has(Features::KINSHIP);
        let differing = self.features.iter().filter(differs).map(|(peer, _)| *peer);
        let passed_over: Vec<PeerId> =
            self.peers.silent(now).chain(differing).chain(except.iter().copied()).collect();
        self.ring.coordinator(name, &passed_over)
    }

    /// The members that are to have the entry of `name` at hand for all others: its coordinator, and the deputy that
    /// coordinates it when that is gone.
    pub(super) fn owners(&self, name: &Name, now: Timestamp) -> [PeerId; 2] {
        let coordinator = self.coordinator(name, now, &[]);
        [coordinator, self.coordinator(name, now, &[coordinator])]
    }

    /// Whether others ask this node for the entry under `key` first, as members are now.
    pub(super) fn ownership(&self, key: &Key, now: Timestamp) -> Ownership {
        let is_ours = self.owners(&self.name(key), now).contains(&self.local());
        if is_ours { Ownership::Ours } else { Ownership::Theirs }
    }

    /// Takes what telling so many members unasked costs, if it is within the budget.
    pub(super) fn spend(&mut self, now: Timestamp, members: usize, bytes: usize) -> bool {
        let per_second = self.sharing.limits.unasked_bytes_per_second;
        let rate = Rate { burst: per_second.saturating_mul(UNASKED_BURST.as_secs()), per_second };
        let bytes = u64::try_from(members.saturating_mul(bytes)).unwrap_or(u64::MAX);
        self.unasked.get_or_insert_with(|| TokenBucket::full(now, rate)).take(now, bytes, rate)
    }

    /// How long `peer` is given to say something. One without a connection has to be dialed first.
    pub(in crate::engine) fn time_for(&self, peer: PeerId) -> Duration {
        let most = self.sharing.limits.ask_timeout;
        let is_connected = self.peers.connected().contains_key(&peer);
        if is_connected { self.patience_with(peer).time(&self.promptness, most) } else { most }
    }

    /// After what time without a word of `peer` another is asked as well; `None` if it has to be dialed first.
    pub(in crate::engine) fn hedge_after(&self, peer: PeerId) -> Option<Duration> {
        let is_connected = self.peers.connected().contains_key(&peer);
        is_connected.then(|| self.patience_with(peer).hedge_after(&self.promptness))
    }

    /// Whether `peer`, or any other, has answered before.
    pub(in crate::engine) fn knows_promptness(&self, peer: PeerId) -> bool {
        self.promptness.is_known() || self.patience_with(peer).is_known()
    }

    fn patience_with(&self, peer: PeerId) -> Patience {
        self.patience.get(&peer).copied().unwrap_or_default()
    }

    /// Notes which member may have `entry`, which this node coordinates and does not keep, while it is fresh: the one that
    /// asked for it last, else the deputy, which was sent it.
    pub(super) fn leave_to_others(&mut self, now: Timestamp, entry: &Entry) {
        let (name, remaining) = (self.name(entry.key()), freshness::remaining(entry, now));
        let [coordinator, deputy] = self.owners(&name, now);
        if coordinator == self.local() && deputy != coordinator && !remaining.is_zero() {
            let reader = self.readers.latest(&name).next();
            self.holders.insert(now, name, reader.unwrap_or(deputy), remaining);
        }
    }

    /// A member that may have the fresh entry of `name` since it announced it, or else since it was given it here, if
    /// anything is known of such an entry; none of `except`.
    pub(super) fn elsewhere(&self, name: &Name, now: Timestamp, except: &[PeerId]) -> Option<PeerId> {
        let holder = self.holders.fresh(now, name)?;
        let known = core::iter::once(holder).chain(self.readers.latest(name));
        let mut present = known.filter(|peer| self.ring.contains(*peer) && !except.contains(peer));
        present.next()
    }

    /// The coordinator of `name` before this node, which is new to it; `None` if it is not, or if `except` did so
    /// alone.
    pub(in crate::engine) fn deputy(&self, name: &Name, now: Timestamp, except: &[PeerId]) -> Option<PeerId> {
        self.new_until.filter(|until| now < *until)?;
        // Members of other districts ask any of ours, which asks the coordinator.
        if !self.districts.is_undivided() && self.coordinator(name, now, &[]) != self.local() {
            return None;
        }
        let except: Vec<PeerId> = except.iter().copied().chain([self.local()]).collect();
        Some(self.coordinator(name, now, &except)).filter(|deputy| *deputy != self.local())
    }
}

/// How much of the budget may be spent at once, as the time in which it grows: a job begins with many entries, and then
/// reads few. See [`SharingLimits::unasked_bytes_per_second`](crate::SharingLimits).
const UNASKED_BURST: Duration = Duration::from_secs(120);
