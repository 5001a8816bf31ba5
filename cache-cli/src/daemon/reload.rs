//! What SIGHUP does: the settings are read again, and those that can change while the daemon runs do.
//!
//! Which can is in the table of settings ([`Change`]); how each is taken over is here.

use super::{about::Shown, check::check, logging::Logging, node, surrogate};
use crate::{
    door::{AccessLog, Front},
    exit::{CommandError, chain},
    settings::{Change, Defaults, Given, Imprint, Report, Settings, definition, domain_warnings},
};
use fleet_cache::{FleetSecret, Node, RotationError, github::Rules};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// The settings as they were read at one time.
pub(crate) struct Reading {
    /// The values of the settings.
    pub(crate) settings: Settings,
    /// Those as they are shown.
    pub(crate) report: Report,
    /// What tells whether they have changed.
    pub(crate) imprint: Imprint,
}

impl Reading {
    /// The settings that result from what was `given` and from what the machine implies.
    ///
    /// # Errors
    ///
    /// Lists every value that does not fit.
    pub(crate) fn of(given: &Given, defaults: &Defaults) -> Result<Self, CommandError> {
        Ok(Self {
            settings: Settings::resolve(given, defaults)?,
            report: Report::new(given, defaults),
            imprint: Imprint::of(given),
        })
    }
}

/// Reads what the daemon was started with once more: the same flags, the environment, and the files as they are now.
pub(crate) type ReadAgain = Arc<dyn Fn() -> Result<Reading, CommandError> + Send + Sync>;

/// What of a running daemon follows its settings.
pub(crate) struct Reloader {
    /// How to read them.
    pub(crate) read_again: ReadAgain,
    /// The settings in force.
    pub(crate) imprint: Imprint,
    /// What was warned about when they were read.
    pub(crate) warnings: Vec<String>,
    /// The fleet's secrets, the current one first; none where the node keeps to itself.
    pub(crate) secrets: Vec<FleetSecret>,
    /// The log, whose filter can change.
    pub(crate) logging: Logging,
    /// The node, which judges requests.
    pub(crate) node: Node,
    /// The front, which asks clients for their token.
    pub(crate) front: Arc<Front>,
    /// The access log, which is opened again each time, as rotation needs it.
    pub(crate) access_log: Option<AccessLog>,
    /// What is told of them.
    pub(crate) shown: watch::Sender<Shown>,
}

impl Reloader {
    /// Reads the settings and takes over what changed, all of it or nothing; names what takes a restart.
    ///
    /// Settings that do not fit change nothing: the daemon goes on with those that it has.
    ///
    /// # Cancellation
    ///
    /// Dropping the future may leave a part of what changed in force, and the rest as it was.
    pub(crate) async fn reload(&mut self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
        match self.read().await {
            Ok((reading, rules)) => self.take_over(reading, rules).await,
            Err(error) => {
                let faults = chain(&error).replace('\n', "; ");
                error!("SIGHUP: the settings do not fit, so those in force stay: {faults}");
            }
        }
    }

    /// The settings as they are by now, if a daemon could start with them, and the rules that they make.
    async fn read(&self) -> Result<(Reading, Rules), CommandError> {
        let read_again = Arc::clone(&self.read_again);
        // Files may be on a disk that does not answer.
        let reading = tokio::task::spawn_blocking(move || read_again()).await;
        let mut reading =
            reading.map_err(|error| CommandError::failed("cannot read the settings", error))??;
        check(&reading.settings).await?;
        reading.settings.find_secret().await;
        let rules = node::rules(&reading.settings)?;
        surrogate::examine(&self.node, &rules, &reading.settings).await?;
        Ok((reading, rules))
    }

