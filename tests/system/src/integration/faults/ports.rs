//! A second daemon that wants what the first has.

use super::{
    super::{fleet::FleetSetting, reader::Diet},
    world::{Outcome, World},
};
use crate::process::Background;
use anyhow::{Result, ensure};
use std::{fs, time::Instant};

pub(super) fn taken(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1, 2], Diet::Mixed, |world, reads| {
        let first = &world.members[0];
        let mut observed = Vec::new();
        for what in [What::PeerPort, What::Door, What::CacheDirectory] {
            let mut second = world.fleet.member()?;
            let (code, named) = match what {
                What::PeerPort => {
                    second.listen.clone_from(&first.listen);
                    (6, port(&first.listen))
                }
                What::Door => {
                    second.door = first.door;
                    (4, first.door.port().to_string())
                }
                What::CacheDirectory => {
                    second.cache_dir.clone_from(&first.cache_dir);
                    (4, first.cache_dir.display().to_string())
                }
            };
            let began = Instant::now();
            let mut command = world.fleet.command(&second, &[])?;
            let status = Background::start("fleet-cache", &mut command)?.wait_end()?;
            let said = fs::read_to_string(second.log())?;
            ensure!(status.code() == Some(code), "{what:?}: {status} in place of {code}: {said}");
            ensure!(said.contains(&named), "{what:?}: no clear error: {said}");
            observed.push(format!("{what:?}: code {code} after {} ms", began.elapsed().as_millis()));
        }
        reads.more(20)?;
        let connected = world.connected()?;
        Ok((observed.join(", "), format!("nothing to recover; whole after {} ms", connected.as_millis())))
    })
}

/// What two daemons cannot have both.
#[derive(Clone, Copy, Debug)]
enum What {
    CacheDirectory,
    Door,
    PeerPort,
}

/// The number of the port in a multiaddress such as `/ip4/127.0.0.1/tcp/1`.
fn port(listen: &str) -> String {
    listen.split('/').nth(4).unwrap_or(listen).to_owned()
}
