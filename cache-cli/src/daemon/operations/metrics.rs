//! A node's counts as OpenMetrics text; [`super::exposition`] makes Prometheus's older format of it.
//!
//! Names begin with `fleet_cache_`, counters end in `_total`, and what has a unit ends in it before that.
//! Built afresh for every scrape from one reading, so that all values are of the same moment.

use cache_origin_github::Quota;
use fleet_cache::{
    Refusals, Stats,
    github::{Counts, UsageReport, UsageRow},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};
use std::fmt;

/// Writes `stats` and `usage` as OpenMetrics text.
///
/// # Errors
///
/// When a count does not fit the format, which no count of a node does.
pub(super) fn text(stats: Stats, usage: UsageReport) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("fleet_cache");
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "The program that was built", build);
    registry.register_collector(Box::new(Reading(stats)));
    registry.register_collector(Box::new(Used(usage)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// One reading of a node's counters.
#[derive(Debug)]
struct Reading(Stats);

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.lookups(&mut families)?;
        self.held(&mut families)?;
        self.origin(&mut families)?;
        self.recipe(&mut families)?;
        self.quotas(&mut families)?;
        self.fleet(&mut families)?;
        self.sharing(&mut families)?;
        self.refusals(&mut families)?;
        self.webhooks(&mut families)?;
        self.disk(&mut families)
    }
}

impl Reading {
    fn lookups(&self, families: &mut Families<'_>) -> fmt::Result {
        let stats = &self.0;
        families.counter("hits", "Look-ups answered fresh by this node's own entries", stats.hits)?;
        families.counter(
            "misses",
            "Look-ups for which the origin was called, or that got no answer",
            stats.misses,
        )?;
        families.counter("peer_hits", "Look-ups that a peer's entry answered", stats.peer_hits)?;
        families.counter("stale_hits", "Look-ups answered by a stale entry", stats.stale_hits)?;
        families.counter(
            "collapsed",
            "Look-ups answered by what was being fetched for another",
            stats.collapsed,
        )?;
        families.counter(
            "expirations",
            "Look-ups that found an entry past its lifetime",
            stats.expirations,
        )?;
        families.gauge("flights", "Look-ups in progress", None, stats.flights)?;
        families.gauge("connected_peers", "Peers connected now", None, stats.connected_peers)?;
        families.gauge("uptime", "Time since the node started", Some(&Unit::Seconds), stats.uptime_seconds)
    }

    fn held(&self, families: &mut Families<'_>) -> fmt::Result {
        let stats = &self.0;
        families.counter("evictions", "Entries that left memory because room was needed", stats.evictions)?;
        families.counter("invalidations", "Entries forgotten on request", stats.invalidations)?;
        families.counter(
            "forgettings_unconfirmed",
            "Times that a member, or the disk, took too long to forget",
            stats.forgettings_unconfirmed,
        )?;
        families.gauge("entries", "Entries in memory", None, stats.cache_size)?;
        families.gauge("entries_max", "Most entries in memory", None, stats.max_cache_size)?;
        families.gauge("memory", "Size of the entries in memory", Some(&Unit::Bytes), stats.cache_bytes)?;
        families.gauge(
            "memory_max",
            "Largest size of the entries in memory",
            Some(&Unit::Bytes),
            stats.max_cache_bytes,
        )
    }

    fn origin(&self, families: &mut Families<'_>) -> fmt::Result {
        let (stats, origin) = (&self.0, &self.0.origin);
        families.counter("api_calls_made", "Calls made to the origin", stats.api_calls_made)?;
        families.counter(
            "api_calls_saved",
            "Calls not made because an entry, or another's call, answered",
            stats.api_calls_saved,
        )?;
        families.counter(
            "api_calls_failed",
            "Calls to the origin that gave no whole answer",
            origin.failed,
        )?;
        families.counter(
            "api_calls_forwarded",
            "Calls for requests that are never cached",
            origin.forwarded,
        )?;
        families.counter("fetches", "Calls to the origin that look-ups led to", stats.fetches)?;
        families.counter(
            "fetches_failed",
            "Calls for look-ups that brought no whole answer, or a fault of the origin's own",
            stats.fetches_failed,
        )?;
        families.counter(
            "fetches_withheld",
            "Calls not made because the allowance for them was spent",
            stats.fetches_withheld,
        )?;
        families.counter(
            "fetches_held_off",
            "Calls spared an origin out of reach",
            stats.fetches_held_off,
        )?;
        families.counter("origin_trials", "Calls to find out whether it is back", stats.origin_trials)?;
        let is_down = u64::from(stats.outage.is_some());
        families.gauge("origin_down", "1 while the origin cannot be reached, else 0", None, is_down)?;
        families.counter("revalidated", "Look-ups that a 304 of the origin renewed", stats.revalidated)?;
        families.counter(
            "proofs",
            "Of these, look-ups for which a 304 proved that a credential may read what another had fetched",
            stats.proofs,
        )?;
        families.counter("not_modified", "Calls that the origin answered with 304", origin.not_modified)?;
        families.counter(
            "not_modified_doubted",
            "Calls repeated because a 304 could not be believed",
            origin.doubted,
        )?;
        families.counter(
            "queries_held",
            "Answers to GraphQL queries renewed without putting the query, since what covers them was unchanged",
            origin.held,
        )?;
        families.counter(
            "query_shapes_dropped",
            "Shapes of GraphQL queries put each time, since an answer changed that its cover did not show",
            origin.dropped_shapes,
        )?;
        families.counter("answers_oversize", "Answers of the origin too long to keep", origin.oversize)
    }

