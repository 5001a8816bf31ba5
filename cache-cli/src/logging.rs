//! Log lines on standard error, for people or for programs.

use crate::settings::{Log, LogFormat};
use std::{error::Error, io};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, fmt, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

/// The log that runs, by which its filter is changed.
#[derive(Clone, Debug)]
pub(crate) struct Logging(reload::Handle<EnvFilter, Registry>);

impl Logging {
    /// Logs what `filter` lets pass from now on.
    ///
    /// # Errors
    ///
    /// When it is no filter; what was logged before goes on then.
    pub(crate) fn set_filter(&self, filter: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.reload(EnvFilter::try_new(filter)?)?)
    }
}

/// Begins to log; called once, before anything is logged.
///
/// # Errors
///
/// When something else in the process logs already.
pub(crate) fn start(log: &Log) -> Result<Logging, Box<dyn Error + Send + Sync>> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&log.filter)?);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok(Logging(handle))
}
