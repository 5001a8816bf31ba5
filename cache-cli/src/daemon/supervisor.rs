//! Word to the service manager that started the daemon, such as systemd: ready, alive, stopping.
//!
//! Without one, which shows by the environment variable `NOTIFY_SOCKET`, nothing is said.

use super::pulse::{NoPulse, pulse};
use fleet_cache::{Node, Stats};
use sd_notify::NotifyState;
use std::{convert::Infallible, env, future, time::Duration};
use tokio::time::MissedTickBehavior;
use tracing::warn;

/// The program that started the daemon, if it wants to be told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Supervisor {
    /// No program wants to be told.
    Absent,
    /// One that hears of the node's life this often.
    Present {
        /// Half the time after which it takes the daemon for dead, or [`STATUS_INTERVAL`] if it never does.
        interval: Duration,
    },
}

impl Supervisor {
    /// The supervisor that the environment names.
    pub(crate) fn of_environment() -> Self {
        if env::var_os("NOTIFY_SOCKET").is_none_or(|path| path.is_empty()) {
            return Self::Absent;
        }
        let interval = sd_notify::watchdog_enabled().map_or(STATUS_INTERVAL, |deadline| deadline / 2);
        Self::Present { interval: interval.max(INTERVAL_MIN) }
    }

    /// Tells that requests are answered from now on.
    pub(crate) fn ready(self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// Tells that settings are read again, until [`ready`](Self::ready) is told.
    pub(crate) fn reloading(self) {
        // systemd takes word of a reload only with the time of its beginning.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "the service manager is not told of the reload"),
        }
    }

    /// Tells that the daemon ends by its own will.
    pub(crate) fn stopping(self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("letting requests in progress end")]);
    }

    /// Tells again and again that `node` lives, and what it does, but only while its driver answers.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends it.
    pub(crate) async fn watch(self, node: &Node) -> Infallible {
        let Self::Present { interval } = self else {
            return future::pending().await;
        };
        let status = async || pulse(node).await.map(|stats| status(&stats));
        watch(interval, status, |status| {
            self.tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
        })
        .await
    }

    fn tell(self, states: &[NotifyState<'_>]) {
        match self {
            Self::Absent => {}
            Self::Present { .. } => {
                if let Err(error) = sd_notify::notify(states) {
                    warn!(%error, "the service manager cannot be told");
                }
            }
        }
    }
}

async fn watch(
    interval: Duration,
    mut status: impl AsyncFnMut() -> Result<String, NoPulse>,
    mut tell: impl FnMut(&str),
) -> Infallible {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match status().await {
            Ok(status) => tell(&status),
            Err(error) => warn!(%error, "the service manager is not told that the node lives"),
        }
    }
}

fn status(stats: &Stats) -> String {
    let answered = stats.hit_rate * 100.0;
    let lookups = stats.api_calls_saved + stats.misses;
    format!(
        "{} entries; {answered:.0} % of {lookups} look-ups answered without a call; {} peers",
        stats.cache_size, stats.connected_peers
    )
}

/// How often the status line is renewed if there is no watchdog.
const STATUS_INTERVAL: Duration = Duration::from_secs(30);
/// Shortest time between two words, against a watchdog that is set to nothing.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_not_reported_alive() {
        let mut beats = [true, false, false, true].into_iter();
        let mut told = Vec::new();
        let (exhausted, end) = tokio::sync::oneshot::channel::<()>();
        let mut exhausted = Some(exhausted);
        let status = async || match beats.next() {
            Some(true) => Ok("alive".to_owned()),
            Some(false) => Err(NoPulse::Silent),
            None => {
                drop(exhausted.take());
                future::pending().await
            }
        };
        tokio::select! {
            never = watch(Duration::from_millis(1), status, |status| told.push(status.to_owned())) => match never {},
            _dropped = end => {}
        }
        assert_eq!(told, ["alive", "alive"]);
    }
}
