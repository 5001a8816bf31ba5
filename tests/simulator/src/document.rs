//! The comparison as a page and a picture.

use crate::{
    economy::Economy,
    plot::{self, grouped},
    policies::{Measured, Policy, workload},
};
use std::{
    error::Error,
    fmt::{self, Write as _},
};

/// What is written of a comparison.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// Markdown, which shows the picture under the name that it was given.
    pub page: String,
    /// The picture, as SVG.
    pub picture: String,
}

/// What the page compares.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The seed, which decides everything random.
    pub seed: u64,
    /// Sizes of the fleets in which policies are compared.
    pub nodes: Vec<usize>,
    /// Sizes of the fleets whose economy is measured.
    pub fleets: Vec<usize>,
}

impl Document {
    /// Runs every policy in fleets of every size, and then our fleets for their economy; `on_step` is told of each
    /// result. Equal extents give equal documents.
    ///
    /// # Errors
    ///
    /// If the picture cannot be drawn.
    pub fn make(extent: &Extent, on_step: &mut dyn FnMut(&str)) -> Result<Self, Box<dyn Error>> {
        let (mut rows, mut fleets) = (Vec::new(), Vec::new());
        for nodes in &extent.nodes {
            let plan = workload(extent.seed, *nodes);
            for policy in Policy::ALL {
                let measured = policy.measure(&plan);
                on_step(&line(&measured));
                rows.push(measured);
            }
        }
        for nodes in &extent.fleets {
            let economy = Economy::measure(extent.seed, *nodes);
            on_step(&economy_line(&economy));
            fleets.push(economy);
        }
        Ok(Self { page: page(extent, &rows, &fleets)?, picture: plot::svg(&rows)? })
    }
}

fn page(extent: &Extent, rows: &[Measured], fleets: &[Economy]) -> Result<String, fmt::Error> {
    let mut page = format!("{HEAD}{COMPARISON_HEAD}");
    rows.iter().try_for_each(|row| writeln!(page, "{}", line(row)))?;
    page.push_str(READING);
    page.push_str(ECONOMY_HEAD);
    fleets.iter().try_for_each(|fleet| writeln!(page, "{}", economy_line(fleet)))?;
    let list = |numbers: &[usize]| {
        let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let (seed, nodes, fleets) = (extent.seed, list(&extent.nodes), list(&extent.fleets));
    let command = format!("cargo xtask sim policies --seed {seed} --nodes {nodes} --fleets {fleets}");
    page.push_str(&FOOT.replace("{command}", &command));
    Ok(page)
}

fn line(row: &Measured) -> String {
    let Measured { nodes, calls, calls_vain, calls_paid, calls_excess, calls_peak, .. } = *row;
    let refused = 100.0 * row.refused as f64 / row.requests.max(1) as f64;
    let outdated = format!("{} / {}", seconds(row.outdated_p50), seconds(row.outdated_p99));
    let recovery = row.recovery.map_or_else(|| "never".into(), |time| seconds(time.as_millis() as u64));
    let counts =
        [calls - calls_vain, calls_vain, calls_paid, calls_excess, calls_peak].map(grouped).join(" | ");
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let bytes = match row.bytes_membership {
        0 => megabytes(row.bytes),
        membership => format!("{} ({})", megabytes(row.bytes), megabytes(membership)),
    };
    let (name, wait) = (row.policy.name(), grouped(row.wait_p99));
    format!("| {nodes} | {name} | {counts} | {refused:.1} | {outdated} | {wait} | {bytes} | {recovery} |")
}

fn economy_line(row: &Economy) -> String {
    let Economy { nodes, calls_calm, calls_rough, announcements, announcement_bytes, .. } = row;
    let peaks = format!("{:.2} | {:.2}", row.peak_at_expiry, row.peak_at_reset);
    format!(
        "| {nodes} | {calls_calm:.3} | {calls_rough:.3} | {announcements:.1} | {announcement_bytes:.0} | {peaks} |"
    )
}

fn seconds(millis: u64) -> String {
    format!("{:.1}", millis as f64 / 1000.0)
}

/// What the page says before, between and after its tables.
const HEAD: &str = include_str!("document/head.md");
const READING: &str = include_str!("document/reading.md");
const FOOT: &str = include_str!("document/foot.md");

const COMPARISON_HEAD: &str = "\
| nodes | policy | calls | in vain | paid | excess | peak /s | refused, % | outdated by, s, p50 / p99 | wait p99, ms | MB sent | recovery, s |
|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

const ECONOMY_HEAD: &str = "\
| nodes | calls, calm | calls, rough | announcements | bytes of one by name | peak at expiry | peak at reset |
|--:|--:|--:|--:|--:|--:|--:|
";
