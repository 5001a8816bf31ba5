//! How clients of the unix socket are told apart.

use super::Problem;
use std::str::FromStr;

/// What a client of the unix socket is called that sends no `X-Fleet-Client`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ClientNaming {
    /// What its `User-Agent` names, else the user that runs it.
    #[default]
    User,
    /// Its control group (its service, container or job), whatever its `User-Agent` names.
    Cgroup,
}

impl FromStr for ClientNaming {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        match text {
            "cgroup" => Ok(Self::Cgroup),
            "user" => Ok(Self::User),
            _other => Err("is no way to name clients; write `user` or `cgroup`".to_owned()),
        }
    }
}
