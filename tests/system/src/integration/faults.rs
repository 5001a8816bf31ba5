//! A table of faults: what was seen while each lasted, and how all was well again.
//!
//! Every fault meets a fleet of three that is read from all the time. Whatever else it demands, no reader gets an
//! error, nothing is outdated beyond the policy, and no daemon's memory grows without bound.

mod clock;
mod descriptors;
mod disk;
mod ends;
mod garbage;
mod origin;
mod ports;
mod secrets;
mod world;

use super::{fleet::FleetSetting, usage::mib};
use anyhow::{Result, ensure};
use std::time::Duration;
use world::Outcome;

/// A fault and what has to hold.
pub(super) struct Fault {
    pub(super) name: &'static str,
    holds: &'static str,
    perform: fn(&FleetSetting<'_>) -> Result<Outcome>,
}

impl Fault {
    /// Lets it happen. Returns its row of the table, without the name.
    pub(super) fn row(&self, setting: &FleetSetting<'_>) -> Result<String> {
        let Outcome { seen, resident_kib: (before, most), observed, recovered } = (self.perform)(setting)?;
        ensure!(seen.errors == 0, "{seen}: {}", seen.examples.join("; "));
        ensure!(seen.outdated == 0, "{seen}, by up to {:?}", seen.oldest);
        let growth = most.saturating_sub(before);
        ensure!(growth <= GROWTH_KIB_MAX, "memory grew by {} MiB", mib(growth));
        let (before, most) = (mib(before), mib(most));
        Ok(format!("{} | {seen}; {before} to {most} MiB | {observed} | {recovered}", self.holds))
    }
}

/// The headings of [`Fault::row`].
pub(super) const HEADINGS: &str =
    "| fault | what must hold | readers and memory | observed | recovered |\n|---|---|---|---|---|";

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "a node killed ten times",
        holds: "it is back with its id and its entries, the disk is whole",
        perform: ends::killed,
    },
    Fault {
        name: "a node stopped for 10 s",
        holds: "reads elsewhere go on; it is back when it goes on",
        perform: ends::stopped,
    },
    Fault {
        name: "disk full",
        holds: "answers go on, also at that node; kept again with room",
        perform: disk::full,
    },
    Fault {
        name: "cache directory read-only",
        holds: "a clear error at start; entries are there when it is writable again",
        perform: disk::read_only,
    },
    Fault {
        name: "clock an hour ahead, an hour behind",
        holds: "nothing outdated, also at that node",
        perform: clock::stepped,
    },
    Fault {
        name: "descriptors exhausted",
        holds: "the others notice nothing; it serves when clients leave",
        perform: descriptors::exhausted,
    },
    Fault {
        name: "ports and directory in use",
        holds: "the second daemon ends with a clear error",
        perform: ports::taken,
    },
    Fault {
        name: "origin killed for 5 s",
        holds: "known answers stand in; clear errors else",
        perform: origin::killed,
    },
    Fault { name: "origin silent for 6 s", holds: "the same within its time-out", perform: origin::silent },
    Fault { name: "random bytes at the peer port", holds: "no peer is lost", perform: garbage::random },
    Fault {
        name: "lengths of 1 GiB at the peer port",
        holds: "no peer is lost",
        perform: garbage::huge_lengths,
    },
    Fault { name: "500 connections to the peer port", holds: "no peer is lost", perform: garbage::flood },
    Fault { name: "strangers who never read", holds: "no peer is lost", perform: garbage::never_reads },
    Fault {
        name: "a node with the wrong secret",
        holds: "it is kept out, and works alone",
        perform: secrets::wrong,
    },
    Fault { name: "a node without a secret", holds: "it says so, and works alone", perform: secrets::none },
    Fault {
        name: "the secret changed under load",
        holds: "no failed request, one fleet after every step",
        perform: secrets::rotated,
    },
];

/// How long a fault lasts that has no length of its own.
const LONG: Duration = Duration::from_secs(5);
/// Most that a daemon may grow by, in KiB, while readers fill it with new answers, of which it keeps 16 MiB: twice
/// that.
const GROWTH_KIB_MAX: u64 = 32 * 1024;
