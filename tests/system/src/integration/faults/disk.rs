//! A disk without room, and one that cannot be written to. Needs root and `mount`.

use super::{
    super::{
        fleet::FleetSetting,
        members::{Member, until},
        reader::Diet,
    },
    world::{Outcome, World},
};
use crate::process::{Background, output};
use anyhow::{Context as _, Result, ensure};
use std::{fs, path::PathBuf, process::Command, time::Instant};

pub(super) fn full(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    let place = world.members[2].cache_dir.clone();
    world.members[2].end()?;
    fs::remove_dir_all(&place)?;
    fs::create_dir_all(&place)?;
    let _disk = Mount::new(&["-t", "tmpfs", "-o", "size=800k,mode=700", "tmpfs"], place)?;
    world.start_last()?;
    world.under_reads(&[0, 1, 2], Diet::Mixed, |world, reads| {
        let last = &world.members[2];
        let mut pages = 0;
        while last.figure("disk.failures")? == 0 {
            ensure!(pages < PAGES_MAX, "{pages} long pages fit a disk of 800 KiB");
            last.body(&format!("/repos/acme/widget-{}/issues?per_page=100", 50 + pages))?;
            pages += 1;
        }
        let at_once = last.body("/repos/acme/widget-1")?.len();
        // New answers go on while nothing can be kept.
        reads.more(100)?;
        let failures = last.figure("disk.failures")?;
        let began = Instant::now();
        output(Command::new("mount").args(["-o", "remount,size=64m"]).arg(&last.cache_dir))?;
        writes_again(last, began.elapsed().as_millis() as u64)?;
        let kept_after = began.elapsed();
        reads.leave_out(2);
        world.members[2].kill();
        world.start_last()?;
        reads.take_in(2);
        let last = &world.members[2];
        let [unreadable, records] = [last.figure("disk.unreadable")?, last.figure("disk.records")?];
        ensure!(unreadable == 0, "{unreadable} of {records} records cannot be read after a restart");
        Ok((
            format!(
                "full after {pages} long pages, {failures} writes failed, {at_once} bytes served meanwhile"
            ),
            format!("kept again after {} ms; {records} records after kill -9", kept_after.as_millis()),
        ))
    })
}

/// Waits until `member` keeps what is new on its disk.
fn writes_again(member: &Member, first: u64) -> Result<()> {
    let before = member.figure("disk.records")?;
    let mut number = 1000 + first;
    until(|| {
        number += 1;
        member.body(&format!("/repos/acme/widget-{number}"))?;
        Ok(member.figure("disk.records")? > before)
    })
    .context("nothing is kept though there is room again")
    .map(drop)
}

pub(super) fn read_only(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1], Diet::Mixed, |world, reads| {
        until(|| Ok(world.members[2].figure("disk.records")? > 0)).context("nothing on its disk")?;
        world.members[2].end()?;
        let place = world.members[2].cache_dir.clone();
        let path = place.to_str().context("a plain path")?.to_owned();
        let disk = Mount::new(&["--bind", &path], place)?;
        output(Command::new("mount").args(["-o", "remount,ro,bind", &path]))?;
        let contacts = world.members[0].addresses()?;
        let mut command = world.fleet.command(&world.members[2], &contacts)?;
        let status = Background::start("fleet-cache", &mut command)?.wait_end();
        let said = fs::read_to_string(world.members[2].log())?;
        reads.more(20)?;
        drop(disk);
        let status = status.with_context(|| format!("it runs without its directory: {said}"))?;
        ensure!(!status.success() && said.contains(&path), "{status}, and no clear error: {said}");
        let joined = world.start_last()?;
        let records = world.members[2].figure("disk.records")?;
        ensure!(records > 0, "its entries are lost");
        let reason = said.lines().last().unwrap_or_default().replace(&path, "DIR");
        Ok((
            format!("{status}: {}", reason.replace('|', "/")),
            format!("connected {} ms after its start, with {records} records", joined.as_millis()),
        ))
    })
}

/// Something mounted for the check; dropping it takes it away.
struct Mount {
    place: PathBuf,
}

impl Mount {
    fn new(arguments: &[&str], place: PathBuf) -> Result<Self> {
        output(Command::new("mount").args(arguments).arg(&place))?;
        Ok(Self { place })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, as the daemon inside may not have ended yet.
        if let Err(error) = output(Command::new("umount").arg("--lazy").arg(&self.place)) {
            eprintln!("left behind: {error:#}");
        }
    }
}

/// Long pages are about 5 kB compressed, so that 800 KiB hold less than half as many.
const PAGES_MAX: u32 = 400;
