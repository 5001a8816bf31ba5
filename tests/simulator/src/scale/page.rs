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

/// How far measuring has come, which takes an hour for ten thousand nodes.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A fleet of so many nodes begins a phase.
    Begins {
        /// How many nodes the fleet has.
        nodes: usize,
        /// What it does from now on.
        phase: &'static str,
    },
    /// A fleet is measured.
    Measured(&'a Measured),
}

impl ScalePage {
    /// Measures fleets of all sizes; `on_step` is told of each, and of its phases. Equal extents give equal pages.
    ///
    /// # Errors
    ///
    /// If the picture cannot be drawn.
    pub fn make(extent: &Extent, on_step: &mut dyn FnMut(Step<'_>)) -> Result<Self, Box<dyn Error>> {
        let mut rows = Vec::new();
        for nodes in &extent.nodes {
            let encodes = *nodes <= extent.codec_max;
            let minutes = extent.minutes.max(MINUTES_MIN);
            let mut on_phase = |phase| on_step(Step::Begins { nodes: *nodes, phase });
            let measured = measure(extent.seed, *nodes, minutes, encodes, &mut on_phase);
            on_step(Step::Measured(&measured));
            rows.push(measured);
        }
        Self::of(extent, &rows)
    }

    /// What is written of fleets that were measured before, as `extent` says.
    ///
    /// # Errors
    ///
    /// If the picture cannot be drawn.
    pub fn of(extent: &Extent, rows: &[Measured]) -> Result<Self, Box<dyn Error>> {
        Ok(Self { page: page(extent, rows)?, picture: picture(rows)? })
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
