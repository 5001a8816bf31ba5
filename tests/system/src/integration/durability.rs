//! What survives a daemon that is killed.

use super::setting::Setting;
use anyhow::{Result, ensure};
use std::time::Instant;

const ENTRIES: usize = 1000;
const ARGUMENTS: &[&str] = &["--durability", "immediate", "--default-ttl", "3600", "--max-entries", "2000"];

pub(super) fn thousand_entries(setting: &Setting) -> Result<String> {
    setting.start(ARGUMENTS)?;
    let curl = setting.curl("ghp_alice");
    let paths: Vec<String> = (0..ENTRIES).map(|number| format!("/repos/acme/widget-{number}")).collect();
    let before = curl.get_all(&paths, 16)?;
    let filled = setting.stub.calls("/repos")?.total;
    // Entries are written behind their answers, so the last ones are durable a moment later.
    setting.outlive(1);
    setting.kill();
    setting.stub.reset_counts()?;
    let start = Instant::now();
    setting.start(ARGUMENTS)?;
    let listening = start.elapsed();
    let after = curl.get_all(&paths, 16)?;
    let calls = setting.stub.calls("/")?.total;
    ensure!(before == after, "bodies differ after the restart");
    ensure!(calls == 0, "{calls} calls after the restart");
    let listening_ms = listening.as_secs_f64() * 1000.0;
    Ok(format!(
        "{filled} calls, kill -9, {ENTRIES} bodies with {calls} calls, listening after {listening_ms:.1} ms"
    ))
}
