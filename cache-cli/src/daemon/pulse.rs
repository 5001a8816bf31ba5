//! Whether the node still works: a question to its driver, with a deadline.

use fleet_cache::{Closed, Node, Stats};
use std::time::Duration;

/// Asks the node's driver for its counts, which it gives only while it goes round its loop.
///
/// # Errors
///
/// When the node has ended, or says nothing for [`PULSE_TIMEOUT`].
///
/// # Cancellation
///
/// Dropping the future changes nothing.
pub(crate) async fn pulse(node: &Node) -> Result<Stats, NoPulse> {
    match tokio::time::timeout(PULSE_TIMEOUT, node.stats()).await {
        Ok(Ok(stats)) => Ok(stats),
        Ok(Err(error)) => Err(NoPulse::Ended(error)),
        Err(_elapsed) => Err(NoPulse::Silent),
    }
}

/// Why the driver gave no answer. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPulse {
    /// The driver has ended.
    #[error("{0}")]
    Ended(Closed),
    /// It did not answer in time.
    #[error("the node has not answered for {} s", PULSE_TIMEOUT.as_secs())]
    Silent,
}

/// How long the driver may take: a thousand times what it takes under load, and less than the 10 s after
/// which Prometheus gives up a scrape.
pub(crate) const PULSE_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_cache::GitHub;

    #[tokio::test]
    async fn a_node_has_a_pulse_until_it_is_shut_down() {
        let github = GitHub::builder().origin("http://127.0.0.1:1").build().unwrap();
        let node = Node::builder(None, github).start().await.unwrap();
        assert_eq!(pulse(&node).await.unwrap().misses, 0);
        node.shutdown().await;
        assert!(matches!(pulse(&node).await, Err(NoPulse::Ended(_))));
    }
}
