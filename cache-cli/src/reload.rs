//! What SIGHUP does: the settings are read again, and those that can change while the daemon runs do.
//!
//! Which can is in the table of settings ([`Change`]); how each is taken over is here.

use crate::{
    access_log::AccessLog,
    admin::Shown,
    chain,
    command::Invocation,
    daemon,
    exit::CommandError,
    logging::Logging,
    settings::{Change, Imprint, Report, Settings, definition, domain_warnings},
};
use fleet_cache::{Node, github::Rules};
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{error, info, warn};

/// The settings as they were read at one time.
pub(crate) struct Reading {
    /// Their values.
    pub(crate) settings: Settings,
    /// Those as they are shown.
    pub(crate) report: Report,
    /// What tells whether they have changed.
    pub(crate) imprint: Imprint,
}

impl Reading {
    /// What `invocation` amounts to.
    ///
    /// # Errors
    ///
    /// Lists every value that does not fit.
    pub(crate) fn of(invocation: &Invocation) -> Result<Self, CommandError> {
        let Invocation { given, defaults, .. } = invocation;
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
    /// Those in force.
    pub(crate) imprint: Imprint,
    /// What was warned about when they were read.
    pub(crate) warnings: Vec<String>,
    /// The log.
    pub(crate) logging: Logging,
    /// Who judges requests.
    pub(crate) node: Node,
    /// What is opened again each time, for those who rotate it.
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
    /// Dropping the future leaves the settings in force as they are.
    pub(crate) async fn reload(&mut self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
        match self.read().await {
            Ok((reading, rules)) => self.take_over(reading, rules),
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
        let reading = reading.map_err(|error| CommandError::failed("cannot read the settings", error))??;
        daemon::check(&reading.settings).await?;
        let rules = daemon::rules(&reading.settings)?;
        Ok((reading, rules))
    }

    fn take_over(&mut self, reading: Reading, rules: Rules) {
        let Reading { settings, report, imprint } = reading;
        let changed = imprint.changed_since(&self.imprint);
        let can_change = |name: &&&'static str| definition(name).change == Change::AtHangup;
        let taken: Vec<_> = changed.iter().filter(can_change).copied().collect();
        let left: Vec<_> = changed.iter().filter(|name| !can_change(name)).copied().collect();
        if taken.iter().any(|name| *name != LOG) {
            self.node.adopt(rules);
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
        });
    }
}

/// The setting that is no rule by which requests are judged.
const LOG: &str = "log";
