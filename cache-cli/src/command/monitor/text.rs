//! The monitor in words: sections of labelled values, and their layout as plain text.

use super::reading::{CALL_SECONDS, Cache, Daemon, Networking, Performance, Reading, Security};
use crate::{admin::Urgency, command::quota::table};
use std::time::{Duration, UNIX_EPOCH};

/// Lines under one title.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Section {
    /// What they are about, in capitals.
    pub(super) title: &'static str,
    /// Each line's label and value.
    pub(super) lines: Vec<(&'static str, String)>,
}

/// The sections of `reading`, in order.
pub(super) fn sections(reading: &Reading) -> Vec<Section> {
    let mut sections =
        vec![cache(&reading.cache), networking(&reading.networking), security(&reading.security)];
    sections.extend(reading.performance.as_ref().map(performance));
    sections
}

/// The lines above the sections: title and time, then the daemon that they are about.
pub(super) fn banner(reading: &Reading) -> [String; 2] {
    let taken = UNIX_EPOCH + Duration::from_secs(reading.unix_seconds);
    let title =
        format!("FLEET CACHE MONITOR   UPDATE #{}   {}", reading.update, httpdate::fmt_http_date(taken));
    [title, about(&reading.daemon)]
}

/// All of `reading` as plain text.
pub(super) fn page(reading: &Reading) -> String {
    let rule = "=".repeat(RULE_WIDTH);
    let [title, about] = banner(reading);
    let mut page = format!("{rule}\n{title}\n{about}\n{rule}\n\n{QUOTA}\n");
    for (line, _urgency) in quota(reading) {
        page.push_str(&format!("  {line}\n"));
    }
    for section in sections(reading) {
        page.push_str(&format!("\n{}\n", section.title));
        for (label, value) in section.lines {
            page.push_str(&format!("  {label:LABEL_WIDTH$}{value}\n"));
        }
    }
    page.push('\n');
    page
}

/// A table of the most urgent allowances, line by line; a line about an allowance has its urgency.
pub(super) fn quota(reading: &Reading) -> Vec<(String, Option<Urgency>)> {
    let now = reading.unix_seconds;
    let shown = &reading.quotas[..reading.quotas.len().min(QUOTAS_MAX)];
    let urgencies = [None].into_iter().chain(shown.iter().map(|line| Some(line.urgency(now))));
    let mut lines: Vec<(String, Option<Urgency>)> =
        table(shown, now).lines().map(str::to_owned).zip(urgencies).collect();
    if let Some(more) = reading.quotas.len().checked_sub(QUOTAS_MAX).filter(|more| *more > 0) {
        lines.push((format!("and {more} more, which `fleet-cache quota` shows"), None));
    }
    lines
}

fn about(daemon: &Daemon) -> String {
    let version = daemon.version.as_deref().map_or_else(|| "of unknown version".to_owned(), str::to_owned);
    let up = daemon.uptime_seconds.map_or_else(|| DASH.to_owned(), duration);
    format!("fleet-cache {version}, pid {}, up {up}, {}", count(daemon.pid), daemon.doors.join(", "))
}

fn cache(cache: &Cache) -> Section {
    Section {
        title: "CACHE STATISTICS",
        lines: vec![
            ("entries", count(cache.size)),
            ("most entries", count(cache.max_size)),
            ("fill rate", percent(cache.fill_rate)),
            ("requests", count(cache.requests)),
            ("local hits", count(cache.local_hits)),
            ("peer hits", count(cache.peer_hits)),
            ("stale hits", count(cache.stale_hits)),
            ("collapsed", count(cache.collapsed)),
            ("misses", count(cache.misses)),
            ("hit rate", percent(cache.hit_rate)),
            ("expirations", count(cache.expirations)),
            ("evictions", count(cache.evictions)),
            ("calls saved", count(cache.calls_saved)),
        ],
    }
}

fn networking(networking: &Networking) -> Section {
    let lines = match networking {
        Networking::Off { reason } => vec![("enabled", "no".to_owned()), ("reason", reason.clone())],
        Networking::On { connected_peers, peer_hits, peer_hit_rate } => {
            let mut lines = vec![("enabled", "yes".to_owned()), ("connected peers", count(*connected_peers))];
            if connected_peers.is_some_and(|peers| peers > 0) {
                lines.push(("peer hits", count(*peer_hits)));
                lines.push(("peer hit rate", percent(*peer_hit_rate)));
            }
            lines
        }
        Networking::Unknown => vec![("enabled", DASH.to_owned())],
    };
    Section { title: "P2P NETWORKING", lines }
}

