//! The tool `doctor`.

use super::tool::{Asked, Refused, Tool, ordered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

/// Its arguments: none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Doctor {}

/// How sharing stands, and what was looked at to tell.
#[derive(Deserialize, JsonSchema, Serialize)]
pub(super) struct Examination {
    /// Whether nothing keeps the node from sharing.
    #[serde(default)]
    shares: bool,
    /// Everything that was looked at, in order.
    checks: Vec<Check>,
}

#[derive(Deserialize, JsonSchema, Serialize)]
struct Check {
    /// What was looked at.
    name: String,
    state: State,
    /// How it stands, in words.
    finding: String,
    /// What to do; null if there is nothing to do.
    remedy: Option<String>,
}

/// How a check ended; a warning does not stop sharing.
#[derive(Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Failed,
    Ok,
    Warning,
}

impl Tool for Doctor {
    const NAME: &'static str = "doctor";
    const TITLE: &'static str = "Examine the fleet";
    const DESCRIPTION: &'static str = "Finds out in under five seconds whether this machine's Fleet Cache works and \
        shares with the other machines, and what to do if not. Its last check keeps a value of a few bytes and asks \
        another machine to give it back. Costs no quota.";
    type Told = Examination;

    async fn ask(self, cache_dir: &Path) -> Result<Asked, Refused> {
        let found: Examination = ordered(cache_dir, "/doctor", &json!({})).await?;
        let faults: Vec<_> = found.checks.iter().filter(|check| check.state != State::Ok).collect();
        let shares = faults.iter().all(|check| check.state != State::Failed);
        let text = match faults.as_slice() {
            [] => format!("all {} checks are well", found.checks.len()),
            faults => faults.iter().map(|check| check.in_words()).collect::<Vec<_>>().join("\n"),
        };
        Asked::new(&Examination { shares, ..found }, text)
    }
}

impl Check {
    fn in_words(&self) -> String {
        let state = if self.state == State::Failed { "failed" } else { "warning" };
        let remedy = self.remedy.as_ref().map(|remedy| format!(" Remedy: {remedy}.")).unwrap_or_default();
        format!("{state}: {}: {}.{remedy}", self.name, self.finding)
    }
}
