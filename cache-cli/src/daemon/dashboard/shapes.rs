//! The forms in which the page is told what it shows. Every list is bounded.

use super::{
    super::{about::Shown, usage::FleetUsage},
    departed::{Departed, Seen},
    history::BUCKETS_MAX,
};
use crate::admin::AllowanceLine;
use cache_core::{Priority, Reserves};
use fleet_cache::{
    Peer, PeerState, Stats,
    github::{Counts, UsageRow},
};
use serde::Serialize;

/// The daemon itself. Nothing in it changes from tick to tick.
#[derive(Serialize)]
pub(super) struct AboutShape {
    version: &'static str,
    pid: u32,
    /// When the node started, in seconds since the Unix epoch.
    started: u64,
    doors: Vec<String>,
    warnings: Vec<String>,
}

impl AboutShape {
    pub(super) fn of(shown: &Shown, started: u64) -> Self {
        let about = &shown.about;
        Self {
            version: about.version,
            pid: about.pid,
            started,
            doors: about.doors.clone(),
            warnings: about.warnings.iter().take(WARNINGS_MAX).cloned().collect(),
        }
    }
}

/// How allowances stand, the most urgent first.
#[derive(Serialize)]
pub(super) struct QuotaShape<'a> {
    buckets: Vec<BucketShape<'a>>,
    /// How many more there are.
    more: usize,
}

#[derive(Serialize)]
struct BucketShape<'a> {
    #[serde(flatten)]
    line: &'a AllowanceLine,
    /// What is kept from batch requests, in calls.
    batch_kept: u64,
    /// What is kept from normal ones.
    normal_kept: u64,
}

impl<'a> QuotaShape<'a> {
    pub(super) fn of(lines: &'a [AllowanceLine], reserves: &Reserves) -> Self {
        let bucket = |line: &'a AllowanceLine| BucketShape {
            line,
            batch_kept: reserves.kept_from(Priority::Batch, line.limit),
            normal_kept: reserves.kept_from(Priority::Normal, line.limit),
        };
        Self {
            buckets: lines.iter().take(BUCKETS_MAX).map(bucket).collect(),
            more: lines.len().saturating_sub(BUCKETS_MAX),
        }
    }
}

/// What this node did since it started.
#[derive(Serialize)]
pub(super) struct NodeShape {
    hits: u64,
    peer_hits: u64,
    stale_hits: u64,
    collapsed: u64,
    revalidated: u64,
    misses: u64,
    calls_made: u64,
    calls_saved: u64,
    withheld: u64,
    entries: usize,
    entries_max: usize,
    bytes: usize,
    bytes_max: usize,
}

impl NodeShape {
    pub(super) fn of(stats: &Stats) -> Self {
        Self {
            hits: stats.hits,
            peer_hits: stats.peer_hits,
            stale_hits: stats.stale_hits,
            collapsed: stats.collapsed,
            revalidated: stats.revalidated,
            misses: stats.misses,
            calls_made: stats.api_calls_made,
            calls_saved: stats.api_calls_saved,
            withheld: stats.fetches_withheld,
            entries: stats.cache_size,
            entries_max: stats.max_cache_size,
            bytes: stats.cache_bytes,
            bytes_max: stats.max_cache_bytes,
        }
    }
}

/// What the fleet has counted of its clients' requests.
#[derive(Serialize)]
pub(super) struct UsageShape<'a> {
    /// When it was asked, in seconds since the Unix epoch.
    at: u64,
    nodes: usize,
    silent: &'a [String],
    total: Counts,
    by_client: Vec<RowShape>,
    by_route: Vec<RowShape>,
    by_payer: Vec<RowShape>,
}

#[derive(Serialize)]
struct RowShape {
    name: String,
    #[serde(flatten)]
    counts: Counts,
}

