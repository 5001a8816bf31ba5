//! What a node counted and holds, under the names that its users know.

use crate::{
    command::{EngineStats, FleetStats},
    shared::{Shared, SharingState},
    webhooks::WebhookStats,
};
use cache_core::{Counters, Figures, Guest, GuestReport, Joining, OutageReport};
use cache_origin_github::OriginStats;
use cache_store::StoreStats;
use serde::Serialize;

/// A reading of one node's counters. All counts are since the node started.
///
/// ```no_run
/// # async fn example(node: fleet_cache::Node) -> Result<(), Box<dyn std::error::Error>> {
/// let stats = node.stats().await?;
/// println!("{:.0} % of {} look-ups cost no call", 100.0 * stats.hit_rate, stats.total_requests);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups answered fresh by this node's own entries.
    pub hits: u64,
    /// The same as [`hits`](Self::hits).
    pub local_hits: u64,
    /// Look-ups answered without a call of their own: fresh, stale, by a peer, or by another's call.
    pub total_hits: u64,
    /// All look-ups that ended.
    pub total_requests: u64,
    /// Look-ups for which the origin was called, or that got no answer.
    pub misses: u64,
    /// Look-ups that a peer's entry answered: asked for, fetched by it for all, or sent before.
    pub peer_hits: u64,
    /// Look-ups answered by a stale entry, without waiting for the origin or in its stead.
    pub stale_hits: u64,
    /// Look-ups answered by what was being fetched for another.
    pub collapsed: u64,
    /// Calls that the origin answered with "not modified", which cost no quota.
    pub revalidated: u64,
    /// Of these, calls by which a credential was shown to be given the same as another that had fetched before.
    pub proofs: u64,
    /// Look-ups that found an entry past its lifetime.
    pub expirations: u64,
    /// Entries that left memory because a budget was full.
    pub evictions: u64,
    /// Entries forgotten on request.
    pub invalidations: u64,
    /// Waits for a member, or for the disk, that were given up because they took too long to forget.
    pub forgettings_unconfirmed: u64,
    /// Calls to the origin that look-ups led to, a repeated one counted once.
    pub fetches: u64,
    /// Of these, calls that brought no whole answer, or a fault of the origin's own.
    pub fetches_failed: u64,
    /// Calls that were not made because the allowance for them was spent.
    pub fetches_withheld: u64,
    /// Calls that were not made because the origin cannot be reached.
    pub fetches_held_off: u64,
    /// Calls that were made to find out whether the origin can be reached again.
    pub origin_trials: u64,
    /// Since when the origin cannot be reached, and by whose word; `None` if nothing speaks against it.
    pub outage: Option<OutageStats>,
    /// Calls made to the origin, writes and other uncached requests included.
    pub api_calls_made: u64,
    /// Calls that were not made because an entry, or another's call, answered.
    pub api_calls_saved: u64,
    /// How many peers are connected now.
    pub connected_peers: u64,
    /// As what the node takes part in its fleet, and which guests it hosts; `None` if it does not share.
    pub guest: Option<GuestStats>,
    /// Whether look-ups wait, in the first quarter of a second, for the first peer, which is being dialed.
    pub joining: bool,
    /// How many entries are in memory.
    pub cache_size: usize,
    /// Most entries in memory.
    pub max_cache_size: usize,
    /// Bytes of the entries in memory.
    pub cache_bytes: usize,
    /// Most bytes of entries in memory.
    pub max_cache_bytes: usize,
    /// Look-ups answered without a call of their own, as a share of all look-ups; 0 before the first.
    pub hit_rate: f64,
    /// How many lookups are in progress.
    pub flights: usize,
    /// Whether answers are shared with a fleet.
    pub p2p_enabled: bool,
    /// Whether answers are shared, in words, and if not, why.
    pub sharing: String,
    /// The identity of this node among peers, in text; `None` if it does not share.
    pub peer_id: Option<String>,
    /// Whether another node seems to use this node's identity, which was copied to it.
    pub has_twin: bool,
    /// Where others can reach this node, as multiaddrs; empty if it does not share.
    pub addresses: Vec<String>,
    /// What the whole fleet counted, as far as its members have told; `None` when nothing is shared.
    pub aggregate: Option<FleetTotals>,
    /// Seconds since the node started.
    pub uptime_seconds: u64,
    /// What is on disk; `None` when nothing is kept there.
    pub disk: Option<DiskStats>,
    /// How many writes wait for their turn.
    pub writes_waiting: usize,
    /// Requests refused to clients since an allowance is spent, kept for others, or pauses.
    pub refusals: Refusals,
    /// What the origin said.
    pub origin: OriginStats,
    /// What became of deliveries of webhooks.
    pub webhooks: WebhookStats,
}

