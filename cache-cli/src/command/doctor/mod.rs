//! `fleet-cache doctor`: whether sharing works, and if not, what is in the way and what to do.
//!
//! The daemon examines itself ([`examine`]), since only it has the connections; this shows what it found.

mod examine;

pub(crate) use examine::examine;

use crate::{
    admin::Admin,
    exit::CommandError,
    output::{Rendering, print, print_json},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{fmt, io::Write, path::Path};

/// Has the daemon of `cache_dir` examined and writes what was found to `out`.
///
/// # Errors
///
/// [`CommandError::Diagnosed`] with the first cause that was found, [`CommandError::NotRunning`] among others
/// when there is no daemon; what was found is written all the same.
pub(crate) async fn run(
    rendering: Rendering,
    cache_dir: &Path,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let answer = match Admin::connect(cache_dir).await {
        Ok(mut admin) => admin.order("/doctor", &json!({})).await,
        Err(error) => Err(error),
    };
    let (examination, unreached) = match answer {
        Ok(examination) => (examination, None),
        Err(error) => {
            let check = Check::failed("daemon", Cause::NotRunning, error.to_string(), START_REMEDY);
            (Examination { checks: vec![check] }, Some(error))
        }
    };
    match rendering {
        Rendering::Json => print_json(out, &json!(examination))?,
        Rendering::Text => print(out, &examination.to_string())?,
    }
    match (unreached, examination.cause()) {
        (Some(error), _) => Err(error),
        (None, Some(cause)) => Err(CommandError::Diagnosed(cause)),
        (None, None) => Ok(()),
    }
}

/// Everything that was looked at, in order.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Examination {
    checks: Vec<Check>,
}

impl Examination {
    /// The first thing in the way.
    fn cause(&self) -> Option<Cause> {
        self.checks.iter().find_map(|check| match check.state {
            State::Failed => check.cause,
            State::Ok | State::Warning => None,
        })
    }
}

impl fmt::Display for Examination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, state, finding, remedy, cause: _ } in &self.checks {
            let state = match state {
                State::Failed => "FAILED",
                State::Ok => "ok",
                State::Warning => "warning",
            };
            writeln!(f, "{state:8}{name:9}{finding}")?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:17}remedy: {remedy}", "")?;
            }
        }
        Ok(())
    }
}

/// One thing that was looked at.
#[derive(Debug, Deserialize, Serialize)]
struct Check {
    name: String,
    state: State,
    finding: String,
    remedy: Option<String>,
    /// What is in the way; `None` unless it failed.
    cause: Option<Cause>,
}

impl Check {
    fn ok(name: &str, finding: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, finding: finding.into(), remedy: None, cause: None }
    }

    fn warning(name: &str, finding: impl Into<String>, remedy: &str) -> Self {
        Self { state: State::Warning, remedy: Some(remedy.into()), ..Self::ok(name, finding) }
    }

    fn failed(name: &str, cause: Cause, finding: impl Into<String>, remedy: &str) -> Self {
        Self { state: State::Failed, cause: Some(cause), ..Self::warning(name, finding, remedy) }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Failed,
    Ok,
    /// Sharing works in spite of it.
    Warning,
}

/// What keeps this node from sharing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// Other nodes have no room for another connection.
    Full,
    /// No daemon answers.
    NotRunning,
    /// A value did not come back from another node.
    NotShared,
    /// Other nodes go by another secret.
    OtherSecret,
    /// Other nodes speak another major version of the protocol.
    OtherVersion,
    /// The daemon does not share.
    SharingOff,
    /// A connected node does not answer.
    Silent,
    /// There is no connection with any other node.
    Unreachable,
}

impl Cause {
    /// What the shell is told.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::NotRunning => 3,
            Self::SharingOff => 10,
            Self::OtherSecret => 11,
            Self::Unreachable => 12,
            Self::Silent => 13,
            Self::NotShared => 14,
            Self::OtherVersion => 15,
            Self::Full => 16,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "other nodes have no room for another connection",
            Self::NotRunning => "no daemon answers",
            Self::NotShared => "a value did not come back from another node",
            Self::OtherSecret => "other nodes go by another secret",
            Self::OtherVersion => "other nodes speak another version of the protocol",
            Self::SharingOff => "this daemon does not share",
            Self::Silent => "a connected node does not answer",
            Self::Unreachable => "there is no connection with any other node",
        })
    }
}

const START_REMEDY: &str =
    "start it with `fleet-cache serve`, or name the directory of the one that runs with --cache-dir";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_the_cause_and_a_warning_is_none() {
        let mut examination = Examination { checks: vec![Check::warning("clocks", "9 s apart", "set them")] };
        assert_eq!(examination.cause(), None);
        examination.checks.push(Check::failed("secret", Cause::OtherSecret, "refused", "compare"));
        examination.checks.push(Check::failed("peers", Cause::Unreachable, "none", "start one"));
        assert_eq!(examination.cause(), Some(Cause::OtherSecret));
        let text = examination.to_string();
        assert!(text.contains("FAILED  secret   refused\n                 remedy: compare\n"), "{text}");
    }
}
