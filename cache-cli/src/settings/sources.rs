//! Where those settings came from whose values prove to be wrong only when they are used.

use super::{Source, definition, given::Given};
use crate::{exit::CommandError, socket::SocketError};
use std::{collections::BTreeMap, fmt::Display, io, net::SocketAddr};

/// By its name, where each setting came from that names a place at which something is opened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(BTreeMap<&'static str, Source>);

impl Sources {
    pub(super) fn of_given(given: &Given) -> Self {
        let source = |name| given.value(definition(name)).map(|given| (name, given.source));
        Self(OPENED.into_iter().filter_map(source).collect())
    }

    /// Says that the value of the setting `name` cannot be used, and where it came from. `problem` says why, and what to do.
    pub(crate) fn fault(&self, name: &'static str, value: impl Display, problem: impl Display) -> String {
        let source = self.0.get(name).unwrap_or(&Source::Default);
        format!("{name} \"{value}\" ({source}) {problem}")
    }

    /// What a person is told that gave, by the setting `name`, the path of a socket or the directory that it is in.
    pub(crate) fn socket_fault(&self, name: &'static str, error: &SocketError) -> CommandError {
        let text = self.fault(name, error.path().display(), error);
        match error {
            SocketError::InUse { .. } => CommandError::InUse(text.into()),
            SocketError::Group { .. }
            | SocketError::NoSocket(_)
            | SocketError::TooLong(_)
            | SocketError::Refused { .. } => CommandError::Usage(text.into()),
        }
    }

    /// The same of an `address` on which nothing can listen.
    pub(crate) fn listen_fault(
        &self,
        name: &'static str,
        address: SocketAddr,
        error: &io::Error,
    ) -> CommandError {
        if error.kind() == io::ErrorKind::AddrInUse {
            let problem = format!(
                "cannot be used: port {} on {} is in use by another process; stop it, or give another --{name}",
                address.port(),
                address.ip()
            );
            return CommandError::InUse(self.fault(name, address, problem).into());
        }
        let problem = format!(
            "cannot be used: {error}; give an address of this machine and a port that its user may have"
        );
        CommandError::Usage(self.fault(name, address, problem).into())
    }
}

/// The settings that name such places.
const OPENED: [&str; 6] = ["cache-dir", "dashboard", "listen", "metrics-listen", "unix", "webhook-listen"];
