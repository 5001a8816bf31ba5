//! By which rules answers are kept.

use super::{Problem, Reader, Settings, Source};
use std::str::FromStr;

/// The rules by which the daemon keeps what its origin answers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Profile {
    /// Those of GitHub's API: its routes, credentials and quota.
    #[default]
    Github,
    /// Those of HTTP (RFC 9111), for any origin.
    Rfc9111,
}

impl FromStr for Profile {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "github" => Ok(Self::Github),
            "rfc9111" => Ok(Self::Rfc9111),
            _other => Err("is no set of rules; write `github` or `rfc9111`".to_owned()),
        }
    }
}

impl Reader<'_> {
    /// Refuses what the rules of HTTP alone make no sense with.
    pub(super) fn check_profile(&mut self, settings: &Settings) {
        if settings.profile == Profile::Github {
            return;
        }
        if settings.origin_source == Source::Default {
            let problem =
                "needs an origin of its own: the API's answers are for `--profile github`; give --origin URL";
            self.refuse("profile", problem);
        }
        if settings.intercept.is_some() {
            let problem = "ends TLS for GitHub's hosts, for which `--profile rfc9111` does not stand; leave one of them out";
            self.refuse("intercept", problem);
        }
    }
}