    fn recipe(&self, families: &mut Families<'_>) -> fmt::Result {
        let recipe = &self.0.origin.recipe;
        families.counter(
            "etags_as_computed",
            "Entity tags of the origin that were as this node computes them",
            recipe.matches,
        )?;
        families.counter(
            "etags_not_as_computed",
            "Entity tags of the origin that were not",
            recipe.mismatches,
        )?;
        families.gauge(
            "etag_classes_trusted",
            "Classes of answers whose entity tags this node computes",
            None,
            recipe.classes_trusted,
        )?;
        families.gauge(
            "etag_classes_distrusted",
            "Classes of answers whose entity tags are not as computed",
            None,
            recipe.classes_distrusted,
        )
    }

    fn quotas(&self, families: &mut Families<'_>) -> fmt::Result {
        families.quota(&self.0, "quota_limit", "Calls that a window allows", None, |quota| quota.limit)?;
        families
            .quota(&self.0, "quota_remaining", "Calls left in the window", None, |quota| quota.remaining)?;
        families.quota(&self.0, "quota_used", "Calls made in the window", None, |quota| quota.used)?;
        let reset = "When the next window begins, since the Unix epoch";
        families.quota(&self.0, "quota_reset_timestamp", reset, Some(&Unit::Seconds), |quota| quota.reset)?;
        families.pauses(&self.0)?;
        families.gauge("writes_waiting", "Writes that wait", None, self.0.writes_waiting as u64)?;
        families.refused(&self.0.refusals)
    }

    fn fleet(&self, families: &mut Families<'_>) -> fmt::Result {
        let Some(fleet) = &self.0.aggregate else { return Ok(()) };
        families.gauge(
            "fleet_members",
            "Members of the fleet, this node among them",
            None,
            fleet.total_peers,
        )?;
        families.gauge("fleet_leases", "Leases that this node has granted now", None, fleet.leases)?;
        let Some(guest) = &self.0.guest else { return Ok(()) };
        families.gauge("guest", "1 while this node is a guest, else 0", None, u64::from(guest.is_guest))?;
        families.gauge("guest_hosts", "Members that host this node, a guest", None, guest.hosts)?;
        families.gauge("guests", "Guests that this node hosts now", None, guest.guests)?;
        families.gauge("guests_max", "Most guests that this node hosts", None, guest.guests_max)?;
        families.counter("guests_hosted", "Guests that this node took in", guest.hosted)?;
        families.counter("guests_refused", "Guests told to look elsewhere, for want of room", guest.refused)
    }

    fn sharing(&self, families: &mut Families<'_>) -> fmt::Result {
        let Some(fleet) = &self.0.aggregate else { return Ok(()) };
        families.counter("peer_asks", "Questions for an entry sent to peers", fleet.asks)?;
        families.counter(
            "peer_asks_unanswered",
            "Questions that a peer did not answer in time",
            fleet.asks_unanswered,
        )?;
        families.counter("peer_asks_hedged", "Questions sent to another peer as well", fleet.hedges)?;
        families.counter("peer_answers", "Questions of peers answered with an entry", fleet.answers)?;
        families.counter(
            "announcements_cut",
            "New entries of which members that had not asked for them were told by name alone",
            fleet.announcements_cut,
        )?;
        families.counter(
            "announcements_withheld",
            "New entries of which members that had not asked for them were not told",
            fleet.announcements_withheld,
        )?;
        families.counter(
            "entries_passed_on",
            "Entries passed on to members that had asked for them before",
            fleet.entries_passed_on,
        )?;
        families.counter("entries_received", "Entries that peers sent, kept", fleet.entries_received)?;
        families.counter(
            "entries_refused",
            "Entries that peers sent, not kept since they were too old",
            fleet.entries_refused,
        )?;
        families.counter("leases_granted", "Leases that this node granted", fleet.leases_granted)?;
        families.counter(
            "leases_passed",
            "Leases that passed on because their holder failed, went away, or took too long",
            fleet.leases_passed,
        )
    }

