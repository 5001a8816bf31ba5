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
        for name in OF_GITHUB {
            let source = self.source(name);
            if source != Source::Default {
                self.warnings.push(format!(
                    "{name} ({source}) has no effect with `--profile rfc9111`: it is about GitHub's API"
                ));
            }
        }
    }
}

/// Settings that mean something to GitHub's API alone.
const OF_GITHUB: [&str; 19] = [
    "anonymous-as",
    "default-ttl",
    "domain",
    "forward-header",
    "graphql",
    "max-stale",
    "no-graphql",
    "pretty-print",
    "priority",
    "pushed",
    "reserve",
    "respect-max-age",
    "route",
    "settle",
    "stale-while-revalidate",
    "upstream",
    "write-wait",
    "writes-per-hour",
    "writes-per-minute",
];
