//! cargo, run at the root of the workspace.

use anyhow::{Context as _, Result, ensure};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// The cargo that runs this program, or the one that the path leads to.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs the simulator with `arguments`, optimised, and returns whether no rule was broken.
pub(crate) fn simulate(root: &Path, arguments: &[OsString]) -> Result<bool> {
    run(root, &["--profile", "simulator", "--package", "cache-simulator", "--bin", "sim"], "", arguments)
}

/// Runs a command of the system tests, and returns whether all was well.
pub(crate) fn test_system(root: &Path, command: &str, arguments: &[OsString]) -> Result<bool> {
    run(root, &["--package", "cache-system-tests"], command, arguments)
}

fn run(root: &Path, program: &[&str], command: &str, arguments: &[OsString]) -> Result<bool> {
    let mut cargo = cargo(root);
    cargo.args(["run", "--quiet"]).args(program).arg("--");
    if !command.is_empty() {
        cargo.arg(command);
    }
    Ok(cargo.args(arguments).status()?.success())
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_str(&metadata(root)?)?;
    let directory =
        metadata["target_directory"].as_str().context("cargo metadata names a target directory")?;
    Ok(directory.into())
}

/// The members of the workspace as cargo reads their manifests, in JSON. Needs no network.
pub(crate) fn metadata(root: &Path) -> Result<String> {
    output(cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))
}

/// Runs `command` to its end and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("running {}", program.display()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}: {}", program.display(), output.status, stderr.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