    fn refusals(&self, families: &mut Families<'_>) -> fmt::Result {
        let Some(fleet) = &self.0.aggregate else { return Ok(()) };
        families.counter("peers_banned", "Times that this node banned a peer", fleet.bans)?;
        families.counter("peers_refused", "Connections that were not let in", fleet.refused)?;
        families.counter(
            "peers_refused_unproved",
            "Connections not let in for want of proof that both sides know the same secret",
            fleet.refused_unproved,
        )?;
        families.counter(
            "peers_refused_version",
            "Connections not let in for another major version of the protocol",
            fleet.refused_version,
        )?;
        families.counter(
            "messages_dropped",
            "Messages dropped unread because the sender had sent more than it may",
            fleet.messages_dropped,
        )?;
        families.counter(
            "frames_rejected",
            "Frames from peers that did not open or decode",
            fleet.rejected_frames,
        )?;
        families.counter(
            "frames_skipped",
            "Frames from peers that said what only a later version knows",
            fleet.skipped_frames,
        )?;
        families.counter(
            "frames_dropped",
            "Frames not sent to peers, because there was no connection or no room",
            fleet.dropped_frames,
        )
    }

    fn webhooks(&self, families: &mut Families<'_>) -> fmt::Result {
        let webhooks = &self.0.webhooks;
        let outcomes = [
            ("ignored", webhooks.ignored),
            ("malformed", webhooks.malformed),
            ("oversized", webhooks.oversized),
            ("refused", webhooks.refused),
            ("replayed", webhooks.replayed),
            ("taken", webhooks.taken),
        ];
        families.outcomes("webhook_deliveries", "Deliveries of webhooks, by what became of them", &outcomes)
    }

    fn disk(&self, families: &mut Families<'_>) -> fmt::Result {
        let Some(disk) = &self.0.disk else { return Ok(()) };
        families.gauge("disk_records", "Entries on disk", None, disk.records)?;
        families.gauge("disk", "Size of the entries on disk", Some(&Unit::Bytes), disk.bytes)?;
        families.counter("disk_writes", "Entries written to disk", disk.writes)?;
        families.counter(
            "disk_dropped",
            "Entries not written because the queue was full or the disk refused",
            disk.dropped,
        )?;
        families.counter("disk_failures", "Times that the disk refused", disk.failures)?;
        families.counter(
            "disk_unreadable",
            "Records found unreadable on disk and dropped",
            disk.unreadable,
        )?;
        families.counter("disk_set_aside", "Files found unusable and set aside", disk.set_aside)?;
        families.counter(
            "disk_loads_refused",
            "Look-ups that found nothing because too many waited for the disk",
            disk.loads_refused,
        )?;
        families.counter(
            "disk_loads_late",
            "Look-ups on disk not made because no request waited for them any more",
            disk.loads_late,
        )?;
        families.counter(
            "disk_merges",
            "Times that too many removals waited, so that everything on disk was removed",
            disk.merges,
        )
    }
}

/// One reading of which client uses what.
#[derive(Debug)]
struct Used(UsageReport);

impl Collector for Used {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let UsageReport { by_client, by_route, by_payer, .. } = &self.0;
        families.used(by_client, "client", USED_BY_CLIENT)?;
        families.used(by_client, "client", LATENCY_BY_CLIENT)?;
        families.used(by_route, "route", USED_BY_ROUTE)?;
        families.used(by_payer, "payer", USED_BY_PAYER)
    }
}

/// A family of counts for each row of a table: its name, its help, and which count it is.
type Count<N> = (&'static str, &'static str, fn(&Counts) -> N);

const REQUESTS: fn(&Counts) -> u64 = |counts| counts.requests;
const HITS: fn(&Counts) -> u64 = |counts| counts.hits;
const REFUSALS: fn(&Counts) -> u64 = |counts| counts.refusals;
const CALLS: fn(&Counts) -> u64 = |counts| counts.calls;
const NOT_MODIFIED: fn(&Counts) -> u64 = |counts| counts.not_modified;
const POINTS: fn(&Counts) -> u64 = |counts| counts.points;

