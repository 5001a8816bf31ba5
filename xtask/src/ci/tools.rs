//! The steps that need more than the toolchain of the day: another target, another release, another program.

use super::{Verdict, cargo};
use serde_json::Value;
use std::{path::Path, process::Command};

/// Builds every library with each combination of its features.
pub(super) fn features(root: &Path) -> Verdict {
    let packages = match featured(root) {
        Ok(packages) => packages,
        Err(error) => {
            println!("cannot read the workspace: {error:#}");
            return Verdict::Failed;
        }
    };
    let sets = packages.iter().flat_map(|(name, features)| {
        (0..1_u32 << features.len()).map(move |set| {
            let chosen = features.iter().enumerate().filter(move |(at, _)| set & (1 << at) != 0);
            (name, chosen.map(|(_, feature)| feature.as_str()).collect::<Vec<_>>().join(","))
        })
    });
    for (name, set) in sets {
        println!("{name}: `{set}`");
        let check =
            ["clippy", "--quiet", "--lib", "--no-default-features", "--package", name, "--features", &set];
        if cargo(root, &[&check[..], &["--", "-D", "warnings"]].concat(), &[]) != Verdict::Passed {
            return Verdict::Failed;
        }
    }
    Verdict::Passed
}

/// The packages that have features, and which.
fn featured(root: &Path) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let packages = packages(root)?.into_iter().filter_map(|package| {
        let features = package["features"].as_object()?.keys().filter(|feature| *feature != "default");
        Some((package["name"].as_str()?.to_owned(), features.cloned().collect::<Vec<_>>()))
    });
    Ok(packages.filter(|(_name, features)| !features.is_empty()).collect())
}

/// What cargo says of each package of the workspace.
fn packages(root: &Path) -> anyhow::Result<Vec<Value>> {
    let mut metadata: Value = serde_json::from_str(&crate::cargo::metadata(root)?)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        other => anyhow::bail!("`cargo metadata` lists no packages but {other}"),
    }
}

/// Looks at the dashboard in a real browser.
pub(super) fn page(root: &Path) -> Verdict {
    let is_there = |names: &[&str]| names.iter().any(|name| output(root, name, &["--version"]).is_some());
    if !is_there(&["chromium", "chromium-browser", "google-chrome"]) || !is_there(&["node", "nodejs"]) {
        let get = "Chromium and Node are needed; `apt-get install chromium nodejs` gets them on Debian";
        return Verdict::Skipped(get.to_owned());
    }
    let test = ["test", "--quiet", "--package", "cache-tests", "--test", "dashboard", "--"];
    cargo(root, &[&test[..], &["--ignored", "--nocapture", "a_browser"]].concat(), &[])
}

/// Builds the engine where there is no operating system.
pub(super) fn bare_metal(root: &Path) -> Verdict {
    let library = output(root, "rustc", &["--print", "target-libdir", "--target", BARE_METAL]);
    if !library.is_some_and(|library| Path::new(library.trim()).exists()) {
        return Verdict::Skipped(format!("`rustup target add {BARE_METAL}` gets what is missing"));
    }
    cargo(root, &["check", "--quiet", "--package", "cache-core", "--target", BARE_METAL], &[])
}

/// Builds what programs embed with the oldest compiler that the manifest promises.
pub(super) fn oldest_rust(root: &Path) -> Verdict {
    let Some(version) = promised(root) else {
        println!("Cargo.toml names no rust-version");
        return Verdict::Failed;
    };
    let toolchain = format!("+{version}");
    if output(root, "rustup", &["run", &version, "cargo", "--version"]).is_none() {
        let get = format!("`rustup toolchain install {version} --profile minimal` gets what is missing");
        return Verdict::Skipped(get);
    }
    println!("{toolchain}");
    let check =
        ["run", &version, "cargo", "check", "--quiet", "--package", "fleet-cache", "--lib", "--all-features"];
    Verdict::of(has_run(Command::new("rustup").current_dir(root).args(check)))
}

fn promised(root: &Path) -> Option<String> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).ok()?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "))?;
    Some(line.trim_matches('"').to_owned())
}

/// Checks licences, sources and bans of all dependencies, and where the database can be had, advisories.
pub(super) fn licences(root: &Path) -> Verdict {
    if output(root, "cargo", &["deny", "--version"]).is_none() {
        return Verdict::Skipped("`cargo install --locked cargo-deny` gets what is missing".to_owned());
    }
    let known = cargo(root, &["deny", "--offline", "check", "bans", "licenses", "sources"], &[]);
    if known != Verdict::Passed || !has_run(crate::cargo::cargo(root).args(["deny", "fetch", "db"])) {
        println!("advisories were not looked at: their database cannot be had");
        return known;
    }
    cargo(root, &["deny", "check", "advisories"], &[])
}

/// Compares what is public with the last release.
pub(super) fn semver(root: &Path) -> Verdict {
    let Some(release) = output(root, "git", &["describe", "--tags", "--abbrev=0", "--match", "v*"]) else {
        return Verdict::Skipped("there is no release to compare with".to_owned());
    };
    if output(root, "cargo", &["semver-checks", "--version"]).is_none() {
        return Verdict::Skipped(
            "`cargo install --locked cargo-semver-checks` gets what is missing".to_owned(),
        );
    }
    cargo(root, &["semver-checks", "--package", "fleet-cache", "--baseline-rev", release.trim()], &[])
}

fn has_run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// What `program` prints; `None` if it is missing or fails.
fn output(root: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = match program {
        "cargo" => crate::cargo::cargo(root),
        other => Command::new(other),
    };
    crate::cargo::output(command.current_dir(root).args(arguments)).ok()
}

/// Has no operating system, and 64-bit atomics, in which entries count.
const BARE_METAL: &str = "aarch64-unknown-none";
