//! What the running daemon says of itself, made into what the monitor shows.
//!
//! The daemon may be of another version: what it does not say is `None` here and a dash on the screen.

use crate::admin::AllowanceLine;
use serde::Serialize;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// The daemon's counts at one moment. All counts are since it started.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Reading {
    /// Which one it is, counted from one.
    pub(super) update: u64,
    /// When it was taken, in seconds since the Unix epoch.
    pub(super) unix_seconds: u64,
    /// The daemon that the reading is about.
    pub(super) daemon: Daemon,
    /// How allowances stand, the most urgent first.
    pub(super) quotas: Vec<AllowanceLine>,
    /// What the cache did.
    pub(super) cache: Cache,
    /// How it gets on with other nodes.
    pub(super) networking: Networking,
    /// How what it shares is protected.
    pub(super) security: Security,
    /// What it was good for; `None` before the first request.
    pub(super) performance: Option<Performance>,
}

/// The process that answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Daemon {
    /// The number of its process.
    pub(super) pid: Option<u64>,
    /// The version of its program.
    pub(super) version: Option<String>,
    /// How long its node has run.
    pub(super) uptime_seconds: Option<u64>,
    /// Where clients reach it.
    pub(super) doors: Vec<String>,
}

/// What the cache holds and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Cache {
    /// How many entries are in memory.
    pub(super) size: Option<u64>,
    /// Most entries in memory.
    pub(super) max_size: Option<u64>,
    /// The former as a share of the latter.
    pub(super) fill_rate: Option<f64>,
    /// Look-ups, whatever answered them.
    pub(super) requests: Option<u64>,
    /// Answered by the node's own entries.
    pub(super) local_hits: Option<u64>,
    /// Answered by a peer's entry.
    pub(super) peer_hits: Option<u64>,
    /// Answered by a stale entry.
    pub(super) stale_hits: Option<u64>,
    /// Answered by what was being fetched for another.
    pub(super) collapsed: Option<u64>,
    /// For which the origin was called, or that got no answer.
    pub(super) misses: Option<u64>,
    /// Answered without a call of their own, as a share.
    pub(super) hit_rate: Option<f64>,
    /// Entries found past their lifetime.
    pub(super) expirations: Option<u64>,
    /// Entries that left memory because room was needed.
    pub(super) evictions: Option<u64>,
    /// Calls that the cache made unnecessary.
    pub(super) calls_saved: Option<u64>,
}

/// How the node gets on with others.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Networking {
    /// It keeps to itself.
    Off {
        /// Why it does not share.
        reason: String,
    },
    /// It is part of a fleet.
    On {
        /// How many peers are connected now.
        connected_peers: Option<u64>,
        /// Look-ups that a peer's entry answered.
        peer_hits: Option<u64>,
        /// These as a share of all look-ups.
        peer_hit_rate: Option<f64>,
    },
    /// The daemon does not say.
    Unknown,
}

/// How what is shared is protected.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Security {
    /// The node does not share.
    Off {
        /// Why it does not share.
        reason: String,
        /// What follows from it.
        impact: &'static str,
    },
    /// Peers prove that they belong to the fleet, and all is sealed.
    On {
        /// What seals the frames.
        cipher: &'static str,
        /// How keys are made from the fleet's secret.
        key_derivation: &'static str,
        /// How peers are let in.
        authorisation: &'static str,
    },
    /// The daemon does not say.
    Unknown,
}

/// What the cache was good for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Performance {
    /// Calls saved as a share of those that would have been made.
    pub(super) api_reduction: f64,
    /// Time that callers did not wait, at [`CALL_SECONDS`] for each call saved.
    pub(super) time_saved_seconds: f64,
    /// Calls that the cache made unnecessary.
    pub(super) calls_saved: u64,
}

impl Reading {
    /// Reads what `GET /stats` answered at `now`.
    pub(super) fn of(stats: &Value, update: u64, now: SystemTime) -> Self {
        let cache = Cache::of(stats);
        let unix_seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            update,
            unix_seconds,
            quotas: quotas(stats, unix_seconds),
            daemon: Daemon::of(stats),
            networking: Networking::of(stats, &cache),
            security: Security::of(stats),
            performance: Performance::of(&cache),
            cache,
        }
    }
}

