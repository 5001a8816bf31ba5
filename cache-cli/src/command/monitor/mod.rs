//! `fleet-cache monitor`: what the running daemon does, again and again.
//!
//! Asks the daemon through its admin socket and starts no node of its own. On a terminal it draws
//! ([`screen`]) until a key ends it; elsewhere it writes text or JSON, and ends when the daemon does.

mod live;
mod reading;
mod screen;
mod text;

use crate::{
    admin::Admin,
    exit::CommandError,
    output::{Reader, Rendering, write},
};
use reading::Reading;
use serde_json::Value;
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use tokio::time::MissedTickBehavior;

/// How the monitor runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonitorOptions {
    /// How often it prints.
    pub(crate) repeat: Repeat,
    /// Whether the output is for people or for programs.
    pub(crate) rendering: Rendering,
}

/// How often to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Repeat {
    /// After each of these times.
    Every(Duration),
    /// One page, and no more.
    Once,
}

/// Shows what the daemon of `cache_dir` does.
///
/// # Errors
///
/// [`CommandError::NotRunning`] if no daemon runs; also an error if its answer cannot be understood or the output
/// cannot be written.
pub(crate) async fn run(
    options: MonitorOptions,
    cache_dir: &Path,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let mut source = Source { cache_dir: cache_dir.to_owned(), updates: 0 };
    let page = |reading: &Reading| match options.rendering {
        Rendering::Json => serde_json::json!(reading).to_string() + "\n",
        Rendering::Text => text::page(reading),
    };
    match options.repeat {
        Repeat::Once => write(out, page(&source.read().await?).as_bytes()).map(|_reader| ()),
        Repeat::Every(interval) if options.rendering == Rendering::Text && io::stdout().is_terminal() => {
            live::run(source, interval).await
        }
        Repeat::Every(interval) => {
            let mut ticks = tokio::time::interval(interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                if write(out, page(&source.read().await?).as_bytes())? == Reader::Gone {
                    return Ok(());
                }
            }
        }
    }
}

/// Where readings come from.
struct Source {
    cache_dir: PathBuf,
    updates: u64,
}

impl Source {
    /// Asks the daemon, over a connection of its own, so that a daemon that was started anew is found.
    async fn read(&mut self) -> Result<Reading, CommandError> {
        let asking = async {
            let mut admin = Admin::connect(&self.cache_dir).await?;
            admin.show::<Value>("/stats").await
        };
        let stats = tokio::time::timeout(ANSWER_TIMEOUT, asking).await.map_err(|_elapsed| {
            let reason = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
            CommandError::failed("the daemon does not answer", reason)
        })??;
        self.updates += 1;
        Ok(Reading::of(&stats, self.updates, SystemTime::now()))
    }
}

/// How long the daemon may take to answer, which takes it a millisecond while it lives.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_daemon_there_is_a_clear_error_and_no_output() {
        let directory = tempfile::tempdir().unwrap();
        for repeat in [Repeat::Once, Repeat::Every(Duration::from_secs(1))] {
            let options = MonitorOptions { repeat, rendering: Rendering::Json };
            let mut page = Vec::new();
            let refused = run(options, directory.path(), &mut page).await.unwrap_err();
            assert!(matches!(refused, CommandError::NotRunning { .. }));
            assert!(page.is_empty());
        }
    }
}
