//! How long a start takes until the door is open, and how much memory 33 entries take.

use super::{
    Arguments,
    origin::{self, HEADERS},
    statistics::Sample,
};
use crate::{process::build_release, table::figures, web};
use anyhow::Result;
use std::{path::Path, time::Instant};

/// Measures and prints the table.
pub(super) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let program = build_release(root, "cache-cli", "fleet-cache")?;
    let (_origin, origin_address) = origin::start(root, arguments)?;
    let mut first_ms = Sample::default();
    let mut again_ms = Sample::default();
    let mut resident_mib = Sample::default();
    for _round in 0..arguments.rounds {
        let directory = tempfile::tempdir()?;
        {
            let start = Instant::now();
            let (mut daemon, address) = origin::start_daemon(&program, origin_address, directory.path())?;
            daemon.wait_ready(address)?;
            first_ms.add(milliseconds(start));
            for number in 0..ENTRIES {
                web::get(address, &format!("/repos/acme/widget-{number}"), HEADERS)?;
            }
            resident_mib.add(kib_as_mib(daemon.resident_kib()?));
        }
        let start = Instant::now();
        let (mut daemon, address) = origin::start_daemon(&program, origin_address, directory.path())?;
        daemon.wait_ready(address)?;
        again_ms.add(milliseconds(start));
    }
    let mut table = figures(["figure", "least / middle / greatest", "bar"]);
    table.add_row(["first start to listening, ms".to_owned(), first_ms.spread(1), "100".to_owned()]);
    table.add_row([format!("start with {ENTRIES} entries, ms"), again_ms.spread(1), "100".to_owned()]);
    table.add_row([format!("resident with {ENTRIES} entries, MiB"), resident_mib.spread(1), "20".to_owned()]);
    println!("start: {} rounds\n{}", arguments.rounds, table.trim_fmt());
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn kib_as_mib(kib: u64) -> f64 {
    // No process has so many KiB that a float would not hold them.
    u32::try_from(kib).map_or(f64::INFINITY, |kib| f64::from(kib) / 1024.0)
}

/// As many as a small site's dashboards ask for; the memory bar is stated for this number.
const ENTRIES: u32 = 33;
