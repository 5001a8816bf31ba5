//! SIGTERM and SIGINT: the first ends the daemon in order, the second at once. On SIGHUP it reads its settings again.

use crate::exit::INTERRUPTED;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// The signals by which a daemon is told to stop.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Takes the signals over; from here on they no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn take_over() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the first signal.
    pub(crate) async fn first(&mut self) {
        let name = self.next().await;
        info!(signal = name, "stopping: requests in progress may end; a second signal ends them");
    }

    /// Ends the process at the next signal. What the store was promised is kept: it survives a crash.
    pub(crate) async fn second(&mut self) -> ! {
        let name = self.next().await;
        warn!(signal = name, "stopping at once");
        std::process::exit(INTERRUPTED);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _received = self.interrupt.recv() => "SIGINT",
            _received = self.terminate.recv() => "SIGTERM",
        }
    }
}

/// The signal by which a daemon is told that its settings have changed.
pub(crate) struct Hangups(Signal);

impl Hangups {
    /// Takes the signal over; from here on it does not end the process.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn take_over() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Waits until the signal has come since this was asked last; several count as one.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no signal.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // The runtime is about to end.
            std::future::pending::<()>().await;
        }
    }
}
