//! What every fault meets: a fleet of three, read from all the time.

use super::super::{
    fleet::FleetSetting,
    members::{Fleet, Member, until},
    reader::{Diet, LIFETIME, Reads, Seen, reading},
    stub::Stub,
    usage::Usage,
};
use anyhow::{Context as _, Result};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// What came of a fault.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) seen: Seen,
    /// The largest node's memory before, and the most of any meanwhile.
    pub(super) resident_kib: (u64, u64),
    pub(super) observed: String,
    pub(super) recovered: String,
}

/// The fleet and its origin.
pub(super) struct World<'a> {
    pub(super) stub: &'a Stub,
    pub(super) fleet: Fleet<'a>,
    pub(super) members: Vec<Member>,
}

impl<'a> World<'a> {
    /// Three members, all connected.
    pub(super) fn new(setting: &FleetSetting<'a>) -> Result<Self> {
        Self::of_origin(setting, setting.stub)
    }

    /// The same before an origin of its own.
    pub(super) fn of_origin(setting: &FleetSetting<'a>, stub: &'a Stub) -> Result<Self> {
        stub.configure("core_limit=1000000")?;
        let mut fleet = Fleet::new(setting.program, stub.url(), setting.transport)?;
        fleet.arguments = arguments();
        let members = fleet.grown(3)?;
        Ok(Self { stub, fleet, members })
    }

    /// Does `meanwhile` while the members of these numbers are read from.
    pub(super) fn under_reads(
        &mut self,
        numbers: &[usize],
        diet: Diet,
        meanwhile: impl FnOnce(&mut Self, &Reads) -> Result<(String, String)>,
    ) -> Result<Outcome> {
        let doors: Vec<SocketAddr> = numbers.iter().map(|number| self.members[*number].door).collect();
        let ids = self.members.iter().map(Member::id).collect::<Result<Vec<u32>>>()?;
        let stub = self.stub;
        let is_over = &AtomicBool::new(false);
        let gauge = move || {
            let mut sizes = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                // A daemon that the fault has ended is of no interest any more.
                let usages = ids.iter().filter_map(|id| Usage::of(*id).ok());
                sizes.extend(usages.map(|usage| usage.resident_kib).max());
                thread::sleep(GAUGE_PERIOD);
            }
            let most = sizes.iter().max().copied();
            (sizes.first().copied().unwrap_or_default(), most.unwrap_or_default())
        };
        thread::scope(|scope| {
            let gauge = scope.spawn(gauge);
            let outcome = reading(stub, &doors, diet, READ_PERIOD, |reads| {
                reads.more(WARM_UP_READS)?;
                let texts = meanwhile(self, reads)?;
                reads.more(WARM_UP_READS)?;
                Ok(texts)
            });
            is_over.store(true, Ordering::Relaxed);
            let resident_kib = gauge.join().expect("the gauge does not panic");
            let ((observed, recovered), seen) = outcome?;
            Ok(Outcome { seen, resident_kib, observed, recovered })
        })
    }

    /// Starts the last member again by what is usual, and waits until all are connected.
    pub(super) fn start_last(&mut self) -> Result<Duration> {
        let contacts = self.members[0].addresses()?;
        let last = self.members.last_mut().context("there are three")?;
        self.fleet.start(last, &contacts)?;
        self.connected()
    }

    /// Waits until all members are connected with all. Returns how long that took.
    pub(super) fn connected(&self) -> Result<Duration> {
        let others = self.members.len() as u64 - 1;
        let all = || {
            for member in &self.members {
                if member.figure("connected_peers")? != others {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        until(all).context("the fleet is not whole again")
    }
}

/// Settings of the members in addition to those of every fleet. Memory is small, so that answers kept are no growth.
pub(super) fn arguments() -> Vec<String> {
    let lifetime = LIFETIME.as_secs();
    let route = format!("/**={lifetime}");
    ["--default-ttl", &lifetime.to_string(), "--route", &route, "--origin-timeout", "2"]
        .map(str::to_owned)
        .into()
}

/// Twenty reads in a second at every door.
const READ_PERIOD: Duration = Duration::from_millis(50);
/// Reads before a fault begins and after it has ended.
const WARM_UP_READS: u64 = 60;
const GAUGE_PERIOD: Duration = Duration::from_millis(100);
