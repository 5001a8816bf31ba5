//! Drives the built daemon from outside: `cargo xtask integration` and `cargo xtask bench` run this program.
//!
//! Owns every program that runs meanwhile: the daemon, the origin behind it, and the clients in front of it. Depends on
//! none of the crates it tests, so that it measures what users run and builds without them.

mod bench;
mod integration;
mod process;
mod table;
mod web;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// What to do with the daemon.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure the daemon beside other programs.
    Bench(bench::Arguments),
    /// Drive the daemon with real clients in front of a stand-in for the GitHub API.
    Integration(integration::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what was asked, and returns whether all went well.
fn run(command: Command) -> Result<bool> {
    let root = workspace_root()?;
    match command {
        Command::Bench(arguments) => bench::run(&root, &arguments).map(|()| true),
        Command::Integration(arguments) => integration::run(&root, arguments),
    }
}

/// The root of the workspace that this program was built from.
fn workspace_root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = own.ancestors().nth(2).context("this crate is in `tests/system` of a workspace")?;
    Ok(root.to_owned())
}