/// That the origin cannot be reached, as this node and its neighbours find.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutageStats {
    /// When the first call failed that is known of, in seconds since the Unix epoch.
    pub since: u64,
    /// This node's own calls that failed, one after the other.
    pub own_failures: u32,
    /// Other members that said that theirs fail.
    pub witnesses: usize,
    /// When this node may try again, unless it hears more by then, in seconds since the Unix epoch.
    pub attempt_at: u64,
}

impl From<OutageReport> for OutageStats {
    fn from(report: OutageReport) -> Self {
        let OutageReport { since, own_failures, witnesses, attempt_at } = report;
        Self {
            since: since.as_unix_millis() / 1000,
            own_failures,
            witnesses,
            attempt_at: attempt_at.as_unix_millis().div_ceil(1000),
        }
    }
}

/// As what a node takes part in its fleet, and how many guests it hosts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GuestStats {
    /// What it was told to be: `always`, `auto` or `never`.
    pub setting: &'static str,
    /// Whether it is a guest now.
    pub is_guest: bool,
    /// Why a node that may be a guest is a member: `grown`, `no-room`, `older-peer`, `only-guests` or `small-fleet`.
    pub joined: Option<&'static str>,
    /// How many members host it.
    pub hosts: usize,
    /// How many guests it hosts.
    pub guests: usize,
    /// Most guests that it hosts.
    pub guests_max: usize,
    /// Guests that it has taken in.
    pub hosted: u64,
    /// Guests that it told to look elsewhere, since it hosted as many as it may.
    pub refused: u64,
}

impl GuestStats {
    fn of(report: &GuestReport, counters: Counters) -> Self {
        Self {
            setting: match report.setting {
                Guest::Always => "always",
                Guest::Auto => "auto",
                Guest::Never => "never",
            },
            is_guest: report.is_guest,
            joined: report.joined.map(|why| match why {
                Joining::Grown => "grown",
                Joining::NoRoom => "no-room",
                Joining::OlderPeer => "older-peer",
                Joining::OnlyGuests => "only-guests",
                Joining::SmallFleet => "small-fleet",
            }),
            hosts: report.hosts.len(),
            guests: report.guests.len(),
            guests_max: report.guests_max,
            hosted: counters.guests_hosted,
            refused: counters.guests_refused,
        }
    }
}

/// Requests refused by this node itself, by what held them; an answer that could be stale in their stead is none of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Refusals {
    /// The origin had said that the payer calls too often.
    pub pace: u64,
    /// What was left of the allowance was kept from batch requests.
    pub reserve_batch: u64,
    /// What was left of the allowance was kept from normal requests.
    pub reserve_normal: u64,
    /// The allowance was spent.
    pub window: u64,
    /// So many writes were made lately for the payer that one more would not have had its turn in time.
    pub writes: u64,
}

