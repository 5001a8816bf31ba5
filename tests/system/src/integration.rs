//! The daemon driven by real clients, in front of an independent stand-in for the GitHub API.
//!
//! Every check starts from a stand-in that remembers nothing and a daemon in an empty directory, and says
//! what it saw in figures. One that fails stops no other.

mod addresses;
mod agents;
mod basics;
mod clients;
mod durability;
mod faults;

mod fleet;
mod freshness;
mod gh;
mod hosts;
mod line;
mod members;
mod network;
mod origin;
mod reader;
mod scale;
mod setting;
mod skipped;
mod soak;
mod stub;
mod usage;

use crate::process::build_release;
use anyhow::{Result, ensure};
use fleet::FleetSetting;
use setting::Setting;
use skipped::Skipped;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use stub::Stub;

/// What to check, and with what.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The stand-in's script, or the folder with `ghstub.py` in it.
    #[arg(long)]
    stub: PathBuf,
    /// Run only checks whose name contains this text; with `--fleet`, only `fleet` or one kind of `runners`.
    #[arg(long)]
    only: Option<String>,
    /// The program to check, in place of one built for it.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Check fleets of daemons over this transport, in place of one daemon alone.
    #[arg(long)]
    transport: Option<Choice>,
    /// Check what fleets do under faults, and print a table; over all transports unless one is chosen.
    #[arg(long)]
    faults: bool,
    /// Read from a fleet of three for this many seconds, and fail if a daemon grows; over libp2p unless told else.
    #[arg(long, value_name = "SECONDS", conflicts_with = "faults", value_parser = clap::value_parser!(u64).range(20..))]
    soak: Option<u64>,
    /// Measure fleets of this many daemons: joining, idle, kills, restarts, and runners; over all transports unless one is
    /// chosen.
    #[arg(long, value_name = "NODES", conflicts_with_all = ["faults", "soak"], value_parser = clap::value_parser!(u16).range(4..=1000))]
    fleet: Option<u16>,
    /// Print the figures of `--fleet` as JSON, a line each.
    #[arg(long, requires = "fleet")]
    json: bool,
    /// Run where this is, not in a network namespace of its own.
    #[arg(long, hide = true)]
    here: bool,
}

/// Runs the checks that were asked for and prints a line each. Returns whether all passed.
pub(crate) fn run(root: &Path, arguments: Arguments) -> Result<bool> {
    let Arguments { stub, only, program, transport, faults, soak, fleet, json, here } = arguments;
    let script = &if stub.is_dir() { stub.join("ghstub.py") } else { stub };
    ensure!(script.is_file(), "{} is not a file", script.display());
    let daemon = match program {
        Some(program) => program,
        None => build_release(root, "cache-cli", "fleet-cache")?,
    };
    if fleet.is_some() && !here {
        match scale::run_apart("--here")? {
            Some(ended_well) => return Ok(ended_well),
            None => eprintln!(
                "no network namespace is allowed: bytes are those of all that use the loopback device"
            ),
        }
    }
    let stub = Stub::start(script)?;
    let is_chosen = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let mut tally = Tally::default();
    let settings = |choice: Choice| {
        let names = choice.names().iter();
        names.map(|transport| FleetSetting { stub: &stub, program: &daemon, transport })
    };
    if let Some(nodes) = fleet {
        let mut ended_well = true;
        for setting in settings(transport.unwrap_or(Choice::All)) {
            ended_well &= scale::measure(&setting, nodes.into(), json, &is_chosen)?;
        }
        return Ok(ended_well);
    }
    if faults {
        for setting in settings(transport.unwrap_or(Choice::All)) {
            meet_faults(&setting, &is_chosen, &mut tally)?;
        }
    } else if let Some(seconds) = soak {
        for setting in settings(transport.unwrap_or(Choice::Libp2p)) {
            let outcome = soak::soak(&setting, Duration::from_secs(seconds));
            tally.note(&format!("{}: soak of {seconds} s", setting.transport), outcome);
        }
    } else if let Some(transport) = transport {
        for setting in settings(transport) {
            for (name, check) in fleet::CHECKS.iter().filter(|(name, _)| is_chosen(name)) {
                let name = format!("{}: {name}", setting.transport);
                tally.note(&name, stub.reset().and_then(|()| check(&setting)));
            }
        }
    } else {
        for (name, check) in CHECKS.iter().filter(|(name, _)| is_chosen(name)) {
            tally.note(name, perform(*check, &stub, &daemon));
        }
    }
    println!("integration: {} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
    Ok(tally.failed == 0 && tally.passed > 0)
}

/// Lets the chosen faults happen one after the other, and prints the table at the end.
fn meet_faults(
    setting: &FleetSetting<'_>,
    is_chosen: &dyn Fn(&str) -> bool,
    tally: &mut Tally,
) -> Result<()> {
    let mut rows = Vec::new();
    for fault in faults::FAULTS.iter().filter(|fault| is_chosen(fault.name)) {
        setting.stub.reset()?;
        let row = fault.row(setting);
        rows.extend(row.as_ref().ok().map(|row| format!("| {} | {row} |", fault.name)));
        tally.note(&format!("{}: {}", setting.transport, fault.name), row);
    }
    println!("\n{}, as a table:\n\n{}\n{}\n", setting.transport, faults::HEADINGS, rows.join("\n"));
    Ok(())
}

/// Over which transports fleets are tried.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Choice {
    /// Both, one after the other.
    All,
    /// The libp2p transport alone.
    Libp2p,
    /// The QUIC transport alone.
    Quic,
}

