//! Benchmarks of single crates by cargo, and of the built daemon by the system tests.

use crate::cargo::{cargo, test_system};
use anyhow::Result;
use std::{ffi::OsString, path::Path};

/// What to measure, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// `door`, `start`, or part of the name of benchmarks of `cargo bench`; nothing for all of these.
    name: Option<String>,
    /// For `door` and `start`, such as `--rounds 9`; `cargo xtask bench door -- --help` lists all.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Measures and prints; returns whether every benchmark ran.
pub(crate) fn run(root: &Path, arguments: Arguments) -> Result<bool> {
    let Arguments { name, mut arguments } = arguments;
    match name.as_deref() {
        None => Ok(cargo_bench(root, None)? && test_system(root, "bench", &[])?),
        Some(daemon @ ("door" | "start")) => {
            arguments.insert(0, daemon.into());
            test_system(root, "bench", &arguments)
        }
        Some(name) => cargo_bench(root, Some(name)),
    }
}

fn cargo_bench(root: &Path, name: Option<&str>) -> Result<bool> {
    let mut command = cargo(root);
    command.args(["bench", "--workspace", "--benches"]);
    if let Some(name) = name {
        command.args(["--", name]);
    }
    Ok(command.status()?.success())
}
