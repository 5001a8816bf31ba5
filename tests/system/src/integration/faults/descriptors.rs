//! A daemon that may open no more descriptors than it has, and clients that want more.

use super::{
    super::{fleet::FleetSetting, reader::Diet, usage::Usage},
    LONG,
    world::{Outcome, World},
};
use crate::process::output;
use anyhow::{Context as _, Result, ensure};
use std::{fs, net::TcpStream, process::Command, thread, time::Instant};

pub(super) fn exhausted(setting: &FleetSetting<'_>) -> Result<Outcome> {
    let mut world = World::new(setting)?;
    world.under_reads(&[0, 1], Diet::Mixed, |world, reads| {
        let (id, door) = (world.members[2].id()?, world.members[2].door);
        let open = Usage::of(id)?.descriptors;
        let limit = open + SPARE;
        output(Command::new("prlimit").args([
            "--pid",
            &id.to_string(),
            &format!("--nofile={limit}:{limit}"),
        ]))?;
        let clients: Vec<TcpStream> =
            (0..CLIENTS).map(|_| TcpStream::connect(door)).collect::<std::io::Result<_>>()?;
        let ticks = processor_ticks(id)?;
        thread::sleep(LONG);
        // The system counts a hundred ticks in a second.
        let share = (processor_ticks(id)? - ticks) as f64 / LONG.as_secs_f64();
        let held = Usage::of(id)?.descriptors;
        ensure!(held >= limit - 1, "only {held} of {limit} descriptors are in use");
        ensure!(share < PROCESSOR_PERCENT_MAX, "it spins: {share:.0} % of a processor");
        reads.more(20)?;
        drop(clients);
        let began = Instant::now();
        world.members[2].body("/repos/acme/widget-1").context("after the clients have left")?;
        let answered = began.elapsed();
        world.connected()?;
        Ok((
            format!(
                "{held} of {limit} descriptors in use by {CLIENTS} idle clients, {share:.0} % of a processor"
            ),
            format!("answers {} ms after, connected with all", answered.as_millis()),
        ))
    })
}

/// Time of the processor that a process has used, in hundredths of a second.
fn processor_ticks(id: u32) -> Result<u64> {
    let line = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name, in parentheses, may hold anything; user and system time are the twelfth and next field after it.
    let fields = line.rsplit(')').next().context("a name in parentheses")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    ticks.sum::<Result<u64, _>>().context("times are numbers")
}

/// Descriptors that it may still open when the clients come.
const SPARE: u64 = 8;
const CLIENTS: usize = 100;
/// More than that of one processor is a loop without a pause; what readers elsewhere cause is far below.
const PROCESSOR_PERCENT_MAX: f64 = 50.0;
