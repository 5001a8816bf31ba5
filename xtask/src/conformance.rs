//! The daemon under a public suite for HTTP caches: `http-cache-tests` from the npm registry, an edition of
//! <https://github.com/http-tests/cache-tests>.
//!
//! Starts the suite's own server and the daemon with `--profile rfc9111` before it, runs the suite's own client, and compares
//! what comes of each test with what came of it before. Needs node and npm.

mod baseline;
mod run;
mod verdict;

use anyhow::{Context as _, Result, bail};
use baseline::Baseline;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use verdict::{Judged, Kind};

/// What to judge, and what to do with it.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write what came of each test to the baseline and the table, in place of what came before.
    #[arg(long)]
    bless: bool,
    /// Where the suite is unpacked already. Default: it is got by npm, below the target directory.
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,
}

/// Runs the suite, and returns whether no test has become worse.
///
/// # Errors
///
/// When node, npm or the suite cannot be had, saying which, or when the suite does not run to its end.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let suite = match &arguments.suite {
        Some(suite) => fs::canonicalize(suite).with_context(|| format!("--suite {}", suite.display()))?,
        None => fetch(root)?,
    };
    let tests = run::tests(&suite)?;
    let results = run::results(root, &suite)?;
    let judged = verdict::judge(&tests, &results)?;
    let path = root.join(BASELINE);
    let before = Baseline::read(&path)?;
    let changes = before.changes(&judged);
    for change in &changes {
        println!("{change}");
    }
    print!("{}", baseline::table(&judged));
    for kind in [Kind::Required, Kind::Optimal, Kind::Check] {
        println!("{kind}: {}", tally(&judged, kind));
    }
    if arguments.bless {
        fs::write(&path, baseline::text(&judged))?;
        baseline::write_table(&root.join(PAGE), &judged)?;
        println!("{BASELINE} and {PAGE} say so now");
        return Ok(true);
    }
    let worse = changes.iter().filter(|change| change.is_worse()).count();
    println!("{} of {} tests differ from {BASELINE}, {worse} for the worse", changes.len(), judged.len());
    if changes.len() > worse {
        println!("`cargo xtask conformance --bless` takes over what is better");
    }
    Ok(worse == 0)
}

fn tally(judged: &[Judged], kind: Kind) -> String {
    let of_kind = judged.iter().filter(|judged| judged.kind == kind);
    let passed = of_kind.clone().filter(|judged| judged.verdict.is_passed()).count();
    format!("{passed} of {}", of_kind.count())
}

/// Gets the suite, unless it is there, and returns where it is.
fn fetch(root: &Path) -> Result<PathBuf> {
    let place = crate::cargo::target_directory(root)?.join("conformance");
    let suite = place.join("node_modules").join(PACKAGE);
    if suite.join("cli.mjs").exists() {
        return Ok(suite);
    }
    fs::create_dir_all(&place)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(&place);
    npm.arg(format!("{PACKAGE}@{EDITION}"));
    if let Err(error) = crate::cargo::output(&mut npm) {
        bail!(
            "not run: {PACKAGE} {EDITION} cannot be had by npm ({error:#}); node and npm are needed, and once a registry: \
             `apt-get install nodejs npm`, or give --suite DIR"
        );
    }
    Ok(suite)
}

/// What came of each test, as far as it is known and accounted for.
const BASELINE: &str = "xtask/conformance/baseline.txt";
/// Where users read of it.
const PAGE: &str = "docs/conformance.md";
const PACKAGE: &str = "http-cache-tests";
/// The only edition on the registry.
const EDITION: &str = "0.4.5";
