//! What the daemon answers to `POST /doctor`: what it checked, and what keeps the node from sharing.

use crate::exit::CommandError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything that was looked at, in order.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Examination {
    checks: Vec<Check>,
}

impl Examination {
    /// That `checks` were made, in this order.
    pub(crate) fn of(checks: Vec<Check>) -> Self {
        Self { checks }
    }

    /// The same without what was found where nothing is wrong, which may name files and is for the daemon's own user.
    pub(crate) fn briefly(self) -> Vec<Check> {
        let brief = |check: Check| match check.state {
            State::Ok => Check { finding: String::new(), ..check },
            State::Failed | State::Warning => check,
        };
        self.checks.into_iter().map(brief).collect()
    }

    /// The first thing in the way.
    pub(crate) fn cause(&self) -> Option<Cause> {
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
pub(crate) struct Check {
    name: String,
    state: State,
    finding: String,
    remedy: Option<String>,
    /// What is in the way; `None` unless it failed.
    cause: Option<Cause>,
}

impl Check {
    /// A check that found nothing wrong.
    pub(crate) fn ok(name: &str, finding: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, finding: finding.into(), remedy: None, cause: None }
    }

    /// A check that found something to know, which does not stop sharing.
    pub(crate) fn warning(name: &str, finding: impl Into<String>, remedy: &str) -> Self {
        Self { state: State::Warning, remedy: Some(remedy.into()), ..Self::ok(name, finding) }
    }

    /// Something in the way.
    pub(crate) fn failed(name: &str, cause: Cause, finding: impl Into<String>, remedy: &str) -> Self {
        Self { state: State::Failed, cause: Some(cause), ..Self::warning(name, finding, remedy) }
    }

    /// Whether it did not fail.
    pub(crate) fn has_passed(&self) -> bool {
        self.state != State::Failed
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
    /// No daemon answers on the socket.
    NotRunning,
    /// A value did not come back from another node.
    NotShared,
    /// Other nodes use another secret.
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
    fn exit_code(self) -> u8 {
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
            Self::OtherSecret => "other nodes use another secret",
            Self::OtherVersion => "other nodes speak another version of the protocol",
            Self::SharingOff => "this daemon does not share",
            Self::Silent => "a connected node does not answer",
            Self::Unreachable => "there is no connection with any other node",
        })
    }
}

impl From<Cause> for CommandError {
    fn from(cause: Cause) -> Self {
        Self::Diagnosed { cause: cause.to_string(), exit_code: cause.exit_code() }
    }
}

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

    #[test]
    fn in_brief_what_is_well_is_named_and_what_is_wrong_is_told() {
        let (found, wrong) = ("a4bc190e generated /home/ann/secret", "this node's is not that of 192.0.2.7");
        let checks =
            vec![Check::ok("secret", found), Check::failed("peers", Cause::OtherSecret, wrong, "compare")];
        let told = serde_json::to_string(&Examination::of(checks).briefly()).unwrap();
        assert!(told.contains("\"secret\"") && !told.contains("ann"), "{told}");
        assert!(told.contains(wrong) && told.contains("compare"), "{told}");
    }
}
