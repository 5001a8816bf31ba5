//! `gh` through the unix socket.

use super::{clients::is_hit, setting::Setting};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const REPOSITORY: &str = "/repos/acme/widget-1";

pub(super) fn twice(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let gh = setting.gh()?;
    let (first, second) = (gh.run(&["api", REPOSITORY])?, gh.run(&["api", REPOSITORY])?);
    ensure!(first == second, "two runs print different bodies");
    let calls = setting.stub.calls(REPOSITORY)?.total;
    ensure!(calls == 1, "{calls} calls for two runs");
    let third = gh.run(&["api", "-i", REPOSITORY])?;
    let status = third.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("cache-status").then(|| value.trim().to_owned())
    });
    let status = status.context("no Cache-Status")?;
    ensure!(is_hit(&status), "Cache-Status: {status}");
    Ok(format!("{} identical bytes, {calls} call, Cache-Status: {status}", first.len()))
}

pub(super) fn paginate(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let gh = setting.gh()?;
    let arguments = ["api", "--paginate", "/repos/acme/widget-1/issues?per_page=50"];
    let mut used = Vec::new();
    for _run in 0..2 {
        let numbers = numbers(&gh.run(&arguments)?)?;
        ensure!(numbers.iter().copied().eq((1..=230).rev()), "not issues 230 to 1 but {numbers:?}");
        used.push(setting.stub.used("user:alice")?);
    }
    ensure!(used[0] == 5, "the first run paid for {} calls, not for five pages", used[0]);
    ensure!(used[1] == used[0], "the second run paid for {} calls", used[1] - used[0]);
    Ok(format!("230 issues, {} paid calls, then 0", used[0]))
}

pub(super) fn repo_view(setting: &Setting) -> Result<String> {
    expect(setting, &["repo", "view", "acme/widget-1"], "widget-1")
}

pub(super) fn issue_list(setting: &Setting) -> Result<String> {
    expect(setting, &["issue", "list", "-R", "acme/widget-1"], "issue ")
}

pub(super) fn run_list(setting: &Setting) -> Result<String> {
    expect(setting, &["run", "list", "-R", "acme/widget-1"], "run ")
}

/// GraphQL in part, so that nothing is said about calls but that the output is right, twice.
fn expect(setting: &Setting, arguments: &[&str], part: &str) -> Result<String> {
    setting.start(&[])?;
    let gh = setting.gh()?;
    let (first, second) = (gh.run(arguments)?, gh.run(arguments)?);
    ensure!(first.contains(part), "prints {first:?}");
    ensure!(first == second, "the second run prints something else: {second:?}");
    Ok(format!("{} lines, {} calls for two runs", first.lines().count(), setting.stub.calls("/")?.total))
}

/// Issue numbers from the pages that `gh` prints one after the other.
fn numbers(printed: &str) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for page in serde_json::Deserializer::from_str(printed).into_iter::<Vec<Value>>() {
        for issue in page.context("a page is a JSON array")? {
            numbers.push(issue["number"].as_u64().context("an issue has a number")?);
        }
    }
    Ok(numbers)
}
