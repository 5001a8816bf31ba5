//! Measurements, side by side with the programs that people would use instead.

mod door;
mod nginx;
mod origin;
mod start;
mod statistics;
mod wrk;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// What to measure, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; both, one after the other, unless one is chosen.
    of: Option<Of>,
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

/// Measures, and prints a table.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    if arguments.rounds == 0 {
        bail!("nothing is measured in 0 rounds");
    }
    match arguments.of {
        None => {
            door::run(root, arguments)?;
            start::run(root, arguments)
        }
        Some(Of::Door) => door::run(root, arguments),
        Some(Of::Start) => start::run(root, arguments),
    }
}

/// What of the daemon is measured.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Of {
    /// Hits through the HTTP door, compared with nginx.
    Door,
    /// The start, and memory with a few entries.
    Start,
}
