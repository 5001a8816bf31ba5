//! An origin that fails, with and without something stale to serve in its place.

use super::{clients::Reply, setting::Setting};
use anyhow::{Context as _, Result, ensure};

const REPOSITORY: &str = "/repos/acme/widget-1";
const SHORT: &[&str] = &["--default-ttl", "1", "--route", "/repos/**=1"];

/// Faults that spoil the answer on its way.
const DAMAGING: &[&str] = &["truncate", "badgzip", "chunked_cut", "garbage", "reset", "reset_mid"];

pub(super) fn stale_stands_in(setting: &Setting) -> Result<String> {
    setting.start(SHORT)?;
    let curl = setting.curl("ghp_alice");
    let fresh = curl.get(REPOSITORY)?;
    let mut marks = Vec::new();
    for fault in DAMAGING.iter().chain(&["status&status=500", "hang"]) {
        setting.stub.mutate("acme/widget-1")?;
        setting.outlive(1);
        setting.stub.fault(fault)?;
        let stale = curl.get(REPOSITORY)?;
        ensure!(stale.status == 200, "{fault}: answered with {}", stale.status);
        ensure!(stale.body == fresh.body, "{fault}: not the body that was kept");
        let mark = stale.header("cache-status").to_owned();
        ensure!(!mark.is_empty(), "{fault}: served without a mark");
        marks.push(mark);
    }
    setting.stub.clear_faults()?;
    Ok(format!("{} faults bridged, such as {}", marks.len(), marks[0]))
}

pub(super) fn spent_quota(setting: &Setting) -> Result<String> {
    setting.start(SHORT)?;
    let curl = setting.curl("ghp_alice");
    let fresh = curl.get(REPOSITORY)?;
    setting.stub.mutate("acme/widget-1")?;
    setting.stub.configure("core_limit=0")?;
    setting.outlive(1);
    let stale = curl.get(REPOSITORY)?;
    ensure!(stale.status == 200 && stale.body == fresh.body, "answered with {}", stale.status);
    setting.stub.reset_counts()?;
    let other = curl.get("/repos/acme/widget-2")?;
    ensure!(matches!(other.status, 403 | 429 | 503), "nothing kept, yet answered with {}", other.status);
    let calls = setting.stub.calls("/repos/acme")?.total;
    Ok(format!("stale: {}; then {} after {calls} more calls", stale.header("cache-status"), other.status))
}

pub(super) fn damaged(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let curl = setting.curl("ghp_alice");
    for (number, fault) in DAMAGING.iter().enumerate() {
        let path = format!("/repos/acme/widget-{number}");
        setting.stub.fault(fault)?;
        // curl reports a broken transfer as an error, which is as good as a 502.
        if let Ok(reply) = curl.send(&path, &["--compressed"]) {
            expect_clear(&reply, &[502, 504]).with_context(|| (*fault).to_owned())?;
        }
        setting.stub.clear_faults()?;
        let healed = curl.get(&path)?;
        ensure!(healed.status == 200, "{fault}: kept, the next answer is {}", healed.status);
        let name = healed.json()?["full_name"].clone();
        ensure!(name == format!("acme/widget-{number}"), "{fault}: {name} in place of {path}");
    }
    Ok(format!("{} ways to damage an answer, none kept", DAMAGING.len()))
}

pub(super) fn clear_errors(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let curl = setting.curl("ghp_alice");
    let faults =
        [("status&status=500", &[500, 502][..]), ("status&status=403", &[403]), ("hang", &[502, 504])];
    let mut seen = Vec::new();
    for (number, (fault, statuses)) in faults.into_iter().enumerate() {
        // A path of its own, so that nothing is kept that could stand in.
        let path = format!("/repos/acme/widget-{number}");
        setting.stub.fault(fault)?;
        let reply = curl.get(&path)?;
        ensure!(statuses.contains(&reply.status), "{fault}: answered with {}", reply.status);
        if matches!(reply.status, 502 | 504) {
            expect_clear(&reply, statuses)?;
        }
        seen.push(format!("{fault} -> {}", reply.status));
        setting.stub.clear_faults()?;
        let healed = curl.get(&path)?.status;
        ensure!(healed == 200, "{fault}: kept, the next answer is {healed}");
    }
    Ok(seen.join(", "))
}

/// An error of our own: one of `statuses`, with a message in JSON.
fn expect_clear(reply: &Reply, statuses: &[u16]) -> Result<()> {
    ensure!(statuses.contains(&reply.status), "answered with {}", reply.status);
    let message = reply.json()?["message"].clone();
    ensure!(message.is_string(), "{} without a message", reply.status);
    Ok(())
}
