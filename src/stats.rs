//! What a node counted and holds, under the names that its users know.

use crate::{command::EngineStats, node::Shared};
use cache_origin_github::OriginStats;
use cache_store::StoreStats;
use serde::Serialize;

/// A reading of one node's counters. All counts are since the node started.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Look-ups answered fresh by this node's own entries.
    pub hits: u64,
    /// Look-ups for which the origin was called, or that got no answer.
    pub misses: u64,
    /// Look-ups that a peer's entry answered. Zero while nothing is shared.
    pub peer_hits: u64,
    /// Look-ups answered by a stale entry, without waiting for the origin or in its stead.
    pub stale_hits: u64,
    /// Look-ups answered by what was being fetched for another.
    pub collapsed: u64,
    /// Calls that the origin answered with "not modified", which cost no quota.
    pub revalidated: u64,
    /// Look-ups that found an entry past its lifetime.
    pub expirations: u64,
    /// Entries that left memory because a budget was full.
    pub evictions: u64,
    /// Entries forgotten on request.
    pub invalidations: u64,
    /// Calls made to the origin, writes and other uncached requests included.
    pub api_calls_made: u64,
    /// Calls that were not made because an entry, or another's call, answered.
    pub api_calls_saved: u64,
    /// Peers connected now.
    pub connected_peers: u64,
    /// Entries in memory.
    pub cache_size: usize,
    /// Most entries in memory.
    pub max_cache_size: usize,
    /// Bytes of the entries in memory.
    pub cache_bytes: usize,
    /// Most bytes of entries in memory.
    pub max_cache_bytes: usize,
    /// Look-ups answered without a call of their own, as a share of all look-ups; 0 before the first.
    pub hit_rate: f64,
    /// Lookups in progress.
    pub flights: usize,
    /// Whether answers are shared with a fleet, and if not, why.
    pub sharing: &'static str,
    /// Seconds since the node started.
    pub uptime_seconds: u64,
    /// What is on disk; `None` when nothing is kept there.
    pub disk: Option<DiskStats>,
    /// What the origin said.
    pub origin: OriginStats,
}

impl Stats {
    pub(crate) fn gather(shared: &Shared, engine: EngineStats) -> Self {
        let counters = engine.counters;
        let origin = shared.github.stats();
        let hits = counters.hits + shared.index.hits();
        let saved = hits + counters.stale_hits + counters.collapsed;
        Self {
            hits,
            misses: counters.misses,
            peer_hits: 0,
            stale_hits: counters.stale_hits,
            collapsed: counters.collapsed,
            revalidated: counters.revalidated,
            expirations: counters.expirations,
            evictions: counters.evictions,
            invalidations: counters.invalidations,
            api_calls_made: origin.calls + origin.forwarded,
            api_calls_saved: saved,
            connected_peers: 0,
            cache_size: engine.entries_count,
            max_cache_size: shared.entries_max,
            cache_bytes: engine.entries_bytes,
            max_cache_bytes: shared.bytes_max,
            hit_rate: share(saved, saved + counters.misses),
            flights: engine.flights_count,
            sharing: "off: this version keeps what it fetches to itself",
            uptime_seconds: shared.started.elapsed().as_secs(),
            disk: shared.disk.as_ref().map(|disk| DiskStats::from(disk.stats())),
            origin,
        }
    }
}

/// What is on disk, and how writing to it goes.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct DiskStats {
    /// Records held.
    pub records: u64,
    /// Bytes that the records count against the disk's budget.
    pub bytes: u64,
    /// Records found unreadable and dropped.
    pub unreadable: u64,
    /// Files found unusable and set aside.
    pub set_aside: u64,
    /// Entries written.
    pub writes: u64,
    /// Entries not written because the queue was full or the disk refused them.
    pub dropped: u64,
    /// Times that the disk refused what it was asked.
    pub failures: u64,
}

impl From<StoreStats> for DiskStats {
    fn from(stats: StoreStats) -> Self {
        let StoreStats { records, bytes, unreadable, set_aside, writes, dropped, failures } = stats;
        Self { records, bytes, unreadable, set_aside, writes, dropped, failures }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
