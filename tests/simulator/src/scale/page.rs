//! The cost of fleets as a page and a picture.

use super::{MINUTES_MIN, Measured, measure};
use crate::plot::{self, grouped};
use std::{
    error::Error,
    fmt::{self, Write as _},
};

/// What is written of fleets of several sizes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScalePage {
    /// Markdown, which shows the picture under the name `scale.svg`.
    pub page: String,
    /// The picture, as SVG.
    pub picture: String,
}

/// Which fleets are measured, and for how long.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The seed, which decides everything random.
    pub seed: u64,
    /// Sizes of the fleets.
    pub nodes: Vec<usize>,
    /// Minutes of virtual time, [`MINUTES_MIN`] at least.
    pub minutes: u64,
    /// The largest fleet in which messages cross links as bytes.
    pub codec_max: usize,
}

impl ScalePage {
    /// Measures fleets of all sizes; `on_step` is told of each. Equal extents give equal pages.
    ///
    /// # Errors
    ///
    /// If the picture cannot be drawn.
    pub fn make(extent: &Extent, on_step: &mut dyn FnMut(&Measured)) -> Result<Self, Box<dyn Error>> {
        let mut rows = Vec::new();
        for nodes in &extent.nodes {
            let encodes = *nodes <= extent.codec_max;
            let measured = measure(extent.seed, *nodes, extent.minutes.max(MINUTES_MIN), encodes);
            on_step(&measured);
            rows.push(measured);
        }
        Ok(Self { page: page(extent, &rows)?, picture: picture(&rows)? })
    }
}

impl Measured {
    /// The same as JSON, for other programs.
    pub fn json(&self) -> serde_json::Value {
        let phase = |phase: &super::Phase| {
            serde_json::json!({
                "calls_of_ideal": phase.calls,
                "connections": phase.connections,
                "connections_most": phase.connections_most,
                "bytes_per_second": phase.bytes,
                "bytes_per_second_most": phase.bytes_most,
                "messages_per_second": phase.messages,
                "wait_p50_millis": phase.waits.0,
                "wait_p99_millis": phase.waits.1,
            })
        };
        serde_json::json!({
            "nodes": self.nodes,
            "codec": self.encodes,
            "idle": phase(&self.idle),
            "calm": phase(&self.calm),
            "rough": phase(&self.rough),
            "herd_calls": self.herd_calls,
            "herd_asks_most": self.herd_asks_most,
            "herd_wait_most_millis": self.herd_wait_most,
            "alone_calm": self.alone.0,
            "alone_rough": self.alone.1,
            "newcomer_bytes": self.newcomer_bytes,
            "newcomer_handshakes": self.newcomer_handshakes,
            "requests": self.requests,
            "failed": self.failed,
            "rules_broken": self.broken.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        })
    }
}

fn page(extent: &Extent, rows: &[Measured]) -> Result<String, fmt::Error> {
    let mut page = String::from(include_str!("head.md"));
    page.push_str(CALLS_HEAD);
    rows.iter().try_for_each(|row| calls_line(&mut page, row))?;
    page.push_str(COSTS_HEAD);
    rows.iter().try_for_each(|row| costs_line(&mut page, row))?;
    let sizes: Vec<String> = extent.nodes.iter().map(ToString::to_string).collect();
    let Extent { seed, minutes, codec_max, .. } = extent;
    let command = format!(
        "cargo xtask sim scale --seed {seed} --nodes {} --minutes {minutes} --codec-max {codec_max}",
        sizes.join(",")
    );
    page.push_str(&include_str!("foot.md").replace("{command}", &command));
    Ok(page)
}

fn calls_line(page: &mut String, row: &Measured) -> fmt::Result {
    let Measured { herd_calls, herd_asks_most, herd_wait_most, failed, .. } = *row;
    let waits = |phase: &super::Phase| format!("{} / {}", phase.waits.0, grouped(phase.waits.1));
    let broken: Vec<String> = row.broken.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    let broken = if broken.is_empty() { "none".into() } else { broken.join(", ") };
    writeln!(
        page,
        "| {} | {:.3} | {:.3} | {herd_calls} | {herd_asks_most} | {} | {} / {} | {} | {} | {} | {failed} | {broken} | {} |",
        grouped(row.nodes as u64),
        row.calm.calls,
        row.rough.calls,
        grouped(herd_wait_most),
        row.alone.0,
        row.alone.1,
        waits(&row.calm),
        waits(&row.rough),
        grouped(row.requests),
        if row.encodes { "yes" } else { "no" },
    )
}

fn costs_line(page: &mut String, row: &Measured) -> fmt::Result {
    let kilobytes = |bytes: f64| format!("{:.2}", bytes / 1e3);
    let phase = |phase: &super::Phase| {
        let (mean, most) = (kilobytes(phase.bytes), kilobytes(phase.bytes_most));
        format!(
            "{:.1} / {} | {mean} / {most} | {:.1}",
            phase.connections, phase.connections_most, phase.messages
        )
    };
    writeln!(
        page,
        "| {} | {} | {} | {} | {:.1} |",
        grouped(row.nodes as u64),
        phase(&row.idle),
        phase(&row.calm),
        kilobytes(row.newcomer_bytes as f64),
        row.newcomer_handshakes,
    )
}

fn picture(rows: &[Measured]) -> Result<String, Box<dyn Error>> {
    plot::costs(
        rows,
        |row| row.nodes,
        &[("idle", |row| row.idle.bytes), ("busy", |row| row.calm.bytes)],
        &[
            ("connections", |row| row.calm.connections),
            ("messages/s, busy", |row| row.calm.messages),
            ("most asks in a herd", |row| row.herd_asks_most as f64),
        ],
    )
}

const CALLS_HEAD: &str = "\
| nodes | calls, calm | calls, rough | calls of the herd | most asks of one node | longest wait of the herd, ms | alone, calm / rough | wait, calm, p50 / p99, ms | wait, rough | reads | without an answer | rules broken | codec |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|---|
";

const COSTS_HEAD: &str = "
## What it costs a node

| nodes | idle: connections, mean / most | kB/s, mean / most | messages/s | busy: connections, mean / most | kB/s, mean / most | messages/s | a newcomer hears, kB | its handshakes |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";
