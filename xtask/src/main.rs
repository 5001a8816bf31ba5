//! Commands for people who work on Fleet Cache: `cargo xtask --help`.
//!
//! Depends on none of the crates it looks after, so that it runs when they do not compile.

mod bench;
mod cargo;
mod ci;
mod conformance;
mod layers;
mod mutants;
mod operations;
mod registry;
mod rust_code;
mod sources;
mod tidy;
mod upgrade;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{ffi::OsString, process::ExitCode};

/// What to do for the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure: `door` and `start` against other programs, any other name as a group of `cargo bench`.
    Bench(bench::Arguments),
    /// Run every check that needs no other program, and list all that fail.
    Ci {
        /// Only these, such as `features`. Default: all.
        steps: Vec<String>,
    },
    /// Judge the daemon with `--profile rfc9111` by a public suite for HTTP caches, from the npm registry.
    Conformance(conformance::Arguments),
    /// Drive the daemon with real clients in front of a stand-in for the GitHub API.
    #[command(disable_help_flag = true)]
    Integration {
        /// Handed on to `tests/system`, such as `--stub PATH`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check that no crate uses what its place in the architecture forbids.
    Layers,
    /// Plant bugs in the core, one at a time, and see whether the simulator notices each.
    Mutants(mutants::Arguments),
    /// List the operations of GitHub's API from its published description, for the tests that walk them.
    Operations(operations::Arguments),
    /// Package the crates as a registry has them, under its names, and build each from its package.
    Registry(registry::Arguments),
    /// Run whole fleets on virtual time; `cargo xtask sim --help` lists what can be set.
    #[command(disable_help_flag = true)]
    Sim {
        /// Handed on to the simulator, such as `--seed 1 --seeds 1000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// List every fault of style.
    Tidy,
    /// Replace the daemons of a fleet one by one by those of this working tree, under load.
    Upgrade(upgrade::Arguments),
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
    let root = sources::workspace_root();
    match command {
        Command::Bench(arguments) => bench::run(&root, arguments),
        Command::Ci { steps } => ci::run(&root, &steps),
        Command::Conformance(arguments) => conformance::run(&root, &arguments),
        Command::Integration { arguments } => cargo::test_system(&root, "integration", &arguments),
        Command::Layers => layers::run(&root),
        Command::Mutants(arguments) => mutants::run(&root, &arguments),
        Command::Operations(arguments) => operations::run(&root, &arguments).map(|()| true),
        Command::Registry(arguments) => registry::run(&root, &arguments),
        Command::Sim { arguments } => cargo::simulate(&root, &arguments),
        Command::Tidy => tidy::run(&root),
        Command::Upgrade(arguments) => upgrade::run(&root, &arguments),
    }
}