impl Stats {
    pub(crate) fn gather(shared: &Shared, engine: &EngineStats, addresses: Vec<String>) -> Self {
        let counters = engine.counters;
        let origin = shared.github.stats(&engine.accounts);
        let hits = counters.hits + shared.index.hits();
        let peer_hits = counters.peer_hits + shared.index.peer_hits();
        let saved = hits + peer_hits + counters.stale_hits + counters.collapsed;
        let api_calls_made = origin.calls + origin.forwarded;
        let own = Figures {
            api_calls: api_calls_made,
            hits,
            peer_hits,
            misses: counters.misses,
            entries: engine.entries_count as u64,
        };
        Self {
            hits,
            local_hits: hits,
            total_hits: saved,
            total_requests: saved + counters.misses,
            misses: counters.misses,
            peer_hits,
            stale_hits: counters.stale_hits,
            collapsed: counters.collapsed,
            revalidated: counters.revalidated,
            proofs: counters.proofs,
            expirations: counters.expirations,
            evictions: counters.evictions,
            invalidations: counters.invalidations,
            forgettings_unconfirmed: counters.forgettings_unconfirmed,
            fetches: counters.fetches,
            fetches_failed: counters.fetches_failed,
            fetches_withheld: counters.fetches_withheld,
            fetches_held_off: counters.fetches_held_off,
            origin_trials: counters.origin_trials,
            outage: engine.outage.map(OutageStats::from),
            api_calls_made,
            api_calls_saved: saved,
            guest: engine
                .fleet
                .as_ref()
                .and_then(|fleet| fleet.guests.as_ref())
                .map(|report| GuestStats::of(report, counters)),
            joining: engine.fleet.as_ref().is_some_and(|fleet| fleet.gathering),
            connected_peers: engine.fleet.as_ref().map_or(0, |fleet| fleet.connected as u64),
            cache_size: engine.entries_count,
            max_cache_size: shared.entries_max,
            cache_bytes: engine.entries_bytes,
            max_cache_bytes: shared.bytes_max,
            hit_rate: share(saved, saved + counters.misses),
            flights: engine.flights_count,
            p2p_enabled: engine.fleet.is_some(),
            sharing: sharing(&shared.sharing),
            peer_id: match &shared.sharing {
                SharingState::NoSecret | SharingState::NoTransport => None,
                SharingState::Shared { local, .. } => Some(local.to_string()),
            },
            has_twin: engine.fleet.as_ref().is_some_and(|fleet| fleet.has_twin),
            addresses,
            aggregate: engine.fleet.as_ref().map(|fleet| FleetTotals::sum(own, fleet, counters)),
            uptime_seconds: shared.started.elapsed().as_secs(),
            disk: shared.disk.as_ref().map(|disk| DiskStats::from(disk.stats())),
            writes_waiting: engine.writes_waiting,
            refusals: shared.access.withheld.refusals(),
            origin,
            webhooks: shared.webhooks.stats(),
        }
    }
}

/// Sums over this node and the peers that it is connected with, as these last reported. No decision rests on them.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct FleetTotals {
    /// Members summed up, this node among them.
    pub total_peers: u64,
    /// Calls made to the origin.
    pub total_api_calls: u64,
    /// Look-ups answered without a call of their own, by entries of the member's own or of a peer.
    pub total_cache_hits: u64,
    /// Look-ups for which the origin was called, or that got no answer.
    pub total_misses: u64,
    /// Questions for an entry that this node sent to a peer.
    pub asks: u64,
    /// Of these, questions that the peer did not answer in time.
    pub asks_unanswered: u64,
    /// Questions that this node sent to another peer as well, since the first took longer than nearly all answers do.
    pub hedges: u64,
    /// Questions of peers that this node answered with an entry.
    pub answers: u64,
    /// New entries of which this node told members that had not asked for them by name alone, to spare bytes.
    pub announcements_cut: u64,
    /// New entries of which this node did not tell such members at all, to spare bytes.
    pub announcements_withheld: u64,
    /// Entries passed on to members that had asked this node for them before, once for each member.
    pub entries_passed_on: u64,
    /// Entries that peers sent and this node kept.
    pub entries_received: u64,
    /// Entries that peers sent and this node did not keep: no younger than its own, or older than an invalidation.
    pub entries_refused: u64,
    /// Leases that this node has granted now.
    pub leases: usize,
    /// Leases that this node has granted since it started, to itself too.
    pub leases_granted: u64,
    /// Of these, leases that passed on because their holder failed, went away, or took too long.
    pub leases_passed: u64,
    /// Times that this node banned a peer.
    pub bans: u64,
    /// Messages dropped unread because the sender had sent more than it may, or was not connected.
    pub messages_dropped: u64,
    /// Connections that this node did not let in.
    pub refused: u64,
    /// Connections not let in because one side did not prove that it knows the same secret.
    pub refused_unproved: u64,
    /// Connections not let in because the other side speaks another major version of the protocol.
    pub refused_version: u64,
    /// Frames from peers that did not open or decode.
    pub rejected_frames: u64,
    /// Frames from peers that said something that this version does not know, and were skipped.
    pub skipped_frames: u64,
    /// Frames to peers that were not sent, because there was no connection or no room.
    pub dropped_frames: u64,
}

