//! Log lines on standard error, for people or for programs.
//!
//! A thread of its own writes the lines, so that a slow reader, or none, holds up no answer. Lines that it cannot
//! write in time are dropped, counted and reported.

use crate::settings::{Log, LogFormat};
use std::{
    error::Error,
    io::{self, Write},
    sync::{Arc, OnceLock},
};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
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
    /// If `filter` is not a filter; what was logged before goes on then.
    pub(crate) fn set_filter(&self, filter: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.reload(EnvFilter::try_new(filter)?)?)
    }
}

/// Begins to log; called once, before anything is logged. Dropping the guard writes what waits, for a second at most.
///
/// # Errors
///
/// When something else in the process logs already.
pub(crate) fn start(log: &Log) -> Result<(Logging, WorkerGuard), Box<dyn Error + Send + Sync>> {
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&log.filter)?);
    let (lines_out, guard) = beside(io::stderr(), log.format, LINES_MAX);
    let lines = fmt::layer().with_writer(lines_out);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok((Logging(handle), guard))
}

/// Takes lines for `out`, of which `lines_max` may wait, and writes them by a thread of its own.
fn beside(
    out: impl Write + Send + 'static,
    format: LogFormat,
    lines_max: usize,
) -> (NonBlocking, WorkerGuard) {
    let dropped = Arc::new(OnceLock::new());
    let out = Candid { out, format, dropped: Arc::clone(&dropped), told: 0 };
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(lines_max);
    let (lines, guard) = builder.thread_name("fleet-cache-log").finish(out);
    dropped.get_or_init(|| lines.error_counter());
    (lines, guard)
}

/// Writes lines, and says before the next one how many are missing.
struct Candid<W> {
    out: W,
    format: LogFormat,
    /// There from the first line on.
    dropped: Arc<OnceLock<ErrorCounter>>,
    /// How many of them it has said.
    told: usize,
}

impl<W: Write> Write for Candid<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.told {
            let lines = dropped - self.told;
            match self.format {
                LogFormat::Json => {
                    writeln!(self.out, r#"{{"level":"WARN","message":"{LINES_DROPPED}","lines":{lines}}}"#)?;
                }
                LogFormat::Text => writeln!(self.out, " WARN fleet_cache: {LINES_DROPPED} lines={lines}")?,
            }
            self.told = dropped;
        }
        self.out.write_all(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

const LINES_DROPPED: &str = "the log is read too slowly; lines were dropped";
/// Most lines that wait to be written: some two megabytes.
const LINES_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::mpsc::{Receiver, SyncSender, sync_channel},
        time::Duration,
    };

    /// Takes a line only when it is read at the other end.
    struct Slow(SyncSender<String>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(line).into_owned();
            self.0.send(text).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn until_the_last(read: &Receiver<String>) -> String {
        let mut text = String::new();
        while !text.ends_with(LAST) {
            text.push_str(&read.recv_timeout(Duration::from_secs(20)).expect("there is one more"));
        }
        text
    }

    const LAST: &str = "the last\n";

    #[test]
    fn a_log_that_nobody_reads_holds_up_nobody_and_says_what_is_missing() {
        for (format, words) in
            [(LogFormat::Text, "lines were dropped lines="), (LogFormat::Json, r#""lines":"#)]
        {
            let (sender, read) = sync_channel(0);
            let (mut lines, guard) = beside(Slow(sender), format, 4);
            let counter = lines.error_counter();
            // The thread holds one, and four wait.
            while counter.dropped_lines() == 0 {
                lines.write_all(b"a line\n").expect("it is taken or dropped");
            }
            let reader = std::thread::spawn(move || until_the_last(&read));
            loop {
                let before = counter.dropped_lines();
                lines.write_all(LAST.as_bytes()).expect("it is taken or dropped");
                if counter.dropped_lines() == before {
                    break;
                }
            }
            let text = reader.join().expect("the reader does not panic");
            assert!(text.contains(words), "{text}");
            drop(guard);
        }
    }
}
