//! Nodes that end at once, and one that stops in the middle.

use super::{
    super::{fleet::FleetSetting, reader::Diet},
    world::{Outcome, World},
};
use crate::process::signal;
use anyhow::{Result, ensure};
use std::{
    thread,
    time::{Duration, Instant},
};

pub(super) fn killed(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1], Diet::Mixed, |world, reads| {
        let id = world.members[2].peer_id()?;
        let mut longest = Duration::ZERO;
        for round in 1..=KILLS {
            // Something of its own to write, so that it dies with work in hand.
            world.members[2].body(&format!("/repos/acme/widget-9/issues/{round}"))?;
            world.members[2].kill();
            let began = Instant::now();
            world.start_last()?;
            longest = longest.max(began.elapsed());
            ensure!(world.members[2].peer_id()? == id, "another id after kill {round}");
            reads.more(5)?;
        }
        let last = &world.members[2];
        let [unreadable, records] = ["disk.unreadable", "disk.records"].map(|name| last.figure(name));
        let (unreadable, records) = (unreadable?, records?);
        ensure!(unreadable == 0 && records > 0, "{unreadable} of {records} records cannot be read");
        Ok((
            format!("{KILLS} kills, {records} records kept, {unreadable} unreadable"),
            format!("started and connected with all at most {} ms after a kill", longest.as_millis()),
        ))
    })
}

pub(super) fn stopped(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1], Diet::Mixed, |world, reads| {
        let id = world.members[2].id()?;
        signal(id, "STOP")?;
        let began = Instant::now();
        let noticed = [0, 1].map(|number| world.members[number].until_connected(1));
        let noticed = noticed.into_iter().collect::<Result<Vec<_>>>().map(|_| began.elapsed());
        thread::sleep(STOPPED.saturating_sub(began.elapsed()));
        signal(id, "CONT")?;
        let (noticed, began) = (noticed?, Instant::now());
        world.members[2].body("/repos/acme/widget-1")?;
        let answered = began.elapsed();
        world.connected()?;
        let connected = began.elapsed();
        reads.more(20)?;
        Ok((
            format!("taken for gone after {} ms", noticed.as_millis()),
            format!("answers {} ms, connected {} ms after", answered.as_millis(), connected.as_millis()),
        ))
    })
}

const KILLS: u32 = 10;
const STOPPED: Duration = Duration::from_secs(10);
