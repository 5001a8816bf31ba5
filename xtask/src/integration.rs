//! The daemon driven by real clients, in front of an independent stand-in for the GitHub API.
//!
//! Every check starts from a stand-in that remembers nothing and a daemon in an empty directory, and says
//! what it saw in figures. One that fails stops no other.

mod basics;
mod clients;
mod durability;
mod faults;
mod freshness;
mod gh;
mod setting;
mod stub;

use crate::process::build_release;
use anyhow::{Result, ensure};
use setting::Setting;
use std::path::Path;
use stub::Stub;

/// Runs the checks whose name contains `only`, prints a line each, and answers whether all passed.
pub(crate) fn run(root: &Path, stub: &Path, only: Option<&str>) -> Result<bool> {
    let script = &if stub.is_dir() { stub.join("ghstub.py") } else { stub.to_owned() };
    ensure!(script.is_file(), "{} is not a file", script.display());
    let daemon = build_release(root, "cache-cli", "fleet-cache")?;
    let stub = Stub::start(script)?;
    let chosen = CHECKS.iter().filter(|(name, _)| only.is_none_or(|only| name.contains(only)));
    let (mut passed, mut failed) = (0, 0);
    for (name, check) in chosen {
        match perform(*check, &stub, &daemon) {
            Ok(figures) => {
                passed += 1;
                println!("PASS {name}: {figures}");
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {name}: {error:#}");
            }
        }
    }
    println!("integration: {passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}

/// What a check does; it answers with the figures that it saw.
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
    ("stale answers stand in for an origin that fails", faults::stale_stands_in),
    ("a spent quota is bridged by stale answers", faults::spent_quota),
    ("damaged answers never reach a client or the cache", faults::damaged),
    ("failures without a stale answer are clear", faults::clear_errors),
    ("kill -9 and 1,000 entries are served without a call", durability::thousand_entries),
];