/// The allowances that can be understood, the most urgent first.
fn quotas(stats: &Value, now: u64) -> Vec<AllowanceLine> {
    let told = stats.pointer("/origin/quotas").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut quotas: Vec<AllowanceLine> =
        told.iter().filter_map(|line| serde_json::from_value(line.clone()).ok()).collect();
    quotas.sort_by_cached_key(|line| line.rank(now));
    quotas
}

impl Daemon {
    fn of(stats: &Value) -> Self {
        let doors = stats["doors"].as_array().map_or(&[][..], Vec::as_slice);
        Self {
            pid: stats["pid"].as_u64(),
            version: stats["version"].as_str().map(str::to_owned),
            uptime_seconds: stats["uptime_seconds"].as_u64(),
            doors: doors.iter().filter_map(|door| door.as_str().map(str::to_owned)).collect(),
        }
    }
}

impl Cache {
    fn of(stats: &Value) -> Self {
        let count = |name: &str| stats[name].as_u64();
        let (size, max_size) = (count("cache_size"), count("max_cache_size"));
        let answered = ["hits", "peer_hits", "stale_hits", "collapsed"].into_iter().filter_map(count);
        let misses = count("misses");
        let requests = misses.map(|misses| answered.fold(misses, u64::saturating_add));
        let calls_saved = count("api_calls_saved");
        Self {
            size,
            max_size,
            fill_rate: share(size, max_size),
            requests,
            local_hits: count("hits"),
            peer_hits: count("peer_hits"),
            stale_hits: count("stale_hits"),
            collapsed: count("collapsed"),
            misses,
            hit_rate: stats["hit_rate"].as_f64().or_else(|| share(calls_saved, requests)),
            expirations: count("expirations"),
            evictions: count("evictions"),
            calls_saved,
        }
    }
}

impl Networking {
    fn of(stats: &Value, cache: &Cache) -> Self {
        match Sharing::of(stats) {
            Sharing::Off { reason } => Self::Off { reason },
            Sharing::On { .. } => Self::On {
                connected_peers: stats["connected_peers"].as_u64(),
                peer_hits: cache.peer_hits,
                peer_hit_rate: share(cache.peer_hits, cache.requests),
            },
            Sharing::Unknown => Self::Unknown,
        }
    }
}

impl Security {
    fn of(stats: &Value) -> Self {
        match Sharing::of(stats) {
            Sharing::Off { reason } => {
                Self::Off { reason, impact: "nothing is shared; this node makes its own calls" }
            }
            Sharing::On { words } => Self::On {
                cipher: "XChaCha20-Poly1305, over an encrypted transport",
                key_derivation: key_derivation(&words),
                authorisation: "nodes that prove they know the fleet's secret",
            },
            Sharing::Unknown => Self::Unknown,
        }
    }
}

impl Performance {
    fn of(cache: &Cache) -> Option<Self> {
        let calls_saved = cache.calls_saved?;
        cache.requests.filter(|requests| *requests > 0)?;
        Some(Self {
            api_reduction: share(Some(calls_saved), Some(calls_saved.saturating_add(cache.misses?)))?,
            time_saved_seconds: calls_saved as f64 * CALL_SECONDS,
            calls_saved,
        })
    }
}

/// What `sharing` says: `off: ` and the reason, or `on` and the kind of secret.
enum Sharing {
    Off { reason: String },
    On { words: String },
    Unknown,
}

impl Sharing {
    fn of(stats: &Value) -> Self {
        let Some(text) = stats["sharing"].as_str() else { return Self::Unknown };
        match text.split([',', ':', ' ']).next() {
            Some("on") => Self::On { words: text.to_owned() },
            Some(_) | None => {
                let reason = text.strip_prefix("off").unwrap_or(text).trim_start_matches([':', ' ']);
                Self::Off { reason: if reason.is_empty() { "no reason given" } else { reason }.to_owned() }
            }
        }
    }
}