impl Choice {
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::All => &["libp2p", "quic"],
            Self::Libp2p => &["libp2p"],
            Self::Quic => &["quic"],
        }
    }
}

/// How many checks did what.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Not made, as this machine does not allow it.
    skipped: usize,
}

impl Tally {
    fn note(&mut self, name: &str, outcome: Result<String>) {
        match outcome {
            Ok(figures) => {
                self.passed += 1;
                println!("PASS {name}: {figures}");
            }
            Err(error) if error.is::<Skipped>() => {
                self.skipped += 1;
                println!("SKIP {name}: {error}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
    }
}

/// What a check does; it returns the figures that it saw.
type Check = fn(&Setting) -> Result<String>;

fn perform(check: Check, stub: &Stub, daemon: &Path) -> Result<String> {
    stub.reset()?;
    check(&Setting::new(stub, daemon)?)
}

const CHECKS: &[(&str, Check)] = &[
    ("gh api twice is one call", gh::twice),
    ("gh api --paginate is complete and then free", gh::paginate),
    ("gh repo view", gh::repo_view),
    ("gh issue list", gh::issue_list),
    ("gh run list", gh::run_list),
    ("curl twice over TCP is one call", basics::twice),
    ("curl pages through 230 issues, then for free", basics::paginate),
    ("a hundred cold GETs at once are one call", basics::hundred_at_once),
    ("two tokens never share a private answer", basics::private_repository),
    ("HEAD is answered from a GET", basics::head),
    ("a client's validator is answered from the cache", basics::client_validator),
    ("a write passes through and forgets", basics::write),
    ("an expired answer is revalidated for free", freshness::expiry),
    ("a changed answer is fetched anew", freshness::change),
    ("a rotated token of a named domain still gets 304", freshness::rotation),
    ("without the ETag recipe answers stay right", freshness::recipe_off),
    ("stale answers stand in for an origin that fails", origin::stale_stands_in),
    ("a spent quota is bridged by stale answers", origin::spent_quota),
    ("damaged answers never reach a client or the cache", origin::damaged),
    ("failures without a stale answer are clear", origin::clear_errors),
    ("an agent of JavaScript calls every tool", agents::node),
    ("an agent of Python calls every tool", agents::python),
    ("kill -9 and 1,000 entries are served without a call", durability::thousand_entries),
];
