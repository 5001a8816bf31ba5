//! A fleet of an earlier revision, upgraded node by node under load: builds that revision, and runs the test with it.

use crate::cargo;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What to upgrade from.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Arguments {
    /// A revision, such as a tag, which is built first.
    #[arg(long, value_name = "REVISION")]
    from: Option<String>,
    /// A program that is built already.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Runs the test, and returns whether it passed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<bool> {
    let program = match (&arguments.from, &arguments.program) {
        (Some(revision), _) => build(root, revision)?,
        (None, Some(program)) => fs::canonicalize(program)
            .with_context(|| format!("--program names {}, which is not there", program.display()))?,
        (None, None) => unreachable!("the command line demands one of them"),
    };
    let mut test = cargo::cargo(root);
    test.args(["test", "--package", "cache-tests", "--test", "fleet_daemons", "--"]);
    test.args(["--ignored", "--nocapture", "upgrading::"]);
    test.env("FLEET_CACHE_PREVIOUS", program);
    Ok(test.status()?.success())
}

/// Builds the daemon of `revision` from a copy below the target directory, and returns where it is.
fn build(root: &Path, revision: &str) -> Result<PathBuf> {
    let commit = format!("{revision}^{{commit}}");
    let mut parse = git(root, &["rev-parse", "--verify", "--quiet", "--short=12", "--end-of-options"]);
    let commit =
        cargo::output(parse.arg(commit)).with_context(|| format!("--from: git knows no {revision}"))?;
    let place = cargo::target_directory(root)?.join("upgrade");
    let copy = place.join(commit.trim());
    if !copy.exists() {
        extract(root, commit.trim(), &copy)?;
    }
    // One for all revisions: most of what they depend on is the same.
    let built = place.join("target");
    let mut build = cargo::cargo(&copy);
    build.args(["build", "--locked", "--package", "cache-cli", "--bin", PROGRAM, "--target-dir"]).arg(&built);
    ensure!(build.status()?.success(), "{revision} does not build");
    Ok(built.join("debug").join(PROGRAM))
}

/// Writes the files of `commit` to `copy`, all or none.
fn extract(root: &Path, commit: &str, copy: &Path) -> Result<()> {
    let part = copy.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    let archive = part.join("archive.tar");
    cargo::output(git(root, &["archive", "--format=tar", "--output"]).arg(&archive).arg(commit))?;
    cargo::output(Command::new("tar").arg("-xf").arg(&archive).current_dir(&part))?;
    fs::remove_file(&archive)?;
    Ok(fs::rename(&part, copy)?)
}

fn git(root: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.current_dir(root).args(arguments);
    git
}

/// The daemon, as users know it.
const PROGRAM: &str = "fleet-cache";
