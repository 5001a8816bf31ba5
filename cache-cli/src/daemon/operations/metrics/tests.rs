//! That nothing that is counted is left out.

use super::*;
use fleet_cache::{FleetSecret, GitHub, Node, Quic};
use serde_json::Value;

/// The names of all numbers in `value`, with those of what they are in.
fn counts(within: &str, value: &Value, found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let name = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        match value {
            Value::Number(_) => found.push(name),
            Value::Object(_) => counts(&name, value, found),
            Value::Array(_) | Value::Bool(_) | Value::Null | Value::String(_) => {}
        }
    }
}

#[tokio::test]
async fn every_count_of_a_node_is_a_metric_or_follows_from_others() {
    let directory = tempfile::tempdir().unwrap();
    let github = GitHub::builder().origin("http://127.0.0.1:1").build().unwrap();
    let node = Node::builder(Some(FleetSecret::generate().unwrap()), github)
        .transport(Quic::listen("127.0.0.1:0"))
        .cache_dir(directory.path());
    let node = node.start().await.unwrap();
    let stats = node.stats().await.unwrap();
    node.shutdown().await;
    let mut found = Vec::new();
    counts("", &serde_json::to_value(&stats).unwrap(), &mut found);
    assert!(found.len() > 40, "{found:?}");
    let text = text(stats, UsageReport::default()).unwrap();
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE fleet_cache_")).collect();
    let is_told =
        |name: &str| told.iter().any(|family| family.split_once(' ').is_some_and(|(told, _)| told == name));
    for count in found.iter().filter(|count| !DERIVED.contains(&count.as_str())) {
        let renamed = RENAMED.iter().find(|(known, _)| known == count).map(|(_, name)| *name);
        let name = renamed.map_or_else(|| count.replace("disk.", "disk_"), str::to_owned);
        assert!(is_told(&name), "{count} is not told as {name}");
    }
    for (count, _) in RENAMED {
        assert!(found.iter().any(|known| known == count), "there is no {count}");
    }
}

/// Sums and shares of other counts, and counts under a second name.
const DERIVED: &[&str] = &[
    "aggregate.total_api_calls",
    "aggregate.total_cache_hits",
    "aggregate.total_misses",
    "hit_rate",
    "local_hits",
    "origin.calls",
    "total_hits",
    "total_requests",
];

/// Counts whose metric has another name.
const RENAMED: &[(&str, &str)] = &[
    ("aggregate.announcements_cut", "announcements_cut"),
    ("aggregate.announcements_withheld", "announcements_withheld"),
    ("aggregate.answers", "peer_answers"),
    ("aggregate.asks", "peer_asks"),
    ("aggregate.asks_unanswered", "peer_asks_unanswered"),
    ("aggregate.bans", "peers_banned"),
    ("aggregate.dropped_frames", "frames_dropped"),
    ("aggregate.entries_passed_on", "entries_passed_on"),
    ("aggregate.entries_received", "entries_received"),
    ("aggregate.entries_refused", "entries_refused"),
    ("aggregate.hedges", "peer_asks_hedged"),
    ("aggregate.leases", "fleet_leases"),
    ("aggregate.leases_granted", "leases_granted"),
    ("aggregate.leases_passed", "leases_passed"),
    ("aggregate.messages_dropped", "messages_dropped"),
    ("aggregate.refused", "peers_refused"),
    ("aggregate.refused_unproved", "peers_refused_unproved"),
    ("aggregate.refused_version", "peers_refused_version"),
    ("aggregate.rejected_frames", "frames_rejected"),
    ("aggregate.skipped_frames", "frames_skipped"),
    ("aggregate.total_peers", "fleet_members"),
    ("cache_bytes", "memory_bytes"),
    ("cache_size", "entries"),
    ("disk.bytes", "disk_bytes"),
    ("guest.guests", "guests"),
    ("guest.guests_max", "guests_max"),
    ("guest.hosted", "guests_hosted"),
    ("guest.hosts", "guest_hosts"),
    ("guest.refused", "guests_refused"),
    ("max_cache_bytes", "memory_max_bytes"),
    ("max_cache_size", "entries_max"),
    ("origin.doubted", "not_modified_doubted"),
    ("origin.dropped_shapes", "query_shapes_dropped"),
    ("origin.failed", "api_calls_failed"),
    ("origin.forwarded", "api_calls_forwarded"),
    ("origin.held", "queries_held"),
    ("origin.not_modified", "not_modified"),
    ("origin.oversize", "answers_oversize"),
    ("origin.recipe.classes_distrusted", "etag_classes_distrusted"),
    ("origin.recipe.classes_trusted", "etag_classes_trusted"),
    ("origin.recipe.matches", "etags_as_computed"),
    ("origin.recipe.mismatches", "etags_not_as_computed"),
    ("refusals.pace", "requests_refused"),
    ("refusals.reserve_batch", "requests_refused"),
    ("refusals.reserve_normal", "requests_refused"),
    ("refusals.window", "requests_refused"),
    ("refusals.writes", "requests_refused"),
    ("uptime_seconds", "uptime_seconds"),
    ("webhooks.ignored", "webhook_deliveries"),
    ("webhooks.malformed", "webhook_deliveries"),
    ("webhooks.oversized", "webhook_deliveries"),
    ("webhooks.refused", "webhook_deliveries"),
    ("webhooks.replayed", "webhook_deliveries"),
    ("webhooks.taken", "webhook_deliveries"),
];
