//! Where those settings came from whose values prove to be wrong only when they are used.

use super::definition;
use super::{Source, given::Given};
use std::{collections::BTreeMap, fmt::Display};

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
}

/// The settings that name such places.
const OPENED: [&str; 6] = ["cache-dir", "dashboard", "listen", "metrics-listen", "unix", "webhook-listen"];
