//! What SIGHUP does: the settings are read again, and those that can change while the daemon runs do.

use crate::{
    access_log::AccessLog,
    exit::CommandError,
    logging::Logging,
    settings::{Report, Settings},
};
use tracing::{info, warn};

/// Reads what the daemon was started with once more: the same flags, the environment, and the file as it is now.
pub(crate) type ReadAgain = Box<dyn Fn() -> Result<(Settings, Report), CommandError> + Send>;

/// What of a running daemon follows its settings.
pub(crate) struct Reloader {
    read_again: ReadAgain,
    in_force: Report,
    logging: Logging,
    access_log: Option<AccessLog>,
}

impl Reloader {
    /// Starts from the settings that `in_force` reports.
    pub(crate) fn new(read_again: ReadAgain, in_force: Report, logging: Logging) -> Self {
        Self { read_again, in_force, logging, access_log: None }
    }

    /// Has `access_log`, if there is one, opened again each time, for those who rotate it.
    pub(crate) fn rotate(&mut self, access_log: Option<AccessLog>) {
        self.access_log = access_log;
    }

    /// Reads the settings and takes over what changed; names what takes a restart.
    ///
    /// Settings that do not fit change nothing: the daemon goes on with those that it has.
    pub(crate) fn reload(&mut self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
        let (settings, report) = match (self.read_again)() {
            Ok(read) => read,
            Err(error) => {
                warn!(%error, "SIGHUP: the settings do not fit, so those in force stay");
                return;
            }
        };
        for warning in &settings.warnings {
            warn!("{warning}");
        }
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for name in report.changed_since(&self.in_force) {
            match self.take_over(&name, &settings) {
                Taken::Over => taken.push(name),
                Taken::WithRestart => left.push(name),
            }
        }
        if taken.is_empty() && left.is_empty() {
            info!("SIGHUP: no setting has changed");
        }
        if !taken.is_empty() {
            info!(settings = taken.join(" "), "SIGHUP: new settings are in force");
            self.in_force.take_lines(&taken, &report);
        }
        if !left.is_empty() {
            warn!(settings = left.join(" "), "SIGHUP: these have changed and take a restart");
        }
    }

    fn take_over(&self, name: &str, settings: &Settings) -> Taken {
        match name {
            "log" => match self.logging.set_filter(&settings.log.filter) {
                Ok(()) => Taken::Over,
                Err(error) => {
                    warn!(%error, "SIGHUP: the log stays as it is");
                    Taken::WithRestart
                }
            },
            _other => Taken::WithRestart,
        }
    }
}

enum Taken {
    Over,
    WithRestart,
}
