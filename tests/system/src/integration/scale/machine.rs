//! What the system tells of processes and of its loopback device, and a network namespace to have that device alone.

use crate::process::output;
use anyhow::{Context as _, Result};
use std::{env, fs, process::Command, time::Duration};

/// Runs this program again in a network namespace of its own, with `further` arguments behind its own. Returns whether it
/// ended well; `None` if the system allows no such namespace.
pub(crate) fn run_apart(further: &str) -> Result<Option<bool>> {
    if output(Command::new("unshare").args(["-n", "ip", "link", "set", "lo", "up"])).is_err() {
        return Ok(None);
    }
    let own = env::current_exe()?;
    let script = "ip link set lo up && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", script]).arg(own).args(env::args_os().skip(1)).arg(further);
    Ok(Some(command.status().context("running in a namespace")?.success()))
}

/// Processor time that process `id` has used.
pub(super) fn processor_time(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name may hold spaces and parentheses; what follows is numbers.
    let (_name, figures) = stat.rsplit_once(')').context("a status has a name")?;
    let figures: Vec<&str> = figures.split_whitespace().collect();
    let ticks = |at: usize| figures.get(at).and_then(|figure| figure.parse::<u64>().ok());
    let ticks = ticks(USER_TIME).zip(ticks(SYSTEM_TIME)).context("a status has times")?;
    Ok(Duration::from_millis((ticks.0 + ticks.1) * 1000 / TICKS_A_SECOND))
}

/// Bytes and packets that the loopback device has carried.
pub(super) fn loopback() -> Result<(u64, u64)> {
    let devices = fs::read_to_string("/proc/net/dev")?;
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:"));
    let figures: Vec<u64> =
        line.unwrap_or_default().split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
    let sent = figures.get(8).zip(figures.get(9)).context("there is a loopback device")?;
    Ok((*sent.0, *sent.1))
}

/// Places behind the name in `/proc/ID/stat` (proc(5), fields 14 and 15).
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
/// What Linux counts processor time in, on all its platforms.
const TICKS_A_SECOND: u64 = 100;
