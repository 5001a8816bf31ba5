//! How a fleet of so many daemons behaves on one machine: one line of figures for each situation.
//!
//! Clients and figures come by unix sockets, so that what the loopback device carries is what peers say, and calls to the
//! origin. Where the system allows it, the whole runs in a network namespace of its own. Nothing here judges but that
//! clients get no error: how long anything takes depends on the machine.

mod clients;
mod daemon;
mod ephemeral;
mod machine;
mod situations;

use super::{fleet::FleetSetting, stub::Stub};
use anyhow::Result;
use daemon::Daemons;
use serde_json::{Map, Value, json};

pub(super) use machine::run_apart;

/// The figures of one situation.
#[derive(Debug, Default)]
pub(super) struct Line(Map<String, Value>);

impl Line {
    fn with(mut self, name: &str, figure: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), figure.into());
        self
    }

    /// Reads that failed or were answered with another status than 200.
    fn errors(&self) -> u64 {
        self.0.get("errors").and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Puts a fleet of `nodes` daemons into one situation after the other, then runners, and prints the figures of each, as JSON if
/// `is_json`. Leaves out the fleet, or runners of a kind, of which `is_chosen` refuses the name. Returns whether no client got an error.
pub(super) fn measure(
    setting: &FleetSetting<'_>,
    nodes: usize,
    is_json: bool,
    is_chosen: &dyn Fn(&str) -> bool,
) -> Result<bool> {
    setting.stub.reset()?;
    setting.stub.configure(&format!("latency_ms={ORIGIN_MILLIS}"))?;
    for allowance in ["core_limit", "app_limit", "anon_limit"] {
        setting.stub.configure(&format!("{allowance}=100000000"))?;
    }
    let mut errors = 0;
    let mut tell = |situation: &str, line: Line| {
        errors += line.errors();
        let transport = setting.transport;
        if is_json {
            let mut all = Map::from_iter([
                ("situation".to_owned(), json!(situation)),
                ("transport".to_owned(), json!(transport)),
                ("nodes".to_owned(), json!(nodes)),
            ]);
            all.extend(line.0);
            println!("{}", Value::Object(all));
        } else {
            let figures: Vec<String> =
                line.0.iter().map(|(name, figure)| format!("{name} {figure}")).collect();
            println!("{transport}, {nodes} nodes, {situation}: {}", figures.join(", "));
        }
    };
    if is_chosen("fleet") {
        let mut daemons = Daemons::new(setting)?;
        tell("join", situations::join(&mut daemons, nodes)?);
        tell("idle", situations::idle(&daemons)?);
        tell("kill", situations::kill(&mut daemons, setting.stub)?);
        tell("dead contact", situations::dead_contact(&mut daemons)?);
        tell("rolling restart", situations::rolling_restart(&mut daemons, setting.stub)?);
        tell("herd restart", situations::herd_restart(&mut daemons, setting.stub)?);
    }
    for (situation, are_guests) in [("runners as members", false), ("runners as guests", true)] {
        if is_chosen(situation) {
            tell(situation, ephemeral::measure(setting, are_guests)?);
        }
    }
    Ok(errors == 0)
}

/// Calls that cost quota: all but those that the origin answered with "not modified".
fn paid_calls(stub: &Stub, prefix: &str) -> Result<u64> {
    let calls = stub.calls(prefix)?;
    Ok(calls.total - calls.with_status(304))
}

/// How long the stand-in takes for an answer.
const ORIGIN_MILLIS: u64 = 50;
