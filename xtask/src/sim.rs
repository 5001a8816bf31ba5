//! The simulator, optimised.

use anyhow::Result;
use std::{ffi::OsString, path::Path, process::Command};

/// Runs the simulator with `arguments` and answers whether no rule was broken.
pub(crate) fn run(root: &Path, arguments: &[OsString]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let own =
        ["run", "--quiet", "--profile", "simulator", "--package", "cache-simulator", "--bin", "sim", "--"];
    Ok(Command::new(cargo).args(own).args(arguments).current_dir(root).status()?.success())
}