fn security(security: &Security) -> Section {
    let lines = match security {
        Security::Off { reason, impact } => {
            vec![("enabled", "no".to_owned()), ("reason", reason.clone()), ("impact", (*impact).to_owned())]
        }
        Security::On { cipher, key_derivation, authorisation } => vec![
            ("enabled", "yes".to_owned()),
            ("cipher", (*cipher).to_owned()),
            ("key derivation", (*key_derivation).to_owned()),
            ("authorisation", (*authorisation).to_owned()),
        ],
        Security::Unknown => vec![("enabled", DASH.to_owned())],
    };
    Section { title: "SECURITY", lines }
}

fn performance(performance: &Performance) -> Section {
    Section {
        title: "PERFORMANCE",
        lines: vec![
            ("API reduction", percent(Some(performance.api_reduction))),
            ("time saved", format!("{:.1} s, at {CALL_SECONDS} s a call", performance.time_saved_seconds)),
            ("calls saved", count(Some(performance.calls_saved))),
        ],
    }
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(|| DASH.to_owned(), |value| value.to_string())
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| DASH.to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// `3725` as `1h 2m`: the two largest units.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _minutes) => format!("{days}d {hours}h"),
    }
}

/// The title above the allowances.
pub(super) const QUOTA: &str = "QUOTA";
/// Most allowances that are shown, so that everything else has room beside them on a usual terminal.
const QUOTAS_MAX: usize = 8;
/// What stands for a value that the daemon does not tell.
const DASH: &str = "-";
/// Width of the labels' column, in characters: the longest label and a gap.
pub(super) const LABEL_WIDTH: usize = 17;
/// Width of the lines around the banner, in characters: what an 80-column terminal shows.
const RULE_WIDTH: usize = 78;

#[cfg(test)]
mod tests {
    use super::{
        super::reading::tests::{allowance, sample},
        *,
    };
    use serde_json::json;

    #[test]
    fn the_page_shows_every_section_with_its_figures() {
        let expected = "\
==============================================================================
FLEET CACHE MONITOR   UPDATE #3   Tue, 14 Nov 2023 22:13:20 GMT
fleet-cache 0.1.0, pid 42, up 1h 2m, http://127.0.0.1:8484
==============================================================================

QUOTA
  PAYER  ALLOWANCE  LIMIT  USED  LEFT  NEW IN  PER HOUR  FORECAST
  bot    core       5000   4900  100   60 min  600       gone in 10 min, 50 min before it is new
  ci     core       5000   1000  4000  60 min  60        lasts

CACHE STATISTICS
  entries          250
  most entries     1000
  fill rate        25.0 %
  requests         100
  local hits       60
  peer hits        20
  stale hits       4
  collapsed        6
  misses           10
  hit rate         90.0 %
  expirations      7
  evictions        3
  calls saved      90

P2P NETWORKING
  enabled          yes
  connected peers  4
  peer hits        20
  peer hit rate    20.0 %

SECURITY
  enabled          yes
  cipher           XChaCha20-Poly1305, over an encrypted transport
  key derivation   Argon2id of a passphrase
  authorisation    nodes that prove they know the fleet's secret

PERFORMANCE
  API reduction    90.0 %
  time saved       18.0 s, at 0.2 s a call
  calls saved      90

";
        assert_eq!(page(&sample()), expected);
    }

    #[test]
    fn a_daemon_that_says_nothing_is_shown_with_dashes_and_without_performance() {
        let page = page(&Reading::of(&json!({}), 1, UNIX_EPOCH));
        assert!(page.contains("  entries          -\n"), "{page}");
        assert!(!page.contains("PERFORMANCE"), "{page}");
        assert!(page.contains("\nQUOTA\n  no call to the API has shown an allowance yet"), "{page}");
    }

    #[test]
    fn of_many_allowances_the_most_urgent_are_shown() {
        let quotas: Vec<_> =
            (0..20).map(|it| allowance(&format!("p{it}"), 50 * (40 - it), &json!({}))).collect();
        let reading = Reading::of(&json!({ "origin": { "quotas": quotas } }), 1, UNIX_EPOCH);
        let page = page(&reading);
        assert!(page.contains("  p19 ") && page.contains("  p12 ") && !page.contains("  p11 "), "{page}");
        assert!(page.contains("and 12 more, which"), "{page}");
    }

    #[test]
    fn a_node_alone_in_its_fleet_has_no_peer_hits_to_show() {
        let stats = json!({ "sharing": "on", "connected_peers": 0, "peer_hits": 0 });
        let sections = sections(&Reading::of(&stats, 1, UNIX_EPOCH));
        assert_eq!(sections[1].lines.len(), 2);
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, text) in [(5, "5s"), (65, "1m 5s"), (3725, "1h 2m"), (90_000, "1d 1h")] {
            assert_eq!(duration(seconds), text);
        }
    }
}
