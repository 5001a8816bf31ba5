//! Log lines on standard error, for people or for programs.

use crate::settings::{Log, LogFormat};
use std::io;
use tracing_subscriber::{EnvFilter, fmt};

/// Begins to log; called once, before anything is logged.
///
/// # Errors
///
/// When something else in the process logs already.
pub(crate) fn start(log: &Log) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(&log.filter)?;
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr);
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
    }
}
