//! The effective settings and where each came from, fit to be shown.

use super::{
    Defaults, FleetSettings, SourcedSecret,
    definition::{DEFINITIONS, Shown},
    fleet::guest_word,
    given::{Given, Source},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Every setting as it holds, without the secrets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Report {
    /// One line per setting, in the order of the table.
    pub(crate) settings: Vec<Line>,
    /// What the fleet has in common, if anything was found.
    pub(crate) fleet_secret: Option<SecretReport>,
    /// The settings that had changed when they were read last, and that take a restart.
    #[serde(default)]
    pub(crate) needs_restart: Vec<String>,
}

/// What the report says about one setting.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Line {
    /// The name of the setting.
    pub(crate) name: String,
    /// Its values as they were written; empty when it has none. A secret is `(set)`.
    pub(crate) values: Vec<String>,
    /// Where they came from.
    pub(crate) source: String,
}

impl Report {
    /// What `given` amounts to.
    pub(crate) fn new(given: &Given, defaults: &Defaults) -> Self {
        let settings = DEFINITIONS
            .iter()
            .map(|definition| {
                let value = given.value(definition);
                let source = value.as_ref().map_or(Source::Default, |value| value.source.clone());
                let mut values = value.map_or_else(Vec::new, |value| value.texts);
                if definition.name == "cache-dir" && values.is_empty() {
                    values.extend(defaults.cache_dir.iter().map(|path| path.display().to_string()));
                }
                if definition.shown == Shown::Redacted {
                    values.iter_mut().for_each(|text| "(set)".clone_into(text));
                }
                Line { name: definition.name.to_owned(), values, source: source.to_string() }
            })
            .collect();
        Self { settings, fleet_secret: None, needs_restart: Vec::new() }
    }

    /// Becomes what `later` says, except for the settings called `left`, which have changed and need a restart.
    pub(crate) fn follow(&mut self, later: Self, left: &[&str]) {
        let earlier = std::mem::replace(&mut self.settings, later.settings);
        for line in &mut self.settings {
            let kept = earlier.iter().find(|kept| kept.name == line.name && left.contains(&&*kept.name));
            if let Some(kept) = kept {
                line.clone_from(kept);
            }
        }
        self.needs_restart = left.iter().map(|name| (*name).to_owned()).collect();
    }

    /// The same with what is known of the fleet's secret.
    pub(crate) fn with_secret(self, secret: Option<SecretReport>) -> Self {
        Self { fleet_secret: secret, ..self }
    }
}

impl fmt::Display for Report {
    /// A table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = |text: fn(&Line) -> usize| self.settings.iter().map(text).max().unwrap_or(0);
        let name_width = wide(|line| line.name.len());
        let value_width = wide(|line| line.shown().len()).min(VALUE_WIDTH_MAX);
        for line in &self.settings {
            let Line { name, source, .. } = line;
            writeln!(f, "{name:name_width$}  {:value_width$}  {source}", line.shown())?;
        }
        match &self.fleet_secret {
            Some(secret) => writeln!(f, "\nthe fleet's secret: {secret}")?,
            None => writeln!(f, "\nthe fleet's secret: none was found")?,
        }
        if self.needs_restart.is_empty() {
            return Ok(());
        }
        writeln!(f, "changed since the start, but needs a restart: {}", self.needs_restart.join(", "))
    }
}

impl Line {
    fn shown(&self) -> String {
        match self.values.as_slice() {
            [] => "-".to_owned(),
            values => values.join(" "),
        }
    }
}

/// What may be told of a secret: enough to compare two nodes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct SecretReport {
    /// Eight digits that are the same wherever the secret is.
    pub(crate) fingerprint: String,
    /// Whether it was generated, thought up, or is a token.
    pub(crate) kind: String,
    /// Where it came from.
    pub(crate) source: String,
}

impl SecretReport {
    /// What may be told of `secret`.
    ///
    /// The first time for a passphrase or a token takes some tenths of a second on the caller's thread.
    pub(crate) fn of(secret: &SourcedSecret) -> Self {
        Self {
            fingerprint: secret.secret.fingerprint(),
            kind: secret.secret.kind().to_string(),
            source: secret.source.to_string(),
        }
    }
}

impl fmt::Display for SecretReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fingerprint, kind, source } = self;
        write!(f, "{fingerprint}  {kind}  {source}")
    }
}

/// How the daemon takes part in a fleet, for its statistics.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FleetReport {
    /// Whether it does: a node that may share but has no secret does not.
    enabled: bool,
    #[serde(skip)]
    is_allowed: bool,
    transport: String,
    /// Where it listens for others; nowhere, where it shares nothing.
    listen: Vec<String>,
    /// The setting that won, such as `environment P2P_LISTEN_PORT`.
    listen_source: String,
    advertise: Vec<String>,
    max_peers: usize,
    guest: &'static str,
    bootstrap: Vec<String>,
    discover: Vec<String>,
    secret_kind: Option<String>,
    secret_source: Option<String>,
    accepted_secrets: usize,
}

impl FleetReport {
    /// What may be told of `fleet`.
    pub(crate) fn of(fleet: &FleetSettings) -> Self {
        let secret = fleet.secret.found();
        let enabled = fleet.enabled && secret.is_some();
        let listen: &[_] = if enabled { &fleet.listen } else { &[] };
        Self {
            enabled,
            is_allowed: fleet.enabled,
            transport: fleet.transport.to_string(),
            listen: listen.iter().map(ToString::to_string).collect(),
            listen_source: fleet.listen_source.to_string(),
            advertise: fleet.advertise.iter().map(ToString::to_string).collect(),
            max_peers: fleet.peers_max,
            guest: guest_word(fleet.guest),
            bootstrap: fleet.bootstrap.iter().map(ToString::to_string).collect(),
            discover: fleet.discover.iter().map(ToString::to_string).collect(),
            secret_kind: secret.map(|secret| secret.secret.kind().to_string()),
            secret_source: secret.map(|secret| secret.source.to_string()),
            accepted_secrets: fleet.accepted.len(),
        }
    }

    /// Takes over what `fleet` says of the secrets, and nothing else.
    pub(crate) fn follow_secrets(&mut self, fleet: &FleetSettings) {
        let Self { secret_kind, secret_source, accepted_secrets, .. } = Self::of(fleet);
        *self = Self { secret_kind, secret_source, accepted_secrets, ..self.clone() };
    }

    /// Whether the node is to share if it can.
    pub(crate) fn is_allowed(&self) -> bool {
        self.is_allowed
    }

    /// Most nodes to be connected with.
    pub(crate) fn peers_max(&self) -> usize {
        self.max_peers
    }

    /// The contacts that end in `id`.
    pub(crate) fn contacts_with(&self, id: &str) -> Vec<&str> {
        let contacts = self.bootstrap.iter().map(String::as_str);
        contacts
            .filter(|contact| contact.strip_suffix(id).is_some_and(|place| place.ends_with("/p2p/")))
            .collect()
    }

    /// How nodes talk to one another.
    pub(crate) fn transport(&self) -> &str {
        &self.transport
    }
}

/// Widest column of values, in characters; a longer one pushes its source to the right.
const VALUE_WIDTH_MAX: usize = 40;