const USED_BY_CLIENT: &[Count<u64>] = &[
    ("client_requests", "Requests answered, by client", REQUESTS),
    ("client_hits", "Requests that cost no call of their own, by client", HITS),
    ("client_refusals", "Requests refused since an allowance is spent or held back, by client", REFUSALS),
    ("client_calls", "Calls made to the origin, by the client that they were made for", CALLS),
    ("client_not_modified", "Calls that the origin answered with 304, by client", NOT_MODIFIED),
    ("client_points", "Points that GraphQL queries cost, by client", POINTS),
    ("client_sent_bytes", "Bytes of the bodies that clients were sent, by client", |counts| counts.bytes),
];
const LATENCY_BY_CLIENT: &[Count<f64>] = &[(
    "client_latency_seconds",
    "Time from the heads of requests to those of their answers, in all, by client",
    |counts| counts.latency_micros as f64 / 1e6,
)];
const USED_BY_ROUTE: &[Count<u64>] = &[
    ("route_requests", "Requests answered, by route", REQUESTS),
    ("route_hits", "Requests that cost no call of their own, by route", HITS),
    ("route_calls", "Calls made to the origin, by route", CALLS),
    ("route_not_modified", "Calls that the origin answered with 304, by route", NOT_MODIFIED),
];
const USED_BY_PAYER: &[Count<u64>] = &[
    ("payer_requests", "Requests answered, by payer", REQUESTS),
    ("payer_calls", "Calls made to the origin, by whose allowance they draw on", CALLS),
    ("payer_not_modified", "Calls that the origin answered with 304, by payer", NOT_MODIFIED),
    ("payer_points", "Points that GraphQL queries cost, by payer", POINTS),
];

/// Writes families of metrics, one after the other.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let metric = ConstCounter::new(value);
        metric.encode(self.0.encode_descriptor(name, help, None, metric.metric_type())?)
    }

    fn gauge<N>(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: N) -> fmt::Result
    where
        N: EncodeGaugeValue,
    {
        let metric = ConstGauge::new(value);
        metric.encode(self.0.encode_descriptor(name, help, unit, metric.metric_type())?)
    }

    /// Each of `counts` for each of `rows`, by resource; the adapter bounds the rows, and there are four resources.
    fn used<N: EncodeCounterValue>(
        &mut self,
        rows: &[UsageRow],
        label: &str,
        counts: &[Count<N>],
    ) -> fmt::Result {
        for (name, help, count) in counts {
            let kind = ConstCounter::new(0_u64).metric_type();
            let mut family = self.0.encode_descriptor(name, help, None, kind)?;
            for row in rows {
                for (resource, counts) in &row.resources {
                    let labels = [(label, row.name.as_str()), ("resource", resource.as_str())];
                    ConstCounter::new(count(counts)).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }

    /// A count for each outcome.
    fn outcomes(&mut self, name: &str, help: &str, outcomes: &[(&str, u64)]) -> fmt::Result {
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (outcome, count) in outcomes {
            ConstCounter::new(*count).encode(family.encode_family(&[("outcome", *outcome)])?)?;
        }
        Ok(())
    }

    /// One value for each allowance of each domain; their number is bounded by the origin's adapter.
    fn quota(
        &mut self,
        stats: &Stats,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        value: impl Fn(&Quota) -> u64,
    ) -> fmt::Result {
        let kind = ConstGauge::new(0_u64).metric_type();
        let mut family = self.0.encode_descriptor(name, help, unit, kind)?;
        for observed in &stats.origin.quotas {
            let labels = [("domain", observed.domain.as_str()), ("resource", &*observed.quota.resource)];
            ConstGauge::new(value(&observed.quota)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Families<'_> {
    /// Until when each payer pauses; a payer that does not has no value.
    fn pauses(&mut self, stats: &Stats) -> fmt::Result {
        let kind = ConstGauge::new(0_u64).metric_type();
        let help = "Until when no call draws on the allowance, since the Unix epoch; by window if it is spent, by pace if the \
                    payer called too often";
        let mut family =
            self.0.encode_descriptor("quota_paused_until_timestamp", help, Some(&Unit::Seconds), kind)?;
        for observed in &stats.origin.quotas {
            let Some((until, by)) = observed.paused_until.zip(observed.paused_by) else { continue };
            let resource = &*observed.quota.resource;
            let labels = [("domain", observed.domain.as_str()), ("resource", resource), ("by", by)];
            ConstGauge::new(until).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    /// Requests that the node itself refused, by what held them and, at a reserve, by the class that it is kept from.
    fn refused(&mut self, refusals: &Refusals) -> fmt::Result {
        let kind = ConstCounter::new(0_u64).metric_type();
        let help = "Requests refused since the payer pauses (pace), the allowance is spent (window) or kept for others (reserve), or too many writes were made (writes)";
        let mut family = self.0.encode_descriptor("requests_refused", help, None, kind)?;
        let counts = [
            ("pace", "any", refusals.pace),
            ("reserve", "batch", refusals.reserve_batch),
            ("reserve", "normal", refusals.reserve_normal),
            ("window", "any", refusals.window),
            ("writes", "any", refusals.writes),
        ];
        for (by, priority, count) in counts {
            ConstCounter::new(count).encode(family.encode_family(&[("by", by), ("priority", priority)])?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