impl<'a> UsageShape<'a> {
    pub(super) fn of(usage: &'a FleetUsage, at: u64) -> Self {
        let report = usage.report();
        let mut total = Counts::default();
        report.by_client.iter().for_each(|row| total += row.counts);
        let heaviest = report.clone().heaviest(ROWS_MAX);
        let rows = |rows: Vec<UsageRow>| {
            rows.into_iter().map(|row| RowShape { name: row.name, counts: row.counts }).collect()
        };
        Self {
            at,
            nodes: usage.nodes(),
            silent: usage.silent(),
            total,
            by_client: rows(heaviest.by_client),
            by_route: rows(heaviest.by_route),
            by_payer: rows(heaviest.by_payer),
        }
    }
}

/// This node and the members that it knows; those that need a look first.
#[derive(Serialize)]
pub(super) struct FleetShape<'a> {
    id: Option<&'a str>,
    sharing: &'a str,
    transport: &'a str,
    connected: u64,
    peers: Vec<PeerShape<'a>>,
    more: usize,
}

#[derive(Serialize)]
struct PeerShape<'a> {
    id: Option<String>,
    address: Option<&'a str>,
    /// How things stand with it in a word, as `peers` says; `gone` if nothing is known of it any more.
    state: String,
    /// When it was seen last, in seconds since the Unix epoch; only of one that is gone.
    seen: Option<u64>,
    reason: Option<&'a str>,
    score: i32,
    /// Until it is tried again or its ban ends, in seconds.
    wait: Option<u64>,
    /// In tenths of a millisecond, so that it does not change all the time.
    round_trip: Option<u64>,
}

impl<'a> FleetShape<'a> {
    pub(super) fn of(
        stats: &'a Stats,
        (peers, departed): (&'a [Peer], &'a Departed),
        shown: &'a Shown,
    ) -> Self {
        let mut sorted: Vec<&Peer> = peers.iter().collect();
        sorted.sort_by_key(|peer| (peer.state == PeerState::Connected, peer.id.map(|id| id.to_string())));
        let gone = departed.missing(peers).into_iter().map(PeerShape::gone);
        Self {
            id: stats.peer_id.as_deref(),
            sharing: &stats.sharing,
            transport: shown.about.fleet.transport(),
            connected: stats.connected_peers,
            more: peers.len().saturating_sub(PEERS_MAX),
            peers: gone.chain(sorted.into_iter().map(PeerShape::of)).take(PEERS_MAX).collect(),
        }
    }
}

impl<'a> PeerShape<'a> {
    fn gone((id, seen): (&'a str, &'a Seen)) -> Self {
        Self {
            id: Some(id.to_owned()),
            address: seen.address.as_deref(),
            state: "gone".to_owned(),
            seen: Some(seen.at),
            reason: None,
            score: 0,
            wait: None,
            round_trip: None,
        }
    }

    fn of(peer: &'a Peer) -> Self {
        Self {
            id: peer.id.map(|id| id.to_string()),
            address: peer.address.as_deref(),
            state: peer.state.to_string(),
            seen: None,
            reason: peer.reason.as_deref(),
            score: peer.score,
            wait: peer.seconds.filter(|_| !peer.state.is_connected()),
            round_trip: peer.round_trip_micros.map(|micros| micros / 100),
        }
    }
}

/// Most rows of each table of usage: what a person takes in at a glance. The others are one row.
const ROWS_MAX: usize = 12;
/// Most members that are shown: as many as a circle has room for.
const PEERS_MAX: usize = 64;
/// Most of the daemon's warnings that are shown.
const WARNINGS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn allowances_are_told_with_what_is_kept_of_each_and_no_more_than_a_page_holds() {
        let line = |number: usize| -> AllowanceLine {
            serde_json::from_value(json!({
                "domain": number.to_string(), "resource": "core", "limit": 5000, "remaining": 1, "used": 0, "reset": 1,
            }))
            .unwrap()
        };
        let lines: Vec<AllowanceLine> = (0..BUCKETS_MAX + 3).map(line).collect();
        let reserves = Reserves::NONE.with(Priority::Batch, 20).unwrap();
        let told = json!(QuotaShape::of(&lines, &reserves));
        assert_eq!((told["buckets"].as_array().unwrap().len(), &told["more"]), (BUCKETS_MAX, &json!(3)));
        assert_eq!(told["buckets"][0]["batch_kept"], 1000);
        assert_eq!(told["buckets"][0]["normal_kept"], 0);
    }
}
