//! Nodes with another secret and with none, and a fleet that changes its own.

use super::{
    super::{fleet::FleetSetting, members::Fleet, reader::Diet},
    LONG,
    world::{Outcome, World},
};
use anyhow::{Context as _, Result, ensure};
use std::{thread, time::Instant};

pub(super) fn wrong(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let other = Fleet::new(setting.program, setting.stub.url(), setting.transport)?.secret;
    outsider(setting, Some(&other))
}

pub(super) fn none(setting: &FleetSetting<'_>) -> Result<Outcome> {
    outsider(setting, None)
}

/// A fourth node that knows all contacts, and not the secret; then it is given it.
fn outsider(setting: &FleetSetting<'_>, secret: Option<&str>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1, 2], Diet::Mixed, |world, reads| {
        let mut contacts = Vec::new();
        for member in &world.members {
            contacts.extend(member.addresses()?);
        }
        let mut fourth = world.fleet.member()?;
        let mut command = world.fleet.command(&fourth, &contacts)?;
        match secret {
            Some(secret) => command.env("CACHE_P2P_SHARED_SECRET", secret),
            None => command.env_remove("CACHE_P2P_SHARED_SECRET"),
        };
        fourth.launch(&mut command)?;
        let path = "/repos/acme/widget-7000";
        world.members[0].body(path)?;
        let before = world.stub.calls(path)?.total;
        fourth.body(path)?;
        let own = world.stub.calls(path)?.total - before;
        ensure!(own == 1, "{own} calls of its own for what the fleet has");
        thread::sleep(LONG);
        let peers = fourth.figure("connected_peers")?;
        ensure!(peers == 0, "it is connected with {peers}");
        world.connected().context("the fleet without it")?;
        let sharing = fourth.stats()?["sharing"].as_str().unwrap_or_default().to_owned();
        ensure!(
            secret.is_some() || sharing.starts_with("off"),
            "it does not say that it is alone: {sharing}"
        );
        let refused: u64 =
            world.members.iter().map(|member| member.figure("aggregate.refused")).sum::<Result<u64>>()?;
        reads.more(20)?;
        fourth.end()?;
        let began = Instant::now();
        world.fleet.start(&mut fourth, &contacts)?;
        world.members.push(fourth);
        world.connected().context("with the right secret")?;
        Ok((
            format!("0 peers, {own} call of its own, sharing {sharing}, refused {refused} times"),
            format!("joined {} ms after a start with the secret", began.elapsed().as_millis()),
        ))
    })
}

pub(super) fn rotated(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    let (old, new) = (
        world.fleet.secret.clone(),
        Fleet::new(setting.program, setting.stub.url(), setting.transport)?.secret,
    );
    world.under_reads(&[0, 1, 2], Diet::Mixed, |world, reads| {
        let (mut starts, mut slowest) = (0, 0);
        for (shared, accepted) in [(&old, Some(&new)), (&new, Some(&old)), (&new, None)] {
            for number in 0..world.members.len() {
                reads.leave_out(number);
                world.members[number].end()?;
                let contacts = world.members[(number + 1) % 3].addresses()?;
                let mut command = world.fleet.command(&world.members[number], &contacts)?;
                command.env("CACHE_P2P_SHARED_SECRET", shared);
                if let Some(accepted) = accepted {
                    command.env("CACHE_P2P_ACCEPTED_SECRETS", accepted);
                }
                let began = Instant::now();
                world.members[number].launch(&mut command)?;
                reads.take_in(number);
                world.connected().with_context(|| format!("after start {starts}"))?;
                slowest = slowest.max(began.elapsed().as_millis());
                starts += 1;
            }
        }
        // What one calls for, all still share.
        let path = "/repos/acme/widget-8000";
        for member in &world.members {
            member.body(path)?;
        }
        let calls = world.stub.calls(path)?.total;
        ensure!(calls == 1, "{calls} calls by three nodes at the end");
        Ok((
            format!("{starts} restarts in three steps, {calls} call by three nodes at the end"),
            format!("one fleet at most {slowest} ms after each start"),
        ))
    })
}
