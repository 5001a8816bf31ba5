//! Measurements, side by side with the programs that people would use instead.

mod door;
mod nginx;
mod origin;
mod start;
mod statistics;
mod wrk;

use anyhow::{Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// What to measure, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `door`, `start`, or part of the name of benchmarks of `cargo bench`; nothing for all of these.
    name: Option<String>,
    /// A stand-in's script, `ghstub.py`, as the origin; the model origin of the tests otherwise.
    #[arg(long)]
    stub: Option<PathBuf>,
    /// How often each program is measured; they take turns.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
}

/// Measures and prints.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    if arguments.rounds == 0 {
        bail!("nothing is measured in 0 rounds");
    }
    match arguments.name.as_deref() {
        None => {
            cargo_bench(root, None)?;
            door::run(root, arguments)?;
            start::run(root, arguments)
        }
        Some("door") => door::run(root, arguments),
        Some("start") => start::run(root, arguments),
        Some(name) => cargo_bench(root, Some(name)),
    }
}

fn cargo_bench(root: &Path, name: Option<&str>) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--workspace", "--benches"]).current_dir(root);
    if let Some(name) = name {
        command.args(["--", name]);
    }
    if !command.status()?.success() {
        bail!("cargo bench failed");
    }
    Ok(())
}
