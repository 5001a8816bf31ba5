//! The command `top`: which client uses what.

use crate::{
    admin::Admin,
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use fleet_cache::github::{Counts, UsageReport, UsageRow};
use serde::Deserialize;
use serde_json::json;
use std::{io::Write, str::FromStr};

/// By what is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum By {
    /// By what clients are called.
    Client,
    /// By route of the API.
    Route,
    /// By whose allowance is drawn on.
    Payer,
}

impl By {
    /// All of them, as they are written; the first is the default.
    pub(crate) const NAMES: [&str; 3] = ["client", "route", "payer"];

    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Route => "route",
            Self::Payer => "payer",
        }
    }

    fn rows(self, report: UsageReport) -> Vec<UsageRow> {
        match self {
            Self::Client => report.by_client,
            Self::Route => report.by_route,
            Self::Payer => report.by_payer,
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Client, Self::Route, Self::Payer].into_iter().find(|by| by.name() == text);
        known.ok_or_else(|| format!("{text:?} is not one of {}", Self::NAMES.join(", ")))
    }
}

/// Whose counts are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Of {
    /// Those of the daemon and of all nodes that it is connected with.
    Fleet,
    /// Those of the daemon alone.
    Node,
}

#[derive(Deserialize)]
struct Shown {
    nodes: usize,
    silent: Vec<String>,
    #[serde(flatten)]
    report: UsageReport,
}

/// Shows what the daemon, or the fleet, has counted.
///
/// # Errors
///
/// When the daemon goes away or the output cannot be written.
pub(crate) async fn show(
    admin: &mut Admin,
    (by, of): (By, Of),
    rendering: Rendering,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let path = match of {
        Of::Fleet => "/usage",
        Of::Node => "/usage/node",
    };
    let Shown { nodes, silent, report } = admin.show(path).await?;
    let rows = by.rows(report);
    let mut total = Counts::default();
    rows.iter().for_each(|row| total += row.counts);
    match rendering {
        Rendering::Json => {
            let shown =
                json!({ "by": by.name(), "nodes": nodes, "silent": silent, "rows": rows, "total": total });
            print_json(out, &shown)
        }
        Rendering::Text => print(out, &(table(by, &rows, &total) + &footing(nodes, &silent))),
    }
}

/// One line for each row; its name comes last, since it has no width of its own.
fn table(by: By, rows: &[UsageRow], total: &Counts) -> String {
    let head =
        ["REQUESTS", "HITS", "REFUSED", "CALLS", "304", "POINTS", "SENT", "MEAN", "MAX"].map(str::to_owned);
    let mut lines = vec![(head, by.name().to_uppercase())];
    lines.extend(rows.iter().map(|row| (cells(&row.counts), row.name.clone())));
    if rows.len() != 1 {
        lines.push((cells(total), "(all)".to_owned()));
    }
    let width = |column: usize| lines.iter().map(|(cells, _)| cells[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..CELLS).map(width).collect();
    let mut text = String::new();
    for (cells, name) in &lines {
        for (cell, width) in cells.iter().zip(&widths) {
            text.push_str(&format!("{cell:>width$}  "));
        }
        text.push_str(&format!("{name}\n"));
    }
    text
}

/// What is said below the table of the nodes that are in it.
fn footing(nodes: usize, silent: &[String]) -> String {
    match (nodes, silent) {
        (1, []) => String::new(),
        (nodes, []) => format!("of {nodes} nodes\n"),
        (nodes, silent) => {
            let all = nodes + silent.len();
            format!("of {nodes} of {all} nodes; no word came from {}\n", silent.join(", "))
        }
    }
}

fn cells(counts: &Counts) -> [String; CELLS] {
    let mean = counts.latency_micros.checked_div(counts.requests).unwrap_or(0);
    [
        counts.requests.to_string(),
        counts.hits.to_string(),
        counts.refusals.to_string(),
        counts.calls.to_string(),
        counts.not_modified.to_string(),
        counts.points.to_string(),
        size(counts.bytes),
        time(mean),
        time(counts.latency_micros_max),
    ]
}

fn size(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn time(micros: u64) -> String {
    match micros {
        0..=99_999 => format!("{:.2} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

const CELLS: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_row_and_one_for_all() {
        let row = |name: &str, calls: u64| {
            let counts = json!({
                "requests": 2 * calls, "hits": calls, "refusals": 0, "calls": calls, "not_modified": 1, "points": 0,
                "bytes": 20_000, "latency_micros": 900, "latency_micros_max": 250_000,
            });
            let mut row = counts;
            row["name"] = json!(name);
            row["resources"] = json!({});
            serde_json::from_value::<UsageRow>(row).unwrap()
        };
        let rows = [row("ci", 30), row("(other)", 3)];
        let mut total = Counts::default();
        rows.iter().for_each(|row| total += row.counts);
        let text = table(By::Client, &rows, &total);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("MAX  CLIENT"), "{text}");
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(words, ["60", "30", "0", "30", "1", "0", "20", "kB", "0.01", "ms", "0.2", "s", "ci"]);
        assert!(lines[3].trim_start().starts_with("66 "), "{text}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn what_to_count_by_is_read_as_it_is_written() {
        assert!(By::NAMES.iter().all(|name| name.parse::<By>().unwrap().name() == *name));
        assert!("node".parse::<By>().unwrap_err().contains("client, route, payer"));
    }
}
