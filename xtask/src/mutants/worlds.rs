//! Bugs below the core, in the driver, the queue, the clock and the store, and in two parts of the ledger: a test must notice
//! each, which plays all of them in one thread under seeds.

use super::{Arguments, Copy, Finding, Mutant, wait};
use crate::cargo::cargo;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A bug, whose file is named from the root on, and where it must show.
pub(super) struct Below {
    pub(super) mutant: Mutant,
    pub(super) world: World,
}

/// A test that plays several parts in one thread.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum World {
    /// `cache-core/src/ledger/worlds.rs`: the ledgers of a fleet, before an origin that counts by user.
    Ledger,
    /// `src/driver/world.rs`: the driver's loop, the engine, and what is below them.
    Driver,
    /// `cache-store/tests/world.rs`: the queue, the writer and the store.
    Store,
    /// `cache-core/src/ledger/writing/worlds.rs`: the members of a fleet that write for one payer.
    Writing,
}

impl World {
    /// How cargo is told to build it, and its name among the tests there.
    fn test(self) -> ([&'static str; 4], &'static str) {
        match self {
            Self::Driver => (
                ["--package", "fleet-cache", "--lib", "--quiet"],
                "driver::world::the_rules_hold_whatever_comes_first_and_the_loop_waits_for_nobody",
            ),
            Self::Ledger => (
                ["--package", "cache-core", "--lib", "--quiet"],
                "ledger::worlds::in_no_world_are_two_users_joined_and_what_tokens_of_one_show_every_member_knows",
            ),
            Self::Store => (
                ["--package", "cache-store", "--test", "world"],
                "the_rules_hold_whatever_comes_first_and_nobody_waits_for_anybody",
            ),
            Self::Writing => (
                ["--package", "cache-core", "--lib", "--quiet"],
                "ledger::writing::worlds::in_no_world_are_more_than_a_few_writes_too_many_begun_and_in_none_does_one_wait_for_nothing",
            ),
        }
    }
}

/// Plants the bugs one by one and runs the world that must notice each; both worlds as they are first, where `is_all`.
pub(super) fn look_for(
    wanted: &[&'static Below],
    is_all: bool,
    copy: &Copy,
    arguments: &Arguments,
) -> Result<Vec<Finding>> {
    let sound = SOUND.iter().filter(|_| is_all);
    let mut findings = Vec::new();
    for below in sound.chain(wanted.iter().copied()) {
        let program = copy.with(&below.mutant, || compile(below, copy))?;
        let finding = play(below, copy, &program)?;
        if !arguments.json {
            eprintln!("{}", finding.line());
        }
        findings.push(finding);
    }
    Ok(findings)
}

/// Builds the world's test, and returns where it is.
fn compile(below: &Below, copy: &Copy) -> Result<PathBuf> {
    let (arguments, _) = below.world.test();
    let mut command = cargo(copy.sources());
    command
        .args(["test", "--no-run", "--message-format", "json"])
        .args(arguments)
        .env("CARGO_TARGET_DIR", copy.target());
    let output = command.stderr(Stdio::null()).output()?;
    ensure!(output.status.success(), "bug {:?} does not build", below.mutant.name);
    let said = String::from_utf8_lossy(&output.stdout);
    let messages = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = messages.filter(|message| message["profile"]["test"] == true);
    let program =
        programs.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    program.context("cargo does not say where the test is")
}

/// Runs the world once. One that takes for ever counts as noticed: a request waits for the thread that waits for it.
fn play(below: &Below, copy: &Copy, program: &PathBuf) -> Result<Finding> {
    let begun = Instant::now();
    let (_, test) = below.world.test();
    let mut command = Command::new(program);
    command.args(["--exact", test]).current_dir(copy.sources()).env("RUST_BACKTRACE", "0");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let caught = match wait(&mut child, begun + WORLD_RUN_MAX)? {
        None => Some("Hangs".to_owned()),
        Some(()) => {
            let output = child.wait_with_output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(said.contains("running 1 test"), "there is no test {test:?}");
            (!output.status.success()).then(|| rule(&said))
        }
    };
    let caught = caught.map(|rule| (rule, format!("{:?} world", below.world)));
    Ok(Finding { name: below.mutant.name, caught, seconds: begun.elapsed().as_secs_f64() })
}

/// What the test said as it failed: the line behind the one that names the place.
fn rule(said: &str) -> String {
    let mut lines = said.lines().skip_while(|line| !line.contains("panicked at"));
    lines.nth(1).unwrap_or("fails").to_owned()
}

/// The worlds as they are: nothing is to be found.
static SOUND: [Below; 4] =
    [sound(World::Driver), sound(World::Ledger), sound(World::Store), sound(World::Writing)];

const fn sound(world: World) -> Below {
    let mutant = Mutant { file: "cache-core/src/lib.rs", ..super::NOTHING };
    Below { mutant, world }
}

/// Longest run of a world: several times what one without a bug takes.
const WORLD_RUN_MAX: Duration = Duration::from_secs(120);
