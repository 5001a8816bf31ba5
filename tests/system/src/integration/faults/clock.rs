//! A clock that is set forth and back, by libfaketime in one daemon alone.

use super::{
    super::{fleet::FleetSetting, members::Member, reader::Diet},
    LONG,
    world::{Outcome, World},
};
use crate::process::output;
use anyhow::{Context as _, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

pub(super) fn stepped(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let library = library().context("no libfaketime; Debian has it in the package `faketime`")?;
    let mut world = World::new(setting)?;
    world.members[2].end()?;
    let clock = world.members[2].directory.path().join("clock");
    fs::write(&clock, "+0")?;
    launch(&mut world, &library, &clock)?;
    world.under_reads(&[0, 1, 2], Diet::Mixed, |world, reads| {
        let mut seen = Vec::new();
        for (step, is_restarted) in [("+3600", false), ("-3600", false), ("-3600", true)] {
            fs::write(&clock, step)?;
            if is_restarted {
                reads.leave_out(2);
                world.members[2].end()?;
                launch(world, &library, &clock)?;
                reads.take_in(2);
            }
            thread::sleep(LONG);
            let told = told_by(&world.members[0], &world.members[2])?;
            let peers = world.members[2].figure("connected_peers")?;
            ensure!(peers == 2, "{step}: {peers} peers are left");
            let now = reads.seen().clone();
            let when = if is_restarted { "restarted at" } else { "set to" };
            seen.push(format!("{when} {step} s: {told}, {} errors, {} outdated", now.errors, now.outdated));
        }
        reads.leave_out(2);
        world.members[2].end()?;
        fs::write(&clock, "+0")?;
        launch(world, &library, &clock)?;
        reads.take_in(2);
        Ok((seen.join("; "), "connected with all the time".to_owned()))
    })
}

/// Starts the last member with a clock that follows the file `clock`, and waits until all are connected.
fn launch(world: &mut World<'_>, library: &Path, clock: &Path) -> Result<()> {
    let contacts = world.members[0].addresses()?;
    let mut command = world.fleet.command(&world.members[2], &contacts)?;
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    world.members[2].launch(&mut command)?;
    world.connected().map(drop)
}

/// What `one` finds out about the clock of `other`, which has to be that it is another one.
fn told_by(one: &Member, other: &Member) -> Result<String> {
    let mut command = Command::new(one.program());
    command.args(["ping", &other.peer_id()?, "--cache-dir"]).arg(&one.cache_dir);
    let said = output(&mut command)?;
    let told = said.trim().rsplit("; ").next().unwrap_or_default().to_owned();
    let millis = told.split_whitespace().find_map(|word| word.parse::<u64>().ok());
    ensure!(
        millis.is_some_and(|millis| millis.abs_diff(HOUR_MILLIS) < 10_000),
        "the clock is as before: {said}"
    );
    Ok(told)
}

/// Where libfaketime is, by Debian's and others' customs.
fn library() -> Option<PathBuf> {
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
        .map(|folder| Path::new(folder).join("faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| path.exists())
}

/// By how much the clock is set, as `ping` tells it.
const HOUR_MILLIS: u64 = 3_600_000;