    async fn take_over(&mut self, reading: Reading, rules: Rules) {
        let Reading { settings, report, imprint } = reading;
        let mut changed = imprint.changed_since(&self.imprint);
        let wanted = settings.fleet.secrets();
        let is_rotation = !are_same(&wanted, &self.secrets);
        if is_rotation && !SECRETS.iter().any(|name| changed.contains(name)) {
            // The machine's credential stands in for a secret, and may be another by now.
            changed.push(SECRETS[0]);
        }
        let is_rotated = !is_rotation || self.rotate(wanted).await;
        // A door that other machines reach keeps its token until it is closed to them.
        let keeps_token = changed.iter().any(|name| REACH.contains(name));
        let is_taken = |name: &&&'static str| {
            definition(name).change == Change::AtHangup
                && (is_rotated || !SECRETS.contains(*name))
                && !(keeps_token && CLIENT_TOKEN.contains(*name))
        };
        let taken: Vec<_> = changed.iter().filter(is_taken).copied().collect();
        let left: Vec<_> = changed.iter().filter(|name| !is_taken(name)).copied().collect();
        if taken.iter().any(|name| *name != LOG && !SECRETS.contains(name)) {
            self.node.adopt(rules);
        }
        if taken.iter().any(|name| WRITE_PACE.contains(name))
            && let Err(error) = self.node.pace_writes(settings.write_pace).await
        {
            error!(%error, "SIGHUP: writes are bounded as before");
        }
        if taken.iter().any(|name| CLIENT_TOKEN.contains(name)) {
            self.front.client_token.store(settings.client_token.clone().map(Arc::new));
        }
        for warning in settings.warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            warn!("{warning}");
        }
        if changed.is_empty() {
            info!("SIGHUP: no setting has changed");
        }
        if !taken.is_empty() {
            info!(settings = taken.join(" "), "SIGHUP: new settings are in force");
        }
        if !left.is_empty() {
            warn!("SIGHUP: changed, but needs a restart: {}", left.join(", "));
        }
        // After the lines above, which a filter that lets less pass would hide.
        if taken.contains(&LOG)
            && let Err(error) = self.logging.set_filter(&settings.log.filter)
        {
            error!(%error, "SIGHUP: the log stays as it is");
        }
        self.imprint.take(&taken, &imprint);
        let earlier = std::mem::replace(&mut self.warnings, settings.warnings);
        self.shown.send_modify(|shown| {
            shown.report.follow(report, &left);
            shown.about.domains = domain_warnings(&settings.domains);
            shown.about.warnings.retain(|warning| !earlier.contains(warning));
            shown.about.warnings.extend_from_slice(&self.warnings);
            if is_rotated {
                shown.about.secret = settings.fleet.secret.found().cloned();
                shown.about.fleet.follow_secrets(&settings.fleet);
            }
        });
    }

    /// Makes the node use the secrets that are `wanted`. Returns whether it does.
    async fn rotate(&mut self, wanted: Vec<FleetSecret>) -> bool {
        let mut secrets = wanted.iter().cloned();
        // A node opens no port for others, and closes none, while it runs.
        let Some(current) = secrets.next().filter(|_| !self.secrets.is_empty()) else { return false };
        match self.node.rotate(current, secrets.collect()).await {
            Ok(()) => {}
            Err(error @ RotationError::Disk(_)) => {
                error!(
                    "SIGHUP: {}; accept the former secret until the daemon was started again",
                    chain(&error)
                );
            }
            Err(error) => {
                error!("SIGHUP: {}; the secrets in force stay", chain(&error));
                return false;
            }
        }
        self.secrets = wanted;
        true
    }
}

fn are_same(some: &[FleetSecret], others: &[FleetSecret]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| one.is_same(other))
}

/// The settings that say by which secrets a node goes.
const SECRETS: [&str; 4] = ["shared-secret", "shared-secret-file", "accept-secret", "accept-secret-file"];

/// The settings that say what clients of the TCP door present.
const CLIENT_TOKEN: [&str; 2] = ["client-token", "client-token-file"];

/// The settings that decide which machines reach the door.
const REACH: [&str; 2] = ["listen", "allow-remote"];

/// The settings that say how many writes are made.
const WRITE_PACE: [&str; 3] = ["writes-per-minute", "writes-per-hour", "write-wait"];

/// The setting of what is logged.
const LOG: &str = "log";