fn key_derivation(words: &str) -> &'static str {
    let kinds = [
        ("generated", "HKDF-SHA256 of a generated secret"),
        ("passphrase", "Argon2id of a passphrase"),
        ("token", "PBKDF2-HMAC-SHA256 of a GitHub token"),
    ];
    kinds.into_iter().find(|(kind, _how)| words.contains(kind)).map_or("HKDF-SHA256", |(_kind, how)| how)
}

fn share(part: Option<u64>, whole: Option<u64>) -> Option<f64> {
    match (part?, whole?) {
        (_part, 0) => Some(0.0),
        (part, whole) => Some(part as f64 / whole as f64),
    }
}

/// Time that one call to the origin takes, in seconds, for the estimate of what was saved.
pub(super) const CALL_SECONDS: f64 = 0.2;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    /// An allowance of `payer` whose window ends an hour after the sample.
    pub(in crate::command::monitor) fn allowance(payer: &str, remaining: u64, more: &Value) -> Value {
        let mut allowance = json!({
            "domain": payer, "resource": "core", "limit": 5000, "remaining": remaining, "used": 5000 - remaining,
            "reset": 1_700_003_600_u64,
        });
        allowance.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        allowance
    }

    /// A daemon that shares and has been asked a hundred times.
    pub(in crate::command::monitor) fn sample() -> Reading {
        let stats = json!({
            "hits": 60, "peer_hits": 20, "stale_hits": 4, "collapsed": 6, "misses": 10,
            "hit_rate": 0.9, "expirations": 7, "evictions": 3, "api_calls_saved": 90,
            "cache_size": 250, "max_cache_size": 1000, "connected_peers": 4,
            "sharing": "on, by a secret of the kind passphrase",
            "pid": 42, "version": "0.1.0", "uptime_seconds": 3725, "doors": ["http://127.0.0.1:8484"],
            "origin": { "quotas": [allowance("ci", 4000, &json!({ "per_hour": 60 })), allowance("bot", 100, &json!({
                "per_hour": 600, "spent_at": 1_700_000_600_u64,
            }))] },
        });
        Reading::of(&stats, 3, UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    #[test]
    fn figures_are_derived_from_the_daemons_counts() {
        let reading = sample();
        assert_eq!(reading.cache.requests, Some(100));
        assert_eq!(reading.cache.fill_rate, Some(0.25));
        let performance = reading.performance.unwrap();
        assert_eq!(performance.api_reduction, 0.9);
        assert_eq!(performance.time_saved_seconds, 18.0);
        let Networking::On { connected_peers, peer_hit_rate, .. } = reading.networking else { panic!() };
        assert_eq!((connected_peers, peer_hit_rate), (Some(4), Some(0.2)));
        let Security::On { key_derivation, .. } = reading.security else { panic!() };
        assert!(key_derivation.starts_with("Argon2id"), "{key_derivation}");
    }

    #[test]
    fn what_the_daemon_does_not_say_is_left_open() {
        for stats in [json!({}), json!(null), json!({ "hits": "many", "sharing": { "state": "on" } })] {
            let reading = Reading::of(&stats, 1, UNIX_EPOCH);
            assert_eq!(reading.cache, Cache::default());
            assert!(reading.quotas.is_empty());
            assert_eq!(reading.networking, Networking::Unknown);
            assert_eq!(reading.security, Security::Unknown);
            assert_eq!(reading.performance, None);
        }
    }

    #[test]
    fn a_node_that_shares_nothing_says_why_and_what_follows() {
        let reading = Reading::of(&json!({ "sharing": "off: no fleet secret is set" }), 1, UNIX_EPOCH);
        assert_eq!(reading.networking, Networking::Off { reason: "no fleet secret is set".to_owned() });
        let Security::Off { reason, impact } = reading.security else { panic!() };
        assert_eq!(reason, "no fleet secret is set");
        assert!(impact.contains("nothing is shared"));
    }

    #[test]
    fn before_the_first_request_there_is_no_performance_to_show() {
        let stats = json!({ "hits": 0, "misses": 0, "api_calls_saved": 0 });
        assert_eq!(Reading::of(&stats, 1, UNIX_EPOCH).performance, None);
    }
}