impl FleetTotals {
    fn sum(own: Figures, fleet: &FleetStats, counters: Counters) -> Self {
        // By name, all of them: what the engine begins to count is shown here or in `Stats`.
        let Counters {
            asks,
            asks_unanswered,
            hedges,
            answers,
            announcements_cut,
            announcements_withheld,
            bans,
            entries_passed_on,
            entries_received,
            entries_refused,
            leases,
            leases_passed,
            messages_dropped,
            collapsed: _,
            evictions: _,
            expirations: _,
            fetches: _,
            fetches_failed: _,
            fetches_held_off: _,
            fetches_withheld: _,
            forgettings_unconfirmed: _,
            guests_hosted: _,
            guests_refused: _,
            hits: _,
            invalidations: _,
            misses: _,
            origin_trials: _,
            peer_hits: _,
            proofs: _,
            revalidated: _,
            stale_hits: _,
        } = counters;
        let of_all = || fleet.others.iter().copied().chain([own]);
        Self {
            total_peers: fleet.others.len() as u64 + 1,
            // Members may report any number.
            total_api_calls: saturating(of_all().map(|it| it.api_calls)),
            total_cache_hits: saturating(of_all().map(|it| it.hits.saturating_add(it.peer_hits))),
            total_misses: saturating(of_all().map(|it| it.misses)),
            leases: fleet.leases_count,
            asks,
            asks_unanswered,
            hedges,
            answers,
            announcements_cut,
            announcements_withheld,
            entries_passed_on,
            entries_received,
            entries_refused,
            leases_granted: leases,
            leases_passed,
            bans,
            messages_dropped,
            refused: fleet.links.refused,
            refused_unproved: fleet.links.refused_unproved,
            refused_version: fleet.links.refused_version,
            rejected_frames: fleet.links.rejected,
            skipped_frames: fleet.links.skipped,
            dropped_frames: fleet.links.dropped,
        }
    }
}

fn saturating(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

fn sharing(state: &SharingState) -> String {
    match state {
        SharingState::NoSecret => "off: no fleet secret is set".to_owned(),
        SharingState::NoTransport => "off: no transport was chosen".to_owned(),
        SharingState::Shared { secret, .. } => format!("on, by a secret of the kind {}", secret.lock()),
    }
}

/// What is on disk, and how writing to it goes.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct DiskStats {
    /// How many records are on disk.
    pub records: u64,
    /// Bytes that the records count against the disk's budget.
    pub bytes: u64,
    /// Records found unreadable and dropped.
    pub unreadable: u64,
    /// Files found unusable and set aside.
    pub set_aside: u64,
    /// How many entries were written.
    pub writes: u64,
    /// Entries not written because the queue was full or the disk refused them.
    pub dropped: u64,
    /// Times that the disk refused what it was asked.
    pub failures: u64,
    /// Look-ups that found nothing because too many waited for the disk.
    pub loads_refused: u64,
    /// Look-ups that were not made because no request waited for them any more.
    pub loads_late: u64,
    /// Times that too many removals waited, so that everything on disk was removed.
    pub merges: u64,
}

impl From<StoreStats> for DiskStats {
    fn from(stats: StoreStats) -> Self {
        let StoreStats {
            records,
            bytes,
            unreadable,
            set_aside,
            writes,
            dropped,
            failures,
            loads_refused,
            loads_late,
            merges,
        } = stats;
        Self {
            records,
            bytes,
            unreadable,
            set_aside,
            writes,
            dropped,
            failures,
            loads_refused,
            loads_late,
            merges,
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
